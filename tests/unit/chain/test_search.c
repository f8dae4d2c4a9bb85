/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "chain/search.h"
#include "core/limits.h"

#define MANY 40

/* One situation: who is trusted, sent, to be had cheaply and dearly. */
struct scene {
	struct cmi_cert *anchors[8];
	struct cmi_cert *sent[MANY];
	struct cmi_cert *cheap[MANY];
	struct cmi_cert *costly[MANY];
	struct cmi_cert *leaf;
	const char *host;
	bool sent_order;
	struct cmi_search_budget budget;
	const struct cmi_env *env;
};

struct ended {
	bool accepted;
	enum cmi_finding_id reason;
	enum cmi_search_kind kind;
	struct cmi_cert *about;
	struct cmi_path path;
	unsigned asked[2];
	size_t n_refusals;
	struct cmi_search_cost cost;
	char says[200];
};

static void offer_all(struct cmi_search *s, struct cmi_cert *const *certs,
	const struct cmi_cert *child, enum cmi_origin origin)
{
	for (; *certs; certs++)
		if (!child || cmi_cert_names_issuer(child, *certs))
			assert_int_equal(
				cmi_search_offer(s, *certs, origin, NULL),
				CMEND_OK);
}

static void judge(struct cmi_search *s, const struct cmi_path *path,
	const struct cmi_verdict_request *how, struct ended *out)
{
	struct cmi_verdict v;

	assert_int_equal(cmi_verdict_path(path, how, &v, NULL), CMEND_OK);
	out->accepted = v.accepted;
	out->path = *path;
	if (!v.accepted)
		assert_int_equal(cmi_search_refuse(s, &v, NULL), CMEND_OK);
}

static void conclude(struct cmi_search *s, struct ended *out)
{
	struct cmi_search_outcome o;

	cmi_search_conclude(s, &o);
	out->reason = o.reason;
	out->about = o.about;
	out->path = *o.path;
	snprintf(out->says, sizeof(out->says), "%s", o.says);
}

static struct ended run(const struct scene *scene)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	CMI_AUTO(cmi_search_freep) struct cmi_search *s = NULL;
	struct cmi_search_request request = {
		.leaf = scene->leaf,
		.judge = {.at_s = FORGE_NOW,
			.security_level = -1,
			.host = scene->host},
		.sent_order = scene->sent_order,
		.budget = scene->budget,
		.env = scene->env,
	};
	struct cmi_search_answer a = {0};
	struct ended out = {0};
	bool done = false;

	assert_int_equal(cmi_trust_new("t", &trust, NULL), CMEND_OK);
	for (size_t i = 0; scene->anchors[i]; i++)
		assert_int_equal(cmi_trust_add(trust, scene->anchors[i], NULL),
			CMEND_OK);
	request.trust = trust;
	assert_int_equal(cmi_search_new(&request, &s, NULL), CMEND_OK);
	offer_all(s, scene->sent, NULL, CMI_FROM_SENT);
	while (!done && !out.accepted) {
		assert_int_equal(cmi_search_step(s, &a, NULL), CMEND_OK);
		switch (a.kind) {
		case CMI_SEARCH_NEED:
			out.asked[a.costly]++;
			offer_all(s, a.costly ? scene->costly : scene->cheap,
				a.child,
				a.costly ? CMI_FROM_AIA : CMI_FROM_CACHE);
			cmi_search_supplied(s);
			break;
		case CMI_SEARCH_PATH:
			judge(s, a.path, &request.judge, &out);
			break;
		case CMI_SEARCH_EXHAUSTED:
		case CMI_SEARCH_GAVE_UP:
			conclude(s, &out);
			done = true;
			break;
		}
	}
	out.kind = a.kind;
	(void)cmi_search_refusals(s, &out.n_refusals);
	out.cost = cmi_search_cost(s);
	return out;
}

static void expect_path(const struct ended *e, const struct forged *const *f)
{
	size_t n = 0;

	if (!e->accepted)
		fail_msg("refused: %s", e->says);
	for (; f[n]; n++)
		assert_ptr_equal(e->path.certs[n], f[n]->c);
	assert_int_equal(e->path.n, n);
	assert_int_equal(e->path.origins[n - 1], CMI_FROM_ANCHOR);
}
#define EXPECT_PATH(e, ...)                                                    \
	expect_path(&(e), (const struct forged *const[]){__VA_ARGS__, NULL})

