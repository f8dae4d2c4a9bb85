/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comma-separated values (RFC 4180), a field at a time.
 *
 * Lines may end in LF or CRLF, and a byte order mark in front is passed over.
 * Form only: how many fields a record should have is the caller's business.
 * A quote that is never closed is an error, so a list that was cut is noticed.
 */
#ifndef CMI_CORE_CSV_H
#define CMI_CORE_CSV_H

#include "core/buf.h"
#include "core/cursor.h"

struct cmi_csv {
	struct cmi_cursor c; /* a view of the text, which outlives it */
	size_t record;       /* of the next field, from 1 */
	bool inside;         /* the record is not over */
};

struct cmi_csv cmi_csv_of(struct cmi_bytes text);

/* The next field without its quotes, in place of what `field` held.  *last: it
 * ends its record.  CMEND_NOT_FOUND: there are no more; CMEND_PARSE: names the
 * byte; CMEND_LIMIT: longer than field may be; CMEND_NOMEM. */
cmend_status cmi_csv_field(struct cmi_csv *v, struct cmi_buf *field, bool *last,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
