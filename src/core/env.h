/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the outside gives: clock, randomness, files to read, and a listener for
 * events.
 *
 * Time is an argument everywhere; code that needs "now" asks its env, so
 * tests inject it.  Events are facts for whoever listens: kind, subject,
 * reason, one number.  Secrets never enter an event.
 */
#ifndef CMI_CORE_ENV_H
#define CMI_CORE_ENV_H

#include "core/mem.h"

struct cmi_event {
	const char *kind;    /* stable word, such as "fetch" or "candidate" */
	const char *subject; /* what it is about, safe to print; may be NULL */
	const char *reason;  /* why, safe to print; may be NULL */
	int64_t number;      /* its meaning goes with the kind; 0 if none */
};

struct cmi_env {
	int64_t (*now_us)(void *ctx);  /* since 1970, microseconds */
	int64_t (*mono_ms)(void *ctx); /* monotonic, milliseconds */
	cmend_status (*random)(void *ctx, uint8_t *p, size_t n);
	void (*event)(void *ctx, const struct cmi_event *event); /* or NULL */
	/* A descriptor to read that path, or -1 with errno; NULL: open(2).  A
	 * sandboxed reader asks another process here. */
	int (*open_read)(void *ctx, const char *path);
	void *ctx;
};

/* The system's clock and randomness, nobody listening; static. */
const struct cmi_env *cmi_env_system(void);
/* Accept NULL for env: the system's. */
int64_t cmi_now_us(const struct cmi_env *env);
int64_t cmi_mono_ms(const struct cmi_env *env);
cmend_status cmi_random(const struct cmi_env *env, uint8_t *p, size_t n)
	__attribute__((warn_unused_result));
/* A descriptor that is the caller's, or -1 with errno. */
int cmi_open_read(const struct cmi_env *env, const char *path);
void cmi_emit(const struct cmi_env *env, const char *kind, const char *subject,
	const char *reason, int64_t number);

#endif
