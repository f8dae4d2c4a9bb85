/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS messages from fragments in every order. */
#include "test.h"

#include <stdio.h>

#include "capture/dtls_flight.h"
#include "core/limits.h"

/* What came out: "1:abc 2:" for a message of type 1 and one without body. */
struct out {
	char text[512];
	size_t n;
	bool fail;
};

static cmend_status take(
	void *ctx, const struct cmi_tls_message *m, cmend_error *err)
{
	struct out *o = ctx;

	if (o->fail)
		return cmi_fail(err, CMEND_IO, "not taken");
	o->n += (size_t)snprintf(o->text + o->n, sizeof(o->text) - o->n,
		"%u:%.*s ", m->type, (int)m->body.n,
		m->body.n ? (const char *)m->body.p : "");
	return CMEND_OK;
}

/* A piece of message `seq`, whose type is that plus one. */
struct piece {
	uint16_t seq;
	const char *message;
	uint32_t offset, n;
};

#define WHOLE(seq, message)                                                    \
	{                                                                      \
		(seq), (message), 0, sizeof(message) - 1                       \
	}

static cmend_status add(struct cmi_dtls_flight *d, struct piece p,
	struct out *out, cmend_error *err)
{
	/* A copy of just that size: nothing of it may be kept by reference. */
	uint8_t *copy = test_malloc(p.n ? p.n : 1);
	const struct cmi_dtls_fragment f = {
		.type = (uint8_t)(p.seq + 1),
		.length = (uint32_t)strlen(p.message),
		.seq = p.seq,
		.offset = p.offset,
		.data = {copy, p.n},
	};
	cmend_status status;

	memcpy(copy, p.message + p.offset, p.n);
	status = cmi_dtls_flight_add(
		d, &f, (struct cmi_dtls_taker){take, out}, err);
	test_free(copy);
	return status;
}

static const struct {
	const char *name;
	struct piece pieces[8]; /* up to one without a message */
	const char *at_once;    /* what comes out before the end */
	const char *in_all;
} rows[] = {
	{"in order", {WHOLE(0, "abc"), WHOLE(1, ""), WHOLE(2, "d")},
		"1:abc 2: 3:d ", "1:abc 2: 3:d "},
	{"backwards", {WHOLE(2, "d"), WHOLE(1, ""), WHOLE(0, "abc")},
		"1:abc 2: 3:d ", "1:abc 2: 3:d "},
	{"each twice",
		{WHOLE(0, "abc"), WHOLE(0, "abc"), WHOLE(1, "d"),
			WHOLE(0, "abc"), WHOLE(1, "d")},
		"1:abc 2:d ", "1:abc 2:d "},
	{"fragments backwards",
		{{0, "abcdef", 4, 2}, {0, "abcdef", 2, 2}, {0, "abcdef", 0, 2}},
		"1:abcdef ", "1:abcdef "},
	{"fragments that overlap",
		{{0, "abcdef", 3, 3}, {0, "abcdef", 1, 4}, {0, "abcdef", 0, 2}},
		"1:abcdef ", "1:abcdef "},
	{"another cut when it is sent again",
		{{0, "abcdef", 0, 2}, {0, "abcdef", 4, 2}, {0, "abcdef", 0, 3},
			{0, "abcdef", 3, 3}},
		"1:abcdef ", "1:abcdef "},
	{"one that never comes", {WHOLE(1, "x"), WHOLE(2, "y")}, "",
		"2:x 3:y "},
	{"two holes", {WHOLE(0, "w"), WHOLE(2, "x"), WHOLE(5, "y")}, "1:w ",
		"1:w 3:x 6:y "},
	{"the end of one never comes",
		{{0, "abcdef", 0, 4}, WHOLE(1, "x"), WHOLE(2, "y")}, "",
		"2:x 3:y "},
	{"the start of one never comes", {{0, "abcdef", 4, 2}, WHOLE(1, "x")},
		"", "2:x "},
	{"parts of the last one only", {{1, "abcdef", 2, 2}}, "", ""},
	{"far ahead: not of this handshake",
		{WHOLE(CMI_DTLS_AHEAD_MAX + 1, "x"), WHOLE(0, "a")}, "1:a ",
		"1:a "},
	{"as far ahead as may be", {WHOLE(CMI_DTLS_AHEAD_MAX, "x")}, "",
		"17:x "},
};

