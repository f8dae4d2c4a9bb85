/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gather.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/gather_hint.h"
#include "cli/secret.h"
#include "probe/resolve.h"
#include "probe/starttls.h"
#include "x509/bundle.h"

bool cmi_gather_is_file(const char *word)
{
	struct stat st;

	if (cmi_text_starts(cmi_bytes_of(word), "https://") ||
		cmi_text_starts(cmi_bytes_of(word), "tls://"))
		return false;
	return strcmp(word, "-") == 0 || strchr(word, '/') ||
	       (stat(word, &st) == 0 && S_ISREG(st.st_mode));
}

static cmend_status gather_file(
	const char *path, struct cmi_gathered *g, cmend_error *err)
{
	struct cmi_bundle b = {0};
	cmend_status status;

	cmi_safe_cstr(g->name, sizeof(g->name), cmi_bytes_of(path));
	CMI_TRY(cmi_hint_scheme(path, err));
	status = cmi_bundle_read_file(path, CMI_SENT_CERTS_MAX, &b, err);
	if (status != CMEND_OK)
		cmi_hint_url(path, err);
	for (size_t i = 0; status == CMEND_OK && i < b.list.n; i++) {
		status = cmi_cert_list_add(&g->list, b.list.certs[i], err);
		g->sent.owned[i] = cmi_cert_ref(b.list.certs[i]);
		g->sent.certs[i] = (struct cmi_item_cert){
			.cert = g->sent.owned[i],
			.der = g->sent.owned[i]->der,
		};
		g->sent.n++;
	}
	cmi_bundle_dispose(&b);
	return status;
}

cmend_status cmi_gather_prepare(struct cmi_gather_options *o, cmend_error *err)
{
	const struct cmi_secret_from from = {
		.file = o->proxy_password_file,
		.what = "password for the proxy",
	};
	char password[CMI_CLI_SECRET_MAX];

	if (o->v4 && o->v6)
		return cmi_fail(err, CMEND_ARG,
			"-4 and -6 exclude each other: without them both "
			"families are asked");
	if (!o->proxy && o->proxy_password_file)
		return cmi_fail(err, CMEND_ARG,
			"--proxy-password-file goes with --proxy");
	if (!o->proxy)
		return CMEND_OK;
	CMI_TRY(cmi_proxy_parse(o->proxy, &o->via, err));
	if (!o->via.user[0])
		return CMEND_OK;
	CMI_TRY(cmi_secret_read(&from, password, err));
	snprintf(o->via.password, sizeof(o->via.password), "%s", password);
	cmi_wipe(password, sizeof(password));
	return CMEND_OK;
}

void cmi_gather_finish(struct cmi_gather_options *o)
{
	cmi_proxy_wipe(&o->via);
}

const struct cmi_proxy *cmi_gather_proxy(const struct cmi_gather_options *o)
{
	return o->proxy ? &o->via : NULL;
}

uint8_t cmi_gather_family(const struct cmi_gather_options *o)
{
	return o->v4 ? 4 : o->v6 ? 6 : 0;
}

/* The word as a target, and how to dial it. */
static cmend_status begin_endpoint(const char *word,
	const struct cmi_gather_options *o, struct cmi_gathered *g,
	cmend_error *err)
{
	uint16_t port = (uint16_t)o->port;

	g->live = true;
	cmi_safe_cstr(g->name, sizeof(g->name), cmi_bytes_of(word));
	if (o->starttls && !port && !(port = cmi_starttls_port(o->starttls)))
		return cmi_fail(err, CMEND_ARG,
			"--starttls does not know \"%s\"; it knows %s",
			o->starttls, cmi_starttls_names());
	CMI_TRY(cmi_target_parse(word, port ? port : 443, &g->target, err));
	memcpy(g->name, g->target.text, sizeof(g->target.text));
	g->dial.options = (struct cmi_dial_options){
		.target = &g->target,
		.sni = o->sni,
		.family = cmi_gather_family(o),
		.timeout_ms = (int64_t)o->timeout_s * 1000,
		.starttls = o->starttls,
		.proxy = cmi_gather_proxy(o),
		.cert_file = o->cert_file,
		.key_file = o->key_file,
		.look = o->look,
	};
	return CMEND_OK;
}

/* The same server in other ways: the same address, where it has one. */
static cmend_status ask_variants(const struct cmi_gather_options *o,
	struct cmi_gathered *g, cmend_error *err)
{
	struct cmi_dial_options how = g->dial.options;

	if (!o->variants || !g->sent.n)
		return CMEND_OK;
	if (!how.address && g->ip[0])
		how.address = g->ip;
	return cmi_variants_ask(
		&how, &g->dial.out, &g->sent, o->old, &g->variants, err);
}

