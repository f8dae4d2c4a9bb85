/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes pcapng (one section, one interface): packets with nanosecond times
 * and optional comments.  Used by live capture, by the tap of the demo and
 * by --annotate.
 */
#ifndef CMI_CAPTURE_WRITE_H
#define CMI_CAPTURE_WRITE_H

#include "core/mem.h"

struct cmi_pcapng_writer;

/* linktype as in the LINKTYPE_ registry (1 Ethernet, 101 raw IP ...).
 * The file is written at `path` in full view (a capture may grow for long);
 * `application` is named in the section header. */
cmend_status cmi_pcapng_create(const char *path, uint16_t linktype,
	const char *application, struct cmi_pcapng_writer **out,
	cmend_error *err) __attribute__((warn_unused_result));
/* comment may be NULL. */
cmend_status cmi_pcapng_packet(struct cmi_pcapng_writer *w, int64_t t_us,
	struct cmi_bytes data, size_t original_length, const char *comment,
	cmend_error *err) __attribute__((warn_unused_result));
/* Flush and close; frees w in any case. */
cmend_status cmi_pcapng_close(struct cmi_pcapng_writer *w, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