static void expect_refused(const struct ended *e, enum cmi_finding_id why,
	const struct forged *about)
{
	assert_false(e->accepted);
	if (e->reason != why)
		fail_msg("%s: %s", cmi_finding_name(e->reason), e->says);
	if (about)
		assert_ptr_equal(e->about, about->c);
}

#define ORDER(...) forge(&(struct forge_order){__VA_ARGS__})

static struct forged *root, *ca, *leaf;

static int make_chain(void **state)
{
	(void)state;
	root = ORDER(.name = "Root", .ca = true);
	ca = ORDER(.name = "CA", .issuer = root, .ca = true);
	leaf = ORDER(.name = "leaf", .issuer = ca, .dns = "web.example");
	return 0;
}

static void whole_chain_costs_no_question(void **state)
{
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {leaf->c, ca->c, root->c}});

	(void)state;
	EXPECT_PATH(e, leaf, ca, root);
	assert_int_equal(e.path.origins[0], CMI_FROM_SENT);
	assert_int_equal(e.path.origins[1], CMI_FROM_SENT);
	assert_int_equal(e.asked[0] + e.asked[1], 0);
	assert_int_equal(e.cost.signatures, 0);
}

static void cheap_before_costly(void **state)
{
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.cheap = {ca->c},
		.costly = {ca->c}});

	(void)state;
	EXPECT_PATH(e, leaf, ca, root);
	assert_int_equal(e.path.origins[1], CMI_FROM_CACHE);
	assert_int_equal(e.asked[1], 0);
	e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {root->c}, .costly = {ca->c}});
	EXPECT_PATH(e, leaf, ca, root);
	assert_int_equal(e.path.origins[1], CMI_FROM_AIA);
	assert_int_equal(e.asked[0], 1);
	assert_int_equal(e.asked[1], 1);
}

static void anchors_of_every_kind(void **state)
{
	struct ended e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {ca->c}, .sent = {ca->c, root->c}});

	(void)state;
	EXPECT_PATH(e, leaf, ca);
	e = run(&(struct scene){.leaf = leaf->c, .anchors = {leaf->c}});
	EXPECT_PATH(e, leaf);
	e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {ca->c, root->c}, .sent = {ca->c}});
	EXPECT_PATH(e, leaf, ca);
}

static void reasons_without_an_anchor(void **state)
{
	struct forged *lone = ORDER(.name = "lone", .dns = "web.example");
	struct forged *stranger = ORDER(.name = "S", .ca = true);
	struct ended e =
		run(&(struct scene){.leaf = leaf->c, .anchors = {root->c}});

	(void)state;
	expect_refused(&e, CMI_F_MISSING_INTERMEDIATE, leaf);
	assert_non_null(strstr(e.says, "CN=CA"));
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {stranger->c},
		.sent = {leaf->c, ca->c}});
	expect_refused(&e, CMI_F_MISSING_INTERMEDIATE, ca);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {stranger->c},
		.sent = {leaf->c, ca->c, root->c}});
	expect_refused(&e, CMI_F_UNTRUSTED_ROOT, root);
	e = run(&(struct scene){.leaf = lone->c, .anchors = {root->c}});
	expect_refused(&e, CMI_F_SELF_SIGNED_LEAF, lone);
	e = run(&(struct scene){
		.leaf = leaf->c, .sent = {stranger->c, leaf->c}});
	expect_refused(&e, CMI_F_MISSING_INTERMEDIATE, leaf);
}

/* A root that comes from outside is path material and nothing else. */
static void what_is_offered_is_never_an_anchor(void **state)
{
	struct forged *evil = ORDER(.name = "Root", .ca = true);
	struct forged *evil_ca =
		ORDER(.name = "CA", .issuer = evil, .ca = true);
	struct forged *evil_leaf =
		ORDER(.name = "leaf", .issuer = evil_ca, .dns = "web.example");
	struct ended e = run(&(struct scene){.leaf = evil_leaf->c,
		.anchors = {root->c},
		.sent = {evil_leaf->c, evil_ca->c, evil->c},
		.cheap = {evil->c},
		.costly = {evil->c}});

	(void)state;
	expect_refused(&e, CMI_F_UNTRUSTED_ROOT, evil);
}

