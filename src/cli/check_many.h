/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check for many targets: from a file, thousands at once, each distinct chain
 * judged once, results as they come, and a run that was broken off goes on
 * where it was.
 */
#ifndef CMI_CLI_CHECK_MANY_H
#define CMI_CLI_CHECK_MANY_H

#include "cli/profile_set.h"
#include "probe/examine.h"
#include "report/report.h"

struct cmi_check_many {
	struct cmi_cli *cli;
	const char *file;   /* one target a line; "-": standard input */
	const char *resume; /* results go there, what is in it is not asked
			     * again; or NULL */
	uint64_t in_flight, timeout_s, port;
	uint64_t per_second;          /* connections in all; 0: no limit */
	uint64_t per_second_and_host; /* to one host; 0: no limit */
	uint64_t retries;             /* of targets that could not be reached */
	uint8_t family;
	bool handshake, all_addresses;
	bool all_ways; /* whole handshakes then, and ask again in other ways */
	bool old_ways; /* as clients do that know no TLS 1.2, too */
	unsigned warn_days;
	const char *sni, *host;           /* as in cmi_gather_options */
	const char *starttls;             /* where a line names none; or NULL */
	const struct cmi_proxy *proxy;    /* or NULL */
	const char *cert_file, *key_file; /* as in cmi_dial_options */
	struct cmi_page *page;            /* results go there too; or NULL */
	/* And there; or NULL. */
	const struct cmi_item_sink *also;
	bool silent; /* and nothing to standard output */
	struct cmi_setup *setup;
	const struct cmi_profile_set *profiles;
};

struct cmi_check_many_end {
	int worst;      /* the exit status, of what was done before too */
	uint64_t wrong; /* lines that are no targets; told already */
	bool stopped;   /* by a signal */
};

/* With resume the page and `also` get what the file has of an earlier run
 * first, as far as the file says it. */
cmend_status cmi_check_many(const struct cmi_check_many *how,
	struct cmi_check_many_end *end, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
