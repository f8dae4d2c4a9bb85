/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/starttls.h"

#include <string.h>

#include "core/cursor.h"
#include "core/text.h"

/* One step's view of a dialogue. */
struct talk {
	struct cmi_starttls *s;
	struct cmi_buf *in, *out;
	cmend_error *err;
};

static cmend_status fail_talk(struct talk *t, cmend_status status,
	const char *what, struct cmi_bytes heard)
{
	char safe[120];

	return cmi_fail(t->err, status, "%s %s: \"%s\"", t->s->target, what,
		cmi_safe_cstr(safe, sizeof(safe), cmi_text_trim(heard)));
}

/* Once in this place of the dialogue. */
static bool first_time(struct talk *t)
{
	bool first = !t->s->said;

	t->s->said = true;
	return first;
}

static void next_place(struct talk *t)
{
	t->s->at++;
	t->s->said = false;
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

static cmend_status run_step(struct talk *t, const struct step *s)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in));
	bool first = t->s->at == 0, last = false;
	struct cmi_bytes line;
	size_t used = 0;

	if (s->say && first_time(t))
		cmi_buf_text(t->out, s->say);
	while (!last && cmi_cursor_line(&c, &line)) {
		last = cmi_text_starts(line, s->want);
		if (!last && (!s->skip || !cmi_text_starts(line, s->skip)))
			return fail_talk(t, first ? CMEND_PARSE : CMEND_REFUSED,
				first ? "speaks another protocol"
				      : "offers no TLS there",
				line);
		used = c.at;
	}
	cmi_buf_consume(t->in, used);
	return last ? CMEND_OK : CMEND_AGAIN;
}

static cmend_status run_script(struct talk *t, const struct script *s)
{
	while (t->s->at < CMI_LEN(s->steps) && s->steps[t->s->at].want) {
		CMI_TRY(run_step(t, &s->steps[t->s->at]));
		next_place(t);
	}
	return CMEND_OK;
}

/* RFC 4511 section 4.14: ExtendedRequest 1.3.6.1.4.1.1466.20037. */
static cmend_status run_ldap(struct talk *t)
{
	static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
				      "1.3.6.1.4.1.1466.20037";
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in)), message, op;
	uint8_t tag, code = 255;

	if (first_time(t))
		cmi_buf_add_bytes(t->out, CMI_BYTES(request));
	if (cmi_cursor_u8(&c, &tag) && tag != 0x30)
		return fail_talk(
			t, CMEND_PARSE, "speaks no LDAP", cmi_buf_view(t->in));
	if (!cmi_cursor_vector(&c, 1, &message))
		return CMEND_AGAIN;
	/* messageID, then extendedResp [24] with resultCode first.  Lengths
	 * are short in every success. */
	if (cmi_cursor_skip(&message, 3) && cmi_cursor_u8(&message, &tag) &&
		tag == 0x78 && cmi_cursor_vector(&message, 1, &op) &&
		cmi_cursor_skip(&op, 2))
		(void)cmi_cursor_u8(&op, &code);
	if (code != 0)
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(t->in));
	cmi_buf_consume(t->in, c.at);
	return CMEND_OK;
}

static bool has_text(const struct cmi_buf *b, const char *text)
{
	return b->n && memmem(b->p, b->n, text, strlen(text));
}

/* The stream's head is answered by what the server can. */
static cmend_status open_stream(struct talk *t, const char *space)
{
	if (first_time(t))
		cmi_buf_printf(t->out,
			"<?xml version='1.0'?><stream:stream to='%s' "
			"xmlns='%s' "
			"xmlns:stream='http://etherx.jabber.org/streams' "
			"version='1.0'>",
			t->s->host, space);
	if (!has_text(t->in, "</stream:features>"))
		return has_text(t->in, "</stream:stream>")
			       ? fail_talk(t, CMEND_REFUSED, "ends the stream",
					 cmi_buf_view(t->in))
			       : CMEND_AGAIN;
	if (!has_text(t->in, "urn:ietf:params:xml:ns:xmpp-tls"))
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(t->in));
	cmi_buf_clear(t->in);
	next_place(t);
	return CMEND_OK;
}

/* RFC 6120 section 5. */
static cmend_status run_xmpp(struct talk *t, const char *space)
{
	if (t->s->at == 0)
		CMI_TRY(open_stream(t, space));
	if (first_time(t))
		cmi_buf_text(t->out,
			"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	if (!has_text(t->in, ">"))
		return CMEND_AGAIN;
	if (!has_text(t->in, "<proceed"))
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(t->in));
	cmi_buf_clear(t->in);
	return CMEND_OK;
}

