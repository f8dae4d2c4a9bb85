/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Download of one large public list over https, as chainmend data update does
 * it.  Not for AIA, whose rules are others (fetch.h).
 *
 * The server's certificate is verified and its name checked, redirects stay on
 * https, size and time have ceilings.  The user's proxy settings hold: libcurl
 * reads them from the environment, so this is the program's and never the
 * library's.
 */
#ifndef CMI_ISSUERS_FETCH_LIST_H
#define CMI_ISSUERS_FETCH_LIST_H

#include "core/buf.h"
#include "core/limits.h"

struct cmi_list_fetch {
	const char *url;
	const char *roots; /* anchors in place of the system's, or NULL */
	/* Of what is at hand already, or "": asked for only when it changed. */
	const char *etag, *modified;
	size_t max;         /* bytes, unpacked; 0: CMI_LIST_MAX */
	int64_t total_ms;   /* 0: CMI_LIST_TOTAL_MS */
	int64_t silence_ms; /* no byte for so long; 0: CMI_LIST_SILENCE_MS */
	/* Told now and then; whole is 0 where it is not known.  Or NULL. */
	void (*progress)(void *ctx, uint64_t got, uint64_t whole);
	void *ctx;
};

struct cmi_list_fetched {
	bool unchanged; /* the server says so, and body is empty */
	struct cmi_buf body;
	char etag[CMI_LIST_TAG], modified[CMI_LIST_TAG]; /* as sent, or "" */
};

/*
 * CMEND_ARG: no https URL; CMEND_IO: roots cannot be read; CMEND_REFUSED: the
 * server's certificate is not accepted, or a redirect leads elsewhere;
 * CMEND_LIMIT: larger than is taken; CMEND_TIMEOUT; CMEND_NET: all else, such
 * as an end before the end or a status that is no 200.  Dispose in any case.
 */
cmend_status cmi_list_fetch(const struct cmi_list_fetch *how,
	struct cmi_list_fetched *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_list_fetched_dispose(struct cmi_list_fetched *f);

#endif
