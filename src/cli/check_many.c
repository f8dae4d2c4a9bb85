/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_many.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_wait.h"
#include "core/cursor.h"
#include "core/map.h"
#include "probe/crowd.h"
#include "report/report.h"

/* Distinct chains judged and kept; then all are let go and it starts anew. */
#define CHAINS_MAX ((size_t)500)
/* Milliseconds between two lines of progress. */
#define PROGRESS_MS 500
/* Bytes of results gathered before they are written. */
#define FLUSH_AT ((size_t)64 << 10)

struct known_chain {
	uint8_t chain[CMI_SHA256_LEN], key[CMI_SHA256_LEN];
	struct cmi_cert *leaf;
	struct cmi_examination *x;
	char host[CMI_NAME_MAX + 1];
};

struct many {
	const struct cmi_check_many *how;
	FILE *in, *out;
	struct cmi_buf lines; /* read ahead */
	size_t line_at;       /* how far of it is used */
	char word[1024];
	uint64_t number, done, total;
	struct cmi_asked asked; /* with --resume: each target once */
	struct cmi_wait_list waiting;
	struct cmi_host_gate gate;
	uint64_t started, ended; /* connections, new tries among them */
	struct cmi_map by_key, by_chain;
	struct known_chain *chains[CHAINS_MAX];
	size_t n_chains;
	struct cmi_buf text;
	int64_t began_ms, told_ms;
	bool progress;
	bool fresh; /* the item is of a chain that was not seen before */
	int worst;
};

static volatile int stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void note_exit(struct many *m, int status)
{
	if (status > m->worst)
		m->worst = status;
}

static cmend_status flush(struct many *m, bool now, cmend_error *err)
{
	if (!now && m->text.n < FLUSH_AT)
		return CMEND_OK;
	CMI_TRY(cmi_buf_status(&m->text, err));
	if (fwrite(m->text.p, 1, m->text.n, m->out) != m->text.n ||
		fflush(m->out) != 0)
		return cmi_fail(err, CMEND_IO, "cannot write the results: %s",
			strerror(errno));
	cmi_buf_clear(&m->text);
	return CMEND_OK;
}

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct many *m = ctx;
	struct cmi_report_style style = {
		.color = m->how->cli->use_color,
		.verbose = m->how->cli->common.verbose,
		.quiet = !m->how->cli->common.verbose,
	};

	if (m->fresh && item->endpoint->path && item->endpoint->path_has_anchor)
		cmi_setup_keep(m->how->setup, item->endpoint->path);
	if (m->how->cli->common.json || m->how->resume)
		cmi_report_json(&m->text, item);
	else
		cmi_report_text(&m->text, item, &style);
	return flush(m, false, err);
}

/* ---------------------------------------------------------------- targets */

/* One line with its line feed; the rest of the file where the last has none.
 * false at the end, or where a line is longer than any of ours. */
static bool read_line(struct many *m, FILE *f, struct cmi_bytes *line)
{
	for (;;) {
		struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&m->lines));
		size_t got = 0;
		uint8_t *room;

		(void)cmi_cursor_skip(&c, m->line_at);
		if (cmi_cursor_line(&c, line)) {
			line->n = c.at - m->line_at;
			m->line_at = c.at;
			return true;
		}
		cmi_buf_consume(&m->lines, m->line_at);
		m->line_at = 0;
		room = cmi_buf_reserve(&m->lines, 65536);
		if (room)
			got = fread(room, 1, 65536, f);
		if (!got) {
			*line = cmi_buf_view(&m->lines);
			m->line_at = line->n;
			return line->n > 0;
		}
		cmi_buf_used(&m->lines, got);
	}
}

static void start_over(struct many *m)
{
	cmi_buf_clear(&m->lines);
	m->line_at = 0;
}

/* A line without comment and white space; false at the end. */
static bool next_line(struct many *m, const char **word)
{
	struct cmi_bytes text;

	while (read_line(m, m->in, &text)) {
		text = cmi_text_trim(text);
		m->number++;
		if (!text.n || cmi_text_starts(text, "#"))
			continue;
		if (text.n >= sizeof(m->word))
			text.n = sizeof(m->word) - 1;
		memcpy(m->word, text.p, text.n);
		m->word[text.n] = 0;
		*word = m->word;
		return true;
	}
	return false;
}

