/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend: complete, explain and mend TLS certificate chains.
 *
 * This is the whole public interface; it needs no header of any other
 * library.  The library never prints, exits, forks, reads the environment
 * or keeps global state.  Errors live in a struct that the caller owns.
 *
 * What an out-parameter gives is the caller's, to be freed by the _free or
 * _close of its type, which take NULL; what is returned by pointer stays the
 * library's.  Texts end with a NUL.  _s is seconds and _us microseconds
 * since 1970 (UTC), _ms a span in milliseconds.  Structs begin with their
 * size: set all else to zero, so that a later library knows what you meant.
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

/* The rules that a path must keep.  Each takes away from what the first one
 * accepts and adds nothing to it.  New values come at the end. */
typedef enum cmend_policy {
	/* What TLS clients ask for (RFC 5280 section 6): the default. */
	CMEND_POLICY_CLIENTS = 0,
	CMEND_POLICY_STRICT, /* and OpenSSL's X509_V_FLAG_X509_STRICT */
	/* As RFC5280, and what a public CA must keep: section 7.1 of the
	 * CA/Browser Forum's Baseline Requirements. */
	CMEND_POLICY_WEBPKI,
	/* And the profile of certificates of RFC 5280 section 4, whether
	 * clients hold a CA to it or not. */
	CMEND_POLICY_RFC5280,
} cmend_policy;
/* "clients", "strict", "webpki", "rfc5280", as the program calls them, or
 * "unknown"; static. */
CMEND_API const char *cmend_policy_text(cmend_policy policy);
/* For each cmend_complete from now on; a refusal names the section that was
 * broken.  CMEND_ARG: no job, or a policy that this library does not know: the
 * one before stays. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_set_policy(
	cmend_job *job, cmend_policy policy, cmend_error *err);

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
	const char *url;     /* where it was fetched, or NULL */
	int64_t not_after_s; /* its last second */
} cmend_link;

/* Accepted: leaf to anchor.  Refused: the path that came furthest. */
CMEND_API size_t cmend_path_count(const cmend_job *job);
/* CMEND_NOT_FOUND: i is not below cmend_path_count. */
CMEND_API CMEND_MUST_USE cmend_status cmend_path_link(
	const cmend_job *job, size_t i, cmend_link *out);
/* How many of it came neither sent nor as anchor. */
CMEND_API size_t cmend_path_added(const cmend_job *job);
/* One line: what was added and from where, or why it was refused; "" when the
 * chain needed nothing.  Into out with its NUL, cut at n; returns out. */
CMEND_API const char *cmend_job_explain(
	const cmend_job *job, char *out, size_t n);

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

/* ---- Completers, for TLS libraries ------------------------------------- */

/*
 * How chains are completed for a TLS library: what the bridges openssl.h and
 * gnutls.h share, and enough to write one for another library.  Shared by any
 * number of contexts and threads.
 */
typedef struct cmend_completer cmend_completer;

typedef struct cmend_completer_options {
	size_t size;        /* sizeof(cmend_completer_options) */
	cmend_store *store; /* kept issuers, or NULL; outlives the completer */
	cmend_preload *preload; /* known issuers, or NULL; the same */
	int fetch;            /* not 0: AIA over http, blocking, at most 3 s */
	unsigned fetch_flags; /* CMEND_FETCH_PRIVATE */
	const cmend_fetcher *fetcher; /* in place of the built-in one, or NULL;
				       * what it points to outlives the
				       * completer */
	/* Told what was added and what was tried, one line each; or NULL.
	 * Called from the thread that handshakes. */
	void (*trace)(void *ctx, const char *line);
	void *ctx;
} cmend_completer_options;

/* options NULL: no store, nothing fetched.  CMEND_ARG, CMEND_NOMEM. */
CMEND_API CMEND_MUST_USE cmend_status cmend_completer_new(
	const cmend_completer_options *options, cmend_completer **out,
	cmend_error *err);
/* After everything that it was given to.  NULL is fine. */
CMEND_API void cmend_completer_free(cmend_completer *completer);

