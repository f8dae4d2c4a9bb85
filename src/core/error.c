/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_text[] = {
	[CMEND_OK] = "ok",
	[CMEND_ARG] = "wrong argument",
	[CMEND_NOMEM] = "out of memory",
	[CMEND_IO] = "input or output failed",
	[CMEND_PARSE] = "malformed",
	[CMEND_LIMIT] = "limit reached",
	[CMEND_NOT_FOUND] = "not found",
	[CMEND_NET] = "network failed",
	[CMEND_CRYPTO] = "cryptography failed",
	[CMEND_REFUSED] = "refused",
	[CMEND_BUSY] = "busy",
	[CMEND_TIMEOUT] = "timed out",
	[CMEND_UNSUPPORTED] = "not supported",
	[CMEND_AGAIN] = "more input needed",
	[CMEND_INTERNAL] = "internal fault",
};

const char *cmend_status_text(cmend_status status)
{
	size_t i = (size_t)status;

	if (i >= sizeof(status_text) / sizeof(status_text[0]))
		return "unknown status";
	return status_text[i];
}

const char *cmend_version(void)
{
	return CMI_VERSION;
}

cmend_status(cmi_fail)(
	cmend_error *err, cmend_status status, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return status;
	err->status = status;
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return status;
}

cmend_status cmi_fail_within(
	cmend_error *err, cmend_status status, const char *fmt, ...)
{
	char was[CMEND_ERROR_TEXT];
	size_t n;
	va_list ap;

	if (!err)
		return status;
	memcpy(was, err->message, sizeof(was));
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	err->status = status;
	n = strnlen(err->message, sizeof(err->message));
	snprintf(err->message + n, sizeof(err->message) - n, ": %s", was);
	return status;
}
