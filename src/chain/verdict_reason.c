/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/verdict_reason.h"

#include <stdio.h>
#include <string.h>

#include <openssl/x509_vfy.h>

#include "core/text.h"

struct reason {
	int error;
	enum cmi_finding_id why;
	bool whatever_path;
	const char *says; /* after the certificate's name */
};

static const struct reason reasons[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, CMI_F_EXPIRED_INTERMEDIATE, true,
		"has expired"},
	{X509_V_ERR_CERT_NOT_YET_VALID, CMI_F_NOT_YET_VALID, true,
		"is not valid yet"},
	{X509_V_ERR_INVALID_CA, CMI_F_NOT_A_CA, true,
		"is no CA certificate, yet issued another"},
	{X509_V_ERR_INVALID_NON_CA, CMI_F_NOT_A_CA, true,
		"is a CA certificate where none may be"},
	{X509_V_ERR_KEYUSAGE_NO_CERTSIGN, CMI_F_NOT_A_CA, true,
		"may not sign certificates by its keyUsage"},
	{X509_V_ERR_PATH_LENGTH_EXCEEDED, CMI_F_PATH_LENGTH, false,
		"allows fewer CA certificates below it"},
	{X509_V_ERR_INVALID_PURPOSE, CMI_F_WRONG_USAGE, true,
		"is not meant for this use"},
	{X509_V_ERR_CERT_UNTRUSTED, CMI_F_DISTRUSTED_ROOT, true,
		"is not trusted for this use"},
	{X509_V_ERR_CERT_REJECTED, CMI_F_DISTRUSTED_ROOT, true,
		"is distrusted for this use"},
	{X509_V_ERR_CA_MD_TOO_WEAK, CMI_F_WEAK_SIGNATURE, true,
		"is signed with a digest too weak"},
	{X509_V_ERR_EE_KEY_TOO_SMALL, CMI_F_WEAK_KEY, true,
		"has a key too small"},
	{X509_V_ERR_CA_KEY_TOO_SMALL, CMI_F_WEAK_KEY, true,
		"has a key too small"},
	{X509_V_ERR_CERT_SIGNATURE_FAILURE, CMI_F_BAD_SIGNATURE, false,
		"was not signed by the key of the next certificate"},
	{X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, CMI_F_BAD_SIGNATURE,
		false, "has a signature that cannot be read"},
	{X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH, CMI_F_BAD_SIGNATURE, false,
		"has a signature of another kind than its issuer's key"},
	{X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY, CMI_F_BAD_SIGNATURE,
		true, "names two different signature algorithms"},
	{X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY,
		CMI_F_UNSUPPORTED_SIGNATURE, false,
		"is signed by a key that cannot be read"},
	{X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM,
		CMI_F_UNSUPPORTED_SIGNATURE, true,
		"is signed with an unsupported algorithm"},
	{X509_V_ERR_PERMITTED_VIOLATION, CMI_F_NAME_CONSTRAINT, false,
		"has a name outside those its CA is permitted"},
	{X509_V_ERR_EXCLUDED_VIOLATION, CMI_F_NAME_CONSTRAINT, false,
		"has a name that its CA is excluded from"},
	{X509_V_ERR_SUBTREE_MINMAX, CMI_F_NAME_CONSTRAINT, false,
		"is under a name constraint with minimum or maximum"},
	{X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, CMI_F_NAME_CONSTRAINT, false,
		"is under a name constraint of an unsupported kind"},
	{X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, CMI_F_NAME_CONSTRAINT, false,
		"is under a malformed name constraint"},
	{X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, CMI_F_NAME_CONSTRAINT, false,
		"has a name that no constraint can be applied to"},
	{X509_V_ERR_INVALID_POLICY_EXTENSION, CMI_F_POLICY, false,
		"has a malformed policy extension"},
	{X509_V_ERR_NO_EXPLICIT_POLICY, CMI_F_POLICY, false,
		"needs a certificate policy that the path does not have"},
	/* Beside memory itself: more policies than libcrypto follows. */
	{X509_V_ERR_OUT_OF_MEM, CMI_F_POLICY, false,
		"has policies too many to be followed, or memory ran out"},
	{X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, CMI_F_POLICY, true,
		"has a critical extension that is not known"},
	{X509_V_ERR_INVALID_EXTENSION, CMI_F_MALFORMED_CERTIFICATE, true,
		"has a malformed extension"},
	{X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, CMI_F_MALFORMED_CERTIFICATE,
		true, "has a notBefore that is not a time"},
	{X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, CMI_F_MALFORMED_CERTIFICATE,
		true, "has a notAfter that is not a time"},
	{X509_V_ERR_EC_KEY_EXPLICIT_PARAMS, CMI_F_MALFORMED_CERTIFICATE, true,
		"has an EC key without a named curve"},
	{CMI_ERROR_NO_PUBLIC_KEY, CMI_F_UNSUPPORTED_SIGNATURE, true,
		"has a public key that cannot be read"},
	{X509_V_ERR_CERT_REVOKED, CMI_F_REVOKED, true, "was revoked"},
	{X509_V_ERR_UNABLE_TO_GET_CRL, CMI_F_REVOKED, false,
		"has no revocation list to ask"},
	{X509_V_ERR_CRL_HAS_EXPIRED, CMI_F_REVOKED, false,
		"has only a revocation list that is too old"},
	{X509_V_ERR_CRL_NOT_YET_VALID, CMI_F_REVOKED, false,
		"has only a revocation list that is not valid yet"},
	{X509_V_ERR_CRL_SIGNATURE_FAILURE, CMI_F_REVOKED, false,
		"has a revocation list that its issuer did not sign"},
	{X509_V_ERR_CRL_PATH_VALIDATION_ERROR, CMI_F_REVOKED, false,
		"has a revocation list whose issuer has no good path"},
	{X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, CMI_F_REVOKED, false,
		"has a revocation list whose issuer is not known"},
	{X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, CMI_F_REVOKED, false,
		"has a revocation list by a key that may sign none"},
	{X509_V_ERR_DIFFERENT_CRL_SCOPE, CMI_F_REVOKED, false,
		"has only revocation lists of other scope"},
	{X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, CMI_F_REVOKED, false,
		"has a revocation list with a critical extension not known"},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, CMI_F_UNTRUSTED_ROOT, false,
		"is a root that is not trusted"},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, CMI_F_SELF_SIGNED_LEAF, false,
		"signed itself and is not trusted"},
};

