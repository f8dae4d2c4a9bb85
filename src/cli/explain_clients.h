/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --profile for captures: NAME judges every handshake for that kind of client
 * as well, NET=NAME says that the clients in that network are of that kind,
 * and their verdicts are made for it.
 */
#ifndef CMI_CLI_EXPLAIN_CLIENTS_H
#define CMI_CLI_EXPLAIN_CLIENTS_H

#include "cli/profile_set.h"
#include "explain/diagnose.h"

struct cmi_explain_clients {
	struct cmi_profile_set profiles;
	bool opened;
	struct cmi_diagnose_client list[CMI_DIAGNOSE_CLIENTS_MAX];
	size_t n;
};

/* CMEND_ARG: a network that is none.  Dispose in any case. */
cmend_status cmi_explain_clients_open(const struct cmi_setup *setup,
	const struct cmi_cli_list *words, struct cmi_explain_clients *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* Roots of these profiles that are not at hand: one note on standard error,
 * since a refusal may come from that. */
void cmi_explain_clients_note(
	const struct cmi_explain_clients *c, struct cmi_cli *cli);
/* Whom verdicts are made for: a client with the roots given; with nothing but
 * profiles, the first one that is meant for everybody. */
const struct cmi_trust *cmi_explain_clients_plain(
	const struct cmi_explain_clients *c, const struct cmi_cli *cli,
	const struct cmi_trust *roots);
void cmi_explain_clients_dispose(struct cmi_explain_clients *c);

/* "10.0.0.0/8", "192.0.2.7", "2001:db8::/32"; bits behind the prefix must be
 * zero, so that a mistyped network is noticed. */
cmend_status cmi_parse_net(struct cmi_bytes text, struct cmi_endpoint *net,
	uint8_t *prefix_len, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
