/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/behind.h"

#include <string.h>

#include "core/text.h"
#include "wire/http1.h"

#define TLS_1_3 0x0304

static bool is_wanted(const struct cmi_dialed *d, bool look)
{
	return d->tls.outcome == CMI_COMPLETED &&
	       (d->tls.client_cert_requested || look);
}

bool cmi_behind_asks(const struct cmi_dialed *d, bool look)
{
	return is_wanted(d, look) && !d->conversation.starttls;
}

bool cmi_behind_hears(const struct cmi_dialed *d, bool look)
{
	return is_wanted(d, look) &&
	       (!d->conversation.starttls || d->tls.version == TLS_1_3);
}

void cmi_behind_ask(const char *host, struct cmi_buf *request)
{
	cmi_buf_printf(request,
		"GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: chainmend/%s\r\n"
		"Accept: */*\r\nConnection: close\r\n\r\n",
		host, cmend_version());
}

static bool server_alerted(const struct cmi_tls_seen *t)
{
	for (size_t i = 0; i < t->n_alerts; i++)
		if (t->alerts[i].from == CMI_SERVER && t->alerts[i].level == 2)
			return true;
	return false;
}

/* nginx, IIS and others end the handshake well and complain over HTTP. */
static bool complains(unsigned status, const struct cmi_buf *text)
{
	return (status == 400 || status == 401 || status == 403 ||
		       status == 495 || status == 496) &&
	       text->n && memmem(text->p, text->n, "ertificate", 10);
}

static void read_answer(struct cmi_dialed *out, const struct cmi_buf *text)
{
	struct cmi_http_head head = {0};
	size_t from = 0, end = 0;
	cmend_error ignored;

	if (!text->n || !cmi_http_looks_like_response(cmi_buf_view(text)) ||
		!cmi_http_head_end(cmi_buf_view(text), &from, &end) ||
		cmi_http_head((struct cmi_bytes){text->p, end}, &head,
			&ignored) != CMEND_OK)
		return;
	out->http_status = head.status;
	cmi_safe_cstr(out->software, sizeof(out->software), head.server);
}

void cmi_behind_judge(struct cmi_dialed *out, const struct cmi_buf *text)
{
	const struct cmi_tls_seen *t = &out->tls;

	if (t->outcome == CMI_COMPLETED)
		read_answer(out, text);
	if (t->client_cert_requested &&
		(server_alerted(t) || complains(out->http_status, text)))
		out->client_cert = out->client_cert_sent
					   ? CMI_CLIENT_CERT_REFUSED
					   : CMI_CLIENT_CERT_WANTED;
}