static void order_sent_does_not_matter(void **state)
{
	struct forged *sub = ORDER(.name = "Sub", .issuer = ca, .ca = true);
	struct forged *end = ORDER(.name = "end", .issuer = sub);
	struct forged *stranger = ORDER(.name = "S", .ca = true);
	struct scene scene = {.leaf = end->c,
		.anchors = {root->c},
		.sent = {stranger->c, ca->c, ca->c, end->c, root->c, sub->c}};
	struct ended e = run(&scene);

	(void)state;
	EXPECT_PATH(e, end, sub, ca, root);
	scene.sent_order = true;
	e = run(&scene);
	expect_refused(&e, CMI_F_MISSING_INTERMEDIATE, sub);
	e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {end->c, sub->c, ca->c},
		.sent_order = true});
	EXPECT_PATH(e, end, sub, ca, root);
	e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {end->c, stranger->c, sub->c, sub->c, ca->c},
		.sent_order = true});
	EXPECT_PATH(e, end, sub, ca, root);
	e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {end->c, ca->c, sub->c},
		.cheap = {sub->c, ca->c},
		.sent_order = true});
	EXPECT_PATH(e, end, sub, ca, root);
}

static void expired_twin_is_passed_over(void **state)
{
	struct forged *old = ORDER(.name = "CA", .issuer = root, .same_key = ca,
		.ca = true, .until_s = FORGE_NOW - FORGE_DAY);
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {leaf->c, old->c, ca->c}});

	(void)state;
	EXPECT_PATH(e, leaf, ca, root);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {leaf->c, old->c},
		.costly = {ca->c}});
	EXPECT_PATH(e, leaf, ca, root);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {leaf->c, old->c}});
	expect_refused(&e, CMI_F_EXPIRED_INTERMEDIATE, old);
	assert_true(e.n_refusals > 0);
}

static void expired_cross_sign_is_passed_over(void **state)
{
	struct forged *gone = ORDER(.name = "Gone", .ca = true,
		.until_s = FORGE_NOW - FORGE_DAY);
	struct forged *cross = ORDER(.name = "Root", .issuer = gone,
		.same_key = root, .ca = true);
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {gone->c, root->c},
		.sent = {leaf->c, ca->c, cross->c}});

	(void)state;
	EXPECT_PATH(e, leaf, ca, root);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {gone->c},
		.sent = {leaf->c, ca->c, cross->c}});
	expect_refused(&e, CMI_F_EXPIRED_ROOT, gone);
}

/* The right one has the wrong key id, the wrong one the right one. */
static void key_ids_may_lie(void **state)
{
	struct forged *spoof = ORDER(.name = "CA", .issuer = root, .ca = true);
	struct forged *twin = ORDER(.name = "CA", .issuer = root,
		.same_key = spoof, .ca = true, .ski = "0102030405");
	struct forged *end =
		ORDER(.name = "end", .issuer = twin, .signer = spoof);
	struct forged *liar = ORDER(.name = "CA", .issuer = root, .ca = true,
		.ski = "0102030405");
	struct ended e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {end->c, liar->c, ca->c, spoof->c}});

	(void)state;
	assert_int_equal(cmi_cert_key_id(end->c, liar->c), CMI_KEY_ID_SAME);
	assert_int_equal(cmi_cert_key_id(end->c, spoof->c), CMI_KEY_ID_OTHER);
	EXPECT_PATH(e, end, spoof, root);
	e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {end->c, liar->c}});
	expect_refused(&e, CMI_F_BAD_SIGNATURE, end);
}

static void decoys_are_told_by_their_keys(void **state)
{
	struct scene scene = {.leaf = leaf->c, .anchors = {root->c}};
	size_t i;
	struct ended e;

	(void)state;
	for (i = 0; i < MANY - 2; i++)
		scene.sent[i] = ORDER(.name = "CA", .issuer = root, .ca = true,
			.no_key_ids = true)
					->c;
	e = run(&scene);
	expect_refused(&e, CMI_F_MISSING_INTERMEDIATE, leaf);
	assert_int_equal(e.cost.signatures, MANY - 2);
	scene.sent[i] = ca->c;
	e = run(&scene);
	EXPECT_PATH(e, leaf, ca, root);
	assert_true(e.cost.verdicts == 0);
}

