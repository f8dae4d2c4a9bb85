/* SPDX-License-Identifier: Apache-2.0 */
#include "staged.h"

#include "explain/compare.h"

#define STEPS_MAX 64

struct told {
	struct {
		enum cmi_step_side side;
		char event[32];
		char text[2][256];
		uint64_t frame[2];
		bool diverges, consequence;
	} steps[STEPS_MAX];
	size_t n_steps, n_handshakes, n_divergences;
	enum cmi_finding_id verdict, cause;
	uint64_t good_frame, bad_frame;
	char says[1024];
	char remedies[6][128];
	size_t n_remedies;
	bool parted;
};

static void take_step(struct told *t, const struct cmi_item_step *s)
{
	assert_true(t->n_steps < STEPS_MAX);
	t->steps[t->n_steps].side = s->side;
	t->steps[t->n_steps].diverges = s->diverges;
	t->steps[t->n_steps].consequence = s->consequence;
	snprintf(t->steps[t->n_steps].event, 32, "%s", s->event);
	for (int i = 0; i < 2; i++) {
		t->steps[t->n_steps].frame[i] = s->frame[i];
		snprintf(t->steps[t->n_steps].text[i], 256, "%s",
			s->text[i] ? s->text[i] : "");
		assert_int_equal(s->text[i] != NULL,
			s->side == CMI_STEP_BOTH ||
				(s->side == CMI_STEP_GOOD) == (i == 0));
	}
	t->n_steps++;
}

static cmend_status note(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct cmi_item_divergence *d = item->divergence;
	struct told *t = ctx;

	(void)err;
	if (item->kind == CMI_ITEM_STEP)
		take_step(t, item->step);
	t->n_handshakes += item->kind == CMI_ITEM_HANDSHAKE;
	if (item->kind != CMI_ITEM_DIVERGENCE)
		return CMEND_OK;
	t->n_divergences++;
	t->verdict = d->verdict;
	t->cause = d->cause;
	t->parted = d->parted;
	t->good_frame = d->good_frame;
	t->bad_frame = d->bad_frame;
	assert_non_null(d->says);
	snprintf(t->says, sizeof(t->says), "%s", d->says);
	for (size_t i = 0; i < d->n_remedies; i++)
		snprintf(t->remedies[t->n_remedies++], 128, "%s",
			d->remedies[i].title);
	return CMEND_OK;
}

/* What a test puts on its stage: the two sides compared, and what came of
 * it. */
struct play {
	struct cmi_compare *c;
	struct staged s;
	struct staged_http h;
	struct told t;
	struct cmi_compare_result r;
};

static void give(struct play *p, enum cmi_compare_side side,
	const struct cmi_conversation *conversation)
{
	struct cmi_conversation_sink sink = cmi_compare_sink(p->c, side);

	assert_int_equal(sink.take(sink.ctx, conversation, NULL), CMEND_OK);
}

static void begin(struct play *p)
{
	struct cmi_diagnose_options o = {
		.trust = world.trust, .sink = {.take = note, .ctx = &p->t}};

	p->c = NULL;
	p->t = (struct told){0};
	assert_int_equal(cmi_compare_new(&o, &p->c, NULL), CMEND_OK);
}

static void finish(struct play *p)
{
	assert_int_equal(cmi_compare_finish(p->c, NULL), CMEND_OK);
	p->r = cmi_compare_result(p->c);
	cmi_compare_free(p->c);
}

static void failing(struct staged *s, struct forged *const *chain)
{
	stage(s, chain);
	s->c.client = at(99, 61234); /* another address, another time */
	s->c.start_us += 3600 * (int64_t)1000000;
	s->c.end_us += 3600 * (int64_t)1000000;
	alert(s, CMI_CLIENT, 48);
}

static size_t diverging(const struct told *t)
{
	size_t at = STEPS_MAX, n = 0;

	for (size_t i = 0; i < t->n_steps; i++) {
		if (!t->steps[i].diverges)
			continue;
		at = i;
		n++;
	}
	assert_int_equal(n, 1);
	return at;
}

