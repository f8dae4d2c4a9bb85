/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sandbox.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

/* One message: what is wanted, and for ASK_FILE the path behind it. */
enum { ASK_FILE = 'f', ASK_PAGE = 'p', TELL_BEGIN = 'b', TELL_DONE = 'd' };

struct message {
	char what;
	char path[CMI_JAIL_PATH_MAX];
};

/* A descriptor travels beside the bytes (unix(7), SCM_RIGHTS). */
union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* ---------------------------------------------------------------- inside */

static bool tell(int fd, char what, const char *path)
{
	struct message m = {.what = what};
	size_t n = strlen(path);
	struct iovec part = {&m, offsetof(struct message, path) + n};
	struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};

	if (n >= sizeof(m.path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(m.path, path, n);
	return sendmsg(fd, &h, MSG_NOSIGNAL) == (ssize_t)part.iov_len;
}

/* The descriptor that the parent opened, or -1 with errno. */
static int receive_fd(int fd)
{
	union control c = {0};
	int error = EIO, got = -1;
	struct iovec part = {&error, sizeof(error)};
	struct msghdr h = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = c.room,
		.msg_controllen = sizeof(c.room)};
	const struct cmsghdr *head;

	if (recvmsg(fd, &h, MSG_CMSG_CLOEXEC) != sizeof(error))
		return -1;
	head = CMSG_FIRSTHDR(&h);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(head), sizeof(got));
	errno = error;
	return got;
}

static int ask_file(void *ctx, const char *path)
{
	const struct cmi_jail_inside *in = ctx;

	return tell(in->fd, ASK_FILE, path) ? receive_fd(in->fd) : -1;
}

cmend_status cmi_jail_lock(struct cmi_jail_inside *in, cmend_error *err)
{
	cmend_error why = {0};
	cmend_status status = cmi_sandbox_enter(CMI_ROLE_PARSER, &why);

	if (status == CMEND_OK)
		return CMEND_OK;
	if (in->jail->required || status != CMEND_UNSUPPORTED)
		return cmi_fail(err, status, "no sandbox: %s", why.message);
	if (!in->jail->cli->common.quiet)
		fprintf(in->jail->cli->err,
			"chainmend: going on without a sandbox: %s\n",
			why.message);
	return CMEND_OK;
}

cmend_status cmi_jail_begin(struct cmi_jail_inside *in, cmend_error *err)
{
	if (!tell(in->fd, TELL_BEGIN, ""))
		return cmi_fail(err, CMEND_INTERNAL,
			"the process that opens files is gone");
	return CMEND_OK;
}

cmend_status cmi_jail_page(
	struct cmi_jail_inside *in, struct cmi_bytes page, cmend_error *err)
{
	int fd = tell(in->fd, ASK_PAGE, "") ? receive_fd(in->fd) : -1;
	cmend_status status;

	if (fd < 0)
		return cmi_fail(err, CMEND_IO, "no room for the page: %s",
			strerror(errno));
	status = cmi_fd_write(fd, page, err);
	close(fd);
	return status;
}

static void be_the_child(const struct cmi_jail *jail, int fd,
	cmi_jail_work work, void *ctx, size_t first)
{
	struct cmi_jail_inside in = {
		.env = *cmi_env_system(), .jail = jail, .fd = fd};
	int code;

	/* Nobody reads for a parent that is gone. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	in.env.open_read = ask_file;
	in.env.ctx = &in;
	code = work(ctx, &in, first);
	if (fflush(jail->cli->out) != 0 && code == CMI_EXIT_OK) {
		fputs("chainmend: cannot write to standard output\n",
			jail->cli->err);
		code = CMI_EXIT_CANNOT;
	}
	fflush(jail->cli->err);
	(void)tell(fd, TELL_DONE, "");
	_exit(code);
}

/* --------------------------------------------------------------- outside */

struct visit {
	size_t begun; /* files */
	int page;     /* -1: none asked for */
	bool done;
};

static bool may_read(const struct cmi_jail *jail, const char *path)
{
	if (jail->also && strcmp(jail->also, path) == 0)
		return true;
	for (size_t i = 0; i < jail->n_files; i++)
		if (strcmp(jail->files[i], path) == 0)
			return true;
	return false;
}

static void answer(int fd, int error, int give)
{
	union control c = {0};
	struct iovec part = {&error, sizeof(error)};
	struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};

	if (give >= 0) {
		h.msg_control = c.room;
		h.msg_controllen = sizeof(c.room);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.align), &give, sizeof(give));
	}
	/* A child that is gone shows at the next read. */
	(void)sendmsg(fd, &h, MSG_NOSIGNAL);
}

