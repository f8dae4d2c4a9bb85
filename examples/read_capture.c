/* SPDX-License-Identifier: Apache-2.0 */
/* Say why TLS handshakes in a capture failed, in a form of your choice.
 * usage: read_capture text|json|html ROOTS.pem CAPTURE [KEYLOG] */
#include <stdio.h>
#include <string.h>

#include <chainmend/chainmend.h>

static cmend_status print(void *out, cmend_bytes text)
{
	return fwrite(text.p, 1, text.n, out) == text.n ? CMEND_OK : CMEND_IO;
}

/* The report takes each result, the diagnosis each conversation. */
static cmend_status found(void *report, const cmend_result *result)
{
	return cmend_report_write(report, result, NULL);
}

static cmend_status take(void *diagnosis, const cmend_conversation *talk)
{
	return cmend_diagnose(diagnosis, talk, NULL);
}

static cmend_status explain(const char *form, const cmend_trust *trust,
	const char *capture, const char *keylog, cmend_error *err)
{
	cmend_report_options written = {.size = sizeof(written),
		.form = strcmp(form, "html") == 0   ? CMEND_FORM_HTML
			: strcmp(form, "json") == 0 ? CMEND_FORM_NDJSON
						    : CMEND_FORM_TEXT,
		.names = &capture,
		.n_names = 1,
		.write = print,
		.ctx = stdout};
	cmend_diagnosis_options judged = {.size = sizeof(judged),
		.trust = trust,
		.flags = CMEND_DIAGNOSE_ALL,
		.found = found};
	cmend_capture_options how = {.size = sizeof(how),
		.path = capture,
		.keylog_path = keylog,
		.take = take};
	cmend_capture_summary summary = {.size = sizeof(summary)};
	cmend_diagnosis *diagnosis = NULL;
	cmend_report *report = NULL;
	cmend_status status = cmend_report_new(&written, &report, err);

	judged.ctx = report;
	if (!status)
		status = cmend_diagnosis_new(&judged, &diagnosis, err);
	how.ctx = diagnosis;
	if (!status)
		status = cmend_read_capture(&how, &summary, err);
	if (!status)
		status = cmend_diagnose_end(diagnosis, &summary, err);
	if (!status)
		status = cmend_report_end(report, err);
	cmend_diagnosis_free(diagnosis);
	cmend_report_free(report);
	return status;
}

int main(int argc, char **argv)
{
	cmend_trust *trust = NULL;
	cmend_error err = {0};
	cmend_status status;

	if (argc < 4) {
		fputs("usage: read_capture text|json|html ROOTS.pem CAPTURE "
		      "[KEYLOG]\n",
			stderr);
		return 2;
	}
	status = cmend_trust_new(&trust, &err);
	if (!status)
		status = cmend_trust_add_path(trust, argv[2], &err);
	if (!status)
		status = explain(argv[1], trust, argv[3],
			argc > 4 ? argv[4] : NULL, &err);
	if (status)
		fprintf(stderr, "%s\n", err.message);
	cmend_trust_free(trust);
	return status ? 3 : 0;
}
