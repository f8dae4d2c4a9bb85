/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/cursor.h"
#include "core/text.h"
#include "wire/http1.h"

/* RFC 1928 and RFC 1929. */
enum {
	SOCKS_VERSION = 5,
	SOCKS_NO_AUTH = 0,
	SOCKS_PASSWORD = 2,
	SOCKS_NONE_FITS = 255,
	SOCKS_CONNECT = 1,
	SOCKS_IPV4 = 1,
	SOCKS_NAME = 3,
	SOCKS_IPV6 = 4,
	PASSWORD_VERSION = 1,
};

struct talk {
	const struct cmi_proxy *proxy;
	const struct cmi_plain *plain;
	struct cmi_buf *in; /* what came and is not read yet */
	cmend_error *err;
};

static const struct {
	const char *scheme;
	enum cmi_proxy_kind kind;
	uint16_t port;
} schemes[] = {
	{"http://", CMI_PROXY_HTTP, 8080},
	{"socks5://", CMI_PROXY_SOCKS5, 1080},
	{"socks5h://", CMI_PROXY_SOCKS5, 1080},
};

static cmend_status take_user(
	struct cmi_bytes user, struct cmi_proxy *out, cmend_error *err)
{
	if (memchr(user.p, ':', user.n))
		return cmi_fail(err, CMEND_ARG,
			"a password does not belong on the command line, where "
			"everybody can read it: give --proxy USER@HOST and "
			"--proxy-password-file");
	if (!user.n || user.n > CMI_PROXY_WORD_MAX)
		return cmi_fail(err, CMEND_ARG,
			"the proxy's user has 1 to %d characters",
			CMI_PROXY_WORD_MAX);
	memcpy(out->user, user.p, user.n);
	out->user[user.n] = 0;
	return CMEND_OK;
}

cmend_status cmi_proxy_parse(
	const char *url, struct cmi_proxy *out, cmend_error *err)
{
	struct cmi_proxy p = {0};
	const char *host, *at;
	char safe[120];

	for (size_t i = 0; i < CMI_LEN(schemes); i++) {
		if (!cmi_text_starts(cmi_bytes_of(url), schemes[i].scheme))
			continue;
		p.kind = schemes[i].kind;
		host = url + strlen(schemes[i].scheme);
		at = strrchr(host, '@');
		if (at) {
			CMI_TRY(take_user(
				(struct cmi_bytes){(const uint8_t *)host,
					(size_t)(at - host)},
				&p, err));
			host = at + 1;
		}
		CMI_TRY(cmi_target_parse(host, schemes[i].port, &p.at, err));
		*out = p;
		return CMEND_OK;
	}
	return cmi_fail(err, CMEND_ARG,
		"a proxy is http://HOST:PORT or socks5://HOST:PORT, not \"%s\"",
		cmi_safe_cstr(safe, sizeof(safe), cmi_bytes_of(url)));
}

void cmi_proxy_wipe(struct cmi_proxy *p)
{
	cmi_wipe(p->password, sizeof(p->password));
}

static cmend_status more(struct talk *t)
{
	if (t->in->n > CMI_PROXY_HEAD_MAX)
		return cmi_fail(t->err, CMEND_LIMIT,
			"the proxy %s answers without an end: %zu bytes",
			t->proxy->at.text, t->in->n);
	return t->plain->receive(t->plain->ctx, t->in, t->err);
}

/* ------------------------------------------------------------------- HTTP */

/* RFC 7617: user and password, in UTF-8 as the user typed them. */
static void add_credentials(const struct cmi_proxy *p, struct cmi_buf *out)
{
	struct cmi_buf pair;

	if (!p->user[0])
		return;
	cmi_buf_init(&pair, 2 * sizeof(p->user) + 2);
	cmi_buf_text(&pair, p->user);
	cmi_buf_u8(&pair, ':');
	cmi_buf_text(&pair, p->password);
	cmi_buf_text(out, "Proxy-Authorization: Basic ");
	cmi_base64(out, cmi_buf_view(&pair), 0, NULL);
	cmi_buf_text(out, "\r\n");
	if (pair.p)
		cmi_wipe(pair.p, pair.n);
	cmi_buf_dispose(&pair);
}

static cmend_status send_connect(
	struct talk *t, const char *host, uint8_t family, uint16_t port)
{
	const char *open = family == 6 ? "[" : "", *close = *open ? "]" : "";
	struct cmi_buf request;
	cmend_status status;

