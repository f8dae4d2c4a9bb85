/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/jail_fetch.h"
#include "cli/jail_message.h"
#include "cli/jail_output.h"
#include "cli/jail_said.h"
#include "cli/sandbox.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

/* ---------------------------------------------------------------- inside */

/* A descriptor, or -1 with errno. */
static int ask(
	struct cmi_jail_inside *in, enum cmi_jail_word word, const char *text)
{
	return cmi_jail_tell(in->fd, word, text) ? cmi_jail_get(in->fd) : -1;
}

static int ask_file(void *ctx, const char *path)
{
	return ask(ctx, CMI_JAIL_FILE, path);
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
	*cmi_jail_said_frame(in->said) = 0; /* of the file before */
	if (!cmi_jail_tell(in->fd, CMI_JAIL_BEGIN, ""))
		return cmi_fail(err, CMEND_INTERNAL,
			"the process that opens files is gone");
	return CMEND_OK;
}

static cmend_status get_room(struct cmi_jail_inside *in,
	enum cmi_jail_word word, const char *what, int *out, cmend_error *err)
{
	*out = ask(in, word, "");
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
	int fd = ask(in, CMI_JAIL_CERT, sha256_hex);

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

FILE *cmi_jail_stream(
	struct cmi_jail_inside *in, struct cmi_report_place *place)
{
	FILE *f = cmi_jail_said_stream(in);

	if (f != in->jail->cli->out)
		*place = (struct cmi_report_place){
			cmi_jail_said_room, cmi_jail_said_used, in};
	return f;
}

cmend_status cmi_jail_flush(struct cmi_jail_inside *in, cmend_error *err)
{
	return cmi_jail_said_flush(in)
		       ? CMEND_OK
		       : cmi_fail(err, CMEND_IO, "cannot write the report: %s",
				 strerror(errno));
}

cmend_status cmi_jail_keep(struct cmi_jail_inside *in, struct cmi_bytes head,
	struct cmi_bytes grown, cmend_error *err)
{
	return cmi_jail_kept_write(&in->kept, head, grown, in->fd)
		       ? CMEND_OK
		       : cmi_fail(err, CMEND_IO,
				 "cannot keep what was read: %s",
				 strerror(errno));
}

bool cmi_jail_kept(const struct cmi_jail_inside *in, struct cmi_buf *head,
	struct cmi_buf *grown)
{
	return cmi_jail_kept_read(&in->kept, head, grown);
}

volatile uint64_t *cmi_jail_frame(struct cmi_jail_inside *in)
{
	return cmi_jail_said_frame(in->said);
}

static void be_the_reader(
	struct cmi_jail_inside in, cmi_jail_work work, void *ctx, size_t first)
{
	const struct cmi_jail *jail = in.jail;
	int code;

