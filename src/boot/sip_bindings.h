/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is registered where, until when (RFC 3261 section 10).  In memory only:
 * after a restart phones register anew.  Any thread may call.
 */
#ifndef CMI_BOOT_SIP_BINDINGS_H
#define CMI_BOOT_SIP_BINDINGS_H

#include "core/buf.h"
#include "core/env.h"
#include "core/limits.h"

#define CMI_SIP_URI_MAX 256

struct cmi_binding {
	char contact[CMI_SIP_URI_MAX];
	char instance[64]; /* +sip.instance, or "": the same device */
	char call_id[128];
	uint32_t cseq;
	int64_t until_s; /* asked for: 0 removes */
};

struct cmi_bindings;
cmend_status cmi_bindings_new(
	const struct cmi_env *env, struct cmi_bindings **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_bindings_free(struct cmi_bindings *b);

/*
 * All of one REGISTER or nothing of it: CMEND_REFUSED where a newer one by the
 * same Call-ID was there before, CMEND_LIMIT when too many users are
 * registered.  Above the ceiling for one user, the device that would run out
 * first gives way.  `star` removes all of the user's.  Appends "Contact:"
 * fields of what there is then.
 */
cmend_status cmi_bindings_update(struct cmi_bindings *b, const char *sip,
	const struct cmi_binding *asked, size_t n, bool star,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Those that have not run out, of one user or (NULL) of all. */
size_t cmi_bindings_count(struct cmi_bindings *b, const char *sip);

#endif
