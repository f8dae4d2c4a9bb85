/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_many.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/check_group.h"
#include "cli/check_held.h"
#include "cli/check_lines.h"
#include "cli/check_progress.h"
#include "cli/check_resume.h"
#include "cli/check_verdicts.h"
#include "cli/check_wait.h"
#include "cli/target_line.h"

/* Bytes of results gathered before they are written. */
#define FLUSH_AT ((size_t)64 << 10)

struct many {
	const struct cmi_check_many *how;
	const char *starttls; /* where a line names none; static, or NULL */
	FILE *in, *out;
	struct cmi_lines lines;
	uint64_t number;
	struct cmi_resume resume;
	struct cmi_wait_list waiting;
	struct cmi_host_gate gate;
	struct cmi_groups groups;
	struct cmi_held_list ways;
	bool whole_group;        /* a name's addresses are written as one */
	uint64_t started, ended; /* connections, new tries among them */
	struct cmi_verdicts verdicts;
	struct cmi_buf text;
	struct cmi_progress progress;
	bool any; /* line that is no comment */
	struct cmi_check_many_end end;
};

static volatile int stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void note_exit(struct many *m, int status)
{
	if (status > m->end.worst)
		m->end.worst = status;
}

static cmend_status flush(struct many *m, bool now, cmend_error *err)
{
	if (!now && (m->text.n < FLUSH_AT || m->whole_group))
		return CMEND_OK;
	CMI_TRY(cmi_buf_status(&m->text, err));
	if (fwrite(m->text.p, 1, m->text.n, m->out) != m->text.n ||
		fflush(m->out) != 0)
		return cmi_fail(err, CMEND_IO, "cannot write the results: %s",
			strerror(errno));
	cmi_buf_clear(&m->text);
	return CMEND_OK;
}

/* To all but the output. */
static cmend_status pass_on(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct many *m = ctx;
	const struct cmi_item_sink *also = m->how->also;

	if (m->how->page)
		CMI_TRY(cmi_page_take(m->how->page, item, err));
	return also ? also->take(also->ctx, item, err) : CMEND_OK;
}

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct many *m = ctx;
	struct cmi_report_style style = {
		.color = m->how->cli->use_color,
		.verbose = m->how->cli->common.verbose,
		.quiet = !m->how->cli->common.verbose,
		.ways = m->how->all_ways && !m->how->cli->common.quiet,
	};

	if (m->verdicts.fresh && item->endpoint->path &&
		item->endpoint->path_has_anchor)
		cmi_setup_keep(m->how->setup, item->endpoint->path);
	CMI_TRY(pass_on(m, item, err));
	if (m->how->resume || (m->how->cli->common.json && !m->how->silent))
		cmi_report_json(&m->text, item);
	else if (!m->how->silent)
		cmi_report_text(&m->text, item, &style);
	return flush(m, false, err);
}

/* ---------------------------------------------------------------- targets */

/* A line without comment and white space; false at the end. */
static bool next_line(struct many *m, struct cmi_bytes *line)
{
	while (cmi_lines_next(&m->lines, m->in, line)) {
		*line = cmi_target_line_text(*line);
		m->number++;
		m->any |= line->n > 0;
		if (line->n)
			return true;
	}
	return false;
}

static bool read_target(struct many *m, struct cmi_waiting *out)
{
	struct cmi_target_line t;
	struct cmi_bytes line;
	cmend_error why;

	while (next_line(m, &line)) {
		if (cmi_target_line_parse(line, (uint16_t)m->how->port,
			    m->starttls, &t, &why) != CMEND_OK) {
			fprintf(m->how->cli->err, "chainmend: line %llu: %s\n",
				(unsigned long long)m->number, why.message);
			note_exit(m, CMI_EXIT_CANNOT);
			m->end.wrong++;
			continue;
		}
		*out = (struct cmi_waiting){
			.t.target = t.target, .t.starttls = t.starttls};
		memcpy(out->t.sni, t.sni, sizeof(t.sni));
		if (!cmi_resume_was_asked(&m->resume, &out->t))
			return true;
	}
	return false;
}

/* Nothing can be begun now; is there anything left that might later? */
static enum cmi_crowd_next none_now(const struct many *m)
{
	return m->waiting.n || m->started > m->ended ? CMI_CROWD_LATER
						     : CMI_CROWD_END;
}

static enum cmi_crowd_next next_target(void *ctx, struct cmi_crowd_target *t)
{
	struct many *m = ctx;
	int64_t now = cmi_mono_ms(NULL);
	struct cmi_waiting w;

