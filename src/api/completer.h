/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind cmend_completer: its options, and the latest notes on
 * what became of a leaf, for bridges to libraries that offer no place for it.
 */
#ifndef CMI_API_COMPLETER_H
#define CMI_API_COMPLETER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "api/api.h"
#include "api/openssl_recent.h"

struct cmi_completer_note {
	uint8_t sha256[CMI_SHA256_LEN];
	bool used;
	char text[1024];
};

struct cmend_completer {
	cmend_completer_options o;
	pthread_mutex_t lock; /* over what follows */
	struct cmi_completer_note notes[CMI_COMPLETER_NOTES_MAX];
	size_t next;               /* to be overwritten */
	struct cmi_recent *recent; /* NULL: no chain is remembered */
};

/* Each thing that was tried and did not serve, to the trace. */
void cmi_completer_trace(const cmend_completer *c, const cmend_job *job);

#endif
