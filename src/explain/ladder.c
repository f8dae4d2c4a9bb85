/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/ladder.h"

#include <stdio.h>
#include <string.h>

#include "core/cursor.h"
#include "core/text.h"
#include "explain/phrase.h"

/* What follows the handshake is shown this far. */
#define THEN_MAX 6
/* A client goes on with its work within this time, microseconds. */
#define THEN_US ((int64_t)60 * 1000000)

struct builder {
	struct cmi_ladder *l;
	struct cmi_arena *arena;
	const struct cmi_story *s;
	const struct cmi_record *focus;
	unsigned then;
};

/* How much a handshake looks like the fault that was captured. */
static int badness(const struct cmi_record *r)
{
	const struct cmi_item_handshake *h = r->tls.item;

	if (r->kind != CMI_RECORD_TLS)
		return -1;
	if (h->outcome == CMI_FAILED)
		return h->verdict == CMI_F_HANDSHAKE_CUT ? 3 : 4;
	if (h->verdict != CMI_F_NONE)
		return 3;
	if (h->outcome == CMI_CUT)
		return 2;
	return r->tls.used ? 0 : 1;
}

const struct cmi_record *cmi_ladder_focus_bad(const struct cmi_story *s)
{
	const struct cmi_record *best = NULL;
	int most = -1;

	for (size_t i = 0; i < s->n; i++) {
		int b = badness(&s->records[i]);

		if (b > most) {
			most = b;
			best = &s->records[i];
		}
	}
	return best;
}

static bool same_name(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static int likeness(const struct cmi_record *r, const struct cmi_record *bad)
{
	int points = r->tls.used ? 16 : -8 * badness(r);

	if (!bad)
		return points;
	if (same_name(r->tls.item->sni, bad->tls.item->sni))
		points += 8;
	if (cmi_endpoint_same_host(&r->server, &bad->server))
		points += 4;
	if (r->server.port == bad->server.port)
		points += 4;
	return points;
}

const struct cmi_record *cmi_ladder_focus_good(
	const struct cmi_story *s, const struct cmi_record *bad)
{
	const struct cmi_record *best = NULL;
	int most = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct cmi_record *r = &s->records[i];
		int points;

		if (r->kind != CMI_RECORD_TLS)
			continue;
		points = likeness(r, bad);
		if (!best || points > most) {
			most = points;
			best = r;
		}
	}
	return best;
}

static struct cmi_rung *add(struct builder *b, const char *event,
	const char *detail, uint64_t frame, enum cmi_role from,
	enum cmi_role to, const char *text)
{
	struct cmi_rung *r;

	if (b->l->n == CMI_LADDER_MAX)
		return &b->l->rungs[CMI_LADDER_MAX - 1];
	r = &b->l->rungs[b->l->n++];
	*r = (struct cmi_rung){
		.event = event,
		.text = text ? text : event,
		.frame = frame,
		.from = from,
		.to = to,
		.tone = CMI_SEVERITY_INFO,
	};
	snprintf(r->key, sizeof(r->key), "%s:%s", event, detail);
	return r;
}

static void value(struct cmi_rung *r, const char *text)
{
	snprintf(r->value, sizeof(r->value), "%s", text);
}

/* "host[:port]" and "/path..." of "http://host/path". */
static struct cmi_bytes authority_of(const char *url)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_bytes_of(url));
	struct cmi_bytes host = {0};

	if (!cmi_text_starts(cmi_cursor_rest(&c), "http://") ||
		!cmi_cursor_skip(&c, 7))
		return host;
	if (!cmi_cursor_until(&c, '/', &host))
		host = cmi_cursor_rest(&c);
	return host;
}

static struct cmi_bytes host_of(const char *url)
{
	struct cmi_bytes authority = authority_of(url), host;
	struct cmi_cursor c = cmi_cursor_of(authority);

	return cmi_cursor_until(&c, ':', &host) ? host : authority;
}

/* Does any of the focus's certificates name that URL, or that host? */
static bool chain_names(const struct builder *b, const char *url, bool host)
{
	const struct cmi_item_handshake *h = b->focus->tls.item;

	for (size_t i = 0; i < h->n_certs; i++) {
		const struct cmi_cert *c = h->certs[i].cert;

		for (size_t k = 0; c && k < c->n_aia_urls; k++) {
			if (host ? cmi_text_equal_nocase(
					   host_of(c->aia_urls[k]),
					   cmi_bytes_of(url))
				 : strcmp(c->aia_urls[k], url) == 0)
				return true;
		}
	}
	return false;
}

