/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo_compare.h"

#include <stdlib.h>

#include "cli/captures.h"

/* The good sign-in that differs from the bad one only in its way. */
#define GOOD (&cmi_demo_steps[1])
#define BAD  (&cmi_demo_steps[0])

cmend_status cmi_demo_compare(struct cmi_cli *cli, struct cmi_demo *d,
	unsigned *unmet, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf good, bad, page;
	struct cmi_compare_result result = {0};
	struct cmi_compare_request request = {
		.good = cmi_demo_capture(d, GOOD, &good),
		.bad = cmi_demo_capture(d, BAD, &bad),
		.trust = d->trust,
		.json = cli->common.json,
		.out = cli->common.quiet ? NULL : cli->out,
		.html = cmi_demo_path(d, "story.html", &page),
	};
	CMI_AUTO(cmi_freep) char *full = NULL;

	if (!cli->common.json && !cli->common.quiet)
		fprintf(cli->out,
			"\ncompare step %u (good) with step %u "
			"(bad):\n\n",
			GOOD->n, BAD->n);
	CMI_TRY(cmi_compare_files(cli, &request, &result, err));
	if (!result.parted || result.verdict != CMI_F_MISSING_INTERMEDIATE ||
		result.cause != CMI_F_CHAIN_DOWNLOAD_SKIPPED) {
		++*unmet;
		fprintf(cli->err,
			"chainmend: the comparison did not find the skipped "
			"chain download\n");
	}
	full = realpath(request.html, NULL);
	if (!cli->common.json && full)
		fprintf(cli->out, "\npage: %s\n", full);
	return CMEND_OK;
}
