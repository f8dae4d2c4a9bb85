/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/diagnose.h"

#include <string.h>

#include "core/text.h"
#include "explain/evidence.h"
#include "explain/phrase.h"
#include "x509/trust.h"

/* 512 chains judged and kept, some sixteen kilobytes each. */
#define CHAIN_SETS 64
/* Failed handshakes that wait for later evidence. */
#define WAITING_MAX 64

/* One chain judged for one kind of client; counted. */
struct chain {
	unsigned refs;
	struct cmi_cert *certs[CMI_SENT_CERTS_MAX]; /* NULL: malformed */
	size_t n;
	const struct cmi_diagnose_client *client; /* NULL: the plain one */
	char host[CMI_NAME_MAX + 1];
	struct cmi_judgement judged;
	/* Refused for want of an issuer: its name, and how many certificates
	 * by that name were known then. */
	uint64_t wanted_hash;
	size_t wanted_known;
};

/* One handshake with what was found out of it; counted references. */
struct known {
	struct cmi_conversation c;
	struct chain *chain; /* or NULL */
	struct cmi_cert *certs[CMI_SENT_CERTS_MAX];
	struct cmi_cert *client_certs[CMI_SENT_CERTS_MAX];
};

/* One that failed, kept with what its record borrowed. */
struct waiting {
	struct known k;
	struct cmi_tls_seen tls;
	struct cmi_buf sni;
};

struct cmi_diagnose {
	struct cmi_diagnose_options o;
	struct cmi_intern intern;
	struct cmi_ways chains;
	struct cmi_neighbours *neighbours;
	struct waiting *waiting; /* a ring of WAITING_MAX */
	size_t first, n_waiting;
	struct cmi_buf text; /* the present item's safe texts */
	struct cmi_diagnose_counts counts;
};

static void chain_unref(struct chain *chain)
{
	if (!chain || --chain->refs)
		return;
	for (size_t i = 0; i < chain->n; i++)
		cmi_cert_unref(chain->certs[i]);
	cmi_judgement_dispose(&chain->judged);
	cmi_free(chain);
}

static void drop_chain(void *value)
{
	chain_unref(value);
}

static void known_dispose(struct known *k)
{
	for (size_t i = 0; i < CMI_SENT_CERTS_MAX; i++) {
		cmi_cert_unref(k->certs[i]);
		cmi_cert_unref(k->client_certs[i]);
	}
	chain_unref(k->chain);
}

static void waiting_clear(struct waiting *w)
{
	known_dispose(&w->k);
	cmi_buf_dispose(&w->sni);
	*w = (struct waiting){0};
}

cmend_status cmi_diagnose_new(const struct cmi_diagnose_options *options,
	struct cmi_diagnose **out, cmend_error *err)
{
	struct cmi_diagnose *d;
	cmend_status status;

	if (options->n_clients > CMI_DIAGNOSE_CLIENTS_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"more than %d kinds of client",
			CMI_DIAGNOSE_CLIENTS_MAX);
	d = cmi_alloc(sizeof(*d));
	if (!d)
		return cmi_nomem(err);
	d->o = *options;
	cmi_buf_init(&d->text, CMI_ALLOC_MAX);
	d->neighbours = cmi_alloc(sizeof(*d->neighbours));
	d->waiting = cmi_alloc_array(WAITING_MAX, sizeof(*d->waiting));
	status = d->neighbours && d->waiting ? CMEND_OK : cmi_nomem(err);
	if (status == CMEND_OK)
		status = cmi_intern_init(&d->intern, err);
	if (status == CMEND_OK)
		status = cmi_ways_init(&d->chains, CHAIN_SETS, drop_chain, err);
	if (status != CMEND_OK) {
		cmi_diagnose_free(d);
		return status;
	}
	*out = d;
	return CMEND_OK;
}

void cmi_diagnose_free(struct cmi_diagnose *d)
{
	if (!d)
		return;
	for (size_t i = 0; d->waiting && i < WAITING_MAX; i++)
		waiting_clear(&d->waiting[i]);
	cmi_free(d->waiting);
	if (d->neighbours)
		cmi_neighbours_dispose(d->neighbours);
	cmi_free(d->neighbours);
	cmi_ways_dispose(&d->chains);
	cmi_intern_dispose(&d->intern);
	cmi_buf_dispose(&d->text);
	cmi_free(d);
}

