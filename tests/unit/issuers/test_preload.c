/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <unistd.h>

#include "core/file.h"
#include "issuers/preload.h"
#include "issuers/unpack.h"

enum { N_CAS = 30 };
static struct forged *root, *cas[N_CAS], *leaf, *no_ca, *orphan;
static struct cmi_cert_list all, roots;
static char path[64];

static int setup(void **state)
{
	char name[32];

	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	for (size_t i = 0; i < N_CAS; i++) {
		/* Three certificates share each name. */
		snprintf(name, sizeof(name), "CA %zu", i / 3);
		cas[i] = forge(&(struct forge_order){
			.name = name, .issuer = root, .ca = true});
	}
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = cas[4], .dns = "a.test"});
	no_ca = forge(&(struct forge_order){.name = "x", .issuer = root});
	orphan = forge(&(struct forge_order){
		.name = "orphan", .issuer = no_ca, .ca = true});
	all = roots = (struct cmi_cert_list){0};
	assert_int_equal(cmi_cert_list_add(&roots, root->c, NULL), 0);
	for (size_t i = 0; i < N_CAS; i++)
		assert_int_equal(cmi_cert_list_add(&all, cas[i]->c, NULL), 0);
	snprintf(path, sizeof(path), "/tmp/chainmend-preload-XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	cmi_cert_list_dispose(&all);
	cmi_cert_list_dispose(&roots);
	forge_free_all();
	return 0;
}

static void build(struct cmi_buf *b)
{
	const struct cmi_preload_origin from = {.source = CMI_BYTES("test.pem"),
		.etag = CMI_BYTES("\"tag\""),
		.modified = CMI_BYTES("Sun, 06 Nov 1994 08:49:37 GMT")};

	cmi_buf_init(b, 1 << 20);
	assert_int_equal(
		cmi_preload_build(&all, &roots, FORGE_NOW, &from, b, NULL),
		CMEND_OK);
}

static cmend_status open_bytes(struct cmi_bytes v, struct cmi_preload **out)
{
	assert_int_equal(cmi_file_write(path, v, 0600, NULL), CMEND_OK);
	return cmi_preload_open(path, out, NULL);
}

static cmend_status gather(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	assert_int_equal(origin, CMI_FROM_PRELOAD);
	return cmi_cert_list_add(ctx, cert, NULL);
}

static size_t issuers(
	struct cmi_preload *p, const struct forged *child, struct cmi_cert *has)
{
	const struct cmi_source *s = cmi_preload_source(p);
	struct cmi_cert_list l = {0};
	size_t n;

	assert_int_equal(
		s->issuers_of(s->ctx, child->c, gather, &l, NULL), CMEND_OK);
	if (has)
		assert_true(cmi_cert_list_has(&l, has));
	n = l.n;
	cmi_cert_list_dispose(&l);
	return n;
}

static void everything_is_found_by_each_key(void **state)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	build(&b);
	assert_int_equal(open_bytes(cmi_buf_view(&b), &p), CMEND_OK);
	assert_int_equal(cmi_preload_count(p), N_CAS + 1);
	assert_int_equal(cmi_preload_issuers(p), N_CAS);
	assert_true(cmi_preload_made_s(p) == FORGE_NOW);
	assert_true(cmi_bytes_equal(
		cmi_preload_origin(p)->source, CMI_BYTES("test.pem")));
	assert_true(cmi_bytes_equal(
		cmi_preload_origin(p)->etag, CMI_BYTES("\"tag\"")));
	assert_true(cmi_bytes_equal(cmi_preload_origin(p)->modified,
		CMI_BYTES("Sun, 06 Nov 1994 08:49:37 GMT")));
	assert_int_equal(issuers(p, leaf, cas[4]->c), 3);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < N_CAS; i++) {
			struct cmi_cert *want = cas[i]->c, *got;

			got = cmi_preload_by_sha256(p, want->sha256);
			assert_true(got && cmi_cert_equal(got, want));
			cmi_cert_unref(got);
			got = cmi_preload_by_key_id(p, want->skid);
			assert_true(got && cmi_cert_equal(got, want));
			cmi_cert_unref(got);
		}
	}
	assert_null(cmi_preload_by_key_id(p, (struct cmi_bytes){NULL, 0}));
	assert_null(cmi_preload_at(p, N_CAS + 1));
}

/* A profile finds a root by its digest; no search is ever offered one. */
static void a_root_is_found_by_digest_alone(void **state)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_cert *got;

	(void)state;
	build(&b);
	assert_int_equal(open_bytes(cmi_buf_view(&b), &p), CMEND_OK);
	got = cmi_preload_by_sha256(p, root->c->sha256);
	assert_true(got && cmi_cert_equal(got, root->c));
	cmi_cert_unref(got);
	assert_int_equal(issuers(p, cas[0], NULL), 0);
	assert_int_equal(issuers(p, root, NULL), 0);
	assert_null(cmi_preload_by_key_id(p, root->c->skid));
}

