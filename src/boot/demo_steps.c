/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/demo.h"

#include <stdio.h>

const struct cmi_demo_step cmi_demo_steps[CMI_DEMO_STEPS] = {
	{
		.n = 1,
		.name = "step-1-usb-broken-leaf-only",
		.new_phone = true,
		.way = CMI_WAY_USB,
		.firmware = CMI_FIRMWARE_BROKEN,
		.sends = CMI_SENDS_LEAF,
		.server_says = "leaf only",
		.must = "fails: fatal alert unknown_ca, intermediate missing",
		.why = CMI_F_MISSING_INTERMEDIATE,
		.secret_stays = true,
	},
	{
		.n = 2,
		.name = "step-2-pin-broken-leaf-only",
		.new_phone = true,
		.way = CMI_WAY_PIN,
		.firmware = CMI_FIRMWARE_BROKEN,
		.sends = CMI_SENDS_LEAF,
		.server_says = "leaf only",
		.must = "signed in: the issuer came over port 80 first",
		.signed_in = true,
		.downloaded = true,
		.issuer_from = CMI_FROM_CACHE,
	},
	{
		.n = 3,
		.name = "step-3-usb-broken-same-phone",
		.way = CMI_WAY_USB,
		.firmware = CMI_FIRMWARE_BROKEN,
		.sends = CMI_SENDS_LEAF,
		.server_says = "leaf only",
		.must = "signed in: the issuer was kept on disk",
		.signed_in = true,
		.issuer_from = CMI_FROM_CACHE,
	},
	{
		.n = 4,
		.name = "step-4-usb-fixed-leaf-only",
		.new_phone = true,
		.way = CMI_WAY_USB,
		.firmware = CMI_FIRMWARE_FIXED,
		.sends = CMI_SENDS_LEAF,
		.server_says = "leaf only",
		.must = "signed in: any way may download the issuer",
		.signed_in = true,
		.downloaded = true,
		.issuer_from = CMI_FROM_PORT80,
	},
	{
		.n = 5,
		.name = "step-5-usb-broken-mended",
		.new_phone = true,
		.way = CMI_WAY_USB,
		.firmware = CMI_FIRMWARE_BROKEN,
		.sends = CMI_SENDS_MENDED,
		.server_says = "leaf and intermediate",
		.must = "signed in: the server was mended",
		.signed_in = true,
		.issuer_from = CMI_FROM_SENT,
	},
	{
		.n = 6,
		.name = "step-6-usb-broken-direct",
		.new_phone = true,
		.way = CMI_WAY_USB,
		.firmware = CMI_FIRMWARE_BROKEN,
		.sends = CMI_SENDS_DIRECT,
		.server_says = "leaf from the root itself",
		.must = "signed in: there is no intermediate to miss",
		.signed_in = true,
		.issuer_from = CMI_FROM_ANCHOR,
	},
	{
		.n = 7,
		.name = "step-7-pin-fixed-attacker",
		.new_phone = true,
		.way = CMI_WAY_PIN,
		.firmware = CMI_FIRMWARE_FIXED,
		.sends = CMI_SENDS_ATTACK,
		.server_says = "an attacker's chain",
		.must = "refused: no anchor from port 80, the PIN stays",
		.downloaded = true,
		.why = CMI_F_CHAIN_DOWNLOAD_UNTRUSTED,
		.secret_stays = true,
		.quarantines = true,
	},
};

static bool is(
	bool want, bool is_so, const char *what, char *says, size_t n_says)
{
	if (want == is_so)
		return true;
	snprintf(says, n_says, "%s: expected %s, was %s", what,
		want ? "yes" : "no", is_so ? "yes" : "no");
	return false;
}

bool cmi_demo_step_met(const struct cmi_demo_step *step,
	const struct cmi_phone_result *r, char *says, size_t n_says)
{
	if (!is(step->signed_in, r->signed_in, "signed in", says, n_says) ||
		!is(step->downloaded, r->downloaded, "downloaded over port 80",
			says, n_says) ||
		!is(!step->secret_stays, r->secret_sent, "secret sent", says,
			n_says) ||
		!is(step->quarantines, r->quarantined > 0, "quarantined", says,
			n_says))
		return false;
	if (!is(step->signed_in, r->registered_s > 0, "registered", says,
		    n_says))
		return false;
	if (!step->signed_in && r->why != step->why) {
		const char *was = cmi_finding_name(r->why);

		snprintf(says, n_says, "reason: expected %s, was %s",
			cmi_finding_name(step->why), was ? was : r->says);
		return false;
	}
	if (step->signed_in && r->issuer_from != step->issuer_from) {
		snprintf(says, n_says, "issuer from: expected %s, was %s",
			cmi_origin_name(step->issuer_from),
			cmi_origin_name(r->issuer_from));
		return false;
	}
	return true;
}
