/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "wire/sip.h"

/* RFC 3261 section 24.1, message F1, with a length that is right. */
#define REGISTER_F1                                                            \
	"REGISTER sip:registrar.biloxi.com SIP/2.0\r\n"                        \
	"Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bKnashds7\r\n"    \
	"Max-Forwards: 70\r\n"                                                 \
	"To: Bob <sip:bob@biloxi.com>\r\n"                                     \
	"From: Bob <sip:bob@biloxi.com>;tag=456248\r\n"                        \
	"Call-ID: 843817637684230@998sdasdh09\r\n"                             \
	"CSeq: 1826 REGISTER\r\n"                                              \
	"Contact: <sip:bob@192.0.2.4>\r\n"                                     \
	"Expires: 7200\r\n"                                                    \
	"Content-Length: 0\r\n\r\n"

#define BASICS                                                                 \
	"f: <sip:a@x>;tag=1\r\nt: <sip:a@x>\r\ni: c@x\r\nCSeq: 1 REGISTER\r\n"
#define LINE "REGISTER sip:x SIP/2.0\r\n"
#define END  "l: 0\r\n\r\n"

static void messages_refused(void **state)
{
	static const struct {
		const char *name, *text;
		cmend_status status;
	} rows[] = {
		{"nothing", "", CMEND_PARSE},
		{"no version", "REGISTER sip:x\r\n" END, CMEND_PARSE},
		{"version 1", "REGISTER sip:x SIP/1.0\r\n" END, CMEND_PARSE},
		{"HTTP", "GET / HTTP/1.1\r\n" END, CMEND_PARSE},
		{"method no token", "RE(G sip:x SIP/2.0\r\n" END, CMEND_PARSE},
		{"two spaces", "REGISTER  sip:x SIP/2.0\r\n" END, CMEND_PARSE},
		{"status 99", "SIP/2.0 099 x\r\n" END, CMEND_PARSE},
		{"status 700", "SIP/2.0 700 x\r\n" END, CMEND_PARSE},
		{"status of two digits", "SIP/2.0 20 x\r\n" END, CMEND_PARSE},
		{"LF for CRLF", "REGISTER sip:x SIP/2.0\nl: 0\n\n",
			CMEND_PARSE},
		{"a lone LF", LINE "X: a\nY: b\r\n" END, CMEND_PARSE},
		{"a lone CR", LINE "X: a\rb\r\n" END, CMEND_PARSE},
		{"NUL in a field", NULL, CMEND_PARSE},
		{"no colon", LINE "X\r\n" END, CMEND_PARSE},
		{"no name", LINE ": x\r\n" END, CMEND_PARSE},
		{"name with a space", LINE "X Y: z\r\n" END, CMEND_PARSE},
		{"fold before any field", LINE " X: z\r\n" END, CMEND_PARSE},
		{"control character", LINE "X: \x01\r\n" END, CMEND_PARSE},
		{"no length", LINE "\r\n", CMEND_PARSE},
		{"two lengths", LINE "l: 0\r\nContent-Length: 0\r\n\r\n",
			CMEND_PARSE},
		{"length no number", LINE "l: -1\r\n\r\n", CMEND_PARSE},
		{"length above the body", LINE "l: 2\r\n\r\na", CMEND_PARSE},
		{"length below the body", LINE "l: 1\r\n\r\nab", CMEND_PARSE},
		{"huge length", LINE "l: 4294967295\r\n\r\n", CMEND_LIMIT},
		{"length over 32 bits", LINE "l: 4294967296\r\n\r\n",
			CMEND_PARSE},
		{"no end", LINE "l: 0\r\n", CMEND_PARSE},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_bytes text = cmi_bytes_of(rows[i].text);
		struct cmi_sip m;

		if (!rows[i].text)
			text = CMI_BYTES(LINE "X: a\0b\r\n" END);
		print_message("row: %s\n", rows[i].name);
		assert_int_equal(cmi_sip_read(text, &m, NULL), rows[i].status);
	}
}

static void too_many_and_too_long(void **state)
{
	struct cmi_sip m;
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, CMI_SIP_HEAD_MAX * 2);
	cmi_buf_text(&b, LINE);
	for (size_t i = 0; i < CMI_SIP_FIELDS_MAX; i++)
		cmi_buf_text(&b, "X: y\r\n");
	cmi_buf_text(&b, END);
	assert_int_equal(cmi_sip_read(cmi_buf_view(&b), &m, NULL), CMEND_LIMIT);
	cmi_buf_clear(&b);
	cmi_buf_text(&b, LINE "X: ");
	for (size_t i = 0; i < CMI_SIP_LINE_MAX; i++)
		cmi_buf_text(&b, "y");
	cmi_buf_text(&b, "\r\n" END);
	assert_int_equal(cmi_sip_read(cmi_buf_view(&b), &m, NULL), CMEND_LIMIT);
	cmi_buf_dispose(&b);
}

static void is(struct cmi_bytes got, const char *want)
{
	if (!cmi_bytes_equal(got, cmi_bytes_of(want)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)got.n,
			(const char *)got.p, want);
}

