/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates seen before: the same bytes give the same certificate, parsed
 * once, its key kept.
 *
 * Reading a certificate costs libcrypto as much as checking its signature, and
 * the same few CA certificates come in handshake after handshake.  Whoever
 * judges many chains keeps a pool; leaves, which come once, are not kept.
 * Nothing here is trusted or looked up by name.  Any thread may call.
 */
#ifndef CMI_X509_POOL_H
#define CMI_X509_POOL_H

#include "x509/cert.h"

struct cmi_pool;

/* max certificates are kept, the oldest goes first; 0: CMI_POOL_CERTS. */
cmend_status cmi_pool_new(size_t max, struct cmi_pool **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_pool_free(struct cmi_pool *p);
CMI_DEFINE_CLEANUP(cmi_pool_freep, struct cmi_pool, cmi_pool_free)

/* As cmi_cert_from_der; a NULL pool keeps nothing. */
cmend_status cmi_pool_cert(struct cmi_pool *p, struct cmi_bytes der,
	struct cmi_cert **out, cmend_error *err)
	__attribute__((warn_unused_result));
size_t cmi_pool_count(struct cmi_pool *p);

#endif
