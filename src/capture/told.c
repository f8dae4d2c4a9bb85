/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/told.h"

#include "capture/file_block.h"
#include "core/cursor.h"
#include "core/text.h"

enum { OPTION_END = 0, OPTION_COMMENT = 1 };

struct block {
	const struct cmi_raw_block *raw;
	const char *capture;
	const struct cmi_conversation_sink *sink;
};

static bool number(const struct cmi_raw_block *b, struct cmi_cursor *c,
	unsigned width, uint64_t *out)
{
	return b->big ? cmi_cursor_be(c, width, out)
		      : cmi_cursor_le(c, width, out);
}

/* "STEP, RESULT, FINDING: SAYS" */
static bool read_line(struct cmi_bytes line, struct cmi_told_seen *out)
{
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes finding;

	if (!cmi_text_starts(line, CMI_TOLD_BEGIN) ||
		!cmi_cursor_skip(&c, sizeof(CMI_TOLD_BEGIN) - 1) ||
		!cmi_cursor_until(&c, ',', &out->step) ||
		!cmi_cursor_until(&c, ',', &out->result) ||
		!cmi_cursor_until(&c, ':', &finding))
		return false;
	out->result = cmi_text_trim(out->result);
	out->finding = cmi_finding_by_name(cmi_text_trim(finding));
	out->says = cmi_text_trim(cmi_cursor_rest(&c));
	return true;
}

static cmend_status tell_line(
	const struct block *b, struct cmi_bytes line, cmend_error *err)
{
	struct cmi_told_seen told = {.frame = b->raw->number};
	const struct cmi_conversation c = {.kind = CMI_CONV_TOLD,
		.capture = b->capture,
		.first_frame = told.frame,
		.last_frame = told.frame,
		.told = &told};

	return read_line(line, &told) ? b->sink->take(b->sink->ctx, &c, err)
				      : CMEND_OK;
}

static cmend_status tell_comment(
	const struct block *b, struct cmi_bytes text, cmend_error *err)
{
	struct cmi_cursor c;
	struct cmi_bytes line;

	if (text.n > CMI_COMMENT_MAX)
		text.n = CMI_COMMENT_MAX;
	c = cmi_cursor_of(text);
	while (cmi_cursor_until(&c, '\n', &line))
		CMI_TRY(tell_line(b, line, err));
	return tell_line(b, cmi_cursor_rest(&c), err);
}

/* Behind the head of an enhanced packet and its data come options, and the
 * block's length once more. */
static bool options_of(const struct cmi_raw_block *b, struct cmi_cursor *out)
{
	struct cmi_cursor in = cmi_cursor_of(b->bytes);
	struct cmi_bytes options;
	uint64_t captured;

	if (b->type != CMI_BLOCK_ENHANCED || b->bytes.n < 4 ||
		!cmi_cursor_skip(&in, 20) || !number(b, &in, 4, &captured) ||
		captured > CMI_PACKET_MAX || !cmi_cursor_skip(&in, 4) ||
		!cmi_cursor_skip(&in, cmi_block_padded((size_t)captured)))
		return false;
	options = cmi_cursor_rest(&in);
	if (options.n < 4)
		return false;
	options.n -= 4;
	*out = cmi_cursor_of(options);
	return true;
}

cmend_status cmi_told_of_block(const struct cmi_raw_block *block,
	const char *capture, const struct cmi_conversation_sink *sink,
	cmend_error *err)
{
	const struct block b = {block, capture, sink};
	struct cmi_cursor c;
	struct cmi_bytes value;
	uint64_t code, n;

	if (!options_of(block, &c))
		return CMEND_OK;
	while (number(block, &c, 2, &code) && number(block, &c, 2, &n) &&
		code != OPTION_END && cmi_cursor_bytes(&c, (size_t)n, &value)) {
		if (code == OPTION_COMMENT)
			CMI_TRY(tell_comment(&b, value, err));
		if (!cmi_cursor_skip(&c, cmi_block_padded(value.n) - value.n))
			break;
	}
	return CMEND_OK;
}