static void the_rfc_s_register(void **state)
{
	struct cmi_sip_basics b;
	struct cmi_bytes v;
	struct cmi_sip m;

	(void)state;
	assert_int_equal(
		cmi_sip_read(CMI_BYTES(REGISTER_F1), &m, NULL), CMEND_OK);
	assert_false(m.response);
	is(m.method, "REGISTER");
	is(m.uri, "sip:registrar.biloxi.com");
	assert_int_equal(m.n_fields, 9);
	assert_int_equal(cmi_sip_basics(&m, &b, NULL), CMEND_OK);
	is(b.from.uri, "sip:bob@biloxi.com");
	is(b.from_tag, "456248");
	is(b.to.uri, "sip:bob@biloxi.com");
	is(b.to_tag, "");
	is(b.call_id, "843817637684230@998sdasdh09");
	assert_int_equal(b.cseq, 1826);
	assert_true(cmi_sip_get(&m, "contact", &v));
	is(v, "<sip:bob@192.0.2.4>");
	assert_false(cmi_sip_get(&m, "event", &v));
}

static void basics_refused(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{"no From", LINE "t: <sip:a@x>\r\ni: c\r\nCSeq: 1 "
				 "REGISTER\r\n" END},
		{"two of To", LINE BASICS "To: <sip:a@x>\r\n" END},
		{"From a star", LINE "f: *\r\nt: <sip:a@x>\r\ni: c\r\n"
				     "CSeq: 1 REGISTER\r\n" END},
		{"other method in CSeq",
			LINE "f: <sip:a@x>\r\nt: <sip:a@x>\r\ni: c\r\n"
			     "CSeq: 1 INVITE\r\n" END},
		{"CSeq of 2^31", LINE "f: <sip:a@x>\r\nt: <sip:a@x>\r\n"
				      "i: c\r\nCSeq: 2147483648 "
				      "REGISTER\r\n" END},
		{"CSeq without method",
			LINE "f: <sip:a@x>\r\nt: <sip:a@x>\r\ni: c\r\n"
			     "CSeq: 1\r\n" END},
		{"empty Call-ID", LINE "f: <sip:a@x>\r\nt: <sip:a@x>\r\n"
				       "i:\r\nCSeq: 1 REGISTER\r\n" END},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_sip_basics b;
		struct cmi_sip m;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_sip_read(cmi_bytes_of(rows[i].text), &m, NULL),
			CMEND_OK);
		assert_int_equal(cmi_sip_basics(&m, &b, NULL), CMEND_PARSE);
	}
}

