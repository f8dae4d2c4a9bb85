/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/ticket.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/map.h"
#include "core/text.h"

struct entry {
	struct cmi_ticket_given given;
	struct entry *next; /* younger */
};

struct cmi_tickets {
	pthread_mutex_t lock;
	struct cmi_map by_id;
	struct entry *oldest, *newest;
	size_t n;
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
	t->env = env;
	*out = t;
	return CMEND_OK;
}

static void drop_oldest(struct cmi_tickets *t)
{
	struct entry *e = t->oldest;

	(void)cmi_map_remove(&t->by_id, cmi_bytes_of(e->given.id));
	t->oldest = e->next;
	if (!t->oldest)
		t->newest = NULL;
	t->n--;
	cmi_wipe(e, sizeof(*e));
	cmi_free(e);
}

void cmi_tickets_free(struct cmi_tickets *t)
{
	if (!t)
		return;
	while (t->oldest)
		drop_oldest(t);
	cmi_map_dispose(&t->by_id);
	pthread_mutex_destroy(&t->lock);
	cmi_free(t);
}

static cmend_status keep(
	struct cmi_tickets *t, struct entry *e, int64_t now_s, cmend_error *err)
{
	while (t->oldest && (t->oldest->given.expires_s <= now_s ||
				    t->n >= CMI_TICKETS_MAX))
		drop_oldest(t);
	CMI_TRY(cmi_map_put(&t->by_id, cmi_bytes_of(e->given.id), e, err));
	if (t->newest)
		t->newest->next = e;
	else
		t->oldest = e;
	t->newest = e;
	t->n++;
	return CMEND_OK;
}

cmend_status cmi_tickets_give(
	struct cmi_tickets *t, struct cmi_ticket_given *given, cmend_error *err)
{
	struct entry *e = cmi_alloc(sizeof(*e));
	cmend_status status;
	uint8_t r[16];
	char hex[33];

	if (!e)
		return cmi_nomem(err);
	if (cmi_random(t->env, r, sizeof(r)) != CMEND_OK) {
		cmi_free(e);
		return cmi_fail(err, CMEND_IO, "no randomness");
	}
	cmi_hex_cstr(hex, r, sizeof(r));
	snprintf(given->id, sizeof(given->id),
		"SamlSecurityToken-%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
		hex + 12, hex + 16, hex + 20);
	given->created_s = cmi_now_us(t->env) / 1000000;
	given->expires_s = given->created_s + CMI_TICKET_LIFE_S;
	e->given = *given;
	pthread_mutex_lock(&t->lock);
	status = keep(t, e, given->created_s, err);
	pthread_mutex_unlock(&t->lock);
	if (status)
		cmi_free(e);
	return status;
}

/* An entry like a ticket's, for no endpoint: nobody can use it as one. */
cmend_status cmi_tickets_once(
	struct cmi_tickets *t, const char *name, cmend_error *err)
{
	int64_t now_s = cmi_now_us(t->env) / 1000000;
	struct entry *e = cmi_alloc(sizeof(*e));
	cmend_status status;

	if (!e)
		return cmi_nomem(err);
	snprintf(e->given.id, sizeof(e->given.id), "once-%s", name);
	e->given.created_s = now_s;
	e->given.expires_s = now_s + CMI_TICKET_LIFE_S;
	pthread_mutex_lock(&t->lock);
	status = cmi_map_get(&t->by_id, cmi_bytes_of(e->given.id))
			 ? cmi_fail(err, CMEND_REFUSED,
				   "the message was used before")
			 : keep(t, e, now_s, err);
	pthread_mutex_unlock(&t->lock);
	if (status)
		cmi_free(e);
	return status;
}

cmend_status cmi_tickets_find(struct cmi_tickets *t, const char *id,
	struct cmi_ticket_given *out, cmend_error *err)
{
	struct entry *e;

	pthread_mutex_lock(&t->lock);
	e = cmi_map_get(&t->by_id, cmi_bytes_of(id));
	if (e)
		*out = e->given;
	pthread_mutex_unlock(&t->lock);
	return e ? CMEND_OK
		 : cmi_fail(err, CMEND_REFUSED, "no valid security token");
}

static cmend_status use(struct cmi_ticket_given *g, const char *endpoint,
	const char *request_id, int64_t now_s, cmend_error *err)
{
	if (g->expires_s <= now_s)
		return cmi_fail(err, CMEND_REFUSED, "ticket has expired");
	if (!cmi_text_equal_nocase(
		    cmi_bytes_of(g->applies_to), cmi_bytes_of(endpoint)))
		return cmi_fail(
			err, CMEND_REFUSED, "ticket is for another endpoint");
	if (*g->request_id && strcmp(g->request_id, request_id) != 0)
		return cmi_fail(err, CMEND_REFUSED, "ticket was used before");
	snprintf(g->request_id, sizeof(g->request_id), "%s", request_id);
	return CMEND_OK;
}

cmend_status cmi_tickets_use(struct cmi_tickets *t, const char *id,
	const char *endpoint, const char *request_id,
	struct cmi_ticket_given *out, cmend_error *err)
{
	int64_t now_s = cmi_now_us(t->env) / 1000000;
	cmend_status status;
	struct entry *e;

	if (!*request_id || strlen(request_id) >= sizeof(out->request_id))
		return cmi_fail(err, CMEND_PARSE, "request without an id");
	pthread_mutex_lock(&t->lock);
	e = cmi_map_get(&t->by_id, cmi_bytes_of(id));
	status = e ? use(&e->given, endpoint, request_id, now_s, err)
		   : cmi_fail(err, CMEND_REFUSED, "no valid security token");
	if (!status)
		*out = e->given;
	pthread_mutex_unlock(&t->lock);
	return status;
}
