/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One certificate.  Oracle: what was accepted is the whole input, reads the
 * same a second time, and no text of it can reach a terminal raw.
 */
#include "core/text.h"
#include "fuzz.h"
#include "x509/cert.h"

static bool is_safe(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; p && *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

static void check_texts(const struct cmi_cert *c)
{
	FUZZ_CHECK(c->subject && is_safe(c->subject));
	FUZZ_CHECK(c->issuer && is_safe(c->issuer));
	FUZZ_CHECK(is_safe(c->common_name));
	for (size_t i = 0; i < c->n_dns_names; i++)
		FUZZ_CHECK(is_safe(c->dns_names[i]));
	for (size_t i = 0; i < c->n_aia_urls; i++)
		FUZZ_CHECK(is_safe(c->aia_urls[i]));
	FUZZ_CHECK(!c->ca || c->has_basic_constraints);
	FUZZ_CHECK(!cmi_cert_self_signed(c) || c->self_issued);
	FUZZ_CHECK(!cmi_cert_matches_host(c, "*", true));
	FUZZ_CHECK(!cmi_cert_matches_host(c, "", true));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes in = {data, size};
	struct cmi_cert *a = NULL, *b = NULL;

	if (cmi_cert_from_der(in, &a, NULL) != CMEND_OK)
		return 0;
	FUZZ_CHECK(cmi_bytes_equal(a->der, in));
	check_texts(a);
	FUZZ_CHECK(cmi_cert_from_der(a->der, &b, NULL) == CMEND_OK);
	FUZZ_CHECK(cmi_cert_equal(a, b) && cmi_cert_same_entity(a, b));
	FUZZ_CHECK(cmi_cert_self_signed(a) == cmi_cert_self_signed(b));
	cmi_cert_unref(a);
	cmi_cert_unref(b);
	return 0;
}
