/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A phone that signs in again with the certificate it keeps, over sockets on
 * loopback; both ends share a clock that the test moves.
 */
#include "test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "boot/demo.h"
#include "core/file.h"

#define DAY_S INT64_C(86400)

static int64_t ahead_s; /* of the real clock */

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return cmi_now_us(NULL) + ahead_s * 1000000;
}

static const struct cmi_env env = {.now_us = now_us};

static struct cmi_demo_pki pki;
static struct cmi_ledger *ledger;
static struct cmi_server *server;
static char dir[64], root_pem[96], state[96], client_pem[128];

static int remove_entry(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void start_server(void)
{
	struct cmi_server_options o = {.address = "127.0.0.1",
		.http_port = CMI_PORT_ANY,
		.https_port = CMI_PORT_ANY,
		.sip_port = CMI_PORT_ANY,
		.host = CMI_DEMO_HOST,
		.chain = &pki.leaf.cert,
		.n_chain = 1,
		.key = pki.leaf.key,
		.offer = &pki.intermediate.cert,
		.n_offer = 1,
		.issuer = pki.issuer.cert,
		.issuer_key = pki.issuer.key,
		.ledger = ledger,
		.workers = 1,
		.env = &env};

	assert_int_equal(cmi_server_start(&o, &server, NULL), CMEND_OK);
}

static int set_up(void **ctx)
{
	const struct cmi_user user = {
		CMI_DEMO_SIP, CMI_DEMO_NUMBER, NULL, NULL};
	struct cmi_buf pem;

	(void)ctx;
	ahead_s = 0;
	snprintf(dir, sizeof(dir), "/tmp/test-again-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(root_pem, sizeof(root_pem), "%s/root.pem", dir);
	snprintf(state, sizeof(state), "%s/phone", dir);
	snprintf(client_pem, sizeof(client_pem), "%s/client.pem", state);
	assert_int_equal(cmi_demo_pki_make(&env, &pki, NULL), CMEND_OK);
	cmi_buf_init(&pem, 65536);
	assert_int_equal(cmi_bundle_write(&pki.root.cert, 1, CMI_FORM_PEM,
				 false, &pem, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_file_write(root_pem, cmi_buf_view(&pem), 0600, NULL),
		CMEND_OK);
	cmi_buf_dispose(&pem);
	assert_int_equal(
		cmi_ledger_open(":memory:", &env, &ledger, NULL), CMEND_OK);
	cmi_ledger_set_cost(ledger, 10);
	assert_int_equal(cmi_ledger_add(ledger, &user, NULL), CMEND_OK);
	assert_int_equal(
		cmi_ledger_set_pin(ledger, CMI_DEMO_SIP, CMI_DEMO_PIN, NULL),
		CMEND_OK);
	start_server();
	return 0;
}

static int tear_down(void **ctx)
{
	(void)ctx;
	cmi_server_stop(server);
	cmi_ledger_close(ledger);
	cmi_demo_pki_dispose(&pki);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static struct cmi_phone_result sign_in(enum cmi_way way, bool renew)
{
	struct cmi_server_ports ports = cmi_server_ports(server);
	struct cmi_phone_options o = {.way = way,
		.renew = renew,
		.server = CMI_DEMO_HOST,
		.state_dir = state,
		.anchors = root_pem,
		.net = {.connect_to = "127.0.0.1",
			.http_port = ports.http,
			.https_port = ports.https,
			.sip_port = ports.sip,
			.env = &env},
		.name = way == CMI_WAY_PIN ? CMI_DEMO_NUMBER : "",
		.secret = way == CMI_WAY_PIN ? CMI_DEMO_PIN : "",
		.sip = ""};
	struct cmi_phone_result r;

	assert_int_equal(cmi_phone_sign_in(&o, &r, NULL), CMEND_OK);
	if (way == CMI_WAY_CERTIFICATE)
		assert_false(r.secret_sent);
	return r;
}

/* The digest, and nothing left to free. */
static void digest_of(struct cmi_phone_result *r, char out[65])
{
	assert_true(r->signed_in);
	snprintf(out, 65, "%s", r->certificate->sha256_hex);
	cmi_phone_result_dispose(r);
}

static void by_pin(char digest[65])
{
	struct cmi_phone_result r = sign_in(CMI_WAY_PIN, false);

	assert_false(r.renewed);
	digest_of(&r, digest);
}

static void used_while_it_is_good(void **ctx)
{
	char first[65], again[65];
	struct cmi_phone_result r;

	(void)ctx;
	by_pin(first);
	/* 180 days, so the last quarter begins after 135. */
	ahead_s = 134 * DAY_S;
	r = sign_in(CMI_WAY_CERTIFICATE, false);
	assert_false(r.renewed);
	assert_string_equal(r.sip, CMI_DEMO_SIP);
	assert_true(r.registered_s > 0);
	digest_of(&r, again);
	assert_string_equal(first, again);
	assert_int_equal(cmi_ledger_issued(ledger), 1);
}

static void renewed_near_its_end(void **ctx)
{
	char first[65], second[65], third[65];
	struct cmi_phone_result r;

	(void)ctx;
	by_pin(first);
	ahead_s = 136 * DAY_S;
	r = sign_in(CMI_WAY_CERTIFICATE, false);
	assert_true(r.renewed);
	assert_true(r.certificate->not_after_s >
		    now_us(NULL) / 1000000 + 179 * DAY_S);
	digest_of(&r, second);
	assert_string_not_equal(first, second);
	assert_int_equal(cmi_ledger_issued(ledger), 2);
	/* In place: it is the new one that is used from now on. */
	ahead_s = 190 * DAY_S;
	r = sign_in(CMI_WAY_CERTIFICATE, false);
	assert_false(r.renewed);
	digest_of(&r, third);
	assert_string_equal(second, third);
}

static void renewed_when_asked(void **ctx)
{
	char first[65], second[65];
	struct cmi_phone_result r;

	(void)ctx;
	by_pin(first);
	r = sign_in(CMI_WAY_CERTIFICATE, true);
	assert_true(r.renewed);
	digest_of(&r, second);
	assert_string_not_equal(first, second);
}

static void refused(struct cmi_phone_result r, enum cmi_phone_state reached,
	enum cmi_finding_id why)
{
	assert_false(r.signed_in);
	assert_int_equal(r.reached, reached);
	assert_int_equal(r.why, why);
	cmi_phone_result_dispose(&r);
}

static void not_after_its_end(void **ctx)
{
	char first[65];

	(void)ctx;
	by_pin(first);
	ahead_s = 181 * DAY_S;
	refused(sign_in(CMI_WAY_CERTIFICATE, false), CMI_PHONE_LOCATE,
		CMI_F_EXPIRED_LEAF);
	refused(sign_in(CMI_WAY_CERTIFICATE, true), CMI_PHONE_LOCATE,
		CMI_F_EXPIRED_LEAF);
	/* The PIN still does. */
	by_pin(first);
}

static void not_without_one(void **ctx)
{
	(void)ctx;
	refused(sign_in(CMI_WAY_CERTIFICATE, false), CMI_PHONE_LOCATE,
		CMI_F_NONE);
}

static void not_of_a_user_who_is_gone(void **ctx)
{
	char first[65];

	(void)ctx;
	by_pin(first);
	assert_int_equal(
		cmi_ledger_remove(ledger, CMI_DEMO_SIP, NULL), CMEND_OK);
	refused(sign_in(CMI_WAY_CERTIFICATE, true), CMI_PHONE_TICKET,
		CMI_F_CLIENT_CERTIFICATE_REFUSED);
	refused(sign_in(CMI_WAY_CERTIFICATE, false), CMI_PHONE_REGISTER,
		CMI_F_REGISTRATION_REFUSED);
	assert_int_equal(cmi_ledger_issued(ledger), 1);
}

/* Nothing of a registration outlives the server but the certificate: the
 * phone is challenged anew and is registered again without a PIN. */
static void after_a_restart_of_the_server(void **ctx)
{
	char first[65], again[65];
	struct cmi_phone_result r;

	(void)ctx;
	by_pin(first);
	cmi_server_stop(server);
	start_server();
	r = sign_in(CMI_WAY_CERTIFICATE, false);
	assert_false(r.renewed);
	assert_true(r.registered_s > 0);
	digest_of(&r, again);
	assert_string_equal(first, again);
}

static void not_with_a_damaged_one(void **ctx)
{
	char first[65];

	(void)ctx;
	by_pin(first);
	assert_int_equal(
		cmi_file_write(client_pem, CMI_BYTES("-----"), 0600, NULL),
		CMEND_OK);
	refused(sign_in(CMI_WAY_CERTIFICATE, false), CMI_PHONE_LOCATE,
		CMI_F_NONE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(used_while_it_is_good),
		TEST(renewed_near_its_end),
		TEST(renewed_when_asked),
		TEST(not_after_its_end),
		TEST(not_without_one),
		TEST(not_of_a_user_who_is_gone),
		TEST(after_a_restart_of_the_server),
		TEST(not_with_a_damaged_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
