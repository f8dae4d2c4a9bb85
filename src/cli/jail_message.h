/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a locked reader and the process that opens files say to each other:
 * one message each way over a SOCK_SEQPACKET pair, a descriptor beside the
 * answer where one is given (unix(7), SCM_RIGHTS).
 */
#ifndef CMI_CLI_JAIL_MESSAGE_H
#define CMI_CLI_JAIL_MESSAGE_H

#include "core/limits.h"
#include "core/mem.h"

enum cmi_jail_word {
	CMI_JAIL_FILE = 'f',  /* a file to read, its path behind the word */
	CMI_JAIL_PAGE = 'p',  /* room for the page */
	CMI_JAIL_COPY = 'a',  /* room for the copy */
	CMI_JAIL_CERT = 'c',  /* room for a certificate, digest behind it */
	CMI_JAIL_KEEP = 'k',  /* the certificate is written: keep it */
	CMI_JAIL_SAID = 's',  /* a part of the report, how much of it behind
			       * the word; no answer */
	CMI_JAIL_WAIT = 'w',  /* answered when all parts are written */
	CMI_JAIL_KEPT = 'm',  /* what was made of the files so far is kept,
			       * numbers behind it (jail_kept); no answer */
	CMI_JAIL_BEGIN = 'b', /* the next file begins; no answer */
	CMI_JAIL_DONE = 'd',  /* all is done; no answer */
	CMI_JAIL_LAST = 'l',  /* the same, and the reader ends */
};

struct cmi_jail_message {
	char word;
	char text[CMI_JAIL_PATH_MAX];
};

/* False with errno: too long, or nobody there. */
bool cmi_jail_tell(int fd, enum cmi_jail_word word, const char *text);
/* The next message, its text ended by a NUL; false: nobody there any more. */
bool cmi_jail_hear(int fd, struct cmi_jail_message *out);
/* error: an errno; give: a descriptor, or -1.  A peer that is gone shows at
 * the next message. */
void cmi_jail_answer(int fd, int error, int give);
/* What came: a descriptor, or -1 with errno (0 where none was promised). */
int cmi_jail_get(int fd);

#endif