	for (;;) {
		if (!cmi_wait_take(&m->waiting, now, &w)) {
			if (m->waiting.n >= CMI_CHECK_WAITING_MAX ||
				m->ways.n >= CMI_CHECK_HELD_MAX)
				return CMI_CROWD_LATER;
			if (!read_target(m, &w))
				return none_now(m);
			if (!cmi_resume_note(&m->resume, &w.t))
				return CMI_CROWD_END;
		}
		if (cmi_host_gate_pass(
			    &m->gate, w.t.target.host, now, &w.due_ms))
			break;
		if (cmi_wait_add(&m->waiting, &w, NULL) != CMEND_OK)
			return CMI_CROWD_END;
	}
	m->started++;
	*t = w.t;
	if (t->ways)
		cmi_held_start(t, now);
	return CMI_CROWD_TARGET;
}

/* Each but the first, whose turn it is, waits for the host's next turn; where
 * there is no memory for that it goes now. */
static size_t wait_for_turns(
	struct many *m, struct cmi_crowd_target *list, size_t n)
{
	size_t now = 1;

	for (size_t i = 1; i < n; i++) {
		const struct cmi_waiting w = {.t = list[i]};

		if (cmi_wait_add(&m->waiting, &w, NULL) != CMEND_OK)
			list[now++] = list[i];
	}
	return now;
}

/* The addresses of one name, in its place: those that were not asked yet. */
static size_t choose_addresses(
	void *ctx, struct cmi_crowd_target *list, size_t n)
{
	struct many *m = ctx;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (cmi_resume_was_asked(&m->resume, &list[i]) ||
			!cmi_resume_note(&m->resume, &list[i]))
			continue;
		if (kept != i)
			list[kept] = list[i];
		kept++;
	}
	m->ended++;
	/* Without memory for that they are told each for itself. */
	if (kept > 1)
		(void)!cmi_groups_add(&m->groups, list, kept, NULL);
	if (m->progress.total && kept)
		m->progress.total += kept - 1;
	if (kept && m->how->per_second_and_host)
		kept = wait_for_turns(m, list, kept);
	m->started += kept;
	return kept;
}

/* Not reached, and may be tried again: true where it now waits for that.  The
 * tag counts the tries that failed. */
static bool try_later(
	struct many *m, const struct cmi_crowd_target *t, cmend_status status)
{
	struct cmi_waiting w = {.t = *t};

	if ((status != CMEND_NET && status != CMEND_TIMEOUT) ||
		t->tag >= m->how->retries)
		return false;
	w.due_ms = cmi_mono_ms(NULL) +
		   ((int64_t)CMI_CHECK_RETRY_MS << (t->tag < 8 ? t->tag : 8));
	w.t.tag++;
	return cmi_wait_add(&m->waiting, &w, NULL) == CMEND_OK;
}

/* ----------------------------------------------------------------- results */

static cmend_status tell_none(struct many *m, const char *name,
	const struct cmi_crowd_target *t, const struct cmi_dialed *d,
	const char *trouble, cmend_error *err)
{
	const struct cmi_item_sink sink = {take_item, m};
	char address[CMI_ENDPOINT_TEXT];

	note_exit(m, trouble ? CMI_EXIT_CANNOT : CMI_EXIT_FAILS);
	return cmi_examine_none(name, cmi_crowd_address(t, d, address), trouble,
		trouble ? NULL : d, m->how->setup->at_s, &sink, err);
}

static void note_seen(struct many *m, const struct cmi_examined *seen)
{
	if (seen->refused || (seen->warned && m->how->cli->common.strict))
		note_exit(m, CMI_EXIT_FAILS);
}

static cmend_status tell_chain(struct many *m, const char *name,
	const struct cmi_answered *a, cmend_error *err)
{
	struct cmi_known_chain *chain = NULL;
	struct cmi_examined seen = {0};

	if (a->t->group) {
		CMI_TRY(cmi_verdicts_judge(&m->verdicts, a, &chain, err));
		cmi_group_hold(a->t, a->d, chain);
		cmi_known_chain_unref(chain);
		return CMEND_OK;
	}
	CMI_TRY(cmi_verdicts_tell(&m->verdicts, name, a, &seen, err));
	note_seen(m, &seen);
	return CMEND_OK;
}

/* All addresses of a name, in one piece of output: a run that was broken off
 * has all of them or none. */
static cmend_status tell_group(
	struct many *m, struct cmi_group *group, cmend_error *err)
{
	struct cmi_examined seen = {0};

	m->whole_group = true;
	CMI_TRY(cmi_group_tell(&m->groups, group, &m->verdicts, &seen, err));
	m->whole_group = false;
	note_seen(m, &seen);
	return flush(m, false, err);
}

