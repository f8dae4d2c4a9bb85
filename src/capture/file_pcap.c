/* SPDX-License-Identifier: Apache-2.0 */
/* The classic form: draft-ietf-opsawg-pcap and its historic variants. */
#include "capture/file_form.h"
#include "core/limits.h"

struct record {
	uint32_t s, fraction, captured, length;
};

/* Bytes of a packet that no link carries; only to tell garbage. */
#define LENGTH_MAX (16u << 20)
/* A jump in time that a resumed reading does not believe: ten years. */
#define JUMP_MAX_S ((int64_t)10 * 365 * 86400)

static bool read_record(
	const struct cmi_capfile *f, struct cmi_bytes view, struct record *r)
{
	struct cmi_cursor c = cmi_cursor_of(view);
	uint32_t other;

	if (view.n < f->record_header || !cmi_capfile_u32(f, &c, &r->s) ||
		!cmi_capfile_u32(f, &c, &r->fraction) ||
		!cmi_capfile_u32(f, &c, &r->captured) ||
		!cmi_capfile_u32(f, &c, &r->length))
		return false;
	/* Before version 2.3 the lengths stood the other way round, and some
	 * writers of 2.3 did it the old way. */
	if (f->lengths == CMI_LENGTHS_SWAPPED ||
		(f->lengths == CMI_LENGTHS_EITHER && r->captured > r->length)) {
		other = r->captured;
		r->captured = r->length;
		r->length = other;
	}
	return true;
}

static bool is_plausible(const struct cmi_capfile *f, const struct record *r)
{
	int64_t jump = (int64_t)r->s - f->last_us / 1000000;

	return r->captured > 0 && r->captured <= CMI_PACKET_MAX &&
	       r->length >= r->captured && r->length <= LENGTH_MAX &&
	       r->fraction < f->per_second &&
	       (!f->frames || (jump < JUMP_MAX_S && jump > -JUMP_MAX_S));
}

/* Does a record start at the head of the view, followed by another or by the
 * end of the file? */
static bool starts_record(const struct cmi_capfile *f, struct cmi_bytes view)
{
	struct record r;
	size_t whole;

	if (!read_record(f, view, &r) || !is_plausible(f, &r))
		return false;
	whole = f->record_header + r.captured;
	if (whole >= view.n)
		return whole == view.n && f->in->ended;
	view.p += whole;
	view.n -= whole;
	return read_record(f, view, &r) && is_plausible(f, &r);
}

/* Look for the next sane record; the input then stands there, or at its end.
 */
static cmend_status resume(struct cmi_capfile *f, bool *found, cmend_error *err)
{
	struct cmi_bytes view;
	struct record r;

	*found = false;
	for (;;) {
		CMI_TRY(cmi_input_view(f->in, f->record_header, &view, err));
		if (view.n < f->record_header)
			return CMEND_OK;
		if (read_record(f, view, &r) && is_plausible(f, &r)) {
			CMI_TRY(cmi_input_view(f->in,
				2 * f->record_header + r.captured, &view, err));
			*found = starts_record(f, view);
		}
		if (*found)
			return CMEND_OK;
		cmi_input_pass(f->in, 1);
	}
}

/* A whole record in view, past any damage.  *more is false at the end. */
static cmend_status find_record(struct cmi_capfile *f, struct record *r,
	struct cmi_bytes *view, bool *more, cmend_error *err)
{
	size_t whole;

	for (*more = true; *more;) {
		CMI_TRY(cmi_input_view(f->in, f->record_header, view, err));
		if (!view->n) {
			*more = false;
		} else if (!read_record(f, *view, r)) {
			cmi_capfile_note(f, f->in->offset,
				"the file ends inside a packet's header");
			*more = false;
		} else if (r->captured > CMI_PACKET_MAX) {
			CMI_TRY(cmi_capfile_damage(f, resume,
				"a packet header is damaged", more, err));
		} else {
			whole = f->record_header + r->captured;
			CMI_TRY(cmi_input_view(f->in, whole, view, err));
			if (view->n >= whole)
				return CMEND_OK;
			CMI_TRY(cmi_capfile_damage(f, resume,
				"the file ends inside a packet", more, err));
		}
	}
	return CMEND_OK;
}

static void give(struct cmi_capfile *f, const struct record *r,
	struct cmi_bytes view, struct cmi_frame *out)
{
	bool nano = f->per_second > 1000000;

	f->pass = f->record_header + r->captured;
	/* Where the next one is, and what its packet begins with. */
	__builtin_prefetch(view.p + f->pass);
	__builtin_prefetch(view.p + f->pass + 64);
	f->last_us = (int64_t)r->s * 1000000 +
		     (nano ? r->fraction / 1000 : r->fraction);
	*out = (struct cmi_frame){
		.data = {view.p + f->record_header, r->captured},
		.length = r->length < r->captured ? r->captured : r->length,
		.number = ++f->frames,
		.offset = f->in->offset,
		.t_us = f->last_us,
		.ns = nano ? r->fraction % 1000 : 0,
		.link = f->link,
	};
}

