/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds TLS bytes for tests, from the grammar of RFC 5246 and RFC 8446 and
 * not from the parser under test.  Everything is appended to a cmi_buf.
 */
#ifndef CMI_TESTS_WIRE_TLS_BUILD_H
#define CMI_TESTS_WIRE_TLS_BUILD_H

#include <string.h>

#include "core/buf.h"

#define BUILD_MAX ((size_t)4 << 20)

static inline struct cmi_buf build_new(void)
{
	struct cmi_buf b;

	cmi_buf_init(&b, BUILD_MAX);
	return b;
}

static inline void build_vector(
	struct cmi_buf *out, unsigned width, struct cmi_bytes v)
{
	cmi_buf_be(out, width, v.n);
	cmi_buf_add_bytes(out, v);
}

static inline void build_record(
	struct cmi_buf *out, uint8_t type, uint16_t version, struct cmi_bytes v)
{
	cmi_buf_u8(out, type);
	cmi_buf_be(out, 2, version);
	build_vector(out, 2, v);
}

static inline void build_message(
	struct cmi_buf *out, uint8_t type, struct cmi_bytes body)
{
	cmi_buf_u8(out, type);
	build_vector(out, 3, body);
}

static inline void build_extension(
	struct cmi_buf *out, uint16_t type, struct cmi_bytes value)
{
	cmi_buf_be(out, 2, type);
	build_vector(out, 2, value);
}

static inline void build_sni(struct cmi_buf *extensions, const char *name)
{
	size_t n = strlen(name);

	cmi_buf_be(extensions, 2, 0);
	cmi_buf_be(extensions, 2, n + 5);
	cmi_buf_be(extensions, 2, n + 3);
	cmi_buf_u8(extensions, 0);
	build_vector(extensions, 2, cmi_bytes_of(name));
}

struct build_hello {
	uint16_t version;
	uint8_t random; /* every byte of it */
	const char *session_id;
	const char *sni; /* client */
	struct cmi_bytes
		versions;      /* body of supported_versions; may be empty */
	uint16_t cipher;       /* server; client: offered with 0x0a0a */
	struct cmi_bytes more; /* extensions, ready made */
};

/* A hello message; type 1 or 2. */
static inline void build_hello(
	struct cmi_buf *out, uint8_t type, const struct build_hello *h)
{
	struct cmi_buf body = build_new(), extensions = build_new();

	if (h->sni)
		build_sni(&extensions, h->sni);
	if (h->versions.n)
		build_extension(&extensions, 43, h->versions);
	cmi_buf_add_bytes(&extensions, h->more);
	cmi_buf_be(&body, 2, h->version);
	for (int i = 0; i < 32; i++)
		cmi_buf_u8(&body, h->random);
	build_vector(
		&body, 1, cmi_bytes_of(h->session_id ? h->session_id : ""));
	if (type == 1) {
		cmi_buf_be(&body, 2, 4);
		cmi_buf_be(&body, 2, 0x0a0a); /* GREASE */
		cmi_buf_be(&body, 2, h->cipher);
		cmi_buf_be(&body, 2, 0x0100);
	} else {
		cmi_buf_be(&body, 2, h->cipher);
		cmi_buf_u8(&body, 0);
	}
	if (extensions.n)
		build_vector(&body, 2, cmi_buf_view(&extensions));
	build_message(out, type, cmi_buf_view(&body));
	cmi_buf_dispose(&body);
	cmi_buf_dispose(&extensions);
}

/* A Certificate message of `n` stand-ins of `size` bytes each; the k-th is
 * filled with the byte k + 1. */
static inline void build_certificate(
	struct cmi_buf *out, size_t n, size_t size, bool tls13)
{
	struct cmi_buf body = build_new(), list = build_new();

	for (size_t k = 0; k < n; k++) {
		cmi_buf_be(&list, 3, size);
		for (size_t i = 0; i < size; i++)
			cmi_buf_u8(&list, (uint8_t)(k + 1));
		if (tls13)
			cmi_buf_be(&list, 2, 0);
	}
	if (tls13)
		cmi_buf_u8(&body, 0);
	build_vector(&body, 3, cmi_buf_view(&list));
	build_message(out, 11, cmi_buf_view(&body));
	cmi_buf_dispose(&body);
	cmi_buf_dispose(&list);
}

#endif
