/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

static void facts_of_a_leaf(void **state)
{
	struct forged *root =
		forge(&(struct forge_order){.name = "Root", .ca = true});
	struct forged *leaf = forge(&(struct forge_order){.name = "web, inc",
		.issuer = root,
		.san = "DNS:web.example,DNS:*.web.example,IP:192.0.2.7,"
		       "IP:2001:db8::1",
		.aia = "http://aia.example/root.cer"});
	const struct cmi_cert *c = leaf->c;

	(void)state;
	assert_string_equal(c->subject, "CN=web\\, inc");
	assert_string_equal(c->issuer, "CN=Root");
	assert_string_equal(c->common_name, "web, inc");
	assert_int_equal(c->version, 3);
	assert_int_equal(c->n_dns_names, 2);
	assert_string_equal(c->dns_names[1], "*.web.example");
	assert_int_equal(c->n_ip_names, 2);
	assert_string_equal(c->ip_names[0], "192.0.2.7");
	assert_string_equal(c->ip_names[1], "2001:db8:0:0:0:0:0:1");
	assert_int_equal(c->n_aia_urls, 1);
	assert_string_equal(c->aia_urls[0], "http://aia.example/root.cer");
	assert_string_equal(c->key_type, "EC");
	assert_int_equal(c->key_bits, 256);
	assert_string_equal(c->signature, "ecdsa-with-SHA256");
	assert_int_equal(c->not_before_s, FORGE_NOW - 90 * FORGE_DAY);
	assert_int_equal(c->not_after_s, FORGE_NOW + 90 * FORGE_DAY);
	assert_true(c->has_basic_constraints && !c->ca);
	assert_true(c->has_eku && c->eku_server_auth && !c->eku_client_auth);
	assert_false(c->self_issued || cmi_cert_self_signed(c));
	assert_int_equal(c->path_len, -1);
}

static void facts_of_a_ca(void **state)
{
	struct forged *root = forge(&(struct forge_order){.name = "Root",
		.ca = true,
		.basic = "critical,CA:TRUE,pathlen:3",
		.constraints = "permitted;DNS:example"});
	struct forged *bare = forge(&(struct forge_order){.name = "Bare",
		.issuer = root,
		.basic = "",
		.usage = "",
		.eku = "",
		.no_key_ids = true});

	(void)state;
	assert_true(root->c->ca && root->c->key_cert_sign);
	assert_int_equal(root->c->path_len, 3);
	assert_true(root->c->self_issued && cmi_cert_self_signed(root->c));
	assert_non_null(root->c->name_constraints);
	assert_false(bare->c->has_basic_constraints || bare->c->ca);
	assert_true(bare->c->key_cert_sign && !bare->c->has_key_usage);
	assert_true(bare->c->eku_server_auth && !bare->c->has_eku);
	assert_int_equal(bare->c->skid.n, 0);
	assert_int_equal(cmi_cert_key_id(bare->c, root->c), CMI_KEY_ID_ABSENT);
}

/* Self-issued is a matter of names, self-signed one of keys. */
static void self_issued_is_not_self_signed(void **state)
{
	struct forged *old =
		forge(&(struct forge_order){.name = "CA", .ca = true});
	struct forged *rolled = forge(
		&(struct forge_order){.name = "CA", .issuer = old, .ca = true});

	(void)state;
	assert_true(rolled->c->self_issued);
	assert_false(cmi_cert_self_signed(rolled->c));
	assert_true(cmi_cert_signed_by(rolled->c, old->c));
	assert_false(cmi_cert_signed_by(old->c, rolled->c));
	assert_int_equal(cmi_cert_key_id(rolled->c, old->c), CMI_KEY_ID_SAME);
	assert_int_equal(
		cmi_cert_key_id(rolled->c, rolled->c), CMI_KEY_ID_OTHER);
	assert_false(cmi_cert_same_entity(rolled->c, old->c));
}

