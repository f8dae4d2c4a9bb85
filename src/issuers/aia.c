/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/aia.h"

#include <stdio.h>
#include <string.h>

#include "core/map.h"
#include "core/text.h"
#include "x509/bundle.h"

/* What one URL gave, once for this job. */
struct memo {
	struct memo *next;
	char *url;
	struct cmi_bundle bundle; /* empty with a trouble */
	enum cmi_finding_id trouble;
	char says[200];
};

/* How far the URLs of one certificate have been asked. */
struct asked {
	struct asked *next;
	uint8_t sha256[CMI_SHA256_LEN];
	size_t n_urls;
};

struct cmi_aia {
	struct cmi_source source;
	struct cmi_aia_transport transport;
	struct cmi_store *store;
	const struct cmi_env *env;
	struct memo *memos;
	struct asked *asked;
	/* The last call's explanation. */
	enum cmi_finding_id trouble;
	char says[200];
};

static int64_t now_s(const struct cmi_aia *a)
{
	return cmi_now_us(a->env) / 1000000;
}

/* The first trouble is kept: with an ldap URL behind a dead http one, the
 * dead one is the news. */
static void keep_trouble(
	struct cmi_aia *a, enum cmi_finding_id trouble, const char *says)
{
	if (a->trouble && a->trouble != CMI_F_AIA_NOT_HTTP)
		return;
	a->trouble = trouble;
	snprintf(a->says, sizeof(a->says), "%s", says);
}

static void keep_stranger(struct cmi_aia *a, const char *url)
{
	char says[200];

	snprintf(says, sizeof(says),
		"%.120s answers certificates, none of them the issuer", url);
	keep_trouble(a, CMI_F_AIA_WRONG_CONTENT, says);
}

static void memo_free(struct memo *m)
{
	if (!m)
		return;
	cmi_bundle_dispose(&m->bundle);
	cmi_free(m->url);
	cmi_free(m);
}
CMI_DEFINE_CLEANUP(memo_freep, struct memo, memo_free)

static struct memo *find_memo(const struct cmi_aia *a, const char *url)
{
	struct memo *m = a->memos;

	while (m && strcmp(m->url, url) != 0)
		m = m->next;
	return m;
}

/*
 * Worth remembering beyond this job: what the URL itself is to blame for.
 * An address that was refused may be allowed to the next, and a budget that
 * ran out is no fault of the URL.
 */
static bool is_lasting(enum cmi_finding_id trouble)
{
	return trouble == CMI_F_AIA_DEAD || trouble == CMI_F_AIA_WRONG_CONTENT;
}

/* Twice as long each time.  Without any answer our own network may be at
 * fault, so that is never held against the URL for long. */
static int64_t back_off_s(unsigned tries, bool answered)
{
	int64_t max = answered ? CMI_AIA_BACKOFF_MAX_S
			       : CMI_AIA_BACKOFF_UNREACHED_MAX_S;
	int64_t wait = CMI_AIA_BACKOFF_FIRST_S;

	while (tries-- > 1 && wait < max)
		wait *= 2;
	return wait < max ? wait : max;
}

static void remember_refusal(
	struct cmi_aia *a, const struct memo *m, unsigned tries, bool answered)
{
	struct cmi_store_refusal r = {
		.trouble = m->trouble,
		.tries = tries + 1,
		.until_s = now_s(a) + back_off_s(tries + 1, answered),
	};

	snprintf(r.says, sizeof(r.says), "%s", m->says);
	if (a->store && is_lasting(m->trouble))
		cmi_store_refusal_put(a->store, m->url, &r);
}

static bool starts_with(struct cmi_bytes v, const char *text)
{
	return cmi_text_starts(cmi_text_trim(v), text);
}

/* What it is instead of certificates, for whoever runs the URL. */
static const char *name_content(struct cmi_bytes body)
{
	if (starts_with(body, "<"))
		return "answers a web page, no certificate";
	if (starts_with(body, "\x1f\x8b"))
		return "answers compressed data, no certificate";
	return "answers something that is no certificate";
}

/* Certificates out of the answer, whatever its label says. */
static cmend_status read_answer(
	struct memo *m, const struct cmi_fetch_answer *answer, cmend_error *err)
{
	struct cmi_bytes body = cmi_buf_view(&answer->body);
	const char *what = NULL;
	cmend_status status =
		cmi_bundle_read(body, CMI_AIA_CERTS_MAX, &m->bundle, NULL);

