/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a file or stream through one bounded buffer.
 *
 * A caller asks for a view of the next n bytes and gets them without a copy
 * where they are already there; a view is valid until the next call.  The
 * buffer is CMI_INPUT_BUFFER and grows only for a view that is larger, never
 * above CMI_BLOCK_MAX.  Read with read(), so pipes serve as well as files and
 * a file that shrinks is no fault.
 */
#ifndef CMI_CAPTURE_FILE_INPUT_H
#define CMI_CAPTURE_FILE_INPUT_H

#include "core/env.h"

struct cmi_input;

/* Where the bytes come from.  read: at most n bytes, *got 0 at the end. */
struct cmi_input_source {
	cmend_status (*read)(void *ctx, uint8_t *to, size_t n, size_t *got,
		cmend_error *err);
	void (*close)(void *ctx);
	void *ctx;
};

struct cmi_input {
	uint8_t *buf;
	size_t cap;
	size_t at;       /* next byte */
	size_t n;        /* bytes from there on */
	uint64_t offset; /* of the next byte, in the unpacked file */
	bool ended;
	struct cmi_input_source source;
	/* At the end of the source: true to look for more; or NULL. */
	bool (*wait)(void *ctx);
	void *wait_ctx;
	char name[256];    /* for messages, safe to print */
	char trouble[128]; /* why the bytes ended too early; else empty */
};

/* "-" is standard input.  CMEND_IO: cannot be opened or is a directory. */
cmend_status cmi_input_open(const char *path, const struct cmi_env *env,
	struct cmi_input **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* From any source, which becomes the input's own (not after a failure). */
cmend_status cmi_input_new(struct cmi_input_source source, const char *name,
	struct cmi_input **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_input_close(struct cmi_input *in);
CMI_DEFINE_CLEANUP(cmi_input_closep, struct cmi_input, cmi_input_close)

/* Does the slow work of cmi_input_view. */
cmend_status cmi_input_fill(struct cmi_input *in, size_t n, cmend_error *err)
	__attribute__((warn_unused_result));

/* All that is in the buffer, at least n bytes unless the input ends first. */
static inline cmend_status cmi_input_view(
	struct cmi_input *in, size_t n, struct cmi_bytes *out, cmend_error *err)
{
	if (in->n < n)
		CMI_TRY(cmi_input_fill(in, n, err));
	*out = (struct cmi_bytes){in->buf + in->at, in->n};
	return CMEND_OK;
}

/* What is in the buffer beyond n bytes that were in view; reads nothing. */
static inline struct cmi_bytes cmi_input_beyond(
	const struct cmi_input *in, size_t n)
{
	return (struct cmi_bytes){in->buf + in->at + n, in->n - n};
}

/* Pass n bytes that were in view. */
static inline void cmi_input_pass(struct cmi_input *in, size_t n)
{
	in->at += n;
	in->n -= n;
	in->offset += n;
}

#endif