/* For the writer of a bridge: this job asks what the completer asks.  Before
 * cmend_complete.  CMEND_ARG: NULL given. */
CMEND_API CMEND_MUST_USE cmend_status cmend_job_use_completer(
	cmend_job *job, const cmend_completer *completer, cmend_error *err);
/* After cmend_complete: tell the completer's trace what became of it, and keep
 * that under the SHA-256 of `leaf` (the latest 64 are kept).  Any thread. */
CMEND_API void cmend_completer_note(
	cmend_completer *completer, cmend_bytes leaf, const cmend_job *job);
/* What is kept of that certificate, into out with its NUL, cut at n; returns
 * out, "" when nothing is.  Any thread. */
CMEND_API const char *cmend_completer_explain(
	cmend_completer *completer, cmend_bytes leaf, char *out, size_t n);

/* ---- Conversations ----------------------------------------------------- */

/*
 * What two ends said to each other: a TLS handshake, or what stands beside one
 * in a capture.  From cmend_probe it is the caller's; from cmend_read_capture
 * it is lent for one call.  What is in it was sent, and nothing of it was
 * verified.  One thread at a time; what is returned lives as long as it does.
 */
typedef struct cmend_conversation cmend_conversation;

/* New values come at the end. */
typedef enum cmend_kind {
	CMEND_KIND_TLS = 0,
	CMEND_KIND_HTTP,
	CMEND_KIND_DNS,
	CMEND_KIND_DHCP,
	CMEND_KIND_TCP,
	CMEND_KIND_NOTE, /* what a device wrote of itself into the capture */
} cmend_kind;
CMEND_API cmend_kind cmend_conversation_kind(const cmend_conversation *c);
/* Both ends as "192.0.2.7:443" or "[2001:db8::1]:443"; "" where not known. */
CMEND_API const char *cmend_conversation_client(const cmend_conversation *c);
CMEND_API const char *cmend_conversation_server(const cmend_conversation *c);
/* The certificates that the server sent, in its order: none but for TLS, and
 * none where they are encrypted without secrets at hand (TLS 1.3). */
CMEND_API size_t cmend_conversation_count(const cmend_conversation *c);
/* The i-th as it was sent, which may be malformed.  CMEND_NOT_FOUND: i is not
 * below the count. */
CMEND_API CMEND_MUST_USE cmend_status cmend_conversation_certificate(
	const cmend_conversation *c, size_t i, cmend_bytes *out);
/* Of cmend_probe's only.  NULL is fine. */
CMEND_API void cmend_conversation_free(cmend_conversation *c);

typedef struct cmend_probe_options {
	size_t size; /* sizeof(cmend_probe_options) */
	/* "example.org", "192.0.2.7:8443", "[2001:db8::1]:443", or a URL;
	 * without a port that of starttls, else 443. */
	const char *target;
	/* "smtp", "imap", "pop3", "ftp", "nntp", "sieve", "ldap", "xmpp",
	 * "xmpp-server", "postgres", "mysql": begin in plain as that protocol
	 * does; "sip": its port; NULL: TLS at once. */
	const char *starttls;
	const char *sni;     /* NULL: the target's name; "": send none */
	const char *address; /* connect there, look nothing up; or NULL */
	/* The leaf is judged for this name; NULL: what was asked for by SNI,
	 * else the target. */
	const char *host;
	unsigned family; /* 4, 6, or 0: either */
	/* Milliseconds for name, connection and handshake together; 0: ten
	 * seconds; at most an hour. */
	unsigned timeout_ms;
	/* 0x0301 (TLS 1.0) to 0x0304 (TLS 1.3), as on the wire; 0: all. */
	uint16_t version_min, version_max;
} cmend_probe_options;

