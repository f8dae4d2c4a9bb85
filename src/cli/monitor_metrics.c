/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_metrics.h"

#include "probe/metrics.h"

#define NAME "chainmend_"

/* A target, or one of its addresses. */
struct record {
	const struct cmi_watched *w, *of; /* of: w itself, or its target */
};

/* All of them, each target before its addresses. */
struct walk {
	const struct cmi_watch_list *l;
	size_t target, address; /* the next; 0: the target itself */
};

static bool next_record(struct walk *at, struct record *out)
{
	const struct cmi_watched *of;

	if (at->target == at->l->n)
		return false;
	of = at->l->targets[at->target];
	*out = (struct record){
		at->address ? of->addresses[at->address - 1] : of, of};
	if (at->address++ == of->n_addresses) {
		at->address = 0;
		at->target++;
	}
	return true;
}

/* The target, the address of one of several, and up to two of its own. */
static void put(struct cmi_buf *out, const char *name, const struct record *r,
	const struct cmi_label *more, size_t n_more, double value)
{
	struct cmi_label labels[5] = {{"target", r->w->name}};
	size_t n = 1;

	if (r->w->address[0])
		labels[n++] = (struct cmi_label){"address", r->w->address};
	for (size_t i = 0; i < n_more; i++)
		labels[n++] = more[i];
	cmi_metric_labels(out, name, labels, value);
}

/* Where a name does not resolve none of its addresses is reached. */
static bool is_up(const struct record *r)
{
	return r->w->up && r->of->up;
}

/* What is true of this client and target now. */
static unsigned state_of(const struct record *r, const struct cmi_opinion *o)
{
	if (r->w->seen && !is_up(r))
		return CMI_REASON_UNREACHABLE;
	return o->reason;
}

static void write_state(struct cmi_buf *out, const struct record *r,
	const struct cmi_opinion *o)
{
	unsigned now = state_of(r, o);

	for (unsigned reason = 0; reason < CMI_REASON_COUNT; reason++) {
		const struct cmi_label labels[] = {{"profile", o->profile},
			{"reason", cmi_reason_name(reason)}};

		if (reason == now || cmi_reasons_has(&o->past, reason))
			put(out, NAME "chain_state", r, labels, 2,
				reason == now);
	}
}

static void write_states(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	struct walk at = {.l = l};
	struct record r;

	cmi_metric_family(out, NAME "chain_state", "gauge",
		"How a client takes a target's chain: 1 for the reason that "
		"holds now, 0 for those that did before.");
	while (next_record(&at, &r))
		for (size_t k = 0; k < r.w->n_opinions; k++)
			write_state(out, &r, &r.w->opinions[k]);
}

/* Days left are (this - time()) / 86400: Prometheus wants times as they are. */
static void write_ends(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	struct walk at = {.l = l};
	struct record r;

	cmi_metric_family(out, NAME "path_expiry_timestamp_seconds", "gauge",
		"Until when the client accepts, by the last path it had.");
	while (next_record(&at, &r)) {
		for (size_t k = 0; k < r.w->n_opinions; k++) {
			const struct cmi_opinion *o = &r.w->opinions[k];
			const struct cmi_label label = {"profile", o->profile};

			if (o->until_s)
				put(out, NAME "path_expiry_timestamp_seconds",
					&r, &label, 1, (double)o->until_s);
		}
	}
}

static void write_findings(struct cmi_buf *out, const struct cmi_watch_list *l)
{
	struct walk at = {.l = l};
	struct record r;

	cmi_metric_family(out, NAME "finding", "gauge",
		"What is wrong with a target's chain, also where clients still "
		"accept: 1 now, 0 before.");
	while (next_record(&at, &r)) {
		for (unsigned f = 1; f < CMI_F_COUNT; f++) {
			const struct cmi_label label = {
				"finding", cmi_reason_name(f)};

			if (cmi_reasons_has(&r.w->past_findings, f))
				put(out, NAME "finding", &r, &label, 1,
					cmi_reasons_has(&r.w->findings, f));
		}
	}
}

/* One number of each target; has tells where it means something. */
struct column {
	const char *name, *type, *help;
	bool (*has)(const struct record *r);
	double (*value)(const struct record *r);
};

static bool always(const struct record *r)
{
	return r->w != NULL;
}

static bool has_chain(const struct record *r)
{
	return r->w->had_chain;
}

static bool was_seen(const struct record *r)
{
	return r->w->seen;
}

static double up(const struct record *r)
{
	return is_up(r);
}

static double looks(const struct record *r)
{
	return (double)r->w->looks;
}

static double failed_looks(const struct record *r)
{
	return (double)r->w->failed_looks;
}

static double leaf_end(const struct record *r)
{
	return (double)r->w->leaf_end_s;
}

static double last_look(const struct record *r)
{
	return (double)r->w->last_s;
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
		struct walk at = {.l = l};
		struct record r;

		cmi_metric_family(out, col->name, col->type, col->help);
		while (next_record(&at, &r))
			if (col->has(&r))
				put(out, col->name, &r, NULL, 0,
					col->value(&r));
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
	write_states(out, l);
	write_ends(out, l);
	write_findings(out, l);
	write_columns(out, l);
	write_results(out, n);
	write_service(out, l, n);
}
