/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates in any form.  Oracle: never more than allowed, and what was
 * read, written in each form, reads back the same.
 */
#include "fuzz.h"
#include "x509/bundle.h"

#define CERTS_MAX 8

static void read_back(const struct cmi_bundle *was, enum cmi_bundle_form form)
{
	struct cmi_bundle again = {0};
	struct cmi_buf out;

	cmi_buf_init(&out, CMI_FILE_MAX);
	FUZZ_CHECK(cmi_bundle_write(was->list.certs, was->list.n, form, true,
			   &out, NULL) == CMEND_OK);
	FUZZ_CHECK(cmi_bundle_read(cmi_buf_view(&out), CERTS_MAX, &again,
			   NULL) == CMEND_OK);
	FUZZ_CHECK(again.list.n == was->list.n && again.n_bad == 0);
	for (size_t i = 0; i < was->list.n; i++)
		FUZZ_CHECK(cmi_cert_equal(
			again.list.certs[i], was->list.certs[i]));
	cmi_bundle_dispose(&again);
	cmi_buf_dispose(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bundle b = {0};
	struct cmi_bytes in = {data, size};
	cmend_status status = cmi_bundle_read(in, CERTS_MAX, &b, NULL);

	FUZZ_CHECK(b.list.n <= CERTS_MAX);
	FUZZ_CHECK(status != CMEND_OK || b.list.n > 0);
	for (size_t i = 0; i < b.n_bad && i < CMI_LEN(b.bad); i++)
		FUZZ_CHECK(b.bad[i].offset <= size && b.bad[i].says[0]);
	if (status == CMEND_OK) {
		read_back(&b, CMI_FORM_PEM);
		read_back(&b, CMI_FORM_CMS);
	}
	cmi_bundle_dispose(&b);
	return 0;
}
