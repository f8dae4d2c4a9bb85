/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/captures.h"

#include "core/file.h"

static void show_note(void *ctx, const struct cmi_capture_note *note)
{
	struct cmi_captures *r = ctx;
	struct cmi_buf b;

	r->notes++;
	if (r->cli->common.quiet)
		return;
	cmi_buf_init(&b, CMI_FILE_MAX);
	cmi_safe_text(&b, cmi_bytes_of(note->capture));
	fprintf(r->cli->err,
		"chainmend: note: %s: %s (at byte %llu, after frame %llu)\n",
		cmi_buf_cstr(&b), note->says, (unsigned long long)note->offset,
		(unsigned long long)note->frame);
	cmi_buf_dispose(&b);
}

cmend_status cmi_captures_read(struct cmi_captures *r, const char *path,
	struct cmi_conversation_sink sink, cmend_error *err)
{
	struct cmi_capture_options options = {
		.sink = sink,
		.note = show_note,
		.note_ctx = r,
		.keylog_path = r->keylog,
		.env = r->env,
	};
	struct cmi_capture_summary summary = {0};
	cmend_status status = cmi_capture_read(path, &options, &summary, err);

	r->packets += summary.packets;
	r->bytes += summary.bytes;
	r->given_up += summary.given_up;
	return status;
}

cmend_status cmi_page_write(
	struct cmi_page *page, const char *path, cmend_error *err)
{
	struct cmi_bytes html;

	CMI_TRY(cmi_page_finish(page, &html, err));
	return cmi_file_write(path, html, 0644, err);
}
