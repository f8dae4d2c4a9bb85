/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One capture as a list of things that happened: handshakes with their
 * meaning, downloads, names, DHCP.  Copies what it keeps and keeps a bounded
 * number; compare chooses from two of these.
 */
#ifndef CMI_EXPLAIN_STORY_H
#define CMI_EXPLAIN_STORY_H

#include "core/arena.h"
#include "explain/diagnose.h"

/* Records kept of one capture; what comes later is counted only. */
#define CMI_STORY_RECORDS_MAX ((size_t)20000)

enum cmi_record_kind {
	CMI_RECORD_TLS,
	CMI_RECORD_HTTP,
	CMI_RECORD_DNS,
	CMI_RECORD_DHCP,
	CMI_RECORD_TCP,
};

/* What a device said of itself; of one capture so many are kept. */
#define CMI_STORY_TOLD_MAX ((size_t)100)

struct cmi_record_told {
	const char *step, *result, *says;
	enum cmi_finding_id finding;
	uint64_t frame;
};

struct cmi_record {
	enum cmi_record_kind kind;
	struct cmi_endpoint client, server;
	int64_t start_us;
	uint64_t first_frame, last_frame;
	union {
		struct {
			/* A whole item: certificates are references. */
			struct cmi_item_handshake *item;
			bool used; /* it came to application data */
		} tls;
		struct {
			const char *method, *url, *cert; /* first one's name */
			unsigned status;
			enum cmi_carries carries;
			size_t n_certs;
			bool asked_for_issuer, chain_address;
			uint64_t request_frame, response_frame;
		} http;
		struct {
			const char *name;
			int rcode;
			bool has_address;
			struct cmi_endpoint first;
			uint64_t query_frame, answer_frame;
		} dns;
		struct {
			uint8_t type;
			bool has43, has120;
			uint64_t frame;
		} dhcp;
		struct {
			bool refused, answered;
			uint64_t frame;
		} tcp;
	};
};

struct cmi_story {
	struct cmi_diagnose *diagnose;
	struct cmi_arena arena;
	struct cmi_cert_list certs; /* references that records borrow */
	struct cmi_record *records;
	size_t n, cap, left_out;
	struct cmi_record_told *told;
	size_t n_told, told_cap;
	const char *name; /* of the capture; in the arena */
};

/* options->sink and ->all are the story's own business. */
cmend_status cmi_story_init(struct cmi_story *s,
	const struct cmi_diagnose_options *options, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_story_dispose(struct cmi_story *s);

#endif
