/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/dhcp_inform.h"
#include "boot/dhcp_write.h"
#include "boot/discover.h"
#include "core/text.h"

/* Option values as the vendor's own tool printed them for
 * server.fqdn.company.com (a public record of it). */
#define VECTOR43                                                               \
	"010C4D532D55432D436C69656E740205687474707303177365727665722E6671646E" \
	"2E636F6D70616E792E636F6D040334343305252F4365727450726F762F4365727450" \
	"726F766973696F6E696E67536572766963652E737663"
#define VECTOR120 "0006736572766572046671646E07636F6D70616E7903636F6D00"

static const struct cmi_uc_options vector = {.class_id = CMI_UC_CLASS,
	.scheme = "https",
	.web = "server.fqdn.company.com",
	.port = "443",
	.path = CMI_UC_PATH,
	.sip = "server.fqdn.company.com"};

static struct cmi_buf bytes_of(const char *hex)
{
	struct cmi_buf b;

	cmi_buf_init(&b, 4096);
	assert_int_equal(cmi_hex_decode(&b, cmi_bytes_of(hex), NULL), CMEND_OK);
	return b;
}

static void the_published_vector(void **state)
{
	struct cmi_buf want43 = bytes_of(VECTOR43),
		       want120 = bytes_of(VECTOR120);
	struct cmi_uc_faults faults = {0};
	struct cmi_uc_options got = {0};
	struct cmi_buf v43, v120;

	(void)state;
	cmi_buf_init(&v43, 1024);
	cmi_buf_init(&v120, 1024);
	assert_int_equal(cmi_uc_encode(&vector, &v43, &v120, NULL), CMEND_OK);
	assert_int_equal(v43.n, 90);
	assert_true(cmi_bytes_equal(cmi_buf_view(&v43), cmi_buf_view(&want43)));
	assert_true(
		cmi_bytes_equal(cmi_buf_view(&v120), cmi_buf_view(&want120)));
	cmi_uc_decode43(cmi_buf_view(&v43), &got, &faults);
	cmi_uc_decode120(cmi_buf_view(&v120), &got, &faults);
	assert_int_equal(faults.n, 0);
	assert_memory_equal(&got, &vector, sizeof(got));
	cmi_buf_dispose(&want43);
	cmi_buf_dispose(&want120);
	cmi_buf_dispose(&v43);
	cmi_buf_dispose(&v120);
}

static void names_phones_cannot_use(void **state)
{
	static const char *const rows[] = {"", "10.0.0.1", "2001:db8::1",
		"host", "a..b", ".a.b", "a b.c", "a/b.c",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aa"
		".b"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_uc_options o = vector;
		struct cmi_buf a, b;

		cmi_buf_init(&a, 1024);
		cmi_buf_init(&b, 1024);
		snprintf(o.web, sizeof(o.web), "%s", rows[i]);
		assert_int_equal(cmi_uc_encode(&o, &a, &b, NULL), CMEND_ARG);
		o = vector;
		snprintf(o.sip, sizeof(o.sip), "%s", rows[i]);
		assert_int_equal(cmi_uc_encode(&o, &a, &b, NULL), CMEND_ARG);
		cmi_buf_dispose(&a);
		cmi_buf_dispose(&b);
	}
}

/* Cut anywhere, the value is never taken for sound. */
static void every_cut_is_named(void **state)
{
	struct cmi_buf v43 = bytes_of(VECTOR43), v120 = bytes_of(VECTOR120);

	(void)state;
	for (size_t n = 0; n < v43.n; n++) {
		struct cmi_uc_faults f = {0};
		struct cmi_uc_options o = {0};

		cmi_uc_decode43((struct cmi_bytes){v43.p, n}, &o, &f);
		assert_true(f.error);
	}
	for (size_t n = 0; n < v120.n; n++) {
		struct cmi_uc_faults f = {0};
		struct cmi_uc_options o = {0};

		cmi_uc_decode120((struct cmi_bytes){v120.p, n}, &o, &f);
		assert_true(f.error);
	}
	cmi_buf_dispose(&v43);
	cmi_buf_dispose(&v120);
}

static const struct {
	const char *name, *v43, *v120;
	enum cmi_finding_id id;
	const char *says; /* a part of it */
} faulty[] = {
	{"address in place of a name",
		"010c4d532d55432d436c69656e7402056874747073030831302e302e302e31"
		"040334343305252f4365727450726f762f4365727450726f766973696f6e69"
		"6e67536572766963652e737663",
		NULL, CMI_F_WRONG_HOST, "is an address"},
	{"no path",
		"010c4d532d55432d436c69656e74020568747470730303612e62"
		"0403343433",
		NULL, CMI_F_DHCP_OPTION_MISSING, "path"},
	{"class in lower case",
		"010c6d732d75632d636c69656e74020568747470730303612e6205012f",
		NULL, CMI_F_WRONG_HOST, "case matters"},
	{"plain http",
		"010c4d532d55432d436c69656e7402046874747003"
		"03612e6205012f",
		NULL, CMI_F_WRONG_HOST, "not https"},
	{"twice the name",
		"010c4d532d55432d436c69656e74020568747470730303612e62"
		"0303632e6405012f",
		NULL, CMI_F_WRONG_HOST, "twice"},
	{"no length", "01", NULL, CMI_F_DHCP_OPTION_TRUNCATED, "past the end"},
	{"empty", "", NULL, CMI_F_DHCP_OPTION_MISSING, "empty"},
	{"addresses in 120", NULL, "010a000001", CMI_F_WRONG_HOST, "addresses"},
	{"compressed 120", NULL, "0003616263c000", CMI_F_DHCP_OPTION_TRUNCATED,
		"compressed"},
	{"text in 120", NULL, "0061622e6364", CMI_F_DHCP_OPTION_TRUNCATED,
		"labels"},
	{"root only in 120", NULL, "0000", CMI_F_WRONG_HOST, "empty"},
};