/* The tag that comes back with a result: its line, and how often it was
 * tried. */
#define TAG_TRIES_SHIFT 56
static uint64_t tag_of(const struct cmi_waiting *w)
{
	return (uint64_t)w->tries << TAG_TRIES_SHIFT | w->line;
}

static bool read_target(struct many *m, struct cmi_waiting *out)
{
	uint16_t port = m->how->port ? (uint16_t)m->how->port : 443;
	cmend_error why;
	const char *word;

	while (next_line(m, &word)) {
		*out = (struct cmi_waiting){.line = m->number};
		if (cmi_target_parse(word, port, &out->target, &why) !=
			CMEND_OK) {
			fprintf(m->how->cli->err, "chainmend: line %llu: %s\n",
				(unsigned long long)m->number, why.message);
			note_exit(m, CMI_EXIT_CANNOT);
			continue;
		}
		if (m->how->resume && cmi_asked_has(&m->asked,
					      cmi_bytes_of(out->target.text)))
			continue;
		return true;
	}
	return false;
}

/* With --resume what was begun is begun once, also when it stands twice in the
 * file: so a run that was broken off and one that was not end alike. */
static bool note_asked(struct many *m, const struct cmi_waiting *w)
{
	return !m->how->resume ||
	       cmi_asked_add(&m->asked, cmi_bytes_of(w->target.text), NULL) ==
		       CMEND_OK;
}

/* Nothing can be begun now; is there anything left that might later? */
static enum cmi_crowd_next none_now(const struct many *m)
{
	return m->waiting.n || m->started > m->ended ? CMI_CROWD_LATER
						     : CMI_CROWD_END;
}

static enum cmi_crowd_next next_target(
	void *ctx, struct cmi_target *target, uint64_t *tag)
{
	struct many *m = ctx;
	int64_t now = cmi_mono_ms(NULL);
	struct cmi_waiting w;

	for (;;) {
		if (!cmi_wait_take(&m->waiting, now, &w)) {
			if (m->waiting.n == CMI_CHECK_WAITING_MAX)
				return CMI_CROWD_LATER;
			if (!read_target(m, &w))
				return none_now(m);
			if (!note_asked(m, &w))
				return CMI_CROWD_END;
		}
		if (cmi_host_gate_pass(&m->gate, w.target.host, now, &w.due_ms))
			break;
		if (cmi_wait_add(&m->waiting, &w, NULL) != CMEND_OK)
			return CMI_CROWD_END;
	}
	m->started++;
	*target = w.target;
	*tag = tag_of(&w);
	return CMI_CROWD_TARGET;
}

/* Not reached, and may be tried again: true where it now waits for that. */
static bool try_later(struct many *m, uint64_t tag,
	const struct cmi_target *target, cmend_status status)
{
	struct cmi_waiting w = {
		.target = *target,
		.line = tag & (((uint64_t)1 << TAG_TRIES_SHIFT) - 1),
		.tries = (unsigned)(tag >> TAG_TRIES_SHIFT),
	};

	if ((status != CMEND_NET && status != CMEND_TIMEOUT) ||
		w.tries >= m->how->retries)
		return false;
	w.due_ms = cmi_mono_ms(NULL) +
		   ((int64_t)CMI_CHECK_RETRY_MS << (w.tries < 8 ? w.tries : 8));
	w.tries++;
	return cmi_wait_add(&m->waiting, &w, NULL) == CMEND_OK;
}

/* ----------------------------------------------------------------- verdicts */

static void free_chain(struct known_chain *k)
{
	cmi_examination_free(k->x);
	cmi_cert_unref(k->leaf);
	cmi_free(k);
}

static void forget_chains(struct many *m)
{
	cmi_map_dispose(&m->by_key);
	cmi_map_dispose(&m->by_chain);
	cmi_map_init(&m->by_key);
	cmi_map_init(&m->by_chain);
	while (m->n_chains)
		free_chain(m->chains[--m->n_chains]);
}

