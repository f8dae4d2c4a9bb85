/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/verdict.h"
#include "chain/verdict_crl.h"
#include "chain/verdict_rules.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/text.h"

CMI_DEFINE_CLEANUP(store_freep, X509_STORE, X509_STORE_free)
CMI_DEFINE_CLEANUP(ctx_freep, X509_STORE_CTX, X509_STORE_CTX_free)

static void free_cert_stack(STACK_OF(X509) * sk)
{
	sk_X509_free(sk);
}
CMI_DEFINE_CLEANUP(cert_stack_freep, STACK_OF(X509), free_cert_stack)

CMI_DEFINE_CLEANUP(crl_stack_freep, STACK_OF(X509_CRL), cmi_crl_stack_free)

/* RFC 5280 section 4.2.1.4 */
#define ANY_POLICY "2.5.29.32.0"

/* One verification as libcrypto's callbacks see it. */
struct judging {
	const struct cmi_path *path;
	const struct cmi_verdict_request *request;
};

/* ------------------------------------------- libcrypto's errors, explained */

/* libcrypto has no number for a leaf whose key it cannot read. */
#define ERROR_NO_PUBLIC_KEY (-1)

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
	{ERROR_NO_PUBLIC_KEY, CMI_F_UNSUPPORTED_SIGNATURE, true,
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

static void refuse(const struct cmi_path *path, unsigned depth, int error,
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

/* ---------------------------------------------------- driving libcrypto */

static const struct judging *judging_of(X509_STORE_CTX *ctx)
{
	return X509_STORE_CTX_get_app_data(ctx);
}

/* Pin each pair of the path, so that libcrypto cannot choose otherwise: only
 * a certificate's next one is its issuer, and a root is its own.  A path below
 * ours leads to the issuer of a CRL and is libcrypto's to choose. */
static int is_pinned_issuer(X509_STORE_CTX *ctx, X509 *child, X509 *issuer)
{
	const struct cmi_path *path;

	if (X509_STORE_CTX_get0_parent_ctx(ctx))
		return X509_check_issued(issuer, child) == X509_V_OK;
	path = judging_of(ctx)->path;
	if (child == issuer)
		return path->certs[path->n - 1]->x == child &&
		       path->certs[path->n - 1]->self_issued;
	for (size_t i = 0; i + 1 < path->n; i++)
		if (path->certs[i]->x == child)
			return path->certs[i + 1]->x == issuer;
	return 0;
}

/* libcrypto takes a certificate for expired in the second that notAfter names;
 * RFC 5280 section 4.1.2.5 includes that second. */
static bool is_in_last_second(const struct judging *j, size_t depth)
{
	return j->path->certs[depth]->not_after_s == j->request->at_s ||
	       (j->request->anchor_dates_off && depth + 1 == j->path->n);
}

/* No CRL can speak about an anchor: RFC 5280 section 6.3.3 is for the
 * certificates of the path, and the anchor is none of them (6.1). */
static bool is_forgiven(const struct judging *j, int error, size_t depth)
{
	if (error == X509_V_ERR_CERT_HAS_EXPIRED)
		return is_in_last_second(j, depth);
	return depth + 1 == j->path->n && cmi_crl_error(error);
}

static int forgive(int ok, X509_STORE_CTX *ctx)
{
	const struct judging *j = judging_of(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);

	/* Without ours it is the path of a CRL's issuer. */
	if (ok || !j || depth < 0 || (size_t)depth >= j->path->n ||
		X509_STORE_CTX_get_current_cert(ctx) !=
			j->path->certs[depth]->x ||
		!is_forgiven(j, X509_STORE_CTX_get_error(ctx), (size_t)depth))
		return ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static int purpose_of(enum cmi_purpose p)
{
	switch (p) {
	case CMI_FOR_SERVER:
		return X509_PURPOSE_SSL_SERVER;
	case CMI_FOR_CLIENT:
		return X509_PURPOSE_SSL_CLIENT;
	case CMI_FOR_ANY:
		break;
	}
	return 0;
}

/* Ours say it more finely: a leaf's keyUsage is TLS's business, and
 * anyExtendedKeyUsage means any. */
static bool has_own_rules(enum cmi_policy policy)
{
	return policy == CMI_POLICY_RFC5280 || policy == CMI_POLICY_WEBPKI;
}

static bool add_policy(X509_VERIFY_PARAM *param, const char *dotted)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(dotted, 1);

	if (oid && X509_VERIFY_PARAM_add0_policy(param, oid) == 1)
		return true;
	ASN1_OBJECT_free(oid);
	return false;
}

static bool set_policies(
	X509_VERIFY_PARAM *param, const struct cmi_policy_inputs *in)
{
	unsigned long flags = X509_V_FLAG_POLICY_CHECK;

	if (in->explicit_policy)
		flags |= X509_V_FLAG_EXPLICIT_POLICY;
	if (in->inhibit_mapping)
		flags |= X509_V_FLAG_INHIBIT_MAP;
	if (in->inhibit_any)
		flags |= X509_V_FLAG_INHIBIT_ANY;
	/* To libcrypto no list at all would mean no policy. */
	if (in->n_oids == 0 && !add_policy(param, ANY_POLICY))
		return false;
	for (size_t i = 0; i < in->n_oids; i++)
		if (!add_policy(param, in->oids[i]))
			return false;
	return X509_VERIFY_PARAM_set_flags(param, flags) == 1;
}

int cmi_security_level(const struct cmi_verdict_request *request)
{
	if (request->security_level >= 0)
		return request->security_level;
	return request->at_s < CMI_SHA1_SUNSET_S ? 0 : 1;
}

static bool set_rules(
	X509_STORE_CTX *ctx, const struct cmi_verdict_request *request)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
	int purpose = has_own_rules(request->policy)
			      ? 0
			      : purpose_of(request->purpose);

	if (request->policy == CMI_POLICY_STRICT)
		flags |= X509_V_FLAG_X509_STRICT;
	if (request->n_crls)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
			 X509_V_FLAG_EXTENDED_CRL_SUPPORT |
			 X509_V_FLAG_USE_DELTAS;
	X509_VERIFY_PARAM_set_auth_level(param, cmi_security_level(request));
	X509_VERIFY_PARAM_set_time(param, (time_t)request->at_s);
	/* The CN is no name, for name constraints neither (RFC 9525). */
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	X509_VERIFY_PARAM_set_depth(param, (int)CMI_PATH_MAX);
	if (request->policies && !set_policies(param, request->policies))
		return false;
	return X509_VERIFY_PARAM_set_flags(param, flags) == 1 &&
	       (!purpose || X509_VERIFY_PARAM_set_purpose(param, purpose) == 1);
}

static bool stack_path(const struct cmi_path *path, STACK_OF(X509) * untrusted,
	STACK_OF(X509) * trusted)
{
	size_t last = path->n - 1;

	if (!untrusted || !trusted)
		return false;
	for (size_t i = 1; i < last; i++)
		if (!sk_X509_push(untrusted, path->certs[i]->x))
			return false;
	return sk_X509_push(trusted, path->certs[last]->x) > 0;
}

/* What libcrypto built is what we proposed. */
static bool same_chain(X509_STORE_CTX *ctx, const struct cmi_path *path)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	if (sk_X509_num(chain) != (int)path->n)
		return false;
	for (size_t i = 0; i < path->n; i++)
		if (sk_X509_value(chain, (int)i) != path->certs[i]->x)
			return false;
	return true;
}

