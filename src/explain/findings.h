/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each finding means: one table, from which texts, docs/findings.md and
 * the man page are made.  The ids themselves stand in core/finding_id.h.
 */
#ifndef CMI_EXPLAIN_FINDINGS_H
#define CMI_EXPLAIN_FINDINGS_H

#include "core/buf.h"
#include "core/finding_id.h"

enum cmi_severity {
	CMI_SEVERITY_ERROR,   /* some client refuses because of it */
	CMI_SEVERITY_WARNING, /* some clients may; or soon will */
	CMI_SEVERITY_INFO,    /* worth knowing, harms nobody */
};
/* "error", "warning", "info". */
const char *cmi_severity_name(enum cmi_severity s);

/* Whose turn it is to mend it. */
enum cmi_blame {
	CMI_BLAME_NONE,
	CMI_BLAME_SERVER,
	CMI_BLAME_CLIENT,
	CMI_BLAME_NETWORK,
	CMI_BLAME_CA,
};
/* "server", "client", "network", "ca"; NULL for none. */
const char *cmi_blame_name(enum cmi_blame b);

struct cmi_finding_text {
	const char *title;       /* a few words, no full stop */
	const char *explanation; /* two or three sentences */
	const char *reference;   /* "RFC 8446 section 4.4.2", or NULL */
	const char *remedy;      /* what to do, as one or two sentences */
	enum cmi_severity severity;
	enum cmi_blame blame;
};

/* Never NULL for a real id; NULL for CMI_F_NONE. */
const struct cmi_finding_text *cmi_finding_text(enum cmi_finding_id id);

/* The whole of docs/findings.md. */
void cmi_findings_markdown(struct cmi_buf *out);

#endif
