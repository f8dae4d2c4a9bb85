/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extensions of a forged certificate as OpenSSL's configuration writes them,
 * sections and all: forge_order.more = forge_conf, .more_ctx = the text.
 */
#ifndef CMI_TESTS_UNIT_FORGE_CONF_H
#define CMI_TESTS_UNIT_FORGE_CONF_H

#include "forge.h"

#include <openssl/conf.h>

static inline void forge_conf(X509 *x, const void *ctx)
{
	BIO *text = BIO_new_mem_buf(ctx, -1);
	CONF *conf = NCONF_new(NULL);
	X509V3_CTX v3;
	long line = 0;

	if (NCONF_load_bio(conf, text, &line) != 1)
		fail_msg("line %ld of: %s", line, (const char *)ctx);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	X509V3_set_nconf(&v3, conf);
	if (X509V3_EXT_add_nconf(conf, &v3, "default", x) != 1)
		fail_msg("no extensions: %s", (const char *)ctx);
	NCONF_free(conf);
	BIO_free(text);
}

#endif