/* What makes two chains the same. */
static void chain_key(const struct cmi_dialed *d, uint8_t key[CMI_SHA256_LEN])
{
	uint8_t digest[CMI_SHA256_LEN];
	struct cmi_buf all;

	cmi_buf_init(&all, 4096);
	for (size_t i = 0; i < d->tls.n_certs; i++) {
		cmi_sha256(d->tls.certs[i].der, digest);
		cmi_buf_add(&all, digest, sizeof(digest));
	}
	cmi_buf_be(&all, 2, d->tls.version);
	cmi_buf_be(&all, 2, d->tls.cipher);
	cmi_sha256(cmi_buf_view(&all), key);
	cmi_buf_dispose(&all);
}

/* And two judgements: where the certificate is for the host, which host does
 * not matter; where it is not, the finding names it. */
static void verdict_key(const uint8_t chain[CMI_SHA256_LEN],
	const struct cmi_cert *leaf, const char *host,
	uint8_t key[CMI_SHA256_LEN])
{
	bool fits = leaf && cmi_cert_matches_host(leaf, host, false);
	struct cmi_buf all;

	cmi_buf_init(&all, 4096);
	cmi_buf_add(&all, chain, CMI_SHA256_LEN);
	cmi_buf_text(&all, fits ? "/" : host);
	cmi_sha256(cmi_buf_view(&all), key);
	cmi_buf_dispose(&all);
}

static cmend_status judge_chain(struct many *m, const struct cmi_dialed *d,
	struct known_chain *k, struct cmi_sent *sent, cmend_error *err)
{
	const struct cmi_check_many *how = m->how;
	const struct cmi_common *common = &how->cli->common;
	const struct cmi_endpoint *at = &d->conversation.server;
	char ip[INET6_ADDRSTRLEN] = "";
	struct cmi_examine_request q = {
		.target = "",
		.host = k->host,
		.version = d->tls.version,
		.cipher = d->tls.cipher,
		.sent = sent->certs,
		.n_sent = sent->n,
		.trust = how->setup->trust,
		.profiles =
			(const struct cmi_profile *const *)how->profiles->list,
		.n_profiles = how->profiles->n,
		.profiles_only = common->profiles.n && !common->roots.n,
		.any_trust = how->profiles->any_trust,
		.known = how->setup->sources,
		.at_s = how->setup->at_s,
		.env = &how->setup->env,
	};

	/* A fetch holds up all others: only where it is asked for.  A chain
	 * has its own budget; what one fetched is kept for all. */
	if (common->online) {
		if (at->family)
			inet_ntop(at->family == 4 ? AF_INET : AF_INET6,
				at->addr, ip, sizeof(ip));
		CMI_TRY(cmi_setup_fetch_for(
			how->cli, how->setup, ip[0] ? ip : NULL, err));
	}
	q.n_known = how->setup->n_sources;
	return cmi_examination_new(&q, &k->x, err);
}

static bool any_malformed(const struct cmi_sent *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->certs[i].cert)
			return true;
	return false;
}

static cmend_status tell(struct many *m, struct known_chain *k,
	const struct cmi_target *t, const struct cmi_dialed *d,
	cmend_error *err)
{
	const struct cmi_item_sink sink = {take_item, m};
	char address[CMI_ENDPOINT_TEXT];
	struct cmi_examined seen = {0};

	CMI_TRY(cmi_examination_tell(k->x, t->text,
		cmi_endpoint_text(address, &d->conversation.server), &sink,
		&seen, err));
	if (seen.refused || (seen.warned && m->how->cli->common.strict))
		note_exit(m, CMI_EXIT_FAILS);
	return CMEND_OK;
}

static cmend_status keep_chain(
	struct many *m, struct known_chain *k, cmend_error *err)
{
	struct cmi_bytes chain = {k->chain, CMI_SHA256_LEN};

	if (m->n_chains == CHAINS_MAX)
		forget_chains(m);
	CMI_TRY(cmi_map_put(&m->by_key,
		(struct cmi_bytes){k->key, CMI_SHA256_LEN}, k, err));
	m->chains[m->n_chains++] = k;
	if (!cmi_map_get(&m->by_chain, chain))
		return cmi_map_put(&m->by_chain, chain, k, err);
	return CMEND_OK;
}

