/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/ticket.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/map.h"
#include "core/text.h"

#define DIGEST_LEN 32
#define REQUEST_ID 64

/* Whoever has tickets, as long as there are some. */
struct owner {
	struct ticket *oldest, *newest;
	size_t n;
	char sip[];
};

struct ticket {
	struct ticket *older, *younger; /* of all */
	struct ticket *next;            /* younger, of its owner */
	struct owner *owner;
	int64_t created_s, expires_s;
	uint8_t endpoint[DIGEST_LEN]; /* its digest: what it says may be long */
	uint8_t proof[32];
	char id[CMI_TICKET_ID];
	char request_id[REQUEST_ID]; /* of its one use; "" before */
	bool has_proof;
};

/* What happened, and may not again. */
struct once {
	struct once *next; /* younger */
	int64_t expires_s;
	char name[];
};

struct cmi_tickets {
	pthread_mutex_t lock;
	struct cmi_map by_id, by_user, by_name;
	struct ticket *oldest, *newest;
	size_t n;
	struct once *first, *last;
	size_t n_once;
	const struct cmi_env *env;
};

cmend_status cmi_tickets_new(
	const struct cmi_env *env, struct cmi_tickets **out, cmend_error *err)
{
	struct cmi_tickets *t = cmi_alloc(sizeof(*t));

	if (!t)
		return cmi_nomem(err);
	pthread_mutex_init(&t->lock, NULL);
	cmi_map_init(&t->by_id);
	cmi_map_init(&t->by_user);
	cmi_map_init(&t->by_name);
	t->env = env;
	*out = t;
	return CMEND_OK;
}

/* The oldest of its owner, as every ticket is that has to go. */
static void leave_owner(struct cmi_tickets *t, struct ticket *k)
{
	struct owner *o = k->owner;

	o->oldest = k->next;
	if (--o->n)
		return;
	(void)cmi_map_remove(&t->by_user, cmi_bytes_of(o->sip));
	cmi_free(o);
}

static void drop(struct cmi_tickets *t, struct ticket *k)
{
	(void)cmi_map_remove(&t->by_id, cmi_bytes_of(k->id));
	*(k->older ? &k->older->younger : &t->oldest) = k->younger;
	*(k->younger ? &k->younger->older : &t->newest) = k->older;
	t->n--;
	leave_owner(t, k);
	cmi_wipe(k, sizeof(*k));
	cmi_free(k);
}

static void drop_first_once(struct cmi_tickets *t)
{
	struct once *e = t->first;

	(void)cmi_map_remove(&t->by_name, cmi_bytes_of(e->name));
	t->first = e->next;
	t->n_once--;
	cmi_free(e);
}

void cmi_tickets_free(struct cmi_tickets *t)
{
	if (!t)
		return;
	while (t->oldest)
		drop(t, t->oldest);
	while (t->first)
		drop_first_once(t);
	cmi_map_dispose(&t->by_id);
	cmi_map_dispose(&t->by_user);
	cmi_map_dispose(&t->by_name);
	pthread_mutex_destroy(&t->lock);
	cmi_free(t);
}

static cmend_status find_owner(struct cmi_tickets *t, const char *sip,
	struct owner **out, cmend_error *err)
{
	size_t n = strlen(sip);
	struct owner *o = cmi_map_get(&t->by_user, cmi_bytes_of(sip));
	cmend_status status;

	if (!o) {
		o = cmi_alloc(sizeof(*o) + n + 1);
		if (!o)
			return cmi_nomem(err);
		memcpy(o->sip, sip, n + 1);
		status = cmi_map_put(&t->by_user, cmi_bytes_of(o->sip), o, err);
		if (status) {
			cmi_free(o);
			return status;
		}
	}
	*out = o;
	return CMEND_OK;
}

/* Room first, so that an owner found afterwards stays. */
static void make_room(struct cmi_tickets *t, const char *sip, int64_t now_s)
{
	struct owner *o;

	while (t->oldest &&
		(t->oldest->expires_s <= now_s || t->n >= CMI_TICKETS_MAX))
		drop(t, t->oldest);
	o = cmi_map_get(&t->by_user, cmi_bytes_of(sip));
	if (o && o->n >= CMI_TICKETS_USER_MAX)
		drop(t, o->oldest);
}

static cmend_status keep(struct cmi_tickets *t, struct ticket *k,
	const char *sip, cmend_error *err)
{
	struct owner *o = NULL;
	cmend_status status;

	make_room(t, sip, k->created_s);
	CMI_TRY(find_owner(t, sip, &o, err));
	status = cmi_map_put(&t->by_id, cmi_bytes_of(k->id), k, err);
	if (status) {
		if (!o->n) {
			(void)cmi_map_remove(&t->by_user, cmi_bytes_of(sip));
			cmi_free(o);
		}
		return status;
	}
	k->owner = o;
	*(o->n++ ? &o->newest->next : &o->oldest) = k;
	o->newest = k;
	k->older = t->newest;
	*(t->newest ? &t->newest->younger : &t->oldest) = k;
	t->newest = k;
	t->n++;
	return CMEND_OK;
}

