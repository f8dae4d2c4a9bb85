/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `serve user ...`: the server's users.  Works on the record, whether a server
 * runs on it or not.
 */
#ifndef CMI_CLI_SERVE_USER_H
#define CMI_CLI_SERVE_USER_H

#include "boot/ledger.h"
#include "cli/cli.h"

struct cmi_serve_options {
	const char *host, *cert, *key, *offer, *state, *address;
	uint64_t http_port, https_port, sip_port, workers, hours, min_pin;
	bool tls12, dhcp, lab, legacy_dsk, common_pins, no_common_pins;
	const char *break_name;
	const char *registrar, *sip_cert, *sip_key, *schemes;
	const char *sip, *number, *extension, *login;
	const char *secret_file, *secret_fd;
	const char *max_attempts, *pin_days, *pin_history;
};

/* Opens the record in --state, making it where it is missing. */
cmend_status cmi_serve_ledger(const struct cmi_serve_options *o,
	struct cmi_ledger **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* words: "user", then what to do.  Returns an exit status. */
int cmi_serve_user(struct cmi_cli *cli, const struct cmi_serve_options *o,
	size_t argc, char **argv);

#endif
