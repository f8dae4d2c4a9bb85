/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend: complete, explain and mend TLS certificate chains.
 *
 * This is the whole public interface; it needs no header of any other
 * library.  The library never prints, exits, forks, reads the environment
 * or keeps global state.  Errors live in a struct that the caller owns.
 */
#ifndef CHAINMEND_CHAINMEND_H
#define CHAINMEND_CHAINMEND_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CMEND_API      __attribute__((visibility("default")))
#define CMEND_MUST_USE __attribute__((warn_unused_result))
#else
#define CMEND_API
#define CMEND_MUST_USE
#endif

/* What became of a call.  Values are stable; new ones come at the end. */
typedef enum cmend_status {
	CMEND_OK = 0,
	CMEND_ARG,         /* the caller broke the contract */
	CMEND_NOMEM,       /* memory could not be had */
	CMEND_IO,          /* a file or device refused */
	CMEND_PARSE,       /* the bytes are not what they should be */
	CMEND_LIMIT,       /* a ceiling was reached */
	CMEND_NOT_FOUND,   /* nothing by that name */
	CMEND_NET,         /* the network failed */
	CMEND_CRYPTO,      /* libcrypto refused */
	CMEND_REFUSED,     /* a safety rule or a peer said no */
	CMEND_BUSY,        /* somebody else holds it */
	CMEND_TIMEOUT,     /* the time allowed ran out */
	CMEND_UNSUPPORTED, /* known, and not done here */
	CMEND_AGAIN,       /* come back with more input */
	CMEND_INTERNAL,    /* a fault of ours: please report it */
} cmend_status;

/* Room for one line of explanation, with its final NUL. */
#define CMEND_ERROR_TEXT 512

/*
 * One failure.  Owned by the caller, who may pass NULL where only the status
 * matters.  `message` is one line without a full stop, safe to print.
 */
typedef struct cmend_error {
	cmend_status status;
	char message[CMEND_ERROR_TEXT];
} cmend_error;

/* The status as a lower-case word or two; static, never NULL. */
CMEND_API const char *cmend_status_text(cmend_status status);

/* The library's version, such as "0.1.0"; static. */
CMEND_API const char *cmend_version(void);

/*
 * Bytes that somebody else owns.  A function that takes one copies what it
 * keeps; a function that gives one says how long it lives.
 */
typedef struct cmend_bytes {
	const uint8_t *p;
	size_t n;
} cmend_bytes;

/* ---- Anchors ----------------------------------------------------------- */

/*
 * The roots that a client trusts beforehand.  Nothing but the calls below
 * ever adds one.  Fill it, then share it: any number of jobs and threads may
 * read it at once, none may write it meanwhile.
 */
typedef struct cmend_trust cmend_trust;

/* An empty set.  CMEND_NOMEM. */
CMEND_API CMEND_MUST_USE cmend_status cmend_trust_new(
	cmend_trust **out, cmend_error *err);
CMEND_API void cmend_trust_free(cmend_trust *trust);
/* Certificates as DER, PEM or certs-only CMS.  CMEND_PARSE: none in it. */
CMEND_API CMEND_MUST_USE cmend_status cmend_trust_add(
	cmend_trust *trust, cmend_bytes certificates, cmend_error *err);
/* A bundle file or a directory of them.  CMEND_IO, CMEND_PARSE. */
CMEND_API CMEND_MUST_USE cmend_status cmend_trust_add_path(
	cmend_trust *trust, const char *path, cmend_error *err);
/* The system's roots.  CMEND_NOT_FOUND: none of the usual places is there. */
CMEND_API CMEND_MUST_USE cmend_status cmend_trust_add_system(
	cmend_trust *trust, cmend_error *err);
CMEND_API size_t cmend_trust_count(const cmend_trust *trust);

/* ---- Kept issuers ------------------------------------------------------ */

/*
 * Issuers on disk, never anchors.  Several processes may have one file open;
 * within a process any thread may use a handle, which does not survive fork.
 * Damage or a full disk is a miss, never an error of a job.
 */
typedef struct cmend_store cmend_store;

#define CMEND_STORE_READ_ONLY 1u

/* path is a file's name; its directories are made.  flags: 0 or
 * CMEND_STORE_READ_ONLY.  CMEND_REFUSED: the file is something else (left
 * alone); CMEND_UNSUPPORTED: from a newer version; CMEND_NOT_FOUND: read-only
 * and nothing there. */
CMEND_API CMEND_MUST_USE cmend_status cmend_store_open(
	const char *path, unsigned flags, cmend_store **out, cmend_error *err);
CMEND_API void cmend_store_close(cmend_store *store);

/* ---- Known issuers ----------------------------------------------------- */

/*
 * A read-only file of known issuers, as chainmend data update makes it: most
 * missing ones are in it, and nobody is asked.  Any thread may use a handle.
 */