/* SSLRequest: one byte answers. */
static cmend_status run_postgres(struct talk *t)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in));
	uint8_t answer;

	if (first_time(t))
		cmi_buf_add_bytes(
			t->out, CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f"));
	if (!cmi_cursor_u8(&c, &answer))
		return CMEND_AGAIN;
	if (answer != 'S' && answer != 'N')
		return fail_talk(t, CMEND_PARSE, "speaks no PostgreSQL",
			cmi_buf_view(t->in));
	if (answer == 'N')
		return fail_talk(t, CMEND_REFUSED, "offers no TLS there",
			cmi_buf_view(t->in));
	cmi_buf_consume(t->in, 1);
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
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(t->in)), packet;
	struct cmi_bytes version;
	uint64_t n;
	uint16_t able = 0;

	if (!cmi_cursor_le(&c, 3, &n) || !cmi_cursor_skip(&c, 1) ||
		!cmi_cursor_sub(&c, (size_t)n, &packet))
		return CMEND_AGAIN;
	/* Version 10, its text, thread, 8 bytes of salt, filler. */
	if (!cmi_cursor_skip(&packet, 1) ||
		!cmi_cursor_until(&packet, 0, &version) ||
		!cmi_cursor_skip(&packet, 4 + 8 + 1) ||
		!cmi_cursor_u16le(&packet, &able))
		return fail_talk(
			t, CMEND_PARSE, "speaks no MySQL", cmi_buf_view(t->in));
	if (!(able & MYSQL_CLIENT_SSL))
		return fail_talk(
			t, CMEND_REFUSED, "offers no TLS there", version);
	cmi_buf_consume(t->in, c.at);
	cmi_buf_add_bytes(t->out, CMI_BYTES(request));
	return CMEND_OK;
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

struct other {
	const char *name;
	uint16_t port;
	cmend_status (*run)(struct talk *t);
};

static const struct other others[] = {
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

static const struct script *find_script(const char *protocol)
{
	for (size_t i = 0; i < CMI_LEN(scripts); i++)
		if (strcmp(scripts[i].name, protocol) == 0)
			return &scripts[i];
	return NULL;
}

static const struct other *find_other(const char *protocol)
{
	for (size_t i = 0; i < CMI_LEN(others); i++)
		if (strcmp(others[i].name, protocol) == 0)
			return &others[i];
	return NULL;
}

uint16_t cmi_starttls_port(const char *protocol)
{
	const struct script *s = find_script(protocol);
	const struct other *o = find_other(protocol);

	return s ? s->port : o ? o->port : 0;
}

const char *cmi_starttls_protocol(const char *name)
{
	const struct script *s = find_script(name);
	const struct other *o = find_other(name);

	return s ? s->name : o ? o->name : NULL;
}

cmend_status cmi_starttls_begin(struct cmi_starttls *s, const char *protocol,
	const char *target, const char *host, cmend_error *err)
{
	const char *known = cmi_starttls_protocol(protocol);

	if (!known)
		return cmi_fail(err, CMEND_ARG,
			"no such protocol: \"%s\"; it is one of %s", protocol,
			cmi_starttls_names());
	*s = (struct cmi_starttls){
		.protocol = known, .target = target, .host = host};
	return CMEND_OK;
}

static cmend_status take_step(struct talk *t)
{
	const struct script *script = find_script(t->s->protocol);
	cmend_status status;

	status = script ? run_script(t, script)
			: find_other(t->s->protocol)->run(t);
	if (status == CMEND_OK && t->in->n)
		return fail_talk(t, CMEND_REFUSED,
			"sends plain text behind its go-ahead for TLS",
			cmi_buf_view(t->in));
	if (status == CMEND_AGAIN && t->s->heard >= CMI_STARTTLS_MAX)
		return fail_talk(t, CMEND_LIMIT, "sends endless plain text",
			(struct cmi_bytes){
				t->in->p, t->in->n < 40 ? t->in->n : 40});
	return status;
}

cmend_status cmi_starttls_step(struct cmi_starttls *s, struct cmi_buf *in,
	struct cmi_buf *out, cmend_error *err)
{
	struct talk t = {s, in, out, err};
	cmend_status status;

	s->heard += in->n - s->left;
	status = take_step(&t);
	s->left = in->n;
	if (status == CMEND_OK || status == CMEND_AGAIN) {
		CMI_TRY(cmi_buf_status(in, err));
		CMI_TRY(cmi_buf_status(out, err));
	}
	return status;
}

static cmend_status converse(struct cmi_starttls *s,
	const struct cmi_plain *plain, struct cmi_buf *in, struct cmi_buf *out,
	cmend_error *err)
{
	for (;;) {
		cmend_status status = cmi_starttls_step(s, in, out, err);

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

cmend_status cmi_starttls(
	const char *protocol, const struct cmi_plain *plain, cmend_error *err)
{
	struct cmi_starttls s;
	struct cmi_buf in, out;
	cmend_status status;

	CMI_TRY(cmi_starttls_begin(
		&s, protocol, plain->target, plain->host, err));
	cmi_buf_init(&in, CMI_STARTTLS_MAX + 65536);
	cmi_buf_init(&out, 4096);
	status = converse(&s, plain, &in, &out, err);
	cmi_buf_dispose(&in);
	cmi_buf_dispose(&out);
	return status;
}