	cmi_buf_init(&request, 4096);
	cmi_buf_printf(&request,
		"CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open, host,
		close, port, open, host, close, port);
	add_credentials(t->proxy, &request);
	cmi_buf_text(&request, "\r\n");
	status = cmi_buf_status(&request, t->err);
	if (status == CMEND_OK)
		status = t->plain->send(
			t->plain->ctx, cmi_buf_view(&request), t->err);
	if (request.p)
		cmi_wipe(request.p, request.n);
	cmi_buf_dispose(&request);
	return status;
}

static cmend_status fail_http(
	struct talk *t, unsigned code, const char *host, uint16_t port)
{
	const char *at = t->proxy->at.text;

	/* Some say 401 where RFC 9110 section 15.5.8 has 407. */
	if ((code == 407 || code == 401) && !t->proxy->user[0])
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s wants a user and a password (%u): give "
			"USER@ in --proxy and --proxy-password-file",
			at, code);
	if (code == 407 || code == 401)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s refuses this user and password (%u)", at,
			code);
	return cmi_fail(t->err, CMEND_REFUSED,
		"the proxy %s makes no connection to %s:%u: it answers %u", at,
		host, port, code);
}

/* As far as it is there. */
static bool may_be_http(struct cmi_bytes in)
{
	struct cmi_bytes want = CMI_BYTES("HTTP/1.");

	if (in.n < want.n)
		want.n = in.n;
	in.n = want.n;
	return cmi_bytes_equal(in, want);
}

static cmend_status connect_http(
	struct talk *t, const char *host, uint8_t family, uint16_t port)
{
	struct cmi_http_head head;
	size_t from = 0, end = 0;
	char safe[80];

	CMI_TRY(send_connect(t, host, family, port));
	do {
		CMI_TRY(more(t));
		if (!may_be_http(cmi_buf_view(t->in)))
			return cmi_fail(t->err, CMEND_PARSE,
				"the proxy %s speaks no HTTP: it begins with "
				"\"%s\"",
				t->proxy->at.text,
				cmi_safe_cstr(safe, sizeof(safe),
					(struct cmi_bytes){t->in->p,
						t->in->n < 24 ? t->in->n
							      : 24}));
	} while (!cmi_http_head_end(cmi_buf_view(t->in), &from, &end));
	CMI_TRY(cmi_http_head(
		(struct cmi_bytes){t->in->p, end}, &head, t->err));
	if (!head.response || head.status / 100 != 2)
		return fail_http(
			t, head.response ? head.status : 0, host, port);
	cmi_buf_consume(t->in, end);
	return CMEND_OK;
}

/* ---------------------------------------------------------------- SOCKS 5 */

/* Wait for so many bytes and take them out. */
static cmend_status hear(struct talk *t, void *to, size_t n)
{
	struct cmi_cursor c;

	while (t->in->n < n)
		CMI_TRY(more(t));
	c = cmi_cursor_of(cmi_buf_view(t->in));
	if (to)
		(void)cmi_cursor_copy(&c, to, n);
	cmi_buf_consume(t->in, n);
	return CMEND_OK;
}

static cmend_status say(struct talk *t, struct cmi_buf *b)
{
	cmend_status status = cmi_buf_status(b, t->err);

	if (status == CMEND_OK)
		status = t->plain->send(t->plain->ctx, cmi_buf_view(b), t->err);
	if (b->p)
		cmi_wipe(b->p, b->n);
	cmi_buf_clear(b);
	return status;
}

static cmend_status fail_socks(struct talk *t, uint8_t first)
{
	return cmi_fail(t->err, CMEND_PARSE,
		"the proxy %s speaks no SOCKS 5: it begins with byte %u",
		t->proxy->at.text, first);
}

/* RFC 1928 section 3: which way to say who we are. */
static cmend_status agree_method(
	struct talk *t, struct cmi_buf *out, uint8_t *method)
{
	bool user = t->proxy->user[0] != 0;
	uint8_t answer[2] = {0};

	cmi_buf_u8(out, SOCKS_VERSION);
	cmi_buf_u8(out, user ? 2 : 1);
	cmi_buf_u8(out, SOCKS_NO_AUTH);
	if (user)
		cmi_buf_u8(out, SOCKS_PASSWORD);
	CMI_TRY(say(t, out));
	CMI_TRY(hear(t, answer, sizeof(answer)));
	if (answer[0] != SOCKS_VERSION)
		return fail_socks(t, answer[0]);
	*method = answer[1];
	if (*method == SOCKS_NO_AUTH || (user && *method == SOCKS_PASSWORD))
		return CMEND_OK;
	if (*method == SOCKS_NONE_FITS && user)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s takes no user and password",
			t->proxy->at.text);
	if (*method == SOCKS_NONE_FITS)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s wants a user and a password: give USER@ "
			"in --proxy and --proxy-password-file",
			t->proxy->at.text);
	return cmi_fail(t->err, CMEND_PARSE,
		"the proxy %s chose way %u to authenticate, which was not "
		"offered",
		t->proxy->at.text, *method);
}

