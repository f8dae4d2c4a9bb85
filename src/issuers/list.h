/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public lists of certificates, as data update takes them: a bundle in any
 * form (x509/bundle.h), or a CSV report of the CCADB, whose certificates stand
 * in the column that is headed with "PEM".
 */
#ifndef CMI_ISSUERS_LIST_H
#define CMI_ISSUERS_LIST_H

#include "x509/bundle.h"

/* Append what is found.  As cmi_bundle_read; CMEND_PARSE also for a web page
 * and for a report that is cut or has no such column. */
cmend_status cmi_list_read(struct cmi_bytes content, struct cmi_bundle *out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
