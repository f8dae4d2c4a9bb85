/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_alike.h"

#include <stdio.h>
#include <string.h>

void cmi_alike_chain(
	const struct cmi_item_cert *sent, size_t n, uint8_t out[CMI_SHA256_LEN])
{
	uint8_t all[CMI_SENT_CERTS_MAX * CMI_SHA256_LEN];
	size_t at = 0;

	for (; at < n && at < CMI_SENT_CERTS_MAX; at++)
		cmi_sha256(sent[at].der, all + at * CMI_SHA256_LEN);
	cmi_sha256((struct cmi_bytes){all, at * CMI_SHA256_LEN}, out);
}

static bool same(const struct cmi_alike *a, const struct cmi_alike *b)
{
	return memcmp(a->chain, b->chain, sizeof(a->chain)) == 0;
}

/* How many send the same as this one, itself counted. */
static size_t count_same(
	const struct cmi_alike *list, size_t n, const struct cmi_alike *one)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += list[i].came && same(&list[i], one);
	return found;
}

struct cmi_alikes cmi_alikes_of(const struct cmi_alike *list, size_t n)
{
	struct cmi_alikes all = {.list = list, .n = n};

	for (size_t i = 0; i < n; i++) {
		size_t found = list[i].came ? count_same(list, n, &list[i]) : 0;

		if (found < all.n_same || !found ||
			(found == all.n_same &&
				list[i].n_sent <= list[all.usual].n_sent))
			continue;
		all.usual = i;
		all.n_same = found;
	}
	return all;
}

const struct cmi_finding *cmi_alike_differs(const struct cmi_alikes *all,
	size_t i, const char *host, struct cmi_alike_differs *out)
{
	const struct cmi_alike *one = &all->list[i];
	const struct cmi_alike *usual = &all->list[all->usual];

	if (!one->came || same(one, usual))
		return NULL;
	snprintf(out->says, sizeof(out->says),
		"%s sends %zu certificate%s; %zu of the %zu addresses of %s "
		"send another chain, such as %s with %zu",
		one->ip, one->n_sent, one->n_sent == 1 ? "" : "s", all->n_same,
		all->n, host, usual->ip, usual->n_sent);
	out->finding = (struct cmi_finding){
		.id = CMI_F_ADDRESS_DIFFERS,
		.severity = CMI_SEVERITY_WARNING,
		.blame = CMI_BLAME_SERVER,
		.subject = one->ip,
		.says = out->says,
	};
	return &out->finding;
}
