/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/intern.h"

#include <string.h>

/* 2,048 certificates of some ten kilobytes each once parsed. */
#define CERT_SETS 256
/* 1,024 CA certificates; they share memory with the above. */
#define CA_SETS 128
/* Bytes hashed at either end: serial and names, and the signature. */
#define HASH_END 64

struct interned {
	struct cmi_cert *cert; /* NULL: malformed */
	struct cmi_bytes der;  /* the certificate's own, or a copy */
};

static void drop_interned(void *value)
{
	struct interned *e = value;

	if (!e->cert)
		cmi_free((void *)e->der.p);
	cmi_cert_unref(e->cert);
	cmi_free(e);
}

static void drop_ca(void *value)
{
	cmi_cert_unref(value);
}

static bool same_der(const void *ctx, const void *value)
{
	const struct cmi_bytes *der = ctx;
	const struct interned *e = value;

	return cmi_bytes_equal(*der, e->der);
}

static bool same_cert(const void *ctx, const void *value)
{
	return cmi_cert_equal(ctx, value);
}

static uint64_t hash_der(struct cmi_bytes der)
{
	size_t n = der.n < HASH_END ? der.n : HASH_END;

	return cmi_ways_hash(
		cmi_ways_hash(der.n, der.p, n), der.p + (der.n - n), n);
}

static cmend_status issuers_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_intern *in = ctx;
	struct cmi_cert *c;
	size_t at = 0;

	(void)err;
	while ((c = cmi_ways_each(&in->cas, child->issuer_hash, &at)))
		if (cmi_cert_names_issuer(child, c))
			CMI_TRY(offer(offer_ctx, c, CMI_FROM_FILE));
	return CMEND_OK;
}

cmend_status cmi_intern_init(struct cmi_intern *in, cmend_error *err)
{
	*in = (struct cmi_intern){.source = {.origin = CMI_FROM_FILE,
					  .issuers_of = issuers_of,
					  .ctx = in}};
	CMI_TRY(cmi_ways_init(&in->certs, CERT_SETS, drop_interned, err));
	return cmi_ways_init(&in->cas, CA_SETS, drop_ca, err);
}

void cmi_intern_dispose(struct cmi_intern *in)
{
	cmi_ways_dispose(&in->certs);
	cmi_ways_dispose(&in->cas);
}

static cmend_status add(struct cmi_intern *in, uint64_t hash,
	struct cmi_bytes der, struct interned **out, cmend_error *err)
{
	struct interned *e = cmi_alloc(sizeof(*e));
	cmend_status status;

	if (!e)
		return cmi_nomem(err);
	status = cmi_cert_from_der(der, &e->cert, err);
	if (status == CMEND_OK) {
		e->der = e->cert->der;
	} else if (status == CMEND_NOMEM) {
		cmi_free(e);
		return status;
	} else {
		/* Not readable: remember that, too. */
		e->cert = NULL;
		e->der.p = (uint8_t *)cmi_strndup(der.p, der.n);
		e->der.n = der.n;
		if (!e->der.p) {
			cmi_free(e);
			return cmi_nomem(err);
		}
	}
	in->parsed++;
	cmi_ways_put(&in->certs, hash, e);
	if (e->cert && (e->cert->ca || e->cert->self_issued) &&
		!cmi_ways_get(
			&in->cas, e->cert->subject_hash, same_cert, e->cert))
		cmi_ways_put(
			&in->cas, e->cert->subject_hash, cmi_cert_ref(e->cert));
	*out = e;
	return CMEND_OK;
}

cmend_status cmi_intern_der(struct cmi_intern *in, struct cmi_bytes der,
	struct cmi_cert **out, cmend_error *err)
{
	uint64_t hash = hash_der(der);
	struct interned *e = cmi_ways_get(&in->certs, hash, same_der, &der);

	if (!e)
		CMI_TRY(add(in, hash, der, &e, err));
	*out = cmi_cert_ref(e->cert);
	return CMEND_OK;
}

size_t cmi_intern_known(const struct cmi_intern *in, uint64_t subject_hash)
{
	size_t n = 0, at = 0;

	while (cmi_ways_each(&in->cas, subject_hash, &at))
		n++;
	return n;
}
