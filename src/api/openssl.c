/* SPDX-License-Identifier: Apache-2.0 */
#include <chainmend/openssl.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/completer.h"

static int explain_index = -1;

static void free_explanation(void *parent, void *p, CRYPTO_EX_DATA *data,
	int index, long argl, void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	cmi_free(p);
}

/* OpenSSL's way to hang data on an SSL: an index for the whole process. */
static void make_index(void)
{
	explain_index =
		SSL_get_ex_new_index(0, NULL, NULL, NULL, free_explanation);
}

static SSL *ssl_of(X509_STORE_CTX *ctx)
{
	return X509_STORE_CTX_get_ex_data(
		ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
}

static void explain(
	const cmend_completer *c, X509_STORE_CTX *ctx, const char *text)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	SSL *ssl = ssl_of(ctx);
	char *copy;

	pthread_once(&once, make_index);
	if (c->o.trace)
		c->o.trace(c->o.ctx, text);
	if (!ssl || explain_index < 0)
		return;
	copy = cmi_strdup(text);
	cmi_free(SSL_get_ex_data(ssl, explain_index));
	(void)SSL_set_ex_data(ssl, explain_index, copy);
}

const char *cmend_ssl_explain(const SSL *ssl)
{
	const char *text = explain_index >= 0 && ssl
				   ? SSL_get_ex_data(ssl, explain_index)
				   : NULL;

	return text ? text : "";
}

/* One certificate in DER, freed with OPENSSL_free. */
static cmend_bytes der_of(X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);

	return (cmend_bytes){der, n > 0 ? (size_t)n : 0};
}

static X509 *x509_of(cmend_bytes der)
{
	const unsigned char *p = der.p;

	return d2i_X509(NULL, &p, (long)der.n);
}

static bool is_partial(X509_STORE_CTX *ctx)
{
	return X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(ctx)) &
	       X509_V_FLAG_PARTIAL_CHAIN;
}

/* The store's issuer of child; freed by the caller. */
static X509 *stored_issuer(X509_STORE_CTX *ctx, X509 *child)
{
	X509 *issuer = NULL;

	ERR_set_mark();
	if (X509_STORE_CTX_get1_issuer(&issuer, ctx, child) != 1)
		issuer = NULL;
	ERR_pop_to_mark();
	return issuer;
}

/* The program's store as anchors, or as path material where it holds an
 * intermediate and the program wants chains up to a root. */
static cmend_status ask_store(X509_STORE_CTX *ctx, cmend_bytes child,
	cmend_offer *offer, bool anchors)
{
	X509 *x = x509_of(child), *issuer = x ? stored_issuer(ctx, x) : NULL;
	bool is_anchor = issuer &&
			 (is_partial(ctx) || (X509_get_extension_flags(issuer) &
						     EXFLAG_SS));
	cmend_status status = CMEND_OK;

	if (issuer && is_anchor == anchors) {
		cmend_bytes der = der_of(issuer);

		status = cmend_offer_certificates(offer, der);
		OPENSSL_free((void *)der.p);
	}
	X509_free(issuer);
	X509_free(x);
	return status;
}

static cmend_status stored_anchors(
	void *ctx, cmend_bytes child, cmend_offer *offer)
{
	return ask_store(ctx, child, offer, true);
}

static cmend_status stored_intermediates(
	void *ctx, cmend_bytes child, cmend_offer *offer)
{
	return ask_store(ctx, child, offer, false);
}

static int64_t time_of(X509_STORE_CTX *ctx)
{
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);

	if (X509_VERIFY_PARAM_get_flags(p) & X509_V_FLAG_USE_CHECK_TIME)
		return X509_VERIFY_PARAM_get_time(p);
	return time(NULL);
}

static bool valid_at(X509 *x, int64_t at_s)
{
	time_t t = (time_t)at_s;

	return X509_cmp_time(X509_get0_notBefore(x), &t) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(x), &t) > 0;
}

static X509 *sent_issuer(STACK_OF(X509) * sent, X509 *child)
{
	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *x = sk_X509_value(sent, i);

		if (x != child && X509_check_issued(x, child) == X509_V_OK)
			return x;
	}
	return NULL;
}

/*
 * Would libcrypto come through alone?  No signature is checked: a walk up to
 * the store over valid certificates says yes, and then nothing is touched.
 */
static bool needs_help(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(ctx);
	X509 *x = X509_STORE_CTX_get0_cert(ctx);
	int64_t at_s = time_of(ctx);

	for (size_t depth = 0; x && depth < CMI_PATH_MAX; depth++) {
		X509 *issuer = stored_issuer(ctx, x);
		bool valid = issuer && valid_at(issuer, at_s);

		X509_free(issuer);
		if (valid)
			return false;
		if (X509_get_extension_flags(x) & EXFLAG_SS)
			return depth > 0;
		x = sent_issuer(sent, x);
		if (x && !valid_at(x, at_s))
			return true;
	}
	return true;
}

static cmend_status prepare_job(const cmend_completer *c, X509_STORE_CTX *ctx,
	cmend_job **out, cmend_error *err)
{
	const cmend_anchors anchors = {sizeof(anchors), stored_anchors, ctx};
	const cmend_source source = {
		sizeof(source), stored_intermediates, ctx, 0};
	SSL *ssl = ssl_of(ctx);
	cmend_job *job = NULL;

	CMI_TRY(cmend_job_new(NULL, &job, err));
	*out = job;
	CMI_TRY(cmend_job_use_anchors(job, &anchors, err));
	CMI_TRY(cmend_job_use_source(job, &source, err));
	cmend_job_set_time(job, time_of(ctx));
	/* The program's own rules on purpose, name and level come after. */
	cmend_job_set_purpose(job, !ssl                 ? CMEND_FOR_ANY
				   : SSL_is_server(ssl) ? CMEND_FOR_CLIENT
							: CMEND_FOR_SERVER);
	return cmend_job_use_completer(job, c, err);
}