static bool is_issuer_request(
	const struct builder *b, const struct cmi_record *r)
{
	return r->kind == CMI_RECORD_HTTP && r->http.url &&
	       (r->http.asked_for_issuer || r->http.n_certs ||
		       chain_names(b, r->http.url, false));
}

static bool of_focus_client(const struct builder *b, const struct cmi_record *r)
{
	return cmi_endpoint_same_host(&r->client, &b->focus->client);
}

static bool is_issuer_host(const struct builder *b, const char *name)
{
	if (chain_names(b, name, true))
		return true;
	for (size_t i = 0; i < b->s->n; i++) {
		const struct cmi_record *r = &b->s->records[i];

		if (is_issuer_request(b, r) && of_focus_client(b, r) &&
			cmi_text_equal_nocase(
				host_of(r->http.url), cmi_bytes_of(name)))
			return true;
	}
	return false;
}

static void dns(struct builder *b, const struct cmi_record *r)
{
	bool server = same_name(b->focus->tls.item->sni, r->dns.name);
	bool resolved = r->dns.has_address;
	char name[CMI_PHRASE_NAME];
	const char *detail = server ? "server" : "issuer";
	struct cmi_rung *rung;

	if (!server && !is_issuer_host(b, r->dns.name))
		return;
	/* A and AAAA are two questions and one step. */
	for (size_t i = 0; i < b->l->n; i++) {
		rung = &b->l->rungs[i];
		if (strcmp(rung->event, "name") != 0 ||
			strcmp(rung->key + 5, detail) != 0)
			continue;
		if (resolved)
			value(rung, "found");
		return;
	}
	cmi_phrase_clip(name, r->dns.name);
	rung = add(b, "name", detail, r->dns.query_frame, CMI_ROLE_CLIENT,
		CMI_ROLE_NETWORK,
		cmi_phrase(b->arena, "looks up %s%s", name,
			resolved || r->dns.rcode <= 0 ? "" : ": no such name"));
	value(rung, resolved ? "found" : "none");
	rung->background = server;
}

static void answer(struct builder *b, const struct cmi_record *r)
{
	char cert[CMI_PHRASE_NAME], status[16];
	struct cmi_rung *rung;

	if (!r->http.response_frame) {
		rung = add(b, "answer", "issuer", r->http.request_frame,
			CMI_ROLE_ISSUERS, CMI_ROLE_CLIENT, "no answer");
		value(rung, "none");
		rung->tone = CMI_SEVERITY_ERROR;
		return;
	}
	snprintf(status, sizeof(status), "%u", r->http.status);
	rung = add(b, "answer", "issuer", r->http.response_frame,
		CMI_ROLE_ISSUERS, CMI_ROLE_CLIENT,
		r->http.n_certs
			? cmi_phrase(b->arena, "%u, with %s%s%s",
				  r->http.status,
				  r->http.n_certs > 1 ? "certificates: " : "",
				  cmi_phrase_clip(cert, r->http.cert),
				  r->http.n_certs > 1 ? " ..." : "")
			: cmi_phrase(b->arena, "%u, no certificate in it",
				  r->http.status));
	value(rung, r->http.n_certs ? "issuer" : status);
	rung->tone = r->http.n_certs ? CMI_SEVERITY_INFO : CMI_SEVERITY_ERROR;
}

/* Two requests on one connection opened it once. */
static bool has_rung(
	const struct cmi_ladder *l, const char *key, uint64_t frame)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->rungs[i].frame == frame &&
			strcmp(l->rungs[i].key, key) == 0)
			return true;
	return false;
}

static void http(struct builder *b, const struct cmi_record *r)
{
	char url[CMI_PHRASE_NAME];

	if (!is_issuer_request(b, r))
		return;
	if (!b->l->download ||
		(r->http.n_certs && !b->l->download->http.n_certs))
		b->l->download = r;
	cmi_phrase_clip(url, r->http.url);
	if (!has_rung(b->l, "connect:issuer", r->first_frame))
		add(b, "connect", "issuer", r->first_frame, CMI_ROLE_CLIENT,
			CMI_ROLE_ISSUERS,
			cmi_phrase(b->arena, "opens port %u for issuers",
				r->server.port));
	add(b, "request", "issuer", r->http.request_frame, CMI_ROLE_CLIENT,
		CMI_ROLE_ISSUERS,
		cmi_phrase(b->arena, "%s %s", r->http.method, url));
	answer(b, r);
}

