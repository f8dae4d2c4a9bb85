/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/discover.h"

#include <string.h>

#include "core/text.h"

bool cmi_name_in_domain(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);
	struct cmi_bytes tail;

	if (!d || n < d)
		return false;
	tail = cmi_bytes_of(name + n - d);
	return cmi_text_equal_nocase(tail, cmi_bytes_of(domain)) &&
	       (n == d || name[n - d - 1] == '.');
}

static cmend_status vet(
	const struct cmi_discovered *d, const char *domain, cmend_error *err)
{
	const char *names[] = {d->options.web, d->options.sip};

	for (size_t i = 0; i < d->faults.n; i++)
		if (d->faults.faults[i].severity == CMI_UC_ERROR)
			return cmi_fail(err, CMEND_REFUSED,
				"DHCP answer of %s cannot be used: option %u: "
				"%s",
				d->server, d->faults.faults[i].option,
				d->faults.faults[i].says);
	for (size_t i = 0; i < CMI_LEN(names); i++)
		if (*names[i] && !cmi_name_in_domain(names[i], domain))
			return cmi_fail(err, CMEND_REFUSED,
				"DHCP answer of %s names \"%.100s\", which is "
				"not in the domain \"%.100s\"",
				d->server, names[i], domain);
	if (!*d->options.web)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"DHCP answer of %s has no option 43: no web server is "
			"known",
			d->server);
	return CMEND_OK;
}

cmend_status cmi_discover(const struct cmi_inform_options *ask,
	const char *domain, struct cmi_discovered *out, cmend_error *err)
{
	*out = (struct cmi_discovered){0};
	if (!domain || !*domain)
		return cmi_fail(err, CMEND_ARG,
			"a domain is needed before a name from DHCP may count");
	CMI_TRY(cmi_inform_ask(
		ask, &out->options, &out->faults, out->server, err));
	cmi_emit(ask->env, "discovered", out->options.web, out->server,
		(int64_t)out->faults.n);
	return vet(out, domain, err);
}
