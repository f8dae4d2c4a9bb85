/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes first: cmocka and its prerequisites. */
#ifndef CMI_TESTS_UNIT_TEST_H
#define CMI_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a call finds on the stack where it has initialised nothing. */
__attribute__((noinline, unused)) static void test_dirty_stack(void)
{
	volatile unsigned char dirt[16384];

	for (size_t i = 0; i < sizeof(dirt); i++)
		dirt[i] = 0x5a;
}

#endif
