/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side's steps around the handshake that matters: what its client did,
 * in order, each with a key by which two ladders are aligned and a value by
 * which they are compared.
 */
#ifndef CMI_EXPLAIN_LADDER_H
#define CMI_EXPLAIN_LADDER_H

#include "explain/story.h"

/* Steps of one side; real stories have about twenty. */
#define CMI_LADDER_MAX ((size_t)192)

/* Who takes part; as in struct cmi_item_step. */
enum cmi_role {
	CMI_ROLE_CLIENT,
	CMI_ROLE_SERVER,
	CMI_ROLE_ISSUERS,
	CMI_ROLE_NETWORK
};

struct cmi_rung {
	const char *event; /* stable word; also the first part of the key */
	char key[48];
	char value[64];   /* what to compare; "" compares equal */
	const char *text; /* in the ladder's arena */
	uint64_t frame;
	enum cmi_role from, to;
	enum cmi_severity tone;
	bool background; /* a difference here explains nothing */
};

struct cmi_ladder {
	const struct cmi_story *story;
	const struct cmi_record *focus; /* the handshake that matters */
	struct cmi_rung rungs[CMI_LADDER_MAX];
	size_t n;
	/* The download that brought an issuer, or was to bring one. */
	const struct cmi_record *download;
};

/* NULL where there is no handshake at all. */
const struct cmi_record *cmi_ladder_focus_bad(const struct cmi_story *s);
const struct cmi_record *cmi_ladder_focus_good(
	const struct cmi_story *s, const struct cmi_record *bad);
/* Texts go into arena. */
void cmi_ladder_build(struct cmi_ladder *l, const struct cmi_story *s,
	const struct cmi_record *focus, struct cmi_arena *arena);

#endif
