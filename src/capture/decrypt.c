/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/decrypt.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "capture/decrypt_suite.h"
#include "core/cursor.h"
#include "wire/tls.h"

#define KEY_MAX    32
#define IV_MAX     16
#define MAC_MAX    48
#define SECRET_MAX 64
/* Key updates and phases tried when a record does not open. */
#define PHASES_TRIED 3

/* Keys of one direction. */
struct keys {
	bool ready;
	uint8_t key[KEY_MAX], iv[IV_MAX], mac[MAC_MAX];
	uint64_t seq;
	/* TLS 1.3: where these keys come from. */
	enum cmi_secret phase;
	uint8_t secret[SECRET_MAX];
	size_t secret_n;
};

struct cmi_decrypt {
	const struct cmi_keylog *keylog;
	struct cmi_decrypt_hello hello;
	struct cmi_suite suite, next_suite;
	struct keys now[2], next[2];
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx;
	uint8_t plain[CMI_TLS_RECORD_MAX + 64];
	bool etm, next_etm;
};

cmend_status cmi_decrypt_new(const struct cmi_keylog *keylog,
	struct cmi_decrypt **out, cmend_error *err)
{
	struct cmi_decrypt *d = cmi_alloc(sizeof(*d));

	if (!d)
		return cmi_nomem(err);
	d->keylog = keylog;
	d->ctx = EVP_CIPHER_CTX_new();
	if (!d->ctx) {
		cmi_free(d);
		return cmi_nomem(err);
	}
	*out = d;
	return CMEND_OK;
}

void cmi_decrypt_free(struct cmi_decrypt *d)
{
	if (!d)
		return;
	EVP_CIPHER_CTX_free(d->ctx);
	EVP_CIPHER_free(d->cipher);
	cmi_wipe(d, sizeof(*d));
	cmi_free(d);
}

static bool is_13(const struct cmi_decrypt *d)
{
	return d->hello.version == 0x0304 || d->hello.version >> 8 == 0x7f;
}

static bool fetch_cipher(struct cmi_decrypt *d, const struct cmi_suite *s)
{
	EVP_CIPHER_free(d->cipher);
	d->cipher = s->cipher ? EVP_CIPHER_fetch(NULL, s->cipher, NULL) : NULL;
	return d->cipher || !s->cipher;
}

/* RFC 8446 section 7.3. */
static bool traffic_keys(const struct cmi_suite *suite, struct keys *k)
{
	struct cmi_bytes secret = {k->secret, k->secret_n};

	k->seq = 0;
	k->ready =
		cmi_hkdf_expand_label(
			suite->digest, secret, "key", k->key, suite->key_n) &&
		cmi_hkdf_expand_label(suite->digest, secret, "iv", k->iv, 12);
	return k->ready;
}

static bool load_phase(
	struct cmi_decrypt *d, struct keys *k, enum cmi_secret phase)
{
	struct cmi_bytes secret = cmi_keylog_find(d->keylog, phase,
		(struct cmi_bytes){d->hello.client_random, CMI_TLS_RANDOM_N});

	struct cmi_cursor c = cmi_cursor_of(secret);

	if (!secret.n || secret.n > SECRET_MAX)
		return false;
	*k = (struct keys){.phase = phase, .secret_n = secret.n};
	return cmi_cursor_copy(&c, k->secret, secret.n) &&
	       traffic_keys(&d->suite, k);
}

/* RFC 8446 section 7.2: the secret behind a KeyUpdate. */
static bool update_phase(struct cmi_decrypt *d, struct keys *k)
{
	uint8_t fresh[SECRET_MAX];
	bool ok = cmi_hkdf_expand_label(d->suite.digest,
		(struct cmi_bytes){k->secret, k->secret_n}, "traffic upd",
		fresh, k->secret_n);

	if (ok)
		memcpy(k->secret, fresh, k->secret_n);
	cmi_wipe(fresh, sizeof(fresh));
	return ok && traffic_keys(&d->suite, k);
}

/* What comes behind a phase, for either side. */
static bool next_phase(struct cmi_decrypt *d, struct keys *k)
{
	switch (k->phase) {
	case CMI_SECRET_CLIENT_EARLY:
		return load_phase(d, k, CMI_SECRET_CLIENT_HANDSHAKE);
	case CMI_SECRET_CLIENT_HANDSHAKE:
		return load_phase(d, k, CMI_SECRET_CLIENT_TRAFFIC);
	case CMI_SECRET_SERVER_HANDSHAKE:
		return load_phase(d, k, CMI_SECRET_SERVER_TRAFFIC);
	case CMI_SECRET_CLIENT_TRAFFIC:
	case CMI_SECRET_SERVER_TRAFFIC:
		return update_phase(d, k);
	case CMI_SECRET_CLIENT_RANDOM:
	case CMI_SECRET_COUNT:
		break;
	}
	return false;
}

