/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcrypto's word on exactly one path.
 *
 * X509_verify_cert gets the path's certificates and nothing else: the last
 * one as the only trusted one, the others untrusted, each (subject, issuer)
 * pair pinned.  Time, purpose and security level are given; the host is
 * checked by names in subjectAltName only.  Then the chain that libcrypto
 * built is compared with ours.
 */
#ifndef CMI_CHAIN_VERDICT_H
#define CMI_CHAIN_VERDICT_H

#include "chain/path.h"

enum cmi_purpose { CMI_FOR_SERVER, CMI_FOR_CLIENT, CMI_FOR_ANY };
/* Which rules a path must keep. */
enum cmi_policy {
	CMI_POLICY_DEFAULT, /* as TLS clients do: libcrypto's */
	CMI_POLICY_STRICT,  /* and libcrypto's X509_STRICT: a lint */
	CMI_POLICY_WEBPKI,  /* as RFC5280, and the Baseline Requirements */
	/* And the profile of RFC 5280, whether clients hold it or not; but a
	 * leaf's keyUsage is TLS's business. */
	CMI_POLICY_RFC5280,
};

/* "clients" (the default), "strict", "webpki" or "rfc5280"; false: none of
 * them. */
bool cmi_policy_by_name(struct cmi_bytes name, enum cmi_policy *out);
/* Static; NULL: no such policy. */
const char *cmi_policy_name(enum cmi_policy policy);

struct X509_crl_st; /* libcrypto's X509_CRL */

/* Inputs of RFC 5280 section 6.1.1 (c) to (g). */
struct cmi_policy_inputs {
	const char *const *oids; /* user-initial-policy-set, dotted */
	size_t n_oids;           /* 0: any policy */
	bool explicit_policy, inhibit_mapping, inhibit_any;
};

struct cmi_verdict_request {
	int64_t at_s;
	const char *host;  /* NULL: no name check */
	bool no_wildcards; /* the client knows none */
	/* It takes a name that stands in the subject only. */
	bool subject_names;
	/* The client never looks at its anchors' dates (Android): RFC 5280
	 * section 6.1 asks only for an anchor's name and key. */
	bool anchor_dates_off;
	enum cmi_purpose purpose;
	/* OpenSSL's 0..5; below 0: as the web at that time, 1, and 0 before
	 * SHA-1 was given up (CMI_SHA1_SUNSET_S). */
	int security_level;
	enum cmi_policy policy;
	/* Intermediates allowed, self-issued ones not counted. */
	bool limit_intermediates;
	unsigned max_intermediates;
	/* Not empty: revocation is checked for the whole path with these. */
	struct X509_crl_st *const *crls;
	size_t n_crls;
	/* Certificates beside the path that may have signed one of them. */
	struct cmi_cert *const *crl_issuers;
	size_t n_crl_issuers;
	/* Certificate policies are processed with these; NULL: they are not,
	 * as TLS clients do. */
	const struct cmi_policy_inputs *policies;
};

struct cmi_verdict {
	bool accepted;
	enum cmi_finding_id why;
	unsigned depth; /* of the certificate it is about, 0: the leaf */
	/* The same certificate in any other path would be refused too. */
	bool whatever_path;
	char says[200];
};

/* The level that a request means. */
int cmi_security_level(const struct cmi_verdict_request *request);

/* The path must end with its anchor.  CMEND_OK also when it is refused. */
cmend_status cmi_verdict_path(const struct cmi_path *path,
	const struct cmi_verdict_request *request, struct cmi_verdict *out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
