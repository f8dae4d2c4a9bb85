/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shut a watching process in (CMI_ROLE_WATCHER): what is left to it are the
 * packets it already gets, scrapes of its metrics, the directory it keeps
 * captures in, the cache, and the roots that SIGHUP reads anew.
 */
#ifndef CMI_CLI_WATCH_LOCK_H
#define CMI_CLI_WATCH_LOCK_H

#include "cli/cli.h"

/* keep: a directory, or NULL.  Without a sandbox one warning, or
 * CMEND_UNSUPPORTED where it is required. */
cmend_status cmi_watch_lock(const struct cmi_cli *cli, const char *keep,
	bool required, cmend_error *err) __attribute__((warn_unused_result));

#endif
