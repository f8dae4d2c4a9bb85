/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <unistd.h>

#include "boot/ledger.h"
#include "boot/pin.h"
#include "forge.h"

#define SIP   "sip:ada@corp.example"
#define PIN   "40961"
#define WRONG "40962"

static int64_t now_s = FORGE_NOW;

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return now_s * 1000000;
}

static const struct cmi_env env = {.now_us = now_us};

static struct cmi_ledger *fresh(void)
{
	struct cmi_ledger *l = NULL;
	const struct cmi_user ada = {SIP, "+15550100", "100", "ada"};

	now_s = FORGE_NOW;
	assert_int_equal(cmi_ledger_open(":memory:", &env, &l, NULL), CMEND_OK);
	cmi_ledger_set_cost(l, 10);
	assert_int_equal(cmi_ledger_add(l, &ada, NULL), CMEND_OK);
	assert_int_equal(cmi_ledger_set_pin(l, SIP, PIN, NULL), CMEND_OK);
	return l;
}

static enum cmi_pin_verdict try_pin(
	struct cmi_ledger *l, const char *who, const char *pin)
{
	enum cmi_pin_verdict v = CMI_PIN_INCORRECT;
	char sip[CMI_NAME_MAX + 8] = "";

	assert_int_equal(
		cmi_ledger_check_pin(l, who, pin, &v, sip, NULL), CMEND_OK);
	if (v == CMI_PIN_GOOD)
		assert_string_equal(sip, SIP);
	else
		assert_string_equal(sip, "");
	return v;
}

static void by_number_or_extension(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	assert_int_equal(try_pin(l, "+15550100", PIN), CMI_PIN_GOOD);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "100", ""), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "101", PIN), CMI_PIN_USER_DOES_NOT_EXIST);
	assert_int_equal(try_pin(l, "", PIN), CMI_PIN_USER_DOES_NOT_EXIST);
	assert_int_equal(
		try_pin(l, "' OR 1=1 --", PIN), CMI_PIN_USER_DOES_NOT_EXIST);
	cmi_ledger_close(l);
}

static void twenty_five_failures_lock_for_an_hour(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	for (unsigned i = 0; i < 24; i++)
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	now_s += CMI_PIN_LOCK_S - 1;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	now_s += 1;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	cmi_ledger_close(l);
}

static void the_window_forgets_and_success_resets(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	for (unsigned i = 0; i < 24; i++)
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	now_s += CMI_PIN_WINDOW_S;
	for (unsigned i = 0; i < 24; i++)
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	for (unsigned i = 0; i < 24; i++)
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	cmi_ledger_close(l);
}

static void a_thousand_lock_until_unlocked(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		/* Every half hour one: never a local lock. */
		now_s += CMI_PIN_WINDOW_S;
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	}
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	now_s += 365 * FORGE_DAY;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	assert_int_equal(cmi_ledger_lock(l, SIP, false, NULL), CMEND_OK);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	cmi_ledger_close(l);
}

static void an_administrator_locks(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	assert_int_equal(cmi_ledger_lock(l, SIP, true, NULL), CMEND_OK);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	assert_int_equal(cmi_ledger_lock(l, "sip:no@body.example", true, NULL),
		CMEND_NOT_FOUND);
	cmi_ledger_close(l);
}

static void the_pin_tells_users_of_one_number_apart(void **state)
{
	const struct cmi_user bob = {
		"sip:bob@corp.example", "+15550100", NULL, NULL};
	struct cmi_ledger *l = fresh();

	(void)state;
	assert_int_equal(cmi_ledger_add(l, &bob, NULL), CMEND_OK);
	assert_int_equal(
		cmi_ledger_set_pin(l, bob.sip, "83026", NULL), CMEND_OK);
	assert_int_equal(try_pin(l, "+15550100", PIN), CMI_PIN_GOOD);
	assert_int_equal(cmi_ledger_set_pin(l, bob.sip, PIN, NULL), CMEND_OK);
	assert_int_equal(try_pin(l, "+15550100", PIN), CMI_PIN_NON_UNIQUE_USER);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	cmi_ledger_close(l);
}

static void no_user_has_a_pin_by_default(void **state)
{
	const struct cmi_user bob = {
		"sip:bob@corp.example", "+15550101", NULL, NULL};
	struct cmi_ledger *l = fresh();

	(void)state;
	assert_int_equal(cmi_ledger_add(l, &bob, NULL), CMEND_OK);
	assert_int_equal(try_pin(l, "+15550101", PIN), CMI_PIN_NOT_SET);
	assert_int_equal(try_pin(l, "+15550101", ""), CMI_PIN_NOT_SET);
	assert_int_equal(cmi_ledger_add(l, &bob, NULL), CMEND_BUSY);
	assert_int_equal(cmi_ledger_remove(l, bob.sip, NULL), CMEND_OK);
	assert_int_equal(cmi_ledger_remove(l, bob.sip, NULL), CMEND_NOT_FOUND);
	assert_int_equal(
		cmi_ledger_set_pin(l, bob.sip, PIN, NULL), CMEND_NOT_FOUND);
	cmi_ledger_close(l);
}

