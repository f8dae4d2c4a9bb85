/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcrypto out of memory.
 *
 * Where an allocation fails inside libcrypto, a key may look unreadable and an
 * algorithm absent, for the rest of the process: the verdict would be about
 * the machine and not about the chain.  A program (never the library: it is
 * its host's memory) takes the way out that it gives here.
 */
#ifndef CMI_X509_GUARD_H
#define CMI_X509_GUARD_H

#include <stdbool.h>

/* Before anything else of libcrypto is used; ran_out does not return.  False:
 * too late, libcrypto has memory already. */
bool cmi_crypto_guard(void (*ran_out)(void));

#endif
