/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extensions of a forged certificate as OpenSSL's configuration writes them,
 * sections and all: forge_order.more = forge_conf, .more_ctx = the text.
 */
#ifndef CMI_TESTS_UNIT_FORGE_CONF_H
#define CMI_TESTS_UNIT_FORGE_CONF_H

#include "core/buf.h"
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

/* One for all tests of a group. */
static struct forged *root;

static int make_root(void **state)
{
	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	return 0;
}

/* start, then each n times, with a comma or, the first, nothing, and the
 * number: extensions too long to be written down.  Freed with test_free. */
static inline char *many(const char *start, const char *each, size_t n)
{
	struct cmi_buf b;
	char *text;

	cmi_buf_init(&b, (size_t)1 << 20);
	cmi_buf_text(&b, start);
	for (size_t i = 0; i < n; i++)
		cmi_buf_printf(&b, each, i ? "," : "", i);
	cmi_buf_text(&b, "\n");
	assert_int_equal(cmi_buf_status(&b, NULL), CMEND_OK);
	text = test_malloc(b.n + 1);
	memcpy(text, cmi_buf_cstr(&b), b.n + 1);
	cmi_buf_dispose(&b);
	return text;
}

#endif
