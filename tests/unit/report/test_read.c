/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <string.h>

#include "report/read.h"
#include "report/report.h"

#define DIGEST(c)                                                              \
	c c "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"
#define TIME "2026-11-30T04:00:00"
#define SENT                                                                   \
	"\"sent\":[{\"sha256\":\"" DIGEST(                                     \
		"a") "\",\"subject\":\"CN=a\\\\,b,O=\xc3\x89t\xc3\xa9\","      \
		     "\"issuer\""                                              \
		     ":\"CN=ca\",\"not_before\":\"" TIME                       \
		     "Z\",\"not_after\":\"2027-01-02T03:04:05Z\"}],"
#define PATH                                                                   \
	"\"path\":[{\"sha256\":\"" DIGEST(                                     \
		"a") "\",\"from\":\"sent\",\"subject\":\"CN=a\\\\,b,O="        \
		     "\xc3\x89t\xc3\xa9\",\"not_after\":\"2027-01-02T03:04:"   \
		     "05."                                                     \
		     "000000Z\"},{\"sha256\":\"" DIGEST(                       \
			     "b") "\",\"from\":\"aia\",\"subject\":\"CN=ca\"," \
				  "\"not_after\":\"2030-01-01T00:00:00."       \
				  "000000Z\"},"                                \
				  "{\"sha256\":\"" DIGEST(                     \
					  "c") "\",\"from\":\"anchor\","       \
					       "\"subject\":\"O=Root"          \
					       "\",\"not_after\":\"2040-01-"   \
					       "01T00:00:00."                  \
					       "000000Z\"}],"
#define FINDING                                                                \
	"{\"id\":\"missing-intermediate\",\"severity\":\"error\",\"subject\":" \
	"\"CN=ca\",\"frames\":[],\"blame\":\"server\",\"inferred\":true,"      \
	"\"says\":\"it \\\"lacks\\\" CN=ca\",\"remedy\":\"send it\"}"

/* Lines as cmi_report_json has them. */
static const char whole[] =
	"{\"v\":1,\"kind\":\"endpoint\",\"target\":\"a.example:25\","
	"\"address\":\"192.0.2.1:25\",\"starttls\":\"smtp\",\"version\":"
	"\"TLS 1.2\",\"cipher\":\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\","
	"\"cipher_id\":\"0xc02b\",\"at\":\"" TIME ".000000Z\",\"until\":"
	"\"2027-01-02T03:04:05.000000Z\",\"until_profile\":\"java-8\","
	"\"until_subject\":\"CN=a\"," SENT PATH
	"\"verdict\":\"missing-intermediate\",\"findings\":[" FINDING
	"],\"profiles\":[{\"profile\":\"firefox\",\"accepts\":true,"
	"\"why\":null,\"until\":\"2027-01-02T03:04:05.000000Z\","
	"\"until_subject\":\"CN=a\"},{\"profile\":\"java-8\",\"accepts\":"
	"false,\"why\":\"missing-intermediate\",\"says\":\"no way\",\"help\":"
	"\"send it\"},{\"profile\":\"odd\",\"accepts\":null,\"why\":null}]}\n";
static const char none[] =
	"{\"v\":1,\"kind\":\"endpoint\",\"target\":\"a.example:443\","
	"\"version\":null,\"cipher\":null,\"cipher_id\":null,\"at\":\"" TIME
	".000000Z\",\"trouble\":\"a.example:443 refused the connection\","
	"\"sent\":[],\"path\":[],\"verdict\":null,\"findings\":[],"
	"\"profiles\":[]}\n";

static struct cmi_read_endpoint *read_line(
	const char *line, struct cmi_arena *arena, cmend_status expected)
{
	struct cmi_read_endpoint *read = (void *)-1;
	cmend_error err;

	cmi_arena_reset(arena, 0);
	assert_int_equal(
		cmi_read_endpoint(cmi_bytes_of(line), arena, &read, &err),
		expected);
	return read;
}