/*
 * One TLS handshake with an endpoint; its chain is taken as it is sent and not
 * verified, and nothing is sent after it.  Blocks for at most timeout_ms.  A
 * name is resolved in a thread of its own, which may outlive the call where
 * the system's resolver hangs; it touches nothing of the caller's.
 *
 * CMEND_OK: the other end spoke TLS, though perhaps only an alert; *out is the
 * caller's.  CMEND_ARG: no target, no such protocol; CMEND_NOT_FOUND: there is
 * no such name; CMEND_NET: refused, reset, unreachable; CMEND_TIMEOUT: silent;
 * CMEND_PARSE: it speaks something else; CMEND_REFUSED: it offers no TLS
 * there; CMEND_LIMIT: an endless handshake; CMEND_NOMEM.  The message names
 * the target.
 */
CMEND_API CMEND_MUST_USE cmend_status cmend_probe(
	const cmend_probe_options *options, cmend_conversation **out,
	cmend_error *err);

/* Damage in a capture, or anything else worth saying of the file itself. */
typedef struct cmend_note {
	size_t size;
	uint64_t offset; /* in the (unpacked) file */
	uint64_t frame;  /* the last good one before it */
	const char *says;
} cmend_note;

typedef struct cmend_capture_options {
	size_t size; /* sizeof(cmend_capture_options) */
	/* One of the three: a file (no name is special), the whole capture in
	 * memory, or a function that gives its bytes in order: at most n of
	 * them, *got 0 at the end.  A status of its own ends the reading. */
	const char *path;
	cmend_bytes bytes;
	cmend_status (*read)(void *ctx, uint8_t *to, size_t n, size_t *got);
	const char *name; /* for messages and reports; NULL: the path */
	/* TLS secrets in the form of SSLKEYLOGFILE: a file, text, or none.
	 * Those inside the capture are used without asking. */
	const char *keylog_path;
	cmend_bytes keylog;
	/* Takes each conversation, in the order in which they end.  A status
	 * that is not CMEND_OK ends the reading and is returned. */
	cmend_status (*take)(void *ctx, const cmend_conversation *c);
	void (*note)(void *ctx, const cmend_note *note); /* or NULL */
	void *ctx;                                       /* of all three */
} cmend_capture_options;

typedef struct cmend_capture_summary {
	size_t size; /* set to sizeof(cmend_capture_summary) before */
	uint64_t packets;
	uint64_t bytes; /* of the file, unpacked */
	uint64_t flows;
	uint64_t given_up;  /* conversations dropped at a ceiling */
	uint64_t undecoded; /* packets of a kind that is not known */
	uint64_t notes;
} cmend_capture_summary;

/*
 * Read a capture, pcap or pcapng of either byte order, plain or packed by gzip
 * or zstd.  One pass; memory is bounded by the handshakes that are open at
 * once, never by the capture (docs/limits.md).
 *
 * CMEND_ARG: none or more than one source given, or nobody who takes;
 * CMEND_IO: cannot be read; CMEND_PARSE: no capture, or damaged before the
 * first packet, or no secret in the key log's file; CMEND_NOMEM; or what a
 * callback returned.  Damage later on is a note.  *summary (or NULL) is written
 * in every case but CMEND_ARG.
 */
CMEND_API CMEND_MUST_USE cmend_status cmend_read_capture(
	const cmend_capture_options *options, cmend_capture_summary *summary,
	cmend_error *err);

/* ---- Profiles ---------------------------------------------------------- */

/*
 * Kinds of client - telephones, browsers, libraries - as dated facts: the
 * roots that each trusts and what it can do.  Fill it, then share it: any
 * number of diagnoses and threads may read it at once.
 */
typedef struct cmend_profiles cmend_profiles;

/* The lists of roots hold digests.  The certificates are looked for in roots
 * and in preload (either may be NULL; preload outlives the set).  CMEND_ARG,
 * CMEND_NOMEM. */
CMEND_API CMEND_MUST_USE cmend_status cmend_profiles_new(
	const cmend_trust *roots, cmend_preload *preload, cmend_profiles **out,
	cmend_error *err);
CMEND_API void cmend_profiles_free(cmend_profiles *profiles);
/* Load NAME.ini and its list of roots from a directory; NULL for the one that
 * came with the library.  name NULL: all of them.  CMEND_NOT_FOUND: no such
 * directory or profile; CMEND_PARSE: says where; CMEND_IO; CMEND_NOMEM. */