struct cmi_diagnose_counts cmi_diagnose_counts(const struct cmi_diagnose *d)
{
	struct cmi_diagnose_counts counts = d->counts;

	counts.distinct_certs = d->intern.parsed;
	return counts;
}

const struct cmi_source *cmi_diagnose_seen(const struct cmi_diagnose *d)
{
	return &d->intern.source;
}

bool cmi_in_net(const struct cmi_endpoint *e, const struct cmi_endpoint *net,
	uint8_t prefix_len)
{
	unsigned whole = prefix_len / 8, rest = prefix_len % 8;

	if (net->family == 0)
		return true;
	if (e->family != net->family)
		return false;
	if (memcmp(e->addr, net->addr, whole) != 0)
		return false;
	return rest == 0 ||
	       ((e->addr[whole] ^ net->addr[whole]) >> (8 - rest)) == 0;
}

/* The kind of client whose network this one is in; NULL: the plain one. */
static const struct cmi_diagnose_client *kind_of(
	const struct cmi_diagnose *d, const struct cmi_endpoint *client)
{
	for (size_t i = 0; i < d->o.n_clients; i++)
		if (d->o.clients[i].net.family != 0 &&
			cmi_in_net(client, &d->o.clients[i].net,
				d->o.clients[i].prefix_len))
			return &d->o.clients[i];
	return NULL;
}

/* Before this no packet was captured: simple packet blocks have no time, and
 * some tools write zero. */
#define FIRST_CAPTURE_S ((int64_t)315532800) /* 1980 */

/* The time to judge at: as told, the packet's, or - where packets have none -
 * now, moved into the leaf's validity so that only the chain matters. */
static int64_t time_of(const struct cmi_diagnose *d,
	const struct cmi_conversation *c, const struct cmi_cert *leaf)
{
	int64_t at_s = c->start_us / 1000000;

	if (d->o.has_at)
		return d->o.at_s;
	if (at_s >= FIRST_CAPTURE_S)
		return at_s;
	at_s = cmi_now_us(d->o.env) / 1000000;
	if (leaf && at_s > leaf->not_after_s)
		return leaf->not_after_s;
	if (leaf && at_s < leaf->not_before_s)
		return leaf->not_before_s;
	return at_s;
}

struct question {
	struct cmi_cert *const *certs;
	size_t n;
	const struct cmi_diagnose_client *client;
	const char *host; /* "" for none */
	int64_t at_s;
};

static bool same_chain(const void *ctx, const void *value)
{
	const struct question *q = ctx;
	const struct chain *chain = value;

	return chain->n == q->n && chain->client == q->client &&
	       memcmp(chain->certs, q->certs, q->n * sizeof(*q->certs)) == 0 &&
	       strcmp(chain->host, q->host) == 0 &&
	       q->at_s >= chain->judged.holds_from_s &&
	       q->at_s <= chain->judged.holds_to_s;
}

static uint64_t question_hash(const struct question *q)
{
	uint64_t h = cmi_ways_hash(
		(uintptr_t)q->client, q->certs, q->n * sizeof(*q->certs));

	return cmi_ways_hash(h, q->host, strlen(q->host));
}

static struct cmi_judge_request request_for(
	const struct cmi_diagnose *d, const struct chain *chain, int64_t at_s)
{
	const struct cmi_diagnose_client *client = chain->client;

	return (struct cmi_judge_request){
		.sent = chain->certs,
		.n_sent = chain->n,
		.trust = client ? client->trust : d->o.trust,
		.at_s = at_s,
		.host = chain->host[0] ? chain->host : NULL,
		.security_level = client ? client->security_level : -1,
		.policy = client ? client->policy : d->o.policy,
		.no_wildcards = client && client->no_wildcards,
		.subject_names = client && client->subject_names,
		.reorder_off = client && client->reorder_off,
		.env = d->o.env,
	};
}

