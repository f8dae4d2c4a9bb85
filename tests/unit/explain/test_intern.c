/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "explain/intern.h"
#include "explain/phrase.h"

static void equal_bytes_give_one_certificate(void **state)
{
	struct forged *f = forge(&(struct forge_order){.name = "One"});
	struct cmi_cert *a = NULL, *b = NULL;
	struct cmi_intern in;

	(void)state;
	assert_int_equal(cmi_intern_init(&in, NULL), CMEND_OK);
	assert_int_equal(cmi_intern_der(&in, f->c->der, &a, NULL), CMEND_OK);
	assert_int_equal(cmi_intern_der(&in, f->c->der, &b, NULL), CMEND_OK);
	assert_ptr_equal(a, b);
	assert_int_equal(in.parsed, 1);
	cmi_cert_unref(a);
	cmi_cert_unref(b);
	cmi_intern_dispose(&in);
}

/* Same length, same ends, another middle: not the same certificate. */
static void the_middle_counts(void **state)
{
	struct forged *f = forge(&(struct forge_order){
		.name = "A name that is long enough to be changed"});
	uint8_t *copy = malloc(f->c->der.n);
	struct cmi_cert *a = NULL, *b = NULL;
	struct cmi_intern in;

	(void)state;
	memcpy(copy, f->c->der.p, f->c->der.n);
	copy[f->c->der.n / 2] ^= 1;
	assert_int_equal(cmi_intern_init(&in, NULL), CMEND_OK);
	assert_int_equal(cmi_intern_der(&in, f->c->der, &a, NULL), CMEND_OK);
	assert_int_equal(
		cmi_intern_der(
			&in, (struct cmi_bytes){copy, f->c->der.n}, &b, NULL),
		CMEND_OK);
	assert_true(a != b);
	assert_int_equal(in.parsed, 2);
	cmi_cert_unref(a);
	cmi_cert_unref(b);
	cmi_intern_dispose(&in);
	free(copy);
}

static void rubbish_is_remembered_as_rubbish(void **state)
{
	struct cmi_cert *c = NULL;
	struct cmi_intern in;

	(void)state;
	assert_int_equal(cmi_intern_init(&in, NULL), CMEND_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			cmi_intern_der(&in, CMI_BYTES("rubbish"), &c, NULL),
			CMEND_OK);
		assert_null(c);
	}
	assert_int_equal(in.parsed, 1);
	assert_int_equal(
		cmi_intern_der(&in, (struct cmi_bytes){0}, &c, NULL), CMEND_OK);
	assert_null(c);
	cmi_intern_dispose(&in);
}

static void nothing_grows_without_end(void **state)
{
	struct cmi_intern in;
	struct cmi_cert *c;

	(void)state;
	assert_int_equal(cmi_intern_init(&in, NULL), CMEND_OK);
	for (uint32_t i = 0; i < 20000; i++) {
		struct cmi_bytes v = {(const uint8_t *)&i, sizeof(i)};

		assert_int_equal(cmi_intern_der(&in, v, &c, NULL), CMEND_OK);
	}
	/* Whatever is kept, it is a fixed number of places. */
	assert_int_equal(in.certs.sets, 256);
	cmi_intern_dispose(&in);
}

static void only_cas_are_offered_as_issuers(void **state)
{
	struct forged *root =
		forge(&(struct forge_order){.name = "Intern Root", .ca = true});
	struct forged *leaf = forge(
		&(struct forge_order){.name = "Intern Leaf", .issuer = root});
	struct cmi_cert *c = NULL;
	struct cmi_intern in;

	(void)state;
	assert_int_equal(cmi_intern_init(&in, NULL), CMEND_OK);
	assert_int_equal(cmi_intern_der(&in, leaf->c->der, &c, NULL), CMEND_OK);
	cmi_cert_unref(c);
	assert_int_equal(cmi_intern_known(&in, leaf->c->subject_hash), 0);
	assert_int_equal(cmi_intern_der(&in, root->c->der, &c, NULL), CMEND_OK);
	cmi_cert_unref(c);
	assert_int_equal(cmi_intern_known(&in, leaf->c->issuer_hash), 1);
	cmi_intern_dispose(&in);
}

static void long_names_are_cut_between_characters(void **state)
{
	char in[600], out[CMI_PHRASE_NAME];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(in); i += 2)
		memcpy(in + i, "\xc3\xa9", 2);
	in[598] = '\0';
	cmi_phrase_clip(out, in);
	assert_true(strlen(out) < sizeof(out));
	assert_string_equal(out + strlen(out) - 3, "...");
	assert_int_equal((strlen(out) - 3) % 2, 0);
	assert_string_equal(cmi_phrase_clip(out, NULL), "");
	assert_string_equal(cmi_phrase_clip(out, "short"), "short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_bytes_give_one_certificate),
		cmocka_unit_test(the_middle_counts),
		cmocka_unit_test(rubbish_is_remembered_as_rubbish),
		cmocka_unit_test(nothing_grows_without_end),
		cmocka_unit_test(only_cas_are_offered_as_issuers),
		cmocka_unit_test(long_names_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, forge_teardown);
}
