/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raising and forwarding failures.
 *
 * A fallible function returns cmend_status and takes a cmend_error last; the
 * error is written once, where the failure is found, and forwarded unchanged.
 */
#ifndef CMI_CORE_ERROR_H
#define CMI_CORE_ERROR_H

#include <chainmend/chainmend.h>

/* Write the message into err (may be NULL) and return status. */
cmend_status cmi_fail(cmend_error *err, cmend_status status, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before a message that is already there; returns status. */
cmend_status cmi_fail_within(cmend_error *err, cmend_status status,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* One file is analysed at a time: let it see that a failure is one. */
#define cmi_fail(err, status, ...)                                             \
	((void)(cmi_fail)(err, status, __VA_ARGS__), (status))
#endif

/* Forward a failure unchanged. */
#define CMI_TRY(expr)                                                          \
	do {                                                                   \
		cmend_status cmi_try_status_ = (expr);                         \
		if (cmi_try_status_ != CMEND_OK)                               \
			return cmi_try_status_;                                \
	} while (0)

#endif