static void loops_end(void **state)
{
	struct forged *a = ORDER(.name = "A", .ca = true);
	struct forged *b = ORDER(.name = "B", .issuer = a, .ca = true);
	struct forged *a_by_b =
		ORDER(.name = "A", .issuer = b, .same_key = a, .ca = true);
	struct forged *end = ORDER(.name = "end", .issuer = b);
	struct forged *b_by_root =
		ORDER(.name = "B", .issuer = root, .same_key = b, .ca = true);
	struct ended e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {b->c, a_by_b->c}});

	(void)state;
	assert_false(e.accepted);
	assert_int_equal(e.kind, CMI_SEARCH_EXHAUSTED);
	e = run(&(struct scene){.leaf = end->c,
		.anchors = {root->c},
		.sent = {b->c, a_by_b->c, b_by_root->c}});
	EXPECT_PATH(e, end, b_by_root, root);
}

/* The nearer way is forbidden by what only libcrypto or the path knows. */
static void back_tracks_from_refused_paths(void **state)
{
	struct forged *other = ORDER(.name = "Other", .ca = true);
	struct forged *no_names =
		ORDER(.name = "CA", .issuer = other, .same_key = ca, .ca = true,
			.constraints = "critical,excluded;DNS:web.example");
	struct forged *mail = ORDER(.name = "CA", .issuer = other,
		.same_key = ca, .ca = true, .eku = "emailProtection");
	struct forged *odd = ORDER(.name = "CA", .issuer = other,
		.same_key = ca, .ca = true, .odd_oid = "1.2.3.4.5");
	struct forged *weak = ORDER(.name = "CA", .issuer = other,
		.same_key = ca, .ca = true, .digest = EVP_sha1());
	struct forged *no_ca = ORDER(.name = "CA", .issuer = other,
		.same_key = ca, .basic = "", .usage = "", .eku = "");
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {other->c, root->c},
		.sent = {no_names->c, mail->c, odd->c, weak->c, no_ca->c},
		.cheap = {ca->c},
		.host = "web.example"});

	(void)state;
	EXPECT_PATH(e, leaf, ca, root);
	e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {other->c}, .sent = {no_names->c}});
	expect_refused(&e, CMI_F_NAME_CONSTRAINT, NULL);
	e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {other->c}, .sent = {mail->c}});
	expect_refused(&e, CMI_F_WRONG_USAGE, mail);
	e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {other->c}, .sent = {no_ca->c}});
	expect_refused(&e, CMI_F_NOT_A_CA, no_ca);
}

static void path_length_picks_the_shorter_way(void **state)
{
	struct forged *zero = ORDER(.name = "Zero", .issuer = root, .ca = true,
		.basic = "critical,CA:TRUE,pathlen:0");
	struct forged *ca_by_zero =
		ORDER(.name = "CA", .issuer = zero, .same_key = ca, .ca = true);
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {ca_by_zero->c, zero->c},
		.costly = {ca->c}});

	(void)state;
	EXPECT_PATH(e, leaf, ca, root);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {ca_by_zero->c, zero->c}});
	expect_refused(&e, CMI_F_PATH_LENGTH, zero);
}

/* When the leaf itself is at fault no other path is looked for. */
static void a_refused_leaf_ends_it(void **state)
{
	struct ended e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {ca->c},
		.cheap = {ca->c},
		.host = "other.example"});

	(void)state;
	expect_refused(&e, CMI_F_NAME_MISMATCH, leaf);
	assert_int_equal(e.cost.verdicts, 1);
	assert_int_equal(e.asked[0] + e.asked[1], 0);
}

/* Half the time of a search between two looks at the clock. */
static int64_t fast_clock(void *ctx)
{
	int64_t *ms = ctx;

	return *ms += CMI_SEARCH_MS / 2;
}

