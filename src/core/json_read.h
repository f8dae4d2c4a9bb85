/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON (RFC 8259): a text is looked through once, then walked.  Nothing
 * is copied: values are views of the text and live as long as it does.
 */
#ifndef CMI_CORE_JSON_READ_H
#define CMI_CORE_JSON_READ_H

#include "core/buf.h"
#include "core/cursor.h"

enum cmi_json_kind {
	CMI_JSON_NULL,
	CMI_JSON_FALSE,
	CMI_JSON_TRUE,
	CMI_JSON_NUMBER,
	CMI_JSON_TEXT,
	CMI_JSON_ARRAY,
	CMI_JSON_OBJECT,
};

struct cmi_json_value {
	enum cmi_json_kind kind;
	/* As it stands there; a text without its quotes, an array or object
	 * without its brackets. */
	struct cmi_bytes raw;
};

/* One value and nothing behind it but white space, well formed to its depth.
 * CMEND_PARSE: it is not, and where; CMEND_LIMIT: CMI_JSON_DEPTH_MAX. */
cmend_status cmi_json_read(struct cmi_bytes text, struct cmi_json_value *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* Walk what cmi_json_read gave: start with cmi_cursor_of(v.raw) of an array or
 * an object; false at its end. */
bool cmi_json_element(struct cmi_cursor *c, struct cmi_json_value *out);
bool cmi_json_member(struct cmi_cursor *c, struct cmi_bytes *key,
	struct cmi_json_value *out);
/* The member by that name, which is written without escapes; false: v has none,
 * or is no object.  Of several the first. */
bool cmi_json_find(const struct cmi_json_value *v, const char *key,
	struct cmi_json_value *out);

/* Append a text with its escapes undone, as UTF-8; a half of a surrogate pair
 * becomes U+FFFD. */
void cmi_json_unescape(struct cmi_buf *out, struct cmi_bytes raw);

#endif