static void set_policy(struct cmi_ledger *l, unsigned days, unsigned history,
	unsigned attempts)
{
	const struct cmi_pin_policy p = {.min_length = 5,
		.life_days = days,
		.history = history,
		.local_max = attempts};

	assert_int_equal(cmi_ledger_set_policy(l, &p, NULL), CMEND_OK);
}

static void a_pin_ends_to_the_second(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	now_s += 30 * FORGE_DAY;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	/* It counts from when it was set, whenever the policy came. */
	set_policy(l, 31, 1, 0);
	now_s += FORGE_DAY - 1;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	now_s += 1;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_EXPIRED);
	/* Who does not know it learns nothing of that. */
	assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	/* The old one again would be no new one. */
	assert_int_equal(cmi_ledger_set_pin(l, SIP, PIN, NULL), CMEND_REFUSED);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_EXPIRED);
	assert_int_equal(cmi_ledger_set_pin(l, SIP, "83026", NULL), CMEND_OK);
	assert_int_equal(try_pin(l, "100", "83026"), CMI_PIN_GOOD);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_INCORRECT);
	/* No life at all: for ever. */
	set_policy(l, 0, 0, 0);
	now_s += 999 * FORGE_DAY;
	assert_int_equal(try_pin(l, "100", "83026"), CMI_PIN_GOOD);
	cmi_ledger_close(l);
}

static void passwords_do_not_end(void **state)
{
	enum cmi_pin_verdict v = CMI_PIN_INCORRECT;
	struct cmi_ledger *l = fresh();
	char sip[CMI_NAME_MAX + 8];

	(void)state;
	assert_int_equal(
		cmi_ledger_set_password(l, SIP, "a long one", NULL), CMEND_OK);
	set_policy(l, 1, 1, 0);
	now_s += 2 * FORGE_DAY;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_EXPIRED);
	assert_int_equal(cmi_ledger_check_password(
				 l, "ada", "a long one", &v, sip, NULL),
		CMEND_OK);
	assert_int_equal(v, CMI_PIN_GOOD);
	cmi_ledger_close(l);
}

/* "If the history is three, the first three changes must bring a new PIN; the
 * fourth may bring back the first, the fifth the second." */
static void a_history_of_three(void **state)
{
	static const char *const pins[] = {PIN, "83026", "59174", "26805"};
	struct cmi_ledger *l = fresh();

	(void)state;
	set_policy(l, 0, 3, 0);
	for (size_t change = 1; change < 4; change++) {
		for (size_t old = 0; old < change; old++)
			assert_int_equal(
				cmi_ledger_set_pin(l, SIP, pins[old], NULL),
				CMEND_REFUSED);
		assert_int_equal(cmi_ledger_set_pin(l, SIP, pins[change], NULL),
			CMEND_OK);
		assert_int_equal(try_pin(l, "100", pins[change]), CMI_PIN_GOOD);
	}
	assert_int_equal(
		cmi_ledger_set_pin(l, SIP, pins[1], NULL), CMEND_REFUSED);
	assert_int_equal(cmi_ledger_set_pin(l, SIP, pins[0], NULL), CMEND_OK);
	assert_int_equal(cmi_ledger_set_pin(l, SIP, pins[1], NULL), CMEND_OK);
	/* None: over and over again. */
	set_policy(l, 0, 0, 0);
	assert_int_equal(cmi_ledger_set_pin(l, SIP, pins[1], NULL), CMEND_OK);
	/* Nobody's history outlives the user. */
	set_policy(l, 0, 3, 0);
	assert_int_equal(cmi_ledger_remove(l, SIP, NULL), CMEND_OK);
	assert_int_equal(
		cmi_ledger_add(
			l, &(struct cmi_user){SIP, NULL, "100", NULL}, NULL),
		CMEND_OK);
	assert_int_equal(cmi_ledger_set_pin(l, SIP, pins[1], NULL), CMEND_OK);
	cmi_ledger_close(l);
}

