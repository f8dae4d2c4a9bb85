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

/* Places in the talk with a SOCKS proxy. */
enum { SOCKS_METHOD, SOCKS_USER, SOCKS_WHERE };

/* One step's view of a talk. */
struct talk {
	struct cmi_proxy_talk *s;
	const struct cmi_proxy *proxy;
	struct cmi_buf *in, *out;
	cmend_error *err;
};

/* Once in this place of the talk. */
static bool first_time(struct talk *t)
{
	bool first = !t->s->said;

	t->s->said = true;
	return first;
}

static void go_to(struct talk *t, unsigned place)
{
	t->s->at = place;
	t->s->said = false;
}

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

/* ------------------------------------------------------------------- HTTP */

/* RFC 7617: user and password, in UTF-8 as the user typed them. */
static void add_credentials(const struct cmi_proxy *p, struct cmi_buf *out)
{
	struct cmi_buf pair;

	if (!p->user[0])
		return;
	cmi_buf_init_secret(&pair, 2 * sizeof(p->user) + 2);
	cmi_buf_text(&pair, p->user);
	cmi_buf_u8(&pair, ':');
	cmi_buf_text(&pair, p->password);
	cmi_buf_text(out, "Proxy-Authorization: Basic ");
	cmi_base64(out, cmi_buf_view(&pair), 0, NULL);
	cmi_buf_text(out, "\r\n");
	cmi_buf_dispose(&pair);
}

static void ask_connect(struct talk *t)
{
	const struct cmi_proxy_talk *s = t->s;
	const char *open = s->family == 6 ? "[" : "", *close = *open ? "]" : "";

	cmi_buf_printf(t->out,
		"CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open,
		s->host, close, s->port, open, s->host, close, s->port);
	add_credentials(t->proxy, t->out);
	cmi_buf_text(t->out, "\r\n");
}

static cmend_status fail_http(struct talk *t, unsigned code)
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
		t->s->host, t->s->port, code);
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

static cmend_status fail_endless(const struct talk *t, size_t n)
{
	return cmi_fail(t->err, CMEND_LIMIT,
		"the proxy %s answers without an end: %zu bytes",
		t->proxy->at.text, n);
}

static cmend_status step_http(struct talk *t)
{
	struct cmi_bytes in = cmi_buf_view(t->in);
	struct cmi_http_head head;
	size_t end = 0;
	char safe[80];

	if (first_time(t))
		ask_connect(t);
	if (!in.n)
		return CMEND_AGAIN;
	if (!may_be_http(in)) {
		in.n = in.n < 24 ? in.n : 24;
		return cmi_fail(t->err, CMEND_PARSE,
			"the proxy %s speaks no HTTP: it begins with \"%s\"",
			t->proxy->at.text,
			cmi_safe_cstr(safe, sizeof(safe), in));
	}
	if (!cmi_http_head_end(in, &t->s->scanned, &end))
		return CMEND_AGAIN;
	/* The same answer, whether its end came with the rest or later. */
	if (end > CMI_PROXY_HEAD_MAX)
		return fail_endless(t, end);
	CMI_TRY(cmi_http_head((struct cmi_bytes){in.p, end}, &head, t->err));
	if (!head.response || head.status / 100 != 2)
		return fail_http(t, head.response ? head.status : 0);
	cmi_buf_consume(t->in, end);
	return CMEND_OK;
}

/* ---------------------------------------------------------------- SOCKS 5 */

static cmend_status fail_socks(struct talk *t, uint8_t first)
{
	return cmi_fail(t->err, CMEND_PARSE,
		"the proxy %s speaks no SOCKS 5: it begins with byte %u",
		t->proxy->at.text, first);
}

/* RFC 1928 section 3: which way to say who we are. */
static void offer_methods(struct talk *t)
{
	bool user = t->proxy->user[0] != 0;

	cmi_buf_u8(t->out, SOCKS_VERSION);
	cmi_buf_u8(t->out, user ? 2 : 1);
	cmi_buf_u8(t->out, SOCKS_NO_AUTH);
	if (user)
		cmi_buf_u8(t->out, SOCKS_PASSWORD);
}

static cmend_status fail_method(struct talk *t, uint8_t method)
{
	const char *at = t->proxy->at.text;

	if (method == SOCKS_NONE_FITS && t->proxy->user[0])
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s takes no user and password", at);
	if (method == SOCKS_NONE_FITS)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s wants a user and a password: give USER@ "
			"in --proxy and --proxy-password-file",
			at);
	return cmi_fail(t->err, CMEND_PARSE,
		"the proxy %s chose way %u to authenticate, which was not "
		"offered",
		at, method);
}

static cmend_status agree_method(struct talk *t)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in));
	uint8_t version, method;

	if (first_time(t))
		offer_methods(t);
	if (!cmi_cursor_u8(&c, &version))
		return CMEND_AGAIN;
	if (version != SOCKS_VERSION)
		return fail_socks(t, version);
	if (!cmi_cursor_u8(&c, &method))
		return CMEND_AGAIN;
	if (method != SOCKS_NO_AUTH &&
		(method != SOCKS_PASSWORD || !t->proxy->user[0]))
		return fail_method(t, method);
	cmi_buf_consume(t->in, c.at);
	go_to(t, method == SOCKS_PASSWORD ? SOCKS_USER : SOCKS_WHERE);
	return CMEND_OK;
}

static void add_word(struct cmi_buf *out, const char *word)
{
	cmi_buf_u8(out, (uint8_t)strlen(word));
	cmi_buf_text(out, word);
}

