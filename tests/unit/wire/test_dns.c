/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "wire/dns.h"

#define QUERY   "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define ANSWER2 "\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00"
#define WEB                                                                    \
	"\x03WeB\x07"                                                          \
	"example\x00"
#define A_IN "\x00\x01\x00\x01"
#define TTL  "\x00\x00\x00\x3c"

static void question_and_answers(void **state)
{
	struct cmi_bytes data = CMI_BYTES(ANSWER2 WEB A_IN
		/* a CNAME by pointer, then the address of its target */
		"\xc0\x0c\x00\x05\x00\x01" TTL "\x00\x04\x01x\xc0\x10"
		"\xc0\x0c" A_IN TTL "\x00\x04\x0a\x00\x00\x09");
	struct cmi_dns_message m;
	cmend_error err;

	(void)state;
	assert_int_equal(cmi_dns_message(data, &m, &err), CMEND_OK);
	assert_int_equal(m.id, 0x1234);
	assert_true(m.response);
	assert_string_equal(m.name, "web.example");
	assert_int_equal(m.type, 1);
	assert_int_equal(m.n_addrs, 1);
	assert_int_equal(m.addrs[0].family, 4);
	assert_memory_equal(m.addrs[0].addr, "\x0a\x00\x00\x09", 4);
	assert_false(m.damaged);
}

static void strange_bytes_are_escaped(void **state)
{
	struct cmi_bytes data = CMI_BYTES(QUERY "\x04"
						"a.\x00\xff\x00" A_IN);
	struct cmi_dns_message m;
	cmend_error err;

	(void)state;
	assert_int_equal(cmi_dns_message(data, &m, &err), CMEND_OK);
	assert_string_equal(m.name, "a\\046\\000\\255");
}

static void refusals(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
	} rows[] = {
		{"empty", {0}},
		{"half a header", CMI_BYTES("\x12\x34\x01\x00\x00")},
		{"no question there", CMI_BYTES(QUERY)},
		{"label longer than the rest", CMI_BYTES(QUERY "\x3f"
							       "abc")},
		{"name without end", CMI_BYTES(QUERY "\x03"
						     "abc")},
		{"reserved label type", CMI_BYTES(QUERY "\x80"
							"a\x00" A_IN)},
		{"pointer to itself", CMI_BYTES(QUERY "\xc0\x0c" A_IN)},
		{"pointer forwards", CMI_BYTES(QUERY "\xc0\x20" A_IN "\x00")},
		{"half a pointer", CMI_BYTES(QUERY "\xc0")},
		{"no class", CMI_BYTES(QUERY WEB "\x00\x01")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_dns_message m;
		cmend_error err;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_dns_message(rows[i].data, &m, &err), CMEND_PARSE);
	}
}

static void name_of_256_bytes_is_refused(void **state)
{
	uint8_t data[12 + 4 * 64 + 1 + 4] =
		"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00";
	struct cmi_dns_message m;
	cmend_error err;

	(void)state;
	for (int i = 0; i < 4; i++) {
		data[12 + 64 * i] = 63;
		memset(data + 13 + 64 * i, 'a', 63);
	}
	assert_int_equal(cmi_dns_message((struct cmi_bytes){data, sizeof(data)},
				 &m, &err),
		CMEND_PARSE);
}

static void damaged_answers_keep_what_came_before(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
		size_t n_addrs;
	} rows[] = {
		{"second answer missing",
			CMI_BYTES(ANSWER2 WEB A_IN "\xc0\x0c" A_IN TTL
						   "\x00\x04\x01\x02\x03\x04"),
			1},
		{"data longer than the message",
			CMI_BYTES(ANSWER2 WEB A_IN "\xc0\x0c" A_IN TTL
						   "\x00\x05\x01\x02\x03\x04"),
			0},
		{"address of five bytes is none",
			CMI_BYTES(ANSWER2 WEB A_IN
				"\xc0\x0c" A_IN TTL
				"\x00\x05\x01\x02\x03\x04\x05\xc0"),
			0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_dns_message m;
		cmend_error err;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_dns_message(rows[i].data, &m, &err), CMEND_OK);
		assert_true(m.damaged);
		assert_int_equal(m.n_addrs, rows[i].n_addrs);
	}
}

