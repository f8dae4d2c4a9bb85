/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A getissuer function for GnuTLS, as the bridge (gnutls.c) and the preload
 * object (shim/gnutls.c) both need one.
 *
 * It calls GnuTLS and the public interface of chainmend through tables: the
 * bridge is linked with both, the preload object finds them at run time and
 * has no header of GnuTLS, so that its types are opaque here.  It needs
 * nothing else.  What it finds is path material; the verdict stays GnuTLS's.
 */
#ifndef CMI_API_GNUTLS_FIND_H
#define CMI_API_GNUTLS_FIND_H

#include <chainmend/chainmend.h>

/* gnutls_datum_t */
struct cmi_gnutls_datum {
	unsigned char *data;
	unsigned int size;
};

/* GnuTLS's functions of these names, for certificates and lists: stable since
 * 3.0.  list is a gnutls_x509_trust_list_t, cert a gnutls_x509_crt_t. */
struct cmi_gnutls_calls {
	int (*export_der)(void *cert, int format, struct cmi_gnutls_datum *out);
	int (*get_issuer)(
		void *list, void *cert, void **issuer, unsigned int flags);
	int (*crt_init)(void **out);
	int (*crt_import)(
		void *cert, const struct cmi_gnutls_datum *in, int format);
	void (*crt_deinit)(void *cert);
	void *(**malloc)(size_t n);
	void (**free)(void *p);
};

/* Functions of chainmend.h, under their own names. */
#define CMI_FIND_FUNCTIONS(X)                                                  \
	X(cmend_job_new)                                                       \
	X(cmend_job_free)                                                      \
	X(cmend_job_use_anchors)                                               \
	X(cmend_job_use_completer)                                             \
	X(cmend_job_set_purpose)                                               \
	X(cmend_complete)                                                      \
	X(cmend_completer_note)                                                \
	X(cmend_path_count)                                                    \
	X(cmend_path_link)                                                     \
	X(cmend_offer_certificates)

struct cmi_find_calls {
#define CMI_FIND_FIELD(name) __typeof__(name) *name;
	CMI_FIND_FUNCTIONS(CMI_FIND_FIELD)
#undef CMI_FIND_FIELD
};

/* As a getissuer function: the issuers of child, nearest first, without the
 * anchor.  0, or below it when there is none; the array and what is in it are
 * GnuTLS's. */
int cmi_gnutls_find(const struct cmi_gnutls_calls *tls,
	const struct cmi_find_calls *lib, cmend_completer *completer,
	void *list, void *child, void ***issuers, unsigned int *n_issuers);

#endif
