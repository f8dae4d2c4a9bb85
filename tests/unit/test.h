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

#endif
