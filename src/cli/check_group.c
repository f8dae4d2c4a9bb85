/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_group.h"

#include <stdio.h>
#include <string.h>

#include "cli/check_alike.h"
#include "cli/target_line.h"
#include "probe/resolve.h"

struct one {
	char ip[INET6_ADDRSTRLEN];
	char address[CMI_ENDPOINT_TEXT]; /* as it is told; or "" */
	struct cmi_known_chain *chain;   /* NULL: it has none */
};

struct cmi_group {
	struct cmi_group *next, *before;
	char name[CMI_TARGET_NAME], host[CMI_NAME_MAX + 1];
	size_t n, left;
	struct one list[CMI_RESOLVE_MAX];
};

cmend_status cmi_groups_add(struct cmi_groups *g, struct cmi_crowd_target *list,
	size_t n, cmend_error *err)
{
	struct cmi_group *group = cmi_alloc(sizeof(*group));

	if (!group)
		return cmi_nomem(err);
	cmi_target_name(&list[0].target, list[0].sni, group->name);
	memcpy(group->host, list[0].target.host, sizeof(group->host));
	group->n = n < CMI_RESOLVE_MAX ? n : CMI_RESOLVE_MAX;
	group->left = group->n;
	for (size_t i = 0; i < group->n; i++) {
		memcpy(group->list[i].ip, list[i].address,
			sizeof(group->list[i].ip));
		list[i].group = group;
	}
	group->next = g->first;
	if (g->first)
		g->first->before = group;
	g->first = group;
	return CMEND_OK;
}

static void forget(struct cmi_groups *g, struct cmi_group *group)
{
	if (group->before)
		group->before->next = group->next;
	else
		g->first = group->next;
	if (group->next)
		group->next->before = group->before;
	for (size_t i = 0; i < group->n; i++)
		cmi_known_chain_unref(group->list[i].chain);
	cmi_free(group);
}

void cmi_groups_dispose(struct cmi_groups *g)
{
	while (g->first)
		forget(g, g->first);
}

void cmi_group_hold(const struct cmi_crowd_target *t,
	const struct cmi_dialed *d, struct cmi_known_chain *chain)
{
	struct cmi_group *group = t->group;
	char address[CMI_ENDPOINT_TEXT];
	const char *at = cmi_crowd_address(t, d, address);

	for (size_t i = 0; i < group->n; i++) {
		struct one *one = &group->list[i];

		if (one->chain || strcmp(one->ip, t->address) != 0)
			continue;
		one->chain = cmi_known_chain_ref(chain);
		if (at)
			memcpy(one->address, at, strlen(at) + 1);
		return;
	}
}

bool cmi_group_back(const struct cmi_crowd_target *t)
{
	struct cmi_group *group = t->group;

	return --group->left == 0;
}

static cmend_status tell_held(struct cmi_group *group, struct cmi_verdicts *v,
	struct cmi_examined *seen, cmend_error *err)
{
	struct cmi_alike alike[CMI_RESOLVE_MAX];
	struct cmi_alikes all;

	for (size_t i = 0; i < group->n; i++) {
		alike[i] = (struct cmi_alike){.ip = group->list[i].ip};
		if (group->list[i].chain)
			cmi_known_chain_alike(group->list[i].chain, &alike[i]);
	}
	all = cmi_alikes_of(alike, group->n);
	for (size_t i = 0; i < group->n; i++) {
		const struct one *one = &group->list[i];
		struct cmi_examined of_one = {0};
		struct cmi_alike_differs differs;
		const struct cmi_examine_where where = {
			.target = group->name,
			.address = one->address[0] ? one->address : NULL,
			.own = cmi_alike_differs(
				&all, i, group->host, &differs),
		};

		if (!one->chain)
			continue;
		CMI_TRY(cmi_verdicts_tell_known(
			v, one->chain, &where, &of_one, err));
		seen->refused |= of_one.refused;
		seen->warned |= of_one.warned;
	}
	return CMEND_OK;
}

cmend_status cmi_group_tell(struct cmi_groups *g, struct cmi_group *group,
	struct cmi_verdicts *v, struct cmi_examined *seen, cmend_error *err)
{
	cmend_status status = tell_held(group, v, seen, err);

	forget(g, group);
	return status;
}
