/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include <string.h>

#include "capture/capture.h"
#include "core/file.h"

static void take_tls(struct cmi_demo_seen *seen, const struct cmi_tls_seen *t)
{
	seen->handshakes++;
	seen->completed += t->outcome == CMI_COMPLETED;
	seen->client_data += t->app_data[CMI_CLIENT];
	seen->sent_certificates = t->n_certs;
	for (size_t i = 0; i < t->n_alerts && i < CMI_ALERTS_MAX; i++)
		if (t->alerts[i].from == CMI_CLIENT &&
			t->alerts[i].level == 2 && t->alerts[i].code == 48)
			seen->unknown_ca = true;
}

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_demo_seen *seen = ctx;

	(void)err;
	if (c->kind == CMI_CONV_TLS) {
		take_tls(seen, c->tls);
		seen->registrar = c->server.port == 5061 &&
				  c->tls->outcome == CMI_COMPLETED;
	} else if (c->kind == CMI_CONV_HTTP && c->http->status == 200) {
		seen->downloads++;
		seen->download_first |= seen->handshakes == 0;
	}
	return CMEND_OK;
}

static bool holds(struct cmi_bytes all, const char *text)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b64;
	bool found = memmem(all.p, all.n, text, strlen(text)) != NULL;

	cmi_buf_init(&b64, 1024);
	cmi_base64(&b64, cmi_bytes_of(text), 0, "");
	return found || memmem(all.p, all.n, b64.p, b64.n) != NULL;
}

cmend_status cmi_demo_look(
	const char *capture, struct cmi_demo_seen *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf raw;
	struct cmi_capture_summary summary;
	struct cmi_capture_options options = {.sink = {take, out}};

	cmi_buf_init(&raw, CMI_FILE_MAX);
	*out = (struct cmi_demo_seen){0};
	CMI_TRY(cmi_capture_read(capture, &options, &summary, err));
	CMI_TRY(cmi_file_read(capture, &raw, err));
	out->secret_in_clear = holds(cmi_buf_view(&raw), CMI_DEMO_PIN) ||
			       holds(cmi_buf_view(&raw), CMI_DEMO_PASSWORD);
	return CMEND_OK;
}

bool cmi_demo_capture_met(const struct cmi_demo_step *step,
	const struct cmi_demo_seen *seen, char *says, size_t n_says)
{
	const char *what = NULL;

	if (seen->secret_in_clear)
		what = "a PIN or password stands in clear";
	else if (step->signed_in && !seen->completed)
		what = "no completed handshake";
	else if (step->signed_in && !seen->registrar)
		what = "no completed handshake with the registrar at the end";
	else if (!step->signed_in && !seen->unknown_ca)
		what = "no fatal alert unknown_ca from the phone";
	else if (step->secret_stays && seen->client_data)
		what = "the phone sent application data";
	else if (step->downloaded != (seen->downloads > 0))
		what = step->downloaded ? "no chain download over port 80"
					: "a chain download over port 80";
	else if (step->way == CMI_WAY_PIN && step->signed_in &&
		 !seen->download_first)
		what = "port 443 came before port 80";
	if (what)
		snprintf(says, n_says, "the capture shows: %s", what);
	return !what;
}
