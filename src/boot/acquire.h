/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one function by which a phone comes to a chain, whatever the way to
 * sign in: sent in the handshake, kept, AIA over http, port 80.
 *
 * What comes over port 80 is sorted before anything looks at it: self-signed
 * certificates that are no anchor go to quarantine; of the rest only a CA
 * certificate that chains to an anchor now is kept, as path material.  No
 * certificate from a network is ever an anchor.
 *
 * Broken firmware is a plan with holes in it, not other code: see
 * cmi_acquire_plan_for.
 */
#ifndef CMI_BOOT_ACQUIRE_H
#define CMI_BOOT_ACQUIRE_H

#include "boot/channel.h"
#include "boot/stores.h"
#include "issuers/complete.h"

enum cmi_firmware { CMI_FIRMWARE_FIXED, CMI_FIRMWARE_BROKEN };
/* CERTIFICATE: by what was issued before. */
enum cmi_way { CMI_WAY_PIN, CMI_WAY_USB, CMI_WAY_CERTIFICATE };
const char *cmi_firmware_name(enum cmi_firmware f); /* "fixed", "broken" */
/* "pin", "usb", "certificate" */
const char *cmi_way_name(enum cmi_way w);

struct cmi_acquire_plan {
	bool port80_first; /* download before the first handshake */
	bool aia;          /* when a handshake lacks an issuer */
	bool port80;       /* the same, after AIA */
};
/*
 * Fixed firmware: AIA and port 80 whenever a handshake lacks an issuer, the
 * same for both ways.  Broken firmware: a PIN downloads over port 80 before it
 * does anything else, and USB goes straight to 443 with what was sent and
 * kept, as does who has a certificate already.
 */
struct cmi_acquire_plan cmi_acquire_plan_for(
	enum cmi_firmware firmware, enum cmi_way way);

/* How the chain is downloaded over port 80. */
enum cmi_download { CMI_DOWNLOAD_SOAP, CMI_DOWNLOAD_P7B, CMI_DOWNLOAD_SCEP };

struct cmi_acquire {
	struct cmi_acquire_plan plan;
	enum cmi_download how;
	struct cmi_stores *stores;
	const struct cmi_net *net;
	const char *host; /* the web server; checked against its certificate */
	const char *name; /* checked in its place; or NULL */
	int64_t at_s;     /* 0: now */
	bool allow_private; /* AIA may go to private addresses */
	/* Whom we are connected to, where AIA may go, too; or "". */
	char aia_target[CMI_CHANNEL_HOST];
	bool first_use; /* see boot/first_use */

	/* What happened, for whoever explains. */
	bool downloaded; /* an answer came over port 80 */
	cmend_status download_status;
	char download_says[200];         /* why not, or what was in it */
	struct cmi_cert_list came;       /* all that was downloaded */
	struct cmi_cert *pinned;         /* the root that counted, or NULL */
	struct cmi_cert_list usable;     /* what of it chains to an anchor */
	unsigned n_untrusted;            /* dropped: no path to an anchor */
	struct cmi_complete_result last; /* of the last handshake */
	bool judged;
};

void cmi_acquire_dispose(struct cmi_acquire *a);
/* The last judgement is of no more interest: nothing is judged. */
void cmi_acquire_forget(struct cmi_acquire *a);

/* The time at which certificates are judged, seconds. */
int64_t cmi_acquire_time(const struct cmi_acquire *a);

/* Port 80, sorted and kept as the rules say.  A download that gives nothing
 * is a failure; that a certificate is refused is none. */
cmend_status cmi_acquire_download(struct cmi_acquire *a, cmend_error *err)
	__attribute__((warn_unused_result));

/* Sort certificates that came over a network into the stores. */
cmend_status cmi_acquire_sort(struct cmi_acquire *a,
	const struct cmi_cert_list *came, cmend_error *err)
	__attribute__((warn_unused_result));

/* The judge of every handshake, for struct cmi_channel_tls. */
enum cmi_finding_id cmi_acquire_judge(
	void *acquire, const struct cmi_sent_chain *chain);

#endif
