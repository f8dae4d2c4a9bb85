/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that is broken in one chosen way, to see what a phone makes of it
 * and whether a diagnosis names it: `serve --lab --break NAME`.  The PKI is
 * made on the spot; its root is what phones are to trust beforehand.
 */
#ifndef CMI_BOOT_LAB_H
#define CMI_BOOT_LAB_H

#include "wire/dhcp_uc.h"
#include "boot/ledger.h"
#include "boot/sip_registrar.h"
#include "core/finding_id.h"

struct evp_pkey_st;

enum cmi_lab_names { CMI_LAB_EXACT, CMI_LAB_WILDCARD, CMI_LAB_OTHER };

struct cmi_lab_break {
	const char *name;
	const char *what;
	enum cmi_finding_id finding; /* what names it; NONE: no fault */
	enum cmi_lab_names names;
	int not_before_days, not_after_days; /* of the leaf, from now */
	bool leaf_only;
	bool sha1;           /* signs the leaf */
	const char *aia_url; /* in the leaf; or NULL */
	bool tls13_only;
	const char *mex_host; /* the metadata's; NULL: ours */
	enum cmi_uc_lab dhcp;
	bool other_root; /* phones have another root than ours */
	bool offer_root; /* port 80 gives the root away, nothing else */
	bool no_port80, download_off;
	bool store_down;
	enum cmi_pin_verdict every_pin; /* what each meets; GOOD: as is */
	bool no_registrar;
	bool registrar_wildcard; /* its certificate alone */
	enum cmi_registrar_fault registrar;
};
/* Ends with a NULL name; the first is whole and sound. */
extern const struct cmi_lab_break cmi_lab_breaks[];
const struct cmi_lab_break *cmi_lab_find(const char *name);

struct cmi_lab {
	struct cmi_cert_list chain; /* what is sent */
	struct cmi_cert_list offer; /* on port 80 */
	struct cmi_cert *root;      /* for phones */
	struct evp_pkey_st *key;
	struct cmi_cert_list sip_chain; /* of the registrar; or as above */
	struct evp_pkey_st *sip_key;
};
cmend_status cmi_lab_make(const struct cmi_lab_break *b, const char *host,
	const struct cmi_env *env, struct cmi_lab *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_lab_dispose(struct cmi_lab *lab);

#endif