static cmend_status judge(struct cmi_diagnose *d, int64_t at_s,
	struct chain *chain, cmend_error *err)
{
	const struct cmi_source *known[4] = {&d->intern.source};
	struct cmi_judge_request r = request_for(d, chain, at_s);
	const struct cmi_cert *about;

	r.known = known;
	r.n_known = 1;
	for (size_t i = 0; i < d->o.n_known && r.n_known < 4; i++)
		known[r.n_known++] = d->o.known[i];
	d->counts.distinct_chains++;
	CMI_TRY(cmi_judge(&r, &chain->judged, err));
	about = chain->judged.result.about;
	if (chain->judged.verdict == CMI_F_MISSING_INTERMEDIATE && about) {
		chain->wanted_hash = about->issuer_hash;
		chain->wanted_known =
			cmi_intern_known(&d->intern, about->issuer_hash);
	}
	return CMEND_OK;
}

static cmend_status chain_new(struct cmi_diagnose *d, const struct question *q,
	struct chain **out, cmend_error *err)
{
	struct chain *chain = cmi_alloc(sizeof(*chain));
	cmend_status status;

	if (!chain)
		return cmi_nomem(err);
	chain->refs = 1;
	chain->client = q->client;
	chain->n = q->n;
	for (size_t i = 0; i < q->n; i++)
		chain->certs[i] = cmi_cert_ref(q->certs[i]);
	memcpy(chain->host, q->host, strlen(q->host));
	status = judge(d, q->at_s, chain, err);
	if (status != CMEND_OK) {
		chain_unref(chain);
		return status;
	}
	*out = chain;
	return CMEND_OK;
}

/* The chain's judgement, from the cache if it still says all we know.
 * *out is a reference. */
static cmend_status chain_of(struct cmi_diagnose *d, const struct question *q,
	struct chain **out, cmend_error *err)
{
	uint64_t hash = question_hash(q);
	struct chain *chain = cmi_ways_get(&d->chains, hash, same_chain, q);

	if (chain && chain->wanted_hash &&
		cmi_intern_known(&d->intern, chain->wanted_hash) !=
			chain->wanted_known) {
		/* Its missing issuer has been seen meanwhile. */
		cmi_judgement_dispose(&chain->judged);
		chain->wanted_hash = 0;
		CMI_TRY(judge(d, q->at_s, chain, err));
	}
	if (!chain) {
		CMI_TRY(chain_new(d, q, &chain, err));
		cmi_ways_put(&d->chains, hash, chain);
	}
	chain->refs++;
	*out = chain;
	return CMEND_OK;
}

/* The name the client asked for, if it can be a name at all. */
static bool host_of(const struct cmi_tls_seen *t, char out[CMI_NAME_MAX + 1])
{
	out[0] = '\0';
	if (t->sni.n == 0 || t->sni.n > CMI_NAME_MAX ||
		memchr(t->sni.p, '\0', t->sni.n))
		return false;
	memcpy(out, t->sni.p, t->sni.n);
	out[t->sni.n] = '\0';
	return true;
}

static cmend_status intern_all(struct cmi_diagnose *d,
	const struct cmi_seen_cert *seen, size_t n, struct cmi_cert **out,
	cmend_error *err)
{
	for (size_t i = 0; i < n; i++)
		CMI_TRY(cmi_intern_der(&d->intern, seen[i].der, &out[i], err));
	return CMEND_OK;
}

static void fill_certs(struct cmi_item_cert *out,
	const struct cmi_seen_cert *seen, struct cmi_cert *const *certs,
	size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct cmi_item_cert){
			.cert = certs[i],
			.der = certs[i] ? certs[i]->der : seen[i].der,
			.frame = seen[i].frame,
		};
}

static const char *safe(struct cmi_diagnose *d, struct cmi_bytes text)
{
	if (text.n == 0)
		return NULL;
	cmi_buf_clear(&d->text);
	d->text.failed = CMEND_OK;
	cmi_safe_text(&d->text, text);
	return cmi_buf_cstr(&d->text);
}