/* The story of the desk phone: chain from port 80 first, or straight on. */
static void a_phone_skips_its_download(void **state)
{
	struct forged *chain[] = {world.leaf_no_aia, NULL};
	struct play p;
	size_t i;

	(void)state;
	begin(&p);
	stage_http(&p.h, at(9, 40000), "http://web.example/CertProv/x.svc", 200,
		world.intermediate->c->der, "application/pkix-cert");
	give(&p, CMI_GOOD, &p.h.c);
	stage(&p.s, chain);
	give(&p, CMI_GOOD, &p.s.c);
	failing(&p.s, chain);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_true(p.r.parted && p.r.bad_failed && !p.r.good_failed);
	assert_int_equal(p.r.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_int_equal(p.r.cause, CMI_F_CHAIN_DOWNLOAD_SKIPPED);
	assert_int_equal(p.t.verdict, p.r.verdict);
	assert_int_equal(p.t.cause, p.r.cause);
	i = diverging(&p.t);
	assert_string_equal(p.t.steps[i].event, "connect");
	assert_int_equal(p.t.steps[i].side, CMI_STEP_GOOD);
	assert_int_equal(p.t.good_frame, 2);
	assert_int_equal(p.t.n_handshakes, 2);
	/* Ranked: server, firmware, PIN once, direct issuance. */
	assert_int_equal(p.t.n_remedies, 4);
	assert_string_equal(p.t.remedies[0], "send the full chain");
	assert_non_null(strstr(p.t.remedies[1], "fix the firmware"));
	assert_non_null(strstr(p.t.remedies[2], "by PIN once"));
	assert_non_null(strstr(p.t.remedies[3], "preloaded root"));
}

/* Clients with issuer downloads ask inside the open connection. */
static void a_browser_fetches_inside_the_handshake(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct play p;
	size_t i;

	(void)state;
	begin(&p);
	stage(&p.s, chain);
	stage_http(
		&p.h, p.s.c.client, AIA, 200, world.intermediate->c->der, "");
	p.h.c.start_us = p.s.c.start_us + 1000;
	p.h.c.first_frame = 16;
	p.h.http.request_frame = 16;
	p.h.http.response_frame = 17;
	give(&p, CMI_GOOD, &p.h.c);
	give(&p, CMI_GOOD, &p.s.c);
	failing(&p.s, chain);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_int_equal(p.r.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_int_equal(p.r.cause, CMI_F_CHAIN_DOWNLOAD_SKIPPED);
	i = diverging(&p.t);
	assert_int_equal(p.t.steps[i].frame[0], 16);
	assert_true(
		i > 0 && strcmp(p.t.steps[i - 1].event, "certificate") == 0);
	assert_non_null(strstr(p.t.says, "behind the server's certificate"));
}

static void a_download_that_fails(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct play p;
	size_t i;

	(void)state;
	begin(&p);
	stage_http(
		&p.h, at(9, 40000), AIA, 200, world.intermediate->c->der, "");
	give(&p, CMI_GOOD, &p.h.c);
	stage(&p.s, chain);
	give(&p, CMI_GOOD, &p.s.c);
	stage_http(&p.h, at(99, 40000), AIA, 404, CMI_BYTES("no"), "");
	give(&p, CMI_BAD, &p.h.c);
	failing(&p.s, chain);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_int_equal(p.r.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_int_equal(p.r.cause, CMI_F_CHAIN_DOWNLOAD_FAILED);
	i = diverging(&p.t);
	assert_string_equal(p.t.steps[i].event, "answer");
	assert_int_equal(p.t.steps[i].side, CMI_STEP_BOTH);
}

static void the_server_sends_less(void **state)
{
	struct forged *whole[] = {world.leaf, world.intermediate, NULL};
	struct forged *half[] = {world.leaf, NULL};
	struct play p;
	size_t i;

	(void)state;
	begin(&p);
	stage(&p.s, whole);
	give(&p, CMI_GOOD, &p.s.c);
	failing(&p.s, half);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_int_equal(p.r.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_int_equal(p.r.cause, CMI_F_NONE);
	i = diverging(&p.t);
	assert_string_equal(p.t.steps[i].event, "certificate");
	assert_non_null(strstr(p.t.steps[i].text[0], "2 certificates"));
	assert_non_null(strstr(p.t.steps[i].text[1], "1 certificate:"));
}

static void no_client_certificate(void **state)
{
	struct forged *whole[] = {world.leaf, world.intermediate, NULL};
	struct play p;

	(void)state;
	begin(&p);
	stage(&p.s, whole);
	p.s.tls.client_cert_requested = true;
	p.s.tls.client_certs[p.s.tls.n_client_certs++] =
		(struct cmi_seen_cert){world.self->c->der, 17};
	give(&p, CMI_GOOD, &p.s.c);
	stage(&p.s, whole);
	alert(&p.s, CMI_SERVER, 40);
	p.s.tls.client_cert_requested = true;
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_int_equal(p.r.verdict, CMI_F_CLIENT_CERTIFICATE_WANTED);
	assert_string_equal(
		p.t.steps[diverging(&p.t)].event, "client-certificate");
}

static void nothing_failed(void **state)
{
	struct forged *whole[] = {world.leaf, world.intermediate, NULL};
	struct play p;

	(void)state;
	begin(&p);
	stage(&p.s, whole);
	give(&p, CMI_GOOD, &p.s.c);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_false(p.r.parted || p.r.bad_failed || p.r.good_failed);
	assert_int_equal(p.r.verdict, CMI_F_NONE);
	assert_int_equal(p.t.n_divergences, 1);
	assert_int_equal(p.t.n_remedies, 0);
	for (size_t i = 0; i < p.t.n_steps; i++)
		assert_false(p.t.steps[i].diverges || p.t.steps[i].consequence);
}

static void empty_sides(void **state)
{
	struct forged *half[] = {world.leaf, NULL};
	struct play p;

	(void)state;
	begin(&p);
	finish(&p);
	assert_false(p.r.parted || p.r.bad_failed);
	assert_non_null(strstr(p.t.says, "no TLS handshake"));

	begin(&p);
	failing(&p.s, half);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_true(p.r.bad_failed);
	assert_int_equal(p.r.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_int_equal(p.t.n_handshakes, 1);
}

static void swapped_captures_are_noticed(void **state)
{
	struct forged *whole[] = {world.leaf, world.intermediate, NULL};
	struct forged *half[] = {world.leaf, NULL};
	struct play p;

	(void)state;
	begin(&p);
	failing(&p.s, half);
	give(&p, CMI_GOOD, &p.s.c);
	stage(&p.s, whole);
	give(&p, CMI_BAD, &p.s.c);
	finish(&p);
	assert_true(p.r.good_failed && !p.r.bad_failed);
	assert_non_null(strstr(p.t.says, "swapped"));
}

/* Thousands of others around must not hide the one that failed. */
static void the_one_among_many(void **state)
{
	struct forged *whole[] = {world.leaf, world.intermediate, NULL};
	struct forged *half[] = {world.leaf, NULL};
	struct play p;

	(void)state;
	begin(&p);
	for (unsigned i = 0; i < 3000; i++) {
		stage(&p.s, whole);
		p.s.c.client = at(10 + i % 80, 40000);
		give(&p, CMI_GOOD, &p.s.c);
		give(&p, CMI_BAD, &p.s.c);
		if (i == 1500) {
			failing(&p.s, half);
			give(&p, CMI_BAD, &p.s.c);
		}
	}
	finish(&p);
	assert_true(p.r.bad_failed && p.r.parted);
	assert_int_equal(p.r.verdict, CMI_F_MISSING_INTERMEDIATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_phone_skips_its_download),
		cmocka_unit_test(a_browser_fetches_inside_the_handshake),
		cmocka_unit_test(a_download_that_fails),
		cmocka_unit_test(the_server_sends_less),
		cmocka_unit_test(no_client_certificate),
		cmocka_unit_test(nothing_failed),
		cmocka_unit_test(empty_sides),
		cmocka_unit_test(swapped_captures_are_noticed),
		cmocka_unit_test(the_one_among_many),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
