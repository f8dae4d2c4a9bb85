/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/lab.h"

#include <stdio.h>
#include <string.h>

#include "boot/keys.h"

#define DAY_S INT64_C(86400)
#define SOUND .not_before_days = -1, .not_after_days = 30

const struct cmi_lab_break cmi_lab_breaks[] = {
	{.name = "none", .what = "nothing: whole chain, exact name", SOUND},
	{.name = "missing-intermediate",
		.what = "the leaf is sent without its issuer",
		.finding = CMI_F_MISSING_INTERMEDIATE,
		.leaf_only = true,
		SOUND},
	{.name = "wildcard",
		.what = "the certificate bears *.domain",
		.finding = CMI_F_WILDCARD_UNSUPPORTED,
		.names = CMI_LAB_WILDCARD,
		SOUND},
	{.name = "wrong-name",
		.what = "the certificate bears another name",
		.finding = CMI_F_NAME_MISMATCH,
		.names = CMI_LAB_OTHER,
		SOUND},
	{.name = "clock",
		.what = "valid from tomorrow: the phone's clock is behind",
		.finding = CMI_F_NOT_YET_VALID,
		.not_before_days = 1,
		.not_after_days = 30},
	{.name = "expired",
		.what = "the certificate ran out yesterday",
		.finding = CMI_F_EXPIRED_LEAF,
		.not_before_days = -30,
		.not_after_days = -1},
	{.name = "old-root",
		.what = "the phone's roots are older than our CA",
		.finding = CMI_F_UNTRUSTED_ROOT,
		.other_root = true,
		SOUND},
	{.name = "no-port-80",
		.what = "nobody listens on port 80",
		.finding = CMI_F_CHAIN_DOWNLOAD_FAILED,
		.no_port80 = true,
		SOUND},
	{.name = "chain-download-off",
		.what = "the chain download is switched off",
		.finding = CMI_F_CHAIN_DOWNLOAD_FAILED,
		.download_off = true,
		SOUND},
	{.name = "root-on-port-80",
		.what = "port 80 gives away a root and no intermediate",
		.finding = CMI_F_CHAIN_DOWNLOAD_UNTRUSTED,
		.leaf_only = true,
		.other_root = true,
		.offer_root = true,
		SOUND},
	{.name = "pin-locked",
		.what = "the user is locked",
		.finding = CMI_F_PIN_LOCKED,
		.every_pin = CMI_PIN_ACCOUNT_LOCKED,
		SOUND},
	{.name = "pin-off",
		.what = "sign-in by PIN is switched off",
		.finding = CMI_F_PIN_REFUSED,
		.every_pin = CMI_PIN_NOT_ENABLED,
		SOUND},
	{.name = "registrar-down",
		.what = "nobody listens on port 5061",
		.finding = CMI_F_REGISTRAR_UNREACHABLE,
		.no_registrar = true,
		SOUND},
	{.name = "registrar-wildcard",
		.what = "the registrar's certificate bears *.domain",
		.finding = CMI_F_WILDCARD_UNSUPPORTED,
		.registrar_wildcard = true,
		SOUND},
	{.name = "certificate-auth-off",
		.what = "the registrar takes NTLM and Kerberos, no certificate",
		.finding = CMI_F_REGISTRATION_REFUSED,
		.registrar = CMI_REGISTRAR_NO_DSK,
		SOUND},
	{.name = "certificate-not-published",
		.what = "the registrar does not find the phone's certificate",
		.finding = CMI_F_REGISTRATION_REFUSED,
		.registrar = CMI_REGISTRAR_UNPUBLISHED,
		SOUND},
	{.name = "registrar-401-always",
		.what = "the registrar asks again and again",
		.finding = CMI_F_REGISTRATION_REFUSED,
		.registrar = CMI_REGISTRAR_ALWAYS_401,
		SOUND},
	{.name = "user-disabled",
		.what = "the registrar forbids the user to register",
		.finding = CMI_F_REGISTRATION_REFUSED,
		.registrar = CMI_REGISTRAR_FORBIDS,
		SOUND},
	{.name = "dsk-bad-signature",
		.what = "the registrar's answer is signed with another key",
		.finding = CMI_F_REGISTRAR_UNPROVEN,
		.registrar = CMI_REGISTRAR_BAD_SIGNATURE,
		SOUND},
	{.name = "dsk-unsigned",
		.what = "the registrar accepts and signs nothing",
		.finding = CMI_F_REGISTRAR_UNPROVEN,
		.registrar = CMI_REGISTRAR_UNSIGNED,
		SOUND},
	{.name = "pin-expired",
		.what = "the PIN is too old",
		.finding = CMI_F_PIN_REFUSED,
		.every_pin = CMI_PIN_EXPIRED,
		SOUND},
	{.name = "pin-not-set",
		.what = "the user has no PIN",
		.finding = CMI_F_PIN_REFUSED,
		.every_pin = CMI_PIN_NOT_SET,
		SOUND},
	{.name = "number-not-unique",
		.what = "two users have the number and the PIN",
		.finding = CMI_F_PIN_REFUSED,
		.every_pin = CMI_PIN_NON_UNIQUE_USER,
		SOUND},
	{.name = "store-down",
		.what = "no certificate can be put on record",
		.finding = CMI_F_CERTIFICATE_NOT_ISSUED,
		.store_down = true,
		SOUND},
	{.name = "tls-1.3-only",
		.what = "TLS 1.2 and earlier are switched off",
		.finding = CMI_F_PROTOCOL_VERSION,
		.tls13_only = true,
		SOUND},
	{.name = "sha1",
		.what = "the certificate is signed with SHA-1",
		.finding = CMI_F_WEAK_SIGNATURE,
		.sha1 = true,
		.no_registrar = true, /* which would not take it */
		SOUND},
	{.name = "aia-ldap",
		.what = "the issuer is to be had by LDAP alone",
		.finding = CMI_F_AIA_NOT_HTTP,
		.leaf_only = true,
		.aia_url = "ldap://dc.corp.example/CN=Lab%20Issuing%20CA",
		.no_port80 = true,
		SOUND},
	{.name = "metadata-elsewhere",
		.what = "the service names another host for tickets",
		.finding = CMI_F_WRONG_HOST,
		.mex_host = "other.example",
		SOUND},
	{.name = "dhcp-no-option-43",
		.what = "with --dhcp: option 43 is not there",
		.finding = CMI_F_DHCP_OPTION_MISSING,
		.dhcp = CMI_UC_NO_43,
		SOUND},
	{.name = "dhcp-cut",
		.what = "with --dhcp: option 43 is cut",
		.finding = CMI_F_DHCP_OPTION_TRUNCATED,
		.dhcp = CMI_UC_CUT_43,
		SOUND},
	{.name = NULL},
};

