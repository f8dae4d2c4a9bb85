/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/json.h"
#include "core/text.h"
#include "report/report.h"
#include "wire/dhcp_uc.h"

static void put_endpoint(
	struct cmi_json *j, const char *key, const struct cmi_endpoint *e)
{
	char text[CMI_ENDPOINT_TEXT];

	cmi_json_cstr(j, key, cmi_endpoint_text(text, e));
}

static void put_frames(struct cmi_json *j, const uint64_t *frames, size_t n)
{
	cmi_json_array(j, "frames");
	for (size_t i = 0; i < n; i++)
		if (frames[i])
			cmi_json_int(j, NULL, (int64_t)frames[i]);
	cmi_json_end_array(j);
}

/* Kind and capture, from what was written before where it is the same. */
static void begin_again(struct cmi_json *j, struct cmi_buf *out,
	enum cmi_item_kind kind, const char *capture,
	struct cmi_json_kept *kept)
{
	struct cmi_json_head *h = kept ? &kept->head[kind] : NULL;
	size_t from = out->n, n = capture ? strlen(capture) : 0;

	if (h && capture && h->n && n < sizeof(h->capture) &&
		memcmp(h->capture, capture, n + 1) == 0) {
		cmi_json_resume(j, out);
		cmi_buf_add(out, h->text, h->n);
		return;
	}
	cmi_json_begin(j, out, cmi_item_kind_name(kind));
	cmi_json_cstr(j, "capture", capture);
	if (!h || !capture || n >= sizeof(h->capture) || out->failed ||
		out->n - from > sizeof(h->text))
		return;
	h->n = out->n - from;
	memcpy(h->text, out->p + from, h->n);
	memcpy(h->capture, capture, n + 1);
}

/* A line of its kind, and what every conversation has. */
static void begin(struct cmi_json *j, struct cmi_buf *out,
	enum cmi_item_kind kind, const struct cmi_conversation *c,
	struct cmi_json_kept *kept)
{
	if (!c) {
		cmi_json_begin(j, out, cmi_item_kind_name(kind));
		return;
	}
	begin_again(j, out, kind, c->capture, kept);
	put_endpoint(j, "client", &c->client);
	put_endpoint(j, "server", &c->server);
}

static void end(struct cmi_json *j)
{
	cmi_json_end_object(j);
	cmi_buf_u8(j->out, '\n');
}

/* What is said of a certificate wherever it came. */
static void put_cert_names(struct cmi_json *j, const struct cmi_cert *c)
{
	char when[CMI_TIME_TEXT];

	cmi_json_cstr(j, "subject", c->subject);
	cmi_json_cstr(j, "issuer", c->issuer);
	cmi_json_cstr(j, "not_before", cmi_time_s(when, c->not_before_s));
	cmi_json_cstr(j, "not_after", cmi_time_s(when, c->not_after_s));
}

/* The same, from what was written of it before where that is still kept. */
static void put_cert_names_again(struct cmi_json *j, const struct cmi_cert *c,
	struct cmi_json_kept *kept)
{
	struct cmi_json_names *k = &kept->names[c->sha256[0] % CMI_JSON_NAMES];
	size_t from = j->out->n;

	if (k->n && memcmp(k->sha256, c->sha256, sizeof(k->sha256)) == 0) {
		cmi_buf_add(j->out, k->text, k->n);
		return;
	}
	put_cert_names(j, c);
	if (j->out->failed || j->out->n - from > sizeof(k->text))
		return;
	k->n = j->out->n - from;
	memcpy(k->text, j->out->p + from, k->n);
	memcpy(k->sha256, c->sha256, sizeof(k->sha256));
}

/* Hexadecimal digits, which need no look. */
static void put_digest(struct cmi_json *j, const struct cmi_cert *c)
{
	char text[2 * CMI_SHA256_LEN + 2];

	text[0] = text[sizeof(text) - 1] = '"';
	memcpy(text + 1, c->sha256_hex, sizeof(text) - 2);
	cmi_json_put_word(j, CMI_BYTES("sha256"),
		(struct cmi_bytes){(const uint8_t *)text, sizeof(text)});
}

static void put_cert(struct cmi_json *j, const struct cmi_item_cert *c,
	struct cmi_json_kept *kept)
{
	uint8_t digest[CMI_SHA256_LEN];