static void dhcp(struct builder *b, const struct cmi_record *r)
{
	struct cmi_rung *rung;

	/* Offers and acknowledgements (RFC 2131): what the client is told. */
	if ((r->dhcp.type != 2 && r->dhcp.type != 5) ||
		(!r->dhcp.has43 && !r->dhcp.has120))
		return;
	for (size_t i = 0; i < b->l->n; i++)
		if (strcmp(b->l->rungs[i].event, "dhcp") == 0)
			return;
	rung = add(b, "dhcp", "options", r->dhcp.frame, CMI_ROLE_NETWORK,
		CMI_ROLE_CLIENT,
		r->dhcp.has43 ? "DHCP tells where to sign in (option 43)"
			      : "DHCP names the registrar (option 120)");
	rung->background = true;
}

static void tcp(struct builder *b, const struct cmi_record *r)
{
	struct cmi_rung *rung;
	bool server = cmi_endpoint_same_host(&r->server, &b->focus->server) &&
		      r->server.port == b->focus->server.port;

	if (r->tcp.answered && !r->tcp.refused)
		return;
	if (!server && r->server.port != 80)
		return;
	rung = add(b, "connect", server ? "server" : "issuer", r->tcp.frame,
		CMI_ROLE_CLIENT, server ? CMI_ROLE_SERVER : CMI_ROLE_ISSUERS,
		cmi_phrase(b->arena, "port %u %s", r->server.port,
			r->tcp.refused ? "is closed" : "does not answer"));
	value(rung, "closed");
	rung->tone = CMI_SEVERITY_ERROR;
}

/* The findings that are facts about the chain itself. */
static bool is_of_chain(enum cmi_finding_id id)
{
	switch ((int)id) {
	case CMI_F_MISSING_INTERMEDIATE:
	case CMI_F_UNTRUSTED_ROOT:
	case CMI_F_UNTRUSTED_ROOT_DOWNLOADED:
	case CMI_F_SELF_SIGNED_LEAF:
	case CMI_F_EXPIRED_LEAF:
	case CMI_F_EXPIRED_INTERMEDIATE:
	case CMI_F_EXPIRED_ROOT:
	case CMI_F_NOT_YET_VALID:
	case CMI_F_NAME_MISMATCH:
	case CMI_F_UNRELATED_CERTIFICATE:
	case CMI_F_MALFORMED_CERTIFICATE:
	case CMI_F_BAD_SIGNATURE:
	case CMI_F_NOT_A_CA:
		return true;
	default:
		return false;
	}
}

static void certificate(struct builder *b, const struct cmi_record *r)
{
	const struct cmi_item_handshake *h = r->tls.item;
	const struct cmi_tls_seen *t = h->c->tls;
	char name[CMI_PHRASE_NAME], last[CMI_PHRASE_NAME];
	const struct cmi_cert *first, *top;
	struct cmi_rung *rung;
	uint64_t chain = 0;

	if (!t->has_certificate && h->n_certs == 0)
		return;
	first = h->n_certs ? h->certs[0].cert : NULL;
	top = h->n_certs ? h->certs[h->n_certs - 1].cert : NULL;
	rung = add(b, "certificate", "server", t->certificate_frame,
		CMI_ROLE_SERVER, CMI_ROLE_CLIENT,
		cmi_phrase(b->arena, "sends %s: %s%s%s",
			cmi_phrase_count(b->arena, h->n_certs, "certificate",
				"certificates"),
			first ? cmi_phrase_cert(name, first) : "(none)",
			h->n_certs > 1 && top ? " ... " : "",
			h->n_certs > 1 && top ? cmi_phrase_cert(last, top)
					      : ""));
	for (size_t i = 0; i < h->n_findings; i++)
		if (is_of_chain(h->findings[i].id))
			chain |=
				UINT64_C(1)
				<< (h->findings[i].id == CMI_F_UNTRUSTED_ROOT_DOWNLOADED
						   ? CMI_F_UNTRUSTED_ROOT
						   : h->findings[i].id);
	snprintf(rung->value, sizeof(rung->value), "%zu;%llx", h->n_certs,
		(unsigned long long)chain);
}

