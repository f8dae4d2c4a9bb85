/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile of RFC 5280 section 4 where libcrypto does not hold it against
 * a certificate by itself.
 */
#include "chain/verdict_rules.h"

#include <ctype.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "core/cursor.h"
#include "core/text.h"

#define LABEL_MAX 63u

enum cmi_criticality cmi_ext(const struct cmi_cert *c, int nid)
{
	int at = X509_get_ext_by_NID(c->x, nid, -1);

	if (at < 0)
		return CMI_EXT_ABSENT;
	return X509_EXTENSION_get_critical(X509_get_ext(c->x, at))
		       ? CMI_EXT_CRITICAL
		       : CMI_EXT_PLAIN;
}

static bool name_is_empty(const X509_NAME *name)
{
	return X509_NAME_entry_count(name) == 0;
}

/* ------------------------------------------------------- key identifiers */

/* A hierarchy that has no key identifiers is older than the profile, and every
 * client takes it; one that has some must have all, and so must a certificate
 * that has its own.  The anchor's do not count: tools put one into each root
 * that they make, and it is no part of the path (section 6.1). */
static bool has_key_ids(const struct cmi_path *path)
{
	for (size_t i = 0; i + 1 < path->n; i++)
		if (cmi_ext(path->certs[i], NID_authority_key_identifier) !=
			CMI_EXT_ABSENT)
			return true;
	return false;
}

static bool lacks_authority_key_id(const struct cmi_place *at)
{
	return !at->is_anchor &&
	       cmi_ext(at->cert, NID_authority_key_identifier) ==
		       CMI_EXT_ABSENT &&
	       (has_key_ids(at->path) ||
		       cmi_ext(at->cert, NID_subject_key_identifier) !=
			       CMI_EXT_ABSENT);
}

static bool lacks_subject_key_id(const struct cmi_place *at)
{
	return !at->is_leaf && at->cert->version == 3 &&
	       has_key_ids(at->path) &&
	       cmi_ext(at->cert, NID_subject_key_identifier) == CMI_EXT_ABSENT;
}

static bool has_critical_key_id(const struct cmi_place *at)
{
	return cmi_ext(at->cert, NID_authority_key_identifier) ==
		       CMI_EXT_CRITICAL ||
	       cmi_ext(at->cert, NID_subject_key_identifier) ==
		       CMI_EXT_CRITICAL;
}

static bool has_critical_aia(const struct cmi_place *at)
{
	return cmi_ext(at->cert, NID_info_access) == CMI_EXT_CRITICAL;
}

/* -------------------------------------------------------------- authority */

/* Section 6.1.4 (k) asks an intermediate only for the extension; a root, which
 * no path is checked above, is held to the profile. */
static bool lacks_basic_constraints(const struct cmi_place *at)
{
	enum cmi_criticality have = cmi_ext(at->cert, NID_basic_constraints);

	return !at->is_leaf && at->cert->version == 3 &&
	       (have == CMI_EXT_ABSENT ||
		       (at->is_anchor && have != CMI_EXT_CRITICAL));
}

static bool signs_without_being_ca(const struct cmi_place *at)
{
	return at->cert->has_key_usage && at->cert->key_cert_sign &&
	       !at->cert->ca && at->cert->version == 3;
}

static bool path_length_without_ca(const struct cmi_place *at)
{
	return at->cert->path_len >= 0 &&
	       !(at->cert->ca && at->cert->key_cert_sign);
}

static bool wrong_purpose(const struct cmi_place *at)
{
	switch (at->purpose) {
	case CMI_FOR_SERVER:
		return !at->cert->eku_server_auth;
	case CMI_FOR_CLIENT:
		return !at->cert->eku_client_auth;
	case CMI_FOR_ANY:
		break;
	}
	return false;
}

/* --------------------------------------------------------------- encoding */

static bool algorithms_differ(const struct cmi_place *at)
{
	const X509_ALGOR *outer;

	X509_get0_signature(NULL, &outer, at->cert->x);
	return X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(at->cert->x)) != 0;
}

static bool has_extensions_too_early(const struct cmi_place *at)
{
	return at->cert->version < 3 && X509_get_ext_count(at->cert->x) > 0;
}

/* Real certificates have about ten extensions; no more than this many are
 * compared with each other. */
#define EXTENSIONS_MAX 100

static bool repeats_extension(const struct cmi_place *at)
{
	const X509 *x = at->cert->x;
	int n = X509_get_ext_count(x);

	for (int i = 0; i < n && n <= EXTENSIONS_MAX; i++)
		if (X509_get_ext_by_OBJ(x,
			    X509_EXTENSION_get_object(X509_get_ext(x, i)),
			    i) >= 0)
			return true;
	return n > EXTENSIONS_MAX;
}

