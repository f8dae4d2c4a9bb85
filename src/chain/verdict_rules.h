/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of our own that a path must keep after libcrypto has accepted it.
 *
 * Clients differ in how much of RFC 5280's profile they hold against a
 * certificate, and most hold little.  So these rules are a choice:
 * CMI_POLICY_RFC5280 is the profile, CMI_POLICY_WEBPKI adds the CA/Browser
 * Forum's Baseline Requirements, and by default none applies.
 *
 * Private to chain/: verdict.c asks.
 */
#ifndef CMI_CHAIN_VERDICT_RULES_H
#define CMI_CHAIN_VERDICT_RULES_H

#include "chain/verdict.h"

/* One certificate at its place in the path. */
struct cmi_place {
	const struct cmi_path *path;
	const struct cmi_cert *cert;
	size_t depth;
	bool is_leaf, is_anchor;
	enum cmi_purpose purpose;
};

struct cmi_rule {
	bool (*broken)(const struct cmi_place *at);
	enum cmi_finding_id why;
	const char *says; /* after the certificate's name, with the section */
};

extern const struct cmi_rule cmi_rules_rfc5280[];
extern const size_t cmi_n_rules_rfc5280;
extern const struct cmi_rule cmi_rules_webpki[];
extern const size_t cmi_n_rules_webpki;

/* How the extension stands in the certificate. */
enum cmi_criticality { CMI_EXT_ABSENT, CMI_EXT_PLAIN, CMI_EXT_CRITICAL };
enum cmi_criticality cmi_ext(const struct cmi_cert *c, int nid);

#endif
