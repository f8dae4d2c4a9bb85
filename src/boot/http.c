/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/http.h"

#include "core/text.h"

static cmend_status send_ask(
	struct cmi_channel *c, const struct cmi_http_ask *ask, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	cmend_status status;

	/* The body may carry a PIN or a password. */
	cmi_buf_init_secret(&out, CMI_HTTP_HEAD_MAX + CMI_SOAP_MAX);
	cmi_buf_printf(&out,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: chainmend/%s\r\n",
		ask->method, ask->path, ask->host, cmend_version());
	if (ask->soap_action)
		cmi_buf_printf(
			&out, "SOAPAction: \"%s\"\r\n", ask->soap_action);
	if (ask->type)
		cmi_buf_printf(&out,
			"Content-Type: %s\r\nContent-Length: %zu\r\n",
			ask->type, ask->body.n);
	cmi_buf_text(&out, "\r\n");
	cmi_buf_add_bytes(&out, ask->body);
	status = cmi_buf_status(&out, err);
	if (!status)
		status = cmi_channel_write(c, cmi_buf_view(&out), err);
	return status;
}

static cmend_status read_channel(
	void *ctx, uint8_t *to, size_t n_to, size_t *n, cmend_error *err)
{
	return cmi_channel_read(ctx, to, n_to, n, err);
}

cmend_status cmi_http_exchange(struct cmi_channel *c,
	const struct cmi_http_ask *ask, struct cmi_http_answer *answer,
	cmend_error *err)
{
	const struct cmi_http_source from = {read_channel, c};

	*answer = (struct cmi_http_answer){0};
	cmi_buf_init(&answer->body, ask->answer_max);
	CMI_TRY(send_ask(c, ask, err));
	return cmi_http_answer_read(&from, ask->answer_max, answer, err);
}
