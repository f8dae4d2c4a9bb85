/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "boot/dsk.h"
#include "core/text.h"
#include "forge.h"

/* openssl dgst -sha1|-md5 -mac HMAC -macopt hexkey:000102...1f */
static const struct {
	const char *name, *text;
	struct cmi_dsk_text t;
	const char *sha1, *md5;
} signatures[] = {
	{"a REGISTER",
		"<TLS-DSK><0878f41b><1><SIP Communications Service>"
		"<pool.corp.example><c1@phone><3><REGISTER>"
		"<sip:ada@corp.example><a1><sip:ada@corp.example><><><><7200>",
		{.version = 4, .num = 1},
		"2A55DE0C2CAC8BE28A9AB821301EDBAEE9350C83",
		"59993A847CAD06C61609053D8CE1CE72"},
	{"an answer with everything",
		"<TLS-DSK><deadbeef><17><SIP Communications Service>"
		"<pool.corp.example><c1@phone><3><REGISTER>"
		"<sip:ada@corp.example><a1><sip:ada@corp.example><b2>"
		"<sip:ada@corp.example><tel:+15550100><7200><200>",
		{.version = 3, .num = 17, .status = 200},
		"8E162E28C2E824C182F303EBB7DC258FBB27CCBF",
		"E356DAF05D742E2001CE700A6D2E31D7"},
	{"the short form",
		"<TLS-DSK><0878f41b><1><SIP Communications Service>"
		"<pool.corp.example><c1@phone><3><REGISTER>"
		"<sip:ada@corp.example><a1><><>",
		{.version = 2, .num = 1},
		"A9F8A51EEF6D04E86984F91A63F3B16ED3662FF0",
		"0185F86D1B0BBAEFFDF06670544AF654"},
};

static struct cmi_dsk_text text_of(size_t row)
{
	struct cmi_dsk_text t = signatures[row].t;

	t.rand = row == 1 ? CMI_BYTES("deadbeef") : CMI_BYTES("0878f41b");
	t.realm = CMI_BYTES("SIP Communications Service");
	t.target = CMI_BYTES("pool.corp.example");
	t.call_id = CMI_BYTES("c1@phone");
	t.cseq = 3;
	t.method = CMI_BYTES("REGISTER");
	t.from_uri = t.to_uri = CMI_BYTES("sip:ada@corp.example");
	t.from_tag = CMI_BYTES("a1");
	if (row < 2)
		t.expires = CMI_BYTES("7200");
	if (row == 1) {
		t.to_tag = CMI_BYTES("b2");
		t.asserted_sip = CMI_BYTES("sip:ada@corp.example");
		t.asserted_tel = CMI_BYTES("tel:+15550100");
	}
	return t;
}

static void signature_vectors(void **state)
{
	uint8_t key[CMI_DSK_KEY_LEN];
	char got[CMI_DSK_SIGNATURE];

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (size_t i = 0; i < CMI_LEN(signatures); i++) {
		struct cmi_dsk_text t = text_of(i);
		struct cmi_buf b;

		print_message("row: %s\n", signatures[i].name);
		cmi_buf_init(&b, 4096);
		cmi_dsk_write_text(&t, &b);
		assert_string_equal(cmi_buf_cstr(&b), signatures[i].text);
		cmi_buf_dispose(&b);
		assert_int_equal(cmi_dsk_sign(key, CMI_DSK_SHA1, &t, got, NULL),
			CMEND_OK);
		assert_string_equal(got, signatures[i].sha1);
		assert_int_equal(cmi_dsk_sign(key, CMI_DSK_MD5, &t, got, NULL),
			CMEND_OK);
		assert_string_equal(got, signatures[i].md5);
	}
}