/* trouble: it could not be looked at; or NULL. */
static cmend_status tell(struct many *m, const struct cmi_answered *a,
	const char *trouble, cmend_error *err)
{
	const struct cmi_crowd_target *t = a->t;
	char name[CMI_TARGET_NAME];

	m->progress.done++;
	cmi_progress_show(&m->progress, false);
	cmi_target_name(&t->target, t->sni, name);
	if (trouble || !a->d->tls.n_certs)
		CMI_TRY(tell_none(m, name, t, a->d, trouble, err));
	else
		CMI_TRY(tell_chain(m, name, a, err));
	if (t->group && cmi_group_back(t))
		return tell_group(m, t->group, err);
	return CMEND_OK;
}

static cmend_status tell_ways(
	struct many *m, struct cmi_held *w, cmend_error *err)
{
	const struct cmi_answered a = {&w->t, &w->first, &w->found};
	cmend_status status = tell(m, &a, NULL, err);

	cmi_held_forget(&m->ways, w);
	return status;
}

/* What came of one more way never counts as trouble: the chain is there. */
static cmend_status way_done(struct many *m, const struct cmi_crowd_target *t,
	cmend_status status, const struct cmi_dialed *d, cmend_error *err)
{
	struct cmi_held *w = t->ways;

	cmi_held_stop(t, cmi_mono_ms(NULL));
	if (status == CMEND_NOMEM)
		return cmi_nomem(err);
	if (cmi_held_unheard(status, d) && try_later(m, t, status))
		return CMEND_OK;
	CMI_TRY(cmi_held_take(t, status, d, err));
	return w->left ? CMEND_OK : tell_ways(m, w, err);
}

/* It sent a chain.  *held: it will be told when the other ways are back. */
static cmend_status hold_for_ways(struct many *m,
	const struct cmi_crowd_target *t, const struct cmi_dialed *d,
	bool *held, cmend_error *err)
{
	int64_t timeout_ms = (int64_t)m->how->timeout_s * 1000;
	const struct cmi_held_options how = {
		.old = m->how->old_ways,
		.timeout_ms = timeout_ms ? timeout_ms : CMI_DIAL_MS,
	};

	return cmi_held_add(&m->ways, t, d, &how, &m->waiting, held, err);
}

static cmend_status one_done(void *ctx, const struct cmi_crowd_target *t,
	cmend_status status, const struct cmi_dialed *d, const cmend_error *why,
	cmend_error *err)
{
	struct cmi_variants *none = NULL;
	const struct cmi_answered a = {t, d, &none};
	struct many *m = ctx;
	bool held = false;

	m->ended++;
	if (t->ways)
		return way_done(m, t, status, d, err);
	if (status != CMEND_OK && try_later(m, t, status))
		return CMEND_OK;
	if (m->how->all_ways && status == CMEND_OK && d->tls.n_certs)
		CMI_TRY(hold_for_ways(m, t, d, &held, err));
	return held ? CMEND_OK
		    : tell(m, &a, status == CMEND_OK ? NULL : why->message,
			      err);
}

/* Broken off: targets of which not all ways, and names of which not all
 * addresses are back.  With --resume they are asked anew, and whole; else what
 * came is told. */
static cmend_status tell_rest(struct many *m, cmend_error *err)
{
	while (!m->how->resume && m->ways.first)
		CMI_TRY(tell_ways(m, m->ways.first, err));
	while (!m->how->resume && m->groups.first)
		CMI_TRY(tell_group(m, m->groups.first, err));
	return CMEND_OK;
}

/* What came is not held back while the rest is slow. */
static cmend_status on_tick(void *ctx, cmend_error *err)
{
	struct many *m = ctx;

	cmi_progress_show(&m->progress, false);
	return m->text.n ? flush(m, true, err) : CMEND_OK;
}

static bool is_directory(FILE *f)
{
	struct stat st;

	return fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode);
}

/* A list that could not be read, or has nothing in it, is not all well; with
 * results of an earlier run there may be nothing left. */
static cmend_status look_back(const struct many *m, cmend_error *err)
{
	const char *name = m->in == stdin ? "standard input" : m->how->file;

	if (ferror(m->in))
		return cmi_fail(err, CMEND_IO, "cannot read \"%s\"%s", name,
			is_directory(m->in) ? ": it is a directory" : "");
	if (!m->any && !m->how->resume && !stopped)
		return cmi_fail(
			err, CMEND_PARSE, "there is no target in \"%s\"", name);
	return CMEND_OK;
}

