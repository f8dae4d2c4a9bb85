/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reader.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/capture.h"
#include "cli/jail.h"
#include "cli/jail_message.h"
#include "cli/setup.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/limits.h"
#include "explain/diagnose.h"
#include "report/report.h"

/* The first byte of an answer; else a cmend_status and why. */
enum { GOOD_ANSWER = 'g' };

/* ------------------------------------------------------------- the child */

struct reading {
	const struct cmi_reader *r;
	struct cmi_setup known;
	struct cmi_env env; /* opens what the parent handed over */
	int capture;
	struct cmi_buf lines;
};

static int give_capture(void *ctx, const char *path)
{
	struct reading *g = ctx;
	int fd = g->capture;

	(void)path;
	g->capture = -1;
	errno = EACCES;
	return fd;
}

static cmend_status write_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct cmi_buf *out = ctx;

	cmi_report_json(out, item);
	return cmi_buf_status(out, err);
}

static cmend_status explain(
	struct reading *g, const char *path, cmend_error *err)
{
	const struct cmi_common *common = &g->r->cli->common;
	const struct cmi_reader_judge *judge = &g->r->judge;
	struct cmi_diagnose_options options = {
		.trust = judge->trust,
		.policy = judge->policy,
		.clients = judge->clients,
		.n_clients = judge->n_clients,
		.known = g->known.sources,
		.n_known = g->known.n_sources,
		.has_at = common->has_at,
		.at_s = common->at_s,
		.all = judge->all,
		.sink = {.take = write_item, .ctx = &g->lines},
	};
	struct cmi_capture_options capture = {.env = &g->env};
	struct cmi_capture_summary summary;
	struct cmi_diagnose *d = NULL;
	cmend_status status;

	CMI_TRY(cmi_diagnose_new(&options, &d, err));
	capture.sink = cmi_diagnose_sink(d);
	status = cmi_capture_read(path, &capture, &summary, err);
	if (status == CMEND_OK)
		status = cmi_diagnose_flush(d, err);
	cmi_diagnose_free(d);
	return status;
}

/* The answer stands in the memory file; its length is told. */
static bool put_answer(const struct cmi_reader *r, enum cmi_jail_word word,
	struct cmi_bytes text)
{
	char length[24];

	if (lseek(r->answers, 0, SEEK_SET) != 0 ||
		cmi_fd_write(r->answers, text, NULL) != CMEND_OK)
		return false;
	snprintf(length, sizeof(length), "%zu", text.n);
	return cmi_jail_tell(r->fd, word, length);
}

/* Needs no memory: the lack of it may be what is told. */
static bool put_failure(const struct cmi_reader *r, enum cmi_jail_word word,
	cmend_status status, const cmend_error *err)
{
	uint8_t text[1 + sizeof(err->message)] = {(uint8_t)status};
	size_t n = strlen(err->message);

	memcpy(text + 1, err->message, n);
	return put_answer(r, word, (struct cmi_bytes){text, 1 + n});
}

static bool answer(struct reading *g, const char *path)
{
	cmend_error err = {0};
	cmend_status status;

	cmi_buf_clear(&g->lines);
	g->lines.failed = CMEND_OK;
	cmi_buf_u8(&g->lines, GOOD_ANSWER);
	status = explain(g, path, &err);
	if (status == CMEND_OK)
		status = cmi_buf_status(&g->lines, &err);
	if (g->capture >= 0)
		close(g->capture);
	return status == CMEND_OK
		       ? put_answer(
				 g->r, CMI_JAIL_DONE, cmi_buf_view(&g->lines))
		       : put_failure(g->r, CMI_JAIL_DONE, status, &err);
}

/* The one capture that was given gets to know why it is not read. */
static bool give_up(const struct cmi_reader *r, const cmend_error *err)
{
	struct cmi_jail_message m = {0};
	int capture;

	if (!cmi_jail_hear(r->fd, &m))
		return true;
	capture = cmi_jail_get(r->fd);
	if (capture >= 0)
		close(capture);
	return put_failure(r, CMI_JAIL_LAST, err->status, err);
}

static cmend_status prepare(struct reading *g, cmend_error *err)
{
	const struct cmi_setup_options how = {.no_trust = true};
	const struct cmi_jail jail = {.cli = g->r->cli};
	struct cmi_jail_inside in = {.jail = &jail, .fd = g->r->fd};

	/* A database handle does not survive fork: this one's own. */
	CMI_TRY(cmi_setup_open(g->r->cli, &how, &g->known, err));
	/* That a fleet's cache is not asked here is no news. */
	g->known.env.event = NULL;
	CMI_TRY(cmi_setup_hold(&g->known, err));
	return cmi_jail_lock(&in, err);
}

