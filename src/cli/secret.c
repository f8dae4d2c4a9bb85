/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* The first line, byte by byte: what follows is somebody else's. */
static cmend_status read_line(
	int fd, char out[CMI_CLI_SECRET_MAX], cmend_error *err)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t got = read(fd, &c, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cmi_fail(err, CMEND_IO, "cannot read: %s",
				strerror(errno));
		if (got == 0 || c == '\n')
			break;
		if (n + 1 == CMI_CLI_SECRET_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"longer than %d characters",
				CMI_CLI_SECRET_MAX - 1);
		out[n++] = c;
	}
	if (n && out[n - 1] == '\r')
		n--;
	out[n] = 0;
	if (!n)
		return cmi_fail(err, CMEND_ARG, "nothing was given");
	return CMEND_OK;
}

static cmend_status prompt(
	const char *what, char out[CMI_CLI_SECRET_MAX], cmend_error *err)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios was, quiet;
	cmend_status status;
	bool is_terminal;

	if (fd < 0)
		return cmi_fail(err, CMEND_ARG,
			"there is no terminal to ask for it: give a file or a "
			"descriptor with it (--help names the options)");
	/* Quiet before it is asked: who types at once is neither shown nor
	 * flushed away. */
	is_terminal = tcgetattr(fd, &was) == 0;
	if (is_terminal) {
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(fd, TCSAFLUSH, &quiet);
	}
	dprintf(fd, "%s: ", what);
	status = read_line(fd, out, err);
	if (is_terminal)
		tcsetattr(fd, TCSAFLUSH, &was);
	dprintf(fd, "\n");
	close(fd);
	return status;
}

cmend_status cmi_secret_read(const struct cmi_secret_from *from,
	char out[CMI_CLI_SECRET_MAX], cmend_error *err)
{
	cmend_status status;
	uint64_t n;
	int fd;

	if (from->fd) {
		if (!cmi_parse_uint(cmi_bytes_of(from->fd), 1023, &n))
			return cmi_fail(err, CMEND_ARG,
				"\"%s\" is not a descriptor", from->fd);
		status = read_line((int)n, out, err);
	} else if (from->file) {
		fd = open(from->file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s",
				from->file, strerror(errno));
		status = read_line(fd, out, err);
		close(fd);
	} else {
		status = prompt(from->what, out, err);
	}
	if (status) {
		cmi_wipe(out, CMI_CLI_SECRET_MAX);
		return cmi_fail_within(err, status, "%s", from->what);
	}
	return CMEND_OK;
}