static cmend_status pcap_next(struct cmi_capfile *f, struct cmi_frame *out,
	bool *more, cmend_error *err)
{
	struct cmi_bytes view;
	struct record r;

	CMI_TRY(find_record(f, &r, &view, more, err));
	if (*more)
		give(f, &r, view, out);
	return CMEND_OK;
}

static cmend_status pcap_at_hand(struct cmi_capfile *f, struct cmi_frame *out,
	bool *is, cmend_error *err)
{
	struct cmi_bytes view = cmi_input_beyond(f->in, f->pass);
	struct record r;

	(void)err;
	*is = read_record(f, view, &r) && r.captured <= CMI_PACKET_MAX &&
	      r.captured <= view.n - f->record_header;
	if (!*is)
		return CMEND_OK;
	cmi_input_pass(f->in, f->pass);
	give(f, &r, view, out);
	return CMEND_OK;
}

/* Which record header makes the first records plausible?  Kuznetsov's patch
 * came with 24 bytes under both magic numbers and with 28; Nokia's with 20. */
static cmend_status guess_record_header(
	struct cmi_capfile *f, bool modified, cmend_error *err)
{
	static const size_t usual[] = {16, 24, 20}, longer[] = {24, 28, 16};
	struct cmi_bytes view;
	struct record r;

	for (size_t i = 0; i < CMI_LEN(usual); i++) {
		f->record_header = modified ? longer[i] : usual[i];
		CMI_TRY(cmi_input_view(f->in, f->record_header, &view, err));
		if (!read_record(f, view, &r) || !is_plausible(f, &r))
			continue;
		/* A first packet alone proves nothing against the usual. */
		CMI_TRY(cmi_input_view(
			f->in, 2 * f->record_header + r.captured, &view, err));
		if (starts_record(f, view))
			return CMEND_OK;
	}
	f->record_header = modified ? 24 : 16;
	return CMEND_OK;
}

/* AIX has version 2.2, numbers of RFC 1573 for the links and nanoseconds; of
 * other writers of that version no file with these numbers is known. */
static void take_aix(struct cmi_capfile *f)
{
	static const struct {
		uint32_t theirs, link;
	} rows[] = {{6, 1}, {9, 6}, {15, 10}, {24, 0}};

	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		if (f->link != rows[i].theirs)
			continue;
		f->link = rows[i].link;
		f->per_second = 1000000000u;
		return;
	}
}

enum {
	MAGIC_USUAL = 0xa1b2c3d4,
	MAGIC_NANO = 0xa1b23c4d,
	MAGIC_MODIFIED = 0xa1b2cd34,
	MAGIC_IXIA = 0x1c0001ab,
	MAGIC_IXIA_NANO = 0x1c0001ac,
};

/* Ixia's files have the number of bytes behind it, in four more. */
static cmend_status pass_header(
	struct cmi_capfile *f, uint32_t magic, cmend_error *err)
{
	bool longer = magic == MAGIC_IXIA || magic == MAGIC_IXIA_NANO;
	size_t n = longer ? 28 : 24;
	struct cmi_bytes view;

	CMI_TRY(cmi_input_view(f->in, n, &view, err));
	cmi_input_pass(f->in, view.n < n ? view.n : n);
	return CMEND_OK;
}

cmend_status cmi_pcap_begin(
	struct cmi_capfile *f, struct cmi_bytes head, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(head);
	uint16_t major = 0, minor = 0;
	uint32_t magic, network = 0;

	if (!cmi_cursor_u32(&c, &magic))
		return cmi_fail(err, CMEND_INTERNAL, "no magic number");
	f->big = magic >> 24 == 0xa1 || magic >> 24 == 0x1c;
	if (!f->big)
		magic = __builtin_bswap32(magic);
	f->per_second = magic == MAGIC_NANO || magic == MAGIC_IXIA_NANO
				? 1000000000u
				: 1000000u;
	if (!cmi_capfile_u16(f, &c, &major) ||
		!cmi_capfile_u16(f, &c, &minor) || !cmi_cursor_skip(&c, 12) ||
		!cmi_capfile_u32(f, &c, &network))
		return cmi_fail(err, CMEND_INTERNAL, "short file header");
	/* The upper bits tell of the frame check sequence. */
	f->link = network & 0x03ffffffu;
	if (major == 2 && minor < 3)
		f->lengths = CMI_LENGTHS_SWAPPED;
	else if ((major == 2 && minor == 3) || major == 543)
		f->lengths = CMI_LENGTHS_EITHER;
	if (magic == MAGIC_USUAL && major == 2 && minor == 2)
		take_aix(f);
	CMI_TRY(pass_header(f, magic, err));
	f->next = pcap_next;
	f->at_hand = pcap_at_hand;
	return guess_record_header(f, magic == MAGIC_MODIFIED, err);
}
