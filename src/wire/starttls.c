/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/starttls.h"

#include <string.h>

#include "core/cursor.h"
#include "core/text.h"

/* Is the word there at the start of a line or behind a tag, in any case? */
static bool says(struct cmi_bytes text, const char *word)
{
	struct cmi_bytes w = cmi_bytes_of(word), here;

	for (struct cmi_cursor c = cmi_cursor_of(text), at = c;
		cmi_cursor_bytes(&at, w.n, &here); at = c) {
		if (cmi_text_equal_nocase(here, w))
			return true;
		(void)cmi_cursor_skip(&c, 1);
	}
	return false;
}

static bool begins(struct cmi_bytes b, struct cmi_bytes with)
{
	return b.n >= with.n &&
	       cmi_bytes_equal((struct cmi_bytes){b.p, with.n}, with);
}

static bool is_smtp(struct cmi_bytes client, struct cmi_bytes server)
{
	return cmi_text_starts(server, "220") &&
	       (says(client, "STARTTLS") || says(client, "EHLO") ||
		       says(client, "LHLO"));
}

static bool is_ftp(struct cmi_bytes client, struct cmi_bytes server)
{
	/* RFC 4217 section 4; a mail client may have tried another AUTH. */
	return cmi_text_starts(server, "220") &&
	       (says(client, "AUTH TLS") || says(client, "AUTH SSL"));
}

static bool is_nntp(struct cmi_bytes client, struct cmi_bytes server)
{
	return (cmi_text_starts(server, "200") ||
		       cmi_text_starts(server, "201")) &&
	       says(client, "STARTTLS");
}

static bool is_pop3(struct cmi_bytes client, struct cmi_bytes server)
{
	return cmi_text_starts(server, "+OK") && says(client, "STLS");
}

static bool is_imap(struct cmi_bytes client, struct cmi_bytes server)
{
	return cmi_text_starts(server, "* ") && says(client, "STARTTLS");
}

static bool is_sieve(struct cmi_bytes client, struct cmi_bytes server)
{
	return cmi_text_starts(server, "\"") && says(client, "STARTTLS");
}

static bool is_xmpp(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return says(client, "<stream:stream") || says(client, "<starttls");
}

/* RFC 4511 section 4.14.1: the extended request's name, 1.3.6.1.4.1.1466.20037,
 * but for the digit that 96 bytes of a packet leave out.  (What ends in 6 only
 * servers say.) */
static bool is_ldap(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return cmi_text_starts(client, "0") &&
	       says(client, "1.3.6.1.4.1.1466.2003");
}

/* SSLRequest: length 8, code 1234.5679; it may come after a request for GSSAPI,
 * 1234.5680. */
static bool is_postgres(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return begins(client, CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f")) ||
	       begins(client, CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x30"));
}

/* The server's greeting: packet 0, protocol version 10; the client's answer
 * is packet 1 of 32 bytes. */
static bool is_mysql(struct cmi_bytes client, struct cmi_bytes server)
{
	struct cmi_cursor c = cmi_cursor_of(server);
	uint32_t length;
	uint16_t rest;

	(void)client;
	return cmi_cursor_u24(&c, &length) && cmi_cursor_u16(&c, &rest) &&
	       rest == 0x000a;
}

static bool is_sip(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return says(client, "SIP/2.0");
}

static bool is_socks4(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return begins(client, CMI_BYTES("\x04\x01"));
}

static bool is_socks5(struct cmi_bytes client, struct cmi_bytes server)
{
	return begins(client, CMI_BYTES("\x05")) &&
	       (server.n == 0 || begins(server, CMI_BYTES("\x05")));
}

/* TPKT version 3 with an X.224 connection request. */
static bool is_rdp(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return begins(client, CMI_BYTES("\x03\0\0")) && client.n > 5;
}

/* A TDS PRELOGIN packet carries the handshake of SQL Server. */
static bool is_tds(struct cmi_bytes client, struct cmi_bytes server)
{
	(void)server;
	return begins(client, CMI_BYTES("\x12\x01"));
}

const char *cmi_starttls_name(struct cmi_bytes client, struct cmi_bytes server)
{
	static const struct {
		const char *name;
		bool (*is)(struct cmi_bytes client, struct cmi_bytes server);
	} rows[] = {
		{"ftp", is_ftp},
		{"smtp", is_smtp},
		{"nntp", is_nntp},
		{"pop3", is_pop3},
		{"imap", is_imap},
		{"sieve", is_sieve},
		{"xmpp", is_xmpp},
		{"ldap", is_ldap},
		{"postgres", is_postgres},
		{"mysql", is_mysql},
		{"sip", is_sip},
		{"socks4", is_socks4},
		{"socks5", is_socks5},
		{"rdp", is_rdp},
		{"tds", is_tds},
	};

	if (!client.n && !server.n)
		return NULL;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (rows[i].is(client, server))
			return rows[i].name;
	return "other";
}
