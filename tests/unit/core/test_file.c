/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cmi-file-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"a", "exact", "over", "sub/deep",
		"sub", "locked/x", "locked", "mine/x", "mine"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(names); i++)
		remove(in_dir(names[i]));
	return rmdir(dir);
}

static void write_then_read_back(void **state)
{
	struct cmi_buf b;
	struct stat st;

	(void)state;
	cmi_buf_init(&b, 100);
	assert_int_equal(
		cmi_file_write(in_dir("a"), CMI_BYTES("one"), 0600, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_file_write(in_dir("a"), CMI_BYTES("two"), 0640, NULL),
		CMEND_OK);
	assert_int_equal(cmi_file_read(in_dir("a"), &b, NULL), CMEND_OK);
	assert_string_equal(cmi_buf_cstr(&b), "two");
	assert_int_equal(stat(in_dir("a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	cmi_buf_dispose(&b);
}

static void a_file_of_just_the_ceiling_is_read_one_byte_more_refused(
	void **state)
{
	cmend_error err = {0};
	struct cmi_buf b;

	(void)state;
	assert_int_equal(cmi_file_write(in_dir("exact"), CMI_BYTES("12345678"),
				 0600, NULL),
		CMEND_OK);
	cmi_buf_init(&b, 8);
	assert_int_equal(cmi_file_read(in_dir("exact"), &b, &err), CMEND_OK);
	assert_int_equal(b.n, 8);
	cmi_buf_dispose(&b);
	cmi_buf_init(&b, 7);
	assert_int_equal(cmi_file_read(in_dir("exact"), &b, &err), CMEND_LIMIT);
	assert_non_null(strstr(err.message, "larger than 7 bytes"));
	cmi_buf_dispose(&b);
}

static void what_cannot_be_read_says_why(void **state)
{
	const struct {
		const char *path;
		const char *says;
	} rows[] = {{in_dir("nowhere/x"), "No such file"}, {"/", "directory"}};
	struct cmi_buf b;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmend_error err = {0};

		cmi_buf_init(&b, 100);
		assert_int_equal(
			cmi_file_read(rows[i].path, &b, &err), CMEND_IO);
		assert_non_null(strstr(err.message, rows[i].says));
		assert_non_null(strstr(err.message, rows[i].path));
		cmi_buf_dispose(&b);
	}
}

static void a_failed_write_leaves_the_old_file_and_no_litter(void **state)
{
	cmend_error err = {0};

	(void)state;
	assert_int_equal(cmi_file_write(in_dir("nowhere/x"), CMI_BYTES("new"),
				 0600, &err),
		CMEND_IO);
	assert_non_null(strstr(err.message, "nowhere/x"));
	/* A directory cannot be replaced by a file. */
	assert_int_equal(
		cmi_file_make_dirs(in_dir("locked/x"), NULL), CMEND_OK);
	assert_int_equal(
		cmi_file_write(in_dir("locked"), CMI_BYTES("new"), 0600, &err),
		CMEND_IO);
}

static void directories_are_made_once_or_twice(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(
		cmi_file_make_dirs(in_dir("sub/deep"), NULL), CMEND_OK);
	assert_int_equal(
		cmi_file_make_dirs(in_dir("sub/deep"), NULL), CMEND_OK);
	assert_int_equal(stat(in_dir("sub/deep"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* A rename over /dev/null would take it from the whole machine. */
static void a_pipe_is_written_in_place(void **state)
{
	char path[128], got[8] = "";
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s", in_dir("pipe"));
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_NONBLOCK);
	assert_true(fd >= 0);
	test_dirty_stack();
	assert_int_equal(
		cmi_file_write(path, CMI_BYTES("here"), 0600, NULL), CMEND_OK);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_memory_equal(got, "here", 4);
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(unlink(path), 0);
}

static void the_umask_is_heeded(void **state)
{
	static const struct {
		unsigned mask, mode, comes;
	} rows[] = {{0022, 0644, 0644}, {0077, 0644, 0600}, {0, 0666, 0666},
		{0027, 0600, 0600}};
	mode_t was = umask(0);
	struct stat st;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		umask(rows[i].mask);
		assert_int_equal(cmi_file_write(in_dir("a"), CMI_BYTES("x"),
					 rows[i].mode, NULL),
			CMEND_OK);
		assert_int_equal(stat(in_dir("a"), &st), 0);
		assert_int_equal(st.st_mode & 0777, rows[i].comes);
	}
	umask(was);
}

static void a_claimed_file_is_private_and_the_directorys_owners(void **state)
{
	static char target[128];
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(in_dir("mine"), 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(in_dir("mine"), 65534, 65534), 0);
	cmi_file_claim(in_dir("mine/x"));
	assert_int_equal(stat(in_dir("mine/x"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 65534 : geteuid());
	/* What is there stays as it is, a link's target is not made. */
	assert_int_equal(
		cmi_file_write(in_dir("mine/x"), CMI_BYTES("x"), 0644, NULL),
		CMEND_OK);
	if (geteuid() == 0)
		assert_int_equal(chown(in_dir("mine/x"), 0, 0), 0);
	cmi_file_claim(in_dir("mine/x"));
	assert_int_equal(stat(in_dir("mine/x"), &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_size, 1);
	assert_int_equal(st.st_mode & 0777, 0644);
	snprintf(target, sizeof(target), "%s/over", dir);
	assert_int_equal(symlink(target, in_dir("link")), 0);
	cmi_file_claim(in_dir("link"));
	assert_int_equal(stat(target, &st), -1);
	assert_int_equal(unlink(in_dir("link")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_then_read_back),
		cmocka_unit_test(
			a_file_of_just_the_ceiling_is_read_one_byte_more_refused),
		cmocka_unit_test(what_cannot_be_read_says_why),
		cmocka_unit_test(
			a_failed_write_leaves_the_old_file_and_no_litter),
		cmocka_unit_test(directories_are_made_once_or_twice),
		cmocka_unit_test(a_pipe_is_written_in_place),
		cmocka_unit_test(the_umask_is_heeded),
		cmocka_unit_test(
			a_claimed_file_is_private_and_the_directorys_owners),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
