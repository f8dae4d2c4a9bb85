/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/hello.h"

#include <string.h>

/* ECDHE, DHE and RSA with what servers of the last twenty years speak; the
 * last tells that renegotiation is safe (RFC 5746 section 3.3). */
static const uint16_t ciphers[] = {0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
	0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0xc023, 0xc027, 0xc024, 0xc028,
	0x009e, 0x009f, 0x0033, 0x0039, 0x0067, 0x006b, 0x009c, 0x009d, 0x002f,
	0x0035, 0x003c, 0x003d, 0x000a, 0x0005, 0x0004, 0x00ff};
static const uint16_t groups[] = {0x001d, 0x0017, 0x0018, 0x0019};
static const uint16_t signatures[] = {0x0403, 0x0503, 0x0603, 0x0804, 0x0805,
	0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0807, 0x0202};

static void put_list(struct cmi_buf *out, const uint16_t *values, size_t n)
{
	cmi_buf_be(out, 2, n * 2);
	for (size_t i = 0; i < n; i++)
		cmi_buf_be(out, 2, values[i]);
}

static void put_extensions(struct cmi_buf *out, const char *server_name)
{
	size_t n = strlen(server_name);

	if (n) { /* RFC 6066 section 3 */
		cmi_buf_be(out, 2, 0);
		cmi_buf_be(out, 2, n + 5);
		cmi_buf_be(out, 2, n + 3);
		cmi_buf_u8(out, 0);
		cmi_buf_be(out, 2, n);
		cmi_buf_text(out, server_name);
	}
	cmi_buf_be(out, 2, 10);
	cmi_buf_be(out, 2, 2 + sizeof(groups));
	put_list(out, groups, CMI_LEN(groups));
	cmi_buf_be(out, 2, 11); /* uncompressed points */
	cmi_buf_be(out, 2, 2);
	cmi_buf_be(out, 2, 0x0100);
	cmi_buf_be(out, 2, 13);
	cmi_buf_be(out, 2, 2 + sizeof(signatures));
	put_list(out, signatures, CMI_LEN(signatures));
	cmi_buf_be(out, 4, 0x00170000); /* extended master secret */
}

cmend_status cmi_hello_write(const char *server_name, const struct cmi_env *env,
	struct cmi_buf *out, cmend_error *err)
{
	struct cmi_buf body, extensions;
	uint8_t random[32];
	cmend_status status = cmi_random(env, random, sizeof(random));

	if (status != CMEND_OK)
		return cmi_fail(err, status, "no randomness to be had");
	cmi_buf_init(&body, 4096);
	cmi_buf_init(&extensions, 4096);
	put_extensions(&extensions, server_name);
	cmi_buf_be(&body, 2, 0x0303);
	cmi_buf_add(&body, random, sizeof(random));
	cmi_buf_u8(&body, 0); /* no session */
	put_list(&body, ciphers, CMI_LEN(ciphers));
	cmi_buf_be(&body, 2, 0x0100); /* no compression */
	cmi_buf_be(&body, 2, extensions.n);
	cmi_buf_add_bytes(&body, cmi_buf_view(&extensions));
	cmi_buf_be(out, 3, 0x160301);
	cmi_buf_be(out, 2, body.n + 4);
	cmi_buf_u8(out, 1);
	cmi_buf_be(out, 3, body.n);
	cmi_buf_add_bytes(out, cmi_buf_view(&body));
	status = cmi_buf_status(&body, err);
	cmi_buf_dispose(&body);
	cmi_buf_dispose(&extensions);
	CMI_TRY(status);
	return cmi_buf_status(out, err);
}
