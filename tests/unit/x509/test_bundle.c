/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "core/text.h"
#include "x509/bundle.h"

static struct forged *a, *b;

static int make_two(void **state)
{
	(void)state;
	a = forge(&(struct forge_order){.name = "A", .ca = true});
	b = forge(&(struct forge_order){.name = "B", .issuer = a});
	return 0;
}

static void write_both(enum cmi_bundle_form form, struct cmi_buf *out)
{
	struct cmi_cert *const certs[] = {a->c, b->c};

	assert_int_equal(
		cmi_bundle_write(certs, 2, form, false, out, NULL), CMEND_OK);
}

static void pem_block(struct cmi_buf *out, const char *label,
	struct cmi_bytes der, const char *eol)
{
	cmi_buf_printf(out, "-----BEGIN %s-----%s", label, eol);
	cmi_base64(out, der, 64, eol);
	cmi_buf_printf(out, "%s-----END %s-----%s", eol, label, eol);
}

static void expect(
	struct cmi_buf *in, size_t n, size_t n_bad, enum cmi_bundle_form form)
{
	struct cmi_bundle got = {0};
	cmend_error err = {0};

	assert_int_equal(cmi_buf_status(in, NULL), CMEND_OK);
	assert_int_equal(
		cmi_bundle_read(cmi_buf_view(in), 10, &got, &err) == CMEND_OK,
		n > 0);
	assert_int_equal(got.list.n, n);
	assert_int_equal(got.n_bad, n_bad);
	assert_int_equal(got.form, form);
	if (n > 0)
		assert_true(cmi_cert_equal(got.list.certs[0], a->c));
	if (n > 1)
		assert_true(cmi_cert_equal(got.list.certs[1], b->c));
	cmi_bundle_dispose(&got);
	cmi_buf_dispose(in);
}

static struct cmi_buf fresh(void)
{
	struct cmi_buf out;

	cmi_buf_init(&out, CMI_FILE_MAX);
	return out;
}

static void what_is_written_is_read(void **state)
{
	static const enum cmi_bundle_form forms[] = {
		CMI_FORM_PEM, CMI_FORM_CMS};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(forms); i++) {
		struct cmi_buf out = fresh();

		write_both(forms[i], &out);
		expect(&out, 2, 0, forms[i]);
	}
}

static void der_forms(void **state)
{
	struct cmi_buf in = fresh();

	(void)state;
	cmi_buf_add_bytes(&in, a->c->der);
	expect(&in, 1, 0, CMI_FORM_DER);
	in = fresh();
	cmi_buf_add_bytes(&in, a->c->der);
	cmi_buf_add_bytes(&in, b->c->der);
	expect(&in, 2, 0, CMI_FORM_DER);
	in = fresh();
	cmi_buf_add_bytes(&in, a->c->der);
	cmi_buf_text(&in, "rubbish");
	expect(&in, 1, 1, CMI_FORM_DER);
}

static void pem_forms(void **state)
{
	static const char *const labels[] = {
		"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(labels); i++) {
		struct cmi_buf in = fresh();

		cmi_buf_text(&in, "some text\r\n subject=/CN=A\n");
		pem_block(&in, labels[i], a->c->der, i ? "\r\n" : "\n");
		cmi_buf_text(&in, "-----BEGIN PRIVATE KEY-----\nAAAA\n"
				  "-----END PRIVATE KEY-----\n");
		pem_block(&in, labels[i], b->c->der, "\n");
		cmi_buf_text(&in, "the end");
		expect(&in, 2, 0, CMI_FORM_PEM);
	}
}

/* What OpenSSL keeps behind the certificate in its own form is no fact. */
static void trusted_certificate_loses_its_trust(void **state)
{
	struct cmi_buf in = fresh(), der = fresh();

	(void)state;
	cmi_buf_add_bytes(&der, a->c->der);
	cmi_buf_add(&der,
		"\x30\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07"
		"\x03\x01",
		14);
	pem_block(&in, "TRUSTED CERTIFICATE", cmi_buf_view(&der), "\n");
	cmi_buf_dispose(&der);
	expect(&in, 1, 0, CMI_FORM_PEM);
}

static void pem_without_its_lines(void **state)
{
	struct cmi_buf in = fresh();

	(void)state;
	cmi_base64(&in, a->c->der, 0, "\n");
	expect(&in, 1, 0, CMI_FORM_PEM);
	in = fresh();
	cmi_buf_text(&in, "\xef\xbb\xbf");
	pem_block(&in, "CERTIFICATE", a->c->der, "\n");
	expect(&in, 1, 0, CMI_FORM_PEM);
}

/* A length too long by one octet makes the definite form indefinite. */
static void indefinite_cms(void **state)
{
	struct cmi_buf der = fresh(), in = fresh();

	(void)state;
	/* ContentInfo and SignedData in BER, the certificates in DER. */
	cmi_buf_add(&in,
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
		"\xa0\x80\x30\x80\x02\x01\x01\x31\x00"
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
		"\x00\x00\xa0\x80",
		39);
	cmi_buf_add_bytes(&in, a->c->der);
	cmi_buf_add_bytes(&in, b->c->der);
	cmi_buf_add(&in, "\0\0\x31\0\0\0\0\0\0\0", 10);
	cmi_buf_add_bytes(&der, cmi_buf_view(&in));
	expect(&in, 2, 0, CMI_FORM_CMS);
	in = fresh();
	pem_block(&in, "PKCS7", cmi_buf_view(&der), "\n");
	cmi_buf_dispose(&der);
	expect(&in, 2, 0, CMI_FORM_CMS);
}

