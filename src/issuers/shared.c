/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/shared.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "fleet/url.h"

/* After a failure Redis is left alone for so long. */
#define REST_MS 5000
/* One look while somebody else fetches. */
#define LOOK_MS 20
#define KEY_MAX 128

struct cmi_shared {
	char *url;
	struct cmi_env env;
	struct cmi_link *link;
	int64_t rest_until_ms;
	bool warned;
	struct cmi_source kept;
	struct cmi_source aia;
	const struct cmi_source *inner;
	/* Children the inner supplier was asked about, and those for which the
	 * fleet knows that there is nothing to fetch. */
	struct cmi_cert_list asked, known_bad;
	/* Why the last question found nothing. */
	enum cmi_finding_id trouble;
	char says[160];
};

static void warn(struct cmi_shared *s, const char *says)
{
	if (!s->warned)
		cmi_emit(&s->env, "cache", "shared", says, 0);
	s->warned = true;
}

/* NULL while the server is away. */
static struct cmi_link *link_of(struct cmi_shared *s)
{
	struct cmi_link_options o = {
		.url = s->url, .wait_ms = CMI_SHARED_WAIT_MS};
	cmend_error err = {0};

	if (s->link || cmi_mono_ms(&s->env) < s->rest_until_ms)
		return s->link;
	if (cmi_link_open(&o, &s->link, &err) != CMEND_OK) {
		warn(s, err.message);
		s->rest_until_ms = cmi_mono_ms(&s->env) + REST_MS;
	}
	return s->link;
}

static void lose(struct cmi_shared *s, const cmend_error *why)
{
	warn(s, why->message);
	cmi_link_close(CMI_TAKE(s->link));
	s->rest_until_ms = cmi_mono_ms(&s->env) + REST_MS;
}

/* One command; NULL when there is no answer. */
static struct cmi_reply *command(
	struct cmi_shared *s, const struct cmi_bytes *words, size_t n)
{
	struct cmi_link *link = link_of(s);
	struct cmi_reply *reply = NULL;
	cmend_error err = {0};

	if (!link)
		return NULL;
	if (cmi_link_add(link, words, n, &err) != CMEND_OK ||
		cmi_link_reply(link, 0, &reply, &err) != CMEND_OK) {
		lose(s, &err);
		return NULL;
	}
	if (cmi_reply_kind(reply) != CMI_REPLY_ERROR)
		return reply;
	cmi_safe_cstr(err.message, sizeof(err.message), cmi_reply_text(reply));
	warn(s, err.message);
	cmi_reply_free(reply);
	return NULL;
}

#define W(text) cmi_bytes_of(text)
#define COMMAND(s, ...)                                                        \
	command((s), (const struct cmi_bytes[]){__VA_ARGS__},                  \
		CMI_LEN(((const struct cmi_bytes[]){__VA_ARGS__})))

static void name_key(char key[KEY_MAX], uint64_t subject_hash)
{
	snprintf(key, KEY_MAX, "chainmend:issuers:%016" PRIx64, subject_hash);
}

/* The certificate filed under a digest, its digest and name proven. */
static struct cmi_cert *proven(struct cmi_bytes digest, struct cmi_bytes der,
	const struct cmi_cert *child)
{
	struct cmi_cert *c = NULL;

	if (cmi_cert_from_der(der, &c, NULL) != CMEND_OK)
		return NULL;
	if (cmi_bytes_equal(digest, W(c->sha256_hex)) &&
		cmi_cert_names_issuer(child, c))
		return c;
	cmi_cert_unref(c);
	return NULL;
}

typedef cmend_status offer_fn(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin);

/* Digest, certificate, digest, certificate ... from a hash; others fields are
 * passed over, and no more than a handful is looked at. */