static void names_compare_canonically(void **state)
{
	struct forged *a =
		forge(&(struct forge_order){.name = "Some  CA", .ca = true});
	struct forged *b = forge(&(struct forge_order){
		.name = " some ca ", .same_key = a, .ca = true});
	struct forged *other =
		forge(&(struct forge_order){.name = "someca", .ca = true});
	struct forged *leaf =
		forge(&(struct forge_order){.name = "leaf", .issuer = a});

	(void)state;
	assert_true(cmi_cert_names_issuer(leaf->c, a->c));
	assert_true(cmi_cert_names_issuer(leaf->c, b->c));
	assert_false(cmi_cert_names_issuer(leaf->c, other->c));
	assert_true(cmi_cert_same_entity(a->c, b->c));
	assert_false(cmi_cert_equal(a->c, b->c));
	assert_true(a->c->subject_hash == b->c->subject_hash);
}

/* What a name says cannot reach the terminal as it is. */
static void hostile_names_are_made_safe(void **state)
{
	static const struct {
		const char *name, *subject;
	} rows[] = {
		{"a\x1b[2Jb", "CN=a\\1B[2Jb"},
		{"new\nline", "CN=new\\0Aline"},
		{"M\xc3\xbcnchen", "CN=M\xc3\xbcnchen"},
		{"rtl\xe2\x80\xae"
		 "txt",
			"CN=rtl\\xe2\\x80\\xaetxt"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct forged *f =
			forge(&(struct forge_order){.name = rows[i].name});

		assert_string_equal(f->c->subject, rows[i].subject);
		assert_null(strpbrk(f->c->common_name, "\x1b\n"));
	}
}

static void names_are_listed_as_far_as_there_is_room(void **state)
{
	static const struct {
		const char *san;
		size_t room;
		const char *text; /* NULL: there are none */
	} rows[] = {
		{"", 90, NULL},
		{"email:a@example.org", 90, NULL},
		{"DNS:a.example", 90, "\"a.example\""},
		{"DNS:a.example,IP:192.0.2.7", 90,
			"\"a.example\" and \"192.0.2.7\""},
		{"DNS:a.example,DNS:b.example,DNS:c.example", 90,
			"\"a.example\", \"b.example\" and \"c.example\""},
		{"DNS:a.example,DNS:b.example,DNS:c.example,DNS:d.example", 50,
			"\"a.example\", \"b.example\" and 2 more"},
		{"DNS:a-name-that-is-longer-than-the-room.example", 50,
			"\"a-name-that-is-longer-...\""},
		{"DNS:a-name-that-is-longer-than-the-room.example,DNS:b", 50,
			"\"a-name-that-is-longer-...\" and 1 more"},
	};
	char text[90];

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const struct forged *f = forge(
			&(struct forge_order){.name = "x", .san = rows[i].san});

		assert_int_equal(cmi_cert_names_text(f->c, text, rows[i].room),
			rows[i].text != NULL);
		if (rows[i].text)
			assert_string_equal(text, rows[i].text);
	}
}

static void hosts(void **state)
{
	static const struct {
		const char *host;
		bool wildcards, fits;
	} rows[] = {
		{"web.example", true, true},
		{"WEB.example", true, true},
		{"web.example.", true, true},
		{"a.wild.example", true, true},
		{"a.wild.example", false, false},
		{"wild.example", true, false},
		{"a.b.wild.example", true, false},
		{"192.0.2.7", true, true},
		{"192.0.2.8", true, false},
		{"2001:db8::1", true, true},
		{"2001:DB8:0::0:1", true, true},
		{"", true, false},
		{".", true, false},
		{".example", true, false},
		{"cn.example", true, false},
		{"xweb.example", true, false},
		{"web.example\n", true, false},
		{"*.wild.example", false, false},
	};
	struct forged *leaf = forge(&(struct forge_order){.name = "cn.example",
		.san = "DNS:web.example,DNS:*.wild.example,IP:192.0.2.7,"
		       "IP:2001:db8::1"});

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (cmi_cert_matches_host(leaf->c, rows[i].host,
			    rows[i].wildcards) != rows[i].fits)
			fail_msg("host \"%s\"", rows[i].host);
}

