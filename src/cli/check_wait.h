/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What check -f must remember of single targets while it reads them as a
 * stream: those that wait for their turn (tried again, or held back for their
 * host's sake), when each host may be asked again, and which targets were
 * asked already.
 */
#ifndef CMI_CLI_CHECK_WAIT_H
#define CMI_CLI_CHECK_WAIT_H

#include "core/env.h"
#include "core/limits.h"
#include "probe/crowd.h"

struct cmi_waiting {
	struct cmi_crowd_target t;
	int64_t due_ms;
	uint64_t number; /* the list's: who came first of those due at once */
};

/* A heap, the first to be due on top. */
struct cmi_wait_list {
	struct cmi_waiting **heap;
	size_t n, cap;
	uint64_t added;
	size_t max; /* 0: CMI_CHECK_WAITING_MAX */
};
void cmi_wait_dispose(struct cmi_wait_list *l);
/* A copy is kept.  CMEND_LIMIT: as many as may wait do. */
cmend_status cmi_wait_add(struct cmi_wait_list *l, const struct cmi_waiting *w,
	cmend_error *err) __attribute__((warn_unused_result));
/* One that is due, or false. */
bool cmi_wait_take(
	struct cmi_wait_list *l, int64_t now_ms, struct cmi_waiting *out);

/* When each host may be asked again.  Hosts share a fixed number of places: two
 * that fall into one are held apart as if they were the same, so that memory
 * does not grow with the hosts. */
struct cmi_host_gate {
	int64_t *next_ms; /* NULL: no limit */
	uint64_t seed[2];
	int64_t gap_ms;
};
/* per_second 0: no limit. */
cmend_status cmi_host_gate_init(struct cmi_host_gate *g, unsigned per_second,
	const struct cmi_env *env, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_host_gate_dispose(struct cmi_host_gate *g);
/* true: ask now, and it is noted.  Else *due_ms says when to come back. */
bool cmi_host_gate_pass(struct cmi_host_gate *g, const char *host,
	int64_t now_ms, int64_t *due_ms);

/* Targets by 128 bits of a keyed hash: 16 bytes each, whatever their length. */
struct cmi_asked {
	uint64_t (*slots)[2];
	size_t n, cap;
	uint64_t seed[2][2];
};
cmend_status cmi_asked_init(struct cmi_asked *a, const struct cmi_env *env,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_asked_dispose(struct cmi_asked *a);
bool cmi_asked_has(const struct cmi_asked *a, struct cmi_bytes target);
/* What is there already is no error. */
cmend_status cmi_asked_add(struct cmi_asked *a, struct cmi_bytes target,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
