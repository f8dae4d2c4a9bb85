/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a certificate can be expected to do as an issuer, from its facts
 * alone: an opinion that orders the search, never a verdict.  What looks
 * unsound is tried when nothing else is left, and libcrypto has the word.
 */
#ifndef CMI_CHAIN_SOUND_H
#define CMI_CHAIN_SOUND_H

#include "chain/verdict.h"

/* CMI_F_NONE: none found.  Name constraints are not looked at. */
enum cmi_finding_id cmi_ca_defect(const struct cmi_cert *ca, bool is_anchor,
	const struct cmi_verdict_request *request);

#endif
