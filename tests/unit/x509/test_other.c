/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "x509/bundle.h"
#include "x509/other.h"

/* The outlines of what RFCs 2986, 5280, 5915, 5958, 7292 and 8017 define, no
 * longer than is needed to tell them apart. */
#define NAME "\x30\x00"
#define ALG  "\x30\x00"
#define TIME "\x17\x00"

static const struct row {
	const char *name;
	struct cmi_bytes in;
	const char *says; /* part of it; NULL: it cannot be told */
} rows[] = {
	{"nothing", {NULL, 0}, "it is empty"},
	{"UTF-16, Intel", CMI_BYTES("\xff\xfe-\0-\0"), "UTF-16"},
	{"UTF-16, network", CMI_BYTES("\xfe\xff\0-\0-"), "UTF-16"},
	{"zip", CMI_BYTES("PK\x03\x04rest"), "zip archive"},
	{"Java", CMI_BYTES("\xfe\xed\xfe\xed\0\0\0\x02"), "keytool"},
	{"page", CMI_BYTES("<!DOCTYPE html>"), "web page"},
	{"capture", CMI_BYTES("\x0a\x0d\x0d\x0a\x1c\0\0\0"), "explain"},
	{"request",
		CMI_BYTES("\x30\x10\x30\x09\x02\x01\x00" NAME ALG "\xa0\x00" ALG
			  "\x03\x01\x00"),
		"request"},
	{"CRL",
		CMI_BYTES("\x30\x10\x30\x09\x02\x01\x01" ALG NAME TIME ALG
			  "\x03\x01\x00"),
		"CRL"},
	{"CRL of version 1",
		CMI_BYTES("\x30\x0d\x30\x06" ALG NAME TIME ALG "\x03\x01\x00"),
		"CRL"},
	{"PKCS#12", CMI_BYTES("\x30\x05\x02\x01\x03" ALG), "pkcs12 -nokeys"},
	{"PKCS#8", CMI_BYTES("\x30\x07\x02\x01\x00" ALG "\x04\x00"),
		"private key"},
	{"PKCS#8, encrypted", CMI_BYTES("\x30\x04" ALG "\x04\x00"),
		"private key"},
	{"RSA key", CMI_BYTES("\x30\x06\x02\x01\x00\x02\x01\x01"),
		"private key"},
	{"EC key", CMI_BYTES("\x30\x05\x02\x01\x01\x04\x00"), "private key"},
	{"public key", CMI_BYTES("\x30\x05" ALG "\x03\x01\x00"), "public key"},
	{"PEM request", CMI_BYTES("-----BEGIN NEW CERTIFICATE REQUEST-----\n"),
		"request"},
	{"PEM key behind parameters",
		CMI_BYTES("-----BEGIN EC PARAMETERS-----\nBggq\n"
			  "-----END EC PARAMETERS-----\n"
			  "-----BEGIN EC PRIVATE KEY-----\n"),
		"private key"},
	{"PEM in a mail", CMI_BYTES("> -----BEGIN CERTIFICATE-----\n"),
		"before BEGIN"},
	{"text", CMI_BYTES("hello, world\n"), NULL},
	{"zero bytes", CMI_BYTES("\0\0\0\0"), NULL},
	{"a sequence cut short", CMI_BYTES("\x30\x82\x10\x00\x30"), NULL},
	{"an empty sequence", CMI_BYTES("\x30\x00"), NULL},
	{"a sequence of one", CMI_BYTES("\x30\x02\x30\x00"), NULL},
	{"three that are not signed", CMI_BYTES("\x30\x06" ALG ALG ALG), NULL},
};

static void each_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const char *says = cmi_other_than_cert(rows[i].in);

		print_message("%s\n", rows[i].name);
		if (rows[i].says) {
			assert_non_null(says);
			assert_non_null(strstr(says, rows[i].says));
		} else {
			assert_null(says);
		}
	}
}

/* A damaged certificate is told as that, whatever else the file holds. */
static void damage_goes_first(void **state)
{
	struct cmi_bundle b = {0};
	cmend_error err = {0};

	(void)state;
	assert_int_equal(
		cmi_bundle_read(
			CMI_BYTES("-----BEGIN PRIVATE KEY-----\nAAAA\n"
				  "-----END PRIVATE KEY-----\n"
				  "-----BEGIN CERTIFICATE-----\nAAAA\n"),
			10, &b, &err),
		CMEND_PARSE);
	assert_non_null(strstr(err.message, "without its END line"));
	cmi_bundle_dispose(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_told),
		cmocka_unit_test(damage_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
