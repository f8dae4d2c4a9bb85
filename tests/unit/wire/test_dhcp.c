/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "wire/dhcp.h"

/* The fixed part of RFC 2131 figure 1, with options behind the cookie. */
static struct cmi_buf build(uint8_t op, struct cmi_bytes sname,
	struct cmi_bytes file, struct cmi_bytes options)
{
	struct cmi_buf b;

	cmi_buf_init(&b, 1 << 20);
	cmi_buf_u8(&b, op);
	cmi_buf_add(&b, "\x01\x06\x00\x11\x22\x33\x44", 7);
	cmi_buf_be(&b, 8, 0);
	cmi_buf_be(&b, 4, 0x0a000009);
	cmi_buf_be(&b, 8, 0);
	cmi_buf_add(&b, "\x00\x01\x02\x03\x04\x05", 6);
	while (b.n < 44)
		cmi_buf_u8(&b, 0);
	cmi_buf_add_bytes(&b, sname);
	while (b.n < 108)
		cmi_buf_u8(&b, 0);
	cmi_buf_add_bytes(&b, file);
	while (b.n < 236)
		cmi_buf_u8(&b, 0);
	cmi_buf_be(&b, 4, 0x63825363);
	cmi_buf_add_bytes(&b, options);
	return b;
}

#define NONE ((struct cmi_bytes){0})

static const struct {
	const char *name;
	struct cmi_bytes sname, file, options;
	uint8_t type;
	bool has43, truncated;
	struct cmi_bytes option43, class_id;
} rows[] = {
	{"plain", NONE, NONE,
		CMI_BYTES("\x35\x01\x05\x3c\x04UCWA\x2b\x03\x01\x01z\xff"), 5,
		true, false, CMI_BYTES("\x01\x01z"), CMI_BYTES("UCWA")},
	{"padding between", NONE, NONE,
		CMI_BYTES("\x00\x00\x35\x01\x05\x00\x2b\x01z\xff\x2b\x01y"), 5,
		true, false, CMI_BYTES("z"), NONE},
	{"no end mark", NONE, NONE, CMI_BYTES("\x2b\x01z"), 0, true, false,
		CMI_BYTES("z"), NONE},
	{"empty option 43 is there", NONE, NONE, CMI_BYTES("\x2b\x00\xff"), 0,
		true, false, NONE, NONE},
	{"split in two (RFC 3396)", NONE, NONE,
		CMI_BYTES("\x2b\x02"
			  "ab\x35\x01\x05\x2b\x01"
			  "c\xff"),
		5, true, false, CMI_BYTES("abc"), NONE},
	{"overload: file, then sname",
		CMI_BYTES("\x2b\x01"
			  "c\xff"),
		CMI_BYTES("\x2b\x01"
			  "b\xff"),
		CMI_BYTES("\x34\x01\x03\x2b\x01"
			  "a\xff"),
		0, true, false, CMI_BYTES("abc"), NONE},
	{"no overload: file is a name", NONE,
		CMI_BYTES("\x2b\x01"
			  "b\xff"),
		CMI_BYTES("\x35\x01\x05\xff"), 5, false, false, NONE, NONE},
	{"option longer than the message", NONE, NONE,
		CMI_BYTES("\x35\x01\x05\x2b\x09"
			  "abc"),
		5, false, true, NONE, NONE},
	{"option without a length", NONE, NONE, CMI_BYTES("\x2b"), 0, false,
		true, NONE, NONE},
	{"message type without a value", NONE, NONE, CMI_BYTES("\x35\x00\xff"),
		0, false, false, NONE, NONE},
};

static void options(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_buf b =
			build(2, rows[i].sname, rows[i].file, rows[i].options);
		struct cmi_dhcp_message m;
		cmend_error err;

		print_message("row: %s\n", rows[i].name);
		cmi_dhcp_message_init(&m);
		assert_int_equal(
			cmi_dhcp_message(cmi_buf_view(&b), &m, &err), CMEND_OK);
		assert_int_equal(m.xid, 0x11223344);
		assert_int_equal(m.hardware_addr.n, 6);
		assert_int_equal(m.message_type, rows[i].type);
		assert_int_equal(m.truncated, rows[i].truncated);
		assert_int_equal(m.vendor_specific.present, rows[i].has43);
		assert_true(
			cmi_bytes_equal(cmi_buf_view(&m.vendor_specific.joined),
				rows[i].option43));
		assert_true(cmi_bytes_equal(
			cmi_buf_view(&m.class_id.joined), rows[i].class_id));
		cmi_dhcp_message_dispose(&m);
		cmi_buf_dispose(&b);
	}
}

static void cut_or_wrong_fixed_part_is_refused(void **state)
{
	struct cmi_buf good = build(1, NONE, NONE, NONE);
	struct cmi_dhcp_message m;
	cmend_error err;

	(void)state;
	for (size_t n = 0; n < good.n; n++) {
		cmi_dhcp_message_init(&m);
		assert_int_equal(cmi_dhcp_message((struct cmi_bytes){good.p, n},
					 &m, &err),
			CMEND_PARSE);
		cmi_dhcp_message_dispose(&m);
	}
	for (uint8_t op = 0; op < 4; op += 3) {
		good.p[0] = op;
		cmi_dhcp_message_init(&m);
		assert_int_equal(
			cmi_dhcp_message(cmi_buf_view(&good), &m, &err),
			CMEND_PARSE);
		cmi_dhcp_message_dispose(&m);
	}
	good.p[0] = 1;
	good.p[236] = 0;
	cmi_dhcp_message_init(&m);
	assert_int_equal(
		cmi_dhcp_message(cmi_buf_view(&good), &m, &err), CMEND_PARSE);
	cmi_dhcp_message_dispose(&m);
	cmi_buf_dispose(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(cut_or_wrong_fixed_part_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
