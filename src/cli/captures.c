/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/captures.h"

#include <signal.h>
#include <time.h>

#include "core/buf.h"

static void show_note(void *ctx, const struct cmi_capture_note *note)
{
	struct cmi_captures *r = ctx;
	struct cmi_buf b;

	r->notes++;
	if (r->cli->common.quiet || r->again)
		return;
	cmi_buf_init(&b, CMI_FILE_MAX);
	cmi_safe_text(&b, cmi_bytes_of(note->capture));
	fprintf(r->cli->err,
		"chainmend: note: %s: %s (at byte %llu, after frame %llu)\n",
		cmi_buf_cstr(&b), note->says, (unsigned long long)note->offset,
		(unsigned long long)note->frame);
	cmi_buf_dispose(&b);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* At the end of a file that may grow: what was found so far goes out, then
 * a short rest.  Ctrl-C ends the waiting, not the report. */
static bool wait_for_more(void *ctx)
{
	const struct timespec rest = {.tv_nsec = 200000000};
	struct cmi_captures *r = ctx;

	if (r->rest && r->rest(r->rest_ctx, NULL) != CMEND_OK)
		return false;
	fflush(r->cli->out);
	if (!interrupted)
		nanosleep(&rest, NULL);
	return !interrupted;
}

cmend_status cmi_captures_read_merged(struct cmi_captures *r,
	const char *const *paths, size_t n, struct cmi_conversation_sink sink,
	cmend_error *err)
{
	struct cmi_capture_options options = {
		.sink = sink,
		.note = show_note,
		.note_ctx = r,
		.keylog_path = r->keylog,
		.env = r->env,
		.frames_max = r->frames_max,
		.frame = r->frame,
	};
	const struct sigaction on_interrupt = {.sa_handler = interrupt};
	struct cmi_capture_summary summary = {0};
	struct sigaction before;
	cmend_status status;

	if (r->follow) {
		options.wait = wait_for_more;
		options.wait_ctx = r;
		sigaction(SIGINT, &on_interrupt, &before);
	}
	status = cmi_capture_read_merged(paths, n, &options, &summary, err);
	if (r->follow)
		sigaction(SIGINT, &before, NULL);
	r->packets += summary.packets;
	r->bytes += summary.bytes;
	r->given_up += summary.given_up;
	return status;
}

cmend_status cmi_captures_read(struct cmi_captures *r, const char *path,
	struct cmi_conversation_sink sink, cmend_error *err)
{
	return cmi_captures_read_merged(r, &path, 1, sink, err);
}
