/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word that is neither a server nor a file as it stands: what may have been
 * meant by it, for the message.
 */
#ifndef CMI_CLI_GATHER_HINT_H
#define CMI_CLI_GATHER_HINT_H

#include "core/error.h"

/* A word with a slash that no file bears.  CMEND_ARG: it is a URL of another
 * scheme than https; err says how to write it. */
cmend_status cmi_hint_scheme(const char *word, cmend_error *err)
	__attribute__((warn_unused_result));
/* The file was not there: perhaps it is a URL without its scheme. */
void cmi_hint_url(const char *word, cmend_error *err);
/* The name was not there: perhaps a file was meant. */
void cmi_hint_file(const char *word, cmend_error *err);

#endif