static void add_word(struct cmi_buf *out, const char *word)
{
	cmi_buf_u8(out, (uint8_t)strlen(word));
	cmi_buf_text(out, word);
}

/* RFC 1929. */
static cmend_status say_who(struct talk *t, struct cmi_buf *out)
{
	uint8_t answer[2];

	cmi_buf_u8(out, PASSWORD_VERSION);
	add_word(out, t->proxy->user);
	add_word(out, t->proxy->password);
	CMI_TRY(say(t, out));
	CMI_TRY(hear(t, answer, sizeof(answer)));
	if (answer[1] == 0)
		return CMEND_OK;
	return cmi_fail(t->err, CMEND_REFUSED,
		"the proxy %s refuses this user and password",
		t->proxy->at.text);
}

/* RFC 1928 section 4. */
static cmend_status say_where(struct talk *t, struct cmi_buf *out,
	const char *host, uint8_t family, uint16_t port)
{
	uint8_t address[16];

	cmi_buf_u8(out, SOCKS_VERSION);
	cmi_buf_u8(out, SOCKS_CONNECT);
	cmi_buf_u8(out, 0);
	if (family && inet_pton(family == 4 ? AF_INET : AF_INET6, host,
			      address) == 1) {
		cmi_buf_u8(out, family == 4 ? SOCKS_IPV4 : SOCKS_IPV6);
		cmi_buf_add(out, address, family == 4 ? 4 : 16);
	} else if (strlen(host) <= CMI_PROXY_WORD_MAX) {
		cmi_buf_u8(out, SOCKS_NAME);
		add_word(out, host);
	} else {
		return cmi_fail(t->err, CMEND_ARG,
			"\"%s\" is too long a name for SOCKS", host);
	}
	cmi_buf_be(out, 2, port);
	return say(t, out);
}

/* RFC 1928 section 6. */
static const char *socks_reason(uint8_t code)
{
	static const char *const words[] = {
		"granted",
		"the proxy failed",
		"its rules do not allow it",
		"the network is unreachable",
		"the host is unreachable",
		"the server refused the connection",
		"the way is too long",
		"it knows no CONNECT",
		"it knows no such kind of address",
	};

	return code < CMI_LEN(words) ? words[code] : "it does not say why";
}

/* The address that the proxy uses itself is read and dropped. */
static cmend_status hear_reply(struct talk *t, const char *host, uint16_t port)
{
	uint8_t head[4], length;

	CMI_TRY(hear(t, head, sizeof(head)));
	if (head[0] != SOCKS_VERSION)
		return fail_socks(t, head[0]);
	if (head[1] != 0)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s makes no connection to %s:%u: %s (%u)",
			t->proxy->at.text, host, port, socks_reason(head[1]),
			head[1]);
	switch (head[3]) {
	case SOCKS_IPV4:
		return hear(t, NULL, 4 + 2);
	case SOCKS_IPV6:
		return hear(t, NULL, 16 + 2);
	case SOCKS_NAME:
		CMI_TRY(hear(t, &length, 1));
		return hear(t, NULL, (size_t)length + 2);
	}
	return cmi_fail(t->err, CMEND_PARSE,
		"the proxy %s answers with an address of kind %u",
		t->proxy->at.text, head[3]);
}

static cmend_status connect_socks(
	struct talk *t, const char *host, uint8_t family, uint16_t port)
{
	struct cmi_buf out;
	uint8_t method = SOCKS_NO_AUTH;
	cmend_status status;

	cmi_buf_init(&out, 4096);
	status = agree_method(t, &out, &method);
	if (status == CMEND_OK && method == SOCKS_PASSWORD)
		status = say_who(t, &out);
	if (status == CMEND_OK)
		status = say_where(t, &out, host, family, port);
	if (status == CMEND_OK)
		status = hear_reply(t, host, port);
	cmi_buf_dispose(&out);
	return status;
}

cmend_status cmi_proxy_connect(const struct cmi_proxy *p, const char *host,
	uint8_t family, uint16_t port, const struct cmi_plain *plain,
	struct cmi_buf *rest, cmend_error *err)
{
	struct talk t = {p, plain, rest, err};

	switch (p->kind) {
	case CMI_PROXY_HTTP:
		return connect_http(&t, host, family, port);
	case CMI_PROXY_SOCKS5:
		return connect_socks(&t, host, family, port);
	}
	return CMEND_ARG;
}
