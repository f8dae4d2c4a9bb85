/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cmi_report_json wrote of an endpoint, read back as the item that it was,
 * as far as the line says it: certificates are outlines (names, dates and
 * digest; no key, no bytes), which serve to be shown and to nothing else.
 */
#ifndef CMI_REPORT_READ_H
#define CMI_REPORT_READ_H

#include "core/arena.h"
#include "explain/item.h"

/* Memory that one line takes, at most. */
#define CMI_READ_ENDPOINT_MAX ((size_t)8 << 20)

struct cmi_read_endpoint {
	struct cmi_item_endpoint e;
	struct cmi_item_profile *profiles; /* e's: titles may be put in */
	struct cmi_path path;              /* e's */
};

/* All of it lies in the arena.  *out NULL: a line of another kind.
 * CMEND_PARSE: no such line; CMEND_LIMIT: the arena is full.  Texts are safe
 * texts, whoever wrote the line. */
cmend_status cmi_read_endpoint(struct cmi_bytes line, struct cmi_arena *arena,
	struct cmi_read_endpoint **out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