static void be_the_reader(const struct cmi_reader *r) __attribute__((noreturn));
static void be_the_reader(const struct cmi_reader *r)
{
	struct reading g = {.r = r, .env = *cmi_env_system()};
	struct cmi_jail_message m = {0};
	cmend_error err = {0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* What ends the parent is the parent's to say. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	g.env.open_read = give_capture;
	g.env.ctx = &g;
	cmi_buf_init(&g.lines, CMI_FLEET_RESULT_MAX + 1);
	if (prepare(&g, &err) != CMEND_OK)
		_exit(give_up(r, &err) ? CMI_EXIT_CANNOT
				       : cmi_cli_fail(r->cli, &err));
	while (cmi_jail_hear(r->fd, &m)) {
		g.capture = cmi_jail_get(r->fd);
		if (!answer(&g, m.text))
			break;
	}
	_exit(CMI_EXIT_OK);
}

/* ------------------------------------------------------------ the parent */

void cmi_reader_open(struct cmi_reader *r, struct cmi_cli *cli,
	const struct cmi_reader_judge *judge)
{
	*r = (struct cmi_reader){
		.cli = cli,
		.judge = *judge,
		.fd = -1,
		.answers = -1,
	};
}

/* What waitpid says of it, 0 where there was none. */
static int end_reader(struct cmi_reader *r)
{
	/* Of whom nothing is known, nothing good is said. */
	int status = r->pid > 0 ? CMI_EXIT_CANNOT << 8 : 0;

	if (r->fd >= 0)
		close(r->fd);
	if (r->answers >= 0)
		close(r->answers);
	while (r->pid > 0 && waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	r->fd = r->answers = -1;
	r->pid = 0;
	r->done = 0;
	return status;
}

void cmi_reader_close(struct cmi_reader *r)
{
	(void)end_reader(r);
}

/* It ends itself, with this status, where memory ran out inside a library
 * (main.c); else a signal ended it. */
static cmend_status fail_gone(struct cmi_reader *r, cmend_error *err)
{
	int status = end_reader(r);

	if (WIFEXITED(status) && WEXITSTATUS(status) == CMI_EXIT_CANNOT)
		return cmi_fail(err, CMEND_NOMEM,
			"the reader ran out of memory at this capture");
	return cmi_fail(err, CMEND_INTERNAL,
		"the reader died at this capture: please report it");
}

static cmend_status start(struct cmi_reader *r, cmend_error *err)
{
	int ends[2];

	fflush(NULL); /* or the child would write it again */
	r->answers = memfd_create("chainmend", MFD_CLOEXEC);
	if (r->answers < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return cmi_fail(err, CMEND_IO, "no reader can be started: %s",
			strerror(errno));
	r->pid = fork();
	r->fd = ends[r->pid == 0];
	close(ends[r->pid != 0]);
	if (r->pid == 0)
		be_the_reader(r);
	return r->pid > 0
		       ? CMEND_OK
		       : cmi_fail(err, CMEND_IO, "no reader can be started: %s",
				 strerror(errno));
}

static cmend_status take(const struct cmi_reader *r, size_t n,
	struct cmi_buf *result, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf all;
	char safe[CMEND_ERROR_TEXT];
	struct cmi_cursor in;
	struct cmi_bytes text;
	uint8_t word, *room;

	cmi_buf_init(&all, CMI_FLEET_RESULT_MAX + 1);
	room = cmi_buf_reserve(&all, n);
	CMI_TRY(cmi_buf_status(&all, err));
	if (!room || pread(r->answers, room, n, 0) != (ssize_t)n)
		return cmi_fail(err, CMEND_IO, "the answer cannot be read");
	cmi_buf_used(&all, n);
	in = cmi_cursor_of(cmi_buf_view(&all));
	if (!cmi_cursor_u8(&in, &word))
		return cmi_fail(err, CMEND_INTERNAL, "the answer is empty");
	text = cmi_cursor_rest(&in);
	if (word == GOOD_ANSWER) {
		cmi_buf_add_bytes(result, text);
		return cmi_buf_status(result, err);
	}
	return cmi_fail(err,
		word && word <= CMEND_INTERNAL ? (cmend_status)word
					       : CMEND_INTERNAL,
		"%s", cmi_safe_cstr(safe, sizeof(safe), text));
}

static cmend_status ask(struct cmi_reader *r, const char *path, int capture,
	struct cmi_buf *result, cmend_error *err)
{
	struct cmi_jail_message m = {0};
	cmend_status status;
	uint64_t n;

	if (!cmi_jail_tell(r->fd, CMI_JAIL_FILE, path) && errno == ENAMETOOLONG)
		return cmi_fail(err, CMEND_ARG, "the path is too long");
	cmi_jail_answer(r->fd, 0, capture);
	if (!cmi_jail_hear(r->fd, &m) ||
		(m.word != CMI_JAIL_DONE && m.word != CMI_JAIL_LAST) ||
		!cmi_parse_uint(
			cmi_bytes_of(m.text), CMI_FLEET_RESULT_MAX + 1, &n))
		return fail_gone(r, err);
	status = take(r, (size_t)n, result, err);
	if (m.word == CMI_JAIL_LAST)
		cmi_reader_close(r);
	return status;
}

cmend_status cmi_reader_explain(struct cmi_reader *r, const char *path,
	struct cmi_buf *result, cmend_error *err)
{
	cmend_status status;
	int capture = cmi_open_read(NULL, path);

	if (capture < 0)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s", path,
			strerror(errno));
	if (r->done >= CMI_READER_CAPTURES_MAX)
		cmi_reader_close(r);
	status = r->pid > 0 ? CMEND_OK : start(r, err);
	r->done++;
	if (status == CMEND_OK)
		status = ask(r, path, capture, result, err);
	close(capture);
	return status;
}