CMEND_API CMEND_MUST_USE cmend_status cmend_profiles_add(
	cmend_profiles *profiles, const char *directory, const char *name,
	cmend_error *err);

/* One profile; what it points to is the set's. */
typedef struct cmend_profile {
	size_t size;         /* set to sizeof(cmend_profile) before the call */
	const char *name;    /* "android-7.1" */
	const char *title;   /* "Android 7.1.1" */
	const char *date;    /* of the facts, or NULL */
	int roots_known;     /* 0: its list of roots is not public */
	size_t roots;        /* trusted ones in the list */
	size_t roots_absent; /* of these, no certificate is at hand */
	cmend_policy policy; /* what it asks of a path */
} cmend_profile;
/* *at starts at 0 and is moved on; CMEND_NOT_FOUND after the last. */
CMEND_API CMEND_MUST_USE cmend_status cmend_profile_next(
	const cmend_profiles *profiles, size_t *at, cmend_profile *out);

/* ---- Diagnosis --------------------------------------------------------- */

/*
 * Conversations and chains in, findings out.  Remembers a bounded number of
 * neighbours (names looked up, issuers fetched, DHCP), so the conversations of
 * one story go into one diagnosis.  One thread uses it at a time; what the
 * options point to outlives it.
 */
typedef struct cmend_diagnosis cmend_diagnosis;

/* One result; valid during the call that hands it over. */
typedef struct cmend_result cmend_result;

#define CMEND_DIAGNOSE_ALL 1u /* good handshakes and neighbours, too */

typedef struct cmend_diagnosis_options {
	size_t size; /* sizeof(cmend_diagnosis_options) */
	/* What a plain client trusts, one that fetches and keeps nothing: the
	 * verdict is its.  Needed. */
	const cmend_trust *trust;
	const cmend_profiles *profiles; /* judged beside it; or NULL */
	/* Issuers at hand, to say what is missing; they make no client
	 * accept but one that fetches.  Each may be NULL. */
	cmend_store *store;
	cmend_preload *preload;
	int fetch;            /* not 0: ask the network as well */
	unsigned fetch_flags; /* CMEND_FETCH_PRIVATE */
	unsigned flags;       /* CMEND_DIAGNOSE_ALL */
	int has_time;         /* 0: captured: the packet's time; else now */
	int64_t at_s;         /* seconds since 1970 */
	unsigned warn_days;   /* a refusal so soon is a warning; 0: never */
	/* A status that is not CMEND_OK ends the call, which returns it. */
	cmend_status (*found)(void *ctx, const cmend_result *result);
	void *ctx;
} cmend_diagnosis_options;

/* CMEND_ARG: no trust, nobody to tell, more than 64 profiles; CMEND_NOMEM. */
CMEND_API CMEND_MUST_USE cmend_status cmend_diagnosis_new(
	const cmend_diagnosis_options *options, cmend_diagnosis **out,
	cmend_error *err);
CMEND_API void cmend_diagnosis_free(cmend_diagnosis *diagnosis);
/* The rules that the plain client holds a path to; default:
 * CMEND_POLICY_CLIENTS.  Profiles keep to their own.  Before the first
 * conversation or chain.  CMEND_ARG: after it, no diagnosis, or a policy that
 * this library does not know: the one before stays. */
CMEND_API CMEND_MUST_USE cmend_status cmend_diagnosis_set_policy(
	cmend_diagnosis *diagnosis, cmend_policy policy, cmend_error *err);

/* One conversation.  Of a capture: a result follows, perhaps at a later call,
 * for each handshake that failed (see CMEND_DIAGNOSE_ALL); the verdict rests
 * on the chain and on what the client did.  Of cmend_probe: one result, of
 * kind CMEND_RESULT_ENDPOINT, whether the chain is good or not.  CMEND_ARG,
 * CMEND_NOMEM, or what found returned. */
CMEND_API CMEND_MUST_USE cmend_status cmend_diagnose(cmend_diagnosis *diagnosis,
	const cmend_conversation *c, cmend_error *err);
