/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gather.h"

#include <string.h>
#include <sys/stat.h>

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
	status = cmi_bundle_read_file(path, CMI_SENT_CERTS_MAX, &b, err);
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

static cmend_status gather_endpoint(const char *word,
	const struct cmi_gather_options *o, struct cmi_gathered *g,
	cmend_error *err)
{
	struct cmi_dial_options dial = {
		.target = &g->target,
		.sni = o->sni,
		.family = o->v4   ? 4
			  : o->v6 ? 6
				  : 0,
		.timeout_ms = (int64_t)o->timeout_s * 1000,
		.starttls = o->starttls,
	};

	uint16_t port = (uint16_t)o->port;

	g->live = true;
	cmi_safe_cstr(g->name, sizeof(g->name), cmi_bytes_of(word));
	if (o->starttls && !port && !(port = cmi_starttls_port(o->starttls)))
		return cmi_fail(err, CMEND_ARG,
			"--starttls does not know \"%s\"; it knows %s",
			o->starttls, cmi_starttls_names());
	CMI_TRY(cmi_target_parse(word, port ? port : 443, &g->target, err));
	memcpy(g->name, g->target.text, sizeof(g->target.text));
	CMI_TRY(cmi_dial(&dial, &g->dialed, err));
	if (g->dialed.conversation.server.family) {
		const struct cmi_endpoint *e = &g->dialed.conversation.server;

		cmi_endpoint_text(g->address, e);
		inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr, g->ip,
			sizeof(g->ip));
	}
	if (!g->host)
		g->host = g->dialed.server_name[0] ? g->dialed.server_name
						   : g->target.host;
	CMI_TRY(cmi_sent_take(&g->dialed, &g->sent, err));
	for (size_t i = 0; i < g->sent.n; i++)
		if (g->sent.owned[i])
			CMI_TRY(cmi_cert_list_add(
				&g->list, g->sent.owned[i], err));
	return CMEND_OK;
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
	cmi_dialed_dispose(&g->dialed);
}
