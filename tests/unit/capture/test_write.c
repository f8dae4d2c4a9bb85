/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "capture/file.h"
#include "capture/write.h"
#include "forge_packets.h"

static void what_is_written_is_read(void **state)
{
	static const size_t sizes[] = {
		1, 2, 3, 4, 60, 1514, 65550, CMI_PACKET_MAX};
	static uint8_t data[CMI_PACKET_MAX];
	char path[] = "/tmp/cmi-write-XXXXXX";
	struct cmi_pcapng_writer *w = NULL;
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	bool more;

	(void)state;
	close(mkstemp(path));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(
		cmi_pcapng_create(path, 101, "test", &w, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(sizes); i++)
		assert_int_equal(
			cmi_pcapng_packet(w, 1700000000123456 + i,
				(struct cmi_bytes){data, sizes[i]},
				sizes[i] + i, i % 2 ? "says" : NULL, NULL),
			CMEND_OK);
	assert_int_equal(cmi_pcapng_close(w, NULL), CMEND_OK);
	assert_int_equal(cmi_capfile_open(path, NULL, &f, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(sizes); i++) {
		assert_int_equal(
			cmi_capfile_next(f, &frame, &more, NULL), CMEND_OK);
		assert_true(more);
		assert_int_equal(frame.link, 101);
		assert_int_equal(frame.t_us, 1700000000123456 + i);
		assert_int_equal(frame.length, sizes[i] + i);
		assert_int_equal(frame.data.n, sizes[i]);
		assert_memory_equal(frame.data.p, data, sizes[i]);
	}
	assert_int_equal(cmi_capfile_next(f, &frame, &more, NULL), CMEND_OK);
	assert_false(more);
	assert_false(cmi_capfile_damaged(f));
	cmi_capfile_close(f);
	unlink(path);
}

static void a_capture_can_be_read_while_it_is_written(void **state)
{
	char path[] = "/tmp/cmi-write-XXXXXX";
	struct cmi_pcapng_writer *w = NULL;
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	bool more;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(
		cmi_pcapng_create(path, 1, "test", &w, NULL), CMEND_OK);
	assert_int_equal(cmi_capfile_open(path, NULL, &f, NULL), CMEND_OK);
	assert_int_equal(cmi_capfile_next(f, &frame, &more, NULL), CMEND_OK);
	assert_false(more);
	cmi_capfile_close(f);
	assert_int_equal(cmi_pcapng_close(w, NULL), CMEND_OK);
	unlink(path);
}

static void what_cannot_be_written(void **state)
{
	static uint8_t data[CMI_PACKET_MAX + 1];
	struct cmi_pcapng_writer *w = NULL;
	cmend_error err = {0};

	(void)state;
	assert_int_equal(
		cmi_pcapng_create("/nowhere/a.pcapng", 1, "test", &w, &err),
		CMEND_IO);
	assert_non_null(strstr(err.message, "/nowhere/a.pcapng"));
	assert_int_equal(
		cmi_pcapng_create("/dev/full", 1, "test", &w, &err), CMEND_IO);
	assert_non_null(strstr(err.message, "/dev/full"));
	assert_int_equal(
		cmi_pcapng_create("/dev/null", 1, "test", &w, NULL), CMEND_OK);
	assert_int_equal(
		cmi_pcapng_packet(w, 0, (struct cmi_bytes){data, sizeof(data)},
			sizeof(data), NULL, &err),
		CMEND_LIMIT);
	assert_int_equal(cmi_pcapng_close(w, NULL), CMEND_OK);
	assert_int_equal(cmi_pcapng_close(NULL, NULL), CMEND_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_capture_can_be_read_while_it_is_written),
		cmocka_unit_test(what_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
