/* SPDX-License-Identifier: Apache-2.0 */
/* Live capture in a network namespace of the test's own. */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/file.h"
#include "capture/live.h"
#include "capture/packet.h"

static bool have_namespace;

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		print_message("%s: no\n", path);
	close(fd);
}

/* Become root of a namespace with a loopback interface that is up. */
static int enter_namespace(void **state)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	char map[64];
	int fd;

	(void)state;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)getuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 0;
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", map);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	have_namespace = ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	close(fd);
	return 0;
}

static void need_namespace(void)
{
	if (!have_namespace) {
		print_message("skipped: the kernel gives no namespace\n");
		skip();
	}
}

static void send_datagrams(size_t n)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(4444),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(sendto(fd, &i, sizeof(i), 0,
					 (struct sockaddr *)&to, sizeof(to)),
			sizeof(i));
	close(fd);
}

/* Datagrams to port 4444, each expected once with its number. */
static size_t count_datagrams(const char *path, size_t *others)
{
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	struct cmi_packet p;
	size_t n = 0, number;
	bool more = true;

	*others = 0;
	assert_int_equal(cmi_capfile_open(path, NULL, &f, NULL), CMEND_OK);
	for (;;) {
		assert_int_equal(
			cmi_capfile_next(f, &frame, &more, NULL), CMEND_OK);
		if (!more)
			break;
		cmi_packet_decode(&frame, &p);
		if (p.kind != CMI_PACKET_UDP || p.to.port != 4444) {
			*others += p.to.port == 9;
			continue;
		}
		memcpy(&number, p.payload.p, sizeof(number));
		assert_int_equal(number, n);
		n++;
	}
	assert_false(cmi_capfile_damaged(f));
	cmi_capfile_close(f);
	return n;
}

static void all_that_was_sent_is_in_the_file(void **state)
{
	char path[] = "/tmp/cmi-live-XXXXXX";
	struct cmi_live_stats stats;
	struct cmi_live *live;
	cmend_error err = {0};
	size_t others;

	(void)state;
	need_namespace();
	close(mkstemp(path));
	/* Twice, and at once one after the other. */
	for (size_t n = 1; n <= 1000; n += 999) {
		if (cmi_live_start("lo", path, &live, &err))
			fail_msg("%s", err.message);
		send_datagrams(n);
		assert_int_equal(cmi_live_stop(live, &stats, &err), CMEND_OK);
		assert_int_equal(count_datagrams(path, &others), n);
		assert_int_equal(others, 0); /* the marker is not in it */
		assert_int_equal(stats.dropped, 0);
		assert_true(stats.packets >= n);
	}
	unlink(path);
}

static void an_interface_that_is_not_there(void **state)
{
	struct cmi_live *live;
	cmend_error err = {0};

	(void)state;
	need_namespace();
	assert_int_not_equal(
		cmi_live_start("nosuch7", "/tmp/x.pcapng", &live, &err),
		CMEND_OK);
	assert_non_null(strstr(err.message, "nosuch7"));
}

static void a_path_that_cannot_be_written(void **state)
{
	struct cmi_live *live;
	cmend_error err = {0};

	(void)state;
	need_namespace();
	assert_int_equal(cmi_live_start("lo", "/nowhere/x.pcapng", &live, &err),
		CMEND_IO);
	assert_non_null(strstr(err.message, "/nowhere/x.pcapng"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_sent_is_in_the_file),
		cmocka_unit_test(an_interface_that_is_not_there),
		cmocka_unit_test(a_path_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
