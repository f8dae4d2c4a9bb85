/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"

#include "cli/explain_clients.h"
#include "core/cursor.h"
#include "core/text.h"

/* The value behind "name=", or false. */
static bool value_of(
	struct cmi_bytes word, const char *prefix, struct cmi_bytes *value)
{
	struct cmi_bytes p = cmi_bytes_of(prefix);

	if (!cmi_text_starts(word, prefix))
		return false;
	*value = (struct cmi_bytes){word.p + p.n, word.n - p.n};
	return true;
}

static cmend_status take_word(
	struct cmi_filter *f, struct cmi_bytes word, cmend_error *err)
{
	struct cmi_bytes value;
	uint64_t port;

	if (value_of(word, "server=", &value))
		return cmi_parse_net(value, &f->server, &f->server_len, err);
	if (value_of(word, "sni=", &value) && value.n) {
		f->sni = value;
		return CMEND_OK;
	}
	if (value_of(word, "port=", &value)) {
		if (!cmi_parse_uint(value, 65535, &port) || !port)
			return cmi_fail(err, CMEND_ARG,
				"a filter's port is a number from 1 to 65535");
		f->port = (uint16_t)port;
		return CMEND_OK;
	}
	if (!value_of(word, "client=", &value))
		value = word;
	return cmi_parse_net(value, &f->client, &f->client_len, err);
}

cmend_status cmi_filter_parse(
	struct cmi_filter *f, const char *text, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_bytes_of(text));
	struct cmi_bytes word;

	while (c.n) {
		if (!cmi_cursor_until(&c, ',', &word)) {
			word = cmi_cursor_rest(&c);
			c.n = 0;
		}
		CMI_TRY(take_word(f, cmi_text_trim(word), err));
	}
	return CMEND_OK;
}

bool cmi_filter_takes(
	const struct cmi_filter *f, const struct cmi_conversation *c)
{
	/* A client without an address yet asks for one: that is for all. */
	if (c->kind != CMI_CONV_DHCP && c->kind != CMI_CONV_TOLD &&
		!cmi_in_net(&c->client, &f->client, f->client_len))
		return false;
	if (c->kind != CMI_CONV_TLS)
		return true;
	if (!cmi_in_net(&c->server, &f->server, f->server_len))
		return false;
	if (f->port && c->server.port != f->port)
		return false;
	return f->sni.n == 0 || cmi_text_equal_nocase(f->sni, c->tls->sni);
}

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct cmi_filter *f = ctx;

	if (!cmi_filter_takes(f, c))
		return CMEND_OK;
	f->n_chosen += c->kind == CMI_CONV_TLS ||
		       (f->client.family && c->kind != CMI_CONV_DHCP &&
			       c->kind != CMI_CONV_TOLD);
	return f->sink.take(f->sink.ctx, c, err);
}

struct cmi_conversation_sink cmi_filter_sink(struct cmi_filter *f)
{
	return (struct cmi_conversation_sink){.take = take, .ctx = f};
}