static void damaged_ones_are_listed(void **state)
{
	struct cmi_buf in = fresh();
	struct cmi_bundle got = {0};

	(void)state;
	pem_block(&in, "CERTIFICATE", a->c->der, "\n");
	pem_block(&in, "CERTIFICATE", CMI_BYTES("no certificate"), "\n");
	pem_block(&in, "CERTIFICATE", b->c->der, "\n");
	cmi_buf_text(&in, "-----BEGIN CERTIFICATE-----\n!!!!\n"
			  "-----END CERTIFICATE-----\n");
	cmi_buf_text(&in, "-----BEGIN CERTIFICATE-----\nAAAA\n");
	assert_int_equal(
		cmi_bundle_read(cmi_buf_view(&in), 10, &got, NULL), CMEND_OK);
	assert_int_equal(got.list.n, 2);
	assert_int_equal(got.n_bad, 3);
	assert_int_equal(got.bad[0].index, 1);
	assert_int_equal(got.bad[1].index, 3);
	assert_true(got.bad[0].offset > 0);
	assert_true(got.bad[1].offset > got.bad[0].offset);
	assert_non_null(strstr(got.bad[2].says, "END"));
	cmi_bundle_dispose(&got);
	cmi_buf_dispose(&in);
}

static void refusals(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes in;
	} rows[] = {
		{"nothing", {NULL, 0}},
		{"zero bytes", CMI_BYTES("\0\0\0\0")},
		{"text", CMI_BYTES("hello, world\n")},
		{"HTML", CMI_BYTES("<!DOCTYPE html><p>404")},
		{"a sequence cut short", CMI_BYTES("\x30\x82\x10\x00\x30")},
		{"a length of 2^32", CMI_BYTES("\x30\x84\xff\xff\xff\xff\x30")},
		{"a length of 9 octets",
			CMI_BYTES("\x30\x89\1\1\1\1\1\1\1\1\1")},
		{"indefinite without end", CMI_BYTES("\x30\x80\x30\x80\x30")},
		{"CMS that is data",
			CMI_BYTES("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d"
				  "\x01\x07\x01")},
		{"CMS without content",
			CMI_BYTES("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d"
				  "\x01\x07\x02")},
		{"only a key", CMI_BYTES("-----BEGIN PRIVATE KEY-----\nAAAA\n"
					 "-----END PRIVATE KEY-----\n")},
		{"PEM without END", CMI_BYTES("-----BEGIN CERTIFICATE-----\n")},
		{"base64 of nothing", CMI_BYTES("MIIBjjCCATWgAwIBAgIUKC")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_bundle got = {0};
		cmend_error err = {0};

		if (cmi_bundle_read(rows[i].in, 10, &got, &err) !=
				CMEND_PARSE ||
			got.list.n || !err.message[0])
			fail_msg("%s", rows[i].name);
		cmi_bundle_dispose(&got);
	}
}

static void too_many_is_a_limit(void **state)
{
	struct cmi_buf in = fresh();
	struct cmi_bundle got = {0};

	(void)state;
	write_both(CMI_FORM_PEM, &in);
	assert_int_equal(
		cmi_bundle_read(cmi_buf_view(&in), 1, &got, NULL), CMEND_LIMIT);
	cmi_bundle_dispose(&got);
	cmi_buf_dispose(&in);
}

static void der_holds_one(void **state)
{
	struct cmi_cert *const certs[] = {a->c, b->c};
	struct cmi_buf out = fresh();

	(void)state;
	assert_int_equal(
		cmi_bundle_write(certs, 2, CMI_FORM_DER, false, &out, NULL),
		CMEND_ARG);
	assert_int_equal(
		cmi_bundle_write(certs, 1, CMI_FORM_DER, false, &out, NULL),
		CMEND_OK);
	expect(&out, 1, 0, CMI_FORM_DER);
}

static void every_allocation_may_fail(void **state)
{
	struct cmi_buf in = fresh();
	cmend_status status = CMEND_NOMEM;

	(void)state;
	write_both(CMI_FORM_PEM, &in);
	for (long n = 0; status != CMEND_OK; n++) {
		struct cmi_bundle got = {0};

		cmi_mem_fail_after(n);
		status = cmi_bundle_read(cmi_buf_view(&in), 10, &got, NULL);
		cmi_mem_fail_after(-1);
		assert_true(status == CMEND_OK || status == CMEND_NOMEM);
		cmi_bundle_dispose(&got);
	}
	cmi_buf_dispose(&in);
}

#define ROW(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(what_is_written_is_read),
		ROW(der_forms),
		ROW(pem_forms),
		ROW(trusted_certificate_loses_its_trust),
		ROW(pem_without_its_lines),
		ROW(indefinite_cms),
		ROW(damaged_ones_are_listed),
		ROW(refusals),
		ROW(too_many_is_a_limit),
		ROW(der_holds_one),
		ROW(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, make_two, forge_teardown);
}