static void signatures_that_do_not_hold(void **state)
{
	uint8_t key[CMI_DSK_KEY_LEN] = {1}, other[CMI_DSK_KEY_LEN] = {2};
	struct cmi_dsk_text t = text_of(1), changed;
	char good[CMI_DSK_SIGNATURE], lower[CMI_DSK_SIGNATURE];

	(void)state;
	assert_int_equal(
		cmi_dsk_sign(key, CMI_DSK_SHA1, &t, good, NULL), CMEND_OK);
#define CHECK(k, hash, text, sig)                                              \
	cmi_dsk_check(k, hash, text, cmi_bytes_of(sig), NULL)
	assert_int_equal(CHECK(key, CMI_DSK_SHA1, &t, good), CMEND_OK);
	assert_int_equal(CHECK(other, CMI_DSK_SHA1, &t, good), CMEND_REFUSED);
	assert_int_equal(CHECK(key, CMI_DSK_MD5, &t, good), CMEND_REFUSED);
	assert_int_equal(CHECK(key, CMI_DSK_SHA1, &t, ""), CMEND_REFUSED);
	assert_int_equal(CHECK(key, CMI_DSK_SHA1, &t, good + 1), CMEND_REFUSED);
	for (size_t i = 0; i < sizeof(good); i++)
		lower[i] = (char)(good[i] >= 'A' ? good[i] | 32 : good[i]);
	assert_int_equal(CHECK(key, CMI_DSK_SHA1, &t, lower), CMEND_REFUSED);
	/* Each field is covered. */
#define CHANGED(field, value)                                                  \
	changed = t;                                                           \
	changed.field = value;                                                 \
	assert_int_equal(                                                      \
		CHECK(key, CMI_DSK_SHA1, &changed, good), CMEND_REFUSED)
	CHANGED(rand, CMI_BYTES("deadbeee"));
	CHANGED(num, 18);
	CHANGED(realm, CMI_BYTES("x"));
	CHANGED(target, CMI_BYTES("x"));
	CHANGED(call_id, CMI_BYTES("x"));
	CHANGED(cseq, 4);
	CHANGED(method, CMI_BYTES("INVITE"));
	CHANGED(from_uri, CMI_BYTES("sip:eve@corp.example"));
	CHANGED(from_tag, CMI_BYTES("x"));
	CHANGED(to_uri, CMI_BYTES("sip:eve@corp.example"));
	CHANGED(to_tag, CMI_BYTES("x"));
	CHANGED(asserted_sip, CMI_BYTES("x"));
	CHANGED(asserted_tel, CMI_BYTES("x"));
	CHANGED(expires, CMI_BYTES("0"));
	CHANGED(status, 403);
	CHANGED(version, 2);
}

static void lives(void **state)
{
	static const struct {
		const char *name;
		int64_t left_s, life_s;
	} rows[] = {
		{"a long certificate: eight hours less five minutes", FORGE_DAY,
			8 * 3600 - 300},
		{"a short one", 3600, 3300},
		{"one second above the buffer", 301, 1},
		{"the buffer itself", 300, 0},
		{"run out", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_dsk_life_s(FORGE_NOW, FORGE_NOW + rows[i].left_s),
			rows[i].life_s);
	}
}

/* RFC 2246 section 5 and RFC 5246 section 5 by another road than the TLS
 * exporter: libcrypto's KDF. */