static void time_is_a_budget(void **state)
{
	int64_t ms = 0;
	const struct cmi_env env = {.mono_ms = fast_clock, .ctx = &ms};
	struct ended e = run(&(struct scene){
		.leaf = leaf->c, .anchors = {root->c}, .env = &env});

	(void)state;
	assert_int_equal(e.kind, CMI_SEARCH_GAVE_UP);
	expect_refused(&e, CMI_F_SEARCH_TIME, NULL);
	assert_non_null(strstr(e.says, "milliseconds"));
}

static void budgets_say_that_they_gave_up(void **state)
{
	struct scene scene = {.leaf = leaf->c, .anchors = {root->c}};
	struct ended e;

	(void)state;
	for (size_t i = 0; i < MANY - 2; i++)
		scene.sent[i] = ORDER(.name = "CA", .issuer = root, .ca = true,
			.no_key_ids = true)
					->c;
	scene.budget.signatures = 5;
	e = run(&scene);
	assert_int_equal(e.kind, CMI_SEARCH_GAVE_UP);
	expect_refused(&e, CMI_F_SEARCH_SIGNATURES, NULL);
	assert_non_null(strstr(e.says, "gave up"));
	assert_non_null(strstr(e.says, "signature"));
	scene.budget = (struct cmi_search_budget){.candidates = 5};
	e = run(&scene);
	expect_refused(&e, CMI_F_SEARCH_CANDIDATES, NULL);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {ca->c},
		.budget = {.depth = 2}});
	expect_refused(&e, CMI_F_SEARCH_DEPTH, NULL);
	e = run(&(struct scene){.leaf = leaf->c,
		.anchors = {root->c},
		.sent = {ca->c},
		.budget = {.depth = 3}});
	EXPECT_PATH(e, leaf, ca, root);
}

/* Whatever depth is asked for: a path has so many places and no more. */
static void no_path_is_longer_than_a_path_may_be(void **state)
{
	(void)state;
	for (size_t more = 0; more < 4; more++) {
		struct scene scene = {
			.anchors = {root->c}, .budget = {.depth = 1000}};
		struct forged *at = root;
		struct ended e;
		char name[16];

		/* With the leaf and the root. */
		for (size_t i = 0; i < CMI_PATH_MAX - 2 + more; i++) {
			snprintf(name, sizeof(name), "CA %zu", i);
			at = ORDER(.name = name, .issuer = at, .ca = true);
			scene.sent[i] = at->c;
		}
		scene.leaf = ORDER(.name = "deep", .issuer = at)->c;
		e = run(&scene);
		assert_int_equal(e.accepted, more == 0);
		if (more)
			expect_refused(&e, CMI_F_SEARCH_DEPTH, NULL);
	}
}

static void goes_on_after_it_was_exhausted(void **state)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	CMI_AUTO(cmi_search_freep) struct cmi_search *s = NULL;
	struct cmi_search_request request = {.leaf = leaf->c,
		.no_cheap = true,
		.no_costly = true,
		.judge = {.at_s = FORGE_NOW}};
	struct cmi_search_answer a;

	(void)state;
	assert_int_equal(cmi_trust_new("t", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, root->c, NULL), CMEND_OK);
	request.trust = trust;
	assert_int_equal(cmi_search_new(&request, &s, NULL), CMEND_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(cmi_search_step(s, &a, NULL), CMEND_OK);
		assert_int_equal(a.kind, CMI_SEARCH_EXHAUSTED);
	}
	assert_int_equal(
		cmi_search_offer(s, ca->c, CMI_FROM_FILE, NULL), CMEND_OK);
	assert_int_equal(cmi_search_step(s, &a, NULL), CMEND_OK);
	assert_int_equal(a.kind, CMI_SEARCH_PATH);
	assert_int_equal(a.path->n, 3);
	assert_int_equal(cmi_search_step(s, &a, NULL), CMEND_OK);
	assert_int_equal(a.kind, CMI_SEARCH_EXHAUSTED);
}

