/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain_clients.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/cursor.h"

static cmend_status refuse(struct cmi_bytes text, cmend_error *err)
{
	char safe[80];

	return cmi_fail(err, CMEND_ARG,
		"\"%s\" is no network such as 10.0.0.0/8 or 2001:db8::/32",
		cmi_safe_cstr(safe, sizeof(safe), text));
}

static bool rest_is_zero(
	const struct cmi_endpoint *net, unsigned prefix, unsigned bits)
{
	for (unsigned i = prefix; i < bits; i++)
		if (net->addr[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

cmend_status cmi_parse_net(struct cmi_bytes text, struct cmi_endpoint *net,
	uint8_t *prefix_len, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_bytes host;
	char address[INET6_ADDRSTRLEN];
	struct cmi_endpoint e = {0};
	uint64_t prefix;
	unsigned bits;
	bool slash = cmi_cursor_until(&c, '/', &host);

	if (!slash)
		host = text;
	if (host.n == 0 || host.n >= sizeof(address))
		return refuse(text, err);
	memcpy(address, host.p, host.n);
	address[host.n] = '\0';
	if (inet_pton(AF_INET, address, e.addr) == 1)
		e.family = 4;
	else if (inet_pton(AF_INET6, address, e.addr) == 1)
		e.family = 6;
	else
		return refuse(text, err);
	bits = e.family == 4 ? 32 : 128;
	prefix = bits;
	if (slash && !cmi_parse_uint(cmi_cursor_rest(&c), bits, &prefix))
		return refuse(text, err);
	if (!rest_is_zero(&e, (unsigned)prefix, bits))
		return refuse(text, err);
	*net = e;
	*prefix_len = (uint8_t)prefix;
	return CMEND_OK;
}

static size_t index_of(const struct cmi_profile_set *s, const char *name)
{
	size_t i = 0;

	while (i < s->n && strcmp(s->list[i]->name, name) != 0)
		i++;
	return i;
}

/* One word: load what it names and append it. */
static cmend_status add_word(
	struct cmi_explain_clients *c, const char *word, cmend_error *err)
{
	struct cmi_diagnose_client client = {0};
	struct cmi_cursor cursor = cmi_cursor_of(
		(struct cmi_bytes){(const uint8_t *)word, strlen(word)});
	struct cmi_bytes net;
	struct cmi_cli_list one = {.items = {word}, .n = 1};
	size_t first = c->profiles.n;
	bool again;

	if (cmi_cursor_until(&cursor, '=', &net)) {
		CMI_TRY(cmi_parse_net(
			net, &client.net, &client.prefix_len, err));
		one.items[0] = strchr(word, '=') + 1;
	}
	CMI_TRY(cmi_profile_set_add(&c->profiles, &one, false, err));
	/* Named before, for another network: it is there already. */
	again = first == c->profiles.n;
	if (again)
		first = index_of(&c->profiles, one.items[0]);
	for (size_t i = first; i < c->profiles.n; i++) {
		if (c->n == CMI_DIAGNOSE_CLIENTS_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"more than %d kinds of client",
				CMI_DIAGNOSE_CLIENTS_MAX);
		cmi_profile_client(c->profiles.list[i], &client);
		c->list[c->n++] = client;
		if (again)
			break;
	}
	return CMEND_OK;
}

cmend_status cmi_explain_clients_open(const struct cmi_setup *setup,
	const struct cmi_cli_list *words, struct cmi_explain_clients *out,
	cmend_error *err)
{
	if (!words->n)
		return CMEND_OK;
	out->opened = true;
	CMI_TRY(cmi_profile_set_open(setup, &out->profiles, err));
	for (size_t i = 0; i < words->n; i++)
		CMI_TRY(add_word(out, words->items[i], err));
	return CMEND_OK;
}

void cmi_explain_clients_note(
	const struct cmi_explain_clients *c, struct cmi_cli *cli)
{
	size_t n = 0, absent = 0;
	const struct cmi_profile *first = NULL;

	for (size_t i = 0; i < c->profiles.n; i++) {
		const struct cmi_profile *p = c->profiles.list[i];

		absent += p->n_absent;
		n += p->n_absent > 0;
		if (!first && p->n_absent)
			first = p;
	}
	if (!first || cli->common.quiet)
		return;
	fprintf(cli->err,
		"chainmend: note: %zu root%s of \"%s\"%s %s not at hand, and "
		"a chain to %s looks refused: chainmend data update "
		"gets %s\n",
		absent, absent == 1 ? "" : "s", first->name,
		n > 1 ? " and other profiles" : "", absent == 1 ? "is" : "are",
		absent == 1 ? "it" : "one of them",
		absent == 1 ? "it" : "them");
}

const struct cmi_trust *cmi_explain_clients_plain(
	const struct cmi_explain_clients *c, const struct cmi_cli *cli,
	const struct cmi_trust *roots)
{
	for (size_t i = 0; i < c->n && !cli->common.roots.n; i++)
		if (c->list[i].net.family == 0)
			return c->list[i].trust;
	return roots;
}

void cmi_explain_clients_dispose(struct cmi_explain_clients *c)
{
	if (c->opened)
		cmi_profile_set_dispose(&c->profiles);
}
