/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: kinds of client, as facts with a source and a date.
 *
 * What a client trusts (a list of root digests) and what it can do.  The
 * files hold digests only; certificates are looked for where users have them:
 * a .pem beside the profile, the pool, the system's roots.  A root that is
 * not at hand is counted, never skipped silently; what is not publicly known
 * is CMI_UNKNOWN.
 */
#ifndef CMI_EXPLAIN_PROFILES_H
#define CMI_EXPLAIN_PROFILES_H

#include "chain/verdict.h"
#include "core/map.h"
#include "issuers/preload.h"
#include "x509/trust.h"

/* Profiles in one place, and the digests of one list: real ones are under a
 * thousand. */
#define CMI_PROFILES_MAX      ((size_t)500)
#define CMI_PROFILE_ROOTS_MAX ((size_t)5000)
#define CMI_PROFILE_SOURCES   8

enum cmi_known { CMI_UNKNOWN, CMI_NO, CMI_YES };
/* "unknown", "no", "yes". */
const char *cmi_known_name(enum cmi_known k);

struct cmi_profile_root {
	uint8_t sha256[CMI_SHA256_LEN];
	bool blocked;             /* never trusted, anywhere on a path */
	int64_t distrust_after_s; /* leaves that begin later; 0: none */
	struct cmi_cert *cert;    /* NULL: not at hand */
};

struct cmi_profile {
	char *name;  /* "android-7.1", from the file's name */
	char *title; /* "Android 7.1.1" */
	char *date;  /* of the facts */
	char *sources[CMI_PROFILE_SOURCES];
	size_t n_sources;
	char *note;      /* what is not known, what to mind; or NULL */
	char *list_path; /* of the root list; NULL: not publicly known */
	bool current;    /* among those that check judges by default */
	enum cmi_known fetches_aia, keeps_issuers, has_preload;
	enum cmi_known reorders;     /* takes the sent chain in any order */
	enum cmi_known alternatives; /* goes back when a path fails */
	enum cmi_known sni, wildcards, elliptic, sha1;
	enum cmi_known rsa_pss, ed25519; /* as signatures of certificates */
	enum cmi_known root_expiry;      /* refuses a path to an expired root */
	/* Takes a name that stands in the certificate's subject only. */
	enum cmi_known subject_names;
	/* Has the right time at its first handshake after it was off; where it
	 * has not, the time that it begins with (0: not known). */
	enum cmi_known keeps_clock;
	int64_t clock_s;
	uint16_t version_min, version_max; /* TLS; 0: not known */
	uint64_t rsa_bits_min;             /* 0: not known */
	int security_level;                /* OpenSSL's; -1: not known */
	enum cmi_policy policy;            /* rules that a path must keep */
	struct cmi_profile_root *roots;
	size_t n_roots;  /* blocked ones among them */
	size_t n_absent; /* trusted ones that are not at hand */
	/* Certificates of NAME.pem that the list does not name: not trusted. */
	size_t n_unlisted;
	struct cmi_trust *trust;
};

/* Certificates by digest, for root lists.  Borrowed references are taken by
 * the pool; shared by all profiles.  What is not in the list is looked for
 * among the known ones, if there are any, and kept. */
struct cmi_root_pool {
	struct cmi_map by_sha256;
	struct cmi_cert_list list;
	struct cmi_preload *known; /* borrowed, or NULL */
};
void cmi_root_pool_init(struct cmi_root_pool *p);
void cmi_root_pool_dispose(struct cmi_root_pool *p);
cmend_status cmi_root_pool_add(struct cmi_root_pool *p,
	struct cmi_cert *const *certs, size_t n, cmend_error *err)
	__attribute__((warn_unused_result));
/* Borrowed, or NULL. */
struct cmi_cert *cmi_root_pool_find(
	struct cmi_root_pool *p, const uint8_t sha256[CMI_SHA256_LEN]);

/* Read NAME.ini in dir, its list of roots, and NAME.pem where it is there.  The
 * list says which roots are trusted; their certificates are found in NAME.pem,
 * then in pool.  Without a list all of NAME.pem is trusted.  CMEND_NOT_FOUND:
 * no such profile; CMEND_PARSE: names file, line and what is wrong. */
cmend_status cmi_profile_load(const char *dir, const char *name,
	struct cmi_root_pool *pool, struct cmi_profile **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_profile_free(struct cmi_profile *p);
CMI_DEFINE_CLEANUP(cmi_profile_freep, struct cmi_profile, cmi_profile_free)

/* The entry of a certificate in the profile's list, or NULL. */
const struct cmi_profile_root *cmi_profile_root_of(
	const struct cmi_profile *p, const struct cmi_cert *c);

/* The parsers alone, for tests and fuzzing: the text of an .ini, and of a
 * list.  where names the file in messages. */
cmend_status cmi_profile_parse(struct cmi_bytes ini, const char *where,
	struct cmi_profile *out, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_profile_parse_roots(struct cmi_bytes list, const char *where,
	struct cmi_profile *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Names of the profiles in dir, sorted; each to be freed with cmi_free.  A
 * directory that is not there has none. */
cmend_status cmi_profile_names(const char *dir, char **names, size_t n_names,
	size_t *n, cmend_error *err) __attribute__((warn_unused_result));

#endif