/* A chain as a server would send it, leaf first; one endpoint result.  name:
 * for the report.  host: what the leaf must be for, or NULL.  CMEND_ARG: no
 * certificate or more than 16; CMEND_NOMEM, or what found returned. */
CMEND_API CMEND_MUST_USE cmend_status cmend_diagnose_chain(
	cmend_diagnosis *diagnosis, const char *name, const char *host,
	const cmend_bytes *sent, size_t n_sent, cmend_error *err);
/* A capture is over: what waited for more evidence is handed over.  With a
 * summary (or NULL) a result of kind CMEND_RESULT_SUMMARY comes last.  The
 * diagnosis may go on with the next capture. */
CMEND_API CMEND_MUST_USE cmend_status cmend_diagnose_end(
	cmend_diagnosis *diagnosis, const cmend_capture_summary *summary,
	cmend_error *err);

/* ---- Results ----------------------------------------------------------- */

/* New values come at the end. */
typedef enum cmend_result_type {
	CMEND_RESULT_HANDSHAKE = 0, /* one TLS handshake of a capture */
	CMEND_RESULT_ENDPOINT,      /* a probe, or a chain given */
	CMEND_RESULT_HTTP,          /* neighbours, with CMEND_DIAGNOSE_ALL */
	CMEND_RESULT_DNS,
	CMEND_RESULT_DHCP,
	CMEND_RESULT_TCP,
	CMEND_RESULT_SUMMARY,
	CMEND_RESULT_NOTE, /* what a device says of itself, flags or none */
} cmend_result_type;
CMEND_API cmend_result_type cmend_result_kind(const cmend_result *result);

/* What was judged.  Every text is safe to print and the result's. */
typedef struct cmend_handshake {
	size_t size;      /* set to sizeof(cmend_handshake) before the call */
	const char *name; /* the SNI, or the target as given; or NULL */
	const char *client, *server; /* as of a conversation; "" unknown */
	const char *capture;         /* its name; NULL: a probe or a chain */
	const char *outcome;         /* "completed", "resumed", "failed", "cut",
				      * "dark"; NULL: an endpoint */
	const char *verdict;         /* a finding's id; NULL: nothing failed */
	const char *version;         /* "TLS 1.2"; NULL: none seen */
	const char *cipher;          /* IANA's name, or NULL */
	const char *trouble;         /* why no chain could be had; or NULL */
	uint64_t first_frame, last_frame; /* 0: no capture */
	int64_t at_us;                    /* judged at; since 1970 */
} cmend_handshake;
/* CMEND_NOT_FOUND: the result is neither a handshake nor an endpoint. */
CMEND_API CMEND_MUST_USE cmend_status cmend_result_handshake(
	const cmend_result *result, cmend_handshake *out);

/* One thing that is wrong, the verdict's first (docs/findings.md). */
typedef struct cmend_finding {
	size_t size;            /* set to sizeof(cmend_finding) before */
	const char *id;         /* stable, such as "missing-intermediate" */
	const char *severity;   /* "error", "warning", "info" */
	const char *blame;      /* "server", "client", "network", "ca"; NULL */
	int inferred;           /* not 0: likely, not proven */
	const char *subject;    /* certificate, host or URL; or NULL */
	const char *says;       /* one sentence without a full stop */
	const char *remedy;     /* what to do, or NULL */
	const char *reference;  /* "RFC 8446 section 4.4.2", or NULL */
	const uint64_t *frames; /* the evidence, as Wireshark counts */
	size_t n_frames;
} cmend_finding;
/* These four: *at starts at 0 and is moved on; CMEND_NOT_FOUND after the
 * last, and where the result has none. */
CMEND_API CMEND_MUST_USE cmend_status cmend_finding_next(
	const cmend_result *result, size_t *at, cmend_finding *out);

