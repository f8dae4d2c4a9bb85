/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/decrypt_quic.h"

#include <string.h>

#include <openssl/evp.h>

#include "capture/decrypt_suite.h"
#include "wire/conversation.h"

#define SAMPLE_N 16
#define TAG_N    16
#define HASH_N   32

static bool fill_keys(const struct cmi_quic_version *v, const char *digest,
	struct cmi_bytes secret, struct cmi_quic_keys *k)
{
	k->ready =
		cmi_hkdf_expand_label(
			digest, secret, v->key, k->key, k->key_n) &&
		cmi_hkdf_expand_label(
			digest, secret, v->iv, k->iv, sizeof(k->iv)) &&
		cmi_hkdf_expand_label(digest, secret, v->hp, k->hp, k->key_n);
	return k->ready;
}

bool cmi_quic_initial_keys(const struct cmi_quic_version *v,
	struct cmi_bytes dcid, struct cmi_quic_keys out[2])
{
	static const char *const labels[] = {"client in", "server in"};
	uint8_t initial[HASH_N], secret[HASH_N];
	struct cmi_bytes salt = {v->salt, CMI_QUIC_SALT_N};

	if (!cmi_hkdf_extract("SHA256", salt, dcid, initial, sizeof(initial)))
		return false;
	for (size_t i = 0; i < 2; i++) {
		out[i] = (struct cmi_quic_keys){.aead = "AES-128-GCM",
			.block = "AES-128-ECB",
			.key_n = 16};
		if (!cmi_hkdf_expand_label("SHA256",
			    (struct cmi_bytes){initial, sizeof(initial)},
			    labels[i], secret, sizeof(secret)) ||
			!fill_keys(v, "SHA256",
				(struct cmi_bytes){secret, sizeof(secret)},
				&out[i]))
			return false;
	}
	return true;
}

bool cmi_quic_secret_keys(const struct cmi_quic_version *v, uint16_t suite,
	struct cmi_bytes secret, struct cmi_quic_keys *out)
{
	struct cmi_suite s;

	*out = (struct cmi_quic_keys){0};
	if (suite >> 8 != 0x13 || !cmi_suite_find(suite, &s))
		return false;
	out->aead = s.cipher;
	out->key_n = s.key_n;
	if (s.mode == CMI_BULK_CHACHA) {
		out->chacha = true;
		out->block = "ChaCha20";
	} else if (s.mode == CMI_BULK_GCM) {
		out->block = s.key_n == 16 ? "AES-128-ECB" : "AES-256-ECB";
	} else {
		return false; /* AES-CCM, which hardly anybody has */
	}
	return fill_keys(v, s.digest, secret, out);
}

/* Section 5.4: five bytes of mask from a sample of the payload. */
static bool make_mask(
	const struct cmi_quic_keys *k, const uint8_t *sample, uint8_t mask[16])
{
	static const uint8_t zero[SAMPLE_N];
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, k->block, NULL);
	EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
	int n = 0;
	/* ChaCha20 takes the sample for counter and nonce, and masks zeros. */
	bool ok = ctx &&
		  EVP_EncryptInit_ex2(ctx, cipher, k->hp,
			  k->chacha ? sample : NULL, NULL) == 1 &&
		  EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
		  EVP_EncryptUpdate(ctx, mask, &n, k->chacha ? zero : sample,
			  SAMPLE_N) == 1 &&
		  n == SAMPLE_N;

	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return ok;
}

/* RFC 9000 appendix A.3. */
static uint64_t whole_number(uint64_t due, uint64_t part, unsigned width)
{
	uint64_t window = (uint64_t)1 << (8 * width), half = window / 2;
	uint64_t n = (due & ~(window - 1)) | part;

	if (n + half <= due && n < ((uint64_t)1 << 62) - window)
		return n + window;
	if (n > due + half && n >= window)
		return n - window;
	return n;
}

static bool open_aead(const struct cmi_quic_keys *k, uint64_t number,
	struct cmi_bytes head, struct cmi_bytes sealed, uint8_t *to)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, k->aead, NULL);
	EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;
	uint8_t nonce[12], tag[TAG_N], none;
	size_t n = sealed.n - TAG_N;
	int got;
	bool ok;

	memcpy(nonce, k->iv, sizeof(nonce));
	for (unsigned i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(number >> (8 * i));
	memcpy(tag, sealed.p + n, sizeof(tag));
	ok = ctx &&
	     EVP_DecryptInit_ex2(ctx, cipher, k->key, nonce, NULL) == 1 &&
	     EVP_DecryptUpdate(ctx, NULL, &got, head.p, (int)head.n) == 1 &&
	     EVP_DecryptUpdate(ctx, to, &got, sealed.p, (int)n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(
		     ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	     EVP_DecryptFinal_ex(ctx, &none, &got) == 1;
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return ok;
}

bool cmi_quic_open(struct cmi_quic_keys *k, const struct cmi_quic_packet *p,
	uint8_t *room, struct cmi_bytes *out)
{
	struct cmi_cursor c = cmi_cursor_of(p->whole);
	uint8_t mask[SAMPLE_N];
	unsigned width;
	uint64_t number = 0;
	size_t head;

	/* The sample stands where it would behind a number of four bytes. */
	if (!k->ready || !p->number_at || p->cut ||
		p->whole.n < p->number_at + 4 + SAMPLE_N ||
		!make_mask(k, p->whole.p + p->number_at + 4, mask) ||
		!cmi_cursor_copy(&c, room, p->number_at + 4))
		return false;
	room[0] ^= mask[0] & 0x0f;
	width = (room[0] & 3u) + 1;
	head = p->number_at + width;
	for (unsigned i = 0; i < width; i++) {
		room[p->number_at + i] ^= mask[1 + i];
		number = number << 8 | room[p->number_at + i];
	}
	number = whole_number(k->due, number, width);
	*out = (struct cmi_bytes){room + head, p->whole.n - head - TAG_N};
	if (!open_aead(k, number, (struct cmi_bytes){room, head},
		    (struct cmi_bytes){p->whole.p + head, p->whole.n - head},
		    room + head))
		return false;
	if (number >= k->due)
		k->due = number + 1;
	return true;
}