/* What an earlier release wrote: no roots, one text.  Made here from the
 * layout in preload.h, with one certificate. */
static void the_first_version_is_read(void **state)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_cert *c = cas[4]->c, *got;
	uint8_t hash[CMI_SHA256_LEN];

	(void)state;
	cmi_buf_init(&b, 1 << 20);
	cmi_buf_text(&b, "cmnd-pre");
	cmi_buf_be(&b, 4, 1);
	cmi_buf_be(&b, 4, 1);
	cmi_buf_be(&b, 8, (uint64_t)FORGE_NOW);
	cmi_buf_be(&b, 4, 3);
	cmi_buf_text(&b, "old");
	cmi_buf_add(&b, c->sha256, CMI_SHA256_LEN);
	cmi_buf_be(&b, 8, 31 + 44 + 2 * 12);
	cmi_buf_be(&b, 4, c->der.n);
	cmi_buf_be(&b, 8, c->subject_hash);
	cmi_buf_be(&b, 4, 0);
	cmi_sha256(c->skid, hash);
	cmi_buf_add(&b, hash, 8);
	cmi_buf_be(&b, 4, 0);
	cmi_buf_add_bytes(&b, c->der);
	assert_int_equal(open_bytes(cmi_buf_view(&b), &p), CMEND_OK);
	assert_int_equal(cmi_preload_count(p), 1);
	assert_int_equal(cmi_preload_issuers(p), 1);
	assert_true(cmi_bytes_equal(
		cmi_preload_origin(p)->source, CMI_BYTES("old")));
	assert_int_equal(cmi_preload_origin(p)->etag.n, 0);
	assert_int_equal(issuers(p, leaf, c), 1);
	got = cmi_preload_by_key_id(p, c->skid);
	assert_true(got && cmi_cert_equal(got, c));
	cmi_cert_unref(got);
}

static void an_empty_one_is_fine(void **state)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	const struct cmi_cert_list none = {0};

	(void)state;
	cmi_buf_init(&b, 4096);
	assert_int_equal(cmi_preload_build(&none, &none, 0,
				 &(struct cmi_preload_origin){0}, &b, NULL),
		CMEND_OK);
	assert_int_equal(open_bytes(cmi_buf_view(&b), &p), CMEND_OK);
	assert_int_equal(issuers(p, leaf, NULL), 0);
	assert_null(cmi_preload_by_sha256(p, root->c->sha256));
}

/* Cut anywhere: refused, or every certificate that is handed out is whole. */
static void a_cut_file_gives_nothing_wrong(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	size_t refused = 0, opened = 0;

	(void)state;
	build(&b);
	for (size_t n = 0; n < b.n; n += n < 220 ? 1 : 397) {
		CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
		struct cmi_bytes cut = {b.p, n};

		if (open_bytes(cut, &p) != CMEND_OK) {
			refused++;
			continue;
		}
		opened++;
		for (size_t i = 0; i < cmi_preload_count(p); i++)
			cmi_cert_unref(cmi_preload_at(p, i));
		(void)issuers(p, leaf, NULL);
	}
	assert_true(refused > 200 && opened > 10);
}

static bool is_known(const struct cmi_cert *c)
{
	for (size_t i = 0; i < N_CAS; i++)
		if (cmi_cert_equal(c, cas[i]->c))
			return true;
	return cmi_cert_equal(c, root->c);
}

/* One byte changed, each in turn: what comes out went in, byte for byte. */
static void a_changed_byte_never_makes_a_certificate(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	build(&b);
	for (size_t at = 0; at < b.n; at += 211) {
		CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;

		b.p[at] ^= 0x5a;
		if (open_bytes(cmi_buf_view(&b), &p) == CMEND_OK) {
			for (size_t i = 0; i < N_CAS; i++) {
				struct cmi_cert *c = cmi_preload_at(p, i);

				assert_true(!c || is_known(c));
				cmi_cert_unref(c);
			}
			(void)issuers(p, leaf, NULL);
		}
		b.p[at] ^= 0x5a;
	}
}