static void faults_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(faulty); i++) {
		struct cmi_uc_faults f = {0};
		struct cmi_uc_options o = {0};
		bool found = false;
		struct cmi_buf v = bytes_of(
			faulty[i].v43 ? faulty[i].v43 : faulty[i].v120);

		if (faulty[i].v43)
			cmi_uc_decode43(cmi_buf_view(&v), &o, &f);
		else
			cmi_uc_decode120(cmi_buf_view(&v), &o, &f);
		for (size_t k = 0; k < f.n; k++)
			found |= f.faults[k].id == faulty[i].id &&
				 strstr(f.faults[k].says, faulty[i].says);
		if (!found)
			fail_msg("%s: %zu faults, first \"%s\"", faulty[i].name,
				f.n, f.n ? f.faults[0].says : "");
		cmi_buf_dispose(&v);
	}
}

/* A name of 24 characters makes 91 bytes: the router's cut is recognised. */
static void the_cut_of_cisco(void **state)
{
	struct cmi_uc_options o = vector, got = {0};
	struct cmi_uc_faults f = {0};
	struct cmi_buf v43, v120, text;

	(void)state;
	snprintf(o.web, sizeof(o.web), "server1.fqdn.company.com");
	cmi_buf_init(&v43, 1024);
	cmi_buf_init(&v120, 1024);
	cmi_buf_init(&text, 8192);
	assert_int_equal(cmi_uc_encode(&o, &v43, &v120, NULL), CMEND_OK);
	assert_int_equal(v43.n, 91);
	cmi_uc_decode43((struct cmi_bytes){v43.p, 90}, &got, &f);
	assert_true(f.error);
	assert_non_null(strstr(f.faults[0].says, "Cisco"));
	assert_int_equal(cmi_uc_write(CMI_UC_CISCO, &o, &text, NULL), CMEND_OK);
	assert_non_null(strstr(cmi_buf_cstr(&text), "180"));
	cmi_buf_clear(&text);
	assert_int_equal(
		cmi_uc_write(CMI_UC_CISCO, &vector, &text, NULL), CMEND_OK);
	assert_null(strstr(cmi_buf_cstr(&text), "180"));
	cmi_buf_dispose(&v43);
	cmi_buf_dispose(&v120);
	cmi_buf_dispose(&text);
}

static void a_question_and_its_answer(void **state)
{
	static const uint8_t client[4] = {10, 0, 0, 9},
			     server[4] = {10, 0, 0, 1};
	struct cmi_uc_faults faults;
	struct cmi_uc_options got;
	struct cmi_buf q, a;
	uint8_t to[4];

	(void)state;
	cmi_buf_init(&q, CMI_DHCP_DATAGRAM);
	cmi_buf_init(&a, CMI_DHCP_DATAGRAM);
	cmi_inform_write(0x1234, client, &q);
	assert_int_equal(cmi_inform_answer(cmi_buf_view(&q), server, &vector,
				 &a, to, NULL),
		CMEND_OK);
	assert_memory_equal(to, client, 4);
	assert_int_equal(
		cmi_inform_read(cmi_buf_view(&a), 0x1234, &got, &faults, NULL),
		CMEND_OK);
	assert_int_equal(faults.n, 0);
	assert_string_equal(got.web, vector.web);
	assert_string_equal(got.sip, vector.sip);
	/* Somebody else's answer; our own question echoed; nothing. */
	assert_int_equal(
		cmi_inform_read(cmi_buf_view(&a), 0x1235, &got, &faults, NULL),
		CMEND_NOT_FOUND);
	assert_int_equal(
		cmi_inform_read(cmi_buf_view(&q), 0x1234, &got, &faults, NULL),
		CMEND_NOT_FOUND);
	assert_int_equal(cmi_inform_read((struct cmi_bytes){0}, 0x1234, &got,
				 &faults, NULL),
		CMEND_NOT_FOUND);
	/* Cut anywhere, a question gets no answer (but for the end mark, and
	 * what fills up behind it). */
	for (size_t n = 0; n + 1 < q.n; n++) {
		cmi_buf_clear(&a);
		if (cmi_inform_answer((struct cmi_bytes){q.p, n}, server,
			    &vector, &a, to, NULL) == CMEND_OK)
			assert_true(n >= 240 + 3 + 14);
	}
	cmi_buf_dispose(&q);
	cmi_buf_dispose(&a);
}

