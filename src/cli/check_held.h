/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check -f --all-ways: a target whose chain came is asked again in the other
 * ways in which it may send another one, each a connection of its own that
 * waits for its turn as any target does.  What came first is held until the
 * last of them is back.  All of them together may take as long as one target
 * may: the time in which at least one of them is asked is counted.
 */
#ifndef CMI_CLI_CHECK_HELD_H
#define CMI_CLI_CHECK_HELD_H

#include "cli/check_wait.h"
#include "probe/variants.h"

/* One target, held. */
struct cmi_held {
	struct cmi_held *next, *before;
	struct cmi_crowd_target t;  /* as it was asked first */
	struct cmi_dialed first;    /* and what came */
	struct cmi_variants *found; /* taken by who judges */
	size_t left;                /* ways that are not back */
	size_t running;
	int64_t left_ms, since_ms;
};

struct cmi_held_list {
	struct cmi_held *first;
	size_t n;
};

/* How they are asked. */
struct cmi_held_options {
	bool old;           /* as clients do that know no TLS 1.2, too */
	int64_t timeout_ms; /* for all of them */
};
/* t sent the chain in d: its ways are put among those that wait, and point to
 * what is held from now on.  *held false: there is no other way.  One for which
 * there is no room counts as not reached. */
cmend_status cmi_held_add(struct cmi_held_list *l,
	const struct cmi_crowd_target *t, const struct cmi_dialed *d,
	const struct cmi_held_options *how, struct cmi_wait_list *waiting,
	bool *held, cmend_error *err) __attribute__((warn_unused_result));
/* What is left goes without a word. */
void cmi_held_dispose(struct cmi_held_list *l);
void cmi_held_forget(struct cmi_held_list *l, struct cmi_held *w);

/* Of t, which is one of the ways.  It gets its connection now: t->timeout_ms is
 * set.  Each start is followed by one stop. */
void cmi_held_start(struct cmi_crowd_target *t, int64_t now_ms);
void cmi_held_stop(const struct cmi_crowd_target *t, int64_t now_ms);
/* Is another try worth while, since the server never heard this one? */
bool cmi_held_unheard(cmend_status status, const struct cmi_dialed *d);
/* It is back, with this. */
cmend_status cmi_held_take(const struct cmi_crowd_target *t,
	cmend_status status, const struct cmi_dialed *d, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
