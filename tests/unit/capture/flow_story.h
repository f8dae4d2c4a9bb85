/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments played to the table of connections, and what its sessions heard.
 */
#ifndef CMI_TESTS_FLOW_STORY_H
#define CMI_TESTS_FLOW_STORY_H

#include "test.h"

#include "capture/flow.h"
#include "core/buf.h"

/* A session that writes down what it is told: "C:" and "S:" bytes, "[n]" for
 * a gap, "." and "!" for FIN and RST of that side, "|" at the end. */
struct cmi_session {
	struct cmi_buf text[2]; /* by side */
	struct cmi_stream_info info;
	struct story *story;
};

struct story {
	char sessions[8][2048];
	size_t n, n_tcp;
	struct cmi_tcp_seen tcp[8];
	enum cmi_close tcp_closed[8][2];
	struct cmi_stream_info infos[8];
	enum cmi_session_want want; /* after the first bytes */
	size_t alive;
	bool capture_ends;
};

static struct story *now;

static cmend_status create(struct cmi_session_hub *hub,
	const struct cmi_stream_info *info, struct cmi_session **out,
	cmend_error *err)
{
	struct cmi_session *s = cmi_alloc(sizeof(*s));

	(void)hub;
	if (!s)
		return cmi_nomem(err);
	s->info = *info;
	s->story = now;
	now->alive++;
	cmi_buf_init(&s->text[0], 1 << 20);
	cmi_buf_init(&s->text[1], 1 << 20);
	*out = s;
	return CMEND_OK;
}

static void destroy(struct cmi_session *s)
{
	s->story->alive--;
	cmi_buf_dispose(&s->text[0]);
	cmi_buf_dispose(&s->text[1]);
	cmi_free(s);
}

static cmend_status feed(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, uint64_t frame, int64_t t_us,
	enum cmi_session_want *want, cmend_error *err)
{
	(void)frame;
	(void)t_us;
	(void)err;
	cmi_buf_add_bytes(&s->text[side], data);
	*want = s->story->want;
	return CMEND_OK;
}

static cmend_status gap(struct cmi_session *s, enum cmi_side side, uint64_t n,
	uint64_t frame, int64_t t_us, cmend_error *err)
{
	(void)frame;
	(void)t_us;
	(void)err;
	cmi_buf_printf(&s->text[side], "[%u]", (unsigned)n);
	return CMEND_OK;
}

static cmend_status closed(struct cmi_session *s, enum cmi_side side,
	enum cmi_close how, uint64_t frame, int64_t t_us, cmend_error *err)
{
	(void)frame;
	(void)t_us;
	(void)err;
	cmi_buf_text(&s->text[side], how == CMI_CLOSE_FIN ? "." : "!");
	return CMEND_OK;
}

static cmend_status end(struct cmi_session *s, bool capture_ends, int64_t t_us,
	cmend_error *err)
{
	struct story *t = s->story;

	(void)t_us;
	(void)err;
	t->capture_ends = capture_ends;
	if (t->n < 8) {
		t->infos[t->n] = s->info;
		snprintf(t->sessions[t->n], sizeof(t->sessions[0]), "%s|%s",
			cmi_buf_cstr(&s->text[0]), cmi_buf_cstr(&s->text[1]));
	}
	t->n++;
	return CMEND_OK;
}

static const struct cmi_flow_ops ops = {
	create, destroy, feed, gap, closed, end};

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct story *t = ctx;

	(void)err;
	assert_int_equal(c->kind, CMI_CONV_TCP);
	if (t->n_tcp < 8) {
		t->tcp[t->n_tcp] = *c->tcp;
		t->tcp_closed[t->n_tcp][0] = c->closed[0];
		t->tcp_closed[t->n_tcp][1] = c->closed[1];
	}
	t->n_tcp++;
	return CMEND_OK;
}

/* One segment of a made connection; sequence numbers count from the side's
 * first, which stands for the SYN. */
struct piece {
	char side;         /* 'c', 's'; 0 ends the row */
	const char *flags; /* S A F R */
	uint32_t seq, ack;
	const char *text;
	size_t cut;
};

#define ISN_C 0xfffffffau /* wraps after a few bytes */
#define ISN_S 0x7ffffff0u

struct world {
	struct story story;
	struct cmi_session_hub hub;
	struct cmi_flows *flows;
	uint64_t frame;
	int64_t t_us;
};

static inline void world_init(struct world *w)
{
	*w = (struct world){.hub.sink = {take, &w->story}};
	now = &w->story;
	assert_int_equal(
		cmi_flows_new(&w->hub, &ops, NULL, &w->flows, NULL), CMEND_OK);
}

static inline struct cmi_packet packet_of(const struct piece *s, uint16_t port)
{
	bool client = s->side == 'c';
	struct cmi_packet p = {
		.kind = CMI_PACKET_TCP,
		.from = {4, {10, 0, 0, client ? 9 : 1}, client ? port : 443},
		.to = {4, {10, 0, 0, client ? 1 : 9}, client ? 443 : port},
		.seq = (client ? ISN_C : ISN_S) + s->seq,
		.ack = (client ? ISN_S : ISN_C) + s->ack,
		.payload = cmi_bytes_of(s->text),
		.cut = s->cut,
	};

	for (const char *f = s->flags; *f; f++)
		p.flags |= *f == 'S'   ? CMI_TCP_SYN
			   : *f == 'A' ? CMI_TCP_ACK
			   : *f == 'F' ? CMI_TCP_FIN
				       : CMI_TCP_RST;
	return p;
}

static inline void play_port(
	struct world *w, const struct piece *s, uint16_t port)
{
	for (; s->side; s++) {
		struct cmi_packet p = packet_of(s, port);

		w->t_us += 1000;
		assert_int_equal(cmi_flows_segment(w->flows, &p, ++w->frame,
					 w->t_us, NULL),
			CMEND_OK);
	}
}

static inline void world_end(struct world *w)
{
	assert_int_equal(cmi_flows_end(w->flows, w->t_us, NULL), CMEND_OK);
	assert_int_equal(w->story.alive, 0);
	assert_int_equal(w->hub.bytes_kept, 0);
	cmi_flows_free(w->flows);
}

#define OPEN                                                                   \
	{'c', "S", 0, 0, ""}, {'s', "SA", 0, 1, ""},                           \
	{                                                                      \
		'c', "A", 1, 1, ""                                             \
	}
#define CLOSE(c, s)                                                            \
	{'c', "FA", c, s, ""}, {'s', "FA", s, (c) + 1, ""},                    \
	{                                                                      \
		'c', "A", (c) + 1, (s) + 1, ""                                 \
	}

#endif
