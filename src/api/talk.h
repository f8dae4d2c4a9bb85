/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind conversations, profiles, diagnoses and results.  As in
 * api.h nothing is decided here: the floors below do the work.
 */
#ifndef CMI_API_TALK_H
#define CMI_API_TALK_H

#include "api/api.h"
#include "capture/capture.h"
#include "explain/profile_set.h"
#include "probe/examine.h"

struct cmend_conversation {
	const struct cmi_conversation *c;
	char client[CMI_ENDPOINT_TEXT], server[CMI_ENDPOINT_TEXT];
	/* Of cmend_probe only. */
	struct cmi_dialed *dialed; /* owned; NULL: of a capture */
	struct cmi_target target;
	char ip[CMI_ENDPOINT_TEXT]; /* where it was reached, alone; or "" */
	char *starttls, *host;      /* owned, or NULL */
};

/* Fill in what is not of a probe; borrows c. */
void cmi_conversation_show(
	struct cmend_conversation *to, const struct cmi_conversation *c);

struct cmend_profiles {
	struct cmi_profile_set set;
};

struct cmend_diagnosis {
	cmend_diagnosis_options o;
	enum cmi_policy policy; /* of the plain client */
	bool begun;             /* something was judged by it */
	struct cmi_diagnose_client *clients;
	size_t n_clients;
	const struct cmi_source *known[3];
	size_t n_known;
	struct cmi_fetcher *fetcher; /* owned, or NULL */
	struct cmi_diagnose *captured;
};

struct cmend_result {
	const struct cmi_item *item;
	char client[CMI_ENDPOINT_TEXT], server[CMI_ENDPOINT_TEXT];
};

#endif