	cmi_json_object(j, NULL);
	if (c->cert) {
		put_digest(j, c->cert);
	} else {
		cmi_sha256(c->der, digest);
		cmi_json_hex(j, "sha256",
			(struct cmi_bytes){digest, sizeof(digest)});
	}
	if (c->frame)
		cmi_json_int(j, "frame", (int64_t)c->frame);
	if (c->cert && kept) {
		put_cert_names_again(j, c->cert, kept);
	} else if (c->cert) {
		put_cert_names(j, c->cert);
	} else {
		cmi_json_null(j, "subject");
		cmi_json_null(j, "issuer");
	}
	cmi_json_end_object(j);
}

static void put_certs(struct cmi_json *j, const char *key,
	const struct cmi_item_cert *certs, size_t n, struct cmi_json_kept *kept)
{
	cmi_json_array(j, key);
	for (size_t i = 0; i < n; i++)
		put_cert(j, &certs[i], kept);
	cmi_json_end_array(j);
}

/* Left out where there is nothing, as most often. */
static void put_noted(struct cmi_json *j, const struct cmi_tls_seen *t)
{
	size_t at = 0;
	const char *name = cmi_item_noted(t, &at);

	if (!name)
		return;
	cmi_json_array(j, "noted");
	for (; name; name = cmi_item_noted(t, &at))
		cmi_json_cstr(j, NULL, name);
	cmi_json_end_array(j);
}

static void put_alerts(struct cmi_json *j, const struct cmi_tls_seen *t)
{
	cmi_json_array(j, "alerts");
	for (size_t i = 0; i < t->n_alerts; i++) {
		const struct cmi_seen_alert *a = &t->alerts[i];

		cmi_json_object(j, NULL);
		cmi_json_cstr(
			j, "from", a->from == CMI_CLIENT ? "client" : "server");
		cmi_json_cstr(j, "level", a->level == 1 ? "warning" : "fatal");
		cmi_json_cstr(j, "description", cmi_tls_alert_name(a->code));
		cmi_json_int(j, "code", a->code);
		cmi_json_int(j, "frame", (int64_t)a->frame);
		cmi_json_end_object(j);
	}
	cmi_json_end_array(j);
}

static void put_findings(
	struct cmi_json *j, const struct cmi_finding *f, size_t n)
{
	cmi_json_array(j, "findings");
	for (; n; f++, n--) {
		const struct cmi_finding_text *t = cmi_finding_text(f->id);

		cmi_json_object(j, NULL);
		cmi_json_cstr(j, "id", cmi_finding_name(f->id));
		cmi_json_cstr(j, "severity", cmi_severity_name(f->severity));
		if (f->subject)
			cmi_json_cstr(j, "subject", f->subject);
		put_frames(j, f->frames, f->n_frames);
		if (cmi_blame_name(f->blame))
			cmi_json_cstr(j, "blame", cmi_blame_name(f->blame));
		cmi_json_bool(j, "inferred", f->inferred);
		cmi_json_cstr(j, "says", f->says ? f->says : t->title);
		cmi_json_cstr(j, "remedy", f->remedy ? f->remedy : t->remedy);
		cmi_json_end_object(j);
	}
	cmi_json_end_array(j);
}

static void put_profiles(
	struct cmi_json *j, const struct cmi_item_profile *p, size_t n)
{
	cmi_json_array(j, "profiles");
	for (; n; p++, n--) {
		cmi_json_object(j, NULL);
		cmi_json_cstr(j, "profile", p->profile);
		if (p->unknown)
			cmi_json_null(j, "accepts");
		else
			cmi_json_bool(j, "accepts", p->accepts);
		cmi_json_cstr(j, "why", cmi_finding_name(p->why));
		if (p->says)
			cmi_json_cstr(j, "says", p->says);
		if (p->help)
			cmi_json_cstr(j, "help", p->help);
		if (p->until_s)
			cmi_json_time_us(j, "until", p->until_s * 1000000);
		if (p->until_subject)
			cmi_json_cstr(j, "until_subject", p->until_subject);
		cmi_json_end_object(j);
	}
	cmi_json_end_array(j);
}

static void put_path(
	struct cmi_json *j, const struct cmi_path *path, bool has_anchor)
{
	cmi_json_array(j, "path");
	for (size_t i = 0; path && i < path->n; i++) {
		bool anchor = has_anchor && i + 1 == path->n;

		cmi_json_object(j, NULL);
		cmi_json_cstr(j, "sha256", path->certs[i]->sha256_hex);
		cmi_json_cstr(j, "from",
			cmi_origin_name(
				anchor ? CMI_FROM_ANCHOR : path->origins[i]));
		cmi_json_cstr(j, "subject", path->certs[i]->subject);
		cmi_json_time_us(
			j, "not_after", path->certs[i]->not_after_s * 1000000);
		cmi_json_end_object(j);
	}
	cmi_json_end_array(j);
}

