/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: kinds of client, as facts with a source and a date.
 *
 * What a client trusts (a list of root digests) and what it can do.  The
 * files hold digests only; certificates are looked for where users have them:
 * a .pem beside the profile, the pool, the system's roots.  A root that is
 * not at hand is counted and named, never skipped silently.
 */
#ifndef CMI_EXPLAIN_PROFILES_H
#define CMI_EXPLAIN_PROFILES_H

#include "x509/trust.h"

/* Known, known not, or not publicly known. */
enum cmi_known { CMI_UNKNOWN, CMI_NO, CMI_YES };

struct cmi_profile {
	char *name;    /* "android-7.1" */
	char *title;   /* "Android 7.1.1" */
	char *date;    /* of the facts, "2016-08-31" */
	char *sources; /* where the facts come from, one a line */
	char *notes;   /* what is not known, and what to mind; or NULL */
	bool current;  /* among the clients that check judges by default */
	enum cmi_known fetches_aia, keeps_issuers, has_preload;
	enum cmi_known reorders;     /* takes the sent chain in any order */
	enum cmi_known alternatives; /* goes back when a path fails */
	enum cmi_known sni, wildcards, elliptic, sha1;
	enum cmi_known root_expiry; /* refuses a path to an expired root */
	enum cmi_known roots_known; /* its list of roots is public */
	uint16_t version_min, version_max; /* TLS; 0: not known */
	unsigned rsa_bits_min;             /* 0: not known */
	int security_level;                /* OpenSSL's; -1: not known */
	int64_t clock_s; /* a clock that stands there; 0: it is right */
	/* Resolved: */
	struct cmi_trust *trust;
	size_t n_listed; /* digests in the list */
	size_t n_absent; /* of these, certificates not at hand */
	char (*absent)[2 * CMI_SHA256_LEN + 1]; /* their digests */
};

void cmi_profile_free(struct cmi_profile *p);
CMI_DEFINE_CLEANUP(cmi_profile_freep, struct cmi_profile, cmi_profile_free)

#endif
