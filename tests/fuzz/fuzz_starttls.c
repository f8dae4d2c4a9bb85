/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two sides said before TLS: a length in two bytes, so much of the
 * client's words, the rest the server's.  Oracle: a name is given exactly when
 * something was said, it is one of those that are documented, and it does not
 * hang on where the words lie in memory.
 */
#include <string.h>

#include "core/cursor.h"
#include "fuzz.h"
#include "wire/starttls.h"

static bool is_known(const char *name)
{
	static const char *const names[] = {"smtp", "imap", "pop3", "ftp",
		"ldap", "xmpp", "postgres", "mysql", "sip", "socks4", "socks5",
		"nntp", "sieve", "rdp", "tds", "other"};

	for (size_t i = 0; i < CMI_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* In memory of exactly their size, so that a sanitizer sees the end. */
static const char *name_of_copy(
	struct cmi_bytes client, struct cmi_bytes server)
{
	uint8_t *c = malloc(client.n ? client.n : 1);
	uint8_t *s = malloc(server.n ? server.n : 1);
	const char *name;

	FUZZ_CHECK(c && s);
	if (client.n)
		memcpy(c, client.p, client.n);
	if (server.n)
		memcpy(s, server.p, server.n);
	name = cmi_starttls_name((struct cmi_bytes){c, client.n},
		(struct cmi_bytes){s, server.n});
	free(c);
	free(s);
	return name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_bytes client, server;
	const char *name, *again;
	uint16_t n;

	if (!cmi_cursor_u16(&c, &n))
		return 0;
	if (n > c.n)
		n = (uint16_t)c.n;
	if (!cmi_cursor_bytes(&c, n, &client))
		return 0;
	server = cmi_cursor_rest(&c);
	name = cmi_starttls_name(client, server);
	again = name_of_copy(client, server);
	FUZZ_CHECK(!name == (!client.n && !server.n));
	if (!name)
		return 0;
	FUZZ_CHECK(is_known(name));
	FUZZ_CHECK(strcmp(name, again) == 0);
	return 0;
}
