/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook for GnuTLS: credentials are born with a function that finds missing
 * issuers (gnutls_x509_trust_list_set_getissuer_function, since 3.7.0).  What
 * it returns is path material only.  GnuTLS's types are opaque here, so its
 * headers are not needed.
 */
#include "shim/shim.h"

#include <pthread.h>

#define LIBGNUTLS "libgnutls.so.30"

typedef void *credentials;
typedef void *trust_list;
typedef void *certificate;

#define NO_ISSUER (-1)

typedef int find_issuers(trust_list list, const certificate child,
	certificate **issuers, unsigned int *n_issuers);

static struct {
	int (*allocate)(credentials *out);
	void (*get_trust_list)(credentials c, trust_list *out);
	void (*set_find)(trust_list list, find_issuers *f);
	struct cmi_gnutls_calls find;
} tls;

static bool usable;

static void find_functions(void)
{
#define FIND(field, name)                                                      \
	tls.field = (__typeof__(tls.field))cmi_shim_next(name, LIBGNUTLS)
	FIND(allocate, "gnutls_certificate_allocate_credentials");
	FIND(get_trust_list, "gnutls_certificate_get_trust_list");
	FIND(set_find, "gnutls_x509_trust_list_set_getissuer_function");
	FIND(find.export_der, "gnutls_x509_crt_export2");
	FIND(find.get_issuer, "gnutls_x509_trust_list_get_issuer");
	FIND(find.crt_init, "gnutls_x509_crt_init");
	FIND(find.crt_import, "gnutls_x509_crt_import");
	FIND(find.crt_deinit, "gnutls_x509_crt_deinit");
	FIND(find.malloc, "gnutls_malloc");
	FIND(find.free, "gnutls_free");
#undef FIND
	usable = tls.allocate && tls.get_trust_list && tls.set_find &&
		 tls.find.export_der && tls.find.get_issuer &&
		 tls.find.crt_init && tls.find.crt_import &&
		 tls.find.crt_deinit && tls.find.malloc && tls.find.free;
}

static int find(trust_list list, const certificate child, certificate **issuers,
	unsigned int *n_issuers)
{
	const struct cmi_engine *e =
		cmi_engine_busy() ? NULL : cmi_engine_get();
	int rc;

	if (!e)
		return NO_ISSUER;
	cmi_engine_enter();
	rc = cmi_gnutls_find(&tls.find, &e->find, e->completer, list, child,
		issuers, n_issuers);
	cmi_engine_leave();
	return rc;
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