static bool begin_13(struct cmi_decrypt *d)
{
	struct keys *client = &d->now[CMI_CLIENT];
	struct keys *server = &d->now[CMI_SERVER];

	d->suite = d->next_suite;
	if (d->suite.mode > CMI_BULK_CHACHA || !fetch_cipher(d, &d->suite))
		return false;
	if (!load_phase(d, client, CMI_SECRET_CLIENT_EARLY) &&
		!load_phase(d, client, CMI_SECRET_CLIENT_HANDSHAKE))
		(void)load_phase(d, client, CMI_SECRET_CLIENT_TRAFFIC);
	if (!load_phase(d, server, CMI_SECRET_SERVER_HANDSHAKE))
		(void)load_phase(d, server, CMI_SECRET_SERVER_TRAFFIC);
	return client->ready || server->ready;
}

/* RFC 5246 section 6.3: MAC keys, keys, IVs, client first. */
static bool split_block(
	struct cmi_decrypt *d, const struct cmi_suite *s, struct cmi_cursor c)
{
	size_t iv_n = s->mode <= CMI_BULK_CHACHA ? s->fixed_n : s->block_n;
	struct keys *k = d->next;

	return cmi_cursor_copy(&c, k[0].mac, s->mac_n) &&
	       cmi_cursor_copy(&c, k[1].mac, s->mac_n) &&
	       cmi_cursor_copy(&c, k[0].key, s->key_n) &&
	       cmi_cursor_copy(&c, k[1].key, s->key_n) &&
	       cmi_cursor_copy(&c, k[0].iv, iv_n) &&
	       cmi_cursor_copy(&c, k[1].iv, iv_n);
}

static bool begin_12(struct cmi_decrypt *d)
{
	struct cmi_decrypt_hello *h = &d->hello;
	struct cmi_bytes master =
		cmi_keylog_find(d->keylog, CMI_SECRET_CLIENT_RANDOM,
			(struct cmi_bytes){h->client_random, CMI_TLS_RANDOM_N});
	uint8_t block[2 * (KEY_MAX + IV_MAX + MAC_MAX)];
	uint8_t seed[2 * CMI_TLS_RANDOM_N];
	bool ok;

	memset(d->next, 0, sizeof(d->next));
	if (!master.n || h->version < 0x0301)
		return false;
	memcpy(seed, h->server_random, CMI_TLS_RANDOM_N);
	memcpy(seed + CMI_TLS_RANDOM_N, h->client_random, CMI_TLS_RANDOM_N);
	ok = cmi_tls_prf(h->version, d->next_suite.prf, master, "key expansion",
		     (struct cmi_bytes){seed, sizeof(seed)}, block,
		     sizeof(block)) &&
	     split_block(d, &d->next_suite,
		     cmi_cursor_of((struct cmi_bytes){block, sizeof(block)}));
	cmi_wipe(block, sizeof(block));
	d->next[0].ready = d->next[1].ready = ok;
	d->next_etm = h->encrypt_then_mac && d->next_suite.mode == CMI_BULK_CBC;
	return ok;
}

bool cmi_decrypt_begin(
	struct cmi_decrypt *d, const struct cmi_decrypt_hello *hello)
{
	d->hello = *hello;
	if (!cmi_suite_find(hello->cipher, &d->next_suite))
		return false;
	return is_13(d) ? begin_13(d) : begin_12(d);
}

void cmi_decrypt_change_cipher(struct cmi_decrypt *d, enum cmi_side side)
{
	if (is_13(d))
		return;
	d->now[side] = d->next[side];
	d->next[side].ready = false;
	d->suite = d->next_suite;
	d->etm = d->next_etm;
	if (!fetch_cipher(d, &d->suite))
		d->now[side].ready = false;
}

struct sealed {
	struct cmi_bytes body, tag, nonce, aad;
};

/* The order of calls that CCM wants serves the others too: lengths and tag
 * first, then associated data, then all of the text at once. */
static bool aead_open(
	struct cmi_decrypt *d, const struct keys *k, const struct sealed *s)
{
	bool ccm = d->suite.mode == CMI_BULK_CCM;
	EVP_CIPHER_CTX *ctx = d->ctx;
	int n = 0;

