/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says to a SOCKS proxy.  Oracle: as its bytes come one by one
 * the verdict leaves PART at most once, and what it is then, and where the
 * request ends, no byte behind it changes; a request ends inside what was
 * said, at its last byte, and is not shorter than one can be.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/socks.h"

/* Prefixes are tried up to this; the longest that a version 5 client says, with
 * all its methods, user, password and host, is 1033 bytes. */
#define SAID_MAX ((size_t)1200)

/* In memory of exactly its size, so that a sanitizer sees the end. */
static enum cmi_match ask(const uint8_t *data, size_t n, size_t *end)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum cmi_match match;

	FUZZ_CHECK(copy);
	if (n)
		memcpy(copy, data, n);
	match = cmi_socks_asked((struct cmi_bytes){copy, n}, end);
	free(copy);
	return match;
}

/* Version 4: eight bytes and the user's zero.  Version 5: two, a method, and
 * the request with an empty name. */
static size_t shortest(uint8_t version)
{
	return version == 4 ? 9 : 10;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum cmi_match match = CMI_MATCH_PART, next;
	size_t end = 0, again;
	size_t most = size < SAID_MAX ? size : SAID_MAX;

	for (size_t n = 0; n <= most; n++) {
		again = 0;
		next = ask(data, n, &again);
		if (match == CMI_MATCH_PART) {
			match = next;
			end = again;
			FUZZ_CHECK(match != CMI_MATCH_WHOLE || end == n);
		}
		FUZZ_CHECK(next == match);
		FUZZ_CHECK(match != CMI_MATCH_WHOLE || again == end);
	}
	if (match == CMI_MATCH_WHOLE) {
		FUZZ_CHECK(data[0] == 4 || data[0] == 5);
		FUZZ_CHECK(end >= shortest(data[0]));
	}
	next = ask(data, size, &again);
	FUZZ_CHECK(match == CMI_MATCH_PART || next == match);
	return 0;
}
