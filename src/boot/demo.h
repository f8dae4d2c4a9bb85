/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the demo needs of this floor: a PKI made on the spot, and the seven
 * steps of the story as data.  Running, capturing and telling is the
 * command's (cli/cmd_demo).
 */
#ifndef CMI_BOOT_DEMO_H
#define CMI_BOOT_DEMO_H

#include "boot/phone.h"
#include "boot/server.h"

#define CMI_DEMO_HOST     "web.corp.example"
#define CMI_DEMO_SIP      "sip:ada@corp.example"
#define CMI_DEMO_NUMBER   "+15550100"
#define CMI_DEMO_PIN      "40961853"
#define CMI_DEMO_LOGIN    "ada"
#define CMI_DEMO_PASSWORD "correct horse battery"
#define CMI_DEMO_PHONE    "127.0.0.9"
#define CMI_DEMO_SERVER   "127.0.0.1"
#define CMI_DEMO_ATTACKER "127.0.0.66"

/* One certificate and its key. */
struct cmi_demo_id {
	struct cmi_cert *cert;
	struct evp_pkey_st *key;
};

struct cmi_demo_pki {
	struct cmi_demo_id root; /* preloaded in the phone */
	struct cmi_demo_id intermediate;
	struct cmi_demo_id leaf;        /* from the intermediate */
	struct cmi_demo_id leaf_direct; /* straight from the root */
	struct cmi_demo_id bad_root, bad_intermediate, bad_leaf;
	struct cmi_demo_id issuer; /* of client certificates */
};
cmend_status cmi_demo_pki_make(
	const struct cmi_env *env, struct cmi_demo_pki *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_demo_pki_dispose(struct cmi_demo_pki *p);

enum cmi_demo_sends {
	CMI_SENDS_LEAF,
	CMI_SENDS_MENDED, /* leaf and intermediate, by chainmend mend */
	CMI_SENDS_DIRECT, /* the leaf that the root issued */
	CMI_SENDS_ATTACK, /* the attacker's leaf; his chain on port 80 */
};

struct cmi_demo_step {
	unsigned n;
	const char *name; /* of its capture: "step-1-usb-broken-leaf-only" */
	bool new_phone;   /* else the one of the step before */
	enum cmi_way way;
	enum cmi_firmware firmware;
	enum cmi_demo_sends sends;
	const char *server_says; /* "leaf only" */
	const char *must;        /* how it must end, in words */
	/* The same as facts. */
	bool signed_in;
	bool downloaded;
	enum cmi_finding_id why;
	enum cmi_origin issuer_from; /* when signed in */
	bool secret_stays;           /* and nothing sent on 443 */
	bool quarantines;
};
#define CMI_DEMO_STEPS 7
extern const struct cmi_demo_step cmi_demo_steps[CMI_DEMO_STEPS];

/* Does the phone's own account meet the step?  When not, *says tells. */
bool cmi_demo_step_met(const struct cmi_demo_step *step,
	const struct cmi_phone_result *result, char *says, size_t n_says);

#endif
