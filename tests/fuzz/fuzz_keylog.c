/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key log.  Oracle: read line by line, and read twice, it holds the same
 * secrets as read at once; a secret is found only under a random that stands
 * in the text, and is no longer than the text.
 */
#include <string.h>

#include "capture/keylog.h"
#include "core/cursor.h"
#include "core/text.h"
#include "fuzz.h"

#define RANDOM_N 32

static struct cmi_keylog *read_lines(struct cmi_bytes text, unsigned times)
{
	struct cmi_keylog *k = NULL;

	FUZZ_CHECK(cmi_keylog_new(&k, NULL) == CMEND_OK);
	while (times--) {
		struct cmi_cursor c = cmi_cursor_of(text);
		struct cmi_bytes line;

		while (cmi_cursor_line(&c, &line))
			FUZZ_CHECK(cmi_keylog_add(k, line, NULL) == CMEND_OK);
		FUZZ_CHECK(cmi_keylog_add(k, cmi_cursor_rest(&c), NULL) ==
			   CMEND_OK);
	}
	return k;
}

/* The second word of a line, as the bytes that it writes in hex. */
static bool random_of(struct cmi_bytes line, uint8_t out[RANDOM_N])
{
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes word;
	struct cmi_buf bytes;
	bool whole;

	if (!cmi_cursor_until(&c, ' ', &word) ||
		!cmi_cursor_until(&c, ' ', &word))
		return false;
	cmi_buf_init(&bytes, 4096);
	whole = cmi_hex_decode(&bytes, word, NULL) == CMEND_OK &&
		bytes.n == RANDOM_N;
	if (whole)
		memcpy(out, bytes.p, RANDOM_N);
	cmi_buf_dispose(&bytes);
	return whole;
}

static void check_same(const struct cmi_keylog *a, const struct cmi_keylog *b,
	struct cmi_bytes random, size_t most)
{
	bool any = false;

	for (int kind = 0; kind < CMI_SECRET_COUNT; kind++) {
		struct cmi_bytes x =
			cmi_keylog_find(a, (enum cmi_secret)kind, random);
		struct cmi_bytes y =
			cmi_keylog_find(b, (enum cmi_secret)kind, random);

		FUZZ_CHECK(cmi_bytes_equal(x, y));
		FUZZ_CHECK(x.n <= most);
		any |= x.n > 0;
	}
	FUZZ_CHECK(cmi_keylog_has(a, random) == any);
	FUZZ_CHECK(cmi_keylog_has(b, random) == any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t nobody[RANDOM_N] = {0x5a};
	struct cmi_bytes text = {data, size}, line;
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_keylog *whole = NULL, *lines;
	uint8_t random[RANDOM_N];

	FUZZ_CHECK(cmi_keylog_new(&whole, NULL) == CMEND_OK);
	FUZZ_CHECK(cmi_keylog_add(whole, text, NULL) == CMEND_OK);
	lines = read_lines(text, 2);
	while (cmi_cursor_line(&c, &line))
		if (random_of(line, random))
			check_same(whole, lines,
				(struct cmi_bytes){random, RANDOM_N}, size);
	FUZZ_CHECK(!cmi_keylog_has(
		whole, (struct cmi_bytes){nobody, RANDOM_N - 1}));
	cmi_keylog_free(whole);
	cmi_keylog_free(lines);
	return 0;
}
