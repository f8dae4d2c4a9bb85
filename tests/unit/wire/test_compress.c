/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <zlib.h>
#include <zstd.h>

#include "core/limits.h"
#include "wire/tls_compress.h"

static const char text[] = "certificate certificate certificate certificate";
#define TEXT_N (sizeof(text) - 1)

/* That text, by the reference encoder (quality 11, window 22). */
static const uint8_t brotli[] = {0x1b, 0x2e, 0x00, 0xf8, 0x25, 0x00, 0x0a, 0x98,
	0x62, 0x6a, 0x01, 0x6f, 0x4c, 0x2d};

static struct cmi_bytes pack(uint16_t algorithm, uint8_t room[256])
{
	uLongf n = 256;
	size_t zn;

	switch (algorithm) {
	case 1:
		assert_int_equal(
			compress(room, &n, (const Bytef *)text, TEXT_N), Z_OK);
		return (struct cmi_bytes){room, n};
	case 2:
		memcpy(room, brotli, sizeof(brotli));
		return (struct cmi_bytes){room, sizeof(brotli)};
	default:
		zn = ZSTD_compress(room, 256, text, TEXT_N, 3);
		assert_false(ZSTD_isError(zn));
		return (struct cmi_bytes){room, zn};
	}
}

static cmend_status unpack(const struct cmi_tls_compressed *z, size_t *n)
{
	struct cmi_buf out;
	cmend_error err;
	cmend_status status;

	cmi_buf_init(&out, CMI_HANDSHAKE_MAX);
	status = cmi_tls_decompress(z, &out, &err);
	*n = out.n;
	if (status == CMEND_OK)
		assert_memory_equal(out.p, text, TEXT_N);
	cmi_buf_dispose(&out);
	return status;
}

static void every_algorithm(void **state)
{
	(void)state;
	for (uint16_t algorithm = 1; algorithm <= 3; algorithm++) {
		struct cmi_tls_compressed z = {algorithm, TEXT_N, {0}};
		uint8_t room[256];
		size_t n;

		print_message("row: algorithm %u\n", algorithm);
		z.packed = pack(algorithm, room);
		assert_int_equal(unpack(&z, &n), CMEND_OK);
		assert_int_equal(n, TEXT_N);
		/* Announced too short, too long. */
		z.length = TEXT_N - 1;
		assert_int_equal(unpack(&z, &n), CMEND_PARSE);
		assert_int_equal(n, 0);
		z.length = TEXT_N + 1;
		assert_int_equal(unpack(&z, &n), CMEND_PARSE);
		/* Cut anywhere. */
		z.length = TEXT_N;
		while (z.packed.n) {
			z.packed.n--;
			assert_int_equal(unpack(&z, &n), CMEND_PARSE);
		}
	}
}

/* What stands behind the certificate is not passed by unread; the reference
 * decoder of Brotli alone does so, as in the clients that use it. */
static void nothing_may_follow(void **state)
{
	(void)state;
	for (uint16_t algorithm = 1; algorithm <= 3; algorithm += 2) {
		struct cmi_tls_compressed z = {algorithm, TEXT_N, {0}};
		uint8_t room[256];
		size_t n;

		print_message("row: algorithm %u\n", algorithm);
		z.packed = pack(algorithm, room);
		room[z.packed.n++] = 'x';
		assert_int_equal(unpack(&z, &n), CMEND_PARSE);
		assert_int_equal(n, 0);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *name;
		struct cmi_tls_compressed z;
		cmend_status status;
	} rows[] = {
		{"algorithm 0", {0, 5, CMI_BYTES("hello")}, CMEND_PARSE},
		{"algorithm 4", {4, 5, CMI_BYTES("hello")}, CMEND_PARSE},
		{"no length", {1, 0, CMI_BYTES("hello")}, CMEND_PARSE},
		{"a bomb", {1, CMI_HANDSHAKE_MAX + 1, CMI_BYTES("hello")},
			CMEND_LIMIT},
		{"no zlib", {1, 5, CMI_BYTES("hello")}, CMEND_PARSE},
		{"no brotli", {2, 5, CMI_BYTES("hello")}, CMEND_PARSE},
		{"no zstd", {3, 5, CMI_BYTES("hello")}, CMEND_PARSE},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t n;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(unpack(&rows[i].z, &n), rows[i].status);
		assert_int_equal(n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_algorithm),
		cmocka_unit_test(nothing_may_follow),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
