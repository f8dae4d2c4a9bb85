/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <unistd.h>

#include "capture/keylog.h"
#include "core/file.h"
#include "core/limits.h"

#define R32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define S48                                                                    \
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"     \
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"

static const uint8_t random_bytes[32] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
	0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11,
	0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
	0xee, 0xff};

static const struct cmi_bytes the_random = {random_bytes, 32};

static void lines(void **state)
{
	static const struct {
		const char *name, *text;
		enum cmi_secret kind;
		size_t n; /* of the secret found */
	} rows[] = {
		{"master secret", "CLIENT_RANDOM " R32 " " S48 "\n",
			CMI_SECRET_CLIENT_RANDOM, 48},
		{"without a line end", "CLIENT_RANDOM " R32 " " S48,
			CMI_SECRET_CLIENT_RANDOM, 48},
		{"CRLF behind a comment",
			"# made by x\r\n"
			"SERVER_TRAFFIC_SECRET_0 " R32 " " R32 "\r\n",
			CMI_SECRET_SERVER_TRAFFIC, 32},
		{"another label", "EXPORTER_SECRET " R32 " " S48 "\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"another kind", "CLIENT_RANDOM " R32 " " S48 "\n",
			CMI_SECRET_CLIENT_TRAFFIC, 0},
		{"random too short", "CLIENT_RANDOM 0011 " S48 "\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"random too long", "CLIENT_RANDOM " R32 "00 " S48 "\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"no secret", "CLIENT_RANDOM " R32 "\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"secret too long", "CLIENT_RANDOM " R32 " " S48 R32 "\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"odd digits", "CLIENT_RANDOM " R32 " " S48 "0\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"no hex", "CLIENT_RANDOM " R32 " xyz\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"a fourth word", "CLIENT_RANDOM " R32 " " S48 " 00\n",
			CMI_SECRET_CLIENT_RANDOM, 0},
		{"nothing", "", CMI_SECRET_CLIENT_RANDOM, 0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_keylog *k = NULL;
		cmend_error err;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(cmi_keylog_new(&k, &err), CMEND_OK);
		assert_int_equal(
			cmi_keylog_add(k, cmi_bytes_of(rows[i].text), &err),
			CMEND_OK);
		assert_int_equal(cmi_keylog_find(k, rows[i].kind, the_random).n,
			rows[i].n);
		cmi_keylog_free(k);
	}
}

static void newest_counts(void **state)
{
	struct cmi_keylog *k = NULL;
	struct cmi_bytes found;
	cmend_error err;

	(void)state;
	assert_int_equal(cmi_keylog_new(&k, &err), CMEND_OK);
	assert_int_equal(cmi_keylog_add(k,
				 CMI_BYTES("CLIENT_RANDOM " R32 " " S48
					   "\nCLIENT_RANDOM " R32 " " R32 "\n"),
				 &err),
		CMEND_OK);
	found = cmi_keylog_find(k, CMI_SECRET_CLIENT_RANDOM, the_random);
	assert_true(cmi_bytes_equal(found, the_random));
	assert_int_equal(cmi_keylog_find(k, CMI_SECRET_CLIENT_RANDOM,
				 (struct cmi_bytes){random_bytes, 31})
				 .n,
		0);
	assert_int_equal(
		cmi_keylog_find(NULL, CMI_SECRET_CLIENT_RANDOM, the_random).n,
		0);
	cmi_keylog_free(k);
}

static void files(void **state)
{
	char path[] = "/tmp/cmi-keylog-XXXXXX";
	struct cmi_keylog *k = NULL;
	cmend_error err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(cmi_keylog_new(&k, &err), CMEND_OK);
	/* Empty: what a program writes before it connects. */
	assert_int_equal(cmi_keylog_read(k, path, NULL, &err), CMEND_OK);
	assert_int_equal(
		cmi_file_write(path, CMI_BYTES("-----BEGIN\n"), 0600, &err),
		CMEND_OK);
	assert_int_equal(cmi_keylog_read(k, path, NULL, &err), CMEND_PARSE);
	assert_non_null(strstr(err.message, path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cmi_keylog_read(k, path, NULL, &err), CMEND_IO);
	cmi_keylog_free(k);
}

/* So many secrets, each of another connection, from the first on. */
static cmend_status add_many(struct cmi_keylog *k, size_t first, size_t n)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, (size_t)64 << 20);
	for (size_t i = first; i < first + n; i++)
		cmi_buf_printf(
			&b, "SERVER_TRAFFIC_SECRET_0 %064zx " R32 "\n", i);
	assert_int_equal(cmi_buf_status(&b, NULL), CMEND_OK);
	return cmi_keylog_add(k, cmi_buf_view(&b), NULL);
}

static void no_more_secrets_than_the_ceiling(void **state)
{
	const size_t part = (size_t)1 << 15;
	struct cmi_keylog *k = NULL;

	(void)state;
	assert_int_equal(cmi_keylog_new(&k, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_SECRETS_MAX; i += part)
		assert_int_equal(add_many(k, i, part), CMEND_OK);
	/* One of them again takes no room. */
	assert_int_equal(add_many(k, 7, 1), CMEND_OK);
	assert_int_equal(add_many(k, CMI_SECRETS_MAX, 1), CMEND_LIMIT);
	cmi_keylog_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(newest_counts),
		cmocka_unit_test(files),
		cmocka_unit_test(no_more_secrets_than_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