static const struct reason *find_reason(int error)
{
	for (size_t i = 0; i < CMI_LEN(reasons); i++)
		if (reasons[i].error == error)
			return &reasons[i];
	return NULL;
}

static enum cmi_finding_id expired_where(
	const struct cmi_path *path, unsigned depth)
{
	if (depth == 0)
		return CMI_F_EXPIRED_LEAF;
	return depth + 1 == path->n ? CMI_F_EXPIRED_ROOT
				    : CMI_F_EXPIRED_INTERMEDIATE;
}

static void explain_dates(const struct cmi_cert *c, struct cmi_verdict *out)
{
	char when[CMI_TIME_TEXT];
	bool expired = out->why != CMI_F_NOT_YET_VALID;
	size_t n = strlen(out->says);

	cmi_time_s(when, expired ? c->not_after_s : c->not_before_s);
	snprintf(out->says + n, sizeof(out->says) - n, " (%s %s)",
		expired ? "it ended on" : "it begins on", when);
}

void cmi_verdict_refuse(const struct cmi_path *path, unsigned depth, int error,
	struct cmi_verdict *out)
{
	const struct reason *r = find_reason(error);
	const struct cmi_cert *c;
	char name[100];

	if (depth >= path->n)
		depth = (unsigned)path->n - 1;
	c = path->certs[depth];
	out->accepted = false;
	out->depth = depth;
	out->why = r ? r->why : CMI_F_POLICY;
	out->whatever_path = r && r->whatever_path;
	cmi_safe_cstr(name, sizeof(name), cmi_bytes_of(c->subject));
	snprintf(out->says, sizeof(out->says), "\"%s\" %s", name,
		r ? r->says : X509_verify_cert_error_string(error));
	if (error == X509_V_ERR_CERT_HAS_EXPIRED)
		out->why = expired_where(path, depth);
	if (error == X509_V_ERR_CERT_HAS_EXPIRED ||
		error == X509_V_ERR_CERT_NOT_YET_VALID)
		explain_dates(c, out);
}
