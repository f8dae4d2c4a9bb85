/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge to GnuTLS, over the public interface alone: it stands in a shared
 * object of its own, which only programs that use GnuTLS load.
 */
#include <chainmend/gnutls.h>

#include <stdbool.h>

#include "core/error.h"
#include "core/limits.h"

/* What a getissuer function returns when it has nothing. */
#define NO_ISSUER GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE

/* A certificate of GnuTLS from DER, or NULL. */
static gnutls_x509_crt_t crt_of(cmend_bytes der)
{
	const gnutls_datum_t d = {(unsigned char *)der.p, (unsigned)der.n};
	gnutls_x509_crt_t c = NULL;

	if (gnutls_x509_crt_init(&c) < 0)
		return NULL;
	if (gnutls_x509_crt_import(c, &d, GNUTLS_X509_FMT_DER) >= 0)
		return c;
	gnutls_x509_crt_deinit(c);
	return NULL;
}

/* Its DER, freed with gnutls_free; empty on failure. */
static gnutls_datum_t der_of(const gnutls_x509_crt_t c)
{
	gnutls_datum_t d = {NULL, 0};

	if (gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_DER, &d) < 0)
		d = (gnutls_datum_t){NULL, 0};
	return d;
}

static cmend_bytes view(const gnutls_datum_t *d)
{
	return (cmend_bytes){d->data, d->size};
}

/* The program's trust list is the job's trust. */
static cmend_status anchors_of(
	void *list, cmend_bytes child, cmend_offer *offer)
{
	gnutls_x509_crt_t c = crt_of(child), issuer = NULL;
	cmend_status status = CMEND_OK;

	if (!c)
		return CMEND_OK;
	if (gnutls_x509_trust_list_get_issuer(
		    list, c, &issuer, GNUTLS_TL_GET_COPY) >= 0) {
		gnutls_datum_t d = der_of(issuer);

		status = cmend_offer_certificates(offer, view(&d));
		gnutls_free(d.data);
		gnutls_x509_crt_deinit(issuer);
	}
	gnutls_x509_crt_deinit(c);
	return status;
}

static cmend_status open_job(const cmend_completer *completer,
	gnutls_x509_trust_list_t list, cmend_job **out)
{
	const cmend_anchors anchors = {sizeof(anchors), anchors_of, list};

	CMI_TRY(cmend_job_new(NULL, out, NULL));
	CMI_TRY(cmend_job_use_anchors(*out, &anchors, NULL));
	/* The program's own rules on purpose, name and time come after. */
	cmend_job_set_purpose(*out, CMEND_FOR_ANY);
	return cmend_job_use_completer(*out, completer, NULL);
}

/* Does the path end at an anchor?  Then it is of use even where it is refused:
 * GnuTLS says "expired" then, and not "no issuer". */
static bool is_whole(const cmend_job *job)
{
	cmend_link link = {.size = sizeof(link)};
	size_t n = cmend_path_count(job);

	return n > 1 && cmend_path_link(job, n - 1, &link) == CMEND_OK &&
	       link.origin == CMEND_FROM_ANCHOR;
}

/* The path above the child, without its anchor. */
static unsigned hand_over(const cmend_job *job, gnutls_x509_crt_t *out)
{
	cmend_link link = {.size = sizeof(link)};
	unsigned n = 0;

	for (size_t i = 1; n < CMI_PATH_MAX && is_whole(job) &&
			   cmend_path_link(job, i, &link) == CMEND_OK;
		i++) {
		gnutls_x509_crt_t c = link.origin == CMEND_FROM_ANCHOR
					      ? NULL
					      : crt_of(link.der);

		if (c)
			out[n++] = c;
	}
	return n;
}

static unsigned complete(cmend_completer *completer,
	gnutls_x509_trust_list_t list, const gnutls_datum_t *child,
	gnutls_x509_crt_t *out)
{
	cmend_job *job = NULL;
	unsigned n = 0;

	if (open_job(completer, list, &job) == CMEND_OK &&
		cmend_complete(job, view(child), NULL, 0, NULL) == CMEND_OK) {
		n = hand_over(job, out);
		cmend_completer_note(completer, view(child), job);
	}
	cmend_job_free(job);
	return n;
}

/* GnuTLS lacks the issuer of child.  What comes back is added to the chain as
 * if it had been sent; the array and what is in it become GnuTLS's. */
static int find_issuers(gnutls_x509_trust_list_t list,
	const gnutls_x509_crt_t child, gnutls_x509_crt_t **issuers,
	unsigned int *n_issuers)
{
	cmend_completer *completer = gnutls_x509_trust_list_get_ptr(list);
	gnutls_datum_t der = der_of(child);
	gnutls_x509_crt_t *out =
		der.data ? gnutls_calloc(CMI_PATH_MAX, sizeof(*out)) : NULL;
	unsigned n = out ? complete(completer, list, &der, out) : 0;

	gnutls_free(der.data);
	if (!n)
		gnutls_free(out);
	*issuers = n ? out : NULL;
	*n_issuers = n;
	return n ? 0 : NO_ISSUER;
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
