/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "x509/trust.h"

static struct cmi_trust *fresh(void)
{
	struct cmi_trust *t = NULL;

	assert_int_equal(cmi_trust_new("test", &t, NULL), CMEND_OK);
	return t;
}

static void anchors_are_found(void **state)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = fresh();
	struct forged *old =
		forge(&(struct forge_order){.name = "Root", .ca = true});
	struct forged *twin = forge(&(struct forge_order){
		.name = "Root", .same_key = old, .ca = true});
	struct forged *other =
		forge(&(struct forge_order){.name = "Root", .ca = true});
	struct forged *leaf =
		forge(&(struct forge_order){.name = "leaf", .issuer = old});
	struct cmi_cert *found[1];

	(void)state;
	assert_int_equal(cmi_trust_add(t, old->c, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(t, old->c, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_count(t), 1);
	assert_true(cmi_trust_has(t, old->c));
	assert_false(cmi_trust_has(t, twin->c));
	assert_true(cmi_trust_has_entity(t, twin->c));
	assert_false(cmi_trust_has_entity(t, other->c));
	assert_false(cmi_trust_has(t, leaf->c));
	assert_int_equal(cmi_trust_add(t, other->c, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_issuers(t, leaf->c, found, 1), 2);
	assert_ptr_equal(found[0], old->c);
	assert_int_equal(cmi_trust_issuers(t, old->c, NULL, 0), 2);
	assert_string_equal(cmi_trust_name(t), "test");
}

static void write_pem(const char *dir, const char *name, struct cmi_cert *c)
{
	struct cmi_buf out;
	char path[512];

	cmi_buf_init(&out, CMI_FILE_MAX);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(
		cmi_bundle_write(&c, 1, CMI_FORM_PEM, true, &out, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_file_write(path, cmi_buf_view(&out), 0600, NULL), CMEND_OK);
	cmi_buf_dispose(&out);
}

static void a_directory_is_read_whole(void **state)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = fresh();
	struct forged *r1 =
		forge(&(struct forge_order){.name = "R1", .ca = true});
	struct forged *r2 =
		forge(&(struct forge_order){.name = "R2", .ca = true});
	char dir[] = "/tmp/cmi-trust-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_pem(dir, "b.pem", r2->c);
	write_pem(dir, "a.0", r1->c);
	write_pem(dir, ".hidden",
		forge(&(struct forge_order){.name = "R3", .ca = true})->c);
	snprintf(path, sizeof(path), "%s/README", dir);
	assert_int_equal(cmi_file_write(path, CMI_BYTES("read me"), 0600, NULL),
		CMEND_OK);
	snprintf(path, sizeof(path), "%s/dangling", dir);
	assert_int_equal(symlink("/nonexistent", path), 0);
	assert_int_equal(cmi_trust_add_path(t, dir, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_count(t), 2);
	assert_ptr_not_equal(cmi_trust_at(t, 0), r1->c);
	assert_true(cmi_cert_equal(cmi_trust_at(t, 0), r1->c));
	for (const char *const *n = (const char *const[]){"b.pem", "a.0",
		     ".hidden", "README", "dangling", NULL};
		*n; n++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *n);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void what_is_not_there_is_said(void **state)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = fresh();
	char dir[] = "/tmp/cmi-trust-XXXXXX";
	cmend_error err;

	(void)state;
	assert_int_equal(
		cmi_trust_add_path(t, "/nonexistent/x", &err), CMEND_IO);
	assert_non_null(strstr(err.message, "/nonexistent/x"));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(cmi_trust_add_path(t, dir, &err), CMEND_PARSE);
	assert_non_null(strstr(err.message, dir));
	assert_int_equal(cmi_trust_add_path(t, "/dev/null", &err), CMEND_PARSE);
	assert_int_equal(cmi_trust_count(t), 0);
	rmdir(dir);
}

/* As Debian's ca-certificates and others lay them out: HASH.0 for each. */
static bool system_is_hashed(void)
{
	glob_t found = {0};
	char pattern[512];
	bool hashed;

	snprintf(pattern, sizeof(pattern), "%s/[0-9a-f]*.0",
		X509_get_default_cert_dir());
	hashed = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
	globfree(&found);
	return hashed;
}

static void the_systems_roots_are_known_by_name(void **state)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = fresh();
	struct forged *root = forge(&(struct forge_order){
		.name = "A root that no system has", .ca = true});
	struct forged *leaf =
		forge(&(struct forge_order){.name = "leaf", .issuer = root});
	size_t known = 0;

	(void)state;
	assert_false(cmi_trust_system_names_issuer(leaf->c));
	if (!system_is_hashed() || cmi_trust_add_system(t, NULL)) {
		print_message("no hashed roots on this system to look at\n");
		return;
	}
	for (size_t i = 0; i < cmi_trust_count(t); i++)
		known += cmi_trust_system_names_issuer(cmi_trust_at(t, i));
	assert_true(known > 0);
}

static void every_allocation_may_fail(void **state)
{
	struct forged *r =
		forge(&(struct forge_order){.name = "R", .ca = true});
	cmend_status status = CMEND_NOMEM;

	(void)state;
	for (long n = 0; status != CMEND_OK; n++) {
		struct cmi_trust *t = NULL;

		cmi_mem_fail_after(n);
		status = cmi_trust_new("x", &t, NULL);
		if (status == CMEND_OK)
			status = cmi_trust_add(t, r->c, NULL);
		cmi_mem_fail_after(-1);
		assert_true(status == CMEND_OK || status == CMEND_NOMEM);
		cmi_trust_free(t);
	}
}

#define ROW(f) cmocka_unit_test_teardown(f, forge_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(anchors_are_found),
		ROW(a_directory_is_read_whole),
		ROW(what_is_not_there_is_said),
		ROW(the_systems_roots_are_known_by_name),
		ROW(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