	return EVP_CIPHER_CTX_reset(ctx) == 1 &&
	       EVP_DecryptInit_ex2(ctx, d->cipher, NULL, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN,
		       (int)s->nonce.n, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)s->tag.n,
		       (void *)s->tag.p) == 1 &&
	       EVP_DecryptInit_ex2(ctx, NULL, k->key, s->nonce.p, NULL) == 1 &&
	       (!ccm || EVP_DecryptUpdate(
				ctx, NULL, &n, NULL, (int)s->body.n) == 1) &&
	       EVP_DecryptUpdate(ctx, NULL, &n, s->aad.p, (int)s->aad.n) == 1 &&
	       EVP_DecryptUpdate(
		       ctx, d->plain, &n, s->body.p, (int)s->body.n) == 1 &&
	       (ccm || EVP_DecryptFinal_ex(ctx, d->plain + n, &n) == 1);
}

static void put_be(uint8_t *to, size_t n, uint64_t v)
{
	for (size_t i = n; i > 0; i--, v >>= 8)
		to[i - 1] = (uint8_t)v;
}

static void xor_seq(uint8_t nonce[12], const uint8_t iv[12], uint64_t seq)
{
	memcpy(nonce, iv, 12);
	for (size_t i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(seq >> (8 * i));
}

static bool split_tag(struct cmi_bytes body, size_t tag_n, struct sealed *out)
{
	struct cmi_cursor c = cmi_cursor_of(body);

	return body.n >= tag_n &&
	       cmi_cursor_bytes(&c, body.n - tag_n, &out->body) &&
	       cmi_cursor_bytes(&c, tag_n, &out->tag);
}

/* RFC 8446 section 5.2. */
static bool open_13(struct cmi_decrypt *d, struct keys *k, uint16_t version,
	struct cmi_bytes body, struct cmi_opened *out)
{
	uint8_t nonce[12], aad[5] = {CMI_TLS_APPLICATION_DATA};
	struct sealed s = {.nonce = {nonce, 12}, .aad = {aad, 5}};
	size_t n;

	put_be(aad + 1, 2, version);
	put_be(aad + 3, 2, body.n);
	xor_seq(nonce, k->iv, k->seq);
	if (!k->ready || !split_tag(body, d->suite.tag_n, &s) ||
		!aead_open(d, k, &s))
		return false;
	for (n = s.body.n; n && d->plain[n - 1] == 0; n--)
		; /* padding */
	if (n == 0)
		return false;
	*out = (struct cmi_opened){d->plain[n - 1], {d->plain, n - 1}};
	k->seq++;
	return true;
}

/* One record under the keys of its direction, or under the next ones. */
static bool record_13(struct cmi_decrypt *d, struct keys *k, uint16_t version,
	struct cmi_bytes body, struct cmi_opened *out)
{
	struct keys try = *k;

	for (int i = 0; i < PHASES_TRIED; i++) {
		if (open_13(d, &try, version, body, out)) {
			*k = try;
			cmi_wipe(&try, sizeof(try));
			return true;
		}
		if (!next_phase(d, &try))
			break;
	}
	cmi_wipe(&try, sizeof(try));
	return false;
}

/* seq_num, type, version, length: RFC 5246 sections 6.2.3.1 and 6.2.3.3. */
static void pseudo_header(
	uint8_t out[13], uint64_t seq, uint8_t type, uint16_t version, size_t n)
{
	put_be(out, 8, seq);
	out[8] = type;
	put_be(out + 9, 2, version);
	put_be(out + 11, 2, n);
}

static bool open_aead_12(struct cmi_decrypt *d, struct keys *k, uint8_t type,
	uint16_t version, struct cmi_bytes body, struct cmi_opened *out)
{
	bool explicit_nonce = d->suite.mode != CMI_BULK_CHACHA;
	struct cmi_cursor c = cmi_cursor_of(body);
	uint8_t nonce[12], aad[13];
	struct sealed s = {.nonce = {nonce, 12}, .aad = {aad, 13}};

	if (explicit_nonce) {
		memcpy(nonce, k->iv, 4);
		if (!cmi_cursor_copy(&c, nonce + 4, 8))
			return false;
	} else {
		xor_seq(nonce, k->iv, k->seq);
	}
	if (!split_tag(cmi_cursor_rest(&c), d->suite.tag_n, &s))
		return false;
	pseudo_header(aad, k->seq, type, version, s.body.n);
	if (!aead_open(d, k, &s))
		return false;
	*out = (struct cmi_opened){type, {d->plain, s.body.n}};
	return true;
}

static bool mac_proves(const struct cmi_suite *suite, const struct keys *k,
	const uint8_t header[13], struct cmi_bytes text, struct cmi_bytes mac)
{
	uint8_t want[EVP_MAX_MD_SIZE];
	size_t n = 0;
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			"digest", (char *)suite->digest, 0),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx && EVP_MAC_init(ctx, k->mac, suite->mac_n, params) == 1 &&
		  EVP_MAC_update(ctx, header, 13) == 1 &&
		  EVP_MAC_update(ctx, text.p, text.n) == 1 &&
		  EVP_MAC_final(ctx, want, &n, sizeof(want)) == 1 &&
		  n == mac.n && CRYPTO_memcmp(want, mac.p, n) == 0;

	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(hmac);
	return ok;
}