/* "0xc02b"; printf would take longer than the rest of the line. */
static const char *number_text(char out[8], uint16_t v)
{
	const uint8_t wire[] = {(uint8_t)(v >> 8), (uint8_t)v};

	out[0] = '0';
	out[1] = 'x';
	cmi_hex_cstr(out + 2, wire, sizeof(wire));
	return out;
}

static void put_tls_words(
	struct cmi_json *j, uint16_t version, uint16_t cipher, bool seen)
{
	const char *name = version ? cmi_tls_version_name(version) : NULL;
	char id[8];

	/* Versions without a name (private drafts) by their number. */
	cmi_json_cstr(j, "version",
		name || !version ? name : number_text(id, version));
	cmi_json_cstr(j, "cipher", seen ? cmi_tls_cipher_name(cipher) : NULL);
	cmi_json_cstr(j, "cipher_id", seen ? number_text(id, cipher) : NULL);
}

static void handshake(struct cmi_buf *out, const struct cmi_item_handshake *h,
	struct cmi_json_kept *kept)
{
	const struct cmi_conversation *c = h->c;
	const struct cmi_tls_seen *t = c->tls;
	const uint64_t frames[] = {c->first_frame, c->last_frame};
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_HANDSHAKE, c, kept);
	cmi_json_cstr(&j, "sni", h->sni);
	/* In SSL 2.0 the client chooses, and says so in no hello. */
	put_tls_words(&j, t->version, t->cipher,
		t->has_server_hello && t->version != 0x0002);
	cmi_json_cstr(&j, "transport",
		c->transport == CMI_QUIC  ? "quic"
		: c->transport == CMI_UDP ? "dtls"
					  : "tcp");
	if (c->starttls)
		cmi_json_cstr(&j, "starttls", c->starttls);
	cmi_json_time_us(&j, "start", c->start_us);
	put_frames(&j, frames, c->first_frame == c->last_frame ? 1 : 2);
	cmi_json_cstr(&j, "outcome", cmi_outcome_name(h->outcome));
	put_certs(&j, "certificates", h->certs, h->n_certs, kept);
	if (h->n_client_certs)
		put_certs(&j, "client_certificates", h->client_certs,
			h->n_client_certs, kept);
	put_alerts(&j, t);
	put_noted(&j, t);
	cmi_json_cstr(&j, "verdict", cmi_finding_name(h->verdict));
	if (cmi_blame_name(h->blame))
		cmi_json_cstr(&j, "blame", cmi_blame_name(h->blame));
	put_findings(&j, h->findings, h->n_findings);
	put_profiles(&j, h->profiles, h->n_profiles);
	end(&j);
}

static void http(struct cmi_buf *out, const struct cmi_item_http *h,
	struct cmi_json_kept *kept)
{
	const struct cmi_http_seen *s = h->c->http;
	const uint64_t frames[] = {s->request_frame, s->response_frame};
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_HTTP, h->c, kept);
	cmi_json_cstr(&j, "method", h->method ? h->method : "");
	cmi_json_cstr(&j, "url", h->url ? h->url : "");
	if (s->status)
		cmi_json_int(&j, "status", s->status);
	else
		cmi_json_null(&j, "status");
	cmi_json_cstr(&j, "type", h->type);
	put_frames(&j, frames, 2);
	cmi_json_cstr(&j, "carries", cmi_carries_name(h->carries));
	if (h->n_certs) {
		cmi_json_array(&j, "certificates");
		for (size_t i = 0; i < h->n_certs; i++) {
			struct cmi_item_cert c = {.cert = h->certs[i],
				.frame = s->response_frame};

			put_cert(&j, &c, NULL);
		}
		cmi_json_end_array(&j);
	}
	end(&j);
}

static void put_addresses(
	struct cmi_json *j, const struct cmi_endpoint *e, size_t n)
{
	cmi_json_array(j, "addresses");
	for (; n; e++, n--) {
		char text[CMI_ENDPOINT_TEXT];
		struct cmi_bytes host =
			cmi_bytes_of(cmi_endpoint_text(text, e));

		/* The port says nothing here: "1.2.3.4:0", "[::1]:0". */
		while (host.n && host.p[host.n - 1] != ':')
			host.n--;
		host.n -= host.n > 0;
		if (host.n > 1 && host.p[0] == '[')
			host = (struct cmi_bytes){host.p + 1, host.n - 2};
		cmi_json_text(j, NULL, host);
	}
	cmi_json_end_array(j);
}