static void client_certificate(struct builder *b, const struct cmi_record *r)
{
	const struct cmi_tls_seen *t = r->tls.item->c->tls;
	struct cmi_rung *rung;

	if (!t->client_cert_requested)
		return;
	rung = add(b, "client-certificate", "",
		t->n_client_certs ? t->client_certs[0].frame
				  : t->client_finished_frame,
		CMI_ROLE_CLIENT, CMI_ROLE_SERVER,
		t->n_client_certs ? "sends the certificate it was asked for"
				  : "is asked for a certificate and has none");
	value(rung, t->n_client_certs ? "sent" : "none");
}

static void alerts(struct builder *b, const struct cmi_record *r)
{
	const struct cmi_tls_seen *t = r->tls.item->c->tls;

	for (size_t i = 0; i < t->n_alerts; i++) {
		const struct cmi_seen_alert *a = &t->alerts[i];
		const char *name = cmi_tls_alert_name(a->code);
		bool client = a->from == CMI_CLIENT;
		struct cmi_rung *rung;

		if (a->code == 0 || r->tls.used)
			continue;
		rung = add(b, "alert", client ? "client" : "server", a->frame,
			client ? CMI_ROLE_CLIENT : CMI_ROLE_SERVER,
			client ? CMI_ROLE_SERVER : CMI_ROLE_CLIENT,
			cmi_phrase(b->arena, "alert %s (%u)",
				name ? name : "of an unknown kind", a->code));
		value(rung, name ? name : "");
		rung->tone = CMI_SEVERITY_ERROR;
	}
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void ending(struct builder *b, const struct cmi_record *r)
{
	const struct cmi_conversation *c = r->tls.item->c;
	const struct cmi_tls_seen *t = c->tls;
	bool finished = (t->client_finished && t->server_finished) ||
			(r->tls.item->outcome == CMI_DARK &&
				t->dark_finished[CMI_CLIENT]);
	uint64_t done = larger(t->client_finished_frame,
		larger(t->server_finished_frame,
			t->dark_finished_frame[CMI_CLIENT]));
	struct cmi_rung *rung;

	if (t->dark_alert_likely && !r->tls.used &&
		t->dark_alert_from == CMI_CLIENT) {
		rung = add(b, "alert", "client", t->dark_alert_frame,
			CMI_ROLE_CLIENT, CMI_ROLE_SERVER,
			c->transport == CMI_QUIC
				? "falls silent behind the certificate"
				: "an encrypted record of the size of an "
				  "alert");
		rung->tone = CMI_SEVERITY_ERROR;
	}
	if (finished || r->tls.used)
		add(b, "finished", "", done, CMI_ROLE_CLIENT, CMI_ROLE_SERVER,
			"the handshake is done");
	if (r->tls.used) {
		add(b, "data", "", done, CMI_ROLE_CLIENT, CMI_ROLE_SERVER,
			"application data");
		return;
	}
	for (int side = 0; side < 2; side++) {
		if (c->closed[side] == CMI_CLOSE_NONE)
			continue;
		rung = add(b, "close", side ? "server" : "client",
			c->closed_frame[side],
			side ? CMI_ROLE_SERVER : CMI_ROLE_CLIENT,
			side ? CMI_ROLE_CLIENT : CMI_ROLE_SERVER,
			finished ? "closes without having sent any data"
				 : "closes");
		rung->tone = CMI_SEVERITY_WARNING;
	}
}

static void focus(struct builder *b, const struct cmi_record *r)
{
	const struct cmi_item_handshake *h = r->tls.item;
	const struct cmi_tls_seen *t = h->c->tls;
	const char *version = cmi_tls_version_name(t->version);
	const char *cipher = cmi_tls_cipher_name(t->cipher);
	char host[CMI_PHRASE_NAME], at[CMI_ENDPOINT_TEXT];
	struct cmi_rung *rung;

	cmi_endpoint_text(at, &r->server);
	cmi_phrase_clip(host, h->sni ? h->sni : at);
	add(b, "connect", "server", r->first_frame, CMI_ROLE_CLIENT,
		CMI_ROLE_SERVER,
		cmi_phrase(
			b->arena, "opens port %u of %s", r->server.port, host));
	if (t->has_client_hello)
		add(b, "client-hello", "", t->client_hello_frame,
			CMI_ROLE_CLIENT, CMI_ROLE_SERVER,
			cmi_phrase(b->arena, "ClientHello%s%s",
				h->sni ? " for " : "", h->sni ? host : ""));
	if (t->has_server_hello) {
		rung = add(b, "server-hello", "", t->server_hello_frame,
			CMI_ROLE_SERVER, CMI_ROLE_CLIENT,
			cmi_phrase(b->arena, "ServerHello: %s, %s",
				version ? version : "unknown version",
				cipher ? cipher : "unknown cipher"));
		rung->background = true;
	}
	certificate(b, r);
	client_certificate(b, r);
	alerts(b, r);
	ending(b, r);
}

/* What the client did next once it was in. */
static void then(struct builder *b, const struct cmi_record *r)
{
	const struct cmi_item_handshake *h = r->tls.item;
	char host[CMI_PHRASE_NAME], at[CMI_ENDPOINT_TEXT], port[8];
	struct cmi_rung *rung;

	if (r->start_us < b->focus->start_us ||
		r->start_us > b->focus->start_us + THEN_US ||
		b->then == THEN_MAX)
		return;
	b->then++;
	cmi_endpoint_text(at, &r->server);
	snprintf(port, sizeof(port), "%u", r->server.port);
	rung = add(b, "then", port, r->first_frame, CMI_ROLE_CLIENT,
		CMI_ROLE_SERVER,
		cmi_phrase(b->arena, "then TLS to %s port %s: %s",
			cmi_phrase_clip(host, h->sni ? h->sni : at), port,
			r->tls.used ? "used" : cmi_outcome_name(h->outcome)));
	rung->background = true;
}

static int by_frame(const void *a, const void *b)
{
	const struct cmi_rung *x = a, *y = b;

	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* A record that happened in time to matter for the focus. */
static bool in_time(const struct builder *b, const struct cmi_record *r)
{
	const struct cmi_conversation *c = b->focus->tls.item->c;

	return r->start_us <= c->end_us;
}

/* A stable sort: rungs of one frame stay in the order they were made. */
static void sort(struct cmi_ladder *l)
{
	for (size_t i = 1; i < l->n; i++) {
		struct cmi_rung r = l->rungs[i];
		size_t k = i;

		while (k > 0 && by_frame(&l->rungs[k - 1], &r) > 0) {
			l->rungs[k] = l->rungs[k - 1];
			k--;
		}
		l->rungs[k] = r;
	}
}

/* A rung without a frame of its own belongs right behind the one before. */
static void lend_frames(struct cmi_ladder *l, size_t from)
{
	for (size_t i = from + 1; i < l->n; i++)
		if (l->rungs[i].frame < l->rungs[i - 1].frame)
			l->rungs[i].frame = l->rungs[i - 1].frame;
}

static void one_record(struct builder *b, const struct cmi_record *r)
{
	size_t from = b->l->n;

	if (r->kind == CMI_RECORD_DHCP) {
		dhcp(b, r);
		return;
	}
	if (!of_focus_client(b, r))
		return;
	switch (r->kind) {
	case CMI_RECORD_TLS:
		if (r == b->focus) {
			focus(b, r);
			lend_frames(b->l, from);
		} else {
			then(b, r);
		}
		break;
	case CMI_RECORD_HTTP:
		if (in_time(b, r))
			http(b, r);
		break;
	case CMI_RECORD_DNS:
		if (in_time(b, r))
			dns(b, r);
		break;
	case CMI_RECORD_TCP:
		if (in_time(b, r))
			tcp(b, r);
		break;
	case CMI_RECORD_DHCP:
		break;
	}
}

void cmi_ladder_build(struct cmi_ladder *l, const struct cmi_story *s,
	const struct cmi_record *focus_record, struct cmi_arena *arena)
{
	struct builder b = {
		.l = l, .arena = arena, .s = s, .focus = focus_record};

	l->story = s;
	l->focus = focus_record;
	l->n = 0;
	l->download = NULL;
	if (!focus_record)
		return;
	/* The focus first: no ceiling may leave it out. */
	one_record(&b, focus_record);
	for (size_t i = 0; i < s->n; i++)
		if (&s->records[i] != focus_record)
			one_record(&b, &s->records[i]);
	sort(l);
}