/* Every CA has signed every other: no anchor, and then one. */
static void meshes_do_not_explode(void **state)
{
	struct forged *cas[6], *end;
	struct scene scene = {.anchors = {root->c}};
	struct ended e;
	size_t n = 0;
	char name[8];

	(void)state;
	for (size_t i = 0; i < CMI_LEN(cas); i++) {
		snprintf(name, sizeof(name), "M%zu", i);
		cas[i] = ORDER(.name = name, .ca = true);
	}
	for (size_t i = 0; i < CMI_LEN(cas); i++)
		for (size_t j = 0; j < CMI_LEN(cas); j++) {
			snprintf(name, sizeof(name), "M%zu", i);
			if (i != j)
				scene.sent[n++] =
					ORDER(.name = name, .issuer = cas[j],
						.same_key = cas[i], .ca = true)
						->c;
		}
	end = ORDER(.name = "end", .issuer = cas[0]);
	scene.leaf = end->c;
	e = run(&scene);
	assert_int_equal(e.kind, CMI_SEARCH_EXHAUSTED);
	assert_false(e.accepted);
	scene.sent[n] = ORDER(.name = "M5", .issuer = root, .same_key = cas[5],
		.ca = true)
				->c;
	e = run(&scene);
	assert_true(e.accepted);
	assert_int_equal(e.path.n, 4);
}

static void every_allocation_may_fail(void **state)
{
	struct cmi_search_request request = {
		.leaf = leaf->c, .judge = {.at_s = FORGE_NOW}};
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	cmend_status status = CMEND_NOMEM;

	(void)state;
	assert_int_equal(cmi_trust_new("t", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, root->c, NULL), CMEND_OK);
	request.trust = trust;
	for (long n = 0; status != CMEND_OK; n++) {
		struct cmi_search *s = NULL;
		struct cmi_search_answer a = {0};

		cmi_mem_fail_after(n);
		status = cmi_search_new(&request, &s, NULL);
		if (status == CMEND_OK)
			status =
				cmi_search_offer(s, ca->c, CMI_FROM_SENT, NULL);
		if (status == CMEND_OK)
			status = cmi_search_step(s, &a, NULL);
		cmi_mem_fail_after(-1);
		assert_true(status == CMEND_OK || status == CMEND_NOMEM);
		assert_true(
			(a.kind == CMI_SEARCH_PATH) == (status == CMEND_OK));
		cmi_search_free(s);
	}
}

#define ROW(f) cmocka_unit_test(f)

/* Time is no budget here. */
static int64_t stopped_clock(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct cmi_env timeless = {.mono_ms = stopped_clock};

/* n CAs of the leaf's issuer's name, each of them a question. */
static void offer_orphans(struct cmi_search *s, size_t n)
{
	struct forged *nowhere = ORDER(.name = "Nowhere", .ca = true);
	size_t mark = forge_n_made;

	for (size_t i = 0; i < n; i++) {
		struct forged *f =
			ORDER(.name = "CA", .issuer = nowhere, .same_key = ca,
				.ca = true, .from_s = FORGE_NOW - (int64_t)i);

		assert_int_equal(
			cmi_search_offer(s, f->c, CMI_FROM_CACHE, NULL),
			CMEND_OK);
		forge_free_to(mark);
	}
}

static void questions_are_a_budget(void **state)
{
	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
		CMI_AUTO(cmi_search_freep) struct cmi_search *s = NULL;
		struct cmi_search_request request = {.leaf = leaf->c,
			.no_costly = true,
			.judge = {.at_s = FORGE_NOW},
			.env = &timeless};
		struct cmi_search_answer a = {0};
		struct ended out = {0};
		unsigned n = 0;

		assert_int_equal(cmi_trust_new("t", &trust, NULL), CMEND_OK);
		assert_int_equal(cmi_trust_add(trust, root->c, NULL), CMEND_OK);
		request.trust = trust;
		assert_int_equal(cmi_search_new(&request, &s, NULL), CMEND_OK);
		for (;;) {
			assert_int_equal(
				cmi_search_step(s, &a, NULL), CMEND_OK);
			if (a.kind != CMI_SEARCH_NEED)
				break;
			/* The leaf is one of them. */
			if (!n++)
				offer_orphans(
					s, CMI_SEARCH_ASKS_MAX - 1 + over);
			cmi_search_supplied(s);
		}
		assert_int_equal(n, CMI_SEARCH_ASKS_MAX);
		assert_int_equal(a.kind,
			over ? CMI_SEARCH_GAVE_UP : CMI_SEARCH_EXHAUSTED);
		conclude(s, &out);
		assert_int_equal(!strstr(out.says, "1000 certificates"), !over);
	}
}

