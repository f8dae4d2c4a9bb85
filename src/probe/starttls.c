/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/starttls.h"

#include <string.h>

#include "core/cursor.h"
#include "core/text.h"

struct talk {
	const struct cmi_plain *plain;
	struct cmi_buf in;
	size_t heard; /* bytes in all */
	cmend_error *err;
};

static cmend_status fail_talk(struct talk *t, cmend_status status,
	const char *what, struct cmi_bytes heard)
{
	char safe[120];

	return cmi_fail(t->err, status, "%s %s: \"%s\"", t->plain->target, what,
		cmi_safe_cstr(safe, sizeof(safe), cmi_text_trim(heard)));
}

static cmend_status more(struct talk *t)
{
	size_t before = t->in.n;

	if (t->heard >= CMI_STARTTLS_MAX)
		return fail_talk(t, CMEND_LIMIT, "sends endless plain text",
			(struct cmi_bytes){
				t->in.p, t->in.n < 40 ? t->in.n : 40});
	CMI_TRY(t->plain->receive(t->plain->ctx, &t->in, t->err));
	t->heard += t->in.n - before;
	return CMEND_OK;
}

static cmend_status say(struct talk *t, const char *text)
{
	return t->plain->send(t->plain->ctx, cmi_bytes_of(text), t->err);
}

/* One line; a view valid until the next read, taken out by drop. */
static cmend_status hear_line(struct talk *t, struct cmi_bytes *line)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&t->in));

	while (!cmi_cursor_line(&c, line)) {
		CMI_TRY(more(t));
		c = cmi_cursor_of(cmi_buf_view(&t->in));
	}
	return CMEND_OK;
}

static void drop_line(struct talk *t)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&t->in));
	struct cmi_bytes line;

	if (cmi_cursor_line(&c, &line))
		cmi_buf_consume(&t->in, c.at);
}

/* What a line-based protocol says and wants to hear. */
struct step {
	const char *say;  /* NULL: listen first */
	const char *want; /* how the last line of the answer begins */
	const char *skip; /* lines that begin so are not the last; or NULL */
};

struct script {
	const char *name;
	uint16_t port;
	struct step steps[3];
};

static const struct script scripts[] = {
	/* RFC 3207; "250-" and "220-" go on. */
	{"smtp", 25,
		{{NULL, "220 ", "220-"},
			{"EHLO chainmend.invalid\r\n", "250 ", "250-"},
			{"STARTTLS\r\n", "220", NULL}}},
	/* RFC 9051 section 6.2.1. */
	{"imap", 143,
		{{NULL, "* OK", NULL}, {"a1 STARTTLS\r\n", "a1 OK", "* "}}},
	{"pop3", 110, {{NULL, "+OK", NULL}, {"STLS\r\n", "+OK", NULL}}},
	/* RFC 4217; a greeting may have many lines. */
	{"ftp", 21, {{NULL, "220 ", "220-"}, {"AUTH TLS\r\n", "234", NULL}}},
	{"nntp", 119, {{NULL, "20", NULL}, {"STARTTLS\r\n", "382", NULL}}},
	/* RFC 5804: capabilities, each quoted, then OK. */
	{"sieve", 4190, {{NULL, "OK", "\""}, {"STARTTLS\r\n", "OK", NULL}}},
};

static cmend_status run_step(struct talk *t, const struct step *s, bool first)
{
	struct cmi_bytes line;

	if (s->say)
		CMI_TRY(say(t, s->say));
	for (;;) {
		CMI_TRY(hear_line(t, &line));
		if (cmi_text_starts(line, s->want))
			break;
		if (!s->skip || !cmi_text_starts(line, s->skip))
			return fail_talk(t, first ? CMEND_PARSE : CMEND_REFUSED,
				first ? "speaks another protocol"
				      : "offers no TLS there",
				line);
		drop_line(t);
	}
	drop_line(t);
	return CMEND_OK;
}

