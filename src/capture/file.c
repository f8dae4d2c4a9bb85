/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/file.h"

#include <stdio.h>

#include "capture/file_form.h"
#include "capture/file_unpack.h"
#include "core/limits.h"
#include "core/text.h"

void cmi_capfile_note(
	struct cmi_capfile *f, uint64_t offset, const char *fmt, ...)
{
	char says[256];
	va_list ap;

	f->damaged = true;
	if (!f->hooks.note || f->notes++ >= CMI_NOTES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(says, sizeof(says), fmt, ap);
	va_end(ap);
	f->hooks.note(f->hooks.ctx, offset, f->frames, says);
}

/* What a file that is no capture begins with, for the message. */
static const struct {
	struct cmi_bytes magic;
	const char *what;
} others[] = {
	{CMI_BYTES("\xfd"
		   "7zXZ"),
		"packed with xz: unpack it first"},
	{CMI_BYTES("BZh"), "packed with bzip2: unpack it first"},
	{CMI_BYTES("PK\x03\x04"), "a zip archive: unpack it first"},
	{CMI_BYTES("\x04\x22\x4d\x18"), "packed with lz4: unpack it first"},
	{CMI_BYTES("snoop\0\0\0"), "a snoop capture: convert it with editcap"},
	{CMI_BYTES("GMBU"),
		"a Network Monitor capture: convert it with editcap"},
	{CMI_BYTES("RTSS"),
		"a Network Monitor capture: convert it with editcap"},
	{CMI_BYTES("\x7f"
		   "ELF"),
		"a program"},
	{CMI_BYTES("-----BEGIN"), "PEM text, a certificate or key perhaps"},
};

static cmend_status not_a_capture(
	struct cmi_capfile *f, struct cmi_bytes head, cmend_error *err)
{
	char text[64];

	for (size_t i = 0; i < CMI_LEN(others); i++) {
		struct cmi_bytes m = others[i].magic;

		if (head.n >= m.n &&
			cmi_bytes_equal((struct cmi_bytes){head.p, m.n}, m))
			return cmi_fail(err, CMEND_PARSE,
				"\"%s\" is no pcap or pcapng capture: it is "
				"%s",
				f->in->name, others[i].what);
	}
	if (head.n > 16)
		head.n = 16;
	return cmi_fail(err, CMEND_PARSE,
		"\"%s\" is no pcap or pcapng capture: it begins with \"%s\"",
		f->in->name, cmi_safe_cstr(text, sizeof(text), head));
}

static const struct {
	uint32_t magic; /* most significant byte first */
	cmend_status (*begin)(
		struct cmi_capfile *f, struct cmi_bytes head, cmend_error *err);
} forms[] = {
	{0x0a0d0d0au, cmi_pcapng_begin},
	{0xa1b2c3d4u, cmi_pcap_begin},
	{0xd4c3b2a1u, cmi_pcap_begin},
	{0xa1b23c4du, cmi_pcap_begin}, /* nanoseconds */
	{0x4d3cb2a1u, cmi_pcap_begin},
	{0xa1b2cd34u, cmi_pcap_begin}, /* Kuznetsov's longer records */
	{0x34cdb2a1u, cmi_pcap_begin},
	{0x1c0001acu, cmi_pcap_begin}, /* Ixia's, of hardware: nanoseconds */
	{0xac01001cu, cmi_pcap_begin},
	{0x1c0001abu, cmi_pcap_begin}, /* and of software */
	{0xab01001cu, cmi_pcap_begin},
};

static cmend_status begin(struct cmi_capfile *f, cmend_error *err)
{
	struct cmi_bytes head;
	struct cmi_cursor c;
	uint32_t magic;

	CMI_TRY(cmi_input_view(f->in, 24, &head, err));
	if (!head.n && f->in->trouble[0])
		return cmi_fail(err, CMEND_PARSE, "\"%s\": %s", f->in->name,
			f->in->trouble);
	if (!head.n)
		return cmi_fail(
			err, CMEND_PARSE, "\"%s\" is empty", f->in->name);
	c = cmi_cursor_of(head);
	if (!cmi_cursor_u32(&c, &magic))
		return not_a_capture(f, head, err);
	for (size_t i = 0; i < CMI_LEN(forms); i++) {
		if (forms[i].magic != magic)
			continue;
		if (head.n < 24)
			return cmi_fail(err, CMEND_PARSE,
				"\"%s\" is cut short: it ends after %zu bytes,"
				" inside the file header",
				f->in->name, head.n);
		return forms[i].begin(f, head, err);
	}
	return not_a_capture(f, head, err);
}

cmend_status cmi_capfile_open(const char *path,
	const struct cmi_capfile_hooks *hooks, struct cmi_capfile **out,
	cmend_error *err)
{
	CMI_AUTO(cmi_capfile_closep)
	struct cmi_capfile *f = cmi_alloc(sizeof(*f));

	if (!f)
		return cmi_nomem(err);
	if (hooks)
		f->hooks = *hooks;
	CMI_TRY(f->hooks.source
			? cmi_input_new(*f->hooks.source, path, &f->in, err)
			: cmi_input_open(path, f->hooks.env, &f->in, err));
	f->in->wait = f->hooks.wait;
	f->in->wait_ctx = f->hooks.ctx;
	CMI_TRY(cmi_input_unpack(&f->in, err));
	CMI_TRY(begin(f, err));
	*out = CMI_TAKE(f);
	return CMEND_OK;
}

void cmi_capfile_close(struct cmi_capfile *f)
{
	if (!f)
		return;
	cmi_input_close(f->in);
	cmi_free(f->interfaces);
	cmi_free(f);
}

cmend_status cmi_capfile_next(struct cmi_capfile *f, struct cmi_frame *out,
	bool *more, cmend_error *err)
{
	cmi_input_pass(f->in, f->pass);
	f->pass = 0;
	CMI_TRY(f->next(f, out, more, err));
	if (!*more && f->in->trouble[0] && !f->told_trouble) {
		f->told_trouble = true;
		cmi_capfile_note(f, f->in->offset, "%s", f->in->trouble);
	}
	return CMEND_OK;
}

cmend_status cmi_capfile_at_hand(struct cmi_capfile *f, struct cmi_frame *out,
	bool *is, cmend_error *err)
{
	return f->at_hand(f, out, is, err);
}

cmend_status cmi_capfile_damage(struct cmi_capfile *f, cmi_resume_fn *resume,
	const char *what, bool *resumed, cmend_error *err)
{
	uint64_t from = f->in->offset;
	struct cmi_bytes view;

	CMI_TRY(cmi_input_view(f->in, 1, &view, err));
	if (view.n)
		cmi_input_pass(f->in, 1);
	CMI_TRY(resume(f, resumed, err));
	if (*resumed)
		cmi_capfile_note(f, from,
			"%s; %llu bytes passed over, reading goes on at offset "
			"%llu",
			what, (unsigned long long)(f->in->offset - from),
			(unsigned long long)f->in->offset);
	else
		cmi_capfile_note(
			f, from, "%s; nothing after it can be read", what);
	return CMEND_OK;
}

uint64_t cmi_capfile_bytes(const struct cmi_capfile *f)
{
	return f->in->offset + f->pass;
}

bool cmi_capfile_damaged(const struct cmi_capfile *f)
{
	return f->damaged;
}

bool cmi_capfile_has_blocks(const struct cmi_capfile *f)
{
	return f->has_blocks;
}

uint32_t cmi_capfile_link(const struct cmi_capfile *f)
{
	return f->link;
}