static cmend_status run_job(
	cmend_job *job, X509_STORE_CTX *ctx, cmend_error *err)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(ctx);
	cmend_bytes der[CMI_SENT_CERTS_MAX];
	cmend_bytes leaf = der_of(X509_STORE_CTX_get0_cert(ctx));
	cmend_status status;
	size_t n = 0;

	for (int i = 0; i < sk_X509_num(sent) && n < CMI_LEN(der); i++)
		der[n++] = der_of(sk_X509_value(sent, i));
	status = cmend_complete(job, leaf, der, n, err);
	OPENSSL_free((void *)leaf.p);
	while (n)
		OPENSSL_free((void *)der[--n].p);
	return status;
}

/* What the path has above the leaf, without its anchor. */
static STACK_OF(X509) * path_of(const cmend_job *job)
{
	STACK_OF(X509) *path = sk_X509_new_null();
	cmend_link link = {.size = sizeof(link)};

	for (size_t i = 1; path && cmend_path_link(job, i, &link) == CMEND_OK;
		i++) {
		X509 *x = link.origin == CMEND_FROM_ANCHOR ? NULL
							   : x509_of(link.der);

		if (x && !sk_X509_push(path, x))
			X509_free(x);
	}
	return path;
}

/* Our path first, so that libcrypto meets it before what was sent. */
static void add_sent(STACK_OF(X509) * path, X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(ctx);

	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *x = sk_X509_value(sent, i);

		if (sk_X509_push(path, x))
			X509_up_ref(x);
	}
}

/* Does it still lead to an anchor of the program's, all valid? */
static bool still_leads_on(X509_STORE_CTX *ctx, STACK_OF(X509) * path)
{
	int n = sk_X509_num(path);
	int64_t at_s = time_of(ctx);
	X509 *issuer = NULL;
	bool leads;

	for (int i = 0; i < n; i++)
		if (!valid_at(sk_X509_value(path, i), at_s))
			return false;
	if (n > 0)
		issuer = stored_issuer(ctx, sk_X509_value(path, n - 1));
	leads = issuer && valid_at(issuer, at_s) &&
		(is_partial(ctx) ||
			X509_get_extension_flags(issuer) & EXFLAG_SS);
	X509_free(issuer);
	return leads;
}

static STACK_OF(X509) * remember(const cmend_completer *c, X509_STORE_CTX *ctx)
{
	char *says;
	STACK_OF(X509) *path =
		cmi_recent_get(c->recent, X509_STORE_CTX_get0_cert(ctx), &says);

	if (path && !still_leads_on(ctx, path)) {
		sk_X509_pop_free(path, X509_free);
		path = NULL;
	}
	if (path && says)
		explain(c, ctx, says);
	cmi_free(says);
	return path;
}

static STACK_OF(X509) * search(const cmend_completer *c, X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *path = NULL;
	cmend_job *job = NULL;
	cmend_error err = {0};
	cmend_status status = prepare_job(c, ctx, &job, &err);
	char line[2048] = "";

	if (!status)
		status = run_job(job, ctx, &err);
	if (!status)
		cmi_completer_trace(c, job);
	if (!status && cmend_job_accepted(job))
		path = path_of(job);
	if (status)
		explain(c, ctx, err.message);
	else if (*cmend_job_explain(job, line, sizeof(line)))
		explain(c, ctx, line);
	if (path)
		cmi_recent_put(c->recent, X509_STORE_CTX_get0_cert(ctx), path,
			*line ? line : NULL);
	cmend_job_free(job);
	return path;
}

/* The longer untrusted list, or NULL where nothing can be added. */
static STACK_OF(X509) * complete(const cmend_completer *c, X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *all = remember(c, ctx);

	if (!all)
		all = search(c, ctx);
	if (all)
		add_sent(all, ctx);
	return all;
}

int cmend_openssl_verify(X509_STORE_CTX *ctx, cmend_completer *completer,
	int (*verify)(X509_STORE_CTX *ctx))
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(ctx), *all = NULL;
	int ok;

	ERR_set_mark();
	if (completer && X509_STORE_CTX_get0_cert(ctx) && needs_help(ctx))
		all = complete(completer, ctx);
	/* Our tries leave nothing in the program's error queue. */
	ERR_pop_to_mark();
	if (all)
		X509_STORE_CTX_set0_untrusted(ctx, all);
	ok = verify ? verify(ctx) : X509_verify_cert(ctx);
	if (all) {
		X509_STORE_CTX_set0_untrusted(ctx, sent);
		sk_X509_pop_free(all, X509_free);
	}
	return ok;
}

static int verify_callback(X509_STORE_CTX *ctx, void *arg)
{
	return cmend_openssl_verify(ctx, arg, NULL);
}

cmend_status cmend_ssl_ctx_complete(SSL_CTX *ctx, cmend_completer *completer)
{
	if (!ctx || !completer)
		return CMEND_ARG;
	SSL_CTX_set_cert_verify_callback(ctx, verify_callback, completer);
	return CMEND_OK;
}
