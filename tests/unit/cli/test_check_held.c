/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "cli/check_held.h"
#include "core/text.h"

static const struct cmi_held_options how = {.timeout_ms = 10000};

/* What 192.0.2.7 sent with TLS 1.3 to one who named a.example: its leaf is no
 * certificate, so that its key says nothing. */
static void sent(struct cmi_dialed *d)
{
	*d = (struct cmi_dialed){.tls.version = 0x0304};
	cmi_buf_init(&d->bytes, 4096);
	cmi_buf_text(&d->bytes, "one");
	d->tls.certs[0].der = cmi_buf_view(&d->bytes);
	d->tls.n_certs = 1;
	strcpy(d->server_name, "a.example");
	d->conversation.server = (struct cmi_endpoint){
		.family = 4, .addr = {192, 0, 2, 7}, .port = 443};
}

static bool add(struct cmi_held_list *l, const struct cmi_crowd_target *t,
	const struct cmi_dialed *d, struct cmi_wait_list *waiting)
{
	bool held = false;

	assert_int_equal(
		cmi_held_add(l, t, d, &how, waiting, &held, NULL), CMEND_OK);
	return held;
}

static void each_way_waits_for_its_turn(void **state)
{
	const struct cmi_crowd_target t = {.tag = 2, .starttls = "smtp"};
	struct cmi_held_list l = {0};
	struct cmi_wait_list waiting = {0};
	struct cmi_waiting w[3];
	struct cmi_dialed d;

	(void)state;
	sent(&d);
	assert_true(add(&l, &t, &d, &waiting));
	cmi_dialed_dispose(&d);
	assert_int_equal(l.n, 1);
	assert_true(cmi_wait_take(&waiting, 0, &w[0]));
	assert_true(cmi_wait_take(&waiting, 0, &w[1]));
	assert_false(cmi_wait_take(&waiting, 0, &w[2]));
	assert_int_equal(w[0].t.way, 1 + CMI_VARIANT_NO_SNI);
	assert_int_equal(w[1].t.way, 1 + CMI_VARIANT_TLS12);
	for (size_t i = 0; i < 2; i++) {
		/* The machine that answered, as it is asked, tried anew. */
		assert_string_equal(w[i].t.address, "192.0.2.7");
		assert_string_equal(w[i].t.starttls, "smtp");
		assert_int_equal(w[i].t.tag, 0);
		assert_ptr_equal(w[i].t.ways, l.first);
	}
	assert_int_equal(l.first->t.tag, 2);
	assert_int_equal(l.first->left, 2);
	sent(&d);
	assert_int_equal(
		cmi_held_take(&w[0].t, CMEND_TIMEOUT, &d, NULL), CMEND_OK);
	assert_int_equal(l.first->left, 1);
	assert_int_equal(cmi_held_take(&w[1].t, CMEND_OK, &d, NULL), CMEND_OK);
	assert_int_equal(l.first->left, 0);
	assert_int_equal(
		l.first->found->ends[CMI_VARIANT_NO_SNI], CMI_VARIANT_SILENT);
	assert_int_equal(
		l.first->found->ends[CMI_VARIANT_TLS12], CMI_VARIANT_SAME);
	cmi_dialed_dispose(&d);
	cmi_held_forget(&l, l.first);
	assert_int_equal(l.n, 0);
	cmi_wait_dispose(&waiting);
}

static void without_another_way_or_room_nothing_is_held(void **state)
{
	const struct cmi_crowd_target t = {0};
	struct cmi_held_list l = {0};
	struct cmi_wait_list waiting = {.max = 1};
	struct cmi_waiting w = {0};
	struct cmi_dialed d;

	(void)state;
	sent(&d);
	d.server_name[0] = 0;
	d.tls.version = 0x0303;
	assert_false(add(&l, &t, &d, &waiting));
	/* Room for one of two: the other was not reached. */
	d.tls.version = 0x0304;
	strcpy(d.server_name, "a.example");
	assert_true(add(&l, &t, &d, &waiting));
	assert_int_equal(l.first->left, 1);
	assert_int_equal(l.first->found->ends[CMI_VARIANT_NO_SNI],
		CMI_VARIANT_NOT_ASKED);
	assert_int_equal(
		l.first->found->ends[CMI_VARIANT_TLS12], CMI_VARIANT_UNREACHED);
	/* And for none. */
	assert_false(add(&l, &t, &d, &waiting));
	assert_int_equal(l.n, 1);
	assert_true(cmi_wait_take(&waiting, 0, &w));
	cmi_held_dispose(&l);
	assert_null(l.first);
	cmi_dialed_dispose(&d);
	cmi_wait_dispose(&waiting);
}

/* The time in which at least one is asked counts, once. */
static void all_share_the_time_of_one(void **state)
{
	struct cmi_held held = {.left_ms = 10000};
	struct cmi_crowd_target a = {.ways = &held}, b = a;

	(void)state;
	cmi_held_start(&a, 1000);
	assert_int_equal(a.timeout_ms, 10000);
	cmi_held_start(&b, 3000); /* beside it */
	assert_int_equal(b.timeout_ms, 8000);
	cmi_held_stop(&a, 4000);
	cmi_held_stop(&b, 5000);
	/* Waiting for a turn costs nothing. */
	cmi_held_start(&a, 60000);
	assert_int_equal(a.timeout_ms, 6000);
	cmi_held_stop(&a, 66000);
	/* None is left: it ends at once, since 0 would be the default. */
	cmi_held_start(&b, 70000);
	assert_int_equal(b.timeout_ms, 1);
	cmi_held_stop(&b, 70001);
}

static void only_what_the_server_never_heard_is_tried_again(void **state)
{
	static const struct {
		cmend_status status;
		bool hello, again;
	} rows[] = {
		{CMEND_NET, false, true},
		{CMEND_NET, true, false}, /* that is its answer */
		{CMEND_TIMEOUT, false, false},
		{CMEND_TIMEOUT, true, false},
		{CMEND_OK, true, false},
		{CMEND_PARSE, true, false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const struct cmi_dialed d = {
			.tls.has_client_hello = rows[i].hello};

		assert_int_equal(
			cmi_held_unheard(rows[i].status, &d), rows[i].again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_waits_for_its_turn),
		cmocka_unit_test(without_another_way_or_room_nothing_is_held),
		cmocka_unit_test(all_share_the_time_of_one),
		cmocka_unit_test(
			only_what_the_server_never_heard_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
