/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/talk.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

struct reading {
	const cmend_capture_options *o;
	size_t at; /* in o->bytes */
	uint64_t notes;
};

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	const struct reading *r = ctx;
	struct cmend_conversation lent = {0};
	cmend_status status;

	cmi_conversation_show(&lent, c);
	status = r->o->take(r->o->ctx, &lent);
	return status ? cmi_fail(err, status,
				"the caller's take ended the reading: %s",
				cmend_status_text(status))
		      : CMEND_OK;
}

static void pass_note(void *ctx, const struct cmi_capture_note *note)
{
	struct reading *r = ctx;
	const cmend_note n = {
		.size = sizeof(n),
		.offset = note->offset,
		.frame = note->frame,
		.says = note->says,
	};

	r->notes++;
	if (r->o->note)
		r->o->note(r->o->ctx, &n);
}

static cmend_status read_bytes(
	void *ctx, uint8_t *to, size_t n, size_t *got, cmend_error *err)
{
	struct reading *r = ctx;
	size_t left = r->o->bytes.n - r->at;

	(void)err;
	*got = n < left ? n : left;
	if (*got)
		memcpy(to, r->o->bytes.p + r->at, *got);
	r->at += *got;
	return CMEND_OK;
}

static cmend_status read_callers(
	void *ctx, uint8_t *to, size_t n, size_t *got, cmend_error *err)
{
	const struct reading *r = ctx;
	cmend_status status;

	*got = 0;
	status = r->o->read(r->o->ctx, to, n, got);
	if (status)
		return cmi_fail(err, status, "the caller's read failed: %s",
			cmend_status_text(status));
	return *got <= n ? CMEND_OK
			 : cmi_fail(err, CMEND_ARG,
				   "the caller's read gave %zu bytes where %zu "
				   "were asked for",
				   *got, n);
}

static cmend_status check_options(
	const cmend_capture_options *o, cmend_error *err)
{
	if (!o || o->size < sizeof(*o) || !o->take)
		return WRONG(err, "whole options or take");
	if (!!o->path + !!o->bytes.p + !!o->read != 1)
		return WRONG(err, "path, bytes or read, or more than one,");
	return CMEND_OK;
}

/* A file may be called "-", which the floor below takes for its input. */
static const char *name_of(const cmend_capture_options *o)
{
	if (!o->path)
		return o->name ? o->name : "capture";
	return strcmp(o->path, "-") == 0 ? "./-" : o->path;
}

static void sum_up(const struct cmi_capture_summary *s, uint64_t notes,
	cmend_capture_summary *out)
{
	const cmend_capture_summary whole = {
		.packets = s->packets,
		.bytes = s->bytes,
		.flows = s->flows,
		.given_up = s->given_up,
		.undecoded = s->undecoded,
		.notes = notes,
	};

	if (out)
		(void)cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_read_capture(const cmend_capture_options *o,
	cmend_capture_summary *summary, cmend_error *err)
{
	struct reading r = {.o = o};
	struct cmi_input_source source = {.ctx = &r};
	struct cmi_capture_options how = {
		.sink = {.take = take, .ctx = &r},
		.note = pass_note,
		.note_ctx = &r,
	};
	struct cmi_capture_summary done = {0};
	cmend_status status;

	CMI_TRY(check_options(o, err));
	source.read = o->read ? read_callers : read_bytes;
	how.source = o->path ? NULL : &source;
	how.keylog_path = o->keylog_path;
	how.keylog = (struct cmi_bytes){o->keylog.p, o->keylog.n};
	status = cmi_capture_read(name_of(o), &how, &done, err);
	sum_up(&done, r.notes, summary);
	return status;
}
