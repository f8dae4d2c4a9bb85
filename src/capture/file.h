/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture files: pcap (micro- and nanoseconds, both byte orders, the variants
 * with longer record headers) and pcapng (draft-ietf-opsawg-pcapng) as one
 * stream of frames.
 *
 * Own reader: libpcap refuses a pcapng file whose interfaces differ in link
 * type, and drops secrets and comments.  A frame's bytes are a view into the
 * read buffer, valid until the next call.  Damage is told through the note
 * hook and reading goes on at the next sane record where there is one.
 */
#ifndef CMI_CAPTURE_FILE_H
#define CMI_CAPTURE_FILE_H

#include "capture/file_input.h"

struct cmi_capfile;

/* A frame of a pcapng file that is no packet, such as a journal entry. */
#define CMI_LINK_NONE 0xffffffffu

struct cmi_frame {
	struct cmi_bytes data; /* what was captured */
	size_t length;         /* on the wire */
	uint64_t number;       /* from 1, as Wireshark counts */
	uint64_t offset;       /* of its record in the unpacked file */
	int64_t t_us;          /* since 1970 */
	uint16_t ns;           /* beyond t_us, where a classic file has it */
	uint32_t link;         /* LINKTYPE_ */
	bool untimed;          /* t_us is that of the last one with a time */
};

/* An intact block of a pcapng file, just as it stands there. */
struct cmi_raw_block {
	uint32_t type;
	bool big;        /* most significant byte first */
	uint64_t number; /* of the frame; 0: it is none */
	/* Of the first interface, which bounds simple packets; 0: none. */
	uint32_t snaplen;
	/* Of the last packet that has one, in the first interface's units: what
	 * comes nearest to the time of a simple packet. */
	uint64_t time;
	struct cmi_bytes bytes;
};

struct cmi_capfile_hooks {
	/* offset in the unpacked file, number of the last good frame. */
	void (*note)(
		void *ctx, uint64_t offset, uint64_t frame, const char *says);
	/* Decryption secrets: type 0x544c534b is a TLS key log. */
	cmend_status (*secrets)(void *ctx, uint32_t type,
		struct cmi_bytes secrets, cmend_error *err);
	/* Each block of a pcapng file, before what it says is used. */
	cmend_status (*block)(
		void *ctx, const struct cmi_raw_block *block, cmend_error *err);
	/* At the end of the file: true to look for more, NULL: never. */
	bool (*wait)(void *ctx);
	void *ctx;
	const struct cmi_env *env; /* opens the file; NULL: the system */
	/* The bytes in place of the file's, whose path is only a name; or
	 * NULL.  Becomes the capfile's, but for a failure to open. */
	const struct cmi_input_source *source;
};

/* CMEND_IO: cannot be read; CMEND_PARSE: empty, cut, or no capture. */
cmend_status cmi_capfile_open(const char *path,
	const struct cmi_capfile_hooks *hooks, struct cmi_capfile **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_capfile_close(struct cmi_capfile *f);
CMI_DEFINE_CLEANUP(cmi_capfile_closep, struct cmi_capfile, cmi_capfile_close)

/* *more is false at the end.  CMEND_IO: the file can no longer be read. */
cmend_status cmi_capfile_next(struct cmi_capfile *f, struct cmi_frame *out,
	bool *more, cmend_error *err) __attribute__((warn_unused_result));

/* The next frame, if it is whole in the buffer and there is nothing to be told
 * before it; *is says whether, and if not, nothing has happened.  The views of
 * the frames before it stay valid. */
cmend_status cmi_capfile_at_hand(struct cmi_capfile *f, struct cmi_frame *out,
	bool *is, cmend_error *err) __attribute__((warn_unused_result));

/* Bytes read so far, of the unpacked file. */
uint64_t cmi_capfile_bytes(const struct cmi_capfile *f);
bool cmi_capfile_damaged(const struct cmi_capfile *f);
/* Of blocks, that is pcapng. */
bool cmi_capfile_has_blocks(const struct cmi_capfile *f);
/* What the header of a classic capture says. */
uint32_t cmi_capfile_link(const struct cmi_capfile *f);

#endif
