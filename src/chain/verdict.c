/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/verdict.h"
#include "chain/verdict_crl.h"
#include "chain/verdict_reason.h"
#include "chain/verdict_rules.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/text.h"
#include "x509/inherit.h"
#include "x509/names.h"

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
	/* As it was given, where path has copies with whole keys. */
	const struct cmi_path *original;
	const struct cmi_verdict_request *request;
	STACK_OF(X509_CRL) * crls; /* NULL: revocation is not checked */
	X509_CRL *bad_crl; /* the first that is no good; borrowed from crls */
	bool revoked;
};

/* ---------------------------------------------------- driving libcrypto */

/* Below ours libcrypto verifies the path of a CRL's issuer. */
static struct judging *judging_of(X509_STORE_CTX *ctx)
{
	X509_STORE_CTX *parent = X509_STORE_CTX_get0_parent_ctx(ctx);

	return X509_STORE_CTX_get_app_data(parent ? parent : ctx);
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
static bool is_valid_after_all(
	const struct judging *j, const X509 *cert, bool is_anchor)
{
	return (is_anchor && j->request->anchor_dates_off) ||
	       ASN1_TIME_cmp_time_t(
		       X509_get0_notAfter(cert), (time_t)j->request->at_s) == 0;
}

/* The signature of a copy is the original's: see x509/inherit.h. */
static bool is_signed_after_all(
	const struct judging *j, X509_STORE_CTX *ctx, const X509 *cert)
{
	int above = X509_STORE_CTX_get_error_depth(ctx) + 1;
	X509 *issuer = sk_X509_value(X509_STORE_CTX_get0_chain(ctx), above);
	EVP_PKEY *key = issuer ? X509_get0_pubkey(issuer) : NULL;

	for (size_t i = 0; key && i < j->path->n; i++)
		if (j->path->certs[i]->x == cert &&
			j->path->certs[i] != j->original->certs[i])
			return X509_verify(j->original->certs[i]->x, key) == 1;
	return false;
}

static bool is_forgiven(const struct judging *j, X509_STORE_CTX *ctx)
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
	const X509 *anchor = j->path->certs[j->path->n - 1]->x;

	if (!cert)
		return false;
	if (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_HAS_EXPIRED)
		return is_valid_after_all(j, cert, cert == anchor);
	if (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_SIGNATURE_FAILURE)
		return is_signed_after_all(j, ctx, cert);
	return j->crls && cmi_crl_forgiven(ctx, anchor);
}