/* The end of a text is its MAC. */
static bool check_mac(struct cmi_decrypt *d, const struct keys *k, uint8_t type,
	uint16_t version, struct cmi_bytes *text)
{
	uint8_t header[13];
	struct sealed s;

	if (!split_tag(*text, d->suite.mac_n, &s))
		return false;
	pseudo_header(header, k->seq, type, version, s.body.n);
	*text = s.body;
	return mac_proves(&d->suite, k, header, s.body, s.tag);
}

static bool cbc_open(struct cmi_decrypt *d, const struct keys *k,
	const uint8_t *iv, struct cmi_bytes body)
{
	int n = 0;

	return body.n && body.n % d->suite.block_n == 0 &&
	       EVP_CIPHER_CTX_reset(d->ctx) == 1 &&
	       EVP_DecryptInit_ex2(d->ctx, d->cipher, k->key, iv, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(d->ctx, 0) == 1 &&
	       EVP_DecryptUpdate(d->ctx, d->plain, &n, body.p, (int)body.n) ==
		       1 &&
	       (size_t)n == body.n;
}

/* RFC 5246 section 6.2.3.2; before TLS 1.1 the IV is the last block that was
 * sent (RFC 2246). */
static bool open_cbc(struct cmi_decrypt *d, struct keys *k, uint8_t type,
	uint16_t version, struct cmi_bytes body, struct cmi_opened *out)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	size_t block_n = d->suite.block_n, pad;
	struct cmi_bytes text;
	uint8_t iv[IV_MAX];

	memcpy(iv, k->iv, block_n);
	if (d->hello.version >= 0x0302 && !cmi_cursor_copy(&c, iv, block_n))
		return false;
	text = cmi_cursor_rest(&c);
	if (d->etm) {
		uint8_t header[13];
		struct sealed s;

		/* RFC 7366: the MAC covers IV and ciphertext. */
		if (!split_tag(body, d->suite.mac_n, &s) ||
			text.n < d->suite.mac_n)
			return false;
		pseudo_header(header, k->seq, type, version, s.body.n);
		if (!mac_proves(&d->suite, k, header, s.body, s.tag))
			return false;
		text.n -= d->suite.mac_n;
	}
	if (text.n < block_n || !cbc_open(d, k, iv, text))
		return false;
	c = cmi_cursor_of(text);
	if (d->hello.version < 0x0302 &&
		(!cmi_cursor_skip(&c, text.n - block_n) ||
			!cmi_cursor_copy(&c, k->iv, block_n)))
		return false;
	pad = (size_t)d->plain[text.n - 1] + 1;
	if (pad > text.n)
		return false;
	text = (struct cmi_bytes){d->plain, text.n - pad};
	if (!d->etm && !check_mac(d, k, type, version, &text))
		return false;
	*out = (struct cmi_opened){type, text};
	return true;
}

static bool open_null(struct cmi_decrypt *d, struct keys *k, uint8_t type,
	uint16_t version, struct cmi_bytes body, struct cmi_opened *out)
{
	if (!check_mac(d, k, type, version, &body))
		return false;
	*out = (struct cmi_opened){type, body};
	return true;
}

static bool record_12(struct cmi_decrypt *d, struct keys *k, uint8_t type,
	uint16_t version, struct cmi_bytes body, struct cmi_opened *out)
{
	bool ok = false;

	switch (d->suite.mode) {
	case CMI_BULK_GCM:
	case CMI_BULK_CCM:
	case CMI_BULK_CHACHA:
		ok = open_aead_12(d, k, type, version, body, out);
		break;
	case CMI_BULK_CBC:
		ok = open_cbc(d, k, type, version, body, out);
		break;
	case CMI_BULK_NULL:
		ok = open_null(d, k, type, version, body, out);
		break;
	}
	k->seq++;
	return ok;
}

bool cmi_decrypt_record(struct cmi_decrypt *d, enum cmi_side side, uint8_t type,
	uint16_t version, struct cmi_bytes body, struct cmi_opened *out)
{
	struct keys *k = &d->now[side];

	if (!k->ready || body.n > CMI_TLS_RECORD_MAX)
		return false;
	return is_13(d) ? record_13(d, k, version, body, out)
			: record_12(d, k, type, version, body, out);
}