/* The other kinds of client, each with its own answer. */
static cmend_status judge_profiles(struct cmi_diagnose *d,
	const struct known *k, struct cmi_item_profile *out, size_t *n,
	cmend_error *err)
{
	for (size_t i = 0; i < d->o.n_clients && k->chain; i++) {
		const struct cmi_diagnose_client *client = &d->o.clients[i];
		struct question q = {k->chain->certs, k->chain->n, client,
			k->chain->host, time_of(d, &k->c, k->chain->certs[0])};
		struct chain *chain = NULL;

		if (client->net.family != 0 &&
			!cmi_in_net(
				&k->c.client, &client->net, client->prefix_len))
			continue;
		CMI_TRY(chain_of(d, &q, &chain, err));
		out[(*n)++] = (struct cmi_item_profile){
			.profile = client->name,
			.accepts = chain->judged.accepted,
			.why = chain->judged.verdict,
		};
		chain_unref(chain);
	}
	return CMEND_OK;
}

static void count(struct cmi_diagnose *d, const struct cmi_meaning *m)
{
	d->counts.handshakes++;
	d->counts.failed += m->outcome == CMI_FAILED;
	d->counts.dark += m->outcome == CMI_DARK;
	d->counts.cut += m->outcome == CMI_CUT;
}

/* Could this client accept the chain with what it downloaded? */
static cmend_status judge_helped(struct cmi_diagnose *d, const struct known *k,
	bool *helped, cmend_error *err)
{
	struct cmi_downloaded mine;
	const struct cmi_source *sources[] = {&mine.source};
	const struct chain *chain = k->chain;
	struct cmi_judgement j = {0};
	struct cmi_judge_request r;
	cmend_status status;

	*helped = false;
	if (!chain || chain->judged.accepted ||
		!cmi_evidence_fetched(&k->c, &chain->judged, d->neighbours))
		return CMEND_OK;
	cmi_downloaded_init(&mine, d->neighbours, &k->c.client);
	r = request_for(d, chain, time_of(d, &k->c, chain->certs[0]));
	r.sources = sources;
	r.n_sources = CMI_LEN(sources);
	status = cmi_judge(&r, &j, err);
	*helped = status == CMEND_OK && j.accepted;
	cmi_judgement_dispose(&j);
	return status;
}

static bool is_worth_saying(
	const struct cmi_diagnose *d, const struct cmi_meaning *m)
{
	return d->o.all || m->outcome == CMI_FAILED || m->verdict != CMI_F_NONE;
}

/* Everything is known: add the neighbours' evidence and hand it on. */
static cmend_status finish(struct cmi_diagnose *d, struct known *k,
	struct cmi_meaning *m, cmend_error *err)
{
	struct cmi_item_cert certs[CMI_SENT_CERTS_MAX];
	struct cmi_item_cert client_certs[CMI_SENT_CERTS_MAX];
	struct cmi_item_profile profiles[CMI_DIAGNOSE_CLIENTS_MAX];
	const struct cmi_tls_seen *t = k->c.tls;
	struct cmi_item_handshake h = {.c = &k->c};
	struct cmi_item item = {.kind = CMI_ITEM_HANDSHAKE, .handshake = &h};

	cmi_evidence_add(m, d->neighbours);
	count(d, m);
	if (!is_worth_saying(d, m))
		return CMEND_OK;
	CMI_TRY(judge_profiles(d, k, profiles, &h.n_profiles, err));
	fill_certs(certs, t->certs, k->certs, t->n_certs);
	fill_certs(client_certs, t->client_certs, k->client_certs,
		t->n_client_certs);
	h.outcome = m->outcome;
	h.sni = safe(d, t->sni);
	CMI_TRY(cmi_buf_status(&d->text, err));
	h.certs = certs;
	h.n_certs = t->n_certs;
	h.client_certs = client_certs;
	h.n_client_certs = t->n_client_certs;
	h.verdict = m->verdict;
	h.blame = m->blame;
	h.findings = m->findings;
	h.n_findings = m->n_findings;
	h.profiles = profiles;
	if (k->chain) {
		const struct cmi_judgement *j = &k->chain->judged;

		h.path = j->repairable ? &j->repair.path : &j->result.path;
		h.path_has_anchor = j->repairable || j->result.path_has_anchor;
	}
	return d->o.sink.take(d->o.sink.ctx, &item, err);
}

