/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <unistd.h>

#include "boot/acquire.h"
#include "boot/demo.h"
#include "boot/soap.h"
#include "core/file.h"
#include "forge.h"

static int remove_entry(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cmi-boot-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	(void)state;
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	forge_free_all();
	return 0;
}

static size_t files_in(const char *name)
{
	char path[128];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void plans(void **state)
{
	struct cmi_acquire_plan pin, usb;

	(void)state;
	pin = cmi_acquire_plan_for(CMI_FIRMWARE_FIXED, CMI_WAY_PIN);
	usb = cmi_acquire_plan_for(CMI_FIRMWARE_FIXED, CMI_WAY_USB);
	/* Fixed firmware knows no difference between the ways. */
	assert_memory_equal(&pin, &usb, sizeof(pin));
	assert_true(pin.aia && pin.port80 && !pin.port80_first);
	pin = cmi_acquire_plan_for(CMI_FIRMWARE_BROKEN, CMI_WAY_PIN);
	assert_true(pin.port80_first && !pin.port80 && !pin.aia);
	usb = cmi_acquire_plan_for(CMI_FIRMWARE_BROKEN, CMI_WAY_USB);
	assert_false(usb.port80_first || usb.port80 || usb.aia);
}

/* What may come over port 80, and where each piece must go. */
static void downloads_are_sorted(void **state)
{
	struct forge_order o_root = {.name = "Root", .ca = true};
	struct forged *root = forge(&o_root);
	struct forge_order o_int = {.name = "Int", .ca = true, .issuer = root};
	struct forged *inter = forge(&o_int);
	struct forge_order o_sub = {.name = "Sub", .ca = true, .issuer = inter};
	struct forged *sub = forge(&o_sub);
	struct forge_order o_leaf = {.name = "leaf", .issuer = root};
	struct forge_order o_old = {.name = "Old",
		.ca = true,
		.issuer = root,
		.until_s = FORGE_NOW - FORGE_DAY};
	struct forge_order o_evil = {.name = "Evil", .ca = true};
	struct forged *evil = forge(&o_evil);
	/* The anchor's name with another key. */
	struct forge_order o_twin = {.name = "Root", .ca = true};
	struct forged *twin = forge(&o_twin);
	struct forge_order o_evil_int = {
		.name = "Evil Int", .ca = true, .issuer = evil};
	struct forge_order o_twin_int = {
		.name = "Twin Int", .ca = true, .issuer = twin};
	struct cmi_cert *came[] = {root->c, evil->c, twin->c, sub->c, inter->c,
		forge(&o_leaf)->c, forge(&o_old)->c, forge(&o_evil_int)->c,
		forge(&o_twin_int)->c};
	struct cmi_cert_list list = {came, CMI_LEN(came), CMI_LEN(came)};
	struct cmi_net net = {0};
	struct cmi_stores stores;
	struct cmi_acquire a = {
		.stores = &stores, .net = &net, .at_s = FORGE_NOW};

	(void)state;
	assert_int_equal(cmi_stores_open(dir, NULL, &stores, NULL), CMEND_OK);
	assert_int_equal(
		cmi_trust_add(stores.anchors, root->c, NULL), CMEND_OK);
	assert_int_equal(cmi_acquire_sort(&a, &list, NULL), CMEND_OK);
	assert_int_equal(a.usable.n, 2);
	assert_true(cmi_cert_list_has(&a.usable, inter->c));
	assert_true(cmi_cert_list_has(&a.usable, sub->c));
	/* No anchor came of it. */
	assert_int_equal(cmi_trust_count(stores.anchors), 1);
	assert_int_equal(stores.quarantined, 2);
	assert_int_equal(files_in("quarantine"), 2);
	assert_int_equal(a.n_untrusted, 4);
	cmi_acquire_dispose(&a);
	cmi_stores_dispose(&stores);
}

static void only_an_administrator_installs(void **state)
{
	struct forge_order o_root = {.name = "Root", .ca = true};
	struct forged *root = forge(&o_root);
	struct cmi_stores stores;
	struct cmi_buf pem;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/given.pem", dir);
	cmi_buf_init(&pem, 65536);
	assert_int_equal(
		cmi_bundle_write(&root->c, 1, CMI_FORM_PEM, false, &pem, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_file_write(path, cmi_buf_view(&pem), 0600, NULL), CMEND_OK);
	cmi_buf_dispose(&pem);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(
			cmi_stores_open(dir, NULL, &stores, NULL), CMEND_OK);
		assert_int_equal(cmi_trust_count(stores.anchors), round);
		assert_int_equal(cmi_stores_quarantine(&stores, root->c, NULL),
			CMEND_OK);
		assert_int_equal(cmi_trust_count(stores.anchors), round);
		if (!round)
			assert_int_equal(
				cmi_stores_install(&stores, path, NULL),
				CMEND_OK);
		assert_int_equal(cmi_trust_count(stores.anchors), 1);
		cmi_stores_dispose(&stores);
	}
}

/* Both ends in one process; every event of both is kept. */
static struct cmi_buf events;
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_event(void *ctx, const struct cmi_event *e)
{
	(void)ctx;
	pthread_mutex_lock(&events_lock);
	cmi_buf_printf(&events, "%s|%s|%s|%lld\n", e->kind,
		e->subject ? e->subject : "", e->reason ? e->reason : "",
		(long long)e->number);
	pthread_mutex_unlock(&events_lock);
}

static bool tree_holds(const char *text)
{
	char command[256];
	FILE *f;
	int c;

	/* Every file the phone wrote. */
	snprintf(command, sizeof(command), "%s/all", dir);
	f = fopen(command, "w");
	assert_non_null(f);
	for (const char *const *name = (const char *const[]){"anchors.pem",
		     "issuers.db", "issuers.db-wal", "client.pem", NULL};
		*name; name++) {
		char path[256];
		FILE *in;

		snprintf(path, sizeof(path), "%s/%s", dir, *name);
		in = fopen(path, "r");
		while (in && (c = fgetc(in)) != EOF)
			fputc(c, f);
		if (in)
			fclose(in);
	}
	fclose(f);
	cmi_buf_clear(&events);
	assert_int_equal(cmi_file_read(command, &events, NULL), CMEND_OK);
	return memmem(events.p, events.n, text, strlen(text)) != NULL;
}

struct stage {
	struct cmi_env env;
	struct cmi_demo_pki pki;
	struct cmi_ledger *ledger;
	struct cmi_server *server;
	char root[128];
};

static void set_stage(struct stage *s, bool attack)
{
	const struct cmi_user ada = {
		CMI_DEMO_SIP, CMI_DEMO_NUMBER, NULL, CMI_DEMO_LOGIN};
	struct cmi_server_options o = {.address = "127.0.0.1",
		.http_port = CMI_PORT_ANY,
		.https_port = CMI_PORT_ANY,
		.sip_port = CMI_PORT_ANY,
		.host = CMI_DEMO_HOST,
		.n_chain = 1,
		.n_offer = 1};
	struct cmi_buf pem;

	*s = (struct stage){.env = *cmi_env_system()};
	s->env.event = keep_event;
	cmi_buf_init(&events, (size_t)1 << 20);
	assert_int_equal(cmi_demo_pki_make(&s->env, &s->pki, NULL), CMEND_OK);
	assert_int_equal(cmi_ledger_open(":memory:", &s->env, &s->ledger, NULL),
		CMEND_OK);
	assert_int_equal(cmi_ledger_add(s->ledger, &ada, NULL), CMEND_OK);
	assert_int_equal(
		cmi_ledger_set_pin(s->ledger, CMI_DEMO_SIP, CMI_DEMO_PIN, NULL),
		CMEND_OK);
	o.chain = attack ? &s->pki.bad_leaf.cert : &s->pki.leaf.cert;
	o.key = attack ? s->pki.bad_leaf.key : s->pki.leaf.key;
	o.offer = attack ? &s->pki.bad_root.cert : &s->pki.intermediate.cert;
	o.issuer = s->pki.issuer.cert;
	o.issuer_key = s->pki.issuer.key;
	o.ledger = s->ledger;
	o.env = &s->env;
	assert_int_equal(cmi_server_start(&o, &s->server, NULL), CMEND_OK);
	snprintf(s->root, sizeof(s->root), "%s/root.pem", dir);
	cmi_buf_init(&pem, 65536);
	assert_int_equal(cmi_bundle_write(&s->pki.root.cert, 1, CMI_FORM_PEM,
				 false, &pem, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_file_write(s->root, cmi_buf_view(&pem), 0600, NULL),
		CMEND_OK);
	cmi_buf_dispose(&pem);
}

static void clear_stage(struct stage *s)
{
	cmi_server_stop(s->server);
	cmi_ledger_close(s->ledger);
	cmi_demo_pki_dispose(&s->pki);
	cmi_buf_dispose(&events);
}

static struct cmi_phone_result call(struct stage *s, const char *pin)
{
	struct cmi_server_ports ports = cmi_server_ports(s->server);
	struct cmi_phone_options o = {.server = CMI_DEMO_HOST,
		.state_dir = dir,
		.anchors = s->root,
		.net = {.connect_to = "127.0.0.1",
			.http_port = ports.http,
			.https_port = ports.https,
			.sip_port = ports.sip,
			.env = &s->env},
		.name = CMI_DEMO_NUMBER,
		.sip = "",
		.secret = pin};
	struct cmi_phone_result r;
	cmend_error err = {0};

	if (cmi_phone_sign_in(&o, &r, &err) != CMEND_OK)
		fail_msg("%s", err.message);
	return r;
}

static void a_pin_is_never_told(void **state)
{
	struct cmi_phone_result good, bad;
	struct stage s;

	(void)state;
	set_stage(&s, false);
	bad = call(&s, "73519264");
	good = call(&s, CMI_DEMO_PIN);
	assert_false(bad.signed_in);
	assert_int_equal(bad.why, CMI_F_PIN_REFUSED);
	assert_null(strstr(bad.says, "73519264"));
	assert_true(good.signed_in);
	assert_string_equal(good.sip, CMI_DEMO_SIP);
	assert_true(memmem(events.p, events.n, "ticket-refused", 14) != NULL);
	assert_true(memmem(events.p, events.n, "IncorrectPin", 12) != NULL);
	assert_null(memmem(events.p, events.n, "73519264", 8));
	assert_null(
		memmem(events.p, events.n, CMI_DEMO_PIN, strlen(CMI_DEMO_PIN)));
	assert_false(tree_holds(CMI_DEMO_PIN));
	assert_true(tree_holds("BEGIN CERTIFICATE"));
	cmi_phone_result_dispose(&good);
	cmi_phone_result_dispose(&bad);
	clear_stage(&s);
}

static void an_attacker_gets_nothing(void **state)
{
	struct cmi_phone_result r;
	struct stage s;

	(void)state;
	set_stage(&s, true);
	r = call(&s, CMI_DEMO_PIN);
	assert_false(r.signed_in);
	assert_false(r.secret_sent);
	assert_int_equal(r.reached, CMI_PHONE_CONNECT);
	assert_int_equal(r.why, CMI_F_CHAIN_DOWNLOAD_UNTRUSTED);
	assert_int_equal(files_in("quarantine"), 1);
	assert_null(memmem(events.p, events.n, "/WebTicket", 10));
	/* Once more: what is in quarantine must not help. */
	cmi_phone_result_dispose(&r);
	r = call(&s, CMI_DEMO_PIN);
	assert_false(r.signed_in || r.secret_sent);
	cmi_phone_result_dispose(&r);
	clear_stage(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans),
		cmocka_unit_test_setup_teardown(
			downloads_are_sorted, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			only_an_administrator_installs, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			a_pin_is_never_told, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(
			an_attacker_gets_nothing, make_dir, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