static cmend_status new_chain(struct many *m, struct known_chain *k,
	const struct cmi_target *t, const struct cmi_dialed *d,
	cmend_error *err)
{
	struct cmi_sent sent;
	bool keep = false;
	cmend_status status;

	CMI_TRY(cmi_sent_take(d, &sent, err));
	k->leaf = cmi_cert_ref(sent.owned[0]);
	verdict_key(k->chain, k->leaf, k->host, k->key);
	status = judge_chain(m, d, k, &sent, err);
	m->fresh = true;
	if (status == CMEND_OK)
		status = tell(m, k, t, d, err);
	m->fresh = false;
	if (status == CMEND_OK && !any_malformed(&sent)) {
		keep = true;
		status = keep_chain(m, k, err);
	}
	cmi_sent_dispose(&sent);
	if (!keep)
		free_chain(k);
	return status;
}

static cmend_status judge(struct many *m, const struct cmi_target *t,
	const struct cmi_dialed *d, cmend_error *err)
{
	const char *host = d->server_name[0] ? d->server_name : t->host;
	struct known_chain *k;
	uint8_t chain[CMI_SHA256_LEN], key[CMI_SHA256_LEN];

	chain_key(d, chain);
	k = cmi_map_get(&m->by_chain, (struct cmi_bytes){chain, sizeof(chain)});
	if (k) {
		verdict_key(chain, k->leaf, host, key);
		k = cmi_map_get(
			&m->by_key, (struct cmi_bytes){key, sizeof(key)});
	}
	if (k)
		return tell(m, k, t, d, err);
	k = cmi_alloc(sizeof(*k));
	if (!k)
		return cmi_nomem(err);
	memcpy(k->chain, chain, sizeof(chain));
	snprintf(k->host, sizeof(k->host), "%s", host);
	return new_chain(m, k, t, d, err);
}

static void show_progress(struct many *m, bool last)
{
	int64_t now = cmi_mono_ms(NULL), took = now - m->began_ms;
	double rate = took > 0 ? (double)m->done * 1000.0 / (double)took : 0;

	if (!m->progress || took < 1000 ||
		(!last && now - m->told_ms < PROGRESS_MS))
		return;
	m->told_ms = now;
	fprintf(m->how->cli->err, "\r%llu", (unsigned long long)m->done);
	if (m->total)
		fprintf(m->how->cli->err, " of %llu",
			(unsigned long long)m->total);
	fprintf(m->how->cli->err, ", %.0f a second", rate);
	if (m->total > m->done && rate > 0)
		fprintf(m->how->cli->err, ", %.0f s left   ",
			(double)(m->total - m->done) / rate);
	if (last)
		fputs("\n", m->how->cli->err);
	fflush(m->how->cli->err);
}

static cmend_status one_done(void *ctx, uint64_t tag,
	const struct cmi_target *t, cmend_status status,
	const struct cmi_dialed *d, const cmend_error *why, cmend_error *err)
{
	const struct cmi_item_sink sink = {take_item, ctx};
	struct many *m = ctx;

	m->ended++;
	if (status != CMEND_OK && try_later(m, tag, t, status))
		return CMEND_OK;
	m->done++;
	show_progress(m, false);
	if (status != CMEND_OK) {
		note_exit(m, CMI_EXIT_CANNOT);
		return cmi_examine_none(t->text, why->message, NULL,
			m->how->setup->at_s, &sink, err);
	}
	if (d->tls.n_certs)
		return judge(m, t, d, err);
	note_exit(m, CMI_EXIT_FAILS);
	return cmi_examine_none(
		t->text, NULL, d, m->how->setup->at_s, &sink, err);
}

/* What came is not held back while the rest is slow. */
static cmend_status on_tick(void *ctx, cmend_error *err)
{
	struct many *m = ctx;

	show_progress(m, false);
	return m->text.n ? flush(m, true, err) : CMEND_OK;
}

/* ----------------------------------------------------------------- going on */

/* The target of a line of results, which we wrote ourselves. */
static bool line_target(struct cmi_bytes line, struct cmi_bytes *target)
{
	static const char before[] = "\"kind\":\"endpoint\",\"target\":\"";
	const uint8_t *at = memmem(line.p, line.n, before, sizeof(before) - 1);
	struct cmi_cursor c = cmi_cursor_of(line);

	return at &&
	       cmi_cursor_skip(
		       &c, (size_t)(at - line.p) + sizeof(before) - 1) &&
	       cmi_cursor_until(&c, '"', target) && target->n;
}

