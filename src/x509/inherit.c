/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/inherit.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

CMI_DEFINE_CLEANUP(pubkey_freep, X509_PUBKEY, X509_PUBKEY_free)

/* The parameters of a DSA key; NULL: it is none, or it has none. */
static const ASN1_STRING *parameters_of(const struct cmi_cert *c)
{
	const ASN1_OBJECT *oid;
	const void *value = NULL;
	X509_ALGOR *algorithm = NULL;
	int type = V_ASN1_UNDEF;

	if (X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm,
		    X509_get_X509_PUBKEY(c->x)) != 1)
		return NULL;
	X509_ALGOR_get0(&oid, &type, &value, algorithm);
	return OBJ_obj2nid(oid) == NID_dsa && type == V_ASN1_SEQUENCE ? value
								      : NULL;
}

/* The key's bits with those parameters, encoded; below 0: no memory. */
static int encode_whole(const struct cmi_cert *c, const ASN1_STRING *parameters,
	unsigned char **out)
{
	CMI_AUTO(pubkey_freep) X509_PUBKEY *whole = X509_PUBKEY_new();
	ASN1_STRING *copy = ASN1_STRING_dup(parameters);
	const unsigned char *bits = NULL;
	unsigned char *taken;
	int n = 0;

	(void)X509_PUBKEY_get0_param(
		NULL, &bits, &n, NULL, X509_get_X509_PUBKEY(c->x));
	taken = n > 0 ? OPENSSL_memdup(bits, (size_t)n) : NULL;
	if (whole && copy && taken &&
		X509_PUBKEY_set0_param(whole, OBJ_nid2obj(NID_dsa),
			V_ASN1_SEQUENCE, copy, taken, n) == 1)
		return i2d_X509_PUBKEY(whole, out);
	ASN1_STRING_free(copy);
	OPENSSL_free(taken);
	return -1;
}

/* From here on libcrypto encodes what was signed anew, with that key in it. */
static bool put_key(struct cmi_cert *c, const unsigned char *der, int n)
{
	EVP_PKEY *key = d2i_PUBKEY(NULL, &der, n);
	bool done = key && X509_set_pubkey(c->x, key) == 1;

	EVP_PKEY_free(key);
	return done;
}

cmend_status cmi_cert_inherit_key(const struct cmi_cert *c,
	const struct cmi_cert *issuer, struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *copy = NULL;
	const ASN1_STRING *parameters = parameters_of(issuer);
	unsigned char *der = NULL;
	int n;

	*out = NULL;
	if (!c->key_inherits || !parameters)
		return CMEND_OK;
	/* It was read before, so only memory can be wanting. */
	if (cmi_cert_from_der(c->der, &copy, NULL))
		return cmi_nomem(err);
	n = encode_whole(c, parameters, &der);
	if (n > 0 && put_key(copy, der, n))
		*out = CMI_TAKE(copy);
	OPENSSL_free(der);
	ERR_clear_error();
	return n < 0 ? cmi_nomem(err) : CMEND_OK;
}