static void dns(struct cmi_buf *out, const struct cmi_item_dns *d,
	struct cmi_json_kept *kept)
{
	const struct cmi_dns_seen *s = d->c->dns;
	const uint64_t frames[] = {s->query_frame, s->answer_frame};
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_DNS, d->c, kept);
	cmi_json_cstr(&j, "name", d->name ? d->name : "");
	cmi_json_int(&j, "type", s->type);
	if (s->rcode < 0)
		cmi_json_null(&j, "rcode");
	else
		cmi_json_int(&j, "rcode", s->rcode);
	put_addresses(&j, s->addrs, s->n_addrs);
	put_frames(&j, frames, 2);
	end(&j);
}

/* What is wrong with an answer to a desk phone; nothing for other clients. */
static void put_phone_faults(struct cmi_json *j, const struct cmi_dhcp_seen *s)
{
	struct cmi_uc_options o;
	struct cmi_uc_faults f;

	if (!cmi_uc_answered(s, &o, &f))
		return;
	cmi_json_array(j, "findings");
	for (size_t i = 0; i < f.n; i++) {
		if (!f.faults[i].id)
			continue;
		cmi_json_object(j, NULL);
		cmi_json_cstr(j, "id", cmi_finding_name(f.faults[i].id));
		cmi_json_cstr(j, "severity",
			f.faults[i].severity == CMI_UC_ERROR ? "error"
							     : "warning");
		cmi_json_cstr(j, "says", f.faults[i].says);
		cmi_json_end_object(j);
	}
	cmi_json_end_array(j);
}

static void dhcp(struct cmi_buf *out, const struct cmi_item_other *o,
	struct cmi_json_kept *kept)
{
	const struct cmi_dhcp_seen *s = o->c->dhcp;
	const uint64_t frames[] = {s->frame};
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_DHCP, o->c, kept);
	cmi_json_int(&j, "message_type", s->message_type);
	if (s->class_id.n)
		cmi_json_text(&j, "class", s->class_id);
	if (s->has43)
		cmi_json_hex(&j, "option43", s->option43);
	if (s->has120)
		cmi_json_hex(&j, "option120", s->option120);
	put_phone_faults(&j, s);
	put_frames(&j, frames, 1);
	end(&j);
}

static void tcp(struct cmi_buf *out, const struct cmi_item_other *o,
	struct cmi_json_kept *kept)
{
	const struct cmi_tcp_seen *s = o->c->tcp;
	const uint64_t frames[] = {s->syn_frame};
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_TCP, o->c, kept);
	cmi_json_bool(&j, "answered", s->syn_ack);
	cmi_json_bool(&j, "refused", s->refused);
	put_frames(&j, frames, 1);
	end(&j);
}

static void told(struct cmi_buf *out, const struct cmi_item_told *t)
{
	const struct cmi_told_seen *s = t->c->told;
	const uint64_t frames[] = {s->frame};
	struct cmi_json j;

	cmi_json_begin(&j, out, cmi_item_kind_name(CMI_ITEM_TOLD));
	cmi_json_cstr(&j, "capture", t->c->capture);
	if (t->side != CMI_STEP_BOTH)
		cmi_json_cstr(&j, "side", cmi_step_side_name(t->side));
	cmi_json_cstr(&j, "step", t->step);
	cmi_json_cstr(&j, "result", t->result);
	cmi_json_cstr(&j, "finding", cmi_finding_name(s->finding));
	cmi_json_cstr(&j, "says", t->says);
	put_frames(&j, frames, 1);
	end(&j);
}

static void put_frame_or_null(
	struct cmi_json *j, const char *key, uint64_t frame)
{
	if (frame)
		cmi_json_int(j, key, (int64_t)frame);
	else
		cmi_json_null(j, key);
}

static void step(struct cmi_buf *out, const struct cmi_item_step *s)
{
	static const char *const roles[] = {
		"client", "server", "issuers", "network"};
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_STEP, NULL, NULL);
	cmi_json_cstr(&j, "side", cmi_step_side_name(s->side));
	cmi_json_cstr(&j, "event", s->event);
	cmi_json_cstr(&j, "from", roles[s->from]);
	cmi_json_cstr(&j, "to", roles[s->to]);
	cmi_json_cstr(&j, "good", s->text[0]);
	cmi_json_cstr(&j, "bad", s->text[1]);
	if (s->note)
		cmi_json_cstr(&j, "note", s->note);
	put_frame_or_null(&j, "good_frame", s->frame[0]);
	put_frame_or_null(&j, "bad_frame", s->frame[1]);
	cmi_json_bool(&j, "diverges", s->diverges);
	cmi_json_bool(&j, "consequence", s->consequence);
	end(&j);
}