static void what_was_written_is_read(void **state)
{
	static const char *const lines[] = {whole, none};
	struct cmi_arena arena;

	(void)state;
	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	for (size_t i = 0; i < CMI_LEN(lines); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
		struct cmi_read_endpoint *read =
			read_line(lines[i], &arena, CMEND_OK);
		struct cmi_item item = {.kind = CMI_ITEM_ENDPOINT};

		assert_non_null(read);
		item.endpoint = &read->e;
		cmi_buf_init(&out, (size_t)1 << 20);
		cmi_report_json(&out, &item);
		assert_string_equal(cmi_buf_cstr(&out), lines[i]);
	}
	cmi_arena_dispose(&arena);
}

static void what_the_path_has_of_those_sent(void **state)
{
	struct cmi_read_endpoint *read;
	struct cmi_arena arena;

	(void)state;
	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	read = read_line(whole, &arena, CMEND_OK);
	assert_ptr_equal(read->path.certs[0], read->e.sent[0].cert);
	assert_string_equal(read->path.certs[0]->common_name, "a\\,b");
	assert_string_equal(read->path.certs[0]->issuer, "CN=ca");
	assert_int_equal(read->path.origins[1], CMI_FROM_AIA);
	assert_null(read->path.certs[2]->common_name);
	assert_true(read->e.path_has_anchor);
	cmi_arena_dispose(&arena);
}

static void other_kinds_are_left_out(void **state)
{
	static const char *const lines[] = {"{\"kind\":\"summary\"}",
		"{\"kind\":7}", "{}", "{\"target\":\"a.example:443\"}"};
	struct cmi_arena arena;

	(void)state;
	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	for (size_t i = 0; i < CMI_LEN(lines); i++)
		assert_null(read_line(lines[i], &arena, CMEND_OK));
	cmi_arena_dispose(&arena);
}

static void wrong_lines_are_refused(void **state)
{
	static const char *const lines[] = {"", "{", "hello", "[]", "null",
		"{\"kind\":\"endpoint\"}",
		"{\"kind\":\"endpoint\",\"target\":5}"};
	struct cmi_arena arena;

	(void)state;
	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	for (size_t i = 0; i < CMI_LEN(lines); i++)
		assert_null(read_line(lines[i], &arena, CMEND_PARSE));
	cmi_arena_dispose(&arena);
	cmi_arena_init(&arena, 64);
	assert_null(read_line(whole, &arena, CMEND_LIMIT));
	cmi_arena_dispose(&arena);
}

/* Whoever wrote the file: what a member may be, and what is in it. */
static void odd_members_harm_nothing(void **state)
{
	static const char line[] =
		"{\"kind\":\"endpoint\",\"target\":\"a\\u001b[31m\\u009bb\\n\","
		"\"sent\":[{\"sha256\":\"00\"},{},7,{\"sha256\":\"" DIGEST(
			"a") "\",\"subject\":null}],\"path\":[{\"sha256\":"
			     "\"" DIGEST("a") "\",\"from\":\"nowhere\"},5],"
					      "\"findings\":[{\"id\":\"no-"
					      "such\"}"
					      ",{\"id\":\"root-sent\","
					      "\"severity\":\"?\"}],"
					      "\"profiles\":[1],"
					      "\"at\":\"yesterday\","
					      "\"version\":\"TLS "
					      "9\",\"cipher_id\":\"0x\""
					      "}";
	struct cmi_read_endpoint *read;
	struct cmi_arena arena;

	(void)state;
	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	read = read_line(line, &arena, CMEND_OK);
	assert_non_null(read);
	assert_string_equal(read->e.target, "a?[31m??b?");
	assert_int_equal(read->e.n_sent, 4);
	for (size_t i = 0; i < 4; i++)
		assert_null(read->e.sent[i].cert);
	assert_int_equal(read->path.n, 1);
	assert_false(read->e.path_has_anchor);
	assert_int_equal(read->e.n_findings, 1);
	assert_int_equal(read->e.findings[0].id, CMI_F_ROOT_SENT);
	assert_int_equal(read->e.n_profiles, 1);
	assert_true(read->e.profiles[0].unknown);
	assert_int_equal(read->e.at_us, 0);
	assert_int_equal(read->e.version, 0);
	assert_int_equal(read->e.cipher, 0);
	cmi_arena_dispose(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(what_the_path_has_of_those_sent),
		cmocka_unit_test(other_kinds_are_left_out),
		cmocka_unit_test(wrong_lines_are_refused),
		cmocka_unit_test(odd_members_harm_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
