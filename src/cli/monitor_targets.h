/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The targets of a monitor: read from a file, and what the last look at each
 * one found.
 */
#ifndef CMI_CLI_MONITOR_TARGETS_H
#define CMI_CLI_MONITOR_TARGETS_H

#include "cli/cli.h"
#include "core/finding_id.h"
#include "core/map.h"
#include "probe/resolve.h"
#include "probe/target.h"
#include "wire/conversation.h"

/* Why a client refuses, and what else can be said in its place: a finding's
 * number, or one of these. */
enum {
	CMI_REASON_OK = CMI_F_NONE,
	CMI_REASON_UNKNOWN = CMI_F_COUNT, /* its roots are not at hand */
	CMI_REASON_UNREACHABLE,
	CMI_REASON_NOT_SEEN, /* no look yet */
	CMI_REASON_COUNT
};
/* "ok", "missing-intermediate", "unknown" ...; static. */
const char *cmi_reason_name(unsigned reason);
/* CMI_REASON_COUNT where there is none by that name. */
unsigned cmi_reason_by_name(const char *name);

struct cmi_reasons {
	uint64_t bits[2];
};
_Static_assert(CMI_REASON_COUNT <= 128, "reasons fit into a set");
void cmi_reasons_add(struct cmi_reasons *s, unsigned reason);
bool cmi_reasons_has(const struct cmi_reasons *s, unsigned reason);

#define CMI_MONITOR_PROFILE_MAX ((size_t)64)

/* How one client takes one target. */
struct cmi_opinion {
	char profile[CMI_MONITOR_PROFILE_MAX];
	unsigned reason;         /* of the last look that had a chain */
	struct cmi_reasons past; /* every one so far: series must not vanish */
	int64_t until_s;         /* the last path's end; 0: never had one */
};

/* Looks at one host are kept apart. */
struct cmi_monitor_host {
	char *name;
	bool busy;
	int64_t next_ms;
};

struct cmi_watched {
	char *name; /* "host:port", with "/sni" where one is given; unique */
	/* One address of the target by that name, "192.0.2.1:443"; "": the
	 * target itself. */
	char address[CMI_ENDPOINT_TEXT];
	struct cmi_target target;
	const char *starttls;       /* static; or NULL */
	char sni[CMI_NAME_MAX + 1]; /* "": the target's name */
	struct cmi_monitor_host *host;
	/* What the last look found. */
	bool seen, up;
	char trouble[240];  /* while not up */
	unsigned verdict;   /* of the plain client, a reason */
	bool had_chain;     /* chain and what follows mean something */
	uint8_t chain[32];  /* SHA-256 over what was sent */
	int64_t leaf_end_s; /* the certificate's own end */
	int64_t until_s;    /* the first client that stops accepting */
	bool soon;          /* that is within --warn-days */
	struct cmi_reasons findings, past_findings;
	int64_t last_s; /* of that look */
	uint64_t looks, failed_looks;
	struct cmi_opinion *opinions;
	size_t n_opinions;
	/* When to look next. */
	int64_t due_ms, busy_since_ms;
	bool busy;
	unsigned tries; /* looks in a row that could not reach it */
	/* --all-addresses: those of the last look, owned; what stands above is
	 * then of all together. */
	struct cmi_watched *addresses[CMI_RESOLVE_MAX];
	size_t n_addresses;
};

struct cmi_watch_list {
	struct cmi_watched **targets;
	size_t n, cap;
	struct cmi_map by_name;
	struct cmi_map hosts;
};

/* One target a line: NAME, NAME:PORT or an address, then any of
 * starttls=PROTOCOL and sni=NAME; "#" begins a comment.  The first line that
 * is wrong is named, and then nothing is taken.  profiles are the clients that
 * each target is judged by. */
cmend_status cmi_watch_list_read(const char *path, const char *const *profiles,
	size_t n_profiles, struct cmi_watch_list *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* The same from text; where names it in messages. */
cmend_status cmi_watch_list_parse(struct cmi_bytes text, const char *where,
	const char *const *profiles, size_t n_profiles,
	struct cmi_watch_list *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_watch_list_dispose(struct cmi_watch_list *l);
struct cmi_watched *cmi_watch_list_find(
	const struct cmi_watch_list *l, const char *name);
/* NULL: this client is not among those that judge. */
struct cmi_opinion *cmi_watched_opinion(
	struct cmi_watched *w, const char *profile);
/* The new list takes over what the old one knows. */
cmend_status cmi_watch_list_inherit(struct cmi_watch_list *to,
	const struct cmi_watch_list *from, cmend_error *err)
	__attribute__((warn_unused_result));

/* The record of an address; NULL: it has none. */
struct cmi_watched *cmi_watched_at(
	const struct cmi_watched *w, const char *address);
/* The same, made where there is none: nothing was seen of it. */
cmend_status cmi_watched_add(struct cmi_watched *w, const char *address,
	struct cmi_watched **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* It is taken out, and the caller's to free. */
void cmi_watched_remove(
	struct cmi_watched *w, const struct cmi_watched *address);
void cmi_watched_free(struct cmi_watched *w);

/* "90s", "30m", "6h", "1d", or seconds; false for anything else, 0, and more
 * than a year. */
bool cmi_monitor_every(const char *text, int64_t *out_s);

#endif
