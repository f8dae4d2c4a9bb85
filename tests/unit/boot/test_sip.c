/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar without a network, at times that the test says. */
#include "test.h"

#include "boot/sip_bindings.h"
#include "boot/sip_registrar.h"
#include "boot/sip_sign.h"
#include "core/text.h"
#include "forge.h"

#define SIP "sip:ada@corp.example"

static int64_t now_s = FORGE_NOW;

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return now_s * 1000000;
}

struct stage {
	struct cmi_env env;
	struct cmi_ledger *ledger;
	struct cmi_registrar *registrar;
	struct cmi_sip_peer *peer;
	struct forged *phone, *server;
	struct cmi_dsk_keys keys;
	char opaque[32];
	uint32_t cseq, cnum;
	struct cmi_buf out; /* the answer */
	struct cmi_sip answer;
};

static void publish(struct stage *s, struct forged *f)
{
	struct cmi_cert *out = NULL;

	assert_int_equal(cmi_ledger_issue(s->ledger, SIP, "device",
				 f->c->sha256_hex, f->c, &out, NULL),
		CMEND_OK);
	cmi_cert_unref(out);
}

static void set_stage(struct stage *s, int64_t certificate_life_s)
{
	struct forge_order phone = {.name = "ada@corp.example",
		.until_s = FORGE_NOW + certificate_life_s};
	struct forge_order server = {.name = "pool"};
	const struct cmi_user ada = {SIP, "+15550100", NULL, NULL};
	struct cmi_registrar_options o = {.host = "pool.corp.example",
		.web = "web.corp.example",
		.web_port = 443,
		.n_chain = 1};

	now_s = FORGE_NOW;
	*s = (struct stage){.env = *cmi_env_system()};
	s->env.now_us = now_us;
	s->phone = forge(&phone);
	s->server = forge(&server);
	cmi_buf_init(&s->out, CMI_SIP_HEAD_MAX * 2);
	assert_int_equal(cmi_ledger_open(":memory:", &s->env, &s->ledger, NULL),
		CMEND_OK);
	assert_int_equal(cmi_ledger_add(s->ledger, &ada, NULL), CMEND_OK);
	publish(s, s->phone);
	o.chain = &s->server->c;
	o.key = s->server->key;
	o.ledger = s->ledger;
	o.env = &s->env;
	assert_int_equal(cmi_registrar_new(&o, &s->registrar, NULL), CMEND_OK);
	assert_int_equal(
		cmi_sip_peer_new(s->registrar, "192.0.2.9", &s->peer, NULL),
		CMEND_OK);
}

static void clear_stage(struct stage *s)
{
	cmi_sip_peer_free(s->peer);
	cmi_registrar_free(s->registrar);
	cmi_ledger_close(s->ledger);
	cmi_buf_dispose(&s->out);
}

static void begin(struct stage *s, struct cmi_buf *b, const char *more)
{
	cmi_buf_printf(b,
		"REGISTER sip:corp.example SIP/2.0\r\n"
		"Via: SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK1\r\n"
		"From: <" SIP ">;tag=a\r\nTo: <" SIP ">\r\n"
		"Call-ID: c@phone\r\nCSeq: %u REGISTER\r\n%s",
		++s->cseq, more);
}

static unsigned send(struct stage *s, struct cmi_buf *b)
{
	cmi_sip_end(b, (struct cmi_bytes){0});
	cmi_buf_clear(&s->out);
	assert_int_equal(
		cmi_sip_peer_take(s->peer, cmi_buf_view(b), &s->out, NULL),
		CMEND_OK);
	assert_int_equal(cmi_sip_read(cmi_buf_view(&s->out), &s->answer, NULL),
		CMEND_OK);
	cmi_buf_dispose(b);
	return s->answer.status;
}

static enum cmi_finding_id any(void *ctx, const struct cmi_sent_chain *chain)
{
	(void)ctx, (void)chain;
	return CMI_F_NONE;
}

