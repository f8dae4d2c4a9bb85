/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file is that holds no certificate: a key, a request, PKCS#12, a web
 * page ...  A guess by its first bytes for the one message that says so, with
 * what to do; nothing in it is used.
 */
#ifndef CMI_X509_OTHER_H
#define CMI_X509_OTHER_H

#include "core/mem.h"

/* "it is a private key; ..."; NULL: it cannot be told.  Constant. */
const char *cmi_other_than_cert(struct cmi_bytes in);

#endif
