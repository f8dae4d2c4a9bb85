/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real TLS connections, made in memory by OpenSSL's two ends, their bytes and
 * key log handed to a session: what was protected must be read.
 */
#include "test.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "capture/decrypt.h"
#include "talk.h"

static const struct cmi_stream_info info = {
	.client = {.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
	.server = {.family = 4, .addr = {10, 0, 0, 1}, .port = 4430},
	.saw_syn = true,
	.saw_syn_ack = true,
};

struct made {
	EVP_PKEY *key;
	X509 *cert;
};

static struct made made;

static int make_certificate(void **state)
{
	X509_NAME *name;

	(void)state;
	made.key = EVP_RSA_gen(2048);
	made.cert = X509_new();
	name = X509_get_subject_name(made.cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)"web.example", -1, -1, 0);
	X509_set_issuer_name(made.cert, name);
	ASN1_INTEGER_set(X509_get_serialNumber(made.cert), 7);
	X509_gmtime_adj(X509_getm_notBefore(made.cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(made.cert), 86400);
	X509_set_pubkey(made.cert, made.key);
	return X509_sign(made.cert, made.key, EVP_sha256()) > 0 ? 0 : -1;
}

static int dispose_certificate(void **state)
{
	(void)state;
	EVP_PKEY_free(made.key);
	X509_free(made.cert);
	return 0;
}

/* One connection between two ends in memory. */
struct wire {
	SSL_CTX *ctx[2];
	SSL *ssl[2];
	struct cmi_buf said[TALK_MAX]; /* what each turn of the talk says */
	struct talk talk;
	struct cmi_buf keys;
};

static void log_key(const SSL *ssl, const char *line)
{
	struct cmi_buf *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	cmi_buf_text(keys, line);
	cmi_buf_text(keys, "\n");
}

struct setting {
	const char *name;
	int version;
	const char *suites; /* TLS 1.3's, or the older ones' */
	uint64_t options;
	const char *says; /* in the record */
};

static SSL_CTX *make_end(struct wire *w, const struct setting *s, bool server)
{
	SSL_CTX *ctx =
		SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_min_proto_version(ctx, s->version);
	SSL_CTX_set_max_proto_version(ctx, s->version);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(ctx, s->options | SSL_OP_NO_TICKET);
	if (s->version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(ctx, s->suites), 1);
	else
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, s->suites), 1);
	if (server) {
		SSL_CTX_use_certificate(ctx, made.cert);
		SSL_CTX_use_PrivateKey(ctx, made.key);
	} else {
		SSL_CTX_set_app_data(ctx, &w->keys);
		SSL_CTX_set_keylog_callback(ctx, log_key);
	}
	return ctx;
}