static void run(X509_STORE_CTX *ctx, const struct cmi_path *path,
	struct cmi_verdict *out)
{
	int answer = X509_verify_cert(ctx);
	int error = X509_STORE_CTX_get_error(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);

	if (answer == 1 && error == X509_V_OK && same_chain(ctx, path)) {
		out->accepted = true;
		return;
	}
	if (answer == 1 || error == X509_V_OK)
		error = X509_V_ERR_UNSPECIFIED;
	if (error == X509_V_ERR_UNSPECIFIED &&
		!X509_get0_pubkey(path->certs[0]->x))
		error = ERROR_NO_PUBLIC_KEY;
	refuse(path, depth < 0 ? 0 : (unsigned)depth, error, out);
}

static cmend_status verify_chain(const struct cmi_path *path,
	const struct cmi_verdict_request *request, struct cmi_verdict *out,
	cmend_error *err)
{
	CMI_AUTO(store_freep) X509_STORE *store = X509_STORE_new();
	CMI_AUTO(cert_stack_freep)
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	CMI_AUTO(cert_stack_freep) STACK_OF(X509) *trusted = sk_X509_new_null();
	CMI_AUTO(crl_stack_freep) STACK_OF(X509_CRL) *crls = NULL;
	/* Declared last, so freed first: it borrows the ones above. */
	CMI_AUTO(ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	struct judging j = {path, request};

	if (!store || !ctx || !stack_path(path, untrusted, trusted))
		return cmi_nomem(err);
	X509_STORE_set_check_issued(store, is_pinned_issuer);
	if (X509_STORE_CTX_init(ctx, store, path->certs[0]->x, untrusted) != 1)
		return cmi_nomem(err);
	X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
	X509_STORE_CTX_set_verify_cb(ctx, forgive);
	if (!X509_STORE_CTX_set_app_data(ctx, &j) || !set_rules(ctx, request))
		return cmi_nomem(err);
	if (request->n_crls) {
		crls = cmi_crl_stack(request, has_own_rules(request->policy));
		if (!crls || !cmi_crl_issuers(path, request, store, untrusted))
			return cmi_nomem(err);
		X509_STORE_CTX_set0_crls(ctx, crls);
	}
	run(ctx, path, out);
	return CMEND_OK;
}

static void break_rule(const struct cmi_place *at, const struct cmi_rule *rule,
	struct cmi_verdict *out)
{
	char name[80];

	cmi_safe_cstr(name, sizeof(name), cmi_bytes_of(at->cert->subject));
	*out = (struct cmi_verdict){
		.why = rule->why, .depth = (unsigned)at->depth};
	snprintf(out->says, sizeof(out->says), "\"%s\" %s", name, rule->says);
}

static void check_rules(const struct cmi_path *path,
	const struct cmi_verdict_request *request, const struct cmi_rule *rules,
	size_t n_rules, struct cmi_verdict *out)
{
	for (size_t i = 0; i < path->n && out->accepted; i++) {
		const struct cmi_place at = {
			.path = path,
			.cert = path->certs[i],
			.depth = i,
			.is_leaf = i == 0,
			.is_anchor = i + 1 == path->n,
			.purpose = request->purpose,
		};

		for (size_t r = 0; r < n_rules && out->accepted; r++)
			if (rules[r].broken(&at))
				break_rule(&at, &rules[r], out);
	}
}

static void check_length(const struct cmi_path *path,
	const struct cmi_verdict_request *request, struct cmi_verdict *out)
{
	unsigned n = 0;

	for (size_t i = 1; i + 1 < path->n; i++)
		n += !path->certs[i]->self_issued;
	if (!request->limit_intermediates || n <= request->max_intermediates)
		return;
	*out = (struct cmi_verdict){.why = CMI_F_PATH_LENGTH};
	snprintf(out->says, sizeof(out->says),
		"%u intermediates where %u are allowed", n,
		request->max_intermediates);
}

static void check_host(const struct cmi_path *path,
	const struct cmi_verdict_request *request, struct cmi_verdict *out)
{
	const struct cmi_cert *leaf = path->certs[0];
	char host[100];

	if (!request->host || cmi_cert_matches_host(leaf, request->host,
				      !request->no_wildcards))
		return;
	cmi_safe_cstr(host, sizeof(host), cmi_bytes_of(request->host));
	*out = (struct cmi_verdict){.whatever_path = true};
	if (request->no_wildcards &&
		cmi_cert_matches_host(leaf, request->host, true)) {
		out->why = CMI_F_WILDCARD_UNSUPPORTED;
		snprintf(out->says, sizeof(out->says),
			"only a wildcard covers \"%s\", and this client knows "
			"none",
			host);
		return;
	}
	out->why = CMI_F_NAME_MISMATCH;
	snprintf(out->says, sizeof(out->says),
		"none of the certificate's names is \"%s\"", host);
}

cmend_status cmi_verdict_path(const struct cmi_path *path,
	const struct cmi_verdict_request *request, struct cmi_verdict *out,
	cmend_error *err)
{
	cmend_status status;

	*out = (struct cmi_verdict){0};
	if (path->n == 0 || path->n > CMI_PATH_MAX)
		return cmi_fail(
			err, CMEND_ARG, "path of %zu certificates", path->n);
	ERR_clear_error();
	status = verify_chain(path, request, out, err);
	ERR_clear_error();
	if (status != CMEND_OK)
		return status;
	if (out->accepted && has_own_rules(request->policy))
		check_rules(path, request, cmi_rules_rfc5280,
			cmi_n_rules_rfc5280, out);
	if (out->accepted && request->policy == CMI_POLICY_WEBPKI)
		check_rules(path, request, cmi_rules_webpki, cmi_n_rules_webpki,
			out);
	if (out->accepted)
		check_length(path, request, out);
	if (out->accepted)
		check_host(path, request, out);
	return CMEND_OK;
}
