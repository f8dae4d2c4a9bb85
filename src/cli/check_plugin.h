/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check --nagios: what a monitoring plugin says of all targets at the end, as
 * the Nagios plugin guidelines have it: one line with performance data, and of
 * a file of targets one line more for each that is not well.
 */
#ifndef CMI_CLI_CHECK_PLUGIN_H
#define CMI_CLI_CHECK_PLUGIN_H

#include <stdio.h>

#include "core/buf.h"
#include "explain/item.h"

/* The exit statuses. */
enum cmi_plugin_state {
	CMI_PLUGIN_OK,
	CMI_PLUGIN_WARNING,
	CMI_PLUGIN_CRITICAL,
	CMI_PLUGIN_UNKNOWN,
	CMI_PLUGIN_STATES
};

/* One line of each target, with its line feed; Nagios cuts an answer at 8 KiB.
 */
#define CMI_PLUGIN_LINE_MAX 250

struct cmi_plugin {
	bool many;          /* a file of targets: counts, and lines of each */
	bool profiles_only; /* the plain client does not count */
	enum cmi_plugin_state state;
	char says[CMI_PLUGIN_LINE_MAX]; /* of the first with that state */
	size_t n_clients, n_refused;
	size_t n[CMI_PLUGIN_STATES]; /* targets */
	size_t n_lines[CMI_PLUGIN_STATES];
	struct cmi_buf lines[CMI_PLUGIN_STATES];
	int64_t until_s;
};
void cmi_plugin_init(struct cmi_plugin *p, bool many, bool profiles_only);
void cmi_plugin_dispose(struct cmi_plugin *p);
/* One target. */
void cmi_plugin_take(struct cmi_plugin *p, const struct cmi_item_endpoint *e);
/* Something that is no target's fault: the answer is UNKNOWN, or worse. */
void cmi_plugin_trouble(struct cmi_plugin *p, const char *says);
/* Write all of it; returns the exit status. */
int cmi_plugin_tell(
	struct cmi_plugin *p, FILE *out, int64_t at_s, unsigned warn_days);

#endif
