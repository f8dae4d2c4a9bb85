/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation as TCP segments.  The input is four bytes of a seed and then
 * turns as in fuzz_session.c.  Oracle: split into other segments, sent out of
 * order within a turn, and sent again whenever one likes, expected some packets
 * before their turn and with a stranger's between them, the conversation gives
 * the records that it gives in order; nothing counts as missing or as said
 * twice with other words.
 */
#include <string.h>

#include "../unit/wire/recorder.h"
#include "capture/flow.h"
#include "core/cursor.h"
#include "fuzz.h"

#define TURNS_MAX  64
#define PIECES_MAX 24 /* of one turn, so that all may be held */
#define FIRST_C    0xffffff00u
#define FIRST_S    0x7ffff000u
#define AHEAD_MAX  16

struct turn {
	enum cmi_side side;
	struct cmi_bytes data;
};

struct talk {
	struct turn turns[TURNS_MAX];
	size_t n;
};

/* Expected, and not yet taken. */
struct waiting {
	struct cmi_packet packet;
	struct cmi_flow_place place;
};

struct line {
	struct recorder r;
	struct cmi_flows *flows;
	uint32_t next[2];
	struct waiting waiting[AHEAD_MAX];
	size_t n_waiting, ahead; /* so many are taken together */
};

static const struct cmi_flow_ops ops = {
	.create = cmi_session_new,
	.destroy = cmi_session_free,
	.feed = cmi_session_feed,
	.gap = cmi_session_gap,
	.closed = cmi_session_closed,
	.end = cmi_session_end,
};

static uint32_t dice(uint32_t *seed, uint32_t sides)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % sides;
}

static void take_waiting(struct line *l)
{
	/* One frame and one time: they are no part of what is compared. */
	for (size_t i = 0; i < l->n_waiting; i++)
		FUZZ_CHECK(
			cmi_flows_take(l->flows, &l->waiting[i].packet,
				&l->waiting[i].place, 1, 1, NULL) == CMEND_OK);
	l->n_waiting = 0;
}

static void expect(struct line *l, const struct cmi_packet *p)
{
	struct waiting *w = &l->waiting[l->n_waiting++];

	w->packet = *p;
	cmi_flows_expect(l->flows, p, &w->place);
	if (l->n_waiting >= l->ahead)
		take_waiting(l);
}

/* A bare acknowledgement of a connection that is not there. */
static void send_strange(struct line *l, uint32_t *seed)
{
	const struct cmi_packet p = {
		.kind = CMI_PACKET_TCP,
		.from = {4, {10, 0, 0, (uint8_t)dice(seed, 3)}, 4430},
		.to = {4, {10, 0, 0, 9}, 50112},
		.flags = CMI_TCP_ACK,
	};

	if (p.from.addr[3] != 1)
		expect(l, &p);
}

static void send(struct line *l, enum cmi_side side, uint8_t flags,
	uint32_t seq, struct cmi_bytes data)
{
	struct cmi_packet p = {
		.kind = CMI_PACKET_TCP,
		.from = {4, {10, 0, 0, 9}, 50112},
		.to = {4, {10, 0, 0, 1}, 4430},
		.seq = seq,
		.ack = l->next[!side],
		.flags = flags,
		.payload = data,
	};

	if (side == CMI_SERVER) {
		struct cmi_endpoint from = p.from;

		p.from = p.to;
		p.to = from;
	}
	expect(l, &p);
}

static void open_line(struct line *l, size_t ahead)
{
	memset(l, 0, sizeof(*l));
	l->ahead = ahead;
	recorder_init(&l->r);
	FUZZ_CHECK(cmi_flows_new(&l->r.hub, &ops, NULL, &l->flows, NULL) ==
		   CMEND_OK);
	send(l, CMI_CLIENT, CMI_TCP_SYN, FIRST_C, (struct cmi_bytes){0});
	l->next[CMI_CLIENT] = FIRST_C + 1;
	send(l, CMI_SERVER, CMI_TCP_SYN | CMI_TCP_ACK, FIRST_S,
		(struct cmi_bytes){0});
	l->next[CMI_SERVER] = FIRST_S + 1;
}

static void close_line(struct line *l)
{
	const struct cmi_flow_stats *stats = cmi_flows_stats(l->flows);

	for (int side = 0; side < 2; side++)
		send(l, (enum cmi_side)side, CMI_TCP_FIN | CMI_TCP_ACK,
			l->next[side], (struct cmi_bytes){0});
	take_waiting(l);
	FUZZ_CHECK(cmi_flows_end(l->flows, 2, NULL) == CMEND_OK);
	FUZZ_CHECK(!stats->gaps && !stats->conflicts);
	FUZZ_CHECK(cmi_session_hub_end(&l->r.hub, 2, NULL) == CMEND_OK);
	FUZZ_CHECK(l->r.hub.bytes_kept == 0);
	cmi_flows_free(l->flows);
}

