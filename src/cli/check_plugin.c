/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_plugin.h"

#include <string.h>

#include "core/limits.h"

static const char *const words[] = {
	[CMI_PLUGIN_OK] = "OK",
	[CMI_PLUGIN_WARNING] = "WARNING",
	[CMI_PLUGIN_CRITICAL] = "CRITICAL",
	[CMI_PLUGIN_UNKNOWN] = "UNKNOWN",
};

/* The worst first: a chain that clients refuse is not hidden behind a server
 * that could not be reached. */
static const enum cmi_plugin_state worst_first[] = {CMI_PLUGIN_CRITICAL,
	CMI_PLUGIN_UNKNOWN, CMI_PLUGIN_WARNING, CMI_PLUGIN_OK};

static size_t rank(enum cmi_plugin_state s)
{
	size_t i = 0;

	while (worst_first[i] != s)
		i++;
	return i;
}

void cmi_plugin_init(struct cmi_plugin *p, bool many, bool profiles_only)
{
	*p = (struct cmi_plugin){.many = many, .profiles_only = profiles_only};
	for (size_t i = 0; i < CMI_LEN(p->lines); i++)
		cmi_buf_init(&p->lines[i],
			(size_t)CMI_PLUGIN_LINE_MAX * CMI_PLUGIN_LINES_MAX);
}

void cmi_plugin_dispose(struct cmi_plugin *p)
{
	for (size_t i = 0; i < CMI_LEN(p->lines); i++)
		cmi_buf_dispose(&p->lines[i]);
}

/* What stands behind '|' would be performance data. */
static void no_bars(char *text)
{
	for (; *text; text++)
		if (*text == '|')
			*text = '/';
}

/* n: how long it would have been. */
static void mark_cut(char text[CMI_PLUGIN_LINE_MAX], int n)
{
	if (n >= CMI_PLUGIN_LINE_MAX)
		memcpy(text + CMI_PLUGIN_LINE_MAX - 4, "...", 4);
}

/* The first line is of the worst: true, this is it. */
static bool take_first(struct cmi_plugin *p, enum cmi_plugin_state state,
	const char *target, const char *says)
{
	if (p->says[0] && rank(state) >= rank(p->state))
		return false;
	p->state = state;
	mark_cut(p->says,
		snprintf(p->says, sizeof(p->says), "%.80s: %s", target, says));
	no_bars(p->says);
	return true;
}

static void take_line(struct cmi_plugin *p, enum cmi_plugin_state state,
	const char *target, const char *address, const char *says)
{
	bool elsewhere = address && strcmp(address, target) != 0;
	char line[CMI_PLUGIN_LINE_MAX];
	int n;

	if (!p->many || state == CMI_PLUGIN_OK ||
		p->n_lines[state] == CMI_PLUGIN_LINES_MAX)
		return;
	p->n_lines[state]++;
	n = snprintf(line, sizeof(line), "%s %.80s%s%.50s%s: %s", words[state],
		target, elsewhere ? " (" : "", elsewhere ? address : "",
		elsewhere ? ")" : "", says);
	mark_cut(line, n);
	no_bars(line);
	n = (int)strlen(line);
	line[n] = '\n';
	cmi_buf_add(&p->lines[state], line, (size_t)n + 1);
}

/* What the plain client says does not count where only others were asked for;
 * the key and our own certificate do. */
static bool counts(const struct cmi_plugin *p, enum cmi_finding_id id)
{
	return id && (!p->profiles_only || id == CMI_F_KEY_MISMATCH ||
			     id == CMI_F_CLIENT_CERTIFICATE_REFUSED);
}

/* "java-8 and 2 more: the server sent ..."; false: nobody refuses. */
static bool tell_refusals(struct cmi_plugin *p,
	const struct cmi_item_endpoint *e, char out[CMI_PLUGIN_LINE_MAX])
{
	const struct cmi_item_profile *first = NULL;
	char more[40] = "";
	size_t n = 0;

	for (size_t i = 0; i < e->n_profiles; i++) {
		const struct cmi_item_profile *f = &e->profiles[i];

		p->n_clients++;
		if (f->accepts || f->unknown)
			continue;
		n++;
		if (!first)
			first = f;
	}
	p->n_refused += n;
	if (n > 1)
		snprintf(more, sizeof(more), " and %zu more", n - 1);
	if (first)
		snprintf(out, CMI_PLUGIN_LINE_MAX, "%.60s%s: %s",
			first->profile, more,
			first->says ? first->says : "refuses");
	return first != NULL;
}

static const char *first_warning(const struct cmi_item_endpoint *e)
{
	for (size_t i = 0; i < e->n_findings; i++)
		if (e->findings[i].severity == CMI_SEVERITY_WARNING)
			return e->findings[i].says;
	return NULL;
}

