/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/names.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

bool cmi_cert_names_allowed(const struct cmi_cert *ca, const struct cmi_cert *c)
{
	bool allowed;

	if (!ca->name_constraints)
		return true;
	allowed =
		NAME_CONSTRAINTS_check(c->x, ca->name_constraints) == X509_V_OK;
	ERR_clear_error();
	return allowed;
}

size_t cmi_cert_names_cost(const struct cmi_cert *ca, const struct cmi_cert *c)
{
	const NAME_CONSTRAINTS *nc = ca->name_constraints;
	size_t trees, names;

	if (!nc)
		return 0;
	trees = (size_t)(sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) + 1) +
		(size_t)(sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) + 1);
	/* The subject is one more name, and each address in it another. */
	names = c->n_alt_names + 1 +
		(size_t)X509_NAME_entry_count(X509_get_subject_name(c->x));
	return trees * names;
}

/* At most n bytes of it, and no half character of UTF-8 at the end. */
static size_t whole_to(const char *name, size_t n)
{
	while (n && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Room behind a name for " and 65535 more". */
#define MORE_ROOM 20

bool cmi_cert_names_text(const struct cmi_cert *c, char *out, size_t n_out)
{
	size_t all = c->n_dns_names + c->n_ip_names, at = 0, told = 0;

	if (!all || n_out < 2 * (size_t)MORE_ROOM)
		return false;
	for (; told < all; told++) {
		const char *name = told < c->n_dns_names
					   ? c->dns_names[told]
					   : c->ip_names[told - c->n_dns_names];
		size_t room = n_out - at - MORE_ROOM, n = strlen(name) + 4;

		if (told && n >= room)
			break;
		at += (size_t)snprintf(out + at, n_out - at, "%s\"%.*s%s\"",
			!told             ? ""
			: told + 1 == all ? " and "
					  : ", ",
			(int)(n < room ? n : whole_to(name, room - 8)), name,
			n < room ? "" : "...");
		if (at + MORE_ROOM + 8 >= n_out) {
			told++;
			break;
		}
	}
	if (told < all)
		snprintf(out + at, n_out - at, " and %zu more", all - told);
	return true;
}