/* ------------------------------------------------------------------ names */

static bool issuer_is_empty(const struct cmi_place *at)
{
	return name_is_empty(X509_get_issuer_name(at->cert->x));
}

static bool ca_subject_is_empty(const struct cmi_place *at)
{
	return !at->is_leaf &&
	       name_is_empty(X509_get_subject_name(at->cert->x));
}

static bool nameless(const struct cmi_place *at)
{
	return at->is_leaf &&
	       name_is_empty(X509_get_subject_name(at->cert->x)) &&
	       cmi_ext(at->cert, NID_subject_alt_name) != CMI_EXT_CRITICAL;
}

static bool is_ldh_label(struct cmi_bytes label)
{
	struct cmi_cursor c = cmi_cursor_of(label);
	uint8_t ch = '-';

	if (label.n == 0 || label.n > LABEL_MAX)
		return false;
	for (size_t i = 0; cmi_cursor_u8(&c, &ch); i++)
		if (!isalnum(ch) && (ch != '-' || i == 0))
			return false;
	return ch != '-';
}

/* The preferred name syntax of RFC 1034 section 3.5 and RFC 1123. */
static bool is_host_name(struct cmi_bytes name)
{
	struct cmi_cursor c = cmi_cursor_of(name);
	struct cmi_bytes label;

	if (name.n > CMI_NAME_MAX)
		return false;
	while (cmi_cursor_until(&c, '.', &label))
		if (!is_ldh_label(label))
			return false;
	return is_ldh_label(cmi_cursor_rest(&c));
}

static struct cmi_bytes without_wildcard(struct cmi_bytes name)
{
	if (cmi_text_starts(name, "*."))
		return (struct cmi_bytes){name.p + 2, name.n - 2};
	return name;
}

/* Mailbox of RFC 2821 section 4.1.2, as far as its two halves. */
static bool is_mailbox(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	struct cmi_bytes local;

	if (cmi_text_starts(v, "\"")) {
		const uint8_t *at = memrchr(v.p, '@', v.n);

		return at && at > v.p + 2 && at[-1] == '"' &&
		       is_host_name((struct cmi_bytes){
			       at + 1, (size_t)(v.p + v.n - at - 1)});
	}
	return cmi_cursor_until(&c, '@', &local) && local.n > 0 &&
	       is_host_name(cmi_cursor_rest(&c));
}

static struct cmi_bytes view(const ASN1_STRING *s)
{
	return (struct cmi_bytes){
		ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

static bool is_good_name(const GENERAL_NAME *name)
{
	int type;
	const ASN1_STRING *v = GENERAL_NAME_get0_value(name, &type);

	if (type == GEN_DNS)
		return is_host_name(without_wildcard(view(v)));
	if (type == GEN_EMAIL)
		return is_mailbox(view(v));
	return true;
}

static bool has_malformed_name(const struct cmi_place *at)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(at->cert->x, NID_subject_alt_name, NULL, NULL);
	/* Absent, and that is no fault; or a sequence of one or more.  What is
	 * there and cannot be read, for whatever reason, is not good. */
	bool good = sk_GENERAL_NAME_num(names) > 0 ||
		    cmi_ext(at->cert, NID_subject_alt_name) == CMI_EXT_ABSENT;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && good; i++)
		good = is_good_name(sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return !good;
}

/* -------------------------------------------------------- name constraints */

static bool leaf_has_name_constraints(const struct cmi_place *at)
{
	return at->cert->name_constraints && !at->cert->ca;
}

static bool name_constraints_are_empty(const struct cmi_place *at)
{
	const NAME_CONSTRAINTS *nc = at->cert->name_constraints;

	return nc && sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) <= 0 &&
	       sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) <= 0;
}

static bool has_leading_dot(STACK_OF(GENERAL_SUBTREE) * trees)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		int type;
		const ASN1_STRING *v = GENERAL_NAME_get0_value(
			sk_GENERAL_SUBTREE_value(trees, i)->base, &type);

		if (type == GEN_DNS && cmi_text_starts(view(v), "."))
			return true;
	}
	return false;
}

static bool constraint_has_leading_dot(const struct cmi_place *at)
{
	const NAME_CONSTRAINTS *nc = at->cert->name_constraints;

	return nc && (has_leading_dot(nc->permittedSubtrees) ||
			     has_leading_dot(nc->excludedSubtrees));
}

