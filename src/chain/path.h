/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words shared by search, verdict and suppliers: where a certificate came
 * from, a path, and why a candidate or path was refused.
 */
#ifndef CMI_CHAIN_PATH_H
#define CMI_CHAIN_PATH_H

#include "core/finding_id.h"
#include "core/limits.h"
#include "x509/cert.h"

/* Provenance.  It is carried for explanation and never becomes trust. */
enum cmi_origin {
	CMI_FROM_SENT,
	CMI_FROM_CACHE,
	CMI_FROM_PRELOAD,
	CMI_FROM_AIA,
	CMI_FROM_PORT80, /* device chain download */
	CMI_FROM_FILE,
	CMI_FROM_ANCHOR,
};
/* "sent", "cache", "preload", "aia", "port80", "file", "anchor". */
const char *cmi_origin_name(enum cmi_origin o);

struct cmi_path {
	struct cmi_cert *certs[CMI_PATH_MAX]; /* leaf first, anchor last */
	enum cmi_origin origins[CMI_PATH_MAX];
	size_t n;
};

/* One refusal: each candidate or whole path considered leaves one. */
struct cmi_refusal {
	struct cmi_cert *cert;  /* the certificate it is about, or NULL */
	struct cmi_cert *child; /* whose issuer it should have been, or NULL */
	enum cmi_origin origin;
	enum cmi_finding_id why;
	unsigned depth; /* 0: the leaf */
	char says[160];
};

/* A supplier of issuers: asked for the issuers of one certificate. */
struct cmi_source {
	enum cmi_origin origin;
	/* Call offer for each certificate found (the callee refs what it
	 * keeps).  Nothing found is CMEND_OK.  A failure never ends the
	 * search: it is kept as a refusal (for AIA: aia-dead and so on). */
	cmend_status (*issuers_of)(void *ctx, const struct cmi_cert *child,
		cmend_status (*offer)(void *offer_ctx, struct cmi_cert *cert,
			enum cmi_origin origin),
		void *offer_ctx, cmend_error *err);
	/* Why the last call found nothing, for the explanation: a finding id
	 * such as aia-dead, or CMI_F_NONE; text in says.  May be NULL. */
	enum cmi_finding_id (*last_trouble)(
		void *ctx, char *says, size_t n_says);
	void *ctx;
	bool costly; /* asked only when all cheap sources are used up */
	/* As issuers_of, called when the search would end without a path: what
	 * it held back for the same child so far.  NULL: it never does. */
	cmend_status (*more_of)(void *ctx, const struct cmi_cert *child,
		cmend_status (*offer)(void *offer_ctx, struct cmi_cert *cert,
			enum cmi_origin origin),
		void *offer_ctx, cmend_error *err);
	/* Requests that went over a network so far; NULL: each call of a
	 * costly source counts as one. */
	unsigned (*fetches)(void *ctx);
};

#endif
