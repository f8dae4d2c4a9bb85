/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcrypto's errors as findings: what each says about the path, and whether
 * the same certificate would be refused in any other.  Private to chain/:
 * verdict.c asks.
 */
#ifndef CMI_CHAIN_VERDICT_REASON_H
#define CMI_CHAIN_VERDICT_REASON_H

#include "chain/verdict.h"

/* libcrypto has no number for a leaf whose key it cannot read. */
#define CMI_ERROR_NO_PUBLIC_KEY (-1)

/* The refusal that an X509_V_ERR_* about the certificate at that depth means.
 */
void cmi_verdict_refuse(const struct cmi_path *path, unsigned depth, int error,
	struct cmi_verdict *out);

#endif