/* n of one name and key; each begins a second before the last. */
static void offer_alike(
	struct cmi_search *s, const struct forge_order *order, size_t n)
{
	size_t mark = forge_n_made;

	for (size_t i = 0; i < n; i++) {
		struct forge_order o = *order;

		o.from_s = FORGE_NOW - (int64_t)i;
		assert_int_equal(
			cmi_search_offer(s, forge(&o)->c, CMI_FROM_SENT, NULL),
			CMEND_OK);
		forge_free_to(mark);
	}
}

/* Sixty ways up that end in an anchor's name, not its key, and beside it so
 * many others of that name that lead nowhere: each is looked at from each. */
static struct ended among_lookalikes(size_t n)
{
	struct forged *anchor = ORDER(.name = "X", .ca = true);
	struct forged *impostor = ORDER(.name = "X", .ca = true);
	struct forged *nowhere = ORDER(.name = "Nowhere", .ca = true);
	const struct forge_order way = {.name = "CA",
		.issuer = impostor,
		.same_key = ca,
		.ca = true,
		.no_key_ids = true};
	const struct forge_order alike = {.name = "X",
		.issuer = nowhere,
		.same_key = nowhere,
		.ca = true,
		.no_key_ids = true};
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	CMI_AUTO(cmi_search_freep) struct cmi_search *s = NULL;
	struct cmi_search_request request = {.leaf = leaf->c,
		.no_cheap = true,
		.no_costly = true,
		.judge = {.at_s = FORGE_NOW, .security_level = -1},
		.env = &timeless};
	struct cmi_search_answer a = {0};
	struct ended out = {0};

	assert_int_equal(cmi_trust_new("t", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, anchor->c, NULL), CMEND_OK);
	request.trust = trust;
	assert_int_equal(cmi_search_new(&request, &s, NULL), CMEND_OK);
	offer_alike(s, &way, 60);
	offer_alike(s, &alike, n);
	do {
		assert_int_equal(cmi_search_step(s, &a, NULL), CMEND_OK);
		if (a.kind == CMI_SEARCH_PATH)
			judge(s, a.path, &request.judge, &out);
	} while (a.kind == CMI_SEARCH_PATH);
	assert_false(out.accepted);
	out.kind = a.kind;
	conclude(s, &out);
	out.cost = cmi_search_cost(s);
	return out;
}

static void steps_are_a_budget(void **state)
{
	struct ended few = among_lookalikes(20), many = among_lookalikes(400);

	(void)state;
	print_message("%s / %s\n", few.says, many.says);
	assert_int_equal(few.kind, CMI_SEARCH_EXHAUSTED);
	assert_int_equal(many.kind, CMI_SEARCH_GAVE_UP);
	expect_refused(&many, CMI_F_SEARCH_LIMIT, NULL);
	assert_non_null(strstr(many.says, "20000 steps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(whole_chain_costs_no_question),
		ROW(cheap_before_costly),
		ROW(anchors_of_every_kind),
		ROW(reasons_without_an_anchor),
		ROW(what_is_offered_is_never_an_anchor),
		ROW(order_sent_does_not_matter),
		ROW(expired_twin_is_passed_over),
		ROW(expired_cross_sign_is_passed_over),
		ROW(key_ids_may_lie),
		ROW(decoys_are_told_by_their_keys),
		ROW(loops_end),
		ROW(back_tracks_from_refused_paths),
		ROW(path_length_picks_the_shorter_way),
		ROW(a_refused_leaf_ends_it),
		ROW(budgets_say_that_they_gave_up),
		ROW(no_path_is_longer_than_a_path_may_be),
		ROW(time_is_a_budget),
		ROW(goes_on_after_it_was_exhausted),
		ROW(meshes_do_not_explode),
		ROW(every_allocation_may_fail),
		cmocka_unit_test(questions_are_a_budget),
		cmocka_unit_test(steps_are_a_budget),
	};

	return cmocka_run_group_tests(tests, make_chain, forge_teardown);
}