/* RFC 1929. */
static cmend_status say_who(struct talk *t)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in));
	uint8_t version, refused;

	if (first_time(t)) {
		cmi_buf_u8(t->out, PASSWORD_VERSION);
		add_word(t->out, t->proxy->user);
		add_word(t->out, t->proxy->password);
	}
	if (!cmi_cursor_u8(&c, &version) || !cmi_cursor_u8(&c, &refused))
		return CMEND_AGAIN;
	if (refused)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s refuses this user and password",
			t->proxy->at.text);
	cmi_buf_consume(t->in, c.at);
	go_to(t, SOCKS_WHERE);
	return CMEND_OK;
}

/* RFC 1928 section 4. */
static cmend_status say_where(struct talk *t)
{
	const struct cmi_proxy_talk *s = t->s;
	uint8_t address[16];

	cmi_buf_u8(t->out, SOCKS_VERSION);
	cmi_buf_u8(t->out, SOCKS_CONNECT);
	cmi_buf_u8(t->out, 0);
	if (s->family && inet_pton(s->family == 4 ? AF_INET : AF_INET6, s->host,
				 address) == 1) {
		cmi_buf_u8(t->out, s->family == 4 ? SOCKS_IPV4 : SOCKS_IPV6);
		cmi_buf_add(t->out, address, s->family == 4 ? 4 : 16);
	} else if (strlen(s->host) <= CMI_PROXY_WORD_MAX) {
		cmi_buf_u8(t->out, SOCKS_NAME);
		add_word(t->out, s->host);
	} else {
		return cmi_fail(t->err, CMEND_ARG,
			"\"%s\" is too long a name for SOCKS", s->host);
	}
	cmi_buf_be(t->out, 2, s->port);
	return CMEND_OK;
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

/* The address that the proxy uses itself, and its port, are dropped. */
static cmend_status drop_address(
	struct talk *t, struct cmi_cursor *c, uint8_t kind)
{
	uint8_t length;

	switch (kind) {
	case SOCKS_IPV4:
		return cmi_cursor_skip(c, 4 + 2) ? CMEND_OK : CMEND_AGAIN;
	case SOCKS_IPV6:
		return cmi_cursor_skip(c, 16 + 2) ? CMEND_OK : CMEND_AGAIN;
	case SOCKS_NAME:
		return cmi_cursor_u8(c, &length) &&
				       cmi_cursor_skip(c, (size_t)length + 2)
			       ? CMEND_OK
			       : CMEND_AGAIN;
	}
	return cmi_fail(t->err, CMEND_PARSE,
		"the proxy %s answers with an address of kind %u",
		t->proxy->at.text, kind);
}

static cmend_status ask_where(struct talk *t)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in));
	uint8_t version, code, reserved, kind;

	if (first_time(t))
		CMI_TRY(say_where(t));
	if (!cmi_cursor_u8(&c, &version) || !cmi_cursor_u8(&c, &code) ||
		!cmi_cursor_u8(&c, &reserved) || !cmi_cursor_u8(&c, &kind))
		return CMEND_AGAIN;
	if (version != SOCKS_VERSION)
		return fail_socks(t, version);
	if (code != 0)
		return cmi_fail(t->err, CMEND_REFUSED,
			"the proxy %s makes no connection to %s:%u: %s (%u)",
			t->proxy->at.text, t->s->host, t->s->port,
			socks_reason(code), code);
	CMI_TRY(drop_address(t, &c, kind));
	cmi_buf_consume(t->in, c.at);
	return CMEND_OK;
}

static cmend_status step_socks(struct talk *t)
{
	if (t->s->at == SOCKS_METHOD)
		CMI_TRY(agree_method(t));
	if (t->s->at == SOCKS_USER)
		CMI_TRY(say_who(t));
	return ask_where(t);
}

static cmend_status take_step(struct talk *t)
{
	cmend_status status = CMEND_ARG;

	switch (t->proxy->kind) {
	case CMI_PROXY_HTTP:
		status = step_http(t);
		break;
	case CMI_PROXY_SOCKS5:
		status = step_socks(t);
		break;
	}
	if (status == CMEND_AGAIN && t->in->n > CMI_PROXY_HEAD_MAX)
		return fail_endless(t, t->in->n);
	return status;
}

cmend_status cmi_proxy_step(struct cmi_proxy_talk *s, struct cmi_buf *in,
	struct cmi_buf *out, cmend_error *err)
{
	struct talk t = {s, s->proxy, in, out, err};
	cmend_status status = take_step(&t);

	if (status == CMEND_OK || status == CMEND_AGAIN) {
		CMI_TRY(cmi_buf_status(in, err));
		CMI_TRY(cmi_buf_status(out, err));
	}
	return status;
}

static cmend_status converse(struct cmi_proxy_talk *s,
	const struct cmi_plain *plain, struct cmi_buf *in, struct cmi_buf *out,
	cmend_error *err)
{
	for (;;) {
		cmend_status status = cmi_proxy_step(s, in, out, err);

		if (status != CMEND_OK && status != CMEND_AGAIN)
			return status;
		if (out->n)
			CMI_TRY(plain->send(
				plain->ctx, cmi_buf_view(out), err));
		cmi_buf_clear(out);
		if (status == CMEND_OK)
			return status;
		CMI_TRY(plain->receive(plain->ctx, in, err));
	}
}

cmend_status cmi_proxy_connect(const struct cmi_proxy *p, const char *host,
	uint8_t family, uint16_t port, const struct cmi_plain *plain,
	struct cmi_buf *rest, cmend_error *err)
{
	struct cmi_proxy_talk s = {
		.proxy = p, .host = host, .family = family, .port = port};
	struct cmi_buf out;
	cmend_status status;

	/* What is said may hold a password. */
	cmi_buf_init_secret(&out, CMI_PROXY_ASK_MAX);
	status = converse(&s, plain, rest, &out, err);
	cmi_buf_dispose(&out);
	return status;
}