static bool shake(struct stage *s, struct forged *with)
{
	struct cmi_dsk_options o = {
		.chain = &with->c, .n_chain = 1, .key = with->key};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf in, step;
	struct cmi_dsk_end *end = NULL;
	struct cmi_dsk *dsk = NULL;
	struct cmi_sip_auth auth;
	cmend_status status;
	struct cmi_buf b;

	cmi_buf_init(&in, CMI_DSK_STEP_MAX);
	cmi_buf_init(&step, CMI_DSK_STEP_MAX);
	*s->opaque = 0;
	assert_int_equal(cmi_dsk_end_new(&o, &end, NULL), CMEND_OK);
	assert_int_equal(cmi_dsk_new(end, any, NULL, &dsk, NULL), CMEND_OK);
	for (;;) {
		status = cmi_dsk_step(dsk, cmi_buf_view(&in), &step, NULL);
		if (status || cmi_dsk_done(dsk))
			break;
		cmi_buf_init(&b, CMI_SIP_HEAD_MAX);
		begin(s, &b, "Authorization: TLS-DSK ");
		if (*s->opaque)
			cmi_buf_printf(&b, "opaque=\"%s\", ", s->opaque);
		cmi_buf_text(&b, "gssapi-data=\"");
		cmi_base64(&b, cmi_buf_view(&step), 0, "");
		cmi_buf_text(&b, "\"\r\n");
		assert_int_equal(send(s, &b), 401);
		cmi_buf_clear(&step);
		cmi_buf_clear(&in);
		assert_int_equal(cmi_sip_find_dsk(&s->answer,
					 "www-authenticate", &auth, NULL),
			CMEND_OK);
		snprintf(s->opaque, sizeof(s->opaque), "%.*s",
			(int)cmi_sip_auth_param(&auth, "opaque").n,
			(const char *)cmi_sip_auth_param(&auth, "opaque").p);
		assert_int_equal(
			cmi_base64_decode(&in,
				cmi_sip_auth_param(&auth, "gssapi-data"), NULL),
			CMEND_OK);
	}
	if (!status)
		assert_int_equal(
			cmi_dsk_take_keys(dsk, &s->keys, NULL), CMEND_OK);
	cmi_dsk_free(dsk);
	cmi_dsk_end_free(end);
	return !status;
}

/* A REGISTER with these fields, signed. */
static unsigned ask(struct stage *s, const char *fields)
{
	struct cmi_sip_signer signer = {.version = 4,
		.realm = CMI_BYTES(CMI_SIP_REALM),
		.target = CMI_BYTES("pool.corp.example"),
		.rand = CMI_BYTES("0878f41b"),
		.num = ++s->cnum};
	char signature[CMI_DSK_SIGNATURE];
	struct cmi_buf b;

	cmi_buf_init(&b, CMI_SIP_HEAD_MAX);
	begin(s, &b, fields);
	assert_int_equal(cmi_sip_sign_head(&b, &signer, s->keys.client,
				 s->keys.hash, signature, NULL),
		CMEND_OK);
	cmi_buf_printf(&b,
		"Authorization: TLS-DSK opaque=\"%s\", crand=\"0878f41b\", "
		"cnum=\"%u\", response=\"%s\"\r\n",
		s->opaque, s->cnum, signature);
	return send(s, &b);
}

#define ONE "Contact: <sip:192.0.2.9>\r\nExpires: 7200\r\n"

static void an_association_runs_out(void **state)
{
	static const struct {
		const char *name;
		int64_t certificate_s, good_s, bad_s;
	} rows[] = {
		{"after eight hours", FORGE_DAY, 8 * 3600 - 1, 8 * 3600},
		{"with the certificate", 3600, 3599, 3600},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct stage s;

		print_message("row: %s\n", rows[i].name);
		set_stage(&s, rows[i].certificate_s);
		assert_true(shake(&s, s.phone));
		assert_int_equal(ask(&s, ONE), 200);
		now_s = FORGE_NOW + rows[i].good_s;
		assert_int_equal(ask(&s, ONE), 200);
		now_s = FORGE_NOW + rows[i].bad_s;
		assert_int_equal(ask(&s, ONE), 401);
		/* A new handshake helps while the certificate is good. */
		assert_int_equal(
			shake(&s, s.phone), rows[i].certificate_s > 8 * 3600);
		clear_stage(&s);
	}
}

static void certificates_refused(void **state)
{
	struct forge_order old = {.name = "old", .until_s = FORGE_NOW};
	struct forge_order early = {.name = "early", .from_s = FORGE_NOW + 1};
	struct forge_order other = {.name = "ada@corp.example"};
	struct stage s;

	(void)state;
	set_stage(&s, FORGE_DAY);
	assert_false(shake(&s, forge(&other)));
	for (int i = 0; i < 2; i++) {
		struct forged *f = forge(i ? &old : &early);

		publish(&s, f);
		assert_false(shake(&s, f));
	}
	/* The user goes: so does what was issued to him. */
	assert_true(shake(&s, s.phone));
	assert_int_equal(ask(&s, ONE), 200);
	assert_int_equal(cmi_ledger_remove(s.ledger, SIP, NULL), CMEND_OK);
	assert_int_equal(ask(&s, ONE), 403);
	assert_false(shake(&s, s.phone));
	clear_stage(&s);
}

