/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static cmend_status fail_errno(cmend_error *err, const char *what)
{
	return cmi_fail(
		err, CMEND_UNSUPPORTED, "%s: %s", what, strerror(errno));
}

static cmend_status put(const char *path, const char *text, cmend_error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? write(fd, text, strlen(text)) : -1;
	int was = errno;

	if (fd >= 0)
		close(fd);
	errno = was;
	return n == (ssize_t)strlen(text) ? CMEND_OK : fail_errno(err, path);
}

static cmend_status loopback_up(cmend_error *err)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cmend_status status = CMEND_OK;

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		status = fail_errno(err, "loopback interface");
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (!status && ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		status = fail_errno(err, "loopback interface");
	if (fd >= 0)
		close(fd);
	return status;
}

static cmend_status map_ids(uid_t uid, gid_t gid, cmend_error *err)
{
	char line[40];

	CMI_TRY(put("/proc/self/setgroups", "deny", err));
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)uid);
	CMI_TRY(put("/proc/self/uid_map", line, err));
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)gid);
	return put("/proc/self/gid_map", line, err);
}

/* Some kernels let the namespace be made and then refuse its maps, which
 * cannot be taken back: so it is tried in a child first. */
static bool would_work(uid_t uid, gid_t gid)
{
	pid_t child = fork();
	int status = 1;

	if (child == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
			map_ids(uid, gid, NULL) || loopback_up(NULL));
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

cmend_status cmi_netns_enter(cmend_error *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (would_work(uid, gid)) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return fail_errno(err, "unshare");
		CMI_TRY(map_ids(uid, gid, err));
		return loopback_up(err);
	}
	/* No user namespaces; root may make a network namespace alone. */
	if (unshare(CLONE_NEWNET) < 0)
		return fail_errno(err, "no namespace of our own");
	return loopback_up(err);
}
