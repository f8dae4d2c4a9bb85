/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_metrics.h"

#include "probe/metrics.h"

#define NAME "chainmend_"

/* What is true of this client and target now. */
static unsigned state_of(
	const struct cmi_watched *w, const struct cmi_opinion *o)
{
	if (w->seen && !w->up)
		return CMI_REASON_UNREACHABLE;
	return o->reason;
}

static void write_state(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	cmi_metric_family(out, NAME "chain_state", "gauge",
		"How a client takes a target's chain: 1 for the reason that "
		"holds now, 0 for those that did before.");
	for (size_t i = 0; i < l->n; i++) {
		const struct cmi_watched *w = l->targets[i];

		for (size_t k = 0; k < w->n_opinions; k++) {
			const struct cmi_opinion *o = &w->opinions[k];
			unsigned now = state_of(w, o);

			for (unsigned r = 0; r < CMI_REASON_COUNT; r++) {
				if (r != now && !cmi_reasons_has(&o->past, r))
					continue;
				cmi_metric_labels(out, NAME "chain_state",
					(const struct cmi_label[]){
						{"target", w->name},
						{"profile", o->profile},
						{"reason", cmi_reason_name(r)},
						{0}},
					r == now);
			}
		}
	}
}

/* Days left are (this - time()) / 86400: Prometheus wants times as they are. */
static void write_ends(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	cmi_metric_family(out, NAME "path_expiry_timestamp_seconds", "gauge",
		"Until when the client accepts, by the last path it had.");
	for (size_t i = 0; i < l->n; i++) {
		const struct cmi_watched *w = l->targets[i];

		for (size_t k = 0; k < w->n_opinions; k++) {
			const struct cmi_opinion *o = &w->opinions[k];

			if (!o->until_s)
				continue;
			cmi_metric_labels(out,
				NAME "path_expiry_timestamp_seconds",
				(const struct cmi_label[]){{"target", w->name},
					{"profile", o->profile}, {0}},
				(double)o->until_s);
		}
	}
}

static void write_findings(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	cmi_metric_family(out, NAME "finding", "gauge",
		"What is wrong with a target's chain, also where clients still "
		"accept: 1 now, 0 before.");
	for (size_t i = 0; i < l->n; i++) {
		const struct cmi_watched *w = l->targets[i];

		for (unsigned f = 1; f < CMI_F_COUNT; f++) {
			if (!cmi_reasons_has(&w->past_findings, f))
				continue;
			cmi_metric_labels(out, NAME "finding",
				(const struct cmi_label[]){{"target", w->name},
					{"finding", cmi_reason_name(f)}, {0}},
				cmi_reasons_has(&w->findings, f));
		}
	}
}

/* One number of each target; has tells where it means something. */
struct column {
	const char *name, *type, *help;
	bool (*has)(const struct cmi_watched *w);
	double (*value)(const struct cmi_watched *w);
};

static bool always(const struct cmi_watched *w)
{
	return w != NULL;
}

static bool has_chain(const struct cmi_watched *w)
{
	return w->had_chain;
}

static bool was_seen(const struct cmi_watched *w)
{
	return w->seen;
}

static double up(const struct cmi_watched *w)
{
	return w->up;
}

static double looks(const struct cmi_watched *w)
{
	return (double)w->looks;
}

static double failed_looks(const struct cmi_watched *w)
{
	return (double)w->failed_looks;
}

static double leaf_end(const struct cmi_watched *w)
{
	return (double)w->leaf_end_s;
}

static double last_look(const struct cmi_watched *w)
{
	return (double)w->last_s;
}

static const struct column columns[] = {
	{NAME "target_up", "gauge",
		"Whether the last look reached the target and it spoke TLS.",
		always, up},
	{NAME "target_looks_total", "counter",
		"Looks at the target since the start.", always, looks},
	{NAME "target_unreached_total", "counter",
		"Looks since the start that did not reach it.", always,
		failed_looks},
	{NAME "target_last_look_timestamp_seconds", "gauge",
		"When it was last looked at, seconds since 1970.", was_seen,
		last_look},
	{NAME "leaf_expiry_timestamp_seconds", "gauge",
		"When the server's own certificate, as last seen, expires.",
		has_chain, leaf_end},
};

static void write_columns(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	for (size_t c = 0; c < CMI_LEN(columns); c++) {
		const struct column *col = &columns[c];

		cmi_metric_family(out, col->name, col->type, col->help);
		for (size_t i = 0; i < l->n; i++)
			if (col->has(l->targets[i]))
				cmi_metric(out, col->name, "target",
					l->targets[i]->name,
					col->value(l->targets[i]));
	}
}

static void write_results(
	struct cmi_buf *out, const struct cmi_monitor_counts *n)
{
	const struct {
		const char *result;
		uint64_t value;
	} looks_by[] = {{"chain", n->looks_chain},
		{"no-chain", n->looks_no_chain},
		{"unreachable", n->looks_unreached}},
	  fetches_by[] = {
		  {"had", n->fetches.had}, {"failed", n->fetches.failed}};

	cmi_metric_family(out, NAME "looks_total", "counter",
		"Looks at all targets, by what came of them.");
	for (size_t i = 0; i < CMI_LEN(looks_by); i++)
		cmi_metric(out, NAME "looks_total", "result",
			looks_by[i].result, (double)looks_by[i].value);
	cmi_metric_family(out, NAME "fetches_total", "counter",
		"Requests for issuers by the address in a certificate.");
	for (size_t i = 0; i < CMI_LEN(fetches_by); i++)
		cmi_metric(out, NAME "fetches_total", "result",
			fetches_by[i].result, (double)fetches_by[i].value);
	cmi_metric_family(out, NAME "look_seconds", "summary",
		"How long looks took, dialling and judging.");
	cmi_metric(out, NAME "look_seconds_sum", NULL, NULL, n->took_sum);
	cmi_metric(
		out, NAME "look_seconds_count", NULL, NULL, (double)n->took_n);
}

static void write_service(struct cmi_buf *out, const struct cmi_watch_list *l,
	const struct cmi_monitor_counts *n)
{
	const struct {
		const char *name, *type, *help;
		double value;
	} rows[] = {
		{NAME "monitor_targets", "gauge", "Targets watched.",
			(double)l->n},
		{NAME "monitor_events_total", "counter",
			"Changes told by this process.", (double)n->events},
		{NAME "monitor_events_waiting", "gauge",
			"Changes that could not be written yet.",
			(double)n->pending},
		{NAME "monitor_reload_successful", "gauge",
			"Whether the targets were read without fault the last "
			"time.",
			n->reload_ok},
		{NAME "monitor_reload_timestamp_seconds", "gauge",
			"When the targets in use were read.",
			(double)n->reload_s},
		{NAME "monitor_start_time_seconds", "gauge",
			"When the monitor began.", (double)n->began_s},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmi_metric_family(
			out, rows[i].name, rows[i].type, rows[i].help);
		cmi_metric(out, rows[i].name, NULL, NULL, rows[i].value);
	}
}

void cmi_monitor_metrics(struct cmi_buf *out, const struct cmi_watch_list *l,
	const struct cmi_monitor_counts *n)
{
	write_state(out, l);
	write_ends(out, l);
	write_findings(out, l);
	write_columns(out, l);
	write_results(out, n);
	write_service(out, l, n);
}
