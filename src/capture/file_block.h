/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of pcapng into a buffer, for write.c and annotate.c.  Blocks of our
 * own have the least significant byte first and times in nanoseconds.
 */
#ifndef CMI_CAPTURE_FILE_BLOCK_H
#define CMI_CAPTURE_FILE_BLOCK_H

#include "core/buf.h"

enum {
	CMI_BLOCK_INTERFACE = 1,
	CMI_BLOCK_PACKET = 2, /* obsolete */
	CMI_BLOCK_SIMPLE = 3,
	CMI_BLOCK_ENHANCED = 6,
	CMI_BLOCK_SECTION = 0x0a0d0d0a,
};

/* A comment; more would only be hard to read. */
#define CMI_COMMENT_MAX ((size_t)4096)

static inline size_t cmi_block_padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* A number of either byte order. */
static inline void cmi_block_int(
	struct cmi_buf *b, bool big, unsigned width, uint64_t v)
{
	if (big)
		cmi_buf_be(b, width, v);
	else
		cmi_buf_le(b, width, v);
}

/* Zeros up to a whole word, behind n bytes. */
void cmi_block_pad(struct cmi_buf *b, size_t n);

/* opt_comment, cut to CMI_COMMENT_MAX. */
void cmi_block_comment(struct cmi_buf *b, bool big, struct cmi_bytes text);
/* opt_endofopt */
void cmi_block_end_options(struct cmi_buf *b);

void cmi_block_section(struct cmi_buf *b, struct cmi_bytes application);
void cmi_block_interface(struct cmi_buf *b, uint16_t link, uint32_t snaplen);
/* options: as made by the above, or empty. */
void cmi_block_packet(struct cmi_buf *b, uint64_t t_ns, struct cmi_bytes data,
	size_t length, struct cmi_bytes options);

#endif
