/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles that a process of ours can shut itself into before it reads what an
 * enemy may have made.
 *
 * A role is entered once and never left.  seccomp refuses every system call
 * that the role does not need (EPERM, so a library that tries something odd
 * gets an error and not a death); Landlock, where the kernel has it, refuses
 * all files and TCP besides.  What is open already stays usable.
 */
#ifndef CMI_CLI_SANDBOX_H
#define CMI_CLI_SANDBOX_H

#include "core/error.h"

enum cmi_role {
	/* Memory, clocks, reading and writing what is open already.  No
	 * files, no sockets, no processes. */
	CMI_ROLE_PARSER,
	/* The same and sockets, name lookup with the files it reads. */
	CMI_ROLE_FETCHER,
	/* The same as PARSER, connections that come in, and the places that
	 * were named: for a process that watches for long and writes what it
	 * keeps.  It cannot connect to anything, nor run anything. */
	CMI_ROLE_WATCHER,
};

/* Directories or files; NULL ends a list.  One that is absent is skipped.
 * They hold where the kernel has Landlock. */
struct cmi_sandbox_places {
	const char *const *read;
	const char *const *write; /* and read, make and remove files in */
};

/* places: for WATCHER, else NULL.  CMEND_UNSUPPORTED: the kernel, or this
 * build, offers nothing of the kind; the message says what is absent.  Any
 * other failure: CMEND_REFUSED. */
cmend_status cmi_sandbox_enter_with(enum cmi_role role,
	const struct cmi_sandbox_places *places, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_sandbox_enter(enum cmi_role role, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
