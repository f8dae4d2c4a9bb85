/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/story.h"

#include <string.h>

#include "explain/behaviour.h"
#include "explain/phrase.h"

/* Memory for one capture's records. */
#define STORY_ARENA_MAX ((size_t)64 << 20)

static const char *copy(struct cmi_story *s, const char *text)
{
	return text ? cmi_arena_strndup(&s->arena, text, strlen(text)) : NULL;
}

static cmend_status new_record(struct cmi_story *s, enum cmi_record_kind kind,
	const struct cmi_conversation *c, struct cmi_record **out,
	cmend_error *err)
{
	struct cmi_record *r;

	*out = NULL;
	if (s->n == CMI_STORY_RECORDS_MAX) {
		s->left_out++;
		return CMEND_OK;
	}
	CMI_TRY(CMI_GROW(
		&s->records, &s->cap, s->n + 1, CMI_STORY_RECORDS_MAX, err));
	if (!s->name && c->capture)
		s->name = copy(s, c->capture);
	r = &s->records[s->n++];
	*r = (struct cmi_record){
		.kind = kind,
		.client = c->client,
		.server = c->server,
		.start_us = c->start_us,
		.first_frame = c->first_frame,
		.last_frame = c->last_frame,
	};
	*out = r;
	return CMEND_OK;
}

/* Room for n in the arena; none for none. */
static cmend_status room(
	struct cmi_story *s, size_t n, size_t size, void *out, cmend_error *err)
{
	void **to = out;

	*to = n ? cmi_arena_alloc(&s->arena, n * size) : NULL;
	return n && !*to ? cmi_nomem(err) : CMEND_OK;
}

static cmend_status copy_certs(struct cmi_story *s,
	const struct cmi_item_cert *from, size_t n,
	const struct cmi_item_cert **out, cmend_error *err)
{
	struct cmi_item_cert *to;

	*out = NULL;
	CMI_TRY(room(s, n, sizeof(*to), &to, err));
	for (size_t i = 0; i < n; i++) {
		to[i] = from[i];
		if (from[i].cert) {
			CMI_TRY(cmi_cert_list_add(&s->certs,
				(struct cmi_cert *)from[i].cert, err));
			to[i].der = from[i].cert->der;
		} else {
			to[i].der = (struct cmi_bytes){0};
		}
	}
	*out = to;
	return CMEND_OK;
}

static cmend_status copy_findings(struct cmi_story *s,
	const struct cmi_finding *from, size_t n,
	const struct cmi_finding **out, cmend_error *err)
{
	struct cmi_finding *to;

	*out = NULL;
	CMI_TRY(room(s, n, sizeof(*to), &to, err));
	for (size_t i = 0; i < n; i++) {
		to[i] = from[i];
		to[i].subject = copy(s, from[i].subject);
		to[i].says = copy(s, from[i].says);
		to[i].remedy = copy(s, from[i].remedy);
	}
	*out = to;
	return CMEND_OK;
}

static cmend_status copy_path(struct cmi_story *s, const struct cmi_path *from,
	const struct cmi_path **out, cmend_error *err)
{
	struct cmi_path *to;

	*out = NULL;
	if (!from)
		return CMEND_OK;
	to = cmi_arena_alloc(&s->arena, sizeof(*to));
	if (!to)
		return cmi_nomem(err);
	*to = *from;
	for (size_t i = 0; i < to->n; i++)
		CMI_TRY(cmi_cert_list_add(&s->certs, to->certs[i], err));
	*out = to;
	return CMEND_OK;
}

/* The conversation without the views that die with the call. */
static cmend_status copy_conversation(struct cmi_story *s,
	const struct cmi_conversation *from,
	const struct cmi_conversation **out, cmend_error *err)
{
	struct cmi_conversation *c = cmi_arena_alloc(&s->arena, sizeof(*c));
	struct cmi_tls_seen *t = cmi_arena_alloc(&s->arena, sizeof(*t));

	if (!c || !t)
		return cmi_nomem(err);
	*c = *from;
	*t = *from->tls;
	c->tls = t;
	c->capture = s->name;
	t->sni = t->alpn = (struct cmi_bytes){0};
	t->client_ciphers = t->client_groups = t->client_sigalgs = NULL;
	t->n_client_ciphers = t->n_client_groups = t->n_client_sigalgs = 0;
	for (size_t i = 0; i < t->n_certs; i++)
		t->certs[i].der = (struct cmi_bytes){0};
	for (size_t i = 0; i < t->n_client_certs; i++)
		t->client_certs[i].der = (struct cmi_bytes){0};
	*out = c;
	return CMEND_OK;
}

static cmend_status keep_handshake(struct cmi_story *s,
	const struct cmi_item_handshake *from, cmend_error *err)
{
	struct cmi_item_handshake *to;
	struct cmi_record *r;

	CMI_TRY(new_record(s, CMI_RECORD_TLS, from->c, &r, err));
	if (!r)
		return CMEND_OK;
	to = cmi_arena_alloc(&s->arena, sizeof(*to));
	if (!to)
		return cmi_nomem(err);
	*to = *from;
	to->profiles = NULL;
	to->n_profiles = 0;
	to->sni = copy(s, from->sni);
	CMI_TRY(copy_conversation(s, from->c, &to->c, err));
	CMI_TRY(copy_certs(s, from->certs, from->n_certs, &to->certs, err));
	CMI_TRY(copy_certs(s, from->client_certs, from->n_client_certs,
		&to->client_certs, err));
	CMI_TRY(copy_findings(
		s, from->findings, from->n_findings, &to->findings, err));
	CMI_TRY(copy_path(s, from->path, &to->path, err));
	r->tls.item = to;
	r->tls.used = cmi_behaviour_of(to->c).ending == CMI_END_USED;
	return CMEND_OK;
}