const struct cmi_lab_break *cmi_lab_find(const char *name)
{
	for (const struct cmi_lab_break *b = cmi_lab_breaks; b->name; b++)
		if (strcmp(b->name, name) == 0)
			return b;
	return NULL;
}

void cmi_lab_dispose(struct cmi_lab *lab)
{
	cmi_cert_list_dispose(&lab->chain);
	cmi_cert_list_dispose(&lab->offer);
	cmi_cert_unref(lab->root);
	cmi_key_free(lab->key);
	cmi_cert_list_dispose(&lab->sip_chain);
	cmi_key_free(lab->sip_key);
	*lab = (struct cmi_lab){0};
}

struct pair {
	struct cmi_cert *cert;
	struct evp_pkey_st *key;
};

static void pair_dispose(struct pair *p)
{
	cmi_cert_unref(p->cert);
	cmi_key_free(p->key);
}

static cmend_status make(struct cmi_issue *issue, const struct pair *by,
	struct pair *out, cmend_error *err)
{
	int64_t now_s = cmi_now_us(issue->env) / 1000000;

	CMI_TRY(cmi_key_make(CMI_KEY_RSA_2048, &out->key, err));
	issue->key = out->key;
	if (issue->ca) {
		issue->not_before_s = now_s - 60 * DAY_S;
		issue->not_after_s = now_s + 3650 * DAY_S;
	}
	issue->issuer = by ? by->cert : NULL;
	issue->issuer_key = by ? by->key : NULL;
	return cmi_issue_cert(issue, &out->cert, err);
}