static void divergence(struct cmi_buf *out, const struct cmi_item_divergence *d)
{
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_DIVERGENCE, NULL, NULL);
	put_frame_or_null(&j, "good_frame", d->good_frame);
	put_frame_or_null(&j, "bad_frame", d->bad_frame);
	cmi_json_cstr(&j, "verdict", cmi_finding_name(d->verdict));
	cmi_json_cstr(&j, "cause", cmi_finding_name(d->cause));
	cmi_json_bool(&j, "parted", d->parted);
	cmi_json_bool(&j, "inferred", d->inferred);
	cmi_json_cstr(&j, "says", d->says);
	cmi_json_array(&j, "consequences");
	for (size_t i = 0; i < d->n_consequences; i++)
		cmi_json_cstr(&j, NULL, d->consequences[i]);
	cmi_json_end_array(&j);
	cmi_json_array(&j, "remedies");
	for (size_t i = 0; i < d->n_remedies; i++) {
		cmi_json_object(&j, NULL);
		cmi_json_cstr(&j, "title", d->remedies[i].title);
		cmi_json_cstr(&j, "who", cmi_blame_name(d->remedies[i].who));
		cmi_json_cstr(&j, "says", d->remedies[i].says);
		cmi_json_end_object(&j);
	}
	cmi_json_end_array(&j);
	end(&j);
}

static void endpoint(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_ENDPOINT, NULL, NULL);
	cmi_json_cstr(&j, "target", e->target);
	if (e->address)
		cmi_json_cstr(&j, "address", e->address);
	if (e->starttls)
		cmi_json_cstr(&j, "starttls", e->starttls);
	put_tls_words(&j, e->version, e->cipher, e->version != 0);
	cmi_json_time_us(&j, "at", e->at_us);
	if (e->trouble)
		cmi_json_cstr(&j, "trouble", e->trouble);
	if (e->until_s) {
		cmi_json_time_us(&j, "until", e->until_s * 1000000);
		cmi_json_cstr(&j, "until_profile", e->until_profile);
		cmi_json_cstr(&j, "until_subject", e->until_subject);
	}
	put_certs(&j, "sent", e->sent, e->n_sent, NULL);
	put_path(&j, e->path, e->path_has_anchor);
	cmi_json_cstr(&j, "verdict", cmi_finding_name(e->verdict));
	put_findings(&j, e->findings, e->n_findings);
	put_profiles(&j, e->profiles, e->n_profiles);
	end(&j);
}

static void summary(struct cmi_buf *out, const struct cmi_item_summary *s)
{
	struct cmi_json j;

	begin(&j, out, CMI_ITEM_SUMMARY, NULL, NULL);
	cmi_json_int(&j, "packets", (int64_t)s->packets);
	cmi_json_int(&j, "bytes", (int64_t)s->bytes);
	cmi_json_int(&j, "handshakes", (int64_t)s->handshakes);
	cmi_json_int(&j, "failed", (int64_t)s->failed);
	cmi_json_int(&j, "dark", (int64_t)s->dark);
	cmi_json_int(&j, "cut", (int64_t)s->cut);
	cmi_json_int(&j, "given_up", (int64_t)s->given_up);
	cmi_json_int(&j, "damaged_places", (int64_t)s->notes);
	if (s->seconds >= 0)
		cmi_json_real(&j, "seconds", s->seconds, 3);
	end(&j);
}

void cmi_report_json(struct cmi_buf *out, const struct cmi_item *item)
{
	cmi_report_json_again(out, item, NULL);
}

void cmi_report_json_again(struct cmi_buf *out, const struct cmi_item *item,
	struct cmi_json_kept *kept)
{
	switch (item->kind) {
	case CMI_ITEM_HANDSHAKE:
		handshake(out, item->handshake, kept);
		break;
	case CMI_ITEM_HTTP:
		http(out, item->http, kept);
		break;
	case CMI_ITEM_DNS:
		dns(out, item->dns, kept);
		break;
	case CMI_ITEM_DHCP:
		dhcp(out, item->other, kept);
		break;
	case CMI_ITEM_TCP:
		tcp(out, item->other, kept);
		break;
	case CMI_ITEM_TOLD:
		told(out, item->told);
		break;
	case CMI_ITEM_STEP:
		step(out, item->step);
		break;
	case CMI_ITEM_DIVERGENCE:
		divergence(out, item->divergence);
		break;
	case CMI_ITEM_ENDPOINT:
		endpoint(out, item->endpoint);
		break;
	case CMI_ITEM_SUMMARY:
		summary(out, item->summary);
		break;
	}
}
