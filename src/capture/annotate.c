/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/annotate.h"

#include <string.h>

#include "capture/file.h"
#include "capture/file_block.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/limits.h"

/* Written out when so much has come together. */
#define FLUSH_AT ((size_t)256 << 10)
/* Type, length, interface, time and two lengths: before a packet's bytes. */
#define PACKET_HEAD 28u

struct copy {
	const struct cmi_annotation *notes; /* those still to come */
	size_t n;
	const struct cmi_env *env;
	int fd;     /* borrowed */
	bool begun; /* a section */
	struct cmi_buf out;
	struct cmi_buf options;
};

static cmend_status flush(struct copy *c, cmend_error *err)
{
	CMI_TRY(cmi_buf_status(&c->out, err));
	CMI_TRY(cmi_fd_write(c->fd, cmi_buf_view(&c->out), err));
	cmi_buf_clear(&c->out);
	return CMEND_OK;
}

/* The comments of a frame as options; those of frames passed are let go. */
static void take_comments(struct copy *c, uint64_t number, bool big)
{
	cmi_buf_clear(&c->options);
	for (; c->n && c->notes->frame <= number; c->notes++, c->n--)
		if (c->notes->frame == number)
			cmi_block_comment(
				&c->options, big, cmi_bytes_of(c->notes->text));
}

/* A block with options behind its packet, and ours before them. */
static bool put_commented(struct copy *c, const struct cmi_raw_block *b)
{
	struct cmi_cursor in = cmi_cursor_of(b->bytes);
	struct cmi_bytes head, data, old;
	uint32_t captured;
	size_t n;

	if (!cmi_cursor_skip(&in, 8) || !cmi_cursor_bytes(&in, 12, &head) ||
		!(b->big ? cmi_cursor_u32(&in, &captured)
			 : cmi_cursor_u32le(&in, &captured)) ||
		captured > CMI_PACKET_MAX || !cmi_cursor_skip(&in, 4))
		return false;
	in = cmi_cursor_of(b->bytes);
	if (!cmi_cursor_skip(&in, 8) ||
		!cmi_cursor_bytes(&in,
			PACKET_HEAD - 8 + cmi_block_padded(captured), &data) ||
		in.n < 4)
		return false;
	old = (struct cmi_bytes){in.p, in.n - 4};
	n = b->bytes.n + c->options.n + (old.n ? 0 : 4);
	cmi_block_int(&c->out, b->big, 4, b->type);
	cmi_block_int(&c->out, b->big, 4, n);
	cmi_buf_add_bytes(&c->out, data);
	cmi_buf_add_bytes(&c->out, cmi_buf_view(&c->options));
	cmi_buf_add_bytes(&c->out, old);
	if (!old.n)
		cmi_block_end_options(&c->out);
	cmi_block_int(&c->out, b->big, 4, n);
	return true;
}

/* A simple packet has no room for options: it becomes an enhanced one of the
 * first interface, with the time that it was read with. */
static bool put_simple(struct copy *c, const struct cmi_raw_block *b)
{
	struct cmi_cursor in = cmi_cursor_of(b->bytes);
	struct cmi_bytes data;
	uint32_t length;
	size_t n;

	if (!cmi_cursor_skip(&in, 8) ||
		!(b->big ? cmi_cursor_u32(&in, &length)
			 : cmi_cursor_u32le(&in, &length)) ||
		in.n < 4)
		return false;
	n = length < in.n - 4 ? length : in.n - 4;
	if (b->snaplen && n > b->snaplen)
		n = b->snaplen;
	if (!cmi_cursor_bytes(&in, n, &data))
		return false;
	cmi_block_end_options(&c->options);
	n = 32 + cmi_block_padded(data.n) + c->options.n;
	cmi_block_int(&c->out, b->big, 4, CMI_BLOCK_ENHANCED);
	cmi_block_int(&c->out, b->big, 4, n);
	cmi_block_int(&c->out, b->big, 4, 0);
	cmi_block_int(&c->out, b->big, 4, b->time >> 32);
	cmi_block_int(&c->out, b->big, 4, b->time & UINT32_MAX);
	cmi_block_int(&c->out, b->big, 4, data.n);
	cmi_block_int(&c->out, b->big, 4, length);
	cmi_buf_add_bytes(&c->out, data);
	cmi_block_pad(&c->out, data.n);
	cmi_buf_add_bytes(&c->out, cmi_buf_view(&c->options));
	cmi_block_int(&c->out, b->big, 4, n);
	return true;
}

/* A section may name its length, which comments change. */
static void put_section(struct copy *c, const struct cmi_raw_block *b)
{
	struct cmi_cursor in = cmi_cursor_of(b->bytes);
	struct cmi_bytes head;

	if (!cmi_cursor_bytes(&in, 16, &head) || !cmi_cursor_skip(&in, 8)) {
		cmi_buf_add_bytes(&c->out, b->bytes);
		return;
	}
	cmi_buf_add_bytes(&c->out, head);
	cmi_buf_le(&c->out, 8, UINT64_MAX);
	cmi_buf_add_bytes(&c->out, cmi_cursor_rest(&in));
}

