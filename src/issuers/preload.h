/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known issuers in one read-only file, made beforehand from a public list:
 * most missing intermediates are found here, and nobody is asked.
 *
 * The file is mapped, not read: opening looks at its head only, a look-up at
 * a few index entries, and no certificate is parsed before it is asked for.
 * It holds path material, never anchors.  Roots are in it for one use: a
 * profile that lists digests finds its certificates by them.  No other index
 * has them, so the supplier never offers one.  Each certificate is hashed
 * against its key when it is read; damage is a miss.
 *
 * All numbers are big-endian:
 *   8 "cmnd-pre"  4 version (2)  4 count  4 how many of these are issuers
 *   8 made (seconds since 1970)
 *   4 length and text, three times: the source's name, its ETag, and the
 *     Last-Modified it came with
 *   count times by SHA-256:    32 digest  8 offset  4 length
 *   issuers times by subject:   8 hash over the canonical name  4 entry
 *   issuers times by key id:    8 first bytes of its SHA-256    4 entry
 *   the certificates in DER; offsets count from the file's begin
 * Version 1 has no roots, and of the three texts the first only.
 */
#ifndef CMI_ISSUERS_PRELOAD_H
#define CMI_ISSUERS_PRELOAD_H

#include "chain/path.h"
#include "core/buf.h"

struct cmi_preload;

/* CMEND_NOT_FOUND: no such file; CMEND_IO; CMEND_PARSE: no preload, or cut;
 * CMEND_UNSUPPORTED: from a newer version.  Any thread may ask at once. */
cmend_status cmi_preload_open(const char *path, struct cmi_preload **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_preload_close(struct cmi_preload *p);
CMI_DEFINE_CLEANUP(cmi_preload_closep, struct cmi_preload, cmi_preload_close)

/* All of them, and how many are issuers; the rest are roots. */
size_t cmi_preload_count(const struct cmi_preload *p);
size_t cmi_preload_issuers(const struct cmi_preload *p);
int64_t cmi_preload_made_s(const struct cmi_preload *p);
/* Where it is from: views that live as long as p, not yet safe to print. */
struct cmi_preload_origin {
	struct cmi_bytes source;   /* a file's name or a URL */
	struct cmi_bytes etag;     /* RFC 9110 section 8.8.3; or empty */
	struct cmi_bytes modified; /* Last-Modified as sent; or empty */
};
const struct cmi_preload_origin *cmi_preload_origin(
	const struct cmi_preload *p);

/* As a supplier by subject; origin CMI_FROM_PRELOAD. */
const struct cmi_source *cmi_preload_source(struct cmi_preload *p);
/* A reference of the caller's, or NULL. */
struct cmi_cert *cmi_preload_by_sha256(
	struct cmi_preload *p, const uint8_t sha256[CMI_SHA256_LEN]);
struct cmi_cert *cmi_preload_by_key_id(
	struct cmi_preload *p, struct cmi_bytes skid);
/* The i-th in the order of SHA-256, i < count; NULL when it is damaged. */
struct cmi_cert *cmi_preload_at(struct cmi_preload *p, size_t i);

/* Make the file's content.  The certificates are distinct. */
cmend_status cmi_preload_build(const struct cmi_cert_list *issuers,
	const struct cmi_cert_list *roots, int64_t made_s,
	const struct cmi_preload_origin *from, struct cmi_buf *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* Which of these belong into a preload.  Issuers: CA certificates, no roots,
 * each signed by another of them (roots among them count).  Roots: those that
 * name themselves as issuer.  Appends to both. */
cmend_status cmi_preload_select(const struct cmi_cert_list *all,
	struct cmi_cert_list *issuers, struct cmi_cert_list *roots,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
