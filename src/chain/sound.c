/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/sound.h"

/* Security bits that each of OpenSSL's levels asks for. */
static int level_bits(int level)
{
	static const int bits[] = {0, 80, 112, 128, 192, 256};

	return bits[(size_t)level < CMI_LEN(bits) ? (size_t)level
						  : CMI_LEN(bits) - 1];
}

static bool usage_fits(const struct cmi_cert *ca, enum cmi_purpose purpose)
{
	switch (purpose) {
	case CMI_FOR_SERVER:
		return ca->eku_server_auth;
	case CMI_FOR_CLIENT:
		return ca->eku_client_auth;
	case CMI_FOR_ANY:
		break;
	}
	return true;
}

/* A version 1 root has no extensions to say that it is a CA. */
static bool may_issue(const struct cmi_cert *ca, bool is_anchor)
{
	if (ca->version < 3)
		return is_anchor && ca->self_issued;
	return ca->ca && ca->key_cert_sign;
}

enum cmi_finding_id cmi_ca_defect(const struct cmi_cert *ca, bool is_anchor,
	const struct cmi_verdict_request *request)
{
	int bits = level_bits(cmi_security_level(request));
	bool dates = !is_anchor || !request->anchor_dates_off;

	if (dates && ca->not_before_s > request->at_s)
		return CMI_F_NOT_YET_VALID;
	if (dates && ca->not_after_s < request->at_s)
		return is_anchor ? CMI_F_EXPIRED_ROOT
				 : CMI_F_EXPIRED_INTERMEDIATE;
	if (ca->extensions_bad)
		return CMI_F_MALFORMED_CERTIFICATE;
	if (!may_issue(ca, is_anchor))
		return CMI_F_NOT_A_CA;
	if (!usage_fits(ca, request->purpose))
		return CMI_F_WRONG_USAGE;
	if (ca->critical_unknown)
		return CMI_F_POLICY;
	if (ca->key_costly)
		return CMI_F_COSTLY_KEY;
	if (ca->key_security >= 0 && ca->key_security < bits)
		return CMI_F_WEAK_KEY;
	/* Nobody checks an anchor's signature on itself. */
	if (!is_anchor && ca->signature_bits >= 0 && ca->signature_bits < bits)
		return CMI_F_WEAK_SIGNATURE;
	return CMI_F_NONE;
}
