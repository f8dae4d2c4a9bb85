/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to read wire bytes.
 *
 * A cursor is a bounded view with a place in it.  A getter succeeds and
 * moves, or returns false and stays; nothing is read outside the view.  The
 * cursor owns nothing and must not outlive its input.
 */
#ifndef CMI_CORE_CURSOR_H
#define CMI_CORE_CURSOR_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <string.h>

#include "core/mem.h"

struct cmi_cursor {
	const uint8_t *p; /* next byte */
	size_t n;         /* bytes left */
	size_t at;        /* bytes already passed, for messages */
};

static inline struct cmi_cursor cmi_cursor_of(struct cmi_bytes b)
{
	return (struct cmi_cursor){b.p, b.n, 0};
}

static inline struct cmi_bytes cmi_cursor_rest(const struct cmi_cursor *c)
{
	return (struct cmi_bytes){c->p, c->n};
}

static inline bool cmi_cursor_skip(struct cmi_cursor *c, size_t n)
{
	if (n > c->n)
		return false;
	c->p += n;
	c->n -= n;
	c->at += n;
	return true;
}

/* A view of the next n bytes. */
static inline bool cmi_cursor_bytes(
	struct cmi_cursor *c, size_t n, struct cmi_bytes *out)
{
	const uint8_t *p = c->p;

	if (!cmi_cursor_skip(c, n))
		return false;
	*out = (struct cmi_bytes){p, n};
	return true;
}

/* A copy of the next n bytes into a place of the caller's that holds them. */
static inline bool cmi_cursor_copy(struct cmi_cursor *c, void *to, size_t n)
{
	const uint8_t *p = c->p;

	if (!cmi_cursor_skip(c, n))
		return false;
	if (n)
		memcpy(to, p, n);
	return true;
}

/* A cursor over the next n bytes, which this one passes. */
static inline bool cmi_cursor_sub(
	struct cmi_cursor *c, size_t n, struct cmi_cursor *out)
{
	struct cmi_cursor sub = {c->p, n, c->at};

	if (!cmi_cursor_skip(c, n))
		return false;
	*out = sub;
	return true;
}

static inline bool cmi_cursor_be(
	struct cmi_cursor *c, unsigned width, uint64_t *out)
{
	const uint8_t *p = c->p;
	uint64_t v = 0;

	if (!cmi_cursor_skip(c, width))
		return false;
	for (unsigned i = 0; i < width; i++)
		v = v << 8 | p[i];
	*out = v;
	return true;
}

static inline bool cmi_cursor_le(
	struct cmi_cursor *c, unsigned width, uint64_t *out)
{
	const uint8_t *p = c->p;
	uint64_t v = 0;

	if (!cmi_cursor_skip(c, width))
		return false;
	for (unsigned i = width; i > 0; i--)
		v = v << 8 | p[i - 1];
	*out = v;
	return true;
}

#define CMI_CURSOR_GETTER(name, type, width, order)                            \
	static inline bool name(struct cmi_cursor *c, type *out)               \
	{                                                                      \
		uint64_t v;                                                    \
                                                                               \
		if (!order(c, width, &v))                                      \
			return false;                                          \
		*out = (type)v;                                                \
		return true;                                                   \
	}
/* The widths of machine words in one load each. */
#define CMI_CURSOR_WORD(name, type, to_host)                                   \
	static inline bool name(struct cmi_cursor *c, type *out)               \
	{                                                                      \
		const uint8_t *p = c->p;                                       \
		type v;                                                        \
                                                                               \
		if (!cmi_cursor_skip(c, sizeof(v)))                            \
			return false;                                          \
		memcpy(&v, p, sizeof(v));                                      \
		*out = to_host(v);                                             \
		return true;                                                   \
	}
CMI_CURSOR_GETTER(cmi_cursor_u8, uint8_t, 1, cmi_cursor_be)
CMI_CURSOR_WORD(cmi_cursor_u16, uint16_t, be16toh)
CMI_CURSOR_GETTER(cmi_cursor_u24, uint32_t, 3, cmi_cursor_be)
CMI_CURSOR_WORD(cmi_cursor_u32, uint32_t, be32toh)
CMI_CURSOR_WORD(cmi_cursor_u64, uint64_t, be64toh)
CMI_CURSOR_WORD(cmi_cursor_u16le, uint16_t, le16toh)
CMI_CURSOR_WORD(cmi_cursor_u32le, uint32_t, le32toh)
CMI_CURSOR_WORD(cmi_cursor_u64le, uint64_t, le64toh)

/* A vector with its length in front: 1, 2 or 3 bytes of it, as TLS has them
 * (RFC 8446 section 3.4). */
static inline bool cmi_cursor_vector(
	struct cmi_cursor *c, unsigned width, struct cmi_cursor *out)
{
	struct cmi_cursor try = *c;
	uint64_t n;

	if (!cmi_cursor_be(&try, width, &n) ||
		!cmi_cursor_sub(&try, (size_t)n, out))
		return false;
	*c = try;
	return true;
}

/* Up to and without the next `stop`, which is passed; false if absent. */
bool cmi_cursor_until(
	struct cmi_cursor *c, uint8_t stop, struct cmi_bytes *out);
/* One line without its LF or CRLF; false if no LF is there yet. */
bool cmi_cursor_line(struct cmi_cursor *c, struct cmi_bytes *out);
/* Look at the byte `ahead` places on without moving. */
bool cmi_cursor_peek(const struct cmi_cursor *c, size_t ahead, uint8_t *out);

#endif
