/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_visit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check_alike.h"
#include "cli/monitor_addresses.h"
#include "core/limits.h"
#include "probe/resolve.h"

static void note_end(struct cmi_look *look, cmend_status status,
	const cmend_error *err, int64_t began_ms)
{
	look->up = status == CMEND_OK;
	if (!look->up)
		snprintf(look->trouble, sizeof(look->trouble), "%.*s",
			(int)sizeof(look->trouble) - 1, err->message);
	look->took_s = (double)(cmi_mono_ms(NULL) - began_ms) / 1000.0;
}

static struct cmi_dial_options way_to(
	const struct cmi_judging *l, const struct cmi_look_job *job)
{
	const struct cmi_lookers_options *o = cmi_judging_options(l);

	return (struct cmi_dial_options){
		.target = &job->target,
		.sni = job->sni[0] ? job->sni : NULL,
		.timeout_ms = o->timeout_ms,
		.starttls = job->starttls,
		.family = cmi_gather_family(o->way),
		.proxy = cmi_gather_proxy(o->way),
		.cert_file = o->way->cert_file,
		.key_file = o->way->key_file,
	};
}

static void look_at_first(struct cmi_judging *l, const struct cmi_look_job *job,
	struct cmi_look *look)
{
	const struct cmi_dial_options dial = way_to(l, job);
	struct cmi_dialed d = {0};
	int64_t began_ms = cmi_mono_ms(NULL);
	cmend_error err = {0};
	struct cmi_sent sent = {0};
	cmend_status status = cmi_dial(&dial, &d, &err);

	look->at_s = cmi_now_us(NULL) / 1000000;
	if (status == CMEND_OK)
		status = cmi_sent_take(&d, &sent, &err);
	if (status == CMEND_OK) {
		if (d.conversation.server.family)
			cmi_endpoint_text(
				look->address, &d.conversation.server);
		status = cmi_judging_judge(l, job, &d, &sent, NULL, look, &err);
	}
	note_end(look, status, &err, began_ms);
	cmi_sent_dispose(&sent);
	cmi_dialed_dispose(&d);
}

/* ----------------------------------------------- all addresses of a name */

/* One of them, until it is judged. */
struct one {
	char ip[INET6_ADDRSTRLEN];
	struct cmi_dial dial;
	struct cmi_sent sent;
	struct cmi_look *look; /* of the whole look */
};

struct all {
	struct cmi_judging *l;
	const struct cmi_look_job *job;
	struct cmi_look *whole;
	struct one list[CMI_RESOLVE_MAX];
	size_t n;
	int64_t began_ms;
};

static bool has_address(const struct cmi_look *whole, const char *address)
{
	for (size_t i = 0; i < whole->n_addresses; i++)
		if (strcmp(whole->addresses[i]->address, address) == 0)
			return true;
	return false;
}

/* "[2001:db8::1]:443", without what stands behind a %. */
static bool name_address(const struct all *a, const char *ip, char *out)
{
	struct cmi_endpoint e = {.port = a->job->target.port};

	if (inet_pton(AF_INET, ip, e.addr) == 1)
		e.family = 4;
	else if (inet_pton(AF_INET6, ip, e.addr) == 1)
		e.family = 6;
	else
		return false;
	cmi_endpoint_text(out, &e);
	return true;
}

static cmend_status add_address(
	struct all *a, const struct cmi_address *at, cmend_error *err)
{
	struct one *one = &a->list[a->n];
	char address[CMI_ENDPOINT_TEXT];

	if (getnameinfo((const struct sockaddr *)&at->addr, at->n, one->ip,
		    sizeof(one->ip), NULL, 0, NI_NUMERICHOST) != 0 ||
		!name_address(a, one->ip, address) ||
		has_address(a->whole, address))
		return CMEND_OK;
	one->look = cmi_look_new(a->job->name);
	if (!one->look)
		return cmi_nomem(err);
	memcpy(one->look->address, address, sizeof(address));
	a->whole->addresses[a->whole->n_addresses++] = one->look;
	one->dial.options = way_to(a->l, a->job);
	one->dial.options.address = one->ip;
	a->n++;
	return CMEND_OK;
}

