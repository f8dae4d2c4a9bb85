/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of examine.h, shared by its files: what a client asks for and
 * cannot do (examine_client.c), what it makes of the chain (examine_weigh.c),
 * and all clients together (examine.c).
 */
#ifndef CMI_PROBE_EXAMINE_PRIVATE_H
#define CMI_PROBE_EXAMINE_PRIVATE_H

#include "core/arena.h"
#include "probe/examine.h"

/* All profiles' items and texts of one examination. */
struct cmi_examination {
	struct cmi_examine_request request; /* a copy; q points to it */
	const struct cmi_examine_request *q;
	struct cmi_item_cert items[CMI_SENT_CERTS_MAX]; /* DER in the certs */
	struct cmi_cert *sent[CMI_SENT_CERTS_MAX];
	struct cmi_item_profile *profiles;
	struct cmi_arena arena;
	struct cmi_judgement plain;
	struct cmi_source fetching;
	struct cmi_cert *first[CMI_SENT_CERTS_MAX];
	size_t n_first;
	const struct cmi_source *with_aia[1], *preload[4];
	size_t n_preload;
	bool online;
	int64_t until_s;
	const char *until_profile, *until_subject;
	bool refused;
};

/* What each kind of client could get beyond what was sent. */
void cmi_examine_fill_sources(struct cmi_examination *x);
/* As this client would judge; NULL: the plain one. */
struct cmi_judge_request cmi_examine_request_of(
	struct cmi_examination *x, const struct cmi_profile *p);
/* What the profile cannot do whatever the chain: NONE, or why it refuses. */
enum cmi_finding_id cmi_examine_cannot_do(struct cmi_examination *x,
	const struct cmi_profile *p, const char **says);

/* Its opinion. */
cmend_status cmi_examine_profile(struct cmi_examination *x,
	const struct cmi_profile *p, struct cmi_item_profile *item,
	cmend_error *err) __attribute__((warn_unused_result));
/* The last second at which this client still accepts: when one path ends,
 * another one may still be good. */
cmend_status cmi_examine_until(struct cmi_examination *x,
	const struct cmi_judge_request *asked, bool root_counts,
	const struct cmi_complete_result *first, int64_t *until_s,
	const char **subject, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_examine_note_until(struct cmi_examination *x, int64_t until_s,
	const char *name, const char *subject);
/* In the arena. */
const char *cmi_examine_say(struct cmi_arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
