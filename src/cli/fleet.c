/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fleet.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet/url.h"

/* Names in the queue are letters, digits, dash, dot and underscore. */
static void name_consumer(char out[65])
{
	char host[48] = "";

	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		memcpy(host, "worker", sizeof("worker"));
	for (char *p = host; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			    *p))
			*p = '_';
	snprintf(out, 65, "%s-%ld", host, (long)getpid());
}

int cmi_fleet_queue_options(struct cmi_cli *cli,
	const struct cmi_fleet_options *fleet, char consumer[65],
	struct cmi_queue_options *out)
{
	struct cmi_redis_url parts;
	const char *url = fleet->redis;
	cmend_error err = {0};

	if (!url)
		url = getenv("CHAINMEND_REDIS");
	if (!url || !*url)
		return cmi_cli_usage(cli,
			"no queue server: give --redis URL or set "
			"CHAINMEND_REDIS");
	if (cmi_redis_url_parse(url, &parts, &err) != CMEND_OK)
		return cmi_cli_usage(cli, "%s", err.message);
	cmi_redis_url_dispose(&parts);
	name_consumer(consumer);
	*out = (struct cmi_queue_options){
		.link = {.url = url, .ca_file = fleet->redis_ca},
		.name = fleet->queue,
		.group = fleet->group,
		.consumer = consumer,
	};
	return -1;
}