/* How a profile's client takes it. */
typedef struct cmend_client {
	size_t size; /* set to sizeof(cmend_client) before the call */
	const char *profile;
	int accepts;
	int unknown;      /* not 0: nobody can tell; accepts is 0 */
	const char *why;  /* a finding's id; NULL: it accepts */
	const char *says; /* or NULL */
	const char *help; /* what would make it accept; or NULL */
	int64_t until_s;  /* it accepts up to then; 0: not known */
} cmend_client;
CMEND_API CMEND_MUST_USE cmend_status cmend_client_next(
	const cmend_result *result, size_t *at, cmend_client *out);

/* A certificate that the server sent, in its order. */
typedef struct cmend_sent {
	size_t size; /* set to sizeof(cmend_sent) before the call */
	cmend_bytes der;
	const char *subject; /* RFC 4514; NULL: malformed */
	const char *sha256;  /* lower-case hex; NULL: malformed */
	uint64_t frame;      /* 0: no capture */
} cmend_sent;
CMEND_API CMEND_MUST_USE cmend_status cmend_sent_next(
	const cmend_result *result, size_t *at, cmend_sent *out);

/* The best path for the plain client, from the leaf on; with the issuers that
 * it lacked where they are known. */
CMEND_API CMEND_MUST_USE cmend_status cmend_result_link(
	const cmend_result *result, size_t *at, cmend_link *out);

/* A device's own word about one of its steps, as it wrote it into a comment of
 * its capture: what TLS hides from everybody else.  No evidence. */
typedef struct cmend_told {
	size_t size;         /* set to sizeof(cmend_told) before the call */
	const char *step;    /* such as "ticket" */
	const char *result;  /* "ok", "warning" or "failed", as it says */
	const char *finding; /* an id, or NULL */
	const char *says;
	const char *capture; /* its name, or NULL */
	uint64_t frame;      /* where the comment stands; 0: not known */
} cmend_told;
/* CMEND_NOT_FOUND: the result is not of kind CMEND_RESULT_NOTE. */
CMEND_API CMEND_MUST_USE cmend_status cmend_result_told(
	const cmend_result *result, cmend_told *out);

/* ---- Reports ----------------------------------------------------------- */

/*
 * Results written down as the program writes them: text for people, NDJSON for
 * programs (docs/schema.json), one page of HTML for both.  One thread at a
 * time.
 */
typedef struct cmend_report cmend_report;

typedef enum cmend_form {
	CMEND_FORM_TEXT = 0,
	CMEND_FORM_NDJSON,
	CMEND_FORM_HTML,
} cmend_form;

/* For text. */
#define CMEND_REPORT_COLOR   1u /* escape sequences of a terminal */
#define CMEND_REPORT_VERBOSE 2u /* findings explained in full */
#define CMEND_REPORT_QUIET   4u /* one line a result */

typedef struct cmend_report_options {
	size_t size; /* sizeof(cmend_report_options) */
	cmend_form form;
	unsigned flags;
	/* For HTML: a title (NULL: made from what was found), the names of
	 * what was looked at, and the time it says it was made (0: none). */
	const char *title;
	const char *const *names;
	size_t n_names;
	int64_t made_at_s;
	/* Takes whole lines, or the page in one piece.  A status that is not
	 * CMEND_OK ends the call, which returns it. */
	cmend_status (*write)(void *ctx, cmend_bytes text);
	void *ctx;
} cmend_report_options;

/* CMEND_ARG, CMEND_NOMEM.  What the options point to outlives the report. */
CMEND_API CMEND_MUST_USE cmend_status cmend_report_new(
	const cmend_report_options *options, cmend_report **out,
	cmend_error *err);
CMEND_API void cmend_report_free(cmend_report *report);
/* One result, inside the call that hands it over.  CMEND_ARG, CMEND_NOMEM,
 * CMEND_LIMIT: too much for one page, or what write returned. */
CMEND_API CMEND_MUST_USE cmend_status cmend_report_write(
	cmend_report *report, const cmend_result *result, cmend_error *err);
/* Nothing more comes: HTML is written now.  The same statuses. */
CMEND_API CMEND_MUST_USE cmend_status cmend_report_end(
	cmend_report *report, cmend_error *err);

#ifdef __cplusplus
}
#endif

#endif /* CHAINMEND_CHAINMEND_H */