static cmend_status offer_fields(const struct cmi_reply *fields,
	const struct cmi_cert *child, bool must_sign, offer_fn *offer,
	void *ctx, size_t *n)
{
	size_t count = cmi_reply_count(fields);

	for (size_t i = 0; i + 1 < count && i < 4 * CMI_SHARED_CERTS_MAX;
		i += 2) {
		struct cmi_bytes key = cmi_reply_text(cmi_reply_at(fields, i));
		struct cmi_bytes der =
			cmi_reply_text(cmi_reply_at(fields, i + 1));
		CMI_AUTO(cmi_cert_unrefp)
		struct cmi_cert *c = key.n == 2 * CMI_SHA256_LEN
					     ? proven(key, der, child)
					     : NULL;

		/* An answer that stands in for a fetch must be the issuer, or
		 * it would hide the real one. */
		if (!c || (must_sign && !cmi_cert_signed_by(child, c)))
			continue;
		++*n;
		CMI_TRY(offer(ctx, c, CMI_FROM_CACHE));
	}
	return CMEND_OK;
}

static cmend_status kept_issuers(void *ctx, const struct cmi_cert *child,
	offer_fn *offer, void *offer_ctx, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	struct cmi_shared *s = ctx;
	char key[KEY_MAX];
	size_t n = 0;

	(void)err;
	name_key(key, child->issuer_hash);
	reply = COMMAND(s, W("HGETALL"), W(key));
	return offer_fields(reply, child, false, offer, offer_ctx, &n);
}

void cmi_shared_put(struct cmi_shared *s, const struct cmi_cert *cert,
	enum cmi_origin origin, const char *url)
{
	char key[KEY_MAX], from[KEY_MAX], life[24], when[CMI_TIME_TEXT];
	struct cmi_reply *reply;

	name_key(key, cert->subject_hash);
	snprintf(from, sizeof(from), "from:%s", cert->sha256_hex);
	snprintf(life, sizeof(life), "%d", CMI_SHARED_GOOD_S);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf where;

	/* Provenance stands beside: origin, time, URL. */
	cmi_buf_init(&where, CMI_URL_MAX + 128);
	cmi_buf_printf(&where, "%s %s %s", cmi_origin_name(origin),
		cmi_time_s(when, cmi_now_us(&s->env) / 1000000),
		url ? url : "-");
	reply = COMMAND(s, W("HLEN"), W(key));
	if (!reply || cmi_reply_int(reply) >= 4 * CMI_SHARED_CERTS_MAX) {
		cmi_reply_free(reply);
		return;
	}
	cmi_reply_free(reply);
	cmi_reply_free(COMMAND(s, W("HSET"), W(key), W(cert->sha256_hex),
		cert->der, W(from), cmi_buf_view(&where)));
	cmi_reply_free(COMMAND(s, W("EXPIRE"), W(key), W(life)));
}

/* All that decides what a fetch brings: the URLs and the name wanted. */
static void aia_key(
	char key[KEY_MAX], const char *kind, const struct cmi_cert *child)
{
	uint8_t digest[CMI_SHA256_LEN];
	char hex[2 * CMI_SHA256_LEN + 1];
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, CMI_CERT_MAX);
	cmi_buf_be(&b, 8, child->issuer_hash);
	for (size_t i = 0; i < child->n_aia_urls; i++) {
		cmi_buf_text(&b, child->aia_urls[i]);
		cmi_buf_u8(&b, 0);
	}
	cmi_sha256(cmi_buf_view(&b), digest);
	cmi_hex_cstr(hex, digest, sizeof(digest));
	snprintf(key, KEY_MAX, "chainmend:%s:%s", kind, hex);
}

/* What the inner supplier offers, passed on and noted. */
struct catching {
	offer_fn *offer;
	void *ctx;
	struct cmi_cert *child; /* for references; it is not changed */
	struct cmi_cert_list caught;
};

static cmend_status catch_offer(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	struct catching *c = ctx;

	/* Only what really signed the certificate that named it is shared. */
	if (c->caught.n < CMI_AIA_CERTS_MAX &&
		cmi_cert_signed_by(c->child, cert))
		(void)!cmi_cert_list_add(&c->caught, cert, NULL);
	return c->offer(c->ctx, cert, origin);
}

