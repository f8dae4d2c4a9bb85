/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/jail_fetch.h"
#include "cli/jail_message.h"
#include "cli/jail_output.h"
#include "cli/sandbox.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

/* ---------------------------------------------------------------- inside */

static int ask_file(void *ctx, const char *path)
{
	const struct cmi_jail_inside *in = ctx;

	return cmi_jail_tell(in->fd, CMI_JAIL_FILE, path) ? cmi_jail_get(in->fd)
							  : -1;
}

cmend_status cmi_jail_lock(struct cmi_jail_inside *in, cmend_error *err)
{
	cmend_error why = {0};
	cmend_status status = cmi_sandbox_enter(CMI_ROLE_PARSER, &why);

	/* A filter that was put together without enough memory lacks rules:
	 * nothing could be said any more, so the parent says it. */
	if (status == CMEND_OK && write(STDERR_FILENO, "", 0) < 0 &&
		errno == EPERM)
		_exit(CMI_EXIT_CANNOT);
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
	if (!cmi_jail_tell(in->fd, CMI_JAIL_BEGIN, ""))
		return cmi_fail(err, CMEND_INTERNAL,
			"the process that opens files is gone");
	return CMEND_OK;
}

static cmend_status get_room(struct cmi_jail_inside *in,
	enum cmi_jail_word word, const char *what, int *out, cmend_error *err)
{
	*out = cmi_jail_tell(in->fd, word, "") ? cmi_jail_get(in->fd) : -1;
	return *out >= 0 ? CMEND_OK
			 : cmi_fail(err, CMEND_IO, "cannot write \"%s\": %s",
				   what, strerror(errno));
}

cmend_status cmi_jail_copy(
	struct cmi_jail_inside *in, int *out, cmend_error *err)
{
	return get_room(in, CMI_JAIL_COPY, in->jail->copy, out, err);
}

static cmend_status cert_failed(const struct cmi_jail_inside *in,
	const char *sha256_hex, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot write \"%s/%s.pem\": %s",
		in->jail->certificates, sha256_hex, strerror(errno));
}

cmend_status cmi_jail_certificate(struct cmi_jail_inside *in,
	const char *sha256_hex, struct cmi_bytes pem, cmend_error *err)
{
	cmend_status status;
	int fd = cmi_jail_tell(in->fd, CMI_JAIL_CERT, sha256_hex)
			 ? cmi_jail_get(in->fd)
			 : -1;

	if (fd < 0 && errno == EEXIST)
		return CMEND_OK;
	if (fd < 0)
		return cert_failed(in, sha256_hex, err);
	status = cmi_fd_write(fd, pem, err);
	close(fd);
	CMI_TRY(status);
	errno = EIO;
	if (cmi_jail_tell(in->fd, CMI_JAIL_KEEP, ""))
		(void)cmi_jail_get(in->fd);
	return errno ? cert_failed(in, sha256_hex, err) : CMEND_OK;
}

cmend_status cmi_jail_page(
	struct cmi_jail_inside *in, struct cmi_bytes page, cmend_error *err)
{
	cmend_status status;
	int fd;

	CMI_TRY(get_room(in, CMI_JAIL_PAGE, in->jail->page, &fd, err));
	status = cmi_fd_write(fd, page, err);
	close(fd);
	return status;
}

