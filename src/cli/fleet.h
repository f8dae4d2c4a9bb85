/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What submit, worker and results share: the options that name the queue, and
 * opening it.
 */
#ifndef CMI_CLI_FLEET_H
#define CMI_CLI_FLEET_H

#include <stddef.h>

#include "cli/cli.h"
#include "fleet/queue.h"

/* First member of the options of each of these commands. */
struct cmi_fleet_options {
	const char *redis;    /* --redis, else $CHAINMEND_REDIS */
	const char *redis_ca; /* --redis-ca */
	const char *queue;    /* --queue */
	const char *group;    /* --group */
};

/* The rows of the option table for them; struct_ has them as `fleet`. */
#define CMI_FLEET_OPTIONS(struct_)                                             \
	{"redis", 0, CMI_OPT_TEXT, "URL",                                      \
		"the queue's server; else $CHAINMEND_REDIS",                   \
		offsetof(struct_, fleet.redis), 0, NULL},                      \
		{"redis-ca", 0, CMI_OPT_TEXT, "FILE", "anchors for rediss://", \
			offsetof(struct_, fleet.redis_ca), 0, NULL},           \
	{                                                                      \
		"queue", 0, CMI_OPT_TEXT, "NAME",                              \
			"one server can hold many queues; default",            \
			offsetof(struct_, fleet.queue), 0, NULL                \
	}

/* How a server is named: the notes of each command begin with it. */
#define CMI_FLEET_NOTES                                                        \
	"URL is redis://[[user]:password@]host[:port][/db], rediss:// for "    \
	"TLS, or\nunix:///path."

/* Fill in *out and answer -1; a usage error (>= 0) where no server is named
 * or its URL is wrong.  The
 * consumer is "host-pid". */
int cmi_fleet_queue_options(struct cmi_cli *cli,
	const struct cmi_fleet_options *fleet, char consumer[65],
	struct cmi_queue_options *out);

#endif