static cmend_status finish_oldest(struct cmi_diagnose *d, cmend_error *err)
{
	struct waiting *w = &d->waiting[d->first];
	struct known *k = &w->k;
	struct cmi_meaning m;
	cmend_status status;
	bool helped;

	d->first = (d->first + 1) % WAITING_MAX;
	d->n_waiting--;
	status = judge_helped(d, k, &helped, err);
	if (status == CMEND_OK) {
		cmi_meaning_init(
			&m, &k->c, k->chain ? &k->chain->judged : NULL, helped);
		status = finish(d, k, &m, err);
		cmi_meaning_dispose(&m);
	}
	waiting_clear(w);
	return status;
}

/* Copy what the record borrows; what nobody asks for later is dropped. */
static cmend_status keep(
	struct cmi_diagnose *d, struct known *now, cmend_error *err)
{
	struct waiting *w;

	if (d->n_waiting == WAITING_MAX)
		CMI_TRY(finish_oldest(d, err));
	w = &d->waiting[(d->first + d->n_waiting) % WAITING_MAX];
	w->k = *now;
	*now = (struct known){0};
	w->tls = *w->k.c.tls;
	w->k.c.tls = &w->tls;
	cmi_buf_init(&w->sni, CMI_HANDSHAKE_MAX);
	cmi_buf_add_bytes(&w->sni, w->tls.sni);
	w->tls.sni = cmi_buf_view(&w->sni);
	w->tls.client_ciphers = w->tls.client_groups = NULL;
	w->tls.client_sigalgs = NULL;
	w->tls.n_client_ciphers = w->tls.n_client_groups = 0;
	w->tls.n_client_sigalgs = 0;
	w->tls.alpn = (struct cmi_bytes){0};
	for (size_t i = 0; i < w->tls.n_certs; i++)
		w->tls.certs[i].der = w->k.certs[i] ? w->k.certs[i]->der
						    : (struct cmi_bytes){0};
	for (size_t i = 0; i < w->tls.n_client_certs; i++)
		w->tls.client_certs[i].der = w->k.client_certs[i]
						     ? w->k.client_certs[i]->der
						     : (struct cmi_bytes){0};
	d->n_waiting++;
	return cmi_buf_status(&w->sni, err);
}

static void remember_success(struct cmi_diagnose *d, const struct known *k,
	const struct cmi_meaning *m)
{
	if (m->behaviour.ending == CMI_END_USED && k->chain &&
		!k->chain->judged.accepted && k->certs[0])
		cmi_neighbours_managed(d->neighbours, &k->c.client, k->certs[0],
			k->c.first_frame,
			cmi_evidence_fetched(
				&k->c, &k->chain->judged, d->neighbours));
}

static cmend_status understand(
	struct cmi_diagnose *d, struct known *k, cmend_error *err)
{
	const struct cmi_tls_seen *t = k->c.tls;
	char host[CMI_NAME_MAX + 1];
	struct question q = {.certs = k->certs,
		.n = t->n_certs,
		.client = kind_of(d, &k->c.client),
		.host = host};
	struct cmi_meaning m;
	bool helped;
	cmend_status status = CMEND_OK;

	CMI_TRY(intern_all(d, t->certs, t->n_certs, k->certs, err));
	CMI_TRY(intern_all(
		d, t->client_certs, t->n_client_certs, k->client_certs, err));
	host_of(t, host);
	q.at_s = time_of(d, &k->c, k->certs[0]);
	if (t->n_certs && !t->raw_public_key)
		CMI_TRY(chain_of(d, &q, &k->chain, err));
	CMI_TRY(judge_helped(d, k, &helped, err));
	cmi_meaning_init(
		&m, &k->c, k->chain ? &k->chain->judged : NULL, helped);
	remember_success(d, k, &m);
	if (m.verdict != CMI_F_NONE || m.behaviour.dark)
		status = keep(d, k, err);
	else
		status = finish(d, k, &m, err);
	cmi_meaning_dispose(&m);
	return status;
}

