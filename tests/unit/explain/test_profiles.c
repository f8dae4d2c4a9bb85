/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <unistd.h>

#include "core/file.h"
#include "explain/profiles.h"
#include "x509/bundle.h"

#define D1 "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6"
#define D2 "0687260331a72403d909f105e69bcf0d32e1bd2493ffc6d9206d11bcd6770739"

struct row {
	const char *name, *text;
	const char *says; /* part of the refusal; NULL: accepted */
};

static const struct row inis[] = {
	{"smallest", "title = A device\n", NULL},
	{"no line feed at the end", "title = A device", NULL},
	{"CRLF", "title = A device\r\ntls-max = 1.2\r\n", NULL},
	{"comments and sections", "# c\n; c\n[x]\n\ntitle=x\n", NULL},
	{"all facts",
		"title = x\nfetches-aia = yes\nreorders = no\nsni = unknown\n"
		"rsa-bits-min = 2048\nsecurity-level = 2\ncurrent = yes\n",
		NULL},
	{"a clock that begins somewhere",
		"title = x\nkeeps-clock = no\nclock-starts = 2016-01-01\n"
		"subject-names = yes\n",
		NULL},
	{"a clock that begins at no day", "clock-starts = soon\n",
		"this value"},
	{"nothing", "", "needs a title"},
	{"empty title", "title =\n", "line 1: this value cannot be"},
	{"no equals sign", "title\n", "line 1: a line is"},
	{"unknown name", "title = x\nroot = y\n", "line 2: no such name"},
	{"no yes or no", "title = x\nsni = maybe\n", "line 2: this value"},
	{"current cannot be unknown", "current = unknown\n", "this value"},
	{"version", "tls-max = 2.0\n", "this value"},
	{"level", "security-level = 6\n", "this value"},
	{"negative", "rsa-bits-min = -1\n", "this value"},
	{"list outside", "roots = ../../etc/passwd\n", "this value"},
	{"list by absolute path", "roots = /etc/passwd\n", "this value"},
	{"control characters", "x\x1b[31m = 1\n", "\\x1b"},
};

static const struct row lists[] = {
	{"one", D1 "\n", NULL},
	{"blocked and dated", "!" D1 "\n" D2 " distrust-after=2024-11-30\n",
		NULL},
	{"nothing", "# none\n\n", NULL},
	{"short", "96bcec06\n", "line 1: a line is a SHA-256"},
	{"no hex",
		"zzbcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf0"
		"8c6\n",
		"line 1"},
	{"junk behind", D1 " x\n", "line 1"},
	{"no date", "# a\n" D1 " distrust-after=soon\n", "line 2"},
};

static void free_parsed(struct cmi_profile *p)
{
	cmi_free(p->title);
	cmi_free(p->date);
	cmi_free(p->note);
	cmi_free(p->list_path);
	for (size_t i = 0; i < p->n_sources; i++)
		cmi_free(p->sources[i]);
	cmi_free(p->roots);
}

typedef cmend_status (*parser)(struct cmi_bytes text, const char *where,
	struct cmi_profile *out, cmend_error *err);

static void parse_rows(const struct row *r, size_t n, parser parse)
{
	for (; n; r++, n--) {
		struct cmi_profile p = {0};
		cmend_error err = {0};
		cmend_status status =
			parse(cmi_bytes_of(r->text), "file", &p, &err);

		print_message("%s\n", r->name);
		assert_int_equal(status, r->says ? CMEND_PARSE : CMEND_OK);
		if (r->says)
			assert_non_null(strstr(err.message, r->says));
		assert_null(strchr(err.message, 0x1b));
		free_parsed(&p);
	}
}

static void test_inis(void **state)
{
	(void)state;
	parse_rows(inis, CMI_LEN(inis), cmi_profile_parse);
}