static void addresses(void **state)
{
	static const struct {
		const char *name, *text, *uri, *tag; /* NULL: refused */
	} rows[] = {
		{"angles", "<sip:a@x>;tag=1", "sip:a@x", "1"},
		{"bare: parameters are the field's", "sip:a@x;tag=2", "sip:a@x",
			"2"},
		{"inside the angles they are the URI's",
			"<sip:a@x;tag=3>;tag=4", "sip:a@x;tag=3", "4"},
		{"quoted name with angles in it", "\"<b> \\\" c\" <sip:a@x>",
			"sip:a@x", ""},
		{"quoted value", "<sip:a@x>;x=\";tag=9\";tag=5", "sip:a@x",
			"5"},
		{"blanks", "A B <sip:a@x> ; tag = 6", "sip:a@x", "6"},
		{"case of the name", "<sip:a@x>;TAG=7", "sip:a@x", "7"},
		{"fold", "<sip:a@x>\r\n ;tag=8", "sip:a@x", "8"},
		{"angle left open", "<sip:a@x", NULL, NULL},
		{"quote left open", "\"a <sip:a@x>", NULL, NULL},
		{"no scheme", "<a>", NULL, NULL},
		{"blank in the URI", "<sip:a b>", NULL, NULL},
		{"empty parameter", "<sip:a@x>;", NULL, NULL},
		{"parameter without a name", "<sip:a@x>;=1", NULL, NULL},
		{"quote left open in a parameter", "<sip:a@x>;a=\"b", NULL,
			NULL},
		{"something after it", "<sip:a@x> b", NULL, NULL},
		{"empty", "", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_sip_address a;
		struct cmi_bytes tag;
		bool ok = cmi_sip_address(cmi_bytes_of(rows[i].text), &a);

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(ok, rows[i].uri != NULL);
		if (!ok)
			continue;
		is(a.uri, rows[i].uri);
		(void)cmi_sip_param(a.params, "tag", &tag);
		is(tag, rows[i].tag);
	}
}

static void lists(void **state)
{
	struct cmi_bytes list =
		CMI_BYTES("\"a, b\" <sip:a,b@x>;q=1 , <sip:c@x>,sip:d@x");
	struct cmi_bytes item;

	(void)state;
	assert_true(cmi_sip_item(&list, &item));
	is(item, "\"a, b\" <sip:a,b@x>;q=1");
	assert_true(cmi_sip_item(&list, &item));
	is(item, "<sip:c@x>");
	assert_true(cmi_sip_item(&list, &item));
	is(item, "sip:d@x");
	assert_false(cmi_sip_item(&list, &item));
	list = CMI_BYTES(", <sip:c@x>");
	assert_false(cmi_sip_item(&list, &item));
}

static void authentication(void **state)
{
	static const struct {
		const char *name, *text;
		bool good;
		const char *realm;
	} rows[] = {
		{"quoted and not", "TLS-DSK version=4, realm=\"a b\"", true,
			"a b"},
		{"commas in quotes", "TLS-DSK x=\"a,b\",realm=\"c\"", true,
			"c"},
		{"scheme alone", "Negotiate", true, ""},
		{"folds", "TLS-DSK\r\n realm=\"a\",\r\n\tversion=3", true, "a"},
		{"twice", "TLS-DSK realm=\"a\", REALM=\"b\"", false, ""},
		{"quote left open", "TLS-DSK realm=\"a", false, ""},
		{"quote within", "TLS-DSK realm=a\"b\"", false, ""},
		{"no name", "TLS-DSK =\"a\"", false, ""},
		{"two commas", "TLS-DSK a=1,,b=2", false, ""},
		{"empty", "", false, ""},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_sip_auth a;
		cmend_status status =
			cmi_sip_auth(cmi_bytes_of(rows[i].text), &a, NULL);

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(status == CMEND_OK, rows[i].good);
		if (rows[i].good)
			is(cmi_sip_auth_param(&a, "realm"), rows[i].realm);
	}
}

/* The same stream in one piece and byte by byte. */
static void frames(void **state)
{
	static const char stream[] =
		"\r\n\r\n" REGISTER_F1 "\r\nSIP/2.0 200 OK\r\nl: 3\r\n\r\nabcX";
	struct cmi_bytes all = CMI_BYTES(stream);

	(void)state;
	for (size_t step = 1; step <= all.n; step += all.n - 1) {
		size_t used = 0, there = 0, found = 0;
		struct cmi_sip_framer f = {0};
		static const size_t want[][2] = {
			{4, sizeof(REGISTER_F1) - 1}, {2, 27}};

		while (there < all.n) {
			there += step;
			assert_int_equal(
				cmi_sip_frame(&f,
					(struct cmi_bytes){
						all.p + used, there - used},
					NULL),
				CMEND_OK);
			while (f.n) {
				assert_true(found < 2);
				assert_int_equal(f.lead, want[found][0]);
				assert_int_equal(f.n, want[found][1]);
				used += f.lead + f.n;
				found++;
				f = (struct cmi_sip_framer){0};
				assert_int_equal(
					cmi_sip_frame(&f,
						(struct cmi_bytes){all.p + used,
							there - used},
						NULL),
					CMEND_OK);
			}
		}
		assert_int_equal(found, 2);
	}
}

static void a_head_without_end(void **state)
{
	struct cmi_sip_framer f = {0};
	cmend_status status = CMEND_OK;
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, CMI_SIP_HEAD_MAX * 2);
	cmi_buf_text(&b, LINE);
	while (!status && b.n < CMI_SIP_HEAD_MAX + 4096) {
		cmi_buf_text(&b, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
		status = cmi_sip_frame(&f, cmi_buf_view(&b), NULL);
	}
	assert_int_equal(status, CMEND_LIMIT);
	assert_true(b.n <= CMI_SIP_HEAD_MAX + 64);
	cmi_buf_dispose(&b);
}

static void an_answer(void **state)
{
	struct cmi_buf out;
	struct cmi_sip m;

	(void)state;
	assert_int_equal(
		cmi_sip_read(
			CMI_BYTES(LINE
				"v: SIP/2.0/TLS a.x;branch=1, SIP/2.0/TCP b\r\n"
				"Via: SIP/2.0/TCP c\r\n"
				"f: <sip:a@x>\r\n ;tag=1\r\nt: sip:a@x\r\n"
				"i: c@x\r\nCSeq: 1 REGISTER\r\n" END),
			&m, NULL),
		CMEND_OK);
	cmi_buf_init(&out, 4096);
	cmi_sip_answer(&out, &m, 401, "new", "192.0.2.1");
	cmi_sip_end(&out, CMI_BYTES("body"));
	assert_string_equal(cmi_buf_cstr(&out),
		"SIP/2.0 401 Unauthorized\r\n"
		"Via: SIP/2.0/TLS a.x;branch=1;received=192.0.2.1, "
		"SIP/2.0/TCP b\r\n"
		"Via: SIP/2.0/TCP c\r\n"
		"From: <sip:a@x> ;tag=1\r\n"
		"To: sip:a@x;tag=new\r\n"
		"Call-ID: c@x\r\n"
		"CSeq: 1 REGISTER\r\n"
		"Content-Length: 4\r\n\r\nbody");
	cmi_buf_dispose(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_refused),
		cmocka_unit_test(too_many_and_too_long),
		cmocka_unit_test(the_rfc_s_register),
		cmocka_unit_test(basics_refused),
		cmocka_unit_test(addresses),
		cmocka_unit_test(lists),
		cmocka_unit_test(authentication),
		cmocka_unit_test(frames),
		cmocka_unit_test(a_head_without_end),
		cmocka_unit_test(an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
