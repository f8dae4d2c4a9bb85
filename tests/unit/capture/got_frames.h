/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a capture file gives: frame by frame, and with those that are at
 * hand behind each.
 */
#ifndef CMI_TESTS_GOT_FRAMES_H
#define CMI_TESTS_GOT_FRAMES_H

#include "test.h"

#include "capture/file.h"
#include "core/limits.h"
#include "forge_packets.h"

#define US  ((int64_t)1000000)
#define T0  ((int64_t)FORGE_T0 * US)
#define BIG ((size_t)8 << 20)

/* What a reading gave. */
struct got {
	cmend_status status;
	cmend_error err;
	size_t n;
	char first[16]; /* of each frame's bytes */
	int64_t t_us[16];
	unsigned ns[16];
	uint32_t link[16];
	uint64_t number[16];
	size_t length[16];
	size_t notes;
	char note[256]; /* the first */
	uint64_t note_offset;
	char secrets[64];
	bool damaged;
	uint64_t bytes;
};

static void take_note(
	void *ctx, uint64_t offset, uint64_t frame, const char *says)
{
	struct got *g = ctx;

	(void)frame;
	if (g->notes++)
		return;
	snprintf(g->note, sizeof(g->note), "%s", says);
	g->note_offset = offset;
}

static cmend_status take_secrets(
	void *ctx, uint32_t type, struct cmi_bytes v, cmend_error *err)
{
	struct got *g = ctx;

	(void)err;
	assert_int_equal(type, 0x544c534b);
	snprintf(g->secrets, sizeof(g->secrets), "%.*s", (int)v.n,
		(const char *)v.p);
	return CMEND_OK;
}

static void take_frame(struct got *g, const struct cmi_frame *frame)
{
	if (g->n < 16) {
		g->first[g->n] = frame->data.n ? *frame->data.p : '-';
		g->t_us[g->n] = frame->t_us;
		g->ns[g->n] = frame->ns;
		g->link[g->n] = frame->link;
		g->number[g->n] = frame->number;
		g->length[g->n] = frame->length;
	}
	g->n++;
}

/* Behind a frame, all that are at hand; its view stays as it is. */
static size_t take_at_hand(
	struct cmi_capfile *f, struct got *g, struct cmi_bytes before)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf copy;
	struct cmi_frame frame;
	size_t n = 0;
	bool is;

	cmi_buf_init(&copy, BIG);
	cmi_buf_add_bytes(&copy, before);
	while (!(g->status = cmi_capfile_at_hand(f, &frame, &is, &g->err)) &&
		is) {
		take_frame(g, &frame);
		n++;
	}
	assert_true(cmi_bytes_equal(before, cmi_buf_view(&copy)));
	return n;
}

/* ahead: also by what is at hand; how many frames were. */
static inline size_t read_in_a_way(const char *path, bool ahead, struct got *g)
{
	const struct cmi_capfile_hooks hooks = {
		.note = take_note, .secrets = take_secrets, .ctx = g};
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	size_t n = 0;
	bool more = true;

	memset(g, 0, sizeof(*g));
	g->status = cmi_capfile_open(path, &hooks, &f, &g->err);
	while (!g->status && more) {
		g->status = cmi_capfile_next(f, &frame, &more, &g->err);
		if (g->status || !more)
			break;
		take_frame(g, &frame);
		if (ahead)
			n += take_at_hand(f, g, frame.data);
	}
	if (f) {
		g->damaged = cmi_capfile_damaged(f);
		g->bytes = cmi_capfile_bytes(f);
	}
	cmi_capfile_close(f);
	return n;
}

/* Frame by frame, and then with those at hand, which must give the same. */
static inline size_t read_path(const char *path, struct got *g)
{
	struct got other;
	size_t n = read_in_a_way(path, true, &other);

	(void)read_in_a_way(path, false, g);
	assert_memory_equal(g, &other, sizeof(other));
	return n;
}

static inline size_t read_bytes(const struct cmi_buf *b, struct got *g)
{
	char path[64];
	size_t n;

	forge_file(path, b);
	n = read_path(path, g);
	unlink(path);
	return n;
}

#endif