static void open_for(const struct cmi_jail *jail, int fd, const char *path)
{
	int file = -1, error = EACCES;

	if (may_read(jail, path)) {
		file = cmi_open_read(NULL, path);
		error = file < 0 ? errno : 0;
	}
	answer(fd, error, file);
	if (file >= 0)
		close(file);
}

static void make_page(const struct cmi_jail *jail, int fd, struct visit *v)
{
	if (!jail->page || v->page >= 0) {
		answer(fd, EACCES, -1);
		return;
	}
	v->page = memfd_create("page", MFD_CLOEXEC);
	answer(fd, v->page < 0 ? errno : 0, v->page);
}

/* Until the child is done, or gone. */
static void serve(const struct cmi_jail *jail, int fd, struct visit *v)
{
	struct message m;

	for (;;) {
		ssize_t n = recv(fd, &m, sizeof(m), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 1)
			return;
		if ((size_t)n == sizeof(m))
			n--;
		((char *)&m)[n] = 0;
		switch (m.what) {
		case ASK_FILE:
			open_for(jail, fd, m.path);
			break;
		case ASK_PAGE:
			make_page(jail, fd, v);
			break;
		case TELL_BEGIN:
			v->begun++;
			break;
		default:
			v->done = m.what == TELL_DONE;
			return;
		}
	}
}

static int write_page(const struct cmi_jail *jail, int fd)
{
	cmend_error err = {0};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf page = {0};
	char path[64];

	cmi_buf_init(&page, CMI_FILE_MAX);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (cmi_file_read(path, &page, &err) != CMEND_OK ||
		cmi_file_write(jail->page, cmi_buf_view(&page), 0644, &err) !=
			CMEND_OK)
		return cmi_cli_fail(jail->cli, &err);
	return CMI_EXIT_OK;
}

static int say_died(
	const struct cmi_jail *jail, size_t at, bool any, int status)
{
	char how[48], name[128] = "";

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "status %d", WEXITSTATUS(status));
	if (any)
		cmi_safe_cstr(
			name, sizeof(name), cmi_bytes_of(jail->files[at]));
	fprintf(jail->cli->err,
		any ? "chainmend: the reader died at \"%s\" (%s): nothing is "
		      "said about that file; please report it\n"
		    : "chainmend: the reader died before it read "
		      "anything%s (%s)\n",
		name, how);
	return CMI_EXIT_CANNOT;
}

/* One child, from file *first on; *first moves behind the file it died at, or
 * to the end. */
static int run_child(const struct cmi_jail *jail, cmi_jail_work work, void *ctx,
	size_t *first)
{
	struct visit v = {.page = -1};
	int ends[2], status = 0, code;
	size_t at;
	pid_t pid;

	fflush(NULL); /* or the child would write it again */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return CMI_EXIT_CANNOT;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_the_child(jail, ends[1], work, ctx, *first);
	}
	close(ends[1]);
	if (pid > 0) {
		serve(jail, ends[0], &v);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	at = *first + (v.begun ? v.begun - 1 : 0);
	*first = v.done || !v.begun ? jail->n_files : at + 1;
	if (!v.done)
		code = say_died(
			jail, at, v.begun && at < jail->n_files, status);
	else
		code = WIFEXITED(status) ? WEXITSTATUS(status)
					 : CMI_EXIT_CANNOT;
	if (v.page >= 0 && v.done && code != CMI_EXIT_CANNOT &&
		write_page(jail, v.page) != CMI_EXIT_OK)
		code = CMI_EXIT_CANNOT;
	if (v.page >= 0)
		close(v.page);
	return code;
}

int cmi_jail_run(const struct cmi_jail *jail, cmi_jail_work work, void *ctx)
{
	int worst = CMI_EXIT_OK, code;
	size_t first = 0;

	do {
		code = run_child(jail, work, ctx, &first);
		worst = code > worst ? code : worst;
	} while (first < jail->n_files);
	return worst;
}
