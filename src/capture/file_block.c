/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/file_block.h"

enum {
	OPTION_COMMENT = 1,
	OPTION_APPLICATION = 4, /* shb_userappl */
	OPTION_RESOLUTION = 9,  /* if_tsresol */
};

void cmi_block_pad(struct cmi_buf *b, size_t n)
{
	static const uint8_t zero[4];

	cmi_buf_add(b, zero, cmi_block_padded(n) - n);
}

static void put_option(
	struct cmi_buf *b, bool big, unsigned code, struct cmi_bytes v)
{
	cmi_block_int(b, big, 2, code);
	cmi_block_int(b, big, 2, v.n);
	cmi_buf_add_bytes(b, v);
	cmi_block_pad(b, v.n);
}

static size_t option_size(struct cmi_bytes v)
{
	return 4 + cmi_block_padded(v.n);
}

void cmi_block_comment(struct cmi_buf *b, bool big, struct cmi_bytes text)
{
	if (text.n > CMI_COMMENT_MAX) {
		text.n = CMI_COMMENT_MAX;
		/* Not in the middle of a character of UTF-8. */
		while (text.n && (text.p[text.n] & 0xc0) == 0x80)
			text.n--;
	}
	put_option(b, big, OPTION_COMMENT, text);
}

void cmi_block_end_options(struct cmi_buf *b)
{
	cmi_buf_le(b, 4, 0);
}

void cmi_block_section(struct cmi_buf *b, struct cmi_bytes application)
{
	size_t n;

	if (application.n > CMI_COMMENT_MAX)
		application.n = CMI_COMMENT_MAX;
	n = 28 + option_size(application) + 4;
	cmi_buf_le(b, 4, CMI_BLOCK_SECTION);
	cmi_buf_le(b, 4, n);
	cmi_buf_le(b, 4, 0x1a2b3c4d);
	cmi_buf_le(b, 2, 1);
	cmi_buf_le(b, 2, 0);
	cmi_buf_le(b, 8, UINT64_MAX); /* length not known */
	put_option(b, false, OPTION_APPLICATION, application);
	cmi_block_end_options(b);
	cmi_buf_le(b, 4, n);
}

void cmi_block_interface(struct cmi_buf *b, uint16_t link, uint32_t snaplen)
{
	size_t n = 20 + option_size(CMI_BYTES("\x09")) + 4;

	cmi_buf_le(b, 4, CMI_BLOCK_INTERFACE);
	cmi_buf_le(b, 4, n);
	cmi_buf_le(b, 2, link);
	cmi_buf_le(b, 2, 0);
	cmi_buf_le(b, 4, snaplen);
	put_option(b, false, OPTION_RESOLUTION, CMI_BYTES("\x09"));
	cmi_block_end_options(b);
	cmi_buf_le(b, 4, n);
}

void cmi_block_packet(struct cmi_buf *b, uint64_t t_ns, struct cmi_bytes data,
	size_t length, struct cmi_bytes options)
{
	size_t n = 32 + cmi_block_padded(data.n) + options.n;

	cmi_buf_le(b, 4, CMI_BLOCK_ENHANCED);
	cmi_buf_le(b, 4, n);
	cmi_buf_le(b, 4, 0); /* the first interface */
	cmi_buf_le(b, 4, t_ns >> 32);
	cmi_buf_le(b, 4, t_ns & UINT32_MAX);
	cmi_buf_le(b, 4, data.n);
	cmi_buf_le(b, 4, length < data.n ? data.n : length);
	cmi_buf_add_bytes(b, data);
	cmi_block_pad(b, data.n);
	cmi_buf_add_bytes(b, options);
	cmi_buf_le(b, 4, n);
}