static void no_san_means_no_name(void **state)
{
	struct forged *leaf =
		forge(&(struct forge_order){.name = "web.example"});

	(void)state;
	assert_false(cmi_cert_matches_host(leaf->c, "web.example", true));
}

static void validity_includes_both_ends(void **state)
{
	struct forged *f = forge(&(struct forge_order){
		.name = "x", .from_s = FORGE_NOW, .until_s = FORGE_NOW + 10});

	(void)state;
	assert_false(cmi_cert_valid_at(f->c, FORGE_NOW - 1));
	assert_true(cmi_cert_valid_at(f->c, FORGE_NOW));
	assert_true(cmi_cert_valid_at(f->c, FORGE_NOW + 10));
	assert_false(cmi_cert_valid_at(f->c, FORGE_NOW + 11));
}

static void damaged_der_is_refused(void **state)
{
	struct forged *f = forge(&(struct forge_order){.name = "x"});
	struct cmi_bytes whole = f->c->der;
	static uint8_t big[CMI_CERT_MAX + 1];
	CMI_AUTO(cmi_freep) uint8_t *longer = cmi_alloc(whole.n + 1);
	struct cmi_cert *c = NULL;
	cmend_error err;

	(void)state;
	assert_int_equal(
		cmi_cert_from_der((struct cmi_bytes){NULL, 0}, &c, &err),
		CMEND_PARSE);
	assert_int_equal(
		cmi_cert_from_der(CMI_BYTES("hello"), &c, &err), CMEND_PARSE);
	assert_int_equal(cmi_cert_from_der((struct cmi_bytes){big, sizeof(big)},
				 &c, &err),
		CMEND_LIMIT);
	memcpy(longer, whole.p, whole.n);
	assert_int_equal(
		cmi_cert_from_der(
			(struct cmi_bytes){longer, whole.n + 1}, &c, &err),
		CMEND_PARSE);
	assert_non_null(strstr(err.message, "1 bytes behind"));
	for (size_t n = 1; n < whole.n; n++)
		assert_int_equal(
			cmi_cert_from_der(
				(struct cmi_bytes){longer, n}, &c, &err),
			CMEND_PARSE);
	assert_null(c);
}

/* Each allocation of ours fails once: no leak, no crash, a clear status. */
static void every_allocation_may_fail(void **state)
{
	struct forged *f = forge(&(struct forge_order){.name = "x",
		.san = "DNS:a.example,IP:192.0.2.1",
		.aia = "http://a.example/"});
	cmend_status status = CMEND_NOMEM;
	long n;

	(void)state;
	for (n = 0; status != CMEND_OK; n++) {
		struct cmi_cert *c = NULL;

		cmi_mem_fail_after(n);
		status = cmi_cert_from_der(f->c->der, &c, NULL);
		cmi_mem_fail_after(-1);
		assert_true(status == CMEND_OK || status == CMEND_NOMEM);
		assert_true((c != NULL) == (status == CMEND_OK));
		cmi_cert_unref(c);
	}
	assert_true(n > 5);
}

#define ROW(f) cmocka_unit_test_teardown(f, forge_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(facts_of_a_leaf),
		ROW(facts_of_a_ca),
		ROW(self_issued_is_not_self_signed),
		ROW(names_compare_canonically),
		ROW(hostile_names_are_made_safe),
		ROW(names_are_listed_as_far_as_there_is_room),
		ROW(hosts),
		ROW(no_san_means_no_name),
		ROW(validity_includes_both_ends),
		ROW(damaged_der_is_refused),
		ROW(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