static cmend_status open_files(struct many *m, cmend_error *err)
{
	const struct cmi_item_sink earlier = {pass_on, m};
	const struct cmi_check_many *how = m->how;

	m->out = how->cli->out;
	m->in = strcmp(how->file, "-") == 0 ? stdin : fopen(how->file, "re");
	if (!m->in)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s",
			how->file, strerror(errno));
	CMI_TRY(cmi_resume_open(&m->resume, how,
		how->page || how->also ? &earlier : NULL, err));
	note_exit(m, m->resume.worst);
	if (m->resume.file)
		m->out = m->resume.file;
	return CMEND_OK;
}

/* How many there are, where that can be seen beforehand. */
static void count_targets(struct many *m)
{
	struct cmi_bytes line;

	if (!m->progress.out || m->in == stdin)
		return;
	while (next_line(m, &line))
		m->progress.total++;
	m->progress.total -= m->resume.asked.n < m->progress.total
				     ? m->resume.asked.n
				     : m->progress.total;
	rewind(m->in);
	cmi_lines_restart(&m->lines);
	m->number = 0;
}

static cmend_status run_crowd(struct many *m, cmend_error *err)
{
	const struct cmi_check_many *how = m->how;
	const struct cmi_crowd_options crowd = {
		.in_flight = (unsigned)how->in_flight,
		.per_second = (unsigned)how->per_second,
		.timeout_ms = (int64_t)how->timeout_s * 1000,
		.family = how->family,
		.handshake = how->handshake || how->all_ways,
		.ways = how->all_ways,
		.all_addresses = how->all_addresses,
		.sni = how->sni,
		.proxy = how->proxy,
		.cert_file = how->cert_file,
		.key_file = how->key_file,
		.next = next_target,
		.choose = choose_addresses,
		.done = one_done,
		.tick = on_tick,
		.ctx = m,
		.stop = &stopped,
	};
	struct sigaction stop = {.sa_handler = on_signal}, before[2];
	cmend_status status;

	sigaction(SIGINT, &stop, &before[0]);
	sigaction(SIGTERM, &stop, &before[1]);
	cmi_progress_begin(&m->progress);
	status = cmi_crowd_run(&crowd, err);
	if (status == CMEND_OK)
		status = tell_rest(m, err);
	if (status == CMEND_OK)
		status = flush(m, true, err);
	cmi_progress_show(&m->progress, true);
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGTERM, &before[1], NULL);
	return status;
}

static cmend_status take_protocol(struct many *m, cmend_error *err)
{
	const char *name = m->how->starttls;

	m->starttls = name ? cmi_starttls_protocol(name) : NULL;
	if (name && !m->starttls)
		return cmi_fail(err, CMEND_ARG,
			"--starttls does not know \"%s\"; it knows %s", name,
			cmi_starttls_names());
	return CMEND_OK;
}

static void close_all(struct many *m)
{
	if (m->in && m->in != stdin)
		fclose(m->in);
	cmi_resume_dispose(&m->resume);
	cmi_wait_dispose(&m->waiting);
	cmi_groups_dispose(&m->groups);
	cmi_held_dispose(&m->ways);
	cmi_host_gate_dispose(&m->gate);
	cmi_verdicts_dispose(&m->verdicts);
	cmi_buf_dispose(&m->text);
	cmi_lines_dispose(&m->lines);
}

cmend_status cmi_check_many(const struct cmi_check_many *how,
	struct cmi_check_many_end *end, cmend_error *err)
{
	struct many *m = cmi_alloc(sizeof(*m));
	cmend_status status;

	if (!m)
		return cmi_nomem(err);
	m->how = how;
	m->waiting.max = CMI_CHECK_WAITING_MAX + CMI_CHECK_ADDRESSES_MAX;
	if (isatty(fileno(how->cli->err)) && !how->cli->common.quiet &&
		strcmp(how->cli->common.progress, "never") != 0)
		m->progress.out = how->cli->err;
	cmi_verdicts_init(
		&m->verdicts, how, (struct cmi_item_sink){take_item, m});
	cmi_buf_init(&m->text, CMI_FILE_MAX);
	cmi_lines_init(&m->lines);
	status = take_protocol(m, err);
	if (status == CMEND_OK)
		status = cmi_host_gate_init(&m->gate,
			(unsigned)how->per_second_and_host, NULL, err);
	if (status == CMEND_OK)
		status = open_files(m, err);
	if (status == CMEND_OK) {
		count_targets(m);
		status = run_crowd(m, err);
	}
	if (status == CMEND_OK)
		status = look_back(m, err);
	m->end.stopped = stopped;
	if (status == CMEND_OK && stopped)
		m->end.worst = CMI_EXIT_CANNOT;
	*end = m->end;
	close_all(m);
	cmi_free(m);
	return status;
}
