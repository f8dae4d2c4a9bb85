/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the capture reader, shared by file.c (which form is it?),
 * file_pcap.c and file_pcapng.c.  Nobody else includes it.
 */
#ifndef CMI_CAPTURE_FILE_FORM_H
#define CMI_CAPTURE_FILE_FORM_H

#include "capture/file.h"
#include "capture/file_input.h"
#include "core/cursor.h"

struct cmi_interface {
	uint32_t link;
	uint32_t snaplen;   /* 0: no limit */
	uint8_t resolution; /* as if_tsresol has it */
	int64_t offset_s;
};

struct cmi_capfile {
	struct cmi_input *in;
	struct cmi_capfile_hooks hooks;
	cmend_status (*next)(struct cmi_capfile *f, struct cmi_frame *out,
		bool *more, cmend_error *err);
	/* As cmi_capfile_at_hand. */
	cmend_status (*at_hand)(struct cmi_capfile *f, struct cmi_frame *out,
		bool *is, cmend_error *err);
	size_t pass; /* bytes of the frame given out last */
	uint64_t frames;
	int64_t last_us;
	unsigned notes;
	bool damaged, told_trouble;
	bool has_blocks;
	bool big; /* most significant byte first */
	/* pcap */
	uint32_t link;
	uint32_t per_second; /* fractions of a second */
	size_t record_header;
	enum {
		CMI_LENGTHS_AS_NOW,
		CMI_LENGTHS_EITHER,
		CMI_LENGTHS_SWAPPED
	} lengths;
	/* pcapng */
	struct cmi_interface *interfaces;
	size_t n_interfaces, cap_interfaces;
};

static inline bool cmi_capfile_u16(
	const struct cmi_capfile *f, struct cmi_cursor *c, uint16_t *out)
{
	return f->big ? cmi_cursor_u16(c, out) : cmi_cursor_u16le(c, out);
}

static inline bool cmi_capfile_u32(
	const struct cmi_capfile *f, struct cmi_cursor *c, uint32_t *out)
{
	return f->big ? cmi_cursor_u32(c, out) : cmi_cursor_u32le(c, out);
}

/* Damage at the next byte of the input. */
void cmi_capfile_note(struct cmi_capfile *f, uint64_t offset, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));

/* Look for the next sane record; the input then stands there, or at its end. */
typedef cmend_status cmi_resume_fn(
	struct cmi_capfile *f, bool *found, cmend_error *err);
/* What stands here is damaged: find where reading can go on, and say so. */
cmend_status cmi_capfile_damage(struct cmi_capfile *f, cmi_resume_fn *resume,
	const char *what, bool *resumed, cmend_error *err)
	__attribute__((warn_unused_result));

/* The first bytes are in view and known to be of that form. */
cmend_status cmi_pcap_begin(struct cmi_capfile *f, struct cmi_bytes head,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_pcapng_begin(struct cmi_capfile *f, struct cmi_bytes head,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
