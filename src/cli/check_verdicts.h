/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts for many endpoints, each distinct chain judged once: what is the
 * same for two endpoints is told of both and worked out for one.
 */
#ifndef CMI_CLI_CHECK_VERDICTS_H
#define CMI_CLI_CHECK_VERDICTS_H

#include "cli/check_alike.h"
#include "cli/check_many.h"
#include "core/map.h"
#include "probe/crowd.h"

/* Distinct chains judged and kept; then all are let go and it starts anew. */
#define CMI_VERDICTS_MAX ((size_t)500)

/* One chain and what is said of it, counted. */
struct cmi_known_chain;
struct cmi_known_chain *cmi_known_chain_ref(struct cmi_known_chain *k);
void cmi_known_chain_unref(struct cmi_known_chain *k);
/* How it compares with others; out's address stays. */
void cmi_known_chain_alike(
	const struct cmi_known_chain *k, struct cmi_alike *out);

struct cmi_verdicts {
	const struct cmi_check_many *how;
	struct cmi_item_sink sink;
	struct cmi_map by_key, by_chain;
	struct cmi_known_chain *chains[CMI_VERDICTS_MAX];
	size_t n;
	bool fresh; /* the item is of a chain that was not seen before */
};
/* how outlives it. */
void cmi_verdicts_init(struct cmi_verdicts *v, const struct cmi_check_many *how,
	struct cmi_item_sink sink);
void cmi_verdicts_dispose(struct cmi_verdicts *v);
/* One endpoint with a chain. */
struct cmi_answered {
	const struct cmi_crowd_target *t;
	const struct cmi_dialed *d;
	/* In other ways; NULL there: not asked.  Taken, with NULL left behind,
	 * where the chain is new. */
	struct cmi_variants **ways;
};
/* The item goes to the sink under this name. */
cmend_status cmi_verdicts_tell(struct cmi_verdicts *v, const char *name,
	const struct cmi_answered *a, struct cmi_examined *seen,
	cmend_error *err) __attribute__((warn_unused_result));

/* The same in two steps.  *out: the caller's. */
cmend_status cmi_verdicts_judge(struct cmi_verdicts *v,
	const struct cmi_answered *a, struct cmi_known_chain **out,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_verdicts_tell_known(struct cmi_verdicts *v,
	struct cmi_known_chain *k, const struct cmi_examine_where *where,
	struct cmi_examined *seen, cmend_error *err)
	__attribute__((warn_unused_result));

/* "192.0.2.1:443", as far as it is known; or NULL. */
const char *cmi_crowd_address(const struct cmi_crowd_target *t,
	const struct cmi_dialed *d, char out[CMI_ENDPOINT_TEXT]);

#endif
