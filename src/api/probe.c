/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "api/talk.h"
#include "probe/starttls.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

void cmi_conversation_show(
	struct cmend_conversation *to, const struct cmi_conversation *c)
{
	to->c = c;
	to->client[0] = to->server[0] = '\0';
	if (c->client.family)
		cmi_endpoint_text(to->client, &c->client);
	if (c->server.family)
		cmi_endpoint_text(to->server, &c->server);
}

void cmend_conversation_free(cmend_conversation *c)
{
	if (!c)
		return;
	if (c->dialed)
		cmi_dialed_dispose(c->dialed);
	cmi_free(c->dialed);
	cmi_free(c->starttls);
	cmi_free(c->host);
	cmi_free(c);
}
CMI_DEFINE_CLEANUP(
	conversation_freep, struct cmend_conversation, cmend_conversation_free)

cmend_kind cmend_conversation_kind(const cmend_conversation *c)
{
	return c ? (cmend_kind)c->c->kind : CMEND_KIND_TCP;
}

const char *cmend_conversation_client(const cmend_conversation *c)
{
	return c ? c->client : "";
}

const char *cmend_conversation_server(const cmend_conversation *c)
{
	return c ? c->server : "";
}

size_t cmend_conversation_count(const cmend_conversation *c)
{
	return c && c->c->kind == CMI_CONV_TLS ? c->c->tls->n_certs : 0;
}

cmend_status cmend_conversation_certificate(
	const cmend_conversation *c, size_t i, cmend_bytes *out)
{
	if (!c || !out)
		return CMEND_ARG;
	if (i >= cmend_conversation_count(c))
		return CMEND_NOT_FOUND;
	*out = (cmend_bytes){
		c->c->tls->certs[i].der.p, c->c->tls->certs[i].der.n};
	return CMEND_OK;
}

static cmend_status check_options(
	const cmend_probe_options *o, uint16_t *port, cmend_error *err)
{
	if (!o || o->size < sizeof(*o) || !o->target)
		return WRONG(err, "target or whole options");
	if (o->family != 0 && o->family != 4 && o->family != 6)
		return cmi_fail(err, CMEND_ARG,
			"the family is 4, 6 or 0, not %u", o->family);
	if (o->timeout_ms > CMI_PROBE_MS_MAX)
		return cmi_fail(err, CMEND_ARG,
			"a probe takes an hour at most, not %u ms",
			o->timeout_ms);
	*port = o->starttls ? cmi_starttls_port(o->starttls) : 443;
	return *port ? CMEND_OK
		     : cmi_fail(err, CMEND_ARG,
			       "starttls does not know \"%s\"; it knows %s",
			       o->starttls, cmi_starttls_names());
}

static cmend_status copy_text(const char *from, char **to, cmend_error *err)
{
	*to = from ? cmi_strdup(from) : NULL;
	return from && !*to ? cmi_nomem(err) : CMEND_OK;
}

/* The caller's texts may go after the call: copies of them are dialled with. */
static cmend_status prepare(struct cmend_conversation *c,
	const cmend_probe_options *o, uint16_t port, cmend_error *err)
{
	CMI_TRY(cmi_target_parse(o->target, port, &c->target, err));
	CMI_TRY(copy_text(o->starttls, &c->starttls, err));
	c->dialed = cmi_alloc(sizeof(*c->dialed));
	return c->dialed ? CMEND_OK : cmi_nomem(err);
}

static void note_address(struct cmend_conversation *c)
{
	const struct cmi_endpoint *e = &c->c->server;

	if (e->family)
		(void)inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr,
			c->ip, sizeof(c->ip));
}

cmend_status cmend_probe(const cmend_probe_options *o, cmend_conversation **out,
	cmend_error *err)
{
	CMI_AUTO(conversation_freep) struct cmend_conversation *c = NULL;
	struct cmi_dial_options dial = {0};
	uint16_t port = 0;

	CMI_TRY(check_options(o, &port, err));
	if (!out)
		return WRONG(err, "place for the conversation");
	c = cmi_alloc(sizeof(*c));
	if (!c)
		return cmi_nomem(err);
	CMI_TRY(prepare(c, o, port, err));
	dial = (struct cmi_dial_options){
		.target = &c->target,
		.sni = o->sni,
		.address = o->address,
		.family = (uint8_t)o->family,
		.timeout_ms = o->timeout_ms,
		.version_min = o->version_min,
		.version_max = o->version_max,
		.starttls = c->starttls,
	};
	CMI_TRY(cmi_dial(&dial, c->dialed, err));
	cmi_conversation_show(c, &c->dialed->conversation);
	note_address(c);
	CMI_TRY(copy_text(o->host                     ? o->host
			  : c->dialed->server_name[0] ? c->dialed->server_name
						      : c->target.host,
		&c->host, err));
	*out = CMI_TAKE(c);
	return CMEND_OK;
}
