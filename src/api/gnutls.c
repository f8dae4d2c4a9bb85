/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge to GnuTLS, over the public interface alone: it stands in a shared
 * object of its own, which only programs that use GnuTLS load.
 */
#include <chainmend/gnutls.h>

#include "api/gnutls_find.h"

/* GnuTLS's own types to the shared part's opaque ones. */

static int export_der(void *cert, int format, struct cmi_gnutls_datum *out)
{
	gnutls_datum_t d = {NULL, 0};
	int rc = gnutls_x509_crt_export2(
		cert, (gnutls_x509_crt_fmt_t)format, &d);

	*out = (struct cmi_gnutls_datum){d.data, d.size};
	return rc;
}

static int get_issuer(void *list, void *cert, void **issuer, unsigned int flags)
{
	gnutls_x509_crt_t found = NULL;
	int rc = gnutls_x509_trust_list_get_issuer(list, cert, &found, flags);

	*issuer = found;
	return rc;
}

static int crt_init(void **out)
{
	gnutls_x509_crt_t made = NULL;
	int rc = gnutls_x509_crt_init(&made);

	*out = made;
	return rc;
}

static int crt_import(void *cert, const struct cmi_gnutls_datum *in, int format)
{
	const gnutls_datum_t d = {in->data, in->size};

	return gnutls_x509_crt_import(cert, &d, (gnutls_x509_crt_fmt_t)format);
}

static void crt_deinit(void *cert)
{
	gnutls_x509_crt_deinit(cert);
}

static const struct cmi_gnutls_calls tls_calls = {
	.export_der = export_der,
	.get_issuer = get_issuer,
	.crt_init = crt_init,
	.crt_import = crt_import,
	.crt_deinit = crt_deinit,
	.malloc = &gnutls_malloc,
	.free = &gnutls_free,
};

static const struct cmi_find_calls own_calls = {
#define OWN(name) .name = name,
	CMI_FIND_FUNCTIONS(OWN)
#undef OWN
};

/* GnuTLS lacks the issuer of child.  What comes back is added to the chain as
 * if it had been sent; the array and what is in it become GnuTLS's. */
static int find_issuers(gnutls_x509_trust_list_t list,
	const gnutls_x509_crt_t child, gnutls_x509_crt_t **issuers,
	unsigned int *n_issuers)
{
	void **found = NULL;
	int rc = cmi_gnutls_find(&tls_calls, &own_calls,
		gnutls_x509_trust_list_get_ptr(list), list, child, &found,
		n_issuers);

	*issuers = (gnutls_x509_crt_t *)found;
	return rc;
}

static cmend_bytes view(const gnutls_datum_t *d)
{
	return (cmend_bytes){d->data, d->size};
}

cmend_status cmend_gnutls_complete_list(
	gnutls_x509_trust_list_t list, cmend_completer *completer)
{
	if (!list || !completer)
		return CMEND_ARG;
	gnutls_x509_trust_list_set_ptr(list, completer);
	gnutls_x509_trust_list_set_getissuer_function(list, find_issuers);
	return CMEND_OK;
}

cmend_status cmend_gnutls_complete(gnutls_certificate_credentials_t credentials,
	cmend_completer *completer)
{
	gnutls_x509_trust_list_t list = NULL;

	if (!credentials || !completer)
		return CMEND_ARG;
	gnutls_certificate_get_trust_list(credentials, &list);
	return cmend_gnutls_complete_list(list, completer);
}

const char *cmend_gnutls_explain(gnutls_session_t session,
	cmend_completer *completer, char *out, size_t n)
{
	const gnutls_datum_t *peers;
	unsigned n_peers = 0;

	if (!out || !n)
		return "";
	out[0] = '\0';
	peers = session ? gnutls_certificate_get_peers(session, &n_peers)
			: NULL;
	/* The one whose issuer was missing is the last that was of use. */
	for (unsigned i = 0; peers && i < n_peers && !out[0]; i++)
		(void)cmend_completer_explain(
			completer, view(&peers[i]), out, n);
	return out;
}
