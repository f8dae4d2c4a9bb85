/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gnutls_find.h"

#include <stdbool.h>

#include "core/limits.h"

/* Of gnutls/gnutls.h and gnutls/x509.h. */
#define FORMAT_DER 0
#define GET_COPY   (1u << 4)
#define NO_ISSUER  (-56) /* GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE */

/* One look for issuers. */
struct finding {
	const struct cmi_gnutls_calls *tls;
	const struct cmi_find_calls *lib;
	void *list;
};

/* A certificate of GnuTLS from DER, or NULL. */
static void *cert_of(const struct finding *f, cmend_bytes der)
{
	const struct cmi_gnutls_datum d = {
		(unsigned char *)der.p, (unsigned int)der.n};
	void *c = NULL;

	if (f->tls->crt_init(&c) < 0)
		return NULL;
	if (f->tls->crt_import(c, &d, FORMAT_DER) >= 0)
		return c;
	f->tls->crt_deinit(c);
	return NULL;
}

/* Its DER, freed with gnutls_free; empty on failure. */
static struct cmi_gnutls_datum der_of(const struct finding *f, void *cert)
{
	struct cmi_gnutls_datum d = {NULL, 0};

	if (f->tls->export_der(cert, FORMAT_DER, &d) < 0)
		d = (struct cmi_gnutls_datum){NULL, 0};
	return d;
}

/* The program's trust list is the job's trust. */
static cmend_status anchors_of(void *ctx, cmend_bytes child, cmend_offer *offer)
{
	const struct finding *f = ctx;
	void *c = cert_of(f, child), *issuer = NULL;
	cmend_status status = CMEND_OK;
	struct cmi_gnutls_datum d;

	if (!c)
		return CMEND_OK;
	if (f->tls->get_issuer(f->list, c, &issuer, GET_COPY) >= 0) {
		d = der_of(f, issuer);
		if (d.data)
			status = f->lib->cmend_offer_certificates(
				offer, (cmend_bytes){d.data, d.size});
		(*f->tls->free)(d.data);
		f->tls->crt_deinit(issuer);
	}
	f->tls->crt_deinit(c);
	return status;
}

/* Does the path end at an anchor?  Then it is of use even where it is refused:
 * GnuTLS says "expired" then, and not "no issuer". */
static bool is_whole(const struct finding *f, const cmend_job *job)
{
	cmend_link link = {.size = sizeof(link)};
	size_t n = f->lib->cmend_path_count(job);

	return n > 1 &&
	       f->lib->cmend_path_link(job, n - 1, &link) == CMEND_OK &&
	       link.origin == CMEND_FROM_ANCHOR;
}

/* The path above the child, without its anchor; broken off where there is no
 * memory for more. */
static unsigned int hand_over(
	const struct finding *f, const cmend_job *job, void **out)
{
	cmend_link link = {.size = sizeof(link)};
	unsigned int n = 0;

	for (size_t i = 1; n < CMI_PATH_MAX &&
			   f->lib->cmend_path_link(job, i, &link) == CMEND_OK;
		i++) {
		if (link.origin == CMEND_FROM_ANCHOR)
			continue;
		out[n] = cert_of(f, link.der);
		if (!out[n])
			break;
		n++;
	}
	return n;
}

static cmend_status open_job(
	struct finding *f, const cmend_completer *completer, cmend_job **out)
{
	const cmend_anchors anchors = {sizeof(anchors), anchors_of, f};
	cmend_status status = f->lib->cmend_job_new(NULL, out, NULL);

	if (!status)
		status = f->lib->cmend_job_use_anchors(*out, &anchors, NULL);
	if (!status)
		status = f->lib->cmend_job_use_completer(*out, completer, NULL);
	/* The program's own rules on purpose, name and time come after. */
	if (!status)
		f->lib->cmend_job_set_purpose(*out, CMEND_FOR_ANY);
	return status;
}

static unsigned int complete(struct finding *f, cmend_completer *completer,
	cmend_bytes child, void **out)
{
	cmend_job *job = NULL;
	unsigned int n = 0;

	if (open_job(f, completer, &job) == CMEND_OK &&
		f->lib->cmend_complete(job, child, NULL, 0, NULL) == CMEND_OK) {
		if (is_whole(f, job))
			n = hand_over(f, job, out);
		f->lib->cmend_completer_note(completer, child, job);
	}
	f->lib->cmend_job_free(job);
	return n;
}

int cmi_gnutls_find(const struct cmi_gnutls_calls *tls,
	const struct cmi_find_calls *lib, cmend_completer *completer,
	void *list, void *child, void ***issuers, unsigned int *n_issuers)
{
	struct finding f = {tls, lib, list};
	struct cmi_gnutls_datum der = der_of(&f, child);
	void **out =
		der.data ? (*tls->malloc)(CMI_PATH_MAX * sizeof(*out)) : NULL;
	unsigned int n = 0;

	if (out)
		n = complete(
			&f, completer, (cmend_bytes){der.data, der.size}, out);
	(*tls->free)(der.data);
	if (!n)
		(*tls->free)(out);
	*issuers = n ? out : NULL;
	*n_issuers = n;
	return n ? 0 : NO_ISSUER;
}