/* What is there counts as done, up to its last whole line. */
static cmend_status read_results(struct many *m, FILE *f, cmend_error *err)
{
	off_t whole = 0;
	struct cmi_bytes target, line;

	start_over(m);
	while (read_line(m, f, &line) && line.p[line.n - 1] == '\n') {
		whole += (off_t)line.n;
		if (line_target(line, &target))
			CMI_TRY(cmi_asked_add(&m->asked, target, err));
	}
	start_over(m);
	if (ftruncate(fileno(f), whole) != 0 || fseeko(f, whole, SEEK_SET) != 0)
		return cmi_fail(err, CMEND_IO, "cannot go on in \"%s\": %s",
			m->how->resume, strerror(errno));
	return CMEND_OK;
}

static cmend_status open_files(struct many *m, cmend_error *err)
{
	const struct cmi_check_many *how = m->how;

	m->out = how->cli->out;
	m->in = strcmp(how->file, "-") == 0 ? stdin : fopen(how->file, "re");
	if (!m->in)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s",
			how->file, strerror(errno));
	if (!how->resume)
		return CMEND_OK;
	m->out = fopen(how->resume, "r+e");
	if (!m->out && errno == ENOENT)
		m->out = fopen(how->resume, "w+e");
	if (!m->out)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s",
			how->resume, strerror(errno));
	return read_results(m, m->out, err);
}

/* How many there are, where that can be seen beforehand. */
static void count_targets(struct many *m)
{
	const char *word;

	if (!m->progress || m->in == stdin)
		return;
	while (next_line(m, &word))
		m->total++;
	m->total -= m->asked.n < m->total ? m->asked.n : m->total;
	rewind(m->in);
	start_over(m);
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
		.handshake = how->handshake,
		.sni = how->sni,
		.next = next_target,
		.done = one_done,
		.tick = on_tick,
		.ctx = m,
		.stop = &stopped,
	};
	struct sigaction stop = {.sa_handler = on_signal}, before[2];
	cmend_status status;

	sigaction(SIGINT, &stop, &before[0]);
	sigaction(SIGTERM, &stop, &before[1]);
	m->began_ms = cmi_mono_ms(NULL);
	status = cmi_crowd_run(&crowd, err);
	if (status == CMEND_OK)
		status = flush(m, true, err);
	show_progress(m, true);
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGTERM, &before[1], NULL);
	return status;
}

static void close_all(struct many *m)
{
	if (m->in && m->in != stdin)
		fclose(m->in);
	if (m->how->resume && m->out && m->out != m->how->cli->out)
		fclose(m->out);
	cmi_asked_dispose(&m->asked);
	cmi_wait_dispose(&m->waiting);
	cmi_host_gate_dispose(&m->gate);
	forget_chains(m);
	cmi_map_dispose(&m->by_key);
	cmi_map_dispose(&m->by_chain);
	cmi_buf_dispose(&m->text);
	cmi_buf_dispose(&m->lines);
}

cmend_status cmi_check_many(
	const struct cmi_check_many *how, int *worst, cmend_error *err)
{
	struct many *m = cmi_alloc(sizeof(*m));
	cmend_status status;

	if (!m)
		return cmi_nomem(err);
	m->how = how;
	m->progress = isatty(fileno(how->cli->err)) &&
		      !how->cli->common.quiet &&
		      strcmp(how->cli->common.progress, "never") != 0;
	cmi_map_init(&m->by_key);
	cmi_map_init(&m->by_chain);
	cmi_buf_init(&m->text, CMI_FILE_MAX);
	cmi_buf_init(&m->lines, CMI_FILE_MAX);
	status = cmi_asked_init(&m->asked, NULL, err);
	if (status == CMEND_OK)
		status = cmi_host_gate_init(&m->gate,
			(unsigned)how->per_second_and_host, NULL, err);
	if (status == CMEND_OK)
		status = open_files(m, err);
	if (status == CMEND_OK) {
		count_targets(m);
		status = run_crowd(m, err);
	}
	*worst = m->worst;
	if (status == CMEND_OK && stopped)
		*worst = CMI_EXIT_CANNOT;
	close_all(m);
	cmi_free(m);
	return status;
}
