/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/sip_bindings.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/map.h"
#include "core/text.h"

struct user {
	struct cmi_binding bindings[CMI_SIP_CONTACTS_MAX];
	size_t n;
	char sip[CMI_NAME_MAX + 8]; /* the key, in lower case */
};

struct cmi_bindings {
	pthread_mutex_t lock;
	struct cmi_map users;
	const struct cmi_env *env;
};

cmend_status cmi_bindings_new(
	const struct cmi_env *env, struct cmi_bindings **out, cmend_error *err)
{
	struct cmi_bindings *b = cmi_alloc(sizeof(*b));

	if (!b)
		return cmi_nomem(err);
	pthread_mutex_init(&b->lock, NULL);
	cmi_map_init(&b->users);
	b->env = env;
	*out = b;
	return CMEND_OK;
}

void cmi_bindings_free(struct cmi_bindings *b)
{
	struct user *u;
	size_t at = 0;

	if (!b)
		return;
	while ((u = cmi_map_next(&b->users, &at)))
		cmi_free(u);
	cmi_map_dispose(&b->users);
	pthread_mutex_destroy(&b->lock);
	cmi_free(b);
}

static void drop_old(struct user *u, int64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < u->n; i++)
		if (u->bindings[i].until_s > now_s)
			u->bindings[kept++] = u->bindings[i];
	u->n = kept;
}

/* Users whose bindings all ran out make room.  In batches: the map is not
 * changed while it is walked. */
static void drop_idle(struct cmi_bindings *b, int64_t now_s)
{
	struct user *idle[256], *u;
	size_t n;

	do {
		size_t at = 0;

		n = 0;
		while (n < CMI_LEN(idle) &&
			(u = cmi_map_next(&b->users, &at))) {
			drop_old(u, now_s);
			if (!u->n)
				idle[n++] = u;
		}
		for (size_t i = 0; i < n; i++) {
			cmi_map_remove(&b->users, cmi_bytes_of(idle[i]->sip));
			cmi_free(idle[i]);
		}
	} while (n == CMI_LEN(idle));
}

static void key_of(char key[CMI_NAME_MAX + 8], const char *sip)
{
	snprintf(key, CMI_NAME_MAX + 8, "%s", sip);
	for (char *p = key; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 32);
}

static cmend_status find_user(struct cmi_bindings *b, const char *sip,
	int64_t now_s, struct user **out, cmend_error *err)
{
	char key[CMI_NAME_MAX + 8];
	cmend_status status;
	struct user *u;

	key_of(key, sip);
	*out = cmi_map_get(&b->users, cmi_bytes_of(key));
	if (*out)
		return CMEND_OK;
	if (b->users.n >= CMI_SIP_USERS_MAX)
		drop_idle(b, now_s);
	if (b->users.n >= CMI_SIP_USERS_MAX)
		return cmi_fail(
			err, CMEND_LIMIT, "too many users are registered");
	u = cmi_alloc(sizeof(*u));
	if (!u)
		return cmi_nomem(err);
	memcpy(u->sip, key, sizeof(key));
	status = cmi_map_put(&b->users, cmi_bytes_of(u->sip), u, err);
	if (status)
		cmi_free(u);
	else
		*out = u;
	return status;
}

/* Section 10.3, step 7: what came late must not undo what is newer. */
static bool is_late(
	const struct cmi_binding *there, const struct cmi_binding *asked)
{
	return strcmp(there->call_id, asked->call_id) == 0 &&
	       asked->cseq <= there->cseq;
}

/* Section 10.3 compares contacts; RFC 5626 section 4.1 lets a device that
 * comes back from another address take its own place. */
static bool same_device(
	const struct cmi_binding *a, const struct cmi_binding *b)
{
	return strcmp(a->contact, b->contact) == 0 ||
	       (*a->instance && strcmp(a->instance, b->instance) == 0);
}

static size_t first_to_end(const struct user *u)
{
	size_t first = 0;

	for (size_t i = 1; i < u->n; i++)
		if (u->bindings[i].until_s < u->bindings[first].until_s)
			first = i;
	return first;
}

static cmend_status apply_one(
	struct user *u, const struct cmi_binding *asked, cmend_error *err)
{
	size_t i = 0;

	while (i < u->n && !same_device(&u->bindings[i], asked))
		i++;
	if (i < u->n && is_late(&u->bindings[i], asked))
		return cmi_fail(err, CMEND_REFUSED,
			"a later REGISTER of this Call-ID was there before");
	if (!asked->until_s) {
		if (i < u->n)
			u->bindings[i] = u->bindings[--u->n];
		return CMEND_OK;
	}
	if (i == CMI_SIP_CONTACTS_MAX)
		i = first_to_end(u);
	u->bindings[i] = *asked;
	u->n += i == u->n;
	return CMEND_OK;
}

static cmend_status apply(struct user *u, const struct cmi_binding *asked,
	size_t n, bool star, cmend_error *err)
{
	if (star) {
		for (size_t i = 0; n && i < u->n; i++)
			if (is_late(&u->bindings[i], asked))
				return cmi_fail(err, CMEND_REFUSED,
					"a later REGISTER of this Call-ID was "
					"there before");
		u->n = 0;
		return CMEND_OK;
	}
	for (size_t i = 0; i < n; i++)
		CMI_TRY(apply_one(u, &asked[i], err));
	return CMEND_OK;
}

static cmend_status update(struct cmi_bindings *b, const char *sip,
	const struct cmi_binding *asked, size_t n, bool star,
	struct cmi_buf *out, cmend_error *err)
{
	int64_t now_s = cmi_now_us(b->env) / 1000000;
	struct user *u, next;

	CMI_TRY(find_user(b, sip, now_s, &u, err));
	next = *u;
	drop_old(&next, now_s);
	CMI_TRY(apply(&next, asked, n, star, err));
	for (size_t i = 0; i < next.n; i++)
		cmi_buf_printf(out, "Contact: <%s>;expires=%lld\r\n",
			next.bindings[i].contact,
			(long long)(next.bindings[i].until_s - now_s));
	CMI_TRY(cmi_buf_status(out, err));
	memcpy(u->bindings, next.bindings, sizeof(next.bindings));
	u->n = next.n;
	return CMEND_OK;
}

cmend_status cmi_bindings_update(struct cmi_bindings *b, const char *sip,
	const struct cmi_binding *asked, size_t n, bool star,
	struct cmi_buf *out, cmend_error *err)
{
	cmend_status status;

	pthread_mutex_lock(&b->lock);
	status = update(b, sip, asked, n, star, out, err);
	pthread_mutex_unlock(&b->lock);
	return status;
}

size_t cmi_bindings_count(struct cmi_bindings *b, const char *sip)
{
	int64_t now_s = cmi_now_us(b->env) / 1000000;
	char key[CMI_NAME_MAX + 8];
	struct user *u;
	size_t at = 0, n = 0;

	key_of(key, sip ? sip : "");
	pthread_mutex_lock(&b->lock);
	while ((u = cmi_map_next(&b->users, &at))) {
		if (sip && strcmp(u->sip, key) != 0)
			continue;
		drop_old(u, now_s);
		n += u->n;
	}
	pthread_mutex_unlock(&b->lock);
	return n;
}
