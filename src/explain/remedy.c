/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/remedy.h"

static const struct cmi_remedy send_whole_chain = {
	"send the full chain",
	"Install the server's certificate together with its intermediates, in "
	"order and without the root. It heals every client at once, and no "
	"client has to change. chainmend mend writes the file and the lines "
	"for common servers.",
	CMI_BLAME_SERVER,
	false,
};

static const struct cmi_remedy fix_firmware = {
	"fix the firmware: one way to acquire the chain for every way to sign "
	"in",
	"The device can download its chain and does so for one way to sign "
	"in only. The other way should call the same function before its "
	"first TLS connection, and go on treating what it gets as path "
	"material, never as an anchor.",
	CMI_BLAME_CLIENT,
	false,
};

static const struct cmi_remedy sign_in_once = {
	"sign in by PIN once",
	"That way downloads the intermediate, and the device keeps it: "
	"afterwards the other way works too, until the device is reset. A "
	"work-around for single devices, not for a fleet.",
	CMI_BLAME_CLIENT,
	true,
};

static const struct cmi_remedy direct_issuance = {
	"use a certificate issued straight from a preloaded root",
	"Then no intermediate is needed at all. It is rarely practical: "
	"public CAs keep their roots offline and are not allowed to issue "
	"server certificates from them, so this means a root of your own on "
	"every device. chainmend survey lists the exceptions seen.",
	CMI_BLAME_CA,
	false,
};

static const struct cmi_remedy let_client_fetch = {
	"let the client complete the chain",
	"Turn on issuer downloads where the client has them, or give it the "
	"intermediate by hand; chainmend run does it for programs that use "
	"OpenSSL. It helps this client only.",
	CMI_BLAME_CLIENT,
	true,
};

static const struct cmi_remedy mend_address = {
	"bring the issuer's address back",
	"The address in the certificate should give the issuer as one DER "
	"certificate over plain http. This helps clients that download "
	"issuers, and only those.",
	CMI_BLAME_CA,
	false,
};

static size_t for_missing(const struct cmi_remedy_question *q,
	struct cmi_remedy out[CMI_REMEDIES_MAX])
{
	size_t n = 0;

	out[n++] = send_whole_chain;
	if (q->chain_download) {
		out[n++] = fix_firmware;
		out[n++] = sign_in_once;
	} else {
		if (q->cause == CMI_F_CHAIN_DOWNLOAD_FAILED)
			out[n++] = mend_address;
		out[n++] = let_client_fetch;
	}
	out[n++] = direct_issuance;
	return n;
}

size_t cmi_remedies(const struct cmi_remedy_question *q,
	struct cmi_remedy out[CMI_REMEDIES_MAX])
{
	const struct cmi_finding_text *t = cmi_finding_text(q->verdict);

	if (q->verdict == CMI_F_MISSING_INTERMEDIATE)
		return for_missing(q, out);
	if (!t)
		return 0;
	out[0] = (struct cmi_remedy){
		"mend it at its root", t->remedy, t->blame, false};
	return 1;
}
