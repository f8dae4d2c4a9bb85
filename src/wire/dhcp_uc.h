/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCP options 43 and 120 as phones of class MS-UC-Client take them: made,
 * written down for each DHCP server, and read back with every fault named.
 *
 * Option 43 holds five sub-options (RFC 2132 section 8.4), option 120 one name
 * (RFC 3361 section 3.1).  Pure.
 */
#ifndef CMI_WIRE_DHCP_UC_H
#define CMI_WIRE_DHCP_UC_H

#include "core/buf.h"
#include "core/finding_id.h"
#include "core/limits.h"

#define CMI_UC_CLASS "MS-UC-Client"
#define CMI_UC_PATH  "/CertProv/CertProvisioningService.svc"

/* A DHCP server that is broken on purpose leaves option 43 out, or cuts it as
 * Cisco IOS does with a long one. */
enum cmi_uc_lab { CMI_UC_WHOLE, CMI_UC_NO_43, CMI_UC_CUT_43 };

struct cmi_uc_options {
	char class_id[64];
	char scheme[16];
	char web[CMI_NAME_MAX + 1];
	char port[8];
	char path[256];
	char sip[CMI_NAME_MAX + 1]; /* option 120 */
	enum cmi_uc_lab lab;        /* in answers of the lab */
};

enum cmi_uc_severity { CMI_UC_ERROR, CMI_UC_WARNING };

struct cmi_uc_fault {
	enum cmi_uc_severity severity;
	enum cmi_finding_id id;
	unsigned option; /* 43 or 120 */
	char says[160];
};
#define CMI_UC_FAULTS_MAX 16
struct cmi_uc_faults {
	struct cmi_uc_fault faults[CMI_UC_FAULTS_MAX];
	size_t n;
	bool error; /* one of them at least is an error */
};

/* CMEND_ARG: a name that phones cannot use (an address, above all). */
cmend_status cmi_uc_encode(const struct cmi_uc_options *o,
	struct cmi_buf *option43, struct cmi_buf *option120, cmend_error *err)
	__attribute__((warn_unused_result));

/* What is there goes to *o, what is wrong to *faults; never fails.  Fields
 * hold raw bytes of the wire as safe text. */
void cmi_uc_decode43(struct cmi_bytes value, struct cmi_uc_options *o,
	struct cmi_uc_faults *faults);
void cmi_uc_decode120(struct cmi_bytes value, struct cmi_uc_options *o,
	struct cmi_uc_faults *faults);

/*
 * Is what was captured an answer to a phone of this class?  Then what is there
 * goes to *o and what is wrong or missing to *faults.
 */
struct cmi_dhcp_seen;
bool cmi_uc_answered(const struct cmi_dhcp_seen *seen, struct cmi_uc_options *o,
	struct cmi_uc_faults *faults);

#endif
