/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/names.h"

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