typedef struct cmend_preload cmend_preload;

/* CMEND_NOT_FOUND, CMEND_IO, CMEND_PARSE: no such file or damaged;
 * CMEND_UNSUPPORTED: from a newer version. */
CMEND_API CMEND_MUST_USE cmend_status cmend_preload_open(
	const char *path, cmend_preload **out, cmend_error *err);
CMEND_API void cmend_preload_close(cmend_preload *preload);

/* ---- What a host may bring --------------------------------------------- */

/* Where certificates are handed over; valid during one callback only. */
typedef struct cmend_offer cmend_offer;

/* Offer certificates as DER, PEM or certs-only CMS; what does not fit is
 * passed over.  The bytes may go afterwards. */
CMEND_API CMEND_MUST_USE cmend_status cmend_offer_certificates(
	cmend_offer *offer, cmend_bytes certificates);

/*
 * A supplier of issuers: offers what may have issued `child` (DER, valid
 * during the call).  Nothing found is CMEND_OK; a failure takes away nothing
 * but this supplier's answer.  What it offers is path material, never trust.
 * A costly one is asked only when cheap ones lead nowhere.
 */
typedef struct cmend_source {
	size_t size; /* sizeof(cmend_source) */
	cmend_status (*issuers_of)(
		void *ctx, cmend_bytes child, cmend_offer *offer);
	void *ctx;
	int costly;
} cmend_source;

/*
 * The host's own trust, asked one certificate at a time: offers the anchors
 * that issued `child`.  For hosts whose roots cannot be listed.  What it
 * offers IS trusted: it must come from the host's trust store alone.
 */
typedef struct cmend_anchors {
	size_t size; /* sizeof(cmend_anchors) */
	cmend_status (*anchors_of)(
		void *ctx, cmend_bytes child, cmend_offer *offer);
	void *ctx;
} cmend_anchors;

/* An answer being filled by a host's fetcher. */
typedef struct cmend_answer cmend_answer;

/* Append to the answer's body.  CMEND_LIMIT: larger than is taken (64 KiB);
 * stop reading and return that status. */
CMEND_API CMEND_MUST_USE cmend_status cmend_answer_append(
	cmend_answer *answer, cmend_bytes body);

/*
 * A blocking fetcher of the host's, in place of the built-in one: a GET of a
 * plain http URL that passed the URL rules (docs/security.md).  Addresses,
 * redirects and time are the fetcher's own duty.  Return CMEND_OK only after a
 * 2xx answer; CMEND_NET, CMEND_TIMEOUT, CMEND_REFUSED otherwise.
 */
typedef struct cmend_fetcher {
	size_t size; /* sizeof(cmend_fetcher) */
	cmend_status (*fetch)(void *ctx, const char *url, cmend_answer *answer);
	void *ctx;
} cmend_fetcher;

/* ---- A job ------------------------------------------------------------- */

/*
 * One unit of work, which owns all of its memory.  One thread uses a job at a
 * time; different jobs are independent.  Everything that a job is given by
 * pointer (trust, store, callbacks) outlives it.
 */
typedef struct cmend_job cmend_job;

/* trust may be NULL where cmend_job_use_anchors follows. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_new(
	const cmend_trust *trust, cmend_job **out, cmend_error *err);
CMEND_API void cmend_job_free(cmend_job *job);

/* The name or address that the leaf must be for (RFC 9525: subjectAltName
 * only); NULL, the default: not checked. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_set_host(
	cmend_job *job, const char *host, cmend_error *err);
/* Judge at this time, seconds since 1970; default: now. */
CMEND_API void cmend_job_set_time(cmend_job *job, int64_t at_s);

/* What a leaf is judged for. */
typedef enum cmend_purpose {
	CMEND_FOR_SERVER = 0, /* TLS server: the default */
	CMEND_FOR_CLIENT,     /* TLS client */
	CMEND_FOR_ANY,        /* no extendedKeyUsage is asked for */
} cmend_purpose;
CMEND_API void cmend_job_set_purpose(cmend_job *job, cmend_purpose purpose);

/* Suppliers, asked in the order they are given.  At most 8 sources. */
CMEND_API void cmend_job_use_store(cmend_job *job, cmend_store *store);
CMEND_API void cmend_job_use_preload(cmend_job *job, cmend_preload *preload);
CMEND_API CMEND_MUST_USE cmend_status cmend_job_use_source(
	cmend_job *job, const cmend_source *source, cmend_error *err);
CMEND_API CMEND_MUST_USE cmend_status cmend_job_use_anchors(
	cmend_job *job, const cmend_anchors *anchors, cmend_error *err);

/* Fetching is off by default; one of these three turns it on. */
#define CMEND_FETCH_PRIVATE 1u /* private and loopback addresses too */

