/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program under what a systemd unit allows of system calls, where no
 * systemd runs.
 *
 * usage: confine NAMES FAMILIES PROGRAM [ARGUMENT...]
 *
 * NAMES: a file with the calls that SystemCallFilter= leaves, one a line;
 * FAMILIES: the numbers of RestrictAddressFamilies=, commas between them.
 * Anything else gets EPERM (SystemCallErrorNumber=), and so does memory that
 * is written and executed (MemoryDenyWriteExecute=).
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "confine: %s: %s\n", what, strerror(-rc));
	exit(125);
}

static void allow_sockets(scmp_filter_ctx c, int call, const char *families)
{
	char *next = NULL;

	for (const char *p = families; *p; p = *next ? next + 1 : next)
		must(seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 1,
			     SCMP_A0(SCMP_CMP_EQ,
				     (scmp_datum_t)strtoul(p, &next, 10))),
			"socket");
}

static void allow(scmp_filter_ctx c, const char *name, const char *families)
{
	int call = seccomp_syscall_resolve_name(name);

	if (call < 0)
		return; /* of another machine */
	if (strcmp(name, "socket") == 0) {
		allow_sockets(c, call, families);
	} else if (strcmp(name, "mmap") == 0) {
		must(seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE, 0)),
			name);
		must(seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)),
			name);
	} else if (strcmp(name, "mprotect") == 0) {
		must(seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)),
			name);
	} else {
		must(seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 0), name);
	}
}

int main(int argc, char **argv)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	FILE *names = argc > 3 ? fopen(argv[1], "r") : NULL;
	char line[128];

	if (!c || !names) {
		fprintf(stderr, "usage: confine NAMES FAMILIES PROGRAM...\n");
		return 125;
	}
	while (fgets(line, sizeof(line), names)) {
		line[strcspn(line, "\n")] = 0;
		allow(c, line, argv[2]);
	}
	fclose(names);
	must(seccomp_load(c), "cannot load the filter");
	seccomp_release(c);
	execv(argv[3], argv + 3);
	perror(argv[3]);
	return 126;
}