static void each_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_dtls_flight d;
		struct out out = {0};
		cmend_error err;

		cmi_dtls_flight_init(&d);
		for (const struct piece *p = rows[i].pieces; p->message; p++)
			assert_int_equal(add(&d, *p, &out, &err), CMEND_OK);
		if (strcmp(out.text, rows[i].at_once) != 0)
			print_error("%s\n", rows[i].name);
		assert_string_equal(out.text, rows[i].at_once);
		assert_int_equal(
			cmi_dtls_flight_end(
				&d, (struct cmi_dtls_taker){take, &out}, &err),
			CMEND_OK);
		if (strcmp(out.text, rows[i].in_all) != 0)
			print_error("%s, at the end\n", rows[i].name);
		assert_string_equal(out.text, rows[i].in_all);
		assert_int_equal(d.held_bytes, 0);
		cmi_dtls_flight_dispose(&d);
		assert_int_equal(cmi_dtls_flight_holds(&d), 0);
	}
}

static void the_numbers_wrap(void **state)
{
	struct cmi_dtls_flight d;
	struct out out = {0};
	cmend_error err;

	(void)state;
	cmi_dtls_flight_init(&d);
	cmi_dtls_flight_begin(&d, 65535);
	assert_int_equal(
		add(&d, (struct piece)WHOLE(0, "b"), &out, &err), CMEND_OK);
	assert_int_equal(
		add(&d, (struct piece)WHOLE(65535, "a"), &out, &err), CMEND_OK);
	assert_string_equal(out.text, "0:a 1:b ");
	cmi_dtls_flight_dispose(&d);
}

/* Whatever comes too early, no more is kept than there may be. */
static void what_is_held_has_a_ceiling(void **state)
{
	static char large[CMI_HANDSHAKE_MAX / 4 + 1];
	struct cmi_dtls_flight d;
	struct out out = {0};
	cmend_error err;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	cmi_dtls_flight_init(&d);
	for (uint16_t i = 1; i <= 10; i++) {
		const struct piece p = {i, large, 0, sizeof(large) - 1};

		assert_int_equal(add(&d, p, &out, &err), CMEND_OK);
	}
	assert_true(d.held_bytes <= CMI_HANDSHAKE_MAX);
	assert_true(d.n_held > 1);
	cmi_dtls_flight_dispose(&d);
	for (uint32_t i = 0; i < 1000; i++) {
		const struct piece p = {1, large, i + 1, 1};

		assert_int_equal(add(&d, p, &out, &err), CMEND_OK);
	}
	assert_int_equal(d.n_held, CMI_SEGMENTS_MAX);
	cmi_dtls_flight_dispose(&d);
}

static void failure_is_handed_on(void **state)
{
	struct cmi_dtls_flight d;
	struct out out = {.fail = true};
	cmend_error err;

	(void)state;
	cmi_dtls_flight_init(&d);
	assert_int_equal(
		add(&d, (struct piece)WHOLE(1, "b"), &out, &err), CMEND_OK);
	assert_int_equal(
		add(&d, (struct piece)WHOLE(0, "a"), &out, &err), CMEND_IO);
	assert_int_equal(cmi_dtls_flight_end(
				 &d, (struct cmi_dtls_taker){take, &out}, &err),
		CMEND_IO);
	cmi_dtls_flight_dispose(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_order),
		cmocka_unit_test(the_numbers_wrap),
		cmocka_unit_test(what_is_held_has_a_ceiling),
		cmocka_unit_test(failure_is_handed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