/* The built-in fetcher (libcurl): blocks for at most 3 s in a whole job.
 * flags: 0 or CMEND_FETCH_PRIVATE. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_fetch(
	cmend_job *job, unsigned flags, cmend_error *err);
/* The host's blocking fetcher. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_use_fetcher(
	cmend_job *job, const cmend_fetcher *fetcher, cmend_error *err);
/* The host fetches when it likes: cmend_complete answers CMEND_AGAIN, see
 * cmend_job_wants. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_fetch_later(
	cmend_job *job, unsigned flags, cmend_error *err);

/*
 * Complete and judge a chain.  leaf: one certificate in DER.  sent: what came
 * with it, in its order, the leaf among them or not; NULL with n_sent 0.
 *
 * CMEND_OK: it was judged - accepted or not, see cmend_job_accepted.
 * CMEND_AGAIN (after cmend_job_fetch_later): fetch what cmend_job_wants names,
 * hand it in with cmend_job_fetched, and call this again with the same
 * arguments.  CMEND_PARSE: the leaf is no certificate.  CMEND_ARG: no trust.
 * CMEND_NOMEM.  Sent certificates that cannot be read are passed over.
 *
 * A job may be used for several chains, one after another; what was fetched
 * is remembered.
 */
CMEND_API CMEND_MUST_USE cmend_status cmend_complete(cmend_job *job,
	cmend_bytes leaf, const cmend_bytes *sent, size_t n_sent,
	cmend_error *err);

/* The URL that the last CMEND_AGAIN waits for, or NULL; lives until the next
 * call with this job.  Already vetted: plain http, no credentials.  The rules
 * for addresses, redirects, size and time are in docs/security.md. */
CMEND_API const char *cmend_job_wants(const cmend_job *job);
/* What it gave; empty (n of 0) when it could not be had.  CMEND_ARG: nothing
 * was wanted; CMEND_LIMIT: too large (it counts as refused). */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_fetched(
	cmend_job *job, cmend_bytes body, cmend_error *err);

/* ---- Results, of the last cmend_complete of a job ----------------------- */

/* 1: libcrypto accepted the path below.  0: not (or nothing was judged). */
CMEND_API int cmend_job_accepted(const cmend_job *job);
/* The finding that explains a refusal, such as "missing-intermediate"; NULL
 * when accepted.  Static. */
CMEND_API const char *cmend_job_verdict(const cmend_job *job);
/* The same for people, one line; "" when accepted.  The job's. */
CMEND_API const char *cmend_job_says(const cmend_job *job);

/* Where a certificate came from.  It never says that it is trusted, but for
 * CMEND_FROM_ANCHOR.  New values come at the end. */
typedef enum cmend_origin {
	CMEND_FROM_SENT = 0,
	CMEND_FROM_CACHE,
	CMEND_FROM_PRELOAD,
	CMEND_FROM_AIA,
	CMEND_FROM_PORT80,
	CMEND_FROM_FILE,
	CMEND_FROM_ANCHOR,
} cmend_origin;
/* "sent", "cache", ...; static. */
CMEND_API const char *cmend_origin_text(cmend_origin origin);

/* One certificate of the path; everything in it is the job's, until its next
 * cmend_complete. */
typedef struct cmend_link {
	size_t size; /* set to sizeof(cmend_link) before the call */
	cmend_bytes der;
	const char *subject; /* RFC 4514, safe to print */
	const char *sha256;  /* lower-case hex */
	cmend_origin origin;
	const char *url; /* where it was fetched, or NULL */
	int64_t not_after_s;
} cmend_link;

/* Accepted: leaf to anchor.  Refused: the path that came furthest. */
CMEND_API size_t cmend_path_count(const cmend_job *job);
/* CMEND_NOT_FOUND: i is not below cmend_path_count. */
CMEND_API CMEND_MUST_USE cmend_status cmend_path_link(
	const cmend_job *job, size_t i, cmend_link *out);
/* How many of it came neither sent nor as anchor. */
CMEND_API size_t cmend_path_added(const cmend_job *job);

/* One thing that was tried and did not serve, in the order it happened. */
typedef struct cmend_event {
	size_t size;         /* set to sizeof(cmend_event) before the call */
	const char *finding; /* stable id; static */
	const char *says;    /* for people */
	const char *subject; /* the candidate, or NULL */
	const char *child;   /* whose issuer it should have been, or NULL */
	cmend_origin origin;
} cmend_event;
/* *at starts at 0 and is moved on; CMEND_NOT_FOUND after the last. */
CMEND_API CMEND_MUST_USE cmend_status cmend_explain_next(
	const cmend_job *job, size_t *at, cmend_event *out);

#ifdef __cplusplus
}
#endif

#endif /* CHAINMEND_CHAINMEND_H */
