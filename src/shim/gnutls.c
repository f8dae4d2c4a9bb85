/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook for GnuTLS: credentials are born with a function that finds missing
 * issuers (gnutls_x509_trust_list_set_getissuer_function, since 3.7.0).  What
 * it returns is path material only.  GnuTLS's types are opaque here, so its
 * headers are not needed.
 */
#include "shim/shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LIBGNUTLS "libgnutls.so.30"

typedef void *credentials;
typedef void *trust_list;
typedef void *certificate;

struct datum {
	unsigned char *data;
	unsigned int size;
};

/* Of gnutls.h and x509.h: stable since 3.0. */
#define FORMAT_DER  0
#define GET_COPY    (1u << 4) /* GNUTLS_TL_GET_COPY */
#define NO_ISSUER   (-1)
#define ISSUERS_MAX 16

typedef int find_issuers(trust_list list, const certificate child,
	certificate **issuers, unsigned int *n_issuers);

static struct {
	int (*allocate)(credentials *out);
	void (*get_trust_list)(credentials c, trust_list *out);
	void (*set_find)(trust_list list, find_issuers *f);
	int (*export_der)(const certificate c, int format, struct datum *out);
	int (*get_issuer)(trust_list list, const certificate c,
		certificate *issuer, unsigned int flags);
	int (*crt_init)(certificate *out);
	int (*crt_import)(certificate c, const struct datum *in, int format);
	void (*crt_deinit)(certificate c);
	void *(**malloc)(size_t n);
	void (**free)(void *p);
} tls;

static bool usable;

static void find_functions(void)
{
#define FIND(field, name)                                                      \
	tls.field = (__typeof__(tls.field))cmi_shim_next(name, LIBGNUTLS)
	FIND(allocate, "gnutls_certificate_allocate_credentials");
	FIND(get_trust_list, "gnutls_certificate_get_trust_list");
	FIND(set_find, "gnutls_x509_trust_list_set_getissuer_function");
	FIND(export_der, "gnutls_x509_crt_export2");
	FIND(get_issuer, "gnutls_x509_trust_list_get_issuer");
	FIND(crt_init, "gnutls_x509_crt_init");
	FIND(crt_import, "gnutls_x509_crt_import");
	FIND(crt_deinit, "gnutls_x509_crt_deinit");
	FIND(malloc, "gnutls_malloc");
	FIND(free, "gnutls_free");
#undef FIND
	usable = tls.allocate && tls.get_trust_list && tls.set_find &&
		 tls.export_der && tls.get_issuer && tls.crt_init &&
		 tls.crt_import && tls.crt_deinit && tls.malloc && tls.free;
}

/* Freed with gnutls_free. */
static struct datum der_of(const certificate c)
{
	struct datum d = {0};

	if (tls.export_der(c, FORMAT_DER, &d) < 0)
		d = (struct datum){0};
	return d;
}

static certificate certificate_of(cmend_bytes der)
{
	const struct datum d = {(unsigned char *)der.p, (unsigned int)der.n};
	certificate c = NULL;

	if (tls.crt_init(&c) < 0)
		return NULL;
	if (tls.crt_import(c, &d, FORMAT_DER) >= 0)
		return c;
	tls.crt_deinit(c);
	return NULL;
}

/* The program's trust list is the job's trust. */
static cmend_status anchors_of(
	void *list, cmend_bytes child, cmend_offer *offer)
{
	const struct cmi_engine *e = cmi_engine_get();
	certificate c = certificate_of(child), issuer = NULL;
	struct datum d;

	if (!c)
		return CMEND_OK;
	if (tls.get_issuer(list, c, &issuer, GET_COPY) >= 0) {
		d = der_of(issuer);
		(void)!e->cmend_offer_certificates(
			offer, (cmend_bytes){d.data, d.size});
		(*tls.free)(d.data);
		tls.crt_deinit(issuer);
	}
	tls.crt_deinit(c);
	return CMEND_OK;
}

static cmend_job *new_job(const struct cmi_engine *e, trust_list list)
{
	const cmend_anchors anchors = {sizeof(anchors), anchors_of, list};
	cmend_job *job = NULL;

	if (e->cmend_job_new(NULL, &job, NULL) ||
		e->cmend_job_use_anchors(job, &anchors, NULL) ||
		(e->online &&
			e->cmend_job_fetch(job,
				e->allow_private ? CMEND_FETCH_PRIVATE : 0,
				NULL))) {
		e->cmend_job_free(job);
		return NULL;
	}
	e->cmend_job_use_store(job, e->store);
	e->cmend_job_use_preload(job, e->preload);
	/* The program's own rules on purpose, name and time come after. */
	e->cmend_job_set_purpose(job, CMEND_FOR_ANY);
	return job;
}

static void trace_link(const struct cmi_engine *e, const cmend_link *link)
{
	char line[512];

	snprintf(line, sizeof(line), "completed: \"%s\" from %s%s%s",
		link->subject, e->cmend_origin_text(link->origin),
		link->url ? " " : "", link->url ? link->url : "");
	cmi_engine_trace(e, line);
}

/* The path above the child, without its anchor. */
static unsigned int hand_over(
	const struct cmi_engine *e, const cmend_job *job, certificate *out)
{
	cmend_link link = {.size = sizeof(link)};
	unsigned int n = 0;

	for (size_t i = 1; n < ISSUERS_MAX &&
			   e->cmend_path_link(job, i, &link) == CMEND_OK;
		i++) {
		certificate c = link.origin == CMEND_FROM_ANCHOR
					? NULL
					: certificate_of(link.der);

		if (c)
			out[n++] = c;
		if (c)
			trace_link(e, &link);
	}
	return n;
}

static unsigned int complete(const struct cmi_engine *e, trust_list list,
	const certificate child, certificate *out)
{
	struct datum d = der_of(child);
	cmend_job *job = d.data ? new_job(e, list) : NULL;
	unsigned int n = 0;

	if (job && e->cmend_complete(job, (cmend_bytes){d.data, d.size}, NULL,
			   0, NULL) == CMEND_OK) {
		if (e->cmend_job_accepted(job))
			n = hand_over(e, job, out);
		else
			cmi_engine_trace(e, e->cmend_job_says(job));
	}
	if (job)
		e->cmend_job_free(job);
	(*tls.free)(d.data);
	return n;
}

static int find(trust_list list, const certificate child, certificate **issuers,
	unsigned int *n_issuers)
{
	const struct cmi_engine *e =
		cmi_engine_busy() ? NULL : cmi_engine_get();
	certificate *out;

	if (!e)
		return NO_ISSUER;
	out = (*tls.malloc)(ISSUERS_MAX * sizeof(*out));
	if (!out)
		return NO_ISSUER;
	cmi_engine_enter();
	*n_issuers = complete(e, list, child, out);
	cmi_engine_leave();
	*issuers = out;
	if (*n_issuers)
		return 0;
	(*tls.free)(out);
	*issuers = NULL;
	return NO_ISSUER;
}

__attribute__((visibility("default"))) int
gnutls_certificate_allocate_credentials(credentials *out);

int gnutls_certificate_allocate_credentials(credentials *out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	trust_list list = NULL;
	int status;

	pthread_once(&once, find_functions);
	if (!tls.allocate)
		return NO_ISSUER;
	status = tls.allocate(out);
	if (status < 0 || !usable || cmi_engine_busy())
		return status;
	tls.get_trust_list(*out, &list);
	if (list)
		tls.set_find(list, find);
	return status;
}
