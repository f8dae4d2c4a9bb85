/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge to GnuTLS, with the program's trust list and GnuTLS's verdict;
 * and without memory, ours and GnuTLS's.
 */
#include "web.h"

#include <time.h>

#include <chainmend/gnutls.h>

#include "api/gnutls_find.h"
#include "core/mem.h"

static struct {
	struct forged *root, *ca1, *ca2, *leaf;
	struct forged *evil_root, *evil_ca, *evil_leaf, *old_leaf;
} pki;
static cmend_completer *completer;
static unsigned n_fetches;
static char last_trace[512];

/* GnuTLS judges by the clock, and so does a bridge's job. */
static struct forged *issue(const char *name, const struct forged *issuer,
	const char *aia, const char *dns, int64_t until_s)
{
	int64_t now_s = (int64_t)time(NULL);

	return forge(&(struct forge_order){.name = name,
		.issuer = issuer,
		.ca = !dns,
		.dns = dns,
		.aia = aia,
		.from_s = now_s - 9 * FORGE_DAY,
		.until_s = now_s + until_s});
}

static cmend_status fetch(void *ctx, const char *url, cmend_answer *answer)
{
	const struct web_page web[] = {
		{"http://pki.test/ca1", pki.ca1},
		{"http://pki.test/ca2", pki.ca2},
		{"http://pki.test/evil", pki.evil_ca},
		{"http://pki.test/evil-root", pki.evil_root},
	};

	(void)ctx;
	n_fetches++;
	return web_answer(web, CMI_LEN(web), url, answer);
}

static void trace(void *ctx, const char *line)
{
	(void)ctx;
	snprintf(last_trace, sizeof(last_trace), "%s", line);
}