static void dial_all(struct all *a)
{
	struct cmi_dial *dials[CMI_RESOLVE_MAX];

	for (size_t i = 0; i < a->n; i++)
		dials[i] = &a->list[i].dial;
	cmi_dial_all(dials, a->n);
	for (size_t i = 0; i < a->n; i++) {
		struct one *one = &a->list[i];

		one->look->at_s = cmi_now_us(NULL) / 1000000;
		if (one->dial.status == CMEND_OK)
			one->dial.status = cmi_sent_take(
				&one->dial.out, &one->sent, &one->dial.err);
	}
}

static void judge_all(struct all *a)
{
	struct cmi_alike alike[CMI_RESOLVE_MAX];
	struct cmi_alikes all;

	for (size_t i = 0; i < a->n; i++) {
		const struct one *one = &a->list[i];

		alike[i] = (struct cmi_alike){
			.ip = one->ip,
			.came = one->dial.status == CMEND_OK,
			.n_sent = one->sent.n,
		};
		cmi_alike_chain(one->sent.certs, one->sent.n, alike[i].chain);
	}
	all = cmi_alikes_of(alike, a->n);
	for (size_t i = 0; i < a->n; i++) {
		struct one *one = &a->list[i];
		struct cmi_alike_differs differs;
		cmend_status status = one->dial.status;

		if (status == CMEND_OK)
			status = cmi_judging_judge(a->l, a->job, &one->dial.out,
				&one->sent,
				cmi_alike_differs(
					&all, i, a->job->target.host, &differs),
				one->look, &one->dial.err);
		note_end(one->look, status, &one->dial.err, a->began_ms);
	}
}

/* In one order, whatever the resolver's is from day to day. */
static int by_address(const void *a, const void *b)
{
	const struct cmi_address *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return memcmp(&x->addr, &y->addr, x->n);
}

static cmend_status find_all(struct all *a, cmend_error *err)
{
	int64_t timeout_ms = cmi_judging_options(a->l)->timeout_ms;
	struct cmi_addresses found;

	CMI_TRY(cmi_resolve(a->job->target.host, a->job->target.port,
		cmi_gather_family(cmi_judging_options(a->l)->way),
		timeout_ms ? timeout_ms : CMI_DIAL_MS, &found, err));
	a->whole->addresses = cmi_arena_alloc(
		a->whole->arena, (found.n + 1) * sizeof(struct cmi_look *));
	if (!a->whole->addresses)
		return cmi_nomem(err);
	qsort(found.list, found.n, sizeof(found.list[0]), by_address);
	for (size_t i = 0; i < found.n; i++)
		CMI_TRY(add_address(a, &found.list[i], err));
	dial_all(a);
	judge_all(a);
	return cmi_look_sum_up(a->whole, err);
}

static void look_at_all(struct cmi_judging *l, const struct cmi_look_job *job,
	struct cmi_look *look)
{
	struct all *a = cmi_alloc(sizeof(*a));
	int64_t began_ms = cmi_mono_ms(NULL);
	cmend_error err = {0};
	cmend_status status = CMEND_OK;

	look->all = true;
	look->at_s = cmi_now_us(NULL) / 1000000;
	if (a) {
		*a = (struct all){.l = l,
			.job = job,
			.whole = look,
			.began_ms = began_ms};
		status = find_all(a, &err);
	} else {
		status = cmi_nomem(&err);
	}
	/* What was not judged was not seen. */
	if (status != CMEND_OK) {
		cmi_look_drop_addresses(look);
		note_end(look, status, &err, began_ms);
	}
	look->took_s = (double)(cmi_mono_ms(NULL) - began_ms) / 1000.0;
	for (size_t i = 0; a && i < a->n; i++) {
		cmi_sent_dispose(&a->list[i].sent);
		cmi_dialed_dispose(&a->list[i].dial.out);
	}
	cmi_free(a);
}

/* An address has no others beside it. */
void cmi_visit(struct cmi_judging *l, const struct cmi_look_job *job,
	struct cmi_look *look)
{
	if (cmi_judging_options(l)->all_addresses && !job->target.family)
		look_at_all(l, job, look);
	else
		look_at_first(l, job, look);
}
