/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink that writes every conversation record down as text, so that two
 * readings can be compared and single facts be looked for.  Frames and times
 * are left out: they are the packets', not the conversation's.
 */
#ifndef CMI_TESTS_WIRE_RECORDER_H
#define CMI_TESTS_WIRE_RECORDER_H

#include "capture/stream.h"
#include "core/buf.h"
#include "core/text.h"

struct recorder {
	struct cmi_buf text;
	size_t n;
	struct cmi_session_hub hub;
};

static inline void record_text(
	struct cmi_buf *b, const char *name, struct cmi_bytes v)
{
	cmi_buf_printf(b, " %s=", name);
	cmi_safe_text(b, v);
}

static inline void record_certs(struct cmi_buf *b, const char *name,
	const struct cmi_seen_cert *certs, size_t n)
{
	cmi_buf_printf(b, " %s=%zu", name, n);
	for (size_t i = 0; i < n; i++) {
		/* FNV-1a: enough to tell contents apart. */
		uint32_t hash = 2166136261u;

		for (size_t k = 0; k < certs[i].der.n; k++)
			hash = (hash ^ certs[i].der.p[k]) * 16777619u;
		cmi_buf_printf(b, ":%zu/%08x", certs[i].der.n, hash);
	}
}

static inline void record_tls(struct cmi_buf *b, const struct cmi_tls_seen *v)
{
	cmi_buf_printf(b, "tls %s", cmi_outcome_name(v->outcome));
	record_text(b, "sni", v->sni);
	cmi_buf_printf(b,
		" max=%04x min=%04x ciphers=%zu version=%04x cipher=%04x"
		" ch=%d sh=%d retry=%d resumed=%d wantcert=%d ocsp=%d raw=%d"
		" decrypted=%d cert=%d cfin=%d sfin=%d app=%d/%d toomany=%d"
		" dark=%d/%d dalert=%d/%d gap=%d sgap=%d done=%d ske=%d "
		"group=%04x",
		v->client_version_max, v->client_version_min,
		v->n_client_ciphers, v->version, v->cipher, v->has_client_hello,
		v->has_server_hello, v->hello_retry, v->resumed,
		v->client_cert_requested, v->ocsp_stapled, v->raw_public_key,
		v->decrypted, v->has_certificate, v->client_finished,
		v->server_finished, v->app_data[0] > 0, v->app_data[1] > 0,
		v->certs_too_many, v->dark_finished[0], v->dark_finished[1],
		v->dark_alert_likely, v->dark_alert_from, v->gap_bytes > 0,
		v->server_gap, v->has_hello_done, v->has_key_exchange,
		v->group);
	record_certs(b, "certs", v->certs, v->n_certs);
	record_certs(b, "mine", v->client_certs, v->n_client_certs);
	for (size_t i = 0; i < v->n_alerts; i++)
		cmi_buf_printf(b, " alert=%s:%u:%u",
			v->alerts[i].from ? "server" : "client",
			v->alerts[i].level, v->alerts[i].code);
	cmi_buf_printf(b, " more=%zu", v->alerts_more);
}

static inline void record_http(struct cmi_buf *b, const struct cmi_http_seen *v)
{
	cmi_buf_printf(b, "http %u", v->status);
	record_text(b, "method", v->method);
	record_text(b, "url", v->url);
	record_text(b, "type", v->type);
	record_text(b, "action", v->soap_action);
	record_text(b, "asked", v->request_body);
	record_text(b, "body", v->body);
	cmi_buf_printf(b, " cut=%d", v->body_cut);
}

static inline void record_dns(struct cmi_buf *b, const struct cmi_dns_seen *v)
{
	char text[CMI_ENDPOINT_TEXT];

	cmi_buf_printf(b, "dns %d type=%u", v->rcode, v->type);
	record_text(b, "name", v->name);
	for (size_t i = 0; i < v->n_addrs; i++)
		cmi_buf_printf(
			b, " addr=%s", cmi_endpoint_text(text, &v->addrs[i]));
}

static inline void record_dhcp(struct cmi_buf *b, const struct cmi_dhcp_seen *v)
{
	cmi_buf_printf(b, "dhcp %u has43=%d has120=%d", v->message_type,
		v->has43, v->has120);
	record_text(b, "class", v->class_id);
	record_text(b, "43", v->option43);
	record_text(b, "120", v->option120);
}

static inline cmend_status recorder_take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct recorder *r = ctx;
	char text[CMI_ENDPOINT_TEXT];

	r->n++;
	switch (c->kind) {
	case CMI_CONV_TLS:
		record_tls(&r->text, c->tls);
		break;
	case CMI_CONV_HTTP:
		record_http(&r->text, c->http);
		break;
	case CMI_CONV_DNS:
		record_dns(&r->text, c->dns);
		break;
	case CMI_CONV_DHCP:
		record_dhcp(&r->text, c->dhcp);
		break;
	case CMI_CONV_TCP:
	case CMI_CONV_TOLD:
		break;
	}
	cmi_buf_printf(
		&r->text, " starttls=%s", c->starttls ? c->starttls : "-");
	cmi_buf_printf(
		&r->text, " client=%s", cmi_endpoint_text(text, &c->client));
	cmi_buf_printf(
		&r->text, " server=%s\n", cmi_endpoint_text(text, &c->server));
	return cmi_buf_status(&r->text, err);
}

static inline void recorder_init(struct recorder *r)
{
	*r = (struct recorder){0};
	cmi_buf_init(&r->text, (size_t)16 << 20);
	r->hub.sink = (struct cmi_conversation_sink){recorder_take, r};
}

static inline void recorder_dispose(struct recorder *r)
{
	cmi_buf_dispose(&r->text);
}

#endif
