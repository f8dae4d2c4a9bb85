/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_events.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cursor.h"
#include "core/file.h"
#include "core/text.h"

/* The end of a file of events; one line is far shorter. */
#define TAIL_BYTES ((size_t)1 << 20)

static cmend_status fail_file(
	const char *path, const char *what, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot %s the events in \"%s\": %s",
		what, path, strerror(errno));
}

/* "number":17 of a line that we wrote; 0: there is none. */
static uint64_t number_in(struct cmi_bytes line)
{
	static const char before[] = "\"kind\":\"change\",\"number\":";
	const uint8_t *at = memmem(line.p, line.n, before, sizeof(before) - 1);
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes digits;
	uint64_t number;

	if (!at ||
		!cmi_cursor_skip(
			&c, (size_t)(at - line.p) + sizeof(before) - 1) ||
		!cmi_cursor_until(&c, ',', &digits) ||
		!cmi_parse_uint(digits, INT64_MAX, &number))
		return 0;
	return number;
}

/* The last whole line's number, and where it ends in the view. */
static size_t whole_lines(struct cmi_bytes tail, uint64_t *last)
{
	struct cmi_cursor c = cmi_cursor_of(tail);
	struct cmi_bytes line;
	size_t whole = 0;

	while (cmi_cursor_line(&c, &line)) {
		uint64_t number = number_in(line);

		whole = c.at;
		if (number)
			*last = number;
	}
	return whole;
}

/* A process that was killed may have left half a line. */
static cmend_status mend_tail(struct cmi_monitor_events *e, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf tail;
	struct stat st;
	size_t want, whole;
	uint8_t *room;
	ssize_t got;

	cmi_buf_init(&tail, TAIL_BYTES + 1);
	if (fstat(e->fd, &st) != 0)
		return fail_file(e->path, "read", err);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return CMEND_OK;
	want = (uint64_t)st.st_size < TAIL_BYTES ? (size_t)st.st_size
						 : TAIL_BYTES;
	room = cmi_buf_reserve(&tail, want);
	if (!room)
		return cmi_nomem(err);
	got = pread(e->fd, room, want, st.st_size - (off_t)want);
	if (got != (ssize_t)want)
		return fail_file(e->path, "read", err);
	cmi_buf_used(&tail, want);
	whole = whole_lines(cmi_buf_view(&tail), &e->last);
	if (whole < want &&
		ftruncate(e->fd, st.st_size - (off_t)(want - whole)) != 0)
		return fail_file(e->path, "mend", err);
	return CMEND_OK;
}

cmend_status cmi_monitor_events_open(struct cmi_monitor_events *e,
	struct cmi_monitor_state *s, cmend_error *err)
{
	struct cmi_monitor_events fresh = {
		.path = e->path, .out = e->out, .fd = -1, .told = e->told};
	cmend_status status = CMEND_OK;

	if (e->path) {
		fresh.fd = open(
			e->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fresh.fd < 0)
			return fail_file(e->path, "write", err);
		status = mend_tail(&fresh, err);
	}
	if (status == CMEND_OK && fresh.last)
		status = cmi_monitor_state_told(s, fresh.last, err);
	if (status != CMEND_OK) {
		if (fresh.fd >= 0)
			close(fresh.fd);
		return status;
	}
	cmi_monitor_events_close(e);
	*e = fresh;
	return CMEND_OK;
}

void cmi_monitor_events_close(struct cmi_monitor_events *e)
{
	if (e->path && e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* All of it or nothing: what a full disk let through is taken back. */
static cmend_status append(
	struct cmi_monitor_events *e, struct cmi_bytes event, cmend_error *err)
{
	struct stat st;
	cmend_error why;

	if (fstat(e->fd, &st) != 0)
		return fail_file(e->path, "write", err);
	if (cmi_fd_write(e->fd, event, &why) == CMEND_OK)
		return CMEND_OK;
	(void)fail_file(e->path, "write", err);
	if (S_ISREG(st.st_mode))
		(void)!ftruncate(e->fd, st.st_size);
	return CMEND_IO;
}

static cmend_status tell(
	void *ctx, uint64_t number, struct cmi_bytes event, cmend_error *err)
{
	struct cmi_monitor_events *e = ctx;

	if (e->path)
		CMI_TRY(append(e, event, err));
	else if (fwrite(event.p, 1, event.n, e->out) != event.n ||
		 fflush(e->out) != 0)
		return cmi_fail(err, CMEND_IO,
			"cannot write to standard output: %s", strerror(errno));
	e->last = number;
	e->told++;
	return CMEND_OK;
}

cmend_status cmi_monitor_events_flush(struct cmi_monitor_events *e,
	struct cmi_monitor_state *s, cmend_error *err)
{
	uint64_t before = e->last;
	cmend_status status = cmi_monitor_state_pending(s, tell, e, err);

	if (e->last != before) {
		cmend_error why;
		cmend_status told = cmi_monitor_state_told(s, e->last, &why);

		if (status == CMEND_OK && told != CMEND_OK)
			status = cmi_fail(err, told, "%s", why.message);
	}
	return status;
}