static void test_lists(void **state)
{
	struct cmi_profile p = {0};

	(void)state;
	parse_rows(lists, CMI_LEN(lists), cmi_profile_parse_roots);
	assert_int_equal(cmi_profile_parse_roots(
				 CMI_BYTES("!" D1 "\n" D2
					   " distrust-after=2024-11-30\n"),
				 "list", &p, NULL),
		CMEND_OK);
	assert_int_equal(p.n_roots, 2);
	assert_true(p.roots[0].blocked);
	assert_false(p.roots[1].blocked);
	assert_int_equal(p.roots[1].distrust_after_s, 1732924800);
	assert_int_equal(p.roots[1].sha256[0], 0x06);
	free_parsed(&p);
}

/* Every shipped profile loads, has a source and a date, and a list of roots
 * unless it says that the list is not public. */
static void test_shipped(void **state)
{
	char dir[4096], *names[CMI_PROFILES_MAX];
	struct cmi_root_pool pool;
	size_t n, current = 0;
	cmend_error err;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/data/profiles",
		getenv("CMI_SOURCE_ROOT"));
	cmi_root_pool_init(&pool);
	assert_int_equal(
		cmi_profile_names(dir, names, CMI_LEN(names), &n, &err),
		CMEND_OK);
	assert_true(n >= 20);
	for (size_t i = 0; i < n; i++) {
		struct cmi_profile *p = NULL;

		print_message("%s\n", names[i]);
		assert_int_equal(
			cmi_profile_load(dir, names[i], &pool, &p, &err),
			CMEND_OK);
		assert_true(p->n_sources > 0);
		assert_non_null(p->date);
		assert_true(p->n_roots > 0 || !p->list_path);
		assert_true(p->n_roots > 0 || p->note);
		current += p->current;
		cmi_profile_free(p);
		cmi_free(names[i]);
	}
	assert_true(current >= 5);
	cmi_root_pool_dispose(&pool);
}

static void test_names_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", ".", "../x", "a/b", "no-such", "a\nb"};
	struct cmi_root_pool pool;
	struct cmi_profile *p = NULL;
	cmend_error err;

	(void)state;
	cmi_root_pool_init(&pool);
	for (size_t i = 0; i < CMI_LEN(bad); i++)
		assert_int_equal(
			cmi_profile_load("/tmp", bad[i], &pool, &p, &err),
			CMEND_NOT_FOUND);
	cmi_root_pool_dispose(&pool);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(
		cmi_file_write(path, cmi_bytes_of(text), 0600, NULL), CMEND_OK);
}

/* A list of two roots, one of them among the known certificates: it is found
 * by its digest, and the other one is counted, not forgotten. */
static void test_roots_among_the_known(void **state)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *known = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	const struct cmi_cert_list none = {0};
	struct cmi_cert_list roots = {0};
	struct forged *root =
		forge(&(struct forge_order){.name = "Known Root", .ca = true});
	char dir[] = "/tmp/chainmend-profiles-XXXXXX", text[256], path[128];
	struct cmi_root_pool pool;
	struct cmi_profile *p = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "%s\n%064d\n", root->c->sha256_hex, 7);
	put(dir, "one.roots", text);
	put(dir, "one.ini",
		"title = One\ndate = 2026-01-01\nsource = a test\n"
		"roots = one.roots\n");
	cmi_buf_init(&b, 1 << 20);
	assert_int_equal(cmi_cert_list_add(&roots, root->c, NULL), 0);
	assert_int_equal(cmi_preload_build(&none, &roots, FORGE_NOW,
				 &(struct cmi_preload_origin){0}, &b, NULL),
		CMEND_OK);
	snprintf(path, sizeof(path), "%s/known.bin", dir);
	assert_int_equal(
		cmi_file_write(path, cmi_buf_view(&b), 0600, NULL), CMEND_OK);
	assert_int_equal(cmi_preload_open(path, &known, NULL), CMEND_OK);
	for (int with = 0; with < 2; with++) {
		cmi_root_pool_init(&pool);
		pool.known = with ? known : NULL;
		assert_int_equal(
			cmi_profile_load(dir, "one", &pool, &p, NULL), 0);
		assert_int_equal(p->n_roots, 2);
		assert_int_equal(p->n_absent, with ? 1 : 2);
		assert_int_equal(cmi_trust_count(p->trust), with ? 1 : 0);
		assert_int_equal(
			with, cmi_trust_has(p->trust, root->c) ? 1 : 0);
		cmi_profile_free(p);
		cmi_root_pool_dispose(&pool);
	}
	cmi_cert_list_dispose(&roots);
	forge_free_all();
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = {
			"one.ini", "one.roots", "known.bin"};

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void put_pem(const char *dir, const char *name,
	struct cmi_cert *const *certs, size_t n)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, 1 << 20);
	assert_int_equal(
		cmi_bundle_write(certs, n, CMI_FORM_PEM, true, &b, NULL),
		CMEND_OK);
	cmi_buf_u8(&b, 0);
	put(dir, name, (const char *)b.p);
}

