/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of QUIC, and the bytes of their CRYPTO frames put into order; and the
 * input as packets.  Oracle: what is ready is what a plain map of bytes says,
 * packets are views that follow each other.
 */
#include <string.h>

#include "capture/quic_stream.h"
#include "fuzz.h"
#include "wire/quic.h"

#define MAP_N 4096

struct map {
	bool there[MAP_N];
	uint8_t byte[MAP_N];
};

static void note(struct map *m, const struct cmi_quic_frame *f)
{
	for (size_t i = 0; i < f->data.n; i++) {
		if (f->offset + i >= MAP_N)
			return;
		m->there[f->offset + i] = true;
		m->byte[f->offset + i] = f->data.p[i];
	}
}

/* A piece that was let go, since it made one hole too many, may be missing. */
static void compare(const struct map *m, const struct cmi_quic_stream *s)
{
	struct cmi_bytes ready = cmi_quic_stream_ready(s);

	for (size_t i = 0; i < ready.n && i < MAP_N; i++) {
		FUZZ_CHECK(m->there[i]);
		FUZZ_CHECK(m->byte[i] == ready.p[i]);
	}
	if (s->n_ranges < CMI_QUIC_RANGES_MAX / 2 && ready.n < MAP_N)
		FUZZ_CHECK(!m->there[ready.n]);
}

static void read_frames(struct cmi_bytes in)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	struct cmi_quic_stream s;
	struct cmi_quic_frame f;
	static struct map m;

	memset(&m, 0, sizeof(m));
	cmi_quic_stream_init(&s);
	while (cmi_quic_frame(&c, cmi_quic_version(1), &f)) {
		if (f.type != CMI_QUIC_CRYPTO)
			continue;
		FUZZ_CHECK(!cmi_quic_stream_add(&s, f.offset, f.data, NULL));
		if (f.offset < CMI_HANDSHAKE_MAX &&
			f.data.n <= CMI_HANDSHAKE_MAX - f.offset)
			note(&m, &f);
	}
	compare(&m, &s);
	cmi_quic_stream_dispose(&s);
}

static void read_packets(struct cmi_bytes in)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	struct cmi_quic_packet p;
	const uint8_t *at = in.p;

	while (cmi_quic_packet(&c, &p)) {
		FUZZ_CHECK(p.whole.p == at && p.whole.n > 6);
		at += p.whole.n;
		FUZZ_CHECK(p.number_at <= p.whole.n);
		FUZZ_CHECK(p.dcid.n <= CMI_QUIC_ID_MAX);
	}
	FUZZ_CHECK(at <= in.p + in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes in = {data, size};

	read_frames(in);
	read_packets(in);
	return 0;
}
