/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/metrics.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/limits.h"
#include "core/text.h"

#define TIMEOUT_S 5

struct cmi_metrics_server {
	struct event_base *base;
	struct evhttp *http;
	void (*write)(void *ctx, struct cmi_buf *out);
	void *ctx;
	unsigned port;
};

void cmi_metrics_free(struct cmi_metrics_server *s)
{
	if (!s)
		return;
	if (s->http)
		evhttp_free(s->http);
	if (s->base)
		event_base_free(s->base);
	cmi_free(s);
}
CMI_DEFINE_CLEANUP(server_freep, struct cmi_metrics_server, cmi_metrics_free)

static void answer(struct evhttp_request *request, void *ctx)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text;
	struct cmi_metrics_server *s = ctx;

	cmi_buf_init(&text, CMI_MONITOR_METRICS_MAX);
	s->write(s->ctx, &text);
	if (cmi_buf_status(&text, NULL) != CMEND_OK) {
		evhttp_send_error(request, 500, "too many metrics");
		return;
	}
	evhttp_add_header(evhttp_request_get_output_headers(request),
		"Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	evbuffer_add(evhttp_request_get_output_buffer(request), text.p, text.n);
	evhttp_send_reply(request, 200, "OK", NULL);
}

static cmend_status split_listen(
	const char *listen, char *host, size_t n_host, unsigned *port)
{
	struct cmi_bytes text = cmi_bytes_of(listen), digits;
	const uint8_t *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	size_t n = colon ? (size_t)(colon - text.p) : 0;
	uint64_t number;

	if (!colon)
		return CMEND_ARG;
	digits = (struct cmi_bytes){colon + 1, text.n - n - 1};
	if (!cmi_parse_uint(digits, 65535, &number))
		return CMEND_ARG;
	if (n >= 2 && listen[0] == '[' && listen[n - 1] == ']') {
		listen++;
		n -= 2;
	}
	if (n >= n_host)
		return CMEND_ARG;
	memcpy(host, n ? listen : "::", n ? n : sizeof("::"));
	if (n)
		host[n] = 0;
	*port = (unsigned)number;
	return CMEND_OK;
}

static unsigned port_of(struct evhttp_bound_socket *bound)
{
	struct sockaddr_storage a = {0};
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	socklen_t n = sizeof(a);

	if (getsockname(evhttp_bound_socket_get_fd(bound),
		    (struct sockaddr *)&a, &n) < 0)
		return 0;
	memcpy(&v4, &a, sizeof(v4));
	memcpy(&v6, &a, sizeof(v6));
	return ntohs(a.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

cmend_status cmi_metrics_listen(const char *listen,
	void (*write)(void *ctx, struct cmi_buf *out), void *ctx,
	struct cmi_metrics_server **out, cmend_error *err)
{
	CMI_AUTO(server_freep)
	struct cmi_metrics_server *s = cmi_alloc(sizeof(*s));
	struct evhttp_bound_socket *bound;
	char host[64];

	if (!s)
		return cmi_nomem(err);
	if (split_listen(listen, host, sizeof(host), &s->port) != CMEND_OK)
		return cmi_fail(err, CMEND_ARG,
			"metrics address \"%.80s\": write ADDRESS:PORT, such "
			"as 127.0.0.1:9808",
			listen);
	s->write = write;
	s->ctx = ctx;
	s->base = event_base_new();
	s->http = s->base ? evhttp_new(s->base) : NULL;
	if (!s->http)
		return cmi_nomem(err);
	evhttp_set_timeout(s->http, TIMEOUT_S);
	evhttp_set_max_headers_size(s->http, 8192);
	evhttp_set_max_body_size(s->http, 0);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(s->http, "/metrics", answer, s);
	bound = evhttp_bind_socket_with_handle(
		s->http, host, (uint16_t)s->port);
	if (!bound)
		return cmi_fail(err, CMEND_IO,
			"cannot listen on \"%.80s\" for metrics", listen);
	s->port = port_of(bound);
	*out = CMI_TAKE(s);
	return CMEND_OK;
}

void cmi_metrics_poll(struct cmi_metrics_server *s)
{
	if (s)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
}

unsigned cmi_metrics_port(const struct cmi_metrics_server *s)
{
	return s->port;
}

/* Label values: backslash, quote and line feed are escaped. */
static void label_value(struct cmi_buf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			cmi_buf_text(out, "\\n");
		else if (*value == '"' || *value == '\\')
			cmi_buf_printf(out, "\\%c", *value);
		else
			cmi_buf_u8(out, (uint8_t)*value);
	}
}

void cmi_metric_labels(struct cmi_buf *out, const char *name,
	const struct cmi_label *labels, double number)
{
	cmi_buf_text(out, name);
	for (size_t i = 0; labels && labels[i].name; i++) {
		cmi_buf_text(out, i ? "," : "{");
		cmi_buf_text(out, labels[i].name);
		cmi_buf_text(out, "=\"");
		label_value(out, labels[i].value);
		cmi_buf_text(out, "\"");
	}
	if (labels && labels[0].name)
		cmi_buf_text(out, "}");
	cmi_buf_printf(out, " %.15g\n", number);
}

void cmi_metric(struct cmi_buf *out, const char *name, const char *label,
	const char *value, double number)
{
	const struct cmi_label labels[] = {{value ? label : NULL, value}, {0}};

	cmi_metric_labels(out, name, labels, number);
}

void cmi_metric_family(struct cmi_buf *out, const char *name, const char *type,
	const char *help)
{
	cmi_buf_printf(
		out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}