static cmend_status run_script(struct talk *t, const struct script *s)
{
	for (size_t i = 0; i < CMI_LEN(s->steps) && s->steps[i].want; i++)
		CMI_TRY(run_step(t, &s->steps[i], i == 0));
	return CMEND_OK;
}

/* RFC 4511 section 4.14: ExtendedRequest 1.3.6.1.4.1.1466.20037. */
static cmend_status run_ldap(struct talk *t)
{
	static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
				      "1.3.6.1.4.1.1466.20037";
	struct cmi_cursor c, message, op;
	uint8_t tag, code = 255;

	CMI_TRY(t->plain->send(t->plain->ctx, CMI_BYTES(request), t->err));
	for (;;) {
		c = cmi_cursor_of(cmi_buf_view(&t->in));
		if (cmi_cursor_u8(&c, &tag) && tag != 0x30)
			return fail_talk(t, CMEND_PARSE, "speaks no LDAP",
				cmi_buf_view(&t->in));
		if (cmi_cursor_vector(&c, 1, &message))
			break;
		CMI_TRY(more(t));
	}
	/* messageID, then extendedResp [24] with resultCode first.  Lengths
	 * are short in every success. */
	if (cmi_cursor_skip(&message, 3) && cmi_cursor_u8(&message, &tag) &&
		tag == 0x78 && cmi_cursor_vector(&message, 1, &op) &&
		cmi_cursor_skip(&op, 2))
		(void)cmi_cursor_u8(&op, &code);
	if (code != 0)
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(&t->in));
	cmi_buf_consume(&t->in, c.at);
	return CMEND_OK;
}

static bool has_text(const struct cmi_buf *b, const char *text)
{
	return b->n && memmem(b->p, b->n, text, strlen(text));
}

/* RFC 6120 section 5. */
static cmend_status run_xmpp(struct talk *t, const char *space)
{
	struct cmi_buf hello;
	cmend_status status;

	cmi_buf_init(&hello, 2048);
	cmi_buf_printf(&hello,
		"<?xml version='1.0'?><stream:stream to='%s' xmlns='%s' "
		"xmlns:stream='http://etherx.jabber.org/streams' "
		"version='1.0'>",
		t->plain->host, space);
	status = say(t, cmi_buf_cstr(&hello));
	cmi_buf_dispose(&hello);
	while (status == CMEND_OK && !has_text(&t->in, "</stream:features>"))
		status =
			has_text(&t->in, "</stream:stream>")
				? fail_talk(t, CMEND_REFUSED, "ends the stream",
					  cmi_buf_view(&t->in))
				: more(t);
	if (status == CMEND_OK &&
		!has_text(&t->in, "urn:ietf:params:xml:ns:xmpp-tls"))
		status = fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(&t->in));
	if (status != CMEND_OK)
		return status;
	cmi_buf_clear(&t->in);
	CMI_TRY(say(t, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"));
	while (!has_text(&t->in, ">"))
		CMI_TRY(more(t));
	if (!has_text(&t->in, "<proceed"))
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(&t->in));
	cmi_buf_clear(&t->in);
	return CMEND_OK;
}