/* In the place of a damaged one, without which nobody reads what follows. */
static void begin_section(struct copy *c, bool big)
{
	cmi_block_int(&c->out, big, 4, CMI_BLOCK_SECTION);
	cmi_block_int(&c->out, big, 4, 28);
	cmi_block_int(&c->out, big, 4, 0x1a2b3c4d);
	cmi_block_int(&c->out, big, 2, 1);
	cmi_block_int(&c->out, big, 2, 0);
	cmi_block_int(&c->out, big, 8, UINT64_MAX); /* length not known */
	cmi_block_int(&c->out, big, 4, 28);
}

static cmend_status copy_block(
	void *ctx, const struct cmi_raw_block *b, cmend_error *err)
{
	struct copy *c = ctx;
	bool done = false;

	if (!c->begun && b->type != CMI_BLOCK_SECTION)
		begin_section(c, b->big);
	c->begun = true;
	cmi_buf_clear(&c->options);
	if (b->number)
		take_comments(c, b->number, b->big);
	if (c->options.n && b->type == CMI_BLOCK_SIMPLE)
		done = put_simple(c, b);
	else if (c->options.n &&
		 (b->type == CMI_BLOCK_ENHANCED || b->type == CMI_BLOCK_PACKET))
		done = put_commented(c, b);
	if (!done && b->type == CMI_BLOCK_SECTION)
		put_section(c, b);
	else if (!done)
		cmi_buf_add_bytes(&c->out, b->bytes);
	return c->out.n >= FLUSH_AT || c->out.failed ? flush(c, err) : CMEND_OK;
}

static cmend_status copy_frame(
	struct copy *c, const struct cmi_frame *f, cmend_error *err)
{
	uint64_t t_ns = (uint64_t)f->t_us * 1000 + f->ns;

	take_comments(c, f->number, false);
	if (c->options.n)
		cmi_block_end_options(&c->options);
	CMI_TRY(cmi_buf_status(&c->options, err));
	cmi_block_packet(
		&c->out, t_ns, f->data, f->length, cmi_buf_view(&c->options));
	return c->out.n >= FLUSH_AT || c->out.failed ? flush(c, err) : CMEND_OK;
}

static void dispose(struct copy *c)
{
	cmi_buf_dispose(&c->out);
	cmi_buf_dispose(&c->options);
}

static cmend_status copy_all(struct copy *c, const char *path, cmend_error *err)
{
	const struct cmi_capfile_hooks hooks = {
		.block = copy_block, .ctx = c, .env = c->env};
	CMI_AUTO(cmi_capfile_closep) struct cmi_capfile *file = NULL;
	struct cmi_frame frame;
	bool blocks, more;

	CMI_TRY(cmi_capfile_open(path, &hooks, &file, err));
	blocks = cmi_capfile_has_blocks(file);
	if (!blocks) {
		if (cmi_capfile_link(file) > UINT16_MAX)
			return cmi_fail(err, CMEND_UNSUPPORTED,
				"cannot annotate \"%s\": its link type %u has "
				"no place in pcapng",
				path, (unsigned)cmi_capfile_link(file));
		cmi_block_section(&c->out, CMI_BYTES("chainmend " CMI_VERSION));
		cmi_block_interface(&c->out, (uint16_t)cmi_capfile_link(file),
			CMI_PACKET_MAX);
	}
	for (;;) {
		CMI_TRY(cmi_capfile_next(file, &frame, &more, err));
		if (!more && blocks && !c->begun)
			return cmi_fail(err, CMEND_PARSE,
				"cannot annotate \"%s\": no block of it is "
				"whole",
				path);
		if (!more)
			return flush(c, err);
		if (!blocks)
			CMI_TRY(copy_frame(c, &frame, err));
	}
}

cmend_status cmi_annotate_to(const struct cmi_env *env, const char *in, int out,
	const struct cmi_annotation *notes, size_t n, cmend_error *err)
{
	CMI_AUTO(dispose)
	struct copy c = {.notes = notes, .n = n, .env = env, .fd = out};

	if (strcmp(in, "-") == 0)
		return cmi_fail(err, CMEND_ARG,
			"standard input cannot be read twice: give a file");
	cmi_buf_init(&c.out, CMI_BLOCK_MAX + FLUSH_AT + CMI_PACKET_MAX);
	cmi_buf_init(&c.options, CMI_BLOCK_MAX);
	return copy_all(&c, in, err);
}

cmend_status cmi_annotate(const char *in, const char *out,
	const struct cmi_annotation *notes, size_t n, cmend_error *err)
{
	CMI_AUTO(cmi_draft_dispose) struct cmi_draft draft;

	CMI_TRY(cmi_draft_open(&draft, out, err));
	CMI_TRY(cmi_annotate_to(NULL, in, draft.fd, notes, n, err));
	return cmi_draft_keep(&draft, out, 0644, err);
}
