/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/names.h"

#include <stdio.h>
#include <string.h>

#include "boot/discover.h"

static const struct {
	const char *label;
	bool service;
} uses[CMI_NAME_USES] = {
	[CMI_NAME_SIP_INTERNAL] = {"_sipinternaltls._tcp", true},
	[CMI_NAME_SIP_EXTERNAL] = {"_sip._tls", true},
	[CMI_NAME_NTP] = {"_ntp._udp", true},
	[CMI_NAME_SIPINTERNAL] = {"sipinternal", false},
	[CMI_NAME_SIP] = {"sip", false},
};

static void look_up(const struct cmi_dns_at *at, enum cmi_name_use use,
	const char *domain, struct cmi_name_found *f)
{
	struct cmi_dns_srv all[CMI_DNS_SRV_MAX];
	size_t n = 0;

	if (!uses[use].service) {
		snprintf(f->target, sizeof(f->target), "%s", f->name);
		f->status = cmi_dns_find_addr(at, f->name, f->addr, NULL);
		return;
	}
	f->status = cmi_dns_find_srv(at, f->name, all, &n, NULL);
	/* "." says that there is no such service: RFC 2782. */
	if (!f->status && !*all[0].target)
		f->status = CMEND_NOT_FOUND;
	if (f->status)
		return;
	snprintf(f->target, sizeof(f->target), "%s", all[0].target);
	f->port = all[0].port;
	f->foreign =
		use != CMI_NAME_NTP && !cmi_name_in_domain(f->target, domain);
	if (!f->foreign &&
		cmi_dns_find_addr(at, f->target, f->addr, NULL) != CMEND_OK)
		f->addr[0] = 0;
}

cmend_status cmi_names_look_up(const struct cmi_dns_at *at, const char *domain,
	struct cmi_names *out, cmend_error *err)
{
	*out = (struct cmi_names){0};
	for (int use = 0; use < CMI_NAME_USES; use++) {
		struct cmi_name_found *f = &out->of[use];
		int n = snprintf(f->name, sizeof(f->name), "%s.%s",
			uses[use].label, domain);

		if (n < 0 || (size_t)n >= sizeof(f->name))
			return cmi_fail(err, CMEND_ARG,
				"domain \"%.40s...\" is too long", domain);
		look_up(at, (enum cmi_name_use)use, domain, f);
		if (use == 0 && f->status == CMEND_TIMEOUT)
			return cmi_fail(err, CMEND_TIMEOUT,
				"no DNS server answers about \"%s\"", f->name);
		if (f->status == CMEND_IO || f->status == CMEND_ARG)
			return cmi_fail(err, f->status,
				"cannot ask DNS about \"%s\"", f->name);
	}
	return CMEND_OK;
}

const struct cmi_name_found *cmi_names_registrar(const struct cmi_names *n)
{
	static const enum cmi_name_use order[] = {CMI_NAME_SIP_INTERNAL,
		CMI_NAME_SIP_EXTERNAL, CMI_NAME_SIPINTERNAL, CMI_NAME_SIP};

	for (size_t i = 0; i < CMI_LEN(order); i++) {
		const struct cmi_name_found *f = &n->of[order[i]];

		if (f->status == CMEND_OK && !f->foreign)
			return f;
	}
	return NULL;
}