static void prf(const char *digest, const uint8_t *secret, size_t n_secret,
	uint8_t seed[85], uint8_t out[128])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST,
				       (char *)digest, strlen(digest)),
		OSSL_PARAM_octet_string(
			OSSL_KDF_PARAM_SECRET, (void *)secret, n_secret),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, seed, 85),
		OSSL_PARAM_END};

	assert_int_equal(EVP_KDF_derive(ctx, out, 128, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void seed_of(const uint8_t *client, const uint8_t *server, uint8_t *seed)
{
	memcpy(seed, "client EAP encryption", 21);
	memcpy(seed + 21, client, 32);
	memcpy(seed + 53, server, 32);
}

/* That the road above is the right one: openssl kdf -keylen 128 with
 * secret ab*48, randoms 01*32 and 02*32. */
static void prf_vectors(void **state)
{
	static const struct {
		const char *digest, *third, *fourth;
	} rows[] = {
		{"SHA256",
			"b0cf89db08439531accd73e73ce2d1bd1f4a250e516c4523b88365"
			"b09f2bfbc1",
			"362565e3a59196376765c6a5a45573a84d768d8d64a897aa558171"
			"703ace873e"},
		{"MD5-SHA1",
			"53ffd36c3935363c4f25d096fd6533c50ea6bb057440e697b26d3d"
			"64e9886206",
			"7b7e9e5ec0d32a199974fc615aaa5b4d908b8d869678b979129f85"
			"e98e20a102"},
	};
	uint8_t secret[48], one[32], two[32], seed[85], out[128];
	char hex[65];

	(void)state;
	memset(secret, 0xab, sizeof(secret));
	memset(one, 1, sizeof(one));
	memset(two, 2, sizeof(two));
	seed_of(one, two, seed);
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		prf(rows[i].digest, secret, sizeof(secret), seed, out);
		cmi_hex_cstr(hex, out + 64, 32);
		assert_string_equal(hex, rows[i].third);
		cmi_hex_cstr(hex, out + 96, 32);
		assert_string_equal(hex, rows[i].fourth);
	}
}

static SSL *plain_end(bool server, int version, const struct forged *f)
{
	SSL_CTX *ctx =
		SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	SSL *ssl;

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_cipher_list(ctx, "AES128-SHA");
	/* The test is about keys, not about trust. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if (server) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, f->x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, f->key), 1);
	}
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

static void keys_are_the_prf(void **state)
{
	static const struct {
		int version;
		const char *digest;
	} rows[] = {{TLS1_2_VERSION, "SHA256"}, {TLS1_VERSION, "MD5-SHA1"}};
	struct forge_order order = {.name = "pool",
		.rsa_bits = 2048,
		.usage = "critical,keyEncipherment,digitalSignature"};
	struct forged *f = forge(&order);

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		SSL *c = plain_end(false, rows[i].version, f);
		SSL *s = plain_end(true, rows[i].version, f);
		uint8_t master[48], one[32], two[32], seed[85], want[128];
		struct cmi_dsk_keys keys, others;
		BIO *a, *b;

		assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
		SSL_set_bio(c, a, a);
		SSL_set_bio(s, b, b);
		for (int n = 0; n < 8 && !(SSL_is_init_finished(c) &&
						 SSL_is_init_finished(s));
			n++) {
			SSL_do_handshake(c);
			SSL_do_handshake(s);
		}
		assert_int_equal(cmi_dsk_keys_of(c, &keys, NULL), CMEND_OK);
		assert_int_equal(cmi_dsk_keys_of(s, &others, NULL), CMEND_OK);
		assert_memory_equal(&keys, &others, sizeof(keys));
		assert_int_equal(keys.hash, CMI_DSK_SHA1);
		SSL_SESSION_get_master_key(SSL_get_session(c), master, 48);
		SSL_get_client_random(c, one, 32);
		SSL_get_server_random(c, two, 32);
		seed_of(one, two, seed);
		prf(rows[i].digest, master, 48, seed, want);
		assert_memory_equal(keys.client, want + 64, 32);
		assert_memory_equal(keys.server, want + 96, 32);
		SSL_free(c);
		SSL_free(s);
	}
}

static enum cmi_finding_id accept(void *ctx, const struct cmi_sent_chain *chain)
{
	const struct cmi_cert *want = ctx;

	return cmi_bytes_equal(chain->leaf->der, want->der)
		       ? CMI_F_NONE
		       : CMI_F_CLIENT_CERTIFICATE_REFUSED;
}

struct pair {
	struct cmi_dsk_end *phone_end, *server_end;
	struct cmi_dsk *phone, *server;
	unsigned steps; /* messages with TLS in them */
	cmend_status status;
};

/* The messages of section 1.5, step by step, until both are done or one
 * refuses. */
static struct pair shake(const struct forged *phone, bool phone_legacy,
	const struct forged *server, bool server_legacy,
	const struct forged *published, const struct forged *known)
{
	struct cmi_cert *p_chain[] = {phone->c}, *s_chain[] = {server->c};
	struct cmi_dsk_options po = {.legacy = phone_legacy,
		.chain = p_chain,
		.n_chain = 1,
		.key = phone->key};
	struct cmi_dsk_options so = {.server = true,
		.legacy = server_legacy,
		.chain = s_chain,
		.n_chain = 1,
		.key = server->key};
	struct pair p = {0};
	struct cmi_buf a, b;

	cmi_buf_init(&a, CMI_DSK_STEP_MAX);
	cmi_buf_init(&b, CMI_DSK_STEP_MAX);
	assert_int_equal(cmi_dsk_end_new(&po, &p.phone_end, NULL), CMEND_OK);
	assert_int_equal(cmi_dsk_end_new(&so, &p.server_end, NULL), CMEND_OK);
	assert_int_equal(
		cmi_dsk_new(p.phone_end, accept, known->c, &p.phone, NULL),
		CMEND_OK);
	assert_int_equal(cmi_dsk_new(p.server_end, accept, published->c,
				 &p.server, NULL),
		CMEND_OK);
	while (!p.status && !cmi_dsk_done(p.phone)) {
		p.status = cmi_dsk_step(p.phone, cmi_buf_view(&b), &a, NULL);
		cmi_buf_clear(&b);
		p.steps += a.n > 0;
		if (p.status || !a.n)
			break;
		p.status = cmi_dsk_step(p.server, cmi_buf_view(&a), &b, NULL);
		cmi_buf_clear(&a);
		p.steps += b.n > 0;
	}
	cmi_buf_dispose(&a);
	cmi_buf_dispose(&b);
	return p;
}

static void part(struct pair *p)
{
	cmi_dsk_free(p->phone);
	cmi_dsk_free(p->server);
	cmi_dsk_end_free(p->phone_end);
	cmi_dsk_end_free(p->server_end);
}

static void handshakes(void **state)
{
	struct forge_order ec = {.name = "ec"},
			   rsa = {.name = "rsa", .rsa_bits = 2048, .usage = ""};
	const struct forged *e = forge(&ec), *r = forge(&rsa), *x = forge(&ec);
	const struct {
		const char *name;
		const struct forged *phone;
		bool phone_old;
		const struct forged *server;
		bool server_old;
		const struct forged *published, *known;
		bool good;
	} rows[] = {
		{"EC and RSA", e, false, r, false, e, r, true},
		{"EC and EC", e, false, x, false, e, x, true},
		{"RSA and RSA", r, false, r, false, r, r, true},
		{"old phone, old server", r, true, r, true, r, r, true},
		{"old phone with EC", e, true, r, true, e, r, true},
		{"new phone, old server", e, false, r, true, e, r, true},
		{"old phone, new server", r, true, r, false, r, r, false},
		{"old phone, EC server", r, true, e, true, r, e, false},
		{"not the published one", e, false, r, false, x, r, false},
		{"not the server it knows", e, false, r, false, e, x, false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct pair p = shake(rows[i].phone, rows[i].phone_old,
			rows[i].server, rows[i].server_old, rows[i].published,
			rows[i].known);
		struct cmi_dsk_keys one, two;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			p.status, rows[i].good ? CMEND_OK : CMEND_REFUSED);
		if (rows[i].good) {
			/* ClientHello, server's flight, client's flight,
			 * Finished. */
			assert_int_equal(p.steps, 4);
			assert_int_equal(cmi_dsk_take_keys(p.phone, &one, NULL),
				CMEND_OK);
			assert_int_equal(
				cmi_dsk_take_keys(p.server, &two, NULL),
				CMEND_OK);
			assert_memory_equal(&one, &two, sizeof(one));
			assert_memory_not_equal(
				one.client, one.server, CMI_DSK_KEY_LEN);
		} else {
			assert_false(cmi_dsk_done(p.phone) &&
				     cmi_dsk_done(p.server));
		}
		part(&p);
	}
}

static void steps_refused(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes in;
	} rows[] = {
		{"no TLS", CMI_BYTES("GET / HTTP/1.0\r\n\r\n")},
		{"SSL 2", CMI_BYTES("\x80\x05\x01\x00\x02\x00\x00")},
		{"application data first",
			CMI_BYTES("\x17\x03\x03\x00\x01\x00")},
	};
	static const uint8_t hello[] = {22, 3, 1, 0, 200, 1, 0, 0, 196};
	struct forge_order order = {.name = "ec"};
	const struct forged *e = forge(&order);
	struct cmi_cert *chain[] = {e->c};
	struct cmi_dsk_options o = {
		.server = true, .chain = chain, .n_chain = 1, .key = e->key};
	struct cmi_dsk_end *end = NULL;
	struct cmi_dsk_keys keys;
	struct cmi_dsk *d = NULL;
	struct cmi_buf out;

	(void)state;
	cmi_buf_init(&out, CMI_DSK_STEP_MAX);
	assert_int_equal(cmi_dsk_end_new(&o, &end, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_dsk_new(end, accept, e->c, &d, NULL), CMEND_OK);
		assert_int_equal(
			cmi_dsk_step(d, rows[i].in, &out, NULL), CMEND_REFUSED);
		/* And nothing after a failure. */
		assert_int_equal(
			cmi_dsk_step(d, rows[i].in, &out, NULL), CMEND_REFUSED);
		assert_int_equal(
			cmi_dsk_take_keys(d, &keys, NULL), CMEND_REFUSED);
		cmi_dsk_free(d);
	}
	/* A byte a step: the number of steps is bounded. */
	assert_int_equal(cmi_dsk_new(end, accept, e->c, &d, NULL), CMEND_OK);
	for (unsigned i = 0; i < CMI_DSK_STEPS_MAX; i++)
		assert_int_equal(
			cmi_dsk_step(d, (struct cmi_bytes){hello + i, 1}, &out,
				NULL),
			CMEND_OK);
	assert_int_equal(
		cmi_dsk_step(d, (struct cmi_bytes){hello + 6, 1}, &out, NULL),
		CMEND_REFUSED);
	cmi_dsk_free(d);
	cmi_dsk_end_free(end);
	cmi_buf_dispose(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signature_vectors),
		cmocka_unit_test(signatures_that_do_not_hold),
		cmocka_unit_test(lives),
		cmocka_unit_test(prf_vectors),
		cmocka_unit_test(keys_are_the_prf),
		cmocka_unit_test(handshakes),
		cmocka_unit_test(steps_refused),
	};

	return cmocka_run_group_tests(tests, NULL, forge_teardown);
}