	if (status == CMEND_OK)
		return CMEND_OK;
	cmi_bundle_dispose(&m->bundle);
	m->bundle = (struct cmi_bundle){0};
	if (status == CMEND_NOMEM)
		return cmi_nomem(err);
	m->trouble = CMI_F_AIA_WRONG_CONTENT;
	what = name_content(body);
	if (status == CMEND_LIMIT) {
		m->trouble = CMI_F_AIA_REFUSED;
		what = "answers more certificates than are taken";
	}
	snprintf(m->says, sizeof(m->says), "%.130s %s", answer->url, what);
	return CMEND_OK;
}

/* *now false: not now.  Nothing is remembered then, nor where our own memory
 * ran out: that says nothing about the URL. */
static cmend_status ask_url(struct cmi_aia *a, struct memo *m, unsigned tries,
	bool *now, cmend_error *err)
{
	struct cmi_fetch_answer answer = {0};
	cmend_status status =
		a->transport.get(a->transport.ctx, m->url, &answer, NULL);

	*now = status != CMEND_AGAIN;
	if (status == CMEND_OK)
		status = read_answer(m, &answer, err);
	if (status == CMEND_NOMEM) {
		cmi_fetch_answer_dispose(&answer);
		return cmi_nomem(err);
	}
	if (status != CMEND_OK && status != CMEND_AGAIN) {
		m->trouble = answer.trouble ? answer.trouble : CMI_F_AIA_DEAD;
		snprintf(m->says, sizeof(m->says), "%s", answer.says);
	}
	if (m->trouble)
		remember_refusal(a, m, tries, answer.status != 0);
	else if (tries && status == CMEND_OK)
		cmi_store_refusal_clear(a->store, m->url);
	cmi_fetch_answer_dispose(&answer);
	return CMEND_OK;
}

/* A wait longer than any is a clock that went back since. */
static bool is_too_soon(const struct cmi_store_refusal *r, int64_t now_s)
{
	return r->until_s > now_s &&
	       r->until_s - now_s <= CMI_AIA_BACKOFF_MAX_S;
}

/* From memory, from the store's refusals, or from the network; *out is NULL
 * where the transport cannot tell yet. */
static cmend_status get_memo(
	struct cmi_aia *a, const char *url, struct memo **out, cmend_error *err)
{
	CMI_AUTO(memo_freep) struct memo *m = NULL;
	struct cmi_store_refusal r = {0};
	bool now = true;

	*out = find_memo(a, url);
	if (*out)
		return CMEND_OK;
	m = cmi_alloc(sizeof(*m));
	if (!m)
		return cmi_nomem(err);
	m->url = cmi_strdup(url);
	if (!m->url)
		return cmi_nomem(err);
	if (a->store && cmi_store_refusal_get(a->store, url, &r) &&
		is_too_soon(&r, now_s(a))) {
		m->trouble = r.trouble;
		snprintf(m->says, sizeof(m->says),
			"%.150s (not asked again so soon)", r.says);
	} else {
		CMI_TRY(ask_url(a, m, r.tries, &now, err));
	}
	if (!now)
		return CMEND_OK;
	m->next = a->memos;
	*out = a->memos = CMI_TAKE(m);
	return CMEND_OK;
}

struct offering {
	const struct cmi_cert *child;
	cmend_status (*offer)(
		void *ctx, struct cmi_cert *cert, enum cmi_origin origin);
	void *ctx;
	size_t n_named;
	bool fits;  /* one of them has the right key */
	bool waits; /* for a URL that the transport gets later */
};

static cmend_status offer_memo(struct offering *o, const struct memo *m)
{
	for (size_t i = 0; i < m->bundle.list.n; i++) {
		struct cmi_cert *c = m->bundle.list.certs[i];

		if (!cmi_cert_names_issuer(o->child, c))
			continue;
		o->n_named++;
		if (!o->fits)
			o->fits = cmi_cert_signed_by(o->child, c);
		CMI_TRY(o->offer(o->ctx, c, CMI_FROM_AIA));
	}
	return CMEND_OK;
}

static cmend_status offer_url(struct cmi_aia *a, struct offering *o,
	const char *url, cmend_error *err)
{
	struct memo *m = NULL;
	size_t before = o->n_named;

	CMI_TRY(get_memo(a, url, &m, err));
	o->waits = !m;
	if (!m)
		return CMEND_OK;
	if (m->trouble) {
		keep_trouble(a, m->trouble, m->says);
		return CMEND_OK;
	}
	CMI_TRY(offer_memo(o, m));
	if (o->n_named == before)
		keep_stranger(a, url);
	return CMEND_OK;
}