/* refusals: room for what *says may point to. */
static enum cmi_plugin_state state_of(struct cmi_plugin *p,
	const struct cmi_item_endpoint *e, const char **says,
	char refusals[CMI_PLUGIN_LINE_MAX])
{
	const char *warning = first_warning(e);

	if (tell_refusals(p, e, refusals)) {
		*says = refusals;
		return CMI_PLUGIN_CRITICAL;
	}
	if (e->n_sent ? counts(p, e->verdict) : e->verdict != CMI_F_NONE) {
		*says = e->n_findings ? e->findings[0].says
				      : cmi_finding_name(e->verdict);
		return CMI_PLUGIN_CRITICAL;
	}
	*says = e->trouble && !e->n_sent ? e->trouble
		: warning                ? warning
					 : "the chain is accepted";
	return e->trouble && !e->n_sent ? CMI_PLUGIN_UNKNOWN
	       : warning                ? CMI_PLUGIN_WARNING
					: CMI_PLUGIN_OK;
}

void cmi_plugin_take(struct cmi_plugin *p, const struct cmi_item_endpoint *e)
{
	char refusals[CMI_PLUGIN_LINE_MAX];
	const char *says = NULL;
	enum cmi_plugin_state state = state_of(p, e, &says, refusals);

	p->n[state]++;
	says = says ? says : "";
	(void)take_first(p, state, e->target, says);
	take_line(p, state, e->target, e->address, says);
	if (e->until_s && (!p->until_s || e->until_s < p->until_s))
		p->until_s = e->until_s;
}

void cmi_plugin_trouble(struct cmi_plugin *p, const char *says)
{
	if (!take_first(p, CMI_PLUGIN_UNKNOWN, "check", says))
		take_line(p, CMI_PLUGIN_UNKNOWN, "check", NULL, says);
}

static size_t count_targets(const struct cmi_plugin *p)
{
	size_t n = 0;

	for (size_t i = 0; i < CMI_LEN(p->n); i++)
		n += p->n[i];
	return n;
}

/* "40 targets: 2 critical, 1 unknown; ". */
static void tell_counts(const struct cmi_plugin *p, FILE *out)
{
	static const char *const names[] = {[CMI_PLUGIN_WARNING] = "warning",
		[CMI_PLUGIN_CRITICAL] = "critical",
		[CMI_PLUGIN_UNKNOWN] = "unknown"};
	size_t n = count_targets(p);
	const char *between = ": ";

	fprintf(out, "%zu target%s", n, n == 1 ? "" : "s");
	for (size_t i = 0; i + 1 < CMI_LEN(worst_first); i++) {
		if (!p->n[worst_first[i]])
			continue;
		fprintf(out, "%s%zu %s", between, p->n[worst_first[i]],
			names[worst_first[i]]);
		between = ", ";
	}
	fputs("; ", out);
}

static void tell_data(
	const struct cmi_plugin *p, FILE *out, int64_t at_s, unsigned warn_days)
{
	const char *before = "|";

	if (p->until_s) {
		fprintf(out, "%sdays=%lld;%u;0;;", before,
			(long long)((p->until_s - at_s) / 86400), warn_days);
		before = " ";
	}
	if (p->n_clients) {
		fprintf(out, "%srefused=%zu;;0;0;%zu", before, p->n_refused,
			p->n_clients);
		before = " ";
	}
	if (p->many)
		fprintf(out,
			"%stargets=%zu;;;0; critical=%zu;;0;0; "
			"warning=%zu;0;;0; unknown=%zu;;;0;",
			before, count_targets(p), p->n[CMI_PLUGIN_CRITICAL],
			p->n[CMI_PLUGIN_WARNING], p->n[CMI_PLUGIN_UNKNOWN]);
}

/* The first lines of b, at most so many. */
static size_t tell_lines(const struct cmi_buf *b, size_t room, FILE *out)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < b->n && n < room; i++)
		if (b->p[i] == '\n') {
			at = i + 1;
			n++;
		}
	fwrite(b->p, 1, at, out);
	return n;
}

int cmi_plugin_tell(
	struct cmi_plugin *p, FILE *out, int64_t at_s, unsigned warn_days)
{
	size_t told = 0, bad = count_targets(p) - p->n[CMI_PLUGIN_OK];

	if (!p->says[0])
		cmi_plugin_trouble(p, "nothing was looked at");
	fprintf(out, "CHAIN %s - ", words[p->state]);
	if (p->many)
		tell_counts(p, out);
	fputs(p->says, out);
	tell_data(p, out, at_s, warn_days);
	fputc('\n', out);
	for (size_t i = 0; i < CMI_LEN(worst_first); i++)
		told += tell_lines(&p->lines[worst_first[i]],
			CMI_PLUGIN_LINES_MAX - told, out);
	if (p->many && bad > told)
		fprintf(out, "and %zu more\n", bad - told);
	return (int)p->state;
}