static int look_at_error(int ok, X509_STORE_CTX *ctx)
{
	struct judging *j = judging_of(ctx);
	int error = X509_STORE_CTX_get_error(ctx);

	if (ok || !j)
		return ok;
	if (is_forgiven(j, ctx)) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	if (cmi_crl_is_bad(error) && !j->bad_crl)
		j->bad_crl = X509_STORE_CTX_get0_current_crl(ctx);
	j->revoked |= error == X509_V_ERR_CERT_REVOKED;
	return 0;
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

static const char *const policy_names[] = {
	[CMI_POLICY_DEFAULT] = "clients",
	[CMI_POLICY_STRICT] = "strict",
	[CMI_POLICY_WEBPKI] = "webpki",
	[CMI_POLICY_RFC5280] = "rfc5280",
};

const char *cmi_policy_name(enum cmi_policy policy)
{
	return (size_t)policy < CMI_LEN(policy_names) ? policy_names[policy]
						      : NULL;
}

bool cmi_policy_by_name(struct cmi_bytes name, enum cmi_policy *out)
{
	for (size_t i = 0; i < CMI_LEN(policy_names); i++) {
		if (!cmi_bytes_equal(name, cmi_bytes_of(policy_names[i])))
			continue;
		*out = (enum cmi_policy)i;
		return true;
	}
	return false;
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

static bool find_unread_key(const struct cmi_path *path, int *depth)
{
	for (size_t i = 0; i < path->n; i++)
		if (!X509_get0_pubkey(path->certs[i]->x)) {
			*depth = (int)i;
			return true;
		}
	return false;
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
	if (error == X509_V_ERR_UNSPECIFIED && find_unread_key(path, &depth))
		error = CMI_ERROR_NO_PUBLIC_KEY;
	cmi_verdict_refuse(path, depth < 0 ? 0 : (unsigned)depth, error, out);
	/* Below another CA it may be whole. */
	if (error == CMI_ERROR_NO_PUBLIC_KEY)
		out->whatever_path = !path->certs[depth]->key_inherits;
}

static cmend_status verify_once(
	struct judging *j, struct cmi_verdict *out, cmend_error *err)
{
	CMI_AUTO(store_freep) X509_STORE *store = X509_STORE_new();
	CMI_AUTO(cert_stack_freep)
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	CMI_AUTO(cert_stack_freep) STACK_OF(X509) *trusted = sk_X509_new_null();
	/* Declared last, so freed first: it borrows the ones above. */
	CMI_AUTO(ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	j->bad_crl = NULL;
	j->revoked = false;
	if (!store || !ctx || !stack_path(j->path, untrusted, trusted))
		return cmi_nomem(err);
	X509_STORE_set_check_issued(store, is_pinned_issuer);
	if (X509_STORE_CTX_init(ctx, store, j->path->certs[0]->x, untrusted) !=
		1)
		return cmi_nomem(err);
	X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
	X509_STORE_CTX_set_verify_cb(ctx, look_at_error);
	if (!X509_STORE_CTX_set_app_data(ctx, j) || !set_rules(ctx, j->request))
		return cmi_nomem(err);
	if (j->crls) {
		if (!cmi_crl_issuers(j->path, j->request, store, untrusted))
			return cmi_nomem(err);
		X509_STORE_CTX_set0_crls(ctx, j->crls);
	}
	run(ctx, j->path, out);
	return CMEND_OK;
}

/* libcrypto asks the list that looks best and no other; so without each one
 * that turns out to be no good it is asked again.  What was wrong at first is
 * the news, unless a later list says that a certificate was revoked. */
static cmend_status verify_with_crls(
	struct judging *j, struct cmi_verdict *out, cmend_error *err)
{
	struct cmi_verdict again;

	CMI_TRY(verify_once(j, out, err));
	while (!out->accepted && j->bad_crl &&
		sk_X509_CRL_delete_ptr(j->crls, j->bad_crl)) {
		again = (struct cmi_verdict){0};
		CMI_TRY(verify_once(j, &again, err));
		if (again.accepted || j->revoked)
			*out = again;
	}
	return CMEND_OK;
}

static cmend_status verify_path(const struct cmi_path *path,
	const struct cmi_path *original,
	const struct cmi_verdict_request *request, struct cmi_verdict *out,
	cmend_error *err)
{
	CMI_AUTO(crl_stack_freep) STACK_OF(X509_CRL) *crls = NULL;
	struct judging j = {
		.path = path, .original = original, .request = request};

	if (!request->n_crls)
		return verify_once(&j, out, err);
	crls = cmi_crl_stack(request, has_own_rules(request->policy));
	if (!crls)
		return cmi_nomem(err);
	j.crls = crls;
	return verify_with_crls(&j, out, err);
}

/* From the anchor down, so that what is inherited is whole by then. */
static cmend_status inherit_keys(struct cmi_path *path, cmend_error *err)
{
	for (size_t i = path->n - 1; i-- > 0;) {
		struct cmi_cert *whole = NULL;

		CMI_TRY(cmi_cert_inherit_key(
			path->certs[i], path->certs[i + 1], &whole, err));
		if (!whole)
			continue;
		cmi_cert_unref(path->certs[i]);
		path->certs[i] = whole;
	}
	return CMEND_OK;
}

static bool inherits_keys(const struct cmi_path *path)
{
	for (size_t i = 0; i < path->n; i++)
		if (path->certs[i]->key_inherits)
			return true;
	return false;
}

/* As libcrypto can read it: hardly ever anything but the path itself. */
static cmend_status verify_chain(const struct cmi_path *path,
	const struct cmi_verdict_request *request, struct cmi_verdict *out,
	cmend_error *err)
{
	struct cmi_path whole = *path;
	cmend_status status;

	if (!inherits_keys(path))
		return verify_path(path, path, request, out, err);
	for (size_t i = 0; i < whole.n; i++)
		cmi_cert_ref(whole.certs[i]);
	status = inherit_keys(&whole, err);
	if (!status)
		status = verify_path(&whole, path, request, out, err);
	for (size_t i = 0; i < whole.n; i++)
		cmi_cert_unref(whole.certs[i]);
	return status;
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
	bool subject;
	char host[80], names[72];

	if (!request->host || cmi_cert_matches_host(leaf, request->host,
				      !request->no_wildcards))
		return;
	subject = cmi_cert_subject_names_host(
		leaf, request->host, !request->no_wildcards);
	if (subject && request->subject_names)
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
	if (subject)
		snprintf(out->says, sizeof(out->says),
			"the certificate names \"%s\" in its subject only, "
			"where this client does not look",
			host);
	else if (cmi_cert_names_text(leaf, names, sizeof(names)))
		snprintf(out->says, sizeof(out->says),
			"the certificate is for %s, and not for \"%s\"", names,
			host);
	else
		snprintf(out->says, sizeof(out->says),
			"the certificate names no host, and so not \"%s\"",
			host);
}

/* Each certificate's names against the constraints of each CA above it, as
 * libcrypto would compare them; it leaves self-issued CAs out. */
static size_t count_names(const struct cmi_path *path)
{
	size_t n = 0;

	for (size_t i = 0; i < path->n; i++)
		for (size_t above = i + 1; above < path->n; above++)
			if (i == 0 || !path->certs[i]->self_issued)
				n += cmi_cert_names_cost(
					path->certs[above], path->certs[i]);
	return n;
}

static bool has_too_many_names(
	const struct cmi_path *path, struct cmi_verdict *out)
{
	size_t n = count_names(path);

	if (n <= CMI_SEARCH_NAMES_MAX)
		return false;
	*out = (struct cmi_verdict){.why = CMI_F_SEARCH_NAMES};
	snprintf(out->says, sizeof(out->says),
		"the path asks for %zu name constraint comparisons, more than "
		"%u",
		n, CMI_SEARCH_NAMES_MAX);
	return true;
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
	if (has_too_many_names(path, out))
		return CMEND_OK;
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
