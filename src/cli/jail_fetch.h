/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of a locked reader: a second child (CMI_ROLE_FETCHER: sockets
 * and name lookup, no files) gets the URLs that the reader names, by the rules
 * of issuers/fetch, and hands their bytes over unread.
 */
#ifndef CMI_CLI_JAIL_FETCH_H
#define CMI_CLI_JAIL_FETCH_H

#include "cli/jail.h"
#include "issuers/aia.h"

/* The fetcher's whole life, in a process of its own: until the other end of
 * fd is gone.  Never returns. */
void cmi_jail_fetcher(const struct cmi_jail *jail, int fd)
	__attribute__((noreturn));

/* The reader's side: for cmi_aia_new.  Valid as long as `in`. */
struct cmi_aia_transport cmi_jail_transport(struct cmi_jail_inside *in);

#endif