/* SSLRequest: one byte answers. */
static cmend_status run_postgres(struct talk *t)
{
	uint8_t answer;
	struct cmi_cursor c;

	CMI_TRY(t->plain->send(t->plain->ctx,
		CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f"), t->err));
	CMI_TRY(more(t));
	c = cmi_cursor_of(cmi_buf_view(&t->in));
	if (!cmi_cursor_u8(&c, &answer) || (answer != 'S' && answer != 'N'))
		return fail_talk(t, CMEND_PARSE, "speaks no PostgreSQL",
			cmi_buf_view(&t->in));
	if (answer == 'N')
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(&t->in));
	cmi_buf_consume(&t->in, 1);
	return CMEND_OK;
}

#define MYSQL_CLIENT_SSL 0x0800

/* The greeting names what the server can; SSLRequest answers it. */
static cmend_status run_mysql(struct talk *t)
{
	static const char request[] =
		"\x20\0\0\x01"     /* 32 bytes, packet 1 */
		"\x00\x8a\x08\x00" /* protocol 4.1, secure, SSL */
		"\0\0\0\x01\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct cmi_cursor c, packet;
	struct cmi_bytes version;
	uint64_t n;
	uint16_t able = 0;

	for (;;) {
		c = cmi_cursor_of(cmi_buf_view(&t->in));
		if (cmi_cursor_le(&c, 3, &n) && cmi_cursor_skip(&c, 1) &&
			cmi_cursor_sub(&c, (size_t)n, &packet))
			break;
		CMI_TRY(more(t));
	}
	/* Version 10, its text, thread, 8 bytes of salt, filler. */
	if (!cmi_cursor_skip(&packet, 1) ||
		!cmi_cursor_until(&packet, 0, &version) ||
		!cmi_cursor_skip(&packet, 4 + 8 + 1) ||
		!cmi_cursor_u16le(&packet, &able))
		return fail_talk(t, CMEND_PARSE, "speaks no MySQL",
			cmi_buf_view(&t->in));
	if (!(able & MYSQL_CLIENT_SSL))
		return fail_talk(
			t, CMEND_REFUSED, "offers no TLS there", version);
	cmi_buf_consume(&t->in, c.at);
	return t->plain->send(t->plain->ctx, CMI_BYTES(request), t->err);
}

static cmend_status run_xmpp_client(struct talk *t)
{
	return run_xmpp(t, "jabber:client");
}

static cmend_status run_xmpp_server(struct talk *t)
{
	return run_xmpp(t, "jabber:server");
}

static cmend_status run_nothing(struct talk *t)
{
	(void)t;
	return CMEND_OK;
}

static const struct {
	const char *name;
	uint16_t port;
	cmend_status (*run)(struct talk *t);
} others[] = {
	{"ldap", 389, run_ldap},
	{"xmpp", 5222, run_xmpp_client},
	{"xmpp-server", 5269, run_xmpp_server},
	{"postgres", 5432, run_postgres},
	{"mysql", 3306, run_mysql},
	{"sip", 5061, run_nothing},
};

const char *cmi_starttls_names(void)
{
	return "smtp, imap, pop3, ftp, nntp, sieve, ldap, xmpp, xmpp-server, "
	       "postgres, mysql, sip";
}

uint16_t cmi_starttls_port(const char *protocol)
{
	for (size_t i = 0; i < CMI_LEN(scripts); i++)
		if (strcmp(scripts[i].name, protocol) == 0)
			return scripts[i].port;
	for (size_t i = 0; i < CMI_LEN(others); i++)
		if (strcmp(others[i].name, protocol) == 0)
			return others[i].port;
	return 0;
}

static cmend_status run(struct talk *t, const char *protocol)
{
	for (size_t i = 0; i < CMI_LEN(scripts); i++)
		if (strcmp(scripts[i].name, protocol) == 0)
			return run_script(t, &scripts[i]);
	for (size_t i = 0; i < CMI_LEN(others); i++)
		if (strcmp(others[i].name, protocol) == 0)
			return others[i].run(t);
	return cmi_fail(t->err, CMEND_ARG,
		"no such protocol: \"%s\"; it is one of %s", protocol,
		cmi_starttls_names());
}

cmend_status cmi_starttls(
	const char *protocol, const struct cmi_plain *plain, cmend_error *err)
{
	struct talk t = {.plain = plain, .err = err};
	cmend_status status;

	cmi_buf_init(&t.in, CMI_STARTTLS_MAX + 65536);
	status = run(&t, protocol);
	if (status == CMEND_OK && t.in.n)
		status = fail_talk(&t, CMEND_REFUSED,
			"sends plain text behind its go-ahead for TLS",
			cmi_buf_view(&t.in));
	cmi_buf_dispose(&t.in);
	return status;
}