	/* Nobody reads for a parent that is gone. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	in.env.open_read = ask_file;
	in.env.ctx = &in;
	code = work(ctx, &in, first);
	if ((fflush(jail->cli->out) != 0 || ferror(jail->cli->out) ||
		    !cmi_jail_said_flush(&in)) &&
		code != CMI_EXIT_CANNOT) {
		fputs("chainmend: cannot write to standard output\n",
			jail->cli->err);
		code = CMI_EXIT_CANNOT;
	}
	fflush(jail->cli->err);
	(void)cmi_jail_tell(in.fd, CMI_JAIL_DONE,
		in.whole || code != CMI_EXIT_CANNOT ? "whole" : "");
	_exit(code);
}

/* --------------------------------------------------------------- outside */

struct visit {
	const struct cmi_jail *jail;
	struct cmi_jail_output output;
	struct cmi_jail_ear ear;
	struct cmi_jail_kept *kept;
	struct cmi_jail_losses *losses;
	size_t begun; /* files */
	bool done, whole;
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

static void begin(struct visit *v)
{
	v->begun++;
	v->ear.bytes = 0;
}

/* Until the child is done, or gone. */
static void serve(struct visit *v)
{
	struct cmi_jail_message m = {0};

	while (cmi_jail_hear(v->fd, &m)) {
		if (m.word == CMI_JAIL_DONE) {
			v->done = true;
			v->whole = m.text[0] != '\0';
			return;
		}
		if (m.word == CMI_JAIL_BEGIN)
			begin(v);
		else if (m.word == CMI_JAIL_SAID)
			cmi_jail_ear_part(&v->ear, m.text);
		else if (m.word == CMI_JAIL_KEPT)
			cmi_jail_kept_told(v->kept, m.text);
		else if (m.word == CMI_JAIL_WAIT)
			cmi_jail_answer(v->fd, 0, -1);
		else if (m.word == CMI_JAIL_FILE)
			open_for(v, m.text);
		else
			give_room(v, &m);
	}
}

/* Where a reader begins. */
struct start {
	size_t first;        /* file */
	uint64_t last_frame; /* frame of it; 0: to its end */
	uint64_t skip;       /* bytes said of it already */
	bool last_words;     /* no file is left, but what was kept */
};

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
	/* Of whom nothing is known, nothing good is said. */
	int status = pid > 0 ? CMI_EXIT_CANNOT << 8 : 0;

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

static bool start(struct visit *v, cmi_jail_work work, void *ctx,
	const struct start *from)
{
	int ends[2], fetch_fd;

	fflush(NULL); /* or the children would write it again */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	start_fetcher(v, &fetch_fd);
	v->reader = fork();
	if (v->reader == 0) {
		close(ends[0]);
		be_the_reader(
			(struct cmi_jail_inside){
				.env = *cmi_env_system(),
				.jail = v->jail,
				.fd = ends[1],
				.fetch_fd = fetch_fd,
				.last_frame = from->last_frame,
				.said = v->ear.said,
				.skip = from->skip,
				.losses = v->losses,
				.kept = *v->kept,
			},
			work, ctx, from->first);
	}
	close(ends[1]);
	if (fetch_fd >= 0)
		close(fetch_fd);
	v->fd = ends[0];
	return true;
}

/* A reader that died at a file that can be read again knew things that it had
 * not said yet: the frame before the one that killed it, or 0.  What is
 * fetched may come out otherwise the second time, so there is none then. */
static uint64_t again_to(
	const struct visit *v, size_t at, const struct start *was)
{
	uint64_t frame = *cmi_jail_said_frame(v->ear.said);
	struct stat st;

	if (frame < 2 || v->jail->fetch ||
		(was->last_frame && at == was->first) ||
		stat(v->jail->files[at], &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	return frame - 1;
}

/* What is to be read after a child is gone. */
static struct start next_start(
	const struct visit *v, int status, const struct start *was)
{
	const struct cmi_jail *jail = v->jail;
	size_t at = was->first + (v->begun ? v->begun - 1 : 0);
	struct start next = {.first = jail->n_files};
	bool any = v->begun && at < jail->n_files;

	if (v->done)
		return next;
	if (any && !jail->together) {
		next.last_frame = again_to(v, at, was);
		next.first = next.last_frame ? at : at + 1;
		next.skip = next.last_frame ? v->ear.bytes : 0;
	}
	next.last_words = next.first == jail->n_files && v->kept->turn &&
			  !was->last_words;
	cmi_jail_say_died(v->losses, jail->cli->err,
		any ? jail->files[at] : NULL, next.last_frame, status);
	return next;
}

static int judge(struct visit *v, int status)
{
	cmend_error err = {0};
	int code;

	if (!v->done)
		return CMI_EXIT_CANNOT;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : CMI_EXIT_CANNOT;
	if (v->whole && cmi_jail_output_finish(&v->output, &err) != CMEND_OK)
		return cmi_cli_fail(v->jail->cli, &err);
	return code;
}

/* One child; *from moves behind what was read. */
static int run_child(const struct visit *how, cmi_jail_work work, void *ctx,
	struct start *from)
{
	const struct cmi_jail *jail = how->jail;
	struct visit v = *how;
	struct sigaction before;
	int status, code;

	cmi_jail_output_init(&v.output, jail);
	v.ear.said = cmi_jail_said_new();
	v.ear.fd = fileno(jail->cli->out);
	if (!start(&v, work, ctx, from)) {
		*from = (struct start){.first = jail->n_files};
		cmi_jail_said_free(v.ear.said);
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
	cmi_jail_ear_rest(&v.ear);
	*from = next_start(&v, status, from);
	code = judge(&v, status);
	cmi_jail_said_free(v.ear.said);
	cmi_jail_output_dispose(&v.output);
	return code;
}

int cmi_jail_run(const struct cmi_jail *jail, cmi_jail_work work, void *ctx)
{
	int worst = CMI_EXIT_OK, code;
	struct cmi_jail_kept kept;
	struct cmi_jail_losses losses = {0};
	const struct visit how = {
		.jail = jail, .kept = &kept, .losses = &losses};
	struct start from = {0};

	cmi_jail_kept_open(&kept);
	do {
		code = run_child(&how, work, ctx, &from);
		worst = code > worst ? code : worst;
	} while (from.first < jail->n_files || from.last_words);
	cmi_jail_kept_close(&kept);
	return worst;
}