static int setup(void **state)
{
	static const cmend_fetcher f = {sizeof(f), fetch, NULL};
	const cmend_completer_options o = {
		.size = sizeof(o), .fetcher = &f, .trace = trace};
	int64_t year_s = 365 * FORGE_DAY;

	(void)state;
	pki.root = issue("Root", NULL, NULL, NULL, year_s);
	pki.ca1 = issue("CA 1", pki.root, NULL, NULL, year_s);
	pki.ca2 = issue("CA 2", pki.ca1, "http://pki.test/ca1", NULL, year_s);
	pki.leaf =
		issue("leaf", pki.ca2, "http://pki.test/ca2", "a.test", year_s);
	pki.old_leaf = issue(
		"old", pki.ca2, "http://pki.test/ca2", "a.test", -FORGE_DAY);
	pki.evil_root = issue("Evil Root", NULL, NULL, NULL, year_s);
	pki.evil_ca = issue("Evil CA", pki.evil_root,
		"http://pki.test/evil-root", NULL, year_s);
	pki.evil_leaf = issue(
		"leaf", pki.evil_ca, "http://pki.test/evil", "a.test", year_s);
	assert_int_equal(cmend_completer_new(&o, &completer, NULL), CMEND_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cmend_completer_free(completer);
	forge_free_all();
	return 0;
}

static gnutls_x509_crt_t crt_of(const struct forged *f)
{
	gnutls_datum_t d = {
		(unsigned char *)f->c->der.p, (unsigned)f->c->der.n};
	gnutls_x509_crt_t c = NULL;

	assert_int_equal(gnutls_x509_crt_init(&c), 0);
	assert_int_equal(gnutls_x509_crt_import(c, &d, GNUTLS_X509_FMT_DER), 0);
	return c;
}

/* A list that trusts the root; freed with all that is in it. */
static gnutls_x509_trust_list_t new_list(const struct forged *anchor)
{
	gnutls_x509_trust_list_t list = NULL;
	gnutls_x509_crt_t ca = crt_of(anchor);

	assert_int_equal(gnutls_x509_trust_list_init(&list, 0), 0);
	assert_int_equal(gnutls_x509_trust_list_add_cas(list, &ca, 1, 0), 1);
	assert_int_equal(cmend_gnutls_complete_list(list, completer), CMEND_OK);
	return list;
}

static unsigned verify(gnutls_x509_trust_list_t list, gnutls_x509_crt_t leaf)
{
	unsigned status = 0;

	if (gnutls_x509_trust_list_verify_crt(list, &leaf, 1, 0, &status, NULL))
		return GNUTLS_CERT_INVALID;
	return status;
}

static void verdicts(void **state)
{
	const struct {
		const char *name;
		const struct forged *leaf, *anchor;
		unsigned wanted; /* bits that are set; 0: accepted */
		const char *explained;
	} rows[] = {
		{"completed", pki.leaf, pki.root, 0, "completed: "},
		{"another root", pki.leaf, pki.evil_root,
			GNUTLS_CERT_SIGNER_NOT_FOUND, ""},
		{"a rogue, whose root was fetched", pki.evil_leaf, pki.root,
			GNUTLS_CERT_SIGNER_NOT_FOUND, ""},
		{"expired, and said so", pki.old_leaf, pki.root,
			GNUTLS_CERT_EXPIRED, ""},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		gnutls_x509_trust_list_t list = new_list(rows[i].anchor);
		gnutls_x509_crt_t leaf = crt_of(rows[i].leaf);
		char line[256];
		unsigned status = verify(list, leaf);

		if (rows[i].wanted ? !(status & rows[i].wanted) : status != 0)
			fail_msg("%s: status %#x", rows[i].name, status);
		cmend_completer_explain(completer,
			(cmend_bytes){
				rows[i].leaf->c->der.p, rows[i].leaf->c->der.n},
			line, sizeof(line));
		assert_true(line[0]);
		assert_memory_equal(
			line, rows[i].explained, strlen(rows[i].explained));
		assert_string_equal(line, last_trace);
		gnutls_x509_crt_deinit(leaf);
		gnutls_x509_trust_list_deinit(list, 1);
	}
	assert_true(n_fetches >= 6);
}

static void wrong_arguments(void **state)
{
	gnutls_certificate_credentials_t cred = NULL;
	gnutls_x509_trust_list_t list = new_list(pki.root);
	char line[8] = "x";

	(void)state;
	assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
	assert_int_equal(
		cmend_gnutls_complete_list(NULL, completer), CMEND_ARG);
	assert_int_equal(cmend_gnutls_complete_list(list, NULL), CMEND_ARG);
	assert_int_equal(cmend_gnutls_complete(NULL, completer), CMEND_ARG);
	assert_int_equal(cmend_gnutls_complete(cred, NULL), CMEND_ARG);
	assert_int_equal(cmend_gnutls_complete(cred, completer), CMEND_OK);
	assert_string_equal(
		cmend_gnutls_explain(NULL, completer, line, sizeof(line)), "");
	assert_string_equal(line, "");
	assert_string_equal(cmend_gnutls_explain(NULL, completer, NULL, 0), "");
	gnutls_certificate_free_credentials(cred);
	gnutls_x509_trust_list_deinit(list, 1);
}

/* Without memory a good chain may be refused; nothing else may happen. */
static void check_starved(
	const char *whose, long n, unsigned good, unsigned evil)
{
	if (good && !(good & GNUTLS_CERT_INVALID))
		fail_msg("%s allocation %ld: status %#x", whose, n, good);
	if (!evil)
		fail_msg("%s allocation %ld: a rogue is accepted", whose, n);
}

/* Ours fail in turn: the n-th alone. */
static void without_our_memory(void **state)
{
	gnutls_x509_crt_t leaf = crt_of(pki.leaf);
	gnutls_x509_crt_t evil_leaf = crt_of(pki.evil_leaf);
	long refused = 0, n = 0;
	bool over = false;

	(void)state;
	for (; !over; n++) {
		gnutls_x509_trust_list_t list = new_list(pki.root);
		unsigned good, evil;

		cmi_mem_fail_after(n);
		good = verify(list, leaf);
		over = cmi_mem_fail_after(-1) <= n;
		cmi_mem_fail_after(n);
		evil = verify(list, evil_leaf);
		cmi_mem_fail_after(-1);
		check_starved("our", n, good, evil);
		refused += good != 0;
		if (over)
			assert_int_equal(good, 0);
		gnutls_x509_trust_list_deinit(list, 1);
	}
	assert_true(n > 50 && refused > 10);
	gnutls_x509_crt_deinit(leaf);
	gnutls_x509_crt_deinit(evil_leaf);
}

/* GnuTLS dies of a want of memory by itself; so here each call that is made of
 * it fails in turn, as it would. */
static long asked, fail_at = -1;

static bool starved(void)
{
	return asked++ == fail_at;
}

static int export_der(void *cert, int format, struct cmi_gnutls_datum *out)
{
	gnutls_datum_t d = {NULL, 0};
	int rc = starved() ? GNUTLS_E_MEMORY_ERROR
			   : gnutls_x509_crt_export2(
				     cert, (gnutls_x509_crt_fmt_t)format, &d);

	if (rc >= 0)
		*out = (struct cmi_gnutls_datum){d.data, d.size};
	return rc;
}

static int get_issuer(void *list, void *cert, void **out, unsigned int flags)
{
	return starved() ? GNUTLS_E_MEMORY_ERROR
			 : gnutls_x509_trust_list_get_issuer(
				   list, cert, (gnutls_x509_crt_t *)out, flags);
}

static int crt_init(void **out)
{
	return starved() ? GNUTLS_E_MEMORY_ERROR
			 : gnutls_x509_crt_init((gnutls_x509_crt_t *)out);
}

static int crt_import(void *cert, const struct cmi_gnutls_datum *in, int format)
{
	const gnutls_datum_t d = {in->data, in->size};

	return starved() ? GNUTLS_E_MEMORY_ERROR
			 : gnutls_x509_crt_import(
				   cert, &d, (gnutls_x509_crt_fmt_t)format);
}

static void crt_deinit(void *cert)
{
	gnutls_x509_crt_deinit(cert);
}

static void *starving_malloc(size_t n)
{
	return starved() ? NULL : gnutls_malloc(n);
}

static unsigned find_starving(
	gnutls_x509_trust_list_t list, gnutls_x509_crt_t leaf, long n, int *rc)
{
	static void *(*allocate)(size_t n) = starving_malloc;
	static const struct cmi_gnutls_calls tls = {export_der, get_issuer,
		crt_init, crt_import, crt_deinit, &allocate, &gnutls_free};
	static const struct cmi_find_calls lib = {
#define OWN(name) .name = name,
		CMI_FIND_FUNCTIONS(OWN)
#undef OWN
	};
	void **issuers = NULL;
	unsigned found = 7;

	asked = 0;
	fail_at = n;
	*rc = cmi_gnutls_find(
		&tls, &lib, completer, list, leaf, &issuers, &found);
	fail_at = -1;
	assert_int_equal(*rc == 0, found > 0);
	assert_int_equal(issuers != NULL, found > 0);
	for (unsigned i = 0; i < found; i++)
		gnutls_x509_crt_deinit(issuers[i]);
	gnutls_free(issuers);
	return found;
}

static void without_gnutls_memory(void **state)
{
	gnutls_x509_trust_list_t list = new_list(pki.root);
	gnutls_x509_crt_t leaf = crt_of(pki.leaf);
	long refused = 0, n = 0;
	unsigned found;
	int rc;

	(void)state;
	do {
		found = find_starving(list, leaf, n, &rc);
		refused += rc < 0;
		assert_true(found <= 2);
	} while (asked > n++);
	assert_int_equal(found, 2);
	assert_true(n > 8 && refused > 3);
	gnutls_x509_crt_deinit(leaf);
	gnutls_x509_trust_list_deinit(list, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(wrong_arguments),
		cmocka_unit_test(without_our_memory),
		cmocka_unit_test(without_gnutls_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
