/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the program's files are: the user's, and its own.  Uses the C library
 * alone, because the small program of launch.c is made of it.
 */
#ifndef CMI_CLI_PLACES_H
#define CMI_CLI_PLACES_H

#include "cli/cli.h"

/* Where issuers are kept: --cache, $CHAINMEND_CACHE, or chainmend/issuers.db
 * in the user's cache directory.  Into out; false where there is no home. */
bool cmi_setup_cache_path(const struct cmi_cli *cli, char *out, size_t n_out);

/* Where known issuers stand: $CHAINMEND_PRELOAD, chainmend/preload.bin in the
 * user's data directory.  Into out; false where there is no home. */
bool cmi_setup_preload_path(char *out, size_t n_out);
/* A file that belongs to the program, by its place from the program's own
 * directory: the first of these that can be read.  Into out. */
bool cmi_setup_own_file(
	const char *const *places, size_t n_places, char *out, size_t n_out);

#endif
