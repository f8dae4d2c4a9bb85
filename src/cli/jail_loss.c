/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail_loss.h"

#include <string.h>
#include <sys/wait.h>

#include "core/text.h"

/* On standard error, and for the page. */
static void tell(struct cmi_jail_losses *l, FILE *err, const char *text)
{
	fprintf(err, "chainmend: %s; please report this\n", text);
	if (l->n < CMI_JAIL_LOSSES_MAX)
		memcpy(l->text[l->n], text, strlen(text) + 1);
	l->n++;
}

void cmi_jail_say_died(struct cmi_jail_losses *l, FILE *err, const char *file,
	uint64_t again_to, int status)
{
	char how[48], name[128] = "", text[sizeof(l->text[0])];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "status %d", WEXITSTATUS(status));
	if (file)
		cmi_safe_cstr(name, sizeof(name), cmi_bytes_of(file));
	if (!file)
		snprintf(text, sizeof(text),
			"the reader died outside any capture (%s)", how);
	else if (again_to)
		snprintf(text, sizeof(text),
			"the reader died at frame %llu of \"%s\" (%s): only "
			"what stands before it is reported",
			(unsigned long long)again_to + 1, name, how);
	else
		snprintf(text, sizeof(text),
			"the reader died at \"%s\" (%s): nothing more is said "
			"about that file",
			name, how);
	tell(l, err, text);
}
