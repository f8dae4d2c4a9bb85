/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

struct cmi_page {
	int unused;
};

cmend_status cmi_page_new(const struct cmi_page_options *options,
	struct cmi_page **out, cmend_error *err)
{
	(void)options, (void)out;
	return cmi_fail(err, CMEND_UNSUPPORTED, "no HTML in this build");
}

cmend_status cmi_page_take(
	struct cmi_page *p, const struct cmi_item *item, cmend_error *err)
{
	(void)p, (void)item;
	return cmi_fail(err, CMEND_UNSUPPORTED, "no HTML in this build");
}

cmend_status cmi_page_finish(
	struct cmi_page *p, struct cmi_bytes *html, cmend_error *err)
{
	(void)p, (void)html;
	return cmi_fail(err, CMEND_UNSUPPORTED, "no HTML in this build");
}

void cmi_page_free(struct cmi_page *p)
{
	(void)p;
}
