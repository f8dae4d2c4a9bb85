/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `phone test`: a phone's way in, step by step, each with its time, what was
 * learned and what to do where it fails.
 */
#ifndef CMI_CLI_PHONE_TEST_H
#define CMI_CLI_PHONE_TEST_H

#include "boot/discover.h"
#include "boot/names.h"
#include "boot/phone.h"
#include "cli/cli.h"

struct cmi_phone_test {
	struct cmi_cli *cli;
	struct cmi_phone_options phone; /* by PIN; server NULL: discover */
	struct cmi_inform_options dhcp;
	const char *domain;
	struct cmi_dns_at dns;
	const char *ntp;     /* host, or NULL: the one that DNS names */
	const char *capture; /* file, or NULL */
	bool nagios;
};

/* Returns an exit status, or a plugin's with nagios. */
int cmi_phone_test_run(struct cmi_phone_test *t);

#endif