static void registrations_run_out(void **state)
{
	struct stage s;

	(void)state;
	set_stage(&s, FORGE_DAY);
	assert_true(shake(&s, s.phone));
	assert_int_equal(ask(&s, ONE), 200);
	assert_int_equal(
		ask(&s, "Contact: <sip:b@x>;expires=100\r\nExpires: 9\r\n"),
		200);
	assert_int_equal(cmi_registrar_count(s.registrar), 2);
	now_s += 99;
	assert_int_equal(cmi_registrar_count(s.registrar), 2);
	now_s += 1;
	assert_int_equal(cmi_registrar_count(s.registrar), 1);
	now_s = FORGE_NOW + 7200;
	assert_int_equal(cmi_registrar_count(s.registrar), 0);
	/* Asked for longer than is given; removed one by one and all. */
	assert_int_equal(
		ask(&s, "Contact: <sip:b@x>, <sip:c@x>\r\nExpires: 99999\r\n"),
		200);
	now_s += 7200;
	assert_int_equal(cmi_registrar_count(s.registrar), 0);
	assert_int_equal(
		ask(&s, "Contact: <sip:b@x>, <sip:c@x>\r\nExpires: 100\r\n"),
		200);
	assert_int_equal(ask(&s, "Contact: <sip:b@x>;expires=0\r\n"), 200);
	assert_int_equal(cmi_registrar_count(s.registrar), 1);
	assert_int_equal(ask(&s, "Contact: *\r\nExpires: 0\r\n"), 200);
	assert_int_equal(cmi_registrar_count(s.registrar), 0);
	clear_stage(&s);
}

static void what_came_late(void **state)
{
	struct stage s;

	(void)state;
	set_stage(&s, FORGE_DAY);
	assert_true(shake(&s, s.phone));
	assert_int_equal(ask(&s, ONE), 200);
	s.cseq -= 2;
	assert_int_equal(
		ask(&s, "Contact: <sip:192.0.2.9>\r\nExpires: 0\r\n"), 500);
	assert_int_equal(cmi_registrar_count(s.registrar), 1);
	s.cseq -= 1;
	assert_int_equal(ask(&s, "Contact: *\r\nExpires: 0\r\n"), 500);
	assert_int_equal(cmi_registrar_count(s.registrar), 1);
	clear_stage(&s);
}

static void many_users(void **state)
{
	struct cmi_env env = *cmi_env_system();
	struct cmi_binding one = {.contact = "sip:a@x"};
	struct cmi_bindings *b = NULL;
	struct cmi_buf out;
	char sip[64];

	(void)state;
	now_s = FORGE_NOW;
	env.now_us = now_us;
	one.until_s = FORGE_NOW + 100;
	assert_int_equal(cmi_bindings_new(&env, &b, NULL), CMEND_OK);
	cmi_buf_init(&out, 65536);
	for (size_t i = 0; i < CMI_SIP_USERS_MAX; i++) {
		snprintf(sip, sizeof(sip), "sip:%zu@corp.example", i);
		cmi_buf_clear(&out);
		assert_int_equal(
			cmi_bindings_update(b, sip, &one, 1, false, &out, NULL),
			CMEND_OK);
	}
	assert_int_equal(cmi_bindings_count(b, "SIP:1@corp.example"), 1);
	assert_int_equal(
		cmi_bindings_update(b, "sip:x@y", &one, 1, false, &out, NULL),
		CMEND_LIMIT);
	/* Those that ran out make room. */
	now_s += 100;
	one.until_s = now_s + 100;
	assert_int_equal(
		cmi_bindings_update(b, "sip:x@y", &one, 1, false, &out, NULL),
		CMEND_OK);
	assert_int_equal(cmi_bindings_count(b, NULL), 1);
	cmi_bindings_free(b);
	cmi_buf_dispose(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_association_runs_out),
		cmocka_unit_test(certificates_refused),
		cmocka_unit_test(registrations_run_out),
		cmocka_unit_test(what_came_late),
		cmocka_unit_test(many_users),
	};

	return cmocka_run_group_tests(tests, NULL, forge_teardown);
}
