/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An anchor set: the roots a client trusts beforehand, and nothing else.
 *
 * Only an explicit act of the user or a profile adds an anchor; nothing that
 * came over a network ever does.
 */
#ifndef CMI_X509_TRUST_H
#define CMI_X509_TRUST_H

#include "x509/bundle.h"

struct cmi_trust;

cmend_status cmi_trust_new(const char *name, struct cmi_trust **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_trust_free(struct cmi_trust *t);
CMI_DEFINE_CLEANUP(cmi_trust_freep, struct cmi_trust, cmi_trust_free)
const char *cmi_trust_name(const struct cmi_trust *t);
size_t cmi_trust_count(const struct cmi_trust *t);

/* Takes its own reference; a duplicate is no error. */
cmend_status cmi_trust_add(struct cmi_trust *t, struct cmi_cert *anchor,
	cmend_error *err) __attribute__((warn_unused_result));
/* A bundle file, or a directory of them (hashed or not). */
cmend_status cmi_trust_add_path(struct cmi_trust *t, const char *path,
	cmend_error *err) __attribute__((warn_unused_result));
/* The system's roots: the first of the usual places that is there. */
cmend_status cmi_trust_add_system(struct cmi_trust *t, cmend_error *err)
	__attribute__((warn_unused_result));

/* Does the system have a root of the name that issued this?  By the names of
 * files in its directory of hashed ones, without reading any; false where there
 * is no such directory. */
bool cmi_trust_system_names_issuer(const struct cmi_cert *child);

/* The i-th anchor, i < cmi_trust_count; borrowed. */
struct cmi_cert *cmi_trust_at(const struct cmi_trust *t, size_t i);
/* Byte for byte an anchor? */
bool cmi_trust_has(const struct cmi_trust *t, const struct cmi_cert *c);
/* The same name and key as an anchor? */
bool cmi_trust_has_entity(const struct cmi_trust *t, const struct cmi_cert *c);
/* Anchors whose subject is child's issuer: up to n_out, returns how many there
 * are; borrowed. */
size_t cmi_trust_issuers(const struct cmi_trust *t,
	const struct cmi_cert *child, struct cmi_cert **out, size_t n_out);

#endif
