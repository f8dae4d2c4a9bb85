/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of one name beside each other: which chain most of them send,
 * and what is to be said of one that sends another.
 */
#ifndef CMI_CLI_CHECK_ALIKE_H
#define CMI_CLI_CHECK_ALIKE_H

#include "core/limits.h"
#include "explain/item.h"
#include "probe/examine.h"

/* What one address sent. */
struct cmi_alike {
	const char *ip;
	bool came; /* it answered; else it is counted, not compared */
	size_t n_sent;
	uint8_t chain[CMI_SHA256_LEN];
};
/* chain of it: a digest over what was sent, byte by byte. */
void cmi_alike_chain(const struct cmi_item_cert *sent, size_t n,
	uint8_t out[CMI_SHA256_LEN]);

/* All of them, in an order that does not change from run to run. */
struct cmi_alikes {
	const struct cmi_alike *list;
	size_t n;
	size_t usual, n_same; /* the chain that most send, and how many do */
};
/* Of two chains that are sent as often the longer one counts, then the first:
 * what is forgotten is a certificate too few. */
struct cmi_alikes cmi_alikes_of(const struct cmi_alike *list, size_t n);

/* The finding of one that differs, and the words that it points to. */
struct cmi_alike_differs {
	struct cmi_finding finding;
	char says[400];
};
/* NULL: it sends what most send, or did not answer. */
const struct cmi_finding *cmi_alike_differs(const struct cmi_alikes *all,
	size_t i, const char *host, struct cmi_alike_differs *out);

#endif