struct beside_row {
	const char *name;
	const char *roots; /* the value in the .ini */
	bool block;        /* the list blocks the first one */
	size_t n_roots, n_absent, n_unlisted, n_trusted;
	bool has_first, has_other;
};

/* No pool knows these roots, and no store: only the .pem beside the list. */
static const struct beside_row beside_rows[] = {
	{"the list decides", "one.txt", false, 2, 1, 1, 1, true, false},
	{"blocked stays blocked", "one.txt", true, 2, 1, 1, 0, false, false},
	{"no list: all of them", "unknown", false, 2, 0, 0, 2, true, true},
};

static void check_beside(const struct beside_row *r, const char *dir,
	const struct forged *first, const struct forged *other)
{
	char text[256];
	struct cmi_root_pool pool;
	struct cmi_profile *p = NULL;

	print_message("%s\n", r->name);
	snprintf(text, sizeof(text), "%s%s\n%064d\n", r->block ? "!" : "",
		first->c->sha256_hex, 7);
	put(dir, "one.txt", text);
	snprintf(text, sizeof(text), "title = One\nroots = %s\n", r->roots);
	put(dir, "one.ini", text);
	cmi_root_pool_init(&pool);
	assert_int_equal(cmi_profile_load(dir, "one", &pool, &p, NULL), 0);
	assert_non_null(p->list_path);
	assert_int_equal(p->n_roots, r->n_roots);
	assert_int_equal(p->n_absent, r->n_absent);
	assert_int_equal(p->n_unlisted, r->n_unlisted);
	assert_int_equal(cmi_trust_count(p->trust), r->n_trusted);
	assert_int_equal(cmi_trust_has(p->trust, first->c), r->has_first);
	assert_int_equal(cmi_trust_has(p->trust, other->c), r->has_other);
	/* They are the profile's own: another one does not get them. */
	assert_int_equal(pool.list.n, 0);
	cmi_profile_free(p);
	cmi_root_pool_dispose(&pool);
}

static void test_roots_beside(void **state)
{
	struct forged *first =
		forge(&(struct forge_order){.name = "First", .ca = true});
	struct forged *other =
		forge(&(struct forge_order){.name = "Other", .ca = true});
	struct cmi_cert *certs[] = {first->c, other->c, first->c};
	static const char *const names[] = {"one.ini", "one.txt", "one.pem"};
	char dir[] = "/tmp/chainmend-profiles-XXXXXX", path[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	put_pem(dir, "one.pem", certs, CMI_LEN(certs));
	for (size_t i = 0; i < CMI_LEN(beside_rows); i++)
		check_beside(&beside_rows[i], dir, first, other);
	forge_free_all();
	for (size_t i = 0; i < CMI_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inis),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_roots_among_the_known),
		cmocka_unit_test(test_roots_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
