/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a program for a cursor and also the bytes it reads: each step
 * takes one byte to choose a getter.  Oracle: a getter that succeeds moves by
 * exactly what it returned, one that fails leaves everything as it was, and
 * no view leaves the input.
 */
#include "core/cursor.h"
#include "fuzz.h"

static bool inside(struct cmi_bytes whole, struct cmi_bytes part)
{
	return part.n == 0 ||
	       (part.p >= whole.p && part.n <= whole.n &&
		       part.p - whole.p <= (ptrdiff_t)(whole.n - part.n));
}

static bool read_number(struct cmi_cursor *c, unsigned op, size_t *moved)
{
	uint64_t wide = 0, want = 0;
	uint32_t v32;
	uint16_t v16;
	uint8_t v8;
	bool done;

	*moved = 1u << op % 4;
	/* The oracle's own reading: one byte at a time, from the front. */
	for (size_t i = 0; i < *moved; i++) {
		uint8_t byte = 0;

		cmi_cursor_peek(c, i, &byte);
		want = want << 8 | byte;
	}
	switch (op % 4) {
	case 0:
		done = cmi_cursor_u8(c, &v8);
		wide = done ? v8 : 0;
		break;
	case 1:
		done = cmi_cursor_u16(c, &v16);
		wide = done ? v16 : 0;
		break;
	case 2:
		done = cmi_cursor_u32(c, &v32);
		wide = done ? v32 : 0;
		break;
	default:
		done = cmi_cursor_u64(c, &wide);
		break;
	}
	FUZZ_CHECK(!done || wide == want);
	return done;
}

static bool read_view(struct cmi_cursor *c, struct cmi_bytes whole, unsigned op,
	size_t *moved)
{
	unsigned width = 1 + op % 3;
	struct cmi_bytes view = {0};
	struct cmi_cursor sub = {0};
	bool done;

	switch (op % 5) {
	case 0:
		done = cmi_cursor_bytes(c, op, &view);
		*moved = view.n;
		break;
	case 1:
		done = cmi_cursor_until(c, (uint8_t)op, &view);
		*moved = view.n + 1;
		break;
	case 2: {
		size_t before = c->at;

		done = cmi_cursor_line(c, &view);
		*moved = c->at - before;
		FUZZ_CHECK(!done || (*moved > view.n && *moved <= view.n + 2));
		break;
	}
	case 3:
		done = cmi_cursor_vector(c, width, &sub);
		view = cmi_cursor_rest(&sub);
		*moved = width + view.n;
		break;
	default:
		done = cmi_cursor_sub(c, op, &sub);
		view = cmi_cursor_rest(&sub);
		*moved = view.n;
		FUZZ_CHECK(!done || view.n == op);
		break;
	}
	FUZZ_CHECK(inside(whole, view));
	return done;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes whole = {data, size};
	struct cmi_cursor c = cmi_cursor_of(whole);
	uint8_t op;

	while (cmi_cursor_u8(&c, &op)) {
		struct cmi_cursor before = c;
		size_t moved = 0;
		bool done = op & 0x80 ? read_view(&c, whole, op & 0x7f, &moved)
				      : read_number(&c, op, &moved);

		FUZZ_CHECK(c.at == before.at + (done ? moved : 0));
		FUZZ_CHECK(c.n + c.at == size);
		FUZZ_CHECK(c.p == data + c.at);
	}
	return 0;
}
