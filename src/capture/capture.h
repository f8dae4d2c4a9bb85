/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading captures: the front of this floor.
 *
 * One pass over a file or a stream of packets; every conversation found goes
 * to the sink.  Memory is bounded by open handshakes, never by the file.
 */
#ifndef CMI_CAPTURE_CAPTURE_H
#define CMI_CAPTURE_CAPTURE_H

#include "capture/file_input.h"
#include "wire/conversation.h"

/* Damage, or anything else worth saying about the file itself. */
struct cmi_capture_note {
	const char *capture;
	uint64_t offset; /* in the (unpacked) file */
	uint64_t frame;  /* last good frame before it */
	const char *says;
};

struct cmi_capture_options {
	struct cmi_conversation_sink sink;
	void (*note)(void *ctx, const struct cmi_capture_note *note);
	void *note_ctx;
	const char *keylog_path; /* SSLKEYLOGFILE format, or NULL */
	struct cmi_bytes keylog; /* the same as text; or empty */
	/* The bytes of the first capture, whose path is only a name then; or
	 * NULL.  Its close is called when reading was begun. */
	const struct cmi_input_source *source;
	const struct cmi_env *env;
	/* A file still being written: called at its end, true to look for
	 * more (after some time), false to end.  NULL: end. */
	bool (*wait)(void *ctx);
	void *wait_ctx;
	/* As if each file ended behind that frame; 0: it does not. */
	uint64_t frames_max;
	/* Always the number of the frame at hand, for whoever looks on from
	 * another process; or NULL. */
	volatile uint64_t *frame;
};

struct cmi_capture_summary {
	uint64_t packets;
	uint64_t bytes; /* of the file, unpacked */
	uint64_t flows;
	uint64_t given_up;  /* conversations dropped at a ceiling */
	uint64_t undecoded; /* packets no decoder knows */
	bool damaged;       /* reading went on or stopped after damage */
};

/*
 * Read one capture ("-": standard input): pcap or pcapng, either byte order,
 * gzip or zstd packed.  CMEND_PARSE: no capture at all, or damaged before the
 * first packet; CMEND_IO: cannot be read.  Damage later on is a note, and
 * what could be read counts.  *summary is filled in either case.
 */
cmend_status cmi_capture_read(const char *path,
	const struct cmi_capture_options *options,
	struct cmi_capture_summary *summary, cmend_error *err)
	__attribute__((warn_unused_result));

/*
 * Several captures of the same happening as one, merged by their times (at
 * the same time the one named first goes first).  Frames are numbered as they
 * come out, as mergecap has them; the records name the first capture.  At most
 * CMI_MERGE_MAX (CMEND_LIMIT).
 */
cmend_status cmi_capture_read_merged(const char *const *paths, size_t n,
	const struct cmi_capture_options *options,
	struct cmi_capture_summary *summary, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