static void remember(struct cmi_shared *s, const char *key,
	const struct cmi_cert_list *found)
{
	char life[24];

	snprintf(life, sizeof(life), "%d",
		found->n ? CMI_SHARED_GOOD_S : CMI_SHARED_BAD_S);
	cmi_reply_free(COMMAND(s, W("DEL"), W(key)));
	if (!found->n) {
		const char *id = cmi_finding_name(s->trouble);

		cmi_reply_free(COMMAND(s, W("HSET"), W(key), W("bad"),
			W(id ? id : "aia-dead"), W("says"), W(s->says)));
	}
	for (size_t i = 0; i < found->n; i++)
		cmi_reply_free(COMMAND(s, W("HSET"), W(key),
			W(found->certs[i]->sha256_hex), found->certs[i]->der));
	cmi_reply_free(COMMAND(s, W("EXPIRE"), W(key), W(life)));
}

static cmend_status fetch(struct cmi_shared *s, const struct cmi_cert *child,
	const char *key, struct catching *c, cmend_error *err)
{
	cmend_status status =
		s->inner->issuers_of(s->inner->ctx, child, catch_offer, c, err);

	if (s->inner->last_trouble)
		s->trouble = s->inner->last_trouble(
			s->inner->ctx, s->says, sizeof(s->says));
	/* Nothing at all to fetch is no answer worth keeping, and what our own
	 * rules refused may be allowed elsewhere. */
	if (c->caught.n || s->trouble == CMI_F_AIA_DEAD ||
		s->trouble == CMI_F_AIA_WRONG_CONTENT)
		remember(s, key, &c->caught);
	return status;
}

/* The value of that field: Redis gives them in no order. */
static struct cmi_bytes field(const struct cmi_reply *fields, const char *name)
{
	size_t n = cmi_reply_count(fields);

	for (size_t i = 0; i + 1 < n && i < 4 * CMI_SHARED_CERTS_MAX; i += 2)
		if (cmi_bytes_equal(cmi_reply_text(cmi_reply_at(fields, i)),
			    cmi_bytes_of(name)))
			return cmi_reply_text(cmi_reply_at(fields, i + 1));
	return (struct cmi_bytes){0};
}

/* A stored answer; false where there is none. */
static bool use_answer(struct cmi_shared *s, const char *key,
	struct catching *c, cmend_status *status)
{
	CMI_AUTO(cmi_reply_freep)
	struct cmi_reply *reply = COMMAND(s, W("HGETALL"), W(key));
	size_t n = 0;

	*status = offer_fields(reply, c->child, true, c->offer, c->ctx, &n);
	if (n || *status != CMEND_OK)
		return true;
	s->trouble = cmi_finding_by_name(field(reply, "bad"));
	(void)cmi_safe_cstr(s->says, sizeof(s->says), field(reply, "says"));
	if (s->trouble != CMI_F_NONE)
		(void)!cmi_cert_list_add(&s->known_bad, c->child, NULL);
	return s->trouble != CMI_F_NONE;
}

/* Ours to fetch?  Also when nobody can be asked. */
static bool lock(struct cmi_shared *s, const char *key)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	char life[24];

	snprintf(life, sizeof(life), "%d", CMI_AIA_TOTAL_MS + 1000);
	reply = COMMAND(s, W("SET"), W(key), W("1"), W("NX"), W("PX"), W(life));
	return !s->link || (reply && cmi_reply_kind(reply) == CMI_REPLY_TEXT);
}