static struct asked *find_asked(
	struct cmi_aia *a, const struct cmi_cert *child, cmend_error *err)
{
	struct asked *k = a->asked;

	while (k && memcmp(k->sha256, child->sha256, CMI_SHA256_LEN) != 0)
		k = k->next;
	if (k)
		return k;
	k = cmi_alloc(sizeof(*k));
	if (!k) {
		(void)cmi_nomem(err);
		return NULL;
	}
	memcpy(k->sha256, child->sha256, CMI_SHA256_LEN);
	k->next = a->asked;
	return a->asked = k;
}

/* URLs not asked so far, up to the first that gives a fitting issuer. */
static cmend_status ask_urls(struct cmi_aia *a, struct offering *o,
	struct asked *k, cmend_error *err)
{
	const struct cmi_cert *child = o->child;

	while (!o->fits && k->n_urls < child->n_aia_urls &&
		k->n_urls < CMI_AIA_URLS_MAX) {
		CMI_TRY(offer_url(a, o, child->aia_urls[k->n_urls], err));
		if (o->waits)
			break;
		k->n_urls++;
	}
	return CMEND_OK;
}

/* The troubles of URLs that were asked before, for whoever asks now. */
static void recall_troubles(
	struct cmi_aia *a, const struct offering *o, const struct asked *k)
{
	for (size_t i = 0; i < k->n_urls && o->n_named == 0; i++) {
		const struct memo *m = find_memo(a, o->child->aia_urls[i]);

		if (m && m->trouble)
			keep_trouble(a, m->trouble, m->says);
		else if (m)
			keep_stranger(a, m->url);
	}
}

static cmend_status issuers_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_aia *a = ctx;
	struct offering o = {child, offer, offer_ctx, 0, false, false};
	struct asked *k = find_asked(a, child, err);

	if (!k)
		return CMEND_NOMEM;
	a->trouble = CMI_F_NONE;
	/* An answer for another certificate may have brought this issuer, and
	 * another search of the same job may have asked for this one. */
	for (struct memo *m = a->memos; m; m = m->next)
		CMI_TRY(offer_memo(&o, m));
	recall_troubles(a, &o, k);
	CMI_TRY(ask_urls(a, &o, k, err));
	if (child->n_aia_urls == 0 && o.n_named == 0)
		keep_trouble(a, CMI_F_AIA_ABSENT,
			"the certificate names no URL for its issuer");
	return CMEND_OK;
}

static cmend_status more_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_aia *a = ctx;
	struct offering o = {child, offer, offer_ctx, 0, false, false};
	struct asked *k = find_asked(a, child, err);

	a->trouble = CMI_F_NONE;
	return k ? ask_urls(a, &o, k, err) : CMEND_NOMEM;
}

static enum cmi_finding_id last_trouble(void *ctx, char *says, size_t n_says)
{
	struct cmi_aia *a = ctx;

	if (a->trouble)
		snprintf(says, n_says, "%s", a->says);
	return a->trouble;
}

static unsigned count_fetches(void *ctx)
{
	struct cmi_aia *a = ctx;

	return a->transport.count ? a->transport.count(a->transport.ctx) : 0;
}

const struct cmi_source *cmi_aia_source(struct cmi_aia *a)
{
	return &a->source;
}

const char *cmi_aia_url_of(const struct cmi_aia *a, const struct cmi_cert *c)
{
	for (const struct memo *m = a->memos; m; m = m->next)
		if (cmi_cert_list_has(&m->bundle.list, c))
			return m->url;
	return NULL;
}

cmend_status cmi_aia_new(const struct cmi_aia_transport *transport,
	struct cmi_store *store, const struct cmi_env *env,
	struct cmi_aia **out, cmend_error *err)
{
	struct cmi_aia *a = cmi_alloc(sizeof(*a));

	if (!a)
		return cmi_nomem(err);
	*a = (struct cmi_aia){
		.source = {.origin = CMI_FROM_AIA,
			.issuers_of = issuers_of,
			.last_trouble = last_trouble,
			.ctx = a,
			.costly = true,
			.more_of = more_of,
			.fetches = count_fetches},
		.transport = *transport,
		.store = store,
		.env = env,
	};
	*out = a;
	return CMEND_OK;
}

void cmi_aia_free(struct cmi_aia *a)
{
	if (!a)
		return;
	while (a->memos) {
		struct memo *next = a->memos->next;

		memo_free(a->memos);
		a->memos = next;
	}
	while (a->asked) {
		struct asked *next = a->asked->next;

		cmi_free(a->asked);
		a->asked = next;
	}
	cmi_free(a);
}
