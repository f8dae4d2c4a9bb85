/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases of an x509-limbo suite (and of suites in its shape) as the runner
 * needs them: certificates parsed, times and names as plain values.
 */
#ifndef CMI_TESTS_CONFORMANCE_SUITE_H
#define CMI_TESTS_CONFORMANCE_SUITE_H

#include <stdbool.h>

#include <jansson.h>

#include "chain/path.h"
#include "chain/verdict.h"
#include "x509/trust.h"

#define CASE_CERTS_MAX 2000u
#define CASE_NAMES_MAX 16u

enum name_kind { NAME_DNS, NAME_IP, NAME_EMAIL, NAME_OTHER };

struct expected_name {
	enum name_kind kind;
	const char *value; /* the JSON's */
};

struct suite_case {
	const char *id;
	int64_t at_s;
	enum cmi_purpose purpose;
	bool limit_intermediates;
	unsigned max_intermediates;
	struct expected_name names[CASE_NAMES_MAX];
	size_t n_names;
	struct cmi_cert *leaf; /* NULL: unreadable, says why */
	char leaf_says[200];
	struct cmi_cert_list sent;
	struct cmi_trust *trust;
	struct X509_crl_st **crls; /* owned */
	size_t n_crls;
	bool has_policies;
	struct cmi_policy_inputs policies;
	const char *policy_oids[16];
	json_t *aia; /* URL to answer, borrowed; or NULL */
	/* Lists that constrain the path, borrowed; see suite_meets. */
	json_t *key_usage, *extended_key_usage, *signature_algorithms;
};

/* A .json or .json.gz file; NULL and a message on standard error. */
json_t *suite_load(const char *path);
/* False: the case is not of the expected shape. */
bool suite_read_case(json_t *from, struct suite_case *out);
void suite_case_dispose(struct suite_case *c);
/* Does the certificate bear that name, whatever its kind? */
bool suite_has_name(
	const struct cmi_cert *leaf, const struct expected_name *name);

/* Does the accepted path meet the case's own constraints: key usages that the
 * leaf must allow, signature algorithms that may be used?  If not, says is
 * which one is missed. */
bool suite_meets(const struct suite_case *c, const struct cmi_path *path,
	char says[200]);

#endif