/* A host's name and "https" are the same in any case. */
static cmend_status digest_endpoint(
	const char *endpoint, uint8_t out[DIGEST_LEN], cmend_error *err)
{
	char lower[CMI_URL_MAX + 1];
	size_t n = strlen(endpoint);

	if (n > CMI_URL_MAX)
		return cmi_fail(err, CMEND_LIMIT, "the endpoint is too long");
	for (size_t i = 0; i < n; i++) {
		char c = endpoint[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return EVP_Digest(lower, n, out, NULL, EVP_sha256(), NULL) == 1
		       ? CMEND_OK
		       : cmi_fail(err, CMEND_CRYPTO, "SHA-256 failed");
}

static cmend_status name_ticket(
	struct cmi_tickets *t, struct cmi_ticket_given *given, cmend_error *err)
{
	uint8_t r[16];
	char hex[33];

	if (cmi_random(t->env, r, sizeof(r)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	cmi_hex_cstr(hex, r, sizeof(r));
	snprintf(given->id, sizeof(given->id),
		"SamlSecurityToken-%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
		hex + 12, hex + 16, hex + 20);
	given->created_s = cmi_now_us(t->env) / 1000000;
	given->expires_s = given->created_s + CMI_TICKET_LIFE_S;
	return CMEND_OK;
}

cmend_status cmi_tickets_give(struct cmi_tickets *t, const char *endpoint,
	struct cmi_ticket_given *given, cmend_error *err)
{
	uint8_t digest[DIGEST_LEN];
	cmend_status status;
	struct ticket *k;

	CMI_TRY(digest_endpoint(endpoint, digest, err));
	CMI_TRY(name_ticket(t, given, err));
	k = cmi_alloc(sizeof(*k));
	if (!k)
		return cmi_nomem(err);
	k->created_s = given->created_s;
	k->expires_s = given->expires_s;
	k->has_proof = given->has_proof;
	memcpy(k->endpoint, digest, sizeof(digest));
	memcpy(k->proof, given->proof, sizeof(k->proof));
	memcpy(k->id, given->id, sizeof(k->id));
	pthread_mutex_lock(&t->lock);
	status = keep(t, k, given->sip, err);
	pthread_mutex_unlock(&t->lock);
	if (status) {
		cmi_wipe(k, sizeof(*k));
		cmi_free(k);
	}
	return status;
}

static cmend_status keep_once(
	struct cmi_tickets *t, struct once *e, int64_t now_s, cmend_error *err)
{
	while (t->first && t->first->expires_s <= now_s)
		drop_first_once(t);
	if (cmi_map_get(&t->by_name, cmi_bytes_of(e->name)))
		return cmi_fail(
			err, CMEND_REFUSED, "the message was used before");
	if (t->n_once >= CMI_TICKETS_ONCE_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"too many signed messages in ten minutes; try later");
	CMI_TRY(cmi_map_put(&t->by_name, cmi_bytes_of(e->name), e, err));
	*(t->n_once++ ? &t->last->next : &t->first) = e;
	t->last = e;
	return CMEND_OK;
}

cmend_status cmi_tickets_once(
	struct cmi_tickets *t, const char *name, cmend_error *err)
{
	int64_t now_s = cmi_now_us(t->env) / 1000000;
	size_t n = strlen(name);
	struct once *e = cmi_alloc(sizeof(*e) + n + 1);
	cmend_status status;

	if (!e)
		return cmi_nomem(err);
	memcpy(e->name, name, n + 1);
	e->expires_s = now_s + CMI_TICKET_LIFE_S;
	pthread_mutex_lock(&t->lock);
	status = keep_once(t, e, now_s, err);
	pthread_mutex_unlock(&t->lock);
	if (status)
		cmi_free(e);
	return status;
}

static void tell(const struct ticket *k, struct cmi_ticket_given *out)
{
	*out = (struct cmi_ticket_given){.created_s = k->created_s,
		.expires_s = k->expires_s,
		.has_proof = k->has_proof};
	memcpy(out->id, k->id, sizeof(out->id));
	memcpy(out->proof, k->proof, sizeof(out->proof));
	snprintf(out->sip, sizeof(out->sip), "%s", k->owner->sip);
}

cmend_status cmi_tickets_find(struct cmi_tickets *t, const char *id,
	struct cmi_ticket_given *out, cmend_error *err)
{
	struct ticket *k;

	pthread_mutex_lock(&t->lock);
	k = cmi_map_get(&t->by_id, cmi_bytes_of(id));
	if (k)
		tell(k, out);
	pthread_mutex_unlock(&t->lock);
	return k ? CMEND_OK
		 : cmi_fail(err, CMEND_REFUSED, "no valid security token");
}

static cmend_status use(struct ticket *k, const uint8_t endpoint[DIGEST_LEN],
	const char *request_id, int64_t now_s, cmend_error *err)
{
	if (k->expires_s <= now_s)
		return cmi_fail(err, CMEND_REFUSED, "ticket has expired");
	if (memcmp(k->endpoint, endpoint, DIGEST_LEN) != 0)
		return cmi_fail(
			err, CMEND_REFUSED, "ticket is for another endpoint");
	if (*k->request_id && strcmp(k->request_id, request_id) != 0)
		return cmi_fail(err, CMEND_REFUSED, "ticket was used before");
	snprintf(k->request_id, sizeof(k->request_id), "%s", request_id);
	return CMEND_OK;
}

cmend_status cmi_tickets_use(struct cmi_tickets *t, const char *id,
	const char *endpoint, const char *request_id,
	struct cmi_ticket_given *out, cmend_error *err)
{
	int64_t now_s = cmi_now_us(t->env) / 1000000;
	uint8_t digest[DIGEST_LEN];
	cmend_status status;
	struct ticket *k;

	if (!*request_id || strlen(request_id) >= REQUEST_ID)
		return cmi_fail(err, CMEND_PARSE, "request without an id");
	CMI_TRY(digest_endpoint(endpoint, digest, err));
	pthread_mutex_lock(&t->lock);
	k = cmi_map_get(&t->by_id, cmi_bytes_of(id));
	status = k ? use(k, digest, request_id, now_s, err)
		   : cmi_fail(err, CMEND_REFUSED, "no valid security token");
	if (!status)
		tell(k, out);
	pthread_mutex_unlock(&t->lock);
	return status;
}
