/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays a conversation into a session, cut into pieces as one likes, and
 * writes down the records that come out.
 */
#ifndef CMI_TESTS_WIRE_TALK_H
#define CMI_TESTS_WIRE_TALK_H

#include "capture/keylog.h"
#include "recorder.h"
#include "core/cursor.h"

#define TALK_MAX 64

struct turn {
	enum cmi_side side;
	struct cmi_bytes data;
	uint64_t gap;         /* instead of data: so many bytes are missing */
	enum cmi_close close; /* or: the side closes */
};

struct talk {
	struct turn turns[TALK_MAX];
	size_t n;
};

/* How many bytes come next, of `left`. */
typedef size_t talk_piece(void *ctx, size_t left);

static inline size_t talk_whole(void *ctx, size_t left)
{
	(void)ctx;
	return left;
}

static inline void talk_say(
	struct talk *t, enum cmi_side side, struct cmi_bytes data)
{
	if (t->n < TALK_MAX)
		t->turns[t->n++] = (struct turn){side, data, 0, 0};
}

static inline void talk_close(
	struct talk *t, enum cmi_side side, enum cmi_close how)
{
	if (t->n < TALK_MAX)
		t->turns[t->n++] =
			(struct turn){side, (struct cmi_bytes){0}, 0, how};
}

static inline void talk_lose(struct talk *t, enum cmi_side side, uint64_t n)
{
	if (t->n < TALK_MAX)
		t->turns[t->n++] =
			(struct turn){side, (struct cmi_bytes){0}, n, 0};
}

static inline cmend_status talk_turn(struct cmi_session *s,
	const struct turn *turn, talk_piece *piece, void *ctx, cmend_error *err)
{
	enum cmi_session_want want = CMI_WANT_BYTES;
	size_t at = 0;

	if (turn->close)
		return cmi_session_closed(
			s, turn->side, turn->close, 1, 1, err);
	if (turn->gap)
		return cmi_session_gap(s, turn->side, turn->gap, 1, 1, err);
	while (at < turn->data.n && want == CMI_WANT_BYTES) {
		size_t n = piece(ctx, turn->data.n - at);

		CMI_TRY(cmi_session_feed(s, turn->side,
			(struct cmi_bytes){turn->data.p + at, n}, 1, 1, &want,
			err));
		at += n;
	}
	return CMEND_OK;
}

static inline cmend_status talk_run(const struct talk *t, struct recorder *r,
	const struct cmi_stream_info *info, talk_piece *piece, void *ctx,
	cmend_error *err)
{
	struct cmi_session *s = NULL;
	cmend_status status = cmi_session_new(&r->hub, info, &s, err);

	for (size_t i = 0; i < t->n && status == CMEND_OK; i++)
		status = talk_turn(s, &t->turns[i], piece, ctx, err);
	if (status == CMEND_OK)
		status = cmi_session_end(s, true, 2, err);
	cmi_session_free(s);
	if (status == CMEND_OK)
		status = cmi_session_hub_end(&r->hub, 2, err);
	else
		(void)!cmi_session_hub_end(&r->hub, 2, NULL);
	return status;
}

#endif