static void wire_open(struct wire *w, const struct setting *s)
{
	*w = (struct wire){0};
	cmi_buf_init(&w->keys, 1 << 16);
	for (int i = 0; i < 2; i++) {
		w->ctx[i] = make_end(w, s, i == CMI_SERVER);
		w->ssl[i] = SSL_new(w->ctx[i]);
		SSL_set_bio(
			w->ssl[i], BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	}
	SSL_set_connect_state(w->ssl[CMI_CLIENT]);
	SSL_set_accept_state(w->ssl[CMI_SERVER]);
}

static void wire_close(struct wire *w)
{
	for (int i = 0; i < 2; i++) {
		SSL_free(w->ssl[i]);
		SSL_CTX_free(w->ctx[i]);
	}
	for (size_t i = 0; i < w->talk.n; i++)
		cmi_buf_dispose(&w->said[i]);
	cmi_buf_dispose(&w->keys);
}

/* Carry what one end has written to the other, and note it. */
static bool carry(struct wire *w, enum cmi_side from)
{
	BIO *out = SSL_get_wbio(w->ssl[from]);
	BIO *in = SSL_get_rbio(w->ssl[!from]);
	uint8_t piece[4096];
	int n = BIO_read(out, piece, sizeof(piece));
	struct cmi_buf *said;

	if (n <= 0)
		return false;
	assert_true(w->talk.n < TALK_MAX);
	said = &w->said[w->talk.n];
	cmi_buf_init(said, 1 << 16);
	cmi_buf_add(said, piece, (size_t)n);
	talk_say(&w->talk, from, cmi_buf_view(said));
	assert_int_equal(BIO_write(in, piece, n), n);
	return true;
}

static void carry_all(struct wire *w)
{
	while (carry(w, CMI_CLIENT) || carry(w, CMI_SERVER))
		;
}

/* Both ends read until neither has anything more to say. */
static void shake(struct wire *w)
{
	for (int round = 0; round < 10; round++) {
		uint8_t byte[64];

		for (int i = 0; i < 2; i++) {
			(void)SSL_do_handshake(w->ssl[i]);
			carry_all(w);
			(void)SSL_read(w->ssl[i], byte, sizeof(byte));
			carry_all(w);
		}
	}
}

static void say(struct wire *w, enum cmi_side side)
{
	assert_int_equal(SSL_write(w->ssl[side], "hello", 5), 5);
	carry_all(w);
}

static void look(struct wire *w, bool with_keys, struct recorder *r)
{
	struct cmi_keylog *keys = NULL;
	cmend_error err;

	assert_int_equal(cmi_keylog_new(&keys, &err), CMEND_OK);
	if (with_keys)
		assert_int_equal(
			cmi_keylog_add(keys, cmi_buf_view(&w->keys), &err),
			CMEND_OK);
	recorder_init(r);
	r->hub.keylog = keys;
	assert_int_equal(
		talk_run(&w->talk, r, &info, talk_whole, NULL, &err), CMEND_OK);
	cmi_keylog_free(keys);
}

static void expect(const struct recorder *r, const char *text)
{
	struct recorder *mine = (struct recorder *)r;
	const char *all = cmi_buf_cstr(&mine->text);

	if (!strstr(all, text))
		print_message("no \"%s\" in: %s", text, all);
	assert_non_null(strstr(all, text));
}

#define GCM  "ECDHE-RSA-AES128-GCM-SHA256"
#define CBC  "ECDHE-RSA-AES128-SHA"
#define NETM SSL_OP_NO_ENCRYPT_THEN_MAC

static const struct setting settings[] = {
	{"1.3 AES-128-GCM", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", 0,
		"cipher=1301"},
	{"1.3 AES-256-GCM", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", 0,
		"cipher=1302"},
	{"1.3 CHACHA20", TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", 0,
		"cipher=1303"},
	{"1.3 CCM", TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256", 0, "cipher=1304"},
	{"1.3 CCM_8", TLS1_3_VERSION, "TLS_AES_128_CCM_8_SHA256", 0,
		"cipher=1305"},
	{"1.2 AES-128-GCM", TLS1_2_VERSION, GCM, 0, "cipher=c02f"},
	{"1.2 AES-256-GCM", TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", 0,
		"cipher=c030"},
	{"1.2 CHACHA20", TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", 0,
		"cipher=cca8"},
	{"1.2 CCM", TLS1_2_VERSION, "AES256-CCM", 0, "cipher=c09d"},
	{"1.2 CCM_8", TLS1_2_VERSION, "AES128-CCM8", 0, "cipher=c0a0"},
	{"1.2 CBC, encrypt then MAC", TLS1_2_VERSION, CBC, 0, "cipher=c013"},
	{"1.2 CBC, MAC then encrypt", TLS1_2_VERSION, CBC, NETM, "cipher=c013"},
	{"1.2 CBC with SHA-256", TLS1_2_VERSION, "AES128-SHA256", NETM,
		"cipher=003c"},
	{"1.2 CBC with SHA-384", TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384", 0,
		"cipher=c028"},
	{"1.2 Camellia", TLS1_2_VERSION, "CAMELLIA256-SHA", 0, "cipher=0084"},
	{"1.2 no encryption", TLS1_2_VERSION, "NULL-SHA256", 0, "cipher=003b"},
	{"1.1 CBC", TLS1_1_VERSION, CBC, 0, "cipher=c013"},
	{"1.0 CBC", TLS1_VERSION, CBC, 0, "cipher=c013"},
	{"1.0 CBC, MAC then encrypt", TLS1_VERSION, CBC, NETM, "cipher=c013"},
};

/* Completes, talks, and closes: certificate and close_notify are seen. */
static void every_suite(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(settings); i++) {
		const struct setting *s = &settings[i];
		bool tls13 = s->version == TLS1_3_VERSION;
		struct recorder r;
		struct wire w;
		char certs[64];

		print_message("row: %s\n", s->name);
		wire_open(&w, s);
		shake(&w);
		say(&w, CMI_CLIENT);
		say(&w, CMI_SERVER);
		SSL_shutdown(w.ssl[CMI_CLIENT]);
		carry_all(&w);
		snprintf(certs, sizeof(certs), "certs=1:%d/",
			i2d_X509(made.cert, NULL));
		look(&w, true, &r);
		expect(&r, "tls completed");
		expect(&r, s->says);
		expect(&r, "decrypted=1 cert=1 cfin=1 sfin=1 app=1/1");
		expect(&r, certs);
		expect(&r, " alert=client:1:0");
		recorder_dispose(&r);
		look(&w, false, &r);
		expect(&r, tls13 ? "tls dark" : "tls completed");
		expect(&r, "decrypted=0");
		recorder_dispose(&r);
		wire_close(&w);
	}
}

static void client_refuses_in_tls13(void **state)
{
	struct recorder r;
	struct wire w;

	(void)state;
	wire_open(&w, &settings[0]);
	/* Nothing is trusted: the client must refuse, with alert 48 or 20. */
	SSL_set_verify(w.ssl[CMI_CLIENT], SSL_VERIFY_PEER, NULL);
	shake(&w);
	look(&w, true, &r);
	expect(&r, "tls failed");
	expect(&r, "certs=1:");
	expect(&r, " alert=client:2:48");
	recorder_dispose(&r);
	wire_close(&w);
}

static void key_updates(void **state)
{
	struct recorder r;
	struct wire w;

	(void)state;
	wire_open(&w, &settings[1]);
	shake(&w);
	for (int i = 0; i < 3; i++) {
		SSL_key_update(w.ssl[CMI_CLIENT], SSL_KEY_UPDATE_REQUESTED);
		say(&w, CMI_CLIENT);
		shake(&w);
		say(&w, CMI_SERVER);
	}
	SSL_shutdown(w.ssl[CMI_SERVER]);
	carry_all(&w);
	look(&w, true, &r);
	expect(&r, "tls completed");
	expect(&r, " alert=server:1:0");
	recorder_dispose(&r);
	wire_close(&w);
}

static void renegotiation_changes_keys(void **state)
{
	static const struct setting allowed = {"renegotiation", TLS1_2_VERSION,
		CBC, SSL_OP_ALLOW_CLIENT_RENEGOTIATION, NULL};
	struct recorder r;
	struct wire w;

	(void)state;
	wire_open(&w, &allowed);
	shake(&w);
	assert_int_equal(SSL_renegotiate(w.ssl[CMI_CLIENT]), 1);
	shake(&w);
	SSL_shutdown(w.ssl[CMI_CLIENT]);
	carry_all(&w);
	look(&w, true, &r);
	expect(&r, "tls completed");
	expect(&r, "decrypted=1");
	expect(&r, " alert=client:1:0");
	recorder_dispose(&r);
	wire_close(&w);
}

/* Secrets that are another connection's, or damaged, open nothing. */
static void wrong_secrets_open_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(settings); i++) {
		struct recorder r;
		struct wire w;

		if (settings[i].version != TLS1_3_VERSION &&
			strcmp(settings[i].name, "1.2 CBC, MAC then encrypt"))
			continue;
		wire_open(&w, &settings[i]);
		shake(&w);
		/* The last digit of every secret. */
		for (size_t k = 1; k < w.keys.n; k++)
			if (w.keys.p[k] == '\n')
				w.keys.p[k - 1] =
					w.keys.p[k - 1] == '0' ? '1' : '0';
		look(&w, true, &r);
		expect(&r, "decrypted=0");
		recorder_dispose(&r);
		wire_close(&w);
	}
}