static void tcp_form_has_a_length(void **state)
{
	struct cmi_cursor c = cmi_cursor_of(CMI_BYTES("\x00\x02"
						      "ab\x00\x03"
						      "c"));
	struct cmi_bytes m;

	(void)state;
	assert_true(cmi_dns_tcp_message(&c, &m));
	assert_int_equal(m.n, 2);
	assert_false(cmi_dns_tcp_message(&c, &m));
	assert_int_equal(c.at, 4);
}

#define SRV_HEAD "\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00"
/* _x._tcp.a, type SRV, class IN; the name stands at 12, "a" at 20. */
#define SRV_ASK                                                                \
	"\x02_x\x04_tcp\x01"                                                   \
	"a\x00\x00\x21\x00\x01"
#define SRV_REC(len) "\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x3c" len
#define SRV_DATA     "\x00\x0a\x00\x05\x13\xc5"

static void services(void **state)
{
	struct cmi_dns_srv got[CMI_DNS_SRV_MAX];
	size_t n = 0;

	(void)state;
	/* The first target is compressed, the second is the root. */
	assert_int_equal(
		cmi_dns_services(
			CMI_BYTES(SRV_HEAD SRV_ASK SRV_REC("\x00\x0d") SRV_DATA
				"\x04Pool\xc0\x14" SRV_REC("\x00\x07") SRV_DATA
				"\x00"),
			got, &n, NULL),
		CMEND_OK);
	assert_int_equal(n, 2);
	assert_string_equal(got[0].target, "pool.a");
	assert_int_equal(got[0].priority, 10);
	assert_int_equal(got[0].weight, 5);
	assert_int_equal(got[0].port, 5061);
	assert_string_equal(got[1].target, "");
}

static void services_refused(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
	} rows[] = {
		{"nothing", CMI_BYTES("")},
		{"header cut", CMI_BYTES("\x12\x34\x81\x80\x00\x01\x00")},
		{"question cut", CMI_BYTES(SRV_HEAD "\x02_x")},
		{"no record", CMI_BYTES(SRV_HEAD SRV_ASK)},
		{"data shorter than its name",
			CMI_BYTES(SRV_HEAD SRV_ASK SRV_REC("\x00\x08") SRV_DATA
				"\x04pool\x00")},
		{"data longer than its name",
			CMI_BYTES(SRV_HEAD SRV_ASK SRV_REC("\x00\x0d") SRV_DATA
				"\x04pool\x00\x00")},
		{"data longer than the message",
			CMI_BYTES(SRV_HEAD SRV_ASK SRV_REC("\x00\xff") SRV_DATA
				"\x04pool\x00")},
		{"target points at itself",
			CMI_BYTES(SRV_HEAD SRV_ASK SRV_REC("\x00\x08") SRV_DATA
				"\xc0\x2c")},
		{"port missing", CMI_BYTES(SRV_HEAD SRV_ASK SRV_REC(
					 "\x00\x04") "\x00\x0a\x00\x05")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_dns_srv got[CMI_DNS_SRV_MAX];
		size_t n = 99;

		if (cmi_dns_services(rows[i].data, got, &n, NULL) !=
				CMEND_PARSE ||
			n != 99)
			fail_msg("%s", rows[i].name);
	}
}

static void other_records_are_no_services(void **state)
{
	struct cmi_dns_srv got[CMI_DNS_SRV_MAX];
	size_t n = 99;

	(void)state;
	assert_int_equal(
		cmi_dns_services(
			CMI_BYTES(ANSWER2 WEB A_IN
				"\xc0\x0c" A_IN TTL "\x00\x04\x01\x02\x03\x04"
				"\xc0\x0c" A_IN TTL "\x00\x04\x01\x02\x03\x04"),
			got, &n, NULL),
		CMEND_OK);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_and_answers),
		cmocka_unit_test(strange_bytes_are_escaped),
		cmocka_unit_test(refusals),
		cmocka_unit_test(name_of_256_bytes_is_refused),
		cmocka_unit_test(damaged_answers_keep_what_came_before),
		cmocka_unit_test(tcp_form_has_a_length),
		cmocka_unit_test(services),
		cmocka_unit_test(services_refused),
		cmocka_unit_test(other_records_are_no_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