static cmend_status keep_http(
	struct cmi_story *s, const struct cmi_item_http *h, cmend_error *err)
{
	const struct cmi_http_seen *seen = h->c->http;
	char name[CMI_PHRASE_NAME];
	struct cmi_record *r;

	CMI_TRY(new_record(s, CMI_RECORD_HTTP, h->c, &r, err));
	if (!r)
		return CMEND_OK;
	r->http.method = copy(s, h->method);
	r->http.url = copy(s, h->url);
	if (h->n_certs)
		r->http.cert = copy(s, cmi_phrase_cert(name, h->certs[0]));
	r->http.n_certs = h->n_certs;
	r->http.status = seen->status;
	r->http.carries = h->carries;
	r->http.asked_for_issuer = h->asked_for_issuer;
	r->http.chain_address = h->chain_address;
	r->http.request_frame = seen->request_frame;
	r->http.response_frame = seen->response_frame;
	return CMEND_OK;
}

static cmend_status keep_dns(
	struct cmi_story *s, const struct cmi_item_dns *d, cmend_error *err)
{
	const struct cmi_dns_seen *seen = d->c->dns;
	struct cmi_record *r;

	CMI_TRY(new_record(s, CMI_RECORD_DNS, d->c, &r, err));
	if (!r)
		return CMEND_OK;
	r->dns.name = copy(s, d->name ? d->name : "");
	r->dns.rcode = seen->rcode;
	r->dns.has_address = seen->n_addrs > 0;
	if (seen->n_addrs)
		r->dns.first = seen->addrs[0];
	r->dns.query_frame = seen->query_frame;
	r->dns.answer_frame = seen->answer_frame;
	return CMEND_OK;
}

static cmend_status keep_dhcp(
	struct cmi_story *s, const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_record *r;

	CMI_TRY(new_record(s, CMI_RECORD_DHCP, c, &r, err));
	if (!r)
		return CMEND_OK;
	r->dhcp.type = c->dhcp->message_type;
	r->dhcp.has43 = c->dhcp->has43;
	r->dhcp.has120 = c->dhcp->has120;
	r->dhcp.frame = c->dhcp->frame;
	return CMEND_OK;
}

static cmend_status keep_tcp(
	struct cmi_story *s, const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_record *r;

	CMI_TRY(new_record(s, CMI_RECORD_TCP, c, &r, err));
	if (!r)
		return CMEND_OK;
	r->tcp.refused = c->tcp->refused;
	r->tcp.answered = c->tcp->syn_ack;
	r->tcp.frame = c->tcp->syn_frame;
	return CMEND_OK;
}

static cmend_status keep_told(
	struct cmi_story *s, const struct cmi_item_told *t, cmend_error *err)
{
	struct cmi_record_told *r;

	if (s->n_told == CMI_STORY_TOLD_MAX)
		return CMEND_OK;
	CMI_TRY(CMI_GROW(&s->told, &s->told_cap, s->n_told + 1,
		CMI_STORY_TOLD_MAX, err));
	if (!s->name && t->c->capture)
		s->name = copy(s, t->c->capture);
	r = &s->told[s->n_told];
	*r = (struct cmi_record_told){
		.step = copy(s, t->step),
		.result = copy(s, t->result),
		.says = copy(s, t->says),
		.finding = t->c->told->finding,
		.frame = t->c->told->frame,
	};
	if (!r->step || !r->result || !r->says)
		return cmi_nomem(err);
	s->n_told++;
	return CMEND_OK;
}

static cmend_status take(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct cmi_story *s = ctx;

	switch (item->kind) {
	case CMI_ITEM_HANDSHAKE:
		return keep_handshake(s, item->handshake, err);
	case CMI_ITEM_HTTP:
		return keep_http(s, item->http, err);
	case CMI_ITEM_DNS:
		return keep_dns(s, item->dns, err);
	case CMI_ITEM_DHCP:
		return keep_dhcp(s, item->other->c, err);
	case CMI_ITEM_TCP:
		return keep_tcp(s, item->other->c, err);
	case CMI_ITEM_TOLD:
		return keep_told(s, item->told, err);
	case CMI_ITEM_STEP:
	case CMI_ITEM_DIVERGENCE:
	case CMI_ITEM_ENDPOINT:
	case CMI_ITEM_SUMMARY:
		break;
	}
	return CMEND_OK;
}

cmend_status cmi_story_init(struct cmi_story *s,
	const struct cmi_diagnose_options *options, cmend_error *err)
{
	struct cmi_diagnose_options mine = *options;

	*s = (struct cmi_story){0};
	cmi_arena_init(&s->arena, STORY_ARENA_MAX);
	mine.all = true;
	mine.sink = (struct cmi_item_sink){.take = take, .ctx = s};
	return cmi_diagnose_new(&mine, &s->diagnose, err);
}

void cmi_story_dispose(struct cmi_story *s)
{
	cmi_diagnose_free(s->diagnose);
	cmi_cert_list_dispose(&s->certs);
	cmi_free(s->records);
	cmi_free(s->told);
	cmi_arena_dispose(&s->arena);
}