/* "An explicit number changes the local limit only." */
static void attempts_by_policy(void **state)
{
	struct cmi_ledger *l = fresh();

	(void)state;
	set_policy(l, 0, 0, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	now_s += CMI_PIN_LOCK_S;
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_GOOD);
	set_policy(l, 0, 0, 999);
	for (unsigned i = 0; i < 997; i++)
		assert_int_equal(try_pin(l, "100", WRONG), CMI_PIN_INCORRECT);
	/* A thousand in all. */
	assert_int_equal(try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
	cmi_ledger_close(l);
}

static void policies_that_cannot_be(void **state)
{
	struct cmi_pin_policy p = {.min_length = 5, .life_days = 30};
	struct cmi_ledger *l = fresh();

	(void)state;
	assert_int_equal(cmi_ledger_set_policy(l, &p, NULL), CMEND_REFUSED);
	assert_int_equal(cmi_ledger_policy(l, &p, NULL), CMEND_OK);
	assert_int_equal(p.life_days, 0);
	cmi_ledger_close(l);
}

/* Two who have the record open, as a server and its administrator. */
static void a_policy_is_on_record(void **state)
{
	struct cmi_ledger *server, *administrator;
	char path[] = "/tmp/cmi-ledger-XXXXXX";
	struct cmi_pin_policy p;

	(void)state;
	now_s = FORGE_NOW;
	close(mkstemp(path));
	assert_int_equal(cmi_ledger_open(path, &env, &server, NULL), CMEND_OK);
	cmi_ledger_set_cost(server, 10);
	assert_int_equal(
		cmi_ledger_add(server,
			&(struct cmi_user){SIP, NULL, "100", NULL}, NULL),
		CMEND_OK);
	assert_int_equal(cmi_ledger_set_pin(server, SIP, PIN, NULL), CMEND_OK);
	assert_int_equal(
		cmi_ledger_open(path, &env, &administrator, NULL), CMEND_OK);
	set_policy(administrator, 7, 2, 9);
	cmi_ledger_close(administrator);
	now_s += 7 * FORGE_DAY;
	assert_int_equal(try_pin(server, "100", PIN), CMI_PIN_EXPIRED);
	cmi_ledger_close(server);
	assert_int_equal(cmi_ledger_open(path, &env, &server, NULL), CMEND_OK);
	assert_int_equal(cmi_ledger_policy(server, &p, NULL), CMEND_OK);
	assert_int_equal(p.min_length, 5);
	assert_int_equal(p.life_days, 7);
	assert_int_equal(p.history, 2);
	assert_int_equal(p.local_max, 9);
	cmi_ledger_close(server);
	unlink(path);
}

static bool file_holds(const char *path, const char *text)
{
	char buf[65536];
	FILE *f = fopen(path, "rb");
	bool found = false;
	size_t n;

	if (!f)
		return false;
	n = fread(buf, 1, sizeof(buf), f);
	found = memmem(buf, n, text, strlen(text)) != NULL;
	fclose(f);
	return found;
}

static void failures_and_certificates_outlive_the_process(void **state)
{
	struct forge_order order = {.name = "phone"};
	struct cmi_cert *first, *again;
	char path[] = "/tmp/cmi-ledger-XXXXXX", wal[64];
	const struct cmi_user ada = {SIP, "1", "100", NULL};
	char sip[CMI_NAME_MAX + 8];
	struct cmi_ledger *l;

	(void)state;
	close(mkstemp(path));
	snprintf(wal, sizeof(wal), "%s-wal", path);
	first = forge(&order)->c;
	again = forge(&order)->c;
	for (int round = 0; round < 2; round++) {
		struct cmi_cert *got = NULL;

		assert_int_equal(
			cmi_ledger_open(path, &env, &l, NULL), CMEND_OK);
		cmi_ledger_set_cost(l, 10);
		if (!round) {
			assert_int_equal(
				cmi_ledger_add(l, &ada, NULL), CMEND_OK);
			assert_int_equal(cmi_ledger_set_pin(l, SIP, PIN, NULL),
				CMEND_OK);
			for (unsigned i = 0; i < 25; i++)
				try_pin(l, "100", WRONG);
		}
		assert_int_equal(
			try_pin(l, "100", PIN), CMI_PIN_ACCOUNT_LOCKED);
		/* The same request gives the same certificate. */
		assert_int_equal(cmi_ledger_issue(l, SIP, "{1}", "req-1",
					 round ? again : first, &got, NULL),
			CMEND_OK);
		assert_true(cmi_cert_equal(got, first));
		assert_int_equal(cmi_ledger_issued(l), 1);
		assert_int_equal(
			cmi_ledger_owner(l, first, sip, NULL), CMEND_OK);
		assert_string_equal(sip, SIP);
		assert_int_equal(
			cmi_ledger_owner(l, again, sip, NULL), CMEND_NOT_FOUND);
		cmi_cert_unref(got);
		assert_false(file_holds(path, PIN));
		assert_false(file_holds(wal, PIN));
		cmi_ledger_close(l);
	}
	unlink(path);
	forge_free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_number_or_extension),
		cmocka_unit_test(twenty_five_failures_lock_for_an_hour),
		cmocka_unit_test(the_window_forgets_and_success_resets),
		cmocka_unit_test(a_thousand_lock_until_unlocked),
		cmocka_unit_test(an_administrator_locks),
		cmocka_unit_test(the_pin_tells_users_of_one_number_apart),
		cmocka_unit_test(no_user_has_a_pin_by_default),
		cmocka_unit_test(a_pin_ends_to_the_second),
		cmocka_unit_test(passwords_do_not_end),
		cmocka_unit_test(a_history_of_three),
		cmocka_unit_test(attempts_by_policy),
		cmocka_unit_test(policies_that_cannot_be),
		cmocka_unit_test(a_policy_is_on_record),
		cmocka_unit_test(failures_and_certificates_outlive_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