static cmend_status take_tls(struct cmi_diagnose *d,
	const struct cmi_conversation *c, cmend_error *err)
{
	struct known k = {.c = *c};
	cmend_status status = understand(d, &k, err);

	known_dispose(&k);
	return status;
}

static cmend_status take_http(struct cmi_diagnose *d,
	const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_carried carried = {0};
	struct cmi_arena texts;
	struct cmi_item_http h = {.c = c};
	struct cmi_item item = {.kind = CMI_ITEM_HTTP, .http = &h};
	cmend_status status;

	status = cmi_carried_read(&d->intern, c->http, &carried, err);
	if (status == CMEND_OK && d->o.all) {
		cmi_arena_init(&texts, CMI_FILE_MAX);
		texts.block = 512; /* an address's worth, a million times */
		h.method = cmi_phrase_safe(&texts, c->http->method);
		h.url = cmi_phrase_safe(&texts, c->http->url);
		h.type = cmi_phrase_safe(&texts, c->http->type);
		h.carries = carried.what;
		h.asked_for_issuer = carried.asked_for_issuer;
		h.chain_address = carried.chain_address;
		h.certs = carried.certs.certs;
		h.n_certs = carried.certs.n;
		status = d->o.sink.take(d->o.sink.ctx, &item, err);
		cmi_arena_dispose(&texts);
	}
	if (status == CMEND_OK)
		status = cmi_neighbours_http(d->neighbours, c, &carried, err);
	cmi_carried_dispose(&carried);
	return status;
}

static cmend_status take_dns(struct cmi_diagnose *d,
	const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_item_dns i = {.c = c};
	struct cmi_item item = {.kind = CMI_ITEM_DNS, .dns = &i};

	cmi_neighbours_dns(d->neighbours, c);
	if (!d->o.all)
		return CMEND_OK;
	i.name = safe(d, c->dns->name);
	CMI_TRY(cmi_buf_status(&d->text, err));
	return d->o.sink.take(d->o.sink.ctx, &item, err);
}

static cmend_status take_other(struct cmi_diagnose *d,
	const struct cmi_conversation *c, enum cmi_item_kind kind,
	cmend_error *err)
{
	struct cmi_item_other o = {.c = c};
	struct cmi_item item = {.kind = kind, .other = &o};

	return d->o.all ? d->o.sink.take(d->o.sink.ctx, &item, err) : CMEND_OK;
}

static cmend_status take_told(struct cmi_diagnose *d,
	const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_item_told t = {.c = c};
	struct cmi_item item = {.kind = CMI_ITEM_TOLD, .told = &t};
	struct cmi_arena texts;
	cmend_status status;

	cmi_arena_init(&texts, CMI_FILE_MAX);
	t.step = cmi_phrase_safe(&texts, c->told->step);
	t.result = cmi_phrase_safe(&texts, c->told->result);
	t.says = cmi_phrase_safe(&texts, c->told->says);
	status = t.step && t.result && t.says
			 ? d->o.sink.take(d->o.sink.ctx, &item, err)
			 : cmi_nomem(err);
	cmi_arena_dispose(&texts);
	return status;
}

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_diagnose *d = ctx;

	switch (c->kind) {
	case CMI_CONV_TLS:
		return take_tls(d, c, err);
	case CMI_CONV_HTTP:
		return take_http(d, c, err);
	case CMI_CONV_DNS:
		return take_dns(d, c, err);
	case CMI_CONV_DHCP:
		cmi_neighbours_dhcp(d->neighbours, c);
		return take_other(d, c, CMI_ITEM_DHCP, err);
	case CMI_CONV_TCP:
		cmi_neighbours_tcp(d->neighbours, c);
		return take_other(d, c, CMI_ITEM_TCP, err);
	case CMI_CONV_TOLD:
		return take_told(d, c, err);
	}
	return CMEND_OK;
}

struct cmi_conversation_sink cmi_diagnose_sink(struct cmi_diagnose *d)
{
	return (struct cmi_conversation_sink){.take = take, .ctx = d};
}

cmend_status cmi_diagnose_flush(struct cmi_diagnose *d, cmend_error *err)
{
	while (d->n_waiting)
		CMI_TRY(finish_oldest(d, err));
	return CMEND_OK;
}
