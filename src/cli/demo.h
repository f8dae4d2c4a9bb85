/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's stage: its PKI, its record of users, its servers, one phone after
 * another, and a capture of each step.  cmd_demo tells the story.
 */
#ifndef CMI_CLI_DEMO_H
#define CMI_CLI_DEMO_H

#include "boot/demo.h"
#include "capture/live.h"
#include "cli/cli.h"

struct cmi_demo {
	const char *out; /* directory of what is left behind */
	bool own_network;
	char why_not[200]; /* when not */
	struct cmi_env env;
	struct cmi_demo_pki pki;
	struct cmi_ledger *ledger;
	struct cmi_trust *trust;    /* the root alone */
	struct cmi_cert_list sends; /* of this step's server */
	char phone_dir[4096];       /* of the phone on stage */
};

/* Makes the PKI, the record and the files in `out`. */
cmend_status cmi_demo_open(struct cmi_demo *d, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_demo_dispose(struct cmi_demo *d, bool keep);
/* Remove a phone's memory with all that is in it. */
void cmi_demo_forget(const char *dir);
/* "out/name" */
const char *cmi_demo_path(
	const struct cmi_demo *d, const char *name, struct cmi_buf *out);
const char *cmi_demo_capture(const struct cmi_demo *d,
	const struct cmi_demo_step *step, struct cmi_buf *out);

struct cmi_demo_outcome {
	struct cmi_phone_result phone;
	bool met;
	char says[240]; /* what was not met */
	int64_t took_ms;
};
/* Server, capture, phone, and the judgement of both. */
cmend_status cmi_demo_run(struct cmi_demo *d, const struct cmi_demo_step *step,
	struct cmi_demo_outcome *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* A tap that writes what a phone sends and receives as packets. */
struct cmi_demo_tap;
cmend_status cmi_demo_tap_open(const char *path, struct cmi_demo_tap **out,
	cmend_error *err) __attribute__((warn_unused_result));
struct cmi_tap *cmi_demo_tap_of(struct cmi_demo_tap *t);
/* A comment on the last packet; without secrets.  t may be NULL. */
void cmi_demo_tap_note(struct cmi_demo_tap *t, const char *text);
cmend_status cmi_demo_tap_close(struct cmi_demo_tap *t, cmend_error *err)
	__attribute__((warn_unused_result));

/* What a capture shows, whatever the phone says of itself. */
struct cmi_demo_seen {
	unsigned handshakes, completed;
	bool unknown_ca;          /* fatal, from the client */
	uint64_t client_data;     /* application bytes from the client */
	unsigned downloads;       /* of the chain, over port 80 */
	bool download_first;      /* before any TLS */
	bool registrar;           /* the last handshake completed, with it */
	size_t sent_certificates; /* by the server, in the last handshake */
	bool secret_in_clear;     /* PIN or password, plain or base64 */
};
cmend_status cmi_demo_look(const char *capture, struct cmi_demo_seen *out,
	cmend_error *err) __attribute__((warn_unused_result));
bool cmi_demo_capture_met(const struct cmi_demo_step *step,
	const struct cmi_demo_seen *seen, char *says, size_t n_says);

#endif
