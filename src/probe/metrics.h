/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves one text over HTTP for Prometheus to scrape, from the caller's own
 * loop: GET /metrics, everything else is 404.  Each connection has
 * a deadline, and a slow reader delays nobody.
 */
#ifndef CMI_PROBE_METRICS_H
#define CMI_PROBE_METRICS_H

#include "core/buf.h"

struct cmi_metrics_server;

/* listen: "127.0.0.1:9808", "[::1]:9808", or ":9808" for every address.
 * write appends the text (exposition format 0.0.4) at each scrape. */
cmend_status cmi_metrics_listen(const char *listen,
	void (*write)(void *ctx, struct cmi_buf *out), void *ctx,
	struct cmi_metrics_server **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_metrics_free(struct cmi_metrics_server *s);
/* Serve whoever waits; returns at once.  NULL is allowed. */
void cmi_metrics_poll(struct cmi_metrics_server *s);
/* The port in use. */
unsigned cmi_metrics_port(const struct cmi_metrics_server *s);

/* Append one sample: name{label="value"} number.  label NULL: none.  The value
 * is escaped. */
void cmi_metric(struct cmi_buf *out, const char *name, const char *label,
	const char *value, double number);
/* The same with any number of labels, ended by a name of NULL. */
struct cmi_label {
	const char *name, *value;
};
void cmi_metric_labels(struct cmi_buf *out, const char *name,
	const struct cmi_label *labels, double number);
/* Append the two lines before a family: # HELP and # TYPE. */
void cmi_metric_family(struct cmi_buf *out, const char *name, const char *type,
	const char *help);

#endif