/* One after the other, as they were said. */
static void play_plain(const struct talk *t, struct line *l)
{
	open_line(l, 1);
	for (size_t i = 0; i < t->n; i++) {
		const struct turn *turn = &t->turns[i];

		send(l, turn->side, CMI_TCP_ACK, l->next[turn->side],
			turn->data);
		l->next[turn->side] += (uint32_t)turn->data.n;
	}
	close_line(l);
}

struct piece {
	uint32_t seq;
	struct cmi_bytes data;
};

/* Cut data at random places. */
static size_t cut(
	struct piece *out, struct cmi_bytes data, uint32_t seq, uint32_t *seed)
{
	size_t n = 0, len;

	while (data.n) {
		len = 1 + dice(seed, (uint32_t)data.n);
		if (dice(seed, 2) && len > 7)
			len = 1 + dice(seed, 7);
		if (n + 1 == PIECES_MAX)
			len = data.n;
		out[n++] = (struct piece){seq, {data.p, len}};
		data.p += len;
		data.n -= len;
		seq += (uint32_t)len;
	}
	return n;
}

static void send_turn(struct line *l, const struct turn *turn, uint32_t *seed)
{
	struct piece pieces[PIECES_MAX];
	size_t n = cut(pieces, turn->data, l->next[turn->side], seed);

	for (size_t i = n; i > 1; i--) {
		size_t k = dice(seed, (uint32_t)i);
		struct piece was = pieces[i - 1];

		pieces[i - 1] = pieces[k];
		pieces[k] = was;
	}
	for (size_t i = 0; i < n; i++) {
		const struct piece *p = &pieces[i];

		send(l, turn->side, CMI_TCP_ACK, p->seq, p->data);
		if (dice(seed, 4) == 0)
			send_strange(l, seed);
		/* Once more: this one, or one of those before it. */
		if (dice(seed, 3) == 0) {
			p = &pieces[dice(seed, (uint32_t)i + 1)];
			send(l, turn->side, CMI_TCP_ACK, p->seq, p->data);
		}
	}
	l->next[turn->side] += (uint32_t)turn->data.n;
}

static void play_mixed(const struct talk *t, struct line *l, uint32_t seed)
{
	open_line(l, 1 + dice(&seed, AHEAD_MAX));
	for (size_t i = 0; i < t->n; i++) {
		send_turn(l, &t->turns[i], &seed);
		/* A whole turn from before, late. */
		if (dice(&seed, 4) == 0) {
			uint32_t seq[2] = {FIRST_C + 1, FIRST_S + 1};
			size_t which = dice(&seed, (uint32_t)i + 1);

			for (size_t k = 0; k < which; k++)
				seq[t->turns[k].side] +=
					(uint32_t)t->turns[k].data.n;
			send(l, t->turns[which].side, CMI_TCP_ACK,
				seq[t->turns[which].side],
				t->turns[which].data);
		}
	}
	close_line(l);
}

static struct talk read_talk(struct cmi_cursor *c)
{
	struct talk t = {0};
	struct cmi_bytes said;
	uint16_t head;

	while (t.n < TURNS_MAX && cmi_cursor_u16(c, &head)) {
		size_t n = head & 0x7fff;

		if (n > c->n)
			n = c->n;
		if (!cmi_cursor_bytes(c, n, &said) || !said.n)
			continue;
		t.turns[t.n++] = (struct turn){
			head >> 15 ? CMI_SERVER : CMI_CLIENT, said};
	}
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){data, size});
	struct line plain, mixed;
	struct talk t;
	uint32_t seed;

	if (!cmi_cursor_u32(&c, &seed))
		return 0;
	t = read_talk(&c);
	play_plain(&t, &plain);
	for (uint32_t i = 0; i < 4; i++) {
		play_mixed(&t, &mixed, seed + i);
		if (getenv("CMI_FUZZ_SAY") &&
			strcmp(cmi_buf_cstr(&plain.r.text),
				cmi_buf_cstr(&mixed.r.text)))
			fprintf(stderr, "in order:\n%smixed (%u):\n%s",
				cmi_buf_cstr(&plain.r.text), seed + i,
				cmi_buf_cstr(&mixed.r.text));
		FUZZ_CHECK(strcmp(cmi_buf_cstr(&plain.r.text),
				   cmi_buf_cstr(&mixed.r.text)) == 0);
		recorder_dispose(&mixed.r);
	}
	recorder_dispose(&plain.r);
	return 0;
}
