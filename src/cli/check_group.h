/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check -f --all-addresses: the addresses of one name.  What those with a chain
 * have to say is held until the last of them is back, since only then it is
 * known which of them differs.
 */
#ifndef CMI_CLI_CHECK_GROUP_H
#define CMI_CLI_CHECK_GROUP_H

#include "cli/check_verdicts.h"

struct cmi_group;

/* Those that are not told yet; as many as names in flight or waiting. */
struct cmi_groups {
	struct cmi_group *first;
};
/* One for these addresses of a name: they point to it from now on, and each
 * comes back once. */
cmend_status cmi_groups_add(struct cmi_groups *g, struct cmi_crowd_target *list,
	size_t n, cmend_error *err) __attribute__((warn_unused_result));
/* What is left goes without a word. */
void cmi_groups_dispose(struct cmi_groups *g);

/* Of t, which points to a group: its chain is held. */
void cmi_group_hold(const struct cmi_crowd_target *t,
	const struct cmi_dialed *d, struct cmi_known_chain *chain);
/* One more is back, with a chain or without; true: it was the last. */
bool cmi_group_back(const struct cmi_crowd_target *t);
/* Tell of those that are held, in the order of the addresses, and forget the
 * group.  *seen: of all of them together. */
cmend_status cmi_group_tell(struct cmi_groups *g, struct cmi_group *group,
	struct cmi_verdicts *v, struct cmi_examined *seen, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
