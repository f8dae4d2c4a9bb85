/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/tether.h"

#include <stdio.h>

#include "core/cursor.h"
#include "core/text.h"

#define MARK "CMT1"

static const char *const type_names[CMI_FRAME_COUNT] = {
	[CMI_FRAME_HELLO] = "HELLO",
	[CMI_FRAME_PROVE] = "PROVE",
	[CMI_FRAME_SIGNIN] = "SIGNIN",
	[CMI_FRAME_DONE] = "DONE",
	[CMI_FRAME_REFUSED] = "REFUSED",
};

/* CRC-32 of IEEE 802.3, bit by bit: frames are short. */
static uint32_t crc32_add(uint32_t crc, struct cmi_bytes v)
{
	struct cmi_cursor at = cmi_cursor_of(v);
	uint8_t byte;

	while (cmi_cursor_u8(&at, &byte)) {
		crc ^= byte;
		for (unsigned i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return crc;
}

static uint32_t frame_crc(const char *head, struct cmi_bytes payload)
{
	return ~crc32_add(crc32_add(0xffffffffu, cmi_bytes_of(head)), payload);
}

static const char *head_of(char out[32], enum cmi_frame_type type, size_t n)
{
	snprintf(out, 32, "%s %zu ", type_names[type], n);
	return out;
}

void cmi_frame_write(
	enum cmi_frame_type type, struct cmi_bytes payload, struct cmi_buf *out)
{
	char head[32];

	head_of(head, type, payload.n);
	/* The line feed in front ends what a pulled cable left behind. */
	cmi_buf_printf(
		out, "\n" MARK " %s%08x ", head, frame_crc(head, payload));
	cmi_base64(out, payload, 0, "");
	cmi_buf_u8(out, '\n');
}

static bool type_by_name(struct cmi_bytes name, enum cmi_frame_type *out)
{
	for (size_t i = 0; i < CMI_FRAME_COUNT; i++) {
		if (!cmi_bytes_equal(name, cmi_bytes_of(type_names[i])))
			continue;
		*out = (enum cmi_frame_type)i;
		return true;
	}
	return false;
}

cmend_status cmi_frame_read(struct cmi_bytes line, struct cmi_buf *store,
	struct cmi_frame *out, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(line);
	struct cmi_bytes mark, name, length, crc;
	enum cmi_frame_type type;
	char head[32], want[9];
	uint64_t n;

	if (!cmi_cursor_until(&at, ' ', &mark) ||
		!cmi_bytes_equal(mark, CMI_BYTES(MARK)))
		return cmi_fail(err, CMEND_PARSE, "no frame of this version");
	if (!cmi_cursor_until(&at, ' ', &name) || !type_by_name(name, &type) ||
		!cmi_cursor_until(&at, ' ', &length) ||
		!cmi_parse_uint(length, CMI_TETHER_FRAME_MAX, &n) ||
		!cmi_cursor_until(&at, ' ', &crc))
		return cmi_fail(err, CMEND_PARSE, "malformed frame");
	cmi_buf_clear(store);
	CMI_TRY(cmi_base64_decode(store, cmi_cursor_rest(&at), err));
	if (store->n != n)
		return cmi_fail(err, CMEND_PARSE, "frame of wrong length");
	snprintf(want, sizeof(want), "%08x",
		frame_crc(head_of(head, type, store->n), cmi_buf_view(store)));
	if (!cmi_bytes_equal(crc, cmi_bytes_of(want)))
		return cmi_fail(err, CMEND_PARSE, "frame with a wrong sum");
	*out = (struct cmi_frame){type, cmi_buf_view(store)};
	return CMEND_OK;
}
