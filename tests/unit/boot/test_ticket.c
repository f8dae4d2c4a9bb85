/* SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <malloc.h>

#include "boot/ticket.h"

#define ADA      "sip:ada@corp.example"
#define ENDPOINT "https://web/CertProv"

static int64_t now_s = 1000000;

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return now_s * 1000000;
}

static const struct cmi_env env = {.now_us = now_us};

static struct cmi_tickets *fresh(void)
{
	struct cmi_tickets *t = NULL;

	assert_int_equal(cmi_tickets_new(&env, &t, NULL), CMEND_OK);
	return t;
}

static struct cmi_ticket_given give(struct cmi_tickets *t, const char *sip)
{
	struct cmi_ticket_given given = {.has_proof = true};

	snprintf(given.sip, sizeof(given.sip), "%s", sip);
	memset(given.proof, 7, sizeof(given.proof));
	assert_int_equal(cmi_tickets_give(t, ENDPOINT, &given, NULL), CMEND_OK);
	return given;
}

static bool known(struct cmi_tickets *t, const struct cmi_ticket_given *g)
{
	struct cmi_ticket_given got;

	return cmi_tickets_find(t, g->id, &got, NULL) == CMEND_OK;
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void a_ticket_is_good_once(void **state)
{
	struct cmi_tickets *t = fresh();
	struct cmi_ticket_given given = give(t, ADA), got;
	char request[65] = "";

	(void)state;
#define USE(id, to, request)                                                   \
	cmi_tickets_use(t, (id), (to), (request), &got, NULL)
	assert_int_equal(
		USE("SamlSecurityToken-0", ENDPOINT, "r1"), CMEND_REFUSED);
	assert_int_equal(USE("", ENDPOINT, "r1"), CMEND_REFUSED);
	assert_int_equal(USE(given.id, "https://other", "r1"), CMEND_REFUSED);
	assert_int_equal(USE(given.id, ENDPOINT "/", "r1"), CMEND_REFUSED);
	assert_int_equal(USE(given.id, ENDPOINT, ""), CMEND_PARSE);
	/* One that would be kept cut, and equal others. */
	memset(request, 'r', sizeof(request) - 1);
	assert_int_equal(USE(given.id, ENDPOINT, request), CMEND_PARSE);
	assert_int_equal(USE(given.id, "HTTPS://WEB/certprov", "r1"), CMEND_OK);
	assert_string_equal(got.sip, ADA);
	assert_string_equal(got.id, given.id);
	assert_true(got.has_proof);
	assert_memory_equal(got.proof, given.proof, sizeof(got.proof));
	assert_int_equal(got.expires_s, now_s + 600);
	/* The same request again: its answer was lost.  Another: a replay. */
	assert_int_equal(USE(given.id, ENDPOINT, "r1"), CMEND_OK);
	assert_int_equal(USE(given.id, ENDPOINT, "r2"), CMEND_REFUSED);
	now_s += 599;
	assert_int_equal(USE(given.id, ENDPOINT, "r1"), CMEND_OK);
	now_s += 1;
	assert_int_equal(USE(given.id, ENDPOINT, "r1"), CMEND_REFUSED);
#undef USE
	cmi_tickets_free(t);
}

/* Who asks for more than a user may have loses the own oldest, and nobody
 * else's. */
static void one_user_crowds_out_nobody(void **state)
{
	struct cmi_tickets *t = fresh();
	struct cmi_ticket_given bobs = give(t, "sip:bob@corp.example");
	struct cmi_ticket_given first = give(t, ADA), second = give(t, ADA);
	struct cmi_ticket_given last;

	(void)state;
	for (size_t i = 2; i < CMI_TICKETS_USER_MAX; i++)
		last = give(t, ADA);
	assert_true(known(t, &first));
	last = give(t, ADA);
	assert_false(known(t, &first));
	assert_true(known(t, &second));
	assert_true(known(t, &last));
	assert_true(known(t, &bobs));
	cmi_tickets_free(t);
}

/* As many users as there is room for, with the longest addresses: the oldest
 * goes, and all of it stays below what limits.h says. */
static void a_full_server_is_small(void **state)
{
	struct cmi_tickets *t = fresh();
	struct cmi_ticket_given first, second, last;
	size_t before = heap(), each;
	char sip[CMI_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i <= CMI_TICKETS_MAX; i++) {
		snprintf(sip, sizeof(sip), "sip:user%zu@%s.example", i,
			"a-domain-such-as-there-are-some");
		last = give(t, sip);
		if (!i)
			first = last;
		if (i == 1)
			second = last;
		assert_int_equal(known(t, &first), i < CMI_TICKETS_MAX);
	}
	assert_true(known(t, &second));
	assert_true(known(t, &last));
	/* Nothing to be had where a sanitizer has the heap. */
	each = (heap() - before) / CMI_TICKETS_MAX;
	if (each > 640)
		fail_msg("%zu bytes a ticket", each);
	now_s += CMI_TICKET_LIFE_S;
	last = give(t, ADA);
	assert_false(known(t, &second));
	assert_true(known(t, &last));
	cmi_tickets_free(t);
	/* All of it is given back, users too, but for what malloc itself and
	 * libcrypto keep. */
	assert_true(heap() <= before + 65536);
}

static void what_happened_once_is_never_given_up(void **state)
{
	struct cmi_tickets *t = fresh();
	char name[32];

	(void)state;
	for (size_t i = 0; i < CMI_TICKETS_ONCE_MAX; i++) {
		snprintf(name, sizeof(name), "message %zu", i);
		assert_int_equal(cmi_tickets_once(t, name, NULL), CMEND_OK);
	}
	assert_int_equal(cmi_tickets_once(t, "message 0", NULL), CMEND_REFUSED);
	assert_int_equal(
		cmi_tickets_once(t, "one too many", NULL), CMEND_LIMIT);
	/* A name is no ticket. */
	assert_false(known(t, &(struct cmi_ticket_given){.id = "message 1"}));
	now_s += CMI_TICKET_LIFE_S;
	assert_int_equal(cmi_tickets_once(t, "message 0", NULL), CMEND_OK);
	assert_int_equal(cmi_tickets_once(t, "message 0", NULL), CMEND_REFUSED);
	cmi_tickets_free(t);
}

/* Without memory nothing is given, and what was given is still there. */
static cmend_status without_memory(void *ctx, cmend_error *err)
{
	struct cmi_ticket_given given = {.sip = ADA}, second = {.sip = ADA};
	struct cmi_ticket_given bobs = {.sip = "sip:bob@corp.example"};
	struct cmi_tickets *t = NULL;
	cmend_status status;

	(void)ctx;
	CMI_TRY(cmi_tickets_new(&env, &t, err));
	status = cmi_tickets_give(t, ENDPOINT, &given, err);
	if (!status)
		status = cmi_tickets_give(t, ENDPOINT, &second, err);
	if (!status)
		status = cmi_tickets_give(t, ENDPOINT, &bobs, err);
	if (!status)
		status = cmi_tickets_once(t, "message", err);
	if (*given.id && *second.id)
		assert_true(known(t, &given));
	assert_false(known(t, &(struct cmi_ticket_given){.id = "none"}));
	cmi_tickets_free(t);
	return status;
}

static void memory_runs_out(void **state)
{
	(void)state;
	torture(without_memory, NULL, TORTURE_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_is_good_once),
		cmocka_unit_test(one_user_crowds_out_nobody),
		cmocka_unit_test(a_full_server_is_small),
		cmocka_unit_test(what_happened_once_is_never_given_up),
		cmocka_unit_test(memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