static cmend_status shared_issuers(void *ctx, const struct cmi_cert *child,
	offer_fn *offer, void *offer_ctx, cmend_error *err)
{
	struct cmi_shared *s = ctx;
	struct catching c = {.offer = offer,
		.ctx = offer_ctx,
		.child = (struct cmi_cert *)child};
	int64_t until_ms = cmi_mono_ms(&s->env) + CMI_AIA_TOTAL_MS;
	char key[KEY_MAX], turn[KEY_MAX];
	cmend_status status = CMEND_OK;

	s->trouble = CMI_F_NONE;
	s->says[0] = 0;
	aia_key(key, "aia", child);
	aia_key(turn, "turn", child);
	for (;;) {
		if (child->n_aia_urls && use_answer(s, key, &c, &status))
			return status;
		if (!child->n_aia_urls || lock(s, turn) ||
			cmi_mono_ms(&s->env) >= until_ms)
			break;
		poll(NULL, 0, LOOK_MS);
	}
	status = fetch(s, child, key, &c, err);
	if (child->n_aia_urls)
		cmi_reply_free(COMMAND(s, W("DEL"), W(turn)));
	cmi_cert_list_dispose(&c.caught);
	return status;
}

static enum cmi_finding_id last_trouble(void *ctx, char *says, size_t n_says)
{
	const struct cmi_shared *s = ctx;

	snprintf(says, n_says, "%s", s->says);
	return s->trouble;
}

/* The search would end: what the inner supplier held back, or, where only a
 * shared answer was given, all that it has. */
static cmend_status more_issuers(void *ctx, const struct cmi_cert *child,
	offer_fn *offer, void *offer_ctx, cmend_error *err)
{
	struct cmi_shared *s = ctx;

	if (cmi_cert_list_has(&s->known_bad, child))
		return CMEND_OK;
	if (!cmi_cert_list_has(&s->asked, child)) {
		(void)!cmi_cert_list_add(
			&s->asked, (struct cmi_cert *)child, NULL);
		return s->inner->issuers_of(
			s->inner->ctx, child, offer, offer_ctx, err);
	}
	if (!s->inner->more_of)
		return CMEND_OK;
	return s->inner->more_of(s->inner->ctx, child, offer, offer_ctx, err);
}

static unsigned count_fetches(void *ctx)
{
	const struct cmi_shared *s = ctx;

	return s->inner->fetches ? s->inner->fetches(s->inner->ctx) : 0;
}

const struct cmi_source *cmi_shared_source(struct cmi_shared *s)
{
	return &s->kept;
}

const struct cmi_source *cmi_shared_aia_source(
	struct cmi_shared *s, const struct cmi_source *inner)
{
	cmi_cert_list_dispose(&s->asked);
	cmi_cert_list_dispose(&s->known_bad);
	s->inner = inner;
	return inner ? &s->aia : NULL;
}

bool cmi_shared_is_url(const char *text)
{
	struct cmi_bytes t = cmi_bytes_of(text);

	return cmi_text_starts(t, "redis://") ||
	       cmi_text_starts(t, "rediss://") || cmi_text_starts(t, "unix://");
}

void cmi_shared_close(struct cmi_shared *s)
{
	if (!s)
		return;
	cmi_link_close(s->link);
	cmi_cert_list_dispose(&s->asked);
	cmi_cert_list_dispose(&s->known_bad);
	if (s->url)
		cmi_wipe(s->url, strlen(s->url));
	cmi_free(s->url);
	cmi_free(s);
}

cmend_status cmi_shared_open(const char *url, const struct cmi_env *env,
	struct cmi_shared **out, cmend_error *err)
{
	struct cmi_redis_url parts;
	struct cmi_shared *s;

	CMI_TRY(cmi_redis_url_parse(url, &parts, err));
	cmi_redis_url_dispose(&parts);
	s = cmi_alloc(sizeof(*s));
	if (s)
		s->url = cmi_strdup(url);
	if (!s || !s->url) {
		cmi_free(s);
		return cmi_nomem(err);
	}
	s->env = env ? *env : *cmi_env_system();
	s->kept = (struct cmi_source){
		.origin = CMI_FROM_CACHE, .issuers_of = kept_issuers, .ctx = s};
	s->aia = (struct cmi_source){.origin = CMI_FROM_AIA,
		.issuers_of = shared_issuers,
		.last_trouble = last_trouble,
		.more_of = more_issuers,
		.fetches = count_fetches,
		.ctx = s,
		.costly = true};
	*out = s;
	return CMEND_OK;
}