/* RFC 2131 table 3 and RFC 6842: what an answer takes over from the question,
 * byte by byte; clients pass over an answer with another address in it. */
static void an_answer_is_the_askers_own(void **state)
{
	static const uint8_t client[4] = {10, 0, 0, 9},
			     server[4] = {10, 0, 0, 1};
	static const uint8_t id[] = {61, 7, 1, 2, 3, 4, 5, 6, 7};
	struct cmi_buf q, a;
	uint8_t to[4];
	size_t end;

	(void)state;
	cmi_buf_init(&q, CMI_DHCP_DATAGRAM);
	cmi_buf_init(&a, CMI_DHCP_DATAGRAM);
	cmi_inform_write(0x12345678, client, &q);
	/* Never shorter than a BOOTP message, RFC 1542 section 2.1. */
	assert_true(q.n >= 300);
	q.p[1] = 6;    /* htype: IEEE 802 */
	q.p[10] = 128; /* flags: broadcast */
	memcpy(q.p + 24, "\x0a\x00\x00\xfe", 4);
	memcpy(q.p + 28, "\x02\xca\xfe\xba\xbe\x01", 6);
	/* In place of the end and what fills up behind it. */
	for (end = 240; q.p[end] != 255;)
		end += 2u + q.p[end + 1];
	memcpy(q.p + end, id, sizeof(id));
	q.p[end + sizeof(id)] = 255;
	assert_int_equal(cmi_inform_answer(cmi_buf_view(&q), server, &vector,
				 &a, to, NULL),
		CMEND_OK);
	assert_memory_equal(a.p, "\x02\x06\x06\x00\x12\x34\x56\x78", 8);
	assert_memory_equal(a.p + 8, "\x00\x00\x80\x00", 4);
	assert_memory_equal(a.p + 12, client, 4);
	assert_memory_equal(a.p + 16, "\0\0\0", 4); /* nothing is leased */
	assert_memory_equal(a.p + 20, server, 4);
	assert_memory_equal(a.p + 24, "\x0a\x00\x00\xfe", 4);
	assert_memory_equal(
		a.p + 28, "\x02\xca\xfe\xba\xbe\x01\0\0\0\0\0\0\0\0\0", 16);
	assert_non_null(memmem(a.p + 240, a.n - 240, id, sizeof(id)));
	cmi_buf_dispose(&q);
	cmi_buf_dispose(&a);
}

static void hostile_questions_get_no_answer(void **state)
{
	static const uint8_t client[4] = {10, 0, 0, 9}, none[4];
	struct cmi_buf q, a;
	uint8_t to[4];

	(void)state;
	cmi_buf_init(&q, CMI_DHCP_DATAGRAM);
	cmi_buf_init(&a, CMI_DHCP_DATAGRAM);
#define ANSWER                                                                 \
	cmi_inform_answer(cmi_buf_view(&q), client, &vector, &a, to, NULL)
	cmi_inform_write(1, none, &q); /* nobody to answer */
	assert_int_equal(ANSWER, CMEND_REFUSED);
	cmi_buf_clear(&q);
	cmi_inform_write(1, client, &q);
	q.p[0] = 2; /* a reply */
	assert_int_equal(ANSWER, CMEND_REFUSED);
	q.p[0] = 1;
	q.p[242] = 1; /* DISCOVER: we lease nothing */
	assert_int_equal(ANSWER, CMEND_REFUSED);
	q.p[242] = 8;
	q.p[245] = 'm'; /* another class */
	assert_int_equal(ANSWER, CMEND_REFUSED);
	q.p[245] = 'M';
	assert_int_equal(ANSWER, CMEND_OK);
	q.p[236] = 0; /* no cookie */
	assert_int_equal(ANSWER, CMEND_REFUSED);
#undef ANSWER
	cmi_buf_dispose(&q);
	cmi_buf_dispose(&a);
}

static void names_count_in_their_domain_only(void **state)
{
	(void)state;
	assert_true(cmi_name_in_domain("web.corp.example", "corp.example"));
	assert_true(cmi_name_in_domain("WEB.Corp.Example", "corp.example"));
	assert_true(cmi_name_in_domain("corp.example", "corp.example"));
	assert_false(cmi_name_in_domain("web.evil.example", "corp.example"));
	assert_false(cmi_name_in_domain("evilcorp.example", "corp.example"));
	assert_false(
		cmi_name_in_domain("corp.example.evil.net", "corp.example"));
	assert_false(cmi_name_in_domain("example", "corp.example"));
	assert_false(cmi_name_in_domain("web.corp.example", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vector),
		cmocka_unit_test(names_phones_cannot_use),
		cmocka_unit_test(every_cut_is_named),
		cmocka_unit_test(faults_are_named),
		cmocka_unit_test(the_cut_of_cisco),
		cmocka_unit_test(a_question_and_its_answer),
		cmocka_unit_test(an_answer_is_the_askers_own),
		cmocka_unit_test(hostile_questions_get_no_answer),
		cmocka_unit_test(names_count_in_their_domain_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