static void strangers_are_refused(void **state)
{
	static const struct {
		const char *name, *content;
		size_t n;
	} rows[] = {
		{"empty", "", 0},
		{"text", "hello, this is no preload at all", 32},
		{"another SQLite", "SQLite format 3", 16},
		{"count beyond all bounds",
			"cmnd-pre\0\0\0\1\xff\xff\xff\xff\0\0\0\0\0\0\0\0"
			"\0\0\0\0",
			28},
		{"name beyond all bounds",
			"cmnd-pre\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"
			"\xff\xff\xff\xff",
			28},
		{"more issuers than certificates",
			"cmnd-pre\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0"
			"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
			40},
	};
	struct cmi_preload *p = NULL;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (open_bytes(
			    (struct cmi_bytes){(const uint8_t *)rows[i].content,
				    rows[i].n},
			    &p) != CMEND_PARSE)
			fail_msg("%s", rows[i].name);
	assert_int_equal(open_bytes(CMI_BYTES("cmnd-pre\0\0\0\3"), &p),
		CMEND_UNSUPPORTED);
	assert_int_equal(cmi_preload_open("/tmp", &p, NULL), CMEND_PARSE);
	assert_int_equal(
		cmi_preload_open("/nowhere/x", &p, NULL), CMEND_NOT_FOUND);
}

static void only_proven_issuers_are_selected(void **state)
{
	struct cmi_cert_list chosen = {0}, found = {0};

	(void)state;
	for (size_t i = 0; i < 2; i++) { /* each twice */
		assert_int_equal(cmi_cert_list_add(&all, root->c, NULL), 0);
		assert_int_equal(cmi_cert_list_add(&all, leaf->c, NULL), 0);
		assert_int_equal(cmi_cert_list_add(&all, no_ca->c, NULL), 0);
		assert_int_equal(cmi_cert_list_add(&all, orphan->c, NULL), 0);
	}
	assert_int_equal(
		cmi_preload_select(&all, &chosen, &found, NULL), CMEND_OK);
	assert_int_equal(chosen.n, N_CAS);
	assert_int_equal(found.n, 1);
	assert_true(cmi_cert_list_has(&found, root->c));
	assert_false(cmi_cert_list_has(&chosen, root->c));
	assert_false(cmi_cert_list_has(&chosen, leaf->c));
	assert_false(cmi_cert_list_has(&chosen, orphan->c));
	cmi_cert_list_dispose(&chosen);
	cmi_cert_list_dispose(&found);
}

/* "hello" packed by zstd(1), and the same with its end cut off. */
static void packed_files_are_unpacked(void **state)
{
	static const uint8_t packed[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x05,
		0x29, 0x00, 0x00, 'h', 'e', 'l', 'l', 'o'};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 1 << 20);
	assert_int_equal(
		cmi_file_write(path, (struct cmi_bytes){packed, sizeof(packed)},
			0600, NULL),
		CMEND_OK);
	assert_int_equal(cmi_unpack_file(path, &b, NULL), CMEND_OK);
	assert_string_equal(cmi_buf_cstr(&b), "hello");
	for (size_t n = 4; n < sizeof(packed); n++) {
		cmi_buf_clear(&b);
		assert_int_equal(
			cmi_file_write(path, (struct cmi_bytes){packed, n},
				0600, NULL),
			CMEND_OK);
		assert_int_equal(cmi_unpack_file(path, &b, NULL), CMEND_PARSE);
	}
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Empty entries, and no texts: a head and what it counts. */
static cmend_status open_counting(size_t n, struct cmi_preload **out)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, (size_t)4 << 20);
	cmi_buf_text(&b, "cmnd-pre");
	cmi_buf_be(&b, 4, 2);
	cmi_buf_be(&b, 4, n);
	cmi_buf_be(&b, 4, 0);
	cmi_buf_be(&b, 8, FORGE_NOW);
	for (size_t i = 0; i < 3; i++)
		cmi_buf_be(&b, 4, 0);
	for (size_t i = 0; i < n * (32 + 8 + 4); i += 4)
		cmi_buf_be(&b, 4, 0);
	assert_int_equal(cmi_buf_status(&b, NULL), CMEND_OK);
	return open_bytes(cmi_buf_view(&b), out);
}

static void no_more_certificates_than_a_bundle_may_have(void **state)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL, *none = NULL;

	(void)state;
	assert_int_equal(open_counting(CMI_BUNDLE_CERTS_MAX, &p), CMEND_OK);
	assert_int_equal(cmi_preload_count(p), CMI_BUNDLE_CERTS_MAX);
	assert_int_equal(
		open_counting(CMI_BUNDLE_CERTS_MAX + 1, &none), CMEND_PARSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(everything_is_found_by_each_key),
		ROW(a_root_is_found_by_digest_alone),
		ROW(the_first_version_is_read),
		ROW(an_empty_one_is_fine),
		ROW(a_cut_file_gives_nothing_wrong),
		ROW(a_changed_byte_never_makes_a_certificate),
		ROW(strangers_are_refused),
		ROW(only_proven_issuers_are_selected),
		ROW(packed_files_are_unpacked),
		cmocka_unit_test(no_more_certificates_than_a_bundle_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