/* "*.example.com" covers the excluded "bar.example.com": one label more. */
static bool wildcard_covers(struct cmi_bytes wildcard, struct cmi_bytes base)
{
	struct cmi_cursor c = cmi_cursor_of(base);
	struct cmi_bytes label;

	if (!cmi_text_starts(wildcard, "*.") ||
		!cmi_cursor_until(&c, '.', &label))
		return false;
	return cmi_text_equal_nocase(
		without_wildcard(wildcard), cmi_cursor_rest(&c));
}

static bool wildcard_is_excluded(
	const struct cmi_cert *leaf, const NAME_CONSTRAINTS *nc)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(nc->excludedSubtrees); i++) {
		int type;
		const ASN1_STRING *v = GENERAL_NAME_get0_value(
			sk_GENERAL_SUBTREE_value(nc->excludedSubtrees, i)->base,
			&type);

		for (size_t j = 0; type == GEN_DNS && j < leaf->n_dns_names;
			j++)
			if (wildcard_covers(
				    cmi_bytes_of(leaf->dns_names[j]), view(v)))
				return true;
	}
	return false;
}

/* CVE-2025-61727: a wildcard stands for names that a CA above excludes. */
static bool wildcard_evades_exclusion(const struct cmi_place *at)
{
	if (!at->is_leaf)
		return false;
	for (size_t i = 1; i < at->path->n; i++) {
		const NAME_CONSTRAINTS *nc =
			at->path->certs[i]->name_constraints;

		if (nc && wildcard_is_excluded(at->cert, nc))
			return true;
	}
	return false;
}

const struct cmi_rule cmi_rules_rfc5280[] = {
	{wrong_purpose, CMI_F_WRONG_USAGE,
		"is not meant for this use (RFC 5280 section 4.2.1.12)"},
	{issuer_is_empty, CMI_F_MALFORMED_CERTIFICATE,
		"names no issuer (RFC 5280 section 4.1.2.4)"},
	{ca_subject_is_empty, CMI_F_MALFORMED_CERTIFICATE,
		"is a CA without a name (RFC 5280 section 4.1.2.6)"},
	{nameless, CMI_F_MALFORMED_CERTIFICATE,
		"has neither subject nor a critical subjectAltName (RFC 5280 "
		"section 4.2.1.6)"},
	{lacks_authority_key_id, CMI_F_POLICY,
		"has no authorityKeyIdentifier (RFC 5280 section 4.2.1.1)"},
	{lacks_subject_key_id, CMI_F_POLICY,
		"has no subjectKeyIdentifier (RFC 5280 section 4.2.1.2)"},
	{has_critical_key_id, CMI_F_POLICY,
		"has a critical key identifier (RFC 5280 section 4.2.1.1)"},
	{has_critical_aia, CMI_F_POLICY,
		"has a critical authorityInfoAccess (RFC 5280 section "
		"4.2.2.1)"},
	{lacks_basic_constraints, CMI_F_NOT_A_CA,
		"has no critical basicConstraints (RFC 5280 section 4.2.1.9)"},
	{signs_without_being_ca, CMI_F_NOT_A_CA,
		"may sign certificates and is no CA (RFC 5280 section "
		"4.2.1.9)"},

	{path_length_without_ca, CMI_F_PATH_LENGTH,
		"limits its path and may sign no certificate (RFC 5280 section "
		"4.2.1.9)"},
	{algorithms_differ, CMI_F_MALFORMED_CERTIFICATE,
		"names two different signature algorithms (RFC 5280 section "
		"4.1.1.2)"},
	{has_extensions_too_early, CMI_F_MALFORMED_CERTIFICATE,
		"has extensions and is not of version 3 (RFC 5280 section "
		"4.1.2.9)"},
	{repeats_extension, CMI_F_MALFORMED_CERTIFICATE,
		"has an extension twice, or too many (RFC 5280 section 4.2)"},

	{has_malformed_name, CMI_F_MALFORMED_CERTIFICATE,
		"has a subjectAltName that is no name (RFC 5280 section "
		"4.2.1.6)"},
	{leaf_has_name_constraints, CMI_F_NAME_CONSTRAINT,
		"is no CA and sets name constraints (RFC 5280 section "
		"4.2.1.10)"},
	{name_constraints_are_empty, CMI_F_NAME_CONSTRAINT,
		"has name constraints without a name (RFC 5280 section "
		"4.2.1.10)"},
	{constraint_has_leading_dot, CMI_F_NAME_CONSTRAINT,
		"has a name constraint with a leading dot (RFC 5280 section "
		"4.2.1.10)"},
	{wildcard_evades_exclusion, CMI_F_NAME_CONSTRAINT,
		"has a wildcard for a name that its CA is excluded from"},
};
const size_t cmi_n_rules_rfc5280 = CMI_LEN(cmi_rules_rfc5280);
