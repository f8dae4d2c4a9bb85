/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fuzz target includes: the entry point and the oracle's word.
 *
 * A target is one file, fuzz_X.c, that feeds its input to one parser and then
 * checks something that must hold whatever the input was: what is written
 * reads back the same, views lie inside the input, a second reading agrees,
 * counts stay below their ceilings.
 */
#ifndef CMI_TESTS_FUZZ_FUZZ_H
#define CMI_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Dies with the broken promise named; also in builds without assert. */
#define FUZZ_CHECK(promise)                                                    \
	do {                                                                   \
		if (!(promise)) {                                              \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__,       \
				__LINE__, #promise);                           \
			abort();                                               \
		}                                                              \
	} while (0)

#endif
