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
		cmocka_unit_test(failures_and_certificates_outlive_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