#define MAC_N 32

/* TLS_RSA_WITH_NULL_SHA256: a master secret of 48 zeros, both randoms zero,
 * and the client's MAC key by RFC 5246 section 6.3. */
static void null_key(uint8_t key[MAC_N])
{
	uint8_t zeros[64] = {0};
	char label[] = "key expansion", digest[] = "SHA256";
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", digest, 0),
		OSSL_PARAM_construct_octet_string("secret", zeros, 48),
		OSSL_PARAM_construct_octet_string(
			"seed", label, sizeof(label) - 1),
		OSSL_PARAM_construct_octet_string("seed", zeros, 64),
		OSSL_PARAM_construct_end(),
	};

	assert_int_equal(EVP_KDF_derive(ctx, key, MAC_N, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/* The client's first record: zeros, with their MAC behind them, n bytes. */
static void null_record(uint8_t *body, size_t n)
{
	size_t n_text = n - MAC_N;
	uint8_t key[MAC_N];
	uint8_t *signed_text = calloc(1, 13 + n_text);

	assert_non_null(signed_text);
	/* Number, type, version, length: section 6.2.3.1. */
	signed_text[8] = 23;
	signed_text[9] = signed_text[10] = 3;
	signed_text[11] = (uint8_t)(n_text >> 8);
	signed_text[12] = (uint8_t)n_text;
	null_key(key);
	memset(body, 0, n_text);
	assert_non_null(HMAC(EVP_sha256(), key, MAC_N, signed_text, 13 + n_text,
		body + n_text, NULL));
	free(signed_text);
}

/* 2^14 bytes and 2048 more, section 6.2.3: whoever calls. */
static void no_record_is_larger_than_one_may_be(void **state)
{
	static uint8_t body[16384 + 2048 + 1];
	static const struct cmi_decrypt_hello hello = {
		.version = 0x0303, .cipher = 0x003b};
	struct cmi_keylog *keys = NULL;
	char line[200];

	(void)state;
	assert_int_equal(cmi_keylog_new(&keys, NULL), CMEND_OK);
	snprintf(line, sizeof(line), "CLIENT_RANDOM %064d %096d\n", 0, 0);
	assert_int_equal(
		cmi_keylog_add(keys, cmi_bytes_of(line), NULL), CMEND_OK);
	for (size_t over = 0; over < 2; over++) {
		size_t n = 16384 + 2048 + over;
		struct cmi_decrypt *d = NULL;
		struct cmi_opened opened;

		null_record(body, n);
		assert_int_equal(cmi_decrypt_new(keys, &d, NULL), CMEND_OK);
		assert_true(cmi_decrypt_begin(d, &hello));
		cmi_decrypt_change_cipher(d, CMI_CLIENT);
		assert_int_equal(cmi_decrypt_record(d, CMI_CLIENT, 23, 0x0303,
					 (struct cmi_bytes){body, n}, &opened),
			!over);
		cmi_decrypt_free(d);
	}
	cmi_keylog_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_suite),
		cmocka_unit_test(client_refuses_in_tls13),
		cmocka_unit_test(key_updates),
		cmocka_unit_test(renegotiation_changes_keys),
		cmocka_unit_test(wrong_secrets_open_nothing),
		cmocka_unit_test(no_record_is_larger_than_one_may_be),
	};

	return cmocka_run_group_tests(
		tests, make_certificate, dispose_certificate);
}