static void be_the_reader(const struct cmi_jail *jail, int fd, int fetch_fd,
	cmi_jail_work work, void *ctx, size_t first)
{
	struct cmi_jail_inside in = {
		.env = *cmi_env_system(),
		.jail = jail,
		.fd = fd,
		.fetch_fd = fetch_fd,
	};
	int code;

	/* Nobody reads for a parent that is gone. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	in.env.open_read = ask_file;
	in.env.ctx = &in;
	code = work(ctx, &in, first);
	if ((fflush(jail->cli->out) != 0 || ferror(jail->cli->out)) &&
		code != CMI_EXIT_CANNOT) {
		fputs("chainmend: cannot write to standard output\n",
			jail->cli->err);
		code = CMI_EXIT_CANNOT;
	}
	fflush(jail->cli->err);
	(void)cmi_jail_tell(fd, CMI_JAIL_DONE, "");
	_exit(code);
}

/* --------------------------------------------------------------- outside */

struct visit {
	const struct cmi_jail *jail;
	struct cmi_jail_output output;
	size_t begun; /* files */
	bool done;
	int fd; /* to the reader */
	pid_t reader, fetcher;
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

static void open_for(struct visit *v, const char *path)
{
	int file = -1, error = EACCES;

	if (may_read(v->jail, path)) {
		file = cmi_open_read(NULL, path);
		error = file < 0 ? errno : 0;
	}
	cmi_jail_answer(v->fd, error, file);
	if (file >= 0)
		close(file);
}

static void give_room(struct visit *v, const struct cmi_jail_message *m)
{
	int give = -1, error = EINVAL;

	if (m->word == CMI_JAIL_PAGE)
		error = cmi_jail_output_page(&v->output, &give);
	else if (m->word == CMI_JAIL_COPY)
		error = cmi_jail_output_copy(&v->output, &give);
	else if (m->word == CMI_JAIL_CERT)
		error = cmi_jail_output_cert(&v->output, m->text, &give);
	else if (m->word == CMI_JAIL_KEEP)
		error = cmi_jail_output_keep_cert(&v->output);
	cmi_jail_answer(v->fd, error, error ? -1 : give);
}

/* Until the child is done, or gone. */
static void serve(struct visit *v)
{
	struct cmi_jail_message m = {0};

	while (cmi_jail_hear(v->fd, &m)) {
		if (m.word == CMI_JAIL_DONE) {
			v->done = true;
			return;
		}
		if (m.word == CMI_JAIL_BEGIN)
			v->begun++;
		else if (m.word == CMI_JAIL_FILE)
			open_for(v, m.text);
		else
			give_room(v, &m);
	}
}

static int say_died(const struct visit *v, size_t at, bool any, int status)
{
	const struct cmi_jail *jail = v->jail;
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

static volatile pid_t asked_to_end;

static void hand_on(int number)
{
	if (asked_to_end > 0)
		kill(asked_to_end, number);
}

/* While the reader works, the end that the user asks for is the reader's to
 * make: it still has things to say. */
static void pass_interrupts(const struct visit *v, struct sigaction *before)
{
	const struct sigaction act = {
		.sa_handler = hand_on, .sa_flags = SA_RESTART};

	asked_to_end = v->reader;
	if (v->jail->interruptible)
		sigaction(SIGINT, &act, before);
}

static void take_interrupts_back(
	const struct visit *v, const struct sigaction *before)
{
	if (v->jail->interruptible)
		sigaction(SIGINT, before, NULL);
	asked_to_end = 0;
}

static int await(pid_t pid)
{
	int status = 0;

	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* The fetcher, if one is wanted; *out is the reader's end of the line to it,
 * or -1. */
static void start_fetcher(struct visit *v, int *out)
{
	int ends[2];

	*out = -1;
	if (!v->jail->fetch ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return;
	v->fetcher = fork();
	if (v->fetcher == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(ends[0]);
		cmi_jail_fetcher(v->jail, ends[1]);
	}
	close(ends[1]);
	*out = ends[0];
}

static bool start(struct visit *v, cmi_jail_work work, void *ctx, size_t first)
{
	int ends[2], fetch_fd;

	fflush(NULL); /* or the children would write it again */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	start_fetcher(v, &fetch_fd);
	v->reader = fork();
	if (v->reader == 0) {
		close(ends[0]);
		be_the_reader(v->jail, ends[1], fetch_fd, work, ctx, first);
	}
	close(ends[1]);
	if (fetch_fd >= 0)
		close(fetch_fd);
	v->fd = ends[0];
	return true;
}

static int judge(struct visit *v, size_t at, int status)
{
	cmend_error err = {0};
	int code;

	if (!v->done)
		return say_died(
			v, at, v->begun && at < v->jail->n_files, status);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : CMI_EXIT_CANNOT;
	if (code != CMI_EXIT_CANNOT &&
		cmi_jail_output_finish(&v->output, &err) != CMEND_OK)
		return cmi_cli_fail(v->jail->cli, &err);
	return code;
}

/* One child, from file *first on; *first moves behind the file it died at, or
 * to the end. */
static int run_child(const struct cmi_jail *jail, cmi_jail_work work, void *ctx,
	size_t *first)
{
	struct visit v = {.jail = jail};
	struct sigaction before;
	int status, code;
	size_t at;

	cmi_jail_output_init(&v.output, jail);
	if (!start(&v, work, ctx, *first)) {
		*first = jail->n_files;
		fprintf(jail->cli->err,
			"chainmend: no reader could be started: %s\n",
			strerror(errno));
		return CMI_EXIT_CANNOT;
	}
	pass_interrupts(&v, &before);
	if (v.reader > 0)
		serve(&v);
	status = await(v.reader);
	take_interrupts_back(&v, &before);
	close(v.fd);
	(void)await(v.fetcher);
	at = *first + (v.begun ? v.begun - 1 : 0);
	*first = v.done || !v.begun || jail->together ? jail->n_files : at + 1;
	code = judge(&v, at, status);
	cmi_jail_output_dispose(&v.output);
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
