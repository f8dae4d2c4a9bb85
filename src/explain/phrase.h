/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sentences made of our words and other people's names.  Names come in as
 * safe text of any length and are shortened, so one certificate cannot fill a
 * page.
 */
#ifndef CMI_EXPLAIN_PHRASE_H
#define CMI_EXPLAIN_PHRASE_H

#include "core/arena.h"
#include "x509/cert.h"

/* Bytes of a name within a sentence, with NUL. */
#define CMI_PHRASE_NAME 132

/* text or its beginning and "...", cut between characters; "" for NULL. */
const char *cmi_phrase_clip(char out[CMI_PHRASE_NAME], const char *text);
/* The common name, or the whole subject where there is none. */
const char *cmi_phrase_cert(
	char out[CMI_PHRASE_NAME], const struct cmi_cert *c);
/* Format into the arena; NULL without memory. */
const char *cmi_phrase(struct cmi_arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Bytes of any kind as safe text in the arena; NULL where empty. */
const char *cmi_phrase_safe(struct cmi_arena *a, struct cmi_bytes text);
/* "1 certificate", "3 certificates". */
const char *cmi_phrase_count(
	struct cmi_arena *a, size_t n, const char *one, const char *many);

#endif