/* What was dialled, as certificates. */
static cmend_status take_endpoint(const struct cmi_gather_options *o,
	struct cmi_gathered *g, cmend_error *err)
{
	const struct cmi_dialed *d = &g->dial.out;
	const struct cmi_endpoint *e = &d->conversation.server;

	if (e->family) {
		cmi_endpoint_text(g->address, e);
		inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr, g->ip,
			sizeof(g->ip));
	}
	if (!g->host)
		g->host = d->server_name[0] ? d->server_name : g->target.host;
	CMI_TRY(cmi_sent_take(d, &g->sent, err));
	for (size_t i = 0; i < g->sent.n; i++)
		if (g->sent.owned[i])
			CMI_TRY(cmi_cert_list_add(
				&g->list, g->sent.owned[i], err));
	return ask_variants(o, g, err);
}

static cmend_status gather_endpoint(const char *word,
	const struct cmi_gather_options *o, struct cmi_gathered *g,
	cmend_error *err)
{
	cmend_status status;

	CMI_TRY(begin_endpoint(word, o, g, err));
	status = cmi_dial(&g->dial.options, &g->dial.out, err);
	if (status == CMEND_NOT_FOUND)
		cmi_hint_file(word, err);
	CMI_TRY(status);
	return take_endpoint(o, g, err);
}

cmend_status cmi_gather(const char *word, const struct cmi_gather_options *o,
	struct cmi_gathered *out, cmend_error *err)
{
	*out = (struct cmi_gathered){.host = o->host};
	return cmi_gather_is_file(word) ? gather_file(word, out, err)
					: gather_endpoint(word, o, out, err);
}

void cmi_gathered_dispose(struct cmi_gathered *g)
{
	cmi_cert_list_dispose(&g->list);
	cmi_sent_dispose(&g->sent);
	cmi_variants_free(g->variants);
	cmi_dialed_dispose(&g->dial.out);
}

/* -------------------------------------------------- all addresses of a name */

static bool has_ip(const struct cmi_gathered *list, size_t n, const char *ip)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].ip, ip) == 0)
			return true;
	return false;
}

/* One for each address, told once; *n of them. */
static cmend_status begin_addresses(const char *word,
	const struct cmi_gather_options *o, const struct cmi_addresses *found,
	struct cmi_gathered *list, size_t *n, cmend_error *err)
{
	char ip[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < found->n; i++) {
		struct cmi_gathered *g = &list[*n];

		if (getnameinfo((const struct sockaddr *)&found->list[i].addr,
			    found->list[i].n, ip, sizeof(ip), NULL, 0,
			    NI_NUMERICHOST) != 0 ||
			has_ip(list, *n, ip))
			continue;
		g->host = o->host;
		CMI_TRY(begin_endpoint(word, o, g, err));
		memcpy(g->ip, ip, sizeof(ip));
		g->dial.options.address = g->ip;
		(*n)++;
	}
	return CMEND_OK;
}

static void dial_list(struct cmi_gathered *list, size_t n)
{
	struct cmi_dial *dials[CMI_RESOLVE_MAX];

	for (size_t i = 0; i < n; i++)
		dials[i] = &list[i].dial;
	cmi_dial_all(dials, n);
}

cmend_status cmi_gather_addresses(const char *word,
	const struct cmi_gather_options *o, struct cmi_gathered **out,
	size_t *n, cmend_error *err)
{
	struct cmi_gathered first = {0}, *list;
	struct cmi_addresses found;
	cmend_status status;

	CMI_TRY(begin_endpoint(word, o, &first, err));
	CMI_TRY(cmi_resolve(first.target.host, first.target.port,
		first.dial.options.family,
		o->timeout_s ? (int64_t)o->timeout_s * 1000 : CMI_DIAL_MS,
		&found, err));
	list = cmi_alloc_array(found.n, sizeof(*list));
	if (!list)
		return cmi_nomem(err);
	*n = 0;
	status = begin_addresses(word, o, &found, list, n, err);
	if (status == CMEND_OK)
		dial_list(list, *n);
	for (size_t i = 0; status == CMEND_OK && i < *n; i++)
		if (list[i].dial.status == CMEND_OK)
			status = take_endpoint(o, &list[i], err);
	if (status == CMEND_OK)
		*out = list;
	else
		cmi_gathered_free(list, *n);
	return status;
}

void cmi_gathered_free(struct cmi_gathered *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		cmi_gathered_dispose(&list[i]);
	cmi_free(list);
}
