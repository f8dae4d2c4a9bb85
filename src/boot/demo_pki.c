/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/demo.h"

#include "boot/keys.h"

#define DAY_S INT64_C(86400)

static void id_dispose(struct cmi_demo_id *id)
{
	cmi_cert_unref(id->cert);
	cmi_key_free(id->key);
}

void cmi_demo_pki_dispose(struct cmi_demo_pki *p)
{
	id_dispose(&p->root);
	id_dispose(&p->intermediate);
	id_dispose(&p->leaf);
	id_dispose(&p->leaf_direct);
	id_dispose(&p->bad_root);
	id_dispose(&p->bad_intermediate);
	id_dispose(&p->bad_leaf);
	id_dispose(&p->issuer);
	*p = (struct cmi_demo_pki){0};
}

struct order {
	struct cmi_demo_id *to;
	const struct cmi_demo_id *issuer; /* NULL: signs itself */
	const char *name;
	bool ca;
	int path_len;
	int64_t days;
};

static cmend_status make(
	const struct cmi_env *env, const struct order *o, cmend_error *err)
{
	int64_t now_s = cmi_now_us(env) / 1000000;
	struct cmi_issue issue = {
		.common_name = o->name,
		.dns_name = o->ca ? NULL : CMI_DEMO_HOST,
		.ca = o->ca,
		.path_len = o->path_len,
		.server_auth = !o->ca,
		.not_before_s = now_s - DAY_S,
		.not_after_s = now_s + o->days * DAY_S,
		.issuer = o->issuer ? o->issuer->cert : NULL,
		.issuer_key = o->issuer ? o->issuer->key : NULL,
		.env = env,
	};

	/* RSA, as certificates for phones of that class have. */
	CMI_TRY(cmi_key_make(CMI_KEY_RSA_2048, &o->to->key, err));
	issue.key = o->to->key;
	return cmi_issue_cert(&issue, &o->to->cert, err);
}

cmend_status cmi_demo_pki_make(
	const struct cmi_env *env, struct cmi_demo_pki *out, cmend_error *err)
{
	struct cmi_demo_pki p = {0};
	const struct order orders[] = {
		{&p.root, NULL, "Corp Root CA", true, -1, 3650},
		{&p.intermediate, &p.root, "Corp Issuing CA", true, 0, 1825},
		{&p.leaf, &p.intermediate, CMI_DEMO_HOST, false, -1, 365},
		{&p.leaf_direct, &p.root, CMI_DEMO_HOST, false, -1, 365},
		{&p.bad_root, NULL, "Attacker Root CA", true, -1, 3650},
		{&p.bad_intermediate, &p.bad_root, "Attacker Issuing CA", true,
			0, 1825},
		{&p.bad_leaf, &p.bad_intermediate, CMI_DEMO_HOST, false, -1,
			365},
		{&p.issuer, NULL, "Communications Server", true, 0, 1825},
	};

	for (size_t i = 0; i < CMI_LEN(orders); i++) {
		cmend_status status = make(env, &orders[i], err);

		if (status) {
			cmi_demo_pki_dispose(&p);
			return status;
		}
	}
	*out = p;
	return CMEND_OK;
}