static cmend_status make_leaf(const struct cmi_lab_break *b, const char *host,
	const struct pair *by, struct pair *out, const struct cmi_env *env,
	cmend_error *err)
{
	const char *domain = strchr(host, '.');
	int64_t now_s = cmi_now_us(env) / 1000000;
	char name[CMI_NAME_MAX + 16];
	struct cmi_issue issue = {.common_name = host,
		.dns_name = name,
		.path_len = -1,
		.server_auth = true,
		.sha1 = b->sha1,
		.aia_url = b->aia_url,
		.not_before_s = now_s + b->not_before_days * DAY_S,
		.not_after_s = now_s + b->not_after_days * DAY_S,
		.env = env};

	switch (b->names) {
	case CMI_LAB_EXACT:
		snprintf(name, sizeof(name), "%s", host);
		break;
	case CMI_LAB_WILDCARD:
		snprintf(name, sizeof(name), "*%s", domain ? domain : ".lab");
		break;
	case CMI_LAB_OTHER:
		snprintf(name, sizeof(name), "other%s",
			domain ? domain : ".lab");
		break;
	}
	return make(&issue, by, out, err);
}

static cmend_status arrange(const struct cmi_lab_break *b,
	const struct pair *root, const struct pair *other,
	const struct pair *inter, const struct pair *leaf, struct cmi_lab *out,
	cmend_error *err)
{
	CMI_TRY(cmi_cert_list_add(&out->chain, leaf->cert, err));
	if (!b->leaf_only)
		CMI_TRY(cmi_cert_list_add(&out->chain, inter->cert, err));
	/* Sent too, so that it can be seen to be the one that is missing. */
	if (b->other_root && !b->leaf_only)
		CMI_TRY(cmi_cert_list_add(&out->chain, root->cert, err));
	CMI_TRY(cmi_cert_list_add(
		&out->offer, b->offer_root ? root->cert : inter->cert, err));
	out->root = cmi_cert_ref(b->other_root ? other->cert : root->cert);
	out->key = cmi_key_ref(leaf->key);
	return CMEND_OK;
}

/* The registrar's own certificate, where it is to differ. */
static cmend_status arrange_registrar(const struct cmi_lab_break *b,
	const char *host, const struct pair *inter, const struct cmi_env *env,
	struct cmi_lab *out, cmend_error *err)
{
	struct cmi_lab_break other = *b;
	struct pair leaf = {0};
	cmend_status status;

	if (!b->registrar_wildcard)
		return CMEND_OK;
	other.names = CMI_LAB_WILDCARD;
	status = make_leaf(&other, host, inter, &leaf, env, err);
	if (!status)
		status = cmi_cert_list_add(&out->sip_chain, leaf.cert, err);
	if (!status)
		status = cmi_cert_list_add(&out->sip_chain, inter->cert, err);
	out->sip_key = cmi_key_ref(leaf.key);
	pair_dispose(&leaf);
	return status;
}

cmend_status cmi_lab_make(const struct cmi_lab_break *b, const char *host,
	const struct cmi_env *env, struct cmi_lab *out, cmend_error *err)
{
	struct pair root = {0}, other = {0}, inter = {0}, leaf = {0};
	struct cmi_issue ca = {.common_name = "Lab Root CA",
		.ca = true,
		.path_len = -1,
		.env = env};
	cmend_status status;

	*out = (struct cmi_lab){0};
	status = make(&ca, NULL, &root, err);
	ca.common_name = "Lab Older Root CA";
	if (!status && b->other_root)
		status = make(&ca, NULL, &other, err);
	ca.common_name = "Lab Issuing CA";
	ca.path_len = 0;
	if (!status)
		status = make(&ca, &root, &inter, err);
	if (!status)
		status = make_leaf(b, host, &inter, &leaf, env, err);
	if (!status)
		status = arrange(b, &root, &other, &inter, &leaf, out, err);
	if (!status)
		status = arrange_registrar(b, host, &inter, env, out, err);
	if (status)
		cmi_lab_dispose(out);
	pair_dispose(&root);
	pair_dispose(&other);
	pair_dispose(&inter);
	pair_dispose(&leaf);
	return status;
}
