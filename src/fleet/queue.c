/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/queue.h"

#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "core/text.h"

#define NAME_MAX_LEN 64

struct cmi_queue {
	struct cmi_link *link;
	char jobs[NAME_MAX_LEN + 32];
	char results[NAME_MAX_LEN + 32];
	char dead[NAME_MAX_LEN + 32];
	char group[NAME_MAX_LEN + 1];
	char consumer[NAME_MAX_LEN + 1];
	char script[64]; /* digest of the finishing script */
	uint64_t max_jobs, max_results;
	size_t submitted; /* pipelined, replies not read */
	size_t finished;
};

/*
 * KEYS: jobs, results, dead.  ARGV: group, id, state, kind, subject, tries,
 * worker, result.  One atomic step: acknowledge, remove, tell.  Who comes
 * second acknowledges nothing and tells nothing.
 */
static const char finish_script[] =
	"if redis.call('XACK',KEYS[1],ARGV[1],ARGV[2])==0 then return 0 end\n"
	"redis.call('XDEL',KEYS[1],ARGV[2])\n"
	"redis.call('XADD',KEYS[2],'*','job',ARGV[2],'state',ARGV[3],"
	"'kind',ARGV[4],'subject',ARGV[5],'tries',ARGV[6],'worker',ARGV[7],"
	"'result',ARGV[8])\n"
	"if ARGV[3]=='dead' then\n"
	" redis.call('XADD',KEYS[3],'MAXLEN','~',10000,'*','job',ARGV[2],"
	"'kind',ARGV[4],'subject',ARGV[5],'why',ARGV[8])\n"
	"end\n"
	"return 1\n";

void cmi_queue_close(struct cmi_queue *q)
{
	if (!q)
		return;
	cmi_link_close(q->link);
	cmi_free(q);
}

void cmi_job_list_dispose(struct cmi_job_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		cmi_free(l->jobs[i].kind);
		cmi_free(l->jobs[i].subject);
		cmi_free(l->jobs[i].args);
	}
	cmi_free(l->jobs);
	*l = (struct cmi_job_list){0};
}

static bool good_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static cmend_status keep_name(
	char *out, const char *name, const char *what, cmend_error *err)
{
	if (!good_name(name))
		return cmi_fail(err, CMEND_ARG,
			"%s \"%.80s\": write 1 to %d letters, digits, - _ or .",
			what, name, NAME_MAX_LEN);
	memcpy(out, name, strlen(name) + 1);
	return CMEND_OK;
}

static cmend_status prepare(struct cmi_queue *q, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	cmend_error local = {0};
	cmend_status status;

	status = CMI_ASK(q->link, NULL, &local, "XGROUP", "CREATE", q->jobs,
		q->group, "0", "MKSTREAM");
	if (status != CMEND_OK && !strstr(local.message, "BUSYGROUP")) {
		if (err)
			*err = local;
		return status;
	}
	CMI_TRY(CMI_ASK(q->link, &reply, err, "SCRIPT", "LOAD", finish_script));
	if (cmi_reply_text(reply).n >= sizeof(q->script))
		return cmi_fail(err, CMEND_PARSE, "redis: odd script digest");
	cmi_safe_cstr(q->script, sizeof(q->script), cmi_reply_text(reply));
	return CMEND_OK;
}

cmend_status cmi_queue_open(const struct cmi_queue_options *options,
	struct cmi_queue **out, cmend_error *err)
{
	CMI_AUTO(cmi_queue_closep) struct cmi_queue *q = cmi_alloc(sizeof(*q));
	char name[NAME_MAX_LEN + 1];

	if (!q)
		return cmi_nomem(err);
	CMI_TRY(keep_name(name, options->name ? options->name : "default",
		"queue name", err));
	CMI_TRY(keep_name(q->group, options->group ? options->group : "workers",
		"group", err));
	CMI_TRY(keep_name(q->consumer,
		options->consumer ? options->consumer : "nobody", "consumer",
		err));
	snprintf(q->jobs, sizeof(q->jobs), "chainmend:{%s}:jobs", name);
	snprintf(
		q->results, sizeof(q->results), "chainmend:{%s}:results", name);
	snprintf(q->dead, sizeof(q->dead), "chainmend:{%s}:dead", name);
	q->max_jobs = options->max_jobs ? options->max_jobs : 100000;
	q->max_results = options->max_results ? options->max_results : 1000000;
	CMI_TRY(cmi_link_open(&options->link, &q->link, err));
	CMI_TRY(prepare(q, err));
	*out = CMI_TAKE(q);
	return CMEND_OK;
}

static cmend_status length_of(
	struct cmi_queue *q, const char *key, uint64_t *out, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;

	CMI_TRY(CMI_ASK(q->link, &reply, err, "XLEN", key));
	*out = (uint64_t)cmi_reply_int(reply);
	return CMEND_OK;
}

cmend_status cmi_queue_submit(struct cmi_queue *q, const char *kind,
	struct cmi_bytes subject, const char *args, cmend_error *err)
{
	const struct cmi_bytes words[] = {CMI_BYTES("XADD"),
		cmi_bytes_of(q->jobs), CMI_BYTES("*"), CMI_BYTES("kind"),
		cmi_bytes_of(kind), CMI_BYTES("subject"), subject,
		CMI_BYTES("args"), cmi_bytes_of(args ? args : "")};
	uint64_t waiting;

	/* Looked at once for each batch: a full queue takes no new one. */
	if (q->submitted == 0) {
		CMI_TRY(length_of(q, q->jobs, &waiting, err));
		if (waiting >= q->max_jobs)
			return cmi_fail(err, CMEND_BUSY,
				"the queue holds %llu jobs, its ceiling",
				(unsigned long long)waiting);
	}
	CMI_TRY(cmi_link_add(q->link, words, CMI_LEN(words), err));
	q->submitted++;
	return CMEND_OK;
}

/* Read n replies; the first error among them is the outcome. */
static cmend_status read_replies(
	struct cmi_queue *q, size_t *n, int64_t *sum, cmend_error *err)
{
	cmend_status status = CMEND_OK;

	for (; *n > 0; --*n) {
		CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
		char text[160];

		CMI_TRY(cmi_link_reply(q->link, 0, &reply, err));
		*sum += cmi_reply_int(reply);
		if (cmi_reply_kind(reply) != CMI_REPLY_ERROR ||
			status != CMEND_OK)
			continue;
		cmi_safe_cstr(text, sizeof(text), cmi_reply_text(reply));
		status = cmi_fail(err, CMEND_REFUSED, "redis: %s", text);
	}
	return status;
}

cmend_status cmi_queue_push(struct cmi_queue *q, cmend_error *err)
{
	int64_t sum = 0;

	return read_replies(q, &q->submitted, &sum, err);
}

/* Fields come as a flat list: name, value, name, value. */
static struct cmi_bytes field(const struct cmi_reply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < cmi_reply_count(fields); i += 2)
		if (cmi_bytes_equal(cmi_reply_text(cmi_reply_at(fields, i)),
			    cmi_bytes_of(name)))
			return cmi_reply_text(cmi_reply_at(fields, i + 1));
	return (struct cmi_bytes){0};
}

static cmend_status copy_field(char **out, const struct cmi_reply *fields,
	const char *name, cmend_error *err)
{
	struct cmi_bytes v = field(fields, name);

	*out = cmi_strndup(v.p, v.n);
	return *out ? CMEND_OK : cmi_nomem(err);
}

/* One entry [id, [name, value ...]]; an entry removed meanwhile is nil. */
static cmend_status add_job(struct cmi_job_list *out,
	const struct cmi_reply *entry, cmend_error *err)
{
	struct cmi_bytes id = cmi_reply_text(cmi_reply_at(entry, 0));
	const struct cmi_reply *fields = cmi_reply_at(entry, 1);
	struct cmi_job *job;

	if (!id.n || cmi_reply_count(fields) == 0)
		return CMEND_OK;
	if (id.n >= sizeof(job->id))
		return cmi_fail(err, CMEND_PARSE, "redis: odd entry id");
	CMI_TRY(CMI_GROW(&out->jobs, &out->cap, out->n + 1,
		2 * CMI_FLEET_BATCH_MAX, err));
	job = &out->jobs[out->n++];
	memcpy(job->id, id.p, id.n);
	job->id[id.n] = 0;
	job->tries = 1;
	CMI_TRY(copy_field(&job->kind, fields, "kind", err));
	CMI_TRY(copy_field(&job->subject, fields, "subject", err));
	return copy_field(&job->args, fields, "args", err);
}

static cmend_status add_jobs(struct cmi_job_list *out,
	const struct cmi_reply *entries, cmend_error *err)
{
	for (size_t i = 0; i < cmi_reply_count(entries); i++)
		CMI_TRY(add_job(out, cmi_reply_at(entries, i), err));
	return CMEND_OK;
}

/* Workers stop taking while nobody fetches results. */
static cmend_status has_room(struct cmi_queue *q, bool *room, cmend_error *err)
{
	uint64_t waiting;

	CMI_TRY(length_of(q, q->results, &waiting, err));
	*room = waiting < q->max_results;
	return CMEND_OK;
}

static size_t batch_of(size_t max)
{
	return max < CMI_FLEET_BATCH_MAX ? max : CMI_FLEET_BATCH_MAX;
}

static cmend_status take_reply(struct cmi_queue *q, int block_ms,
	struct cmi_reply **out, cmend_error *err)
{
	char text[160];

	CMI_TRY(cmi_link_reply(q->link, block_ms, out, err));
	if (cmi_reply_kind(*out) != CMI_REPLY_ERROR)
		return CMEND_OK;
	cmi_safe_cstr(text, sizeof(text), cmi_reply_text(*out));
	return cmi_fail(err, CMEND_REFUSED, "redis: %s", text);
}

cmend_status cmi_queue_take(struct cmi_queue *q, size_t max, int block_ms,
	struct cmi_job_list *out, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	char count[24], block[24];
	bool room;

	CMI_TRY(has_room(q, &room, err));
	if (!room)
		return cmi_fail(err, CMEND_BUSY,
			"%llu results wait to be fetched, the ceiling",
			(unsigned long long)q->max_results);
	snprintf(count, sizeof(count), "%zu", batch_of(max));
	snprintf(block, sizeof(block), "%d", block_ms > 0 ? block_ms : 1);
	const struct cmi_bytes words[] = {CMI_BYTES("XREADGROUP"),
		CMI_BYTES("GROUP"), cmi_bytes_of(q->group),
		cmi_bytes_of(q->consumer), CMI_BYTES("COUNT"),
		cmi_bytes_of(count), CMI_BYTES("BLOCK"), cmi_bytes_of(block),
		CMI_BYTES("STREAMS"), cmi_bytes_of(q->jobs), CMI_BYTES(">")};

	CMI_TRY(cmi_link_add(q->link, words, CMI_LEN(words), err));
	CMI_TRY(take_reply(q, block_ms, &reply, err));
	/* [[stream, entries]] or nil. */
	return add_jobs(out, cmi_reply_at(cmi_reply_at(reply, 0), 1), err);
}

/* How often the server handed this job out. */
static cmend_status ask_tries(
	struct cmi_queue *q, struct cmi_job *job, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	int64_t tries;

	CMI_TRY(CMI_ASK(q->link, &reply, err, "XPENDING", q->jobs, q->group,
		job->id, job->id, "1"));
	/* [[id, consumer, idle, deliveries]] */
	tries = cmi_reply_int(cmi_reply_at(cmi_reply_at(reply, 0), 3));
	job->tries = tries > 0 ? (unsigned)tries : 1;
	return CMEND_OK;
}

cmend_status cmi_queue_reclaim(struct cmi_queue *q, size_t max, int64_t idle_ms,
	struct cmi_job_list *out, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	char count[24], idle[24];
	size_t first = out->n;

	snprintf(count, sizeof(count), "%zu", batch_of(max));
	snprintf(idle, sizeof(idle), "%lld", (long long)idle_ms);
	CMI_TRY(CMI_ASK(q->link, &reply, err, "XAUTOCLAIM", q->jobs, q->group,
		q->consumer, idle, "0-0", "COUNT", count));
	CMI_TRY(add_jobs(out, cmi_reply_at(reply, 1), err));
	for (size_t i = first; i < out->n; i++)
		CMI_TRY(ask_tries(q, &out->jobs[i], err));
	return CMEND_OK;
}

/* XCLAIM without delivery: set the idle time of jobs that are ours. */
static cmend_status set_idle(struct cmi_queue *q, const struct cmi_job *jobs,
	size_t n, const char *idle_ms, bool reset_tries, cmend_error *err)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const struct cmi_bytes words[] = {CMI_BYTES("XCLAIM"),
			cmi_bytes_of(q->jobs), cmi_bytes_of(q->group),
			cmi_bytes_of(q->consumer), CMI_BYTES("0"),
			cmi_bytes_of(jobs[i].id), CMI_BYTES("IDLE"),
			cmi_bytes_of(idle_ms), CMI_BYTES("JUSTID"),
			CMI_BYTES("RETRYCOUNT"), CMI_BYTES("0")};

		CMI_TRY(cmi_link_add(q->link, words,
			CMI_LEN(words) - (reset_tries ? 0 : 2), err));
	}
	return read_replies(q, &n, &sum, err);
}

cmend_status cmi_queue_renew(struct cmi_queue *q, const struct cmi_job *jobs,
	size_t n, cmend_error *err)
{
	return set_idle(q, jobs, n, "0", false, err);
}

cmend_status cmi_queue_give_back(struct cmi_queue *q,
	const struct cmi_job *jobs, size_t n, cmend_error *err)
{
	/* A day of idleness: any other worker may claim it at once. */
	return set_idle(q, jobs, n, "86400000", true, err);
}

cmend_status cmi_queue_finish(struct cmi_queue *q, const struct cmi_job *job,
	const char *state, struct cmi_bytes result, cmend_error *err)
{
	char tries[16];

	snprintf(tries, sizeof(tries), "%u", job->tries);
	const struct cmi_bytes words[] = {CMI_BYTES("EVALSHA"),
		cmi_bytes_of(q->script), CMI_BYTES("3"), cmi_bytes_of(q->jobs),
		cmi_bytes_of(q->results), cmi_bytes_of(q->dead),
		cmi_bytes_of(q->group), cmi_bytes_of(job->id),
		cmi_bytes_of(state), cmi_bytes_of(job->kind),
		cmi_bytes_of(job->subject), cmi_bytes_of(tries),
		cmi_bytes_of(q->consumer), result};

	CMI_TRY(cmi_link_add(q->link, words, CMI_LEN(words), err));
	q->finished++;
	return CMEND_OK;
}

cmend_status cmi_queue_settle(
	struct cmi_queue *q, size_t *n_lost, cmend_error *err)
{
	size_t n = q->finished;
	int64_t sum = 0;

	CMI_TRY(read_replies(q, &q->finished, &sum, err));
	*n_lost += n - (size_t)sum;
	return CMEND_OK;
}

static cmend_status hand_over(const struct cmi_reply *entry, char after[48],
	cmend_status (*each)(
		void *ctx, const struct cmi_queue_result *r, cmend_error *err),
	void *ctx, cmend_error *err)
{
	const struct cmi_reply *fields = cmi_reply_at(entry, 1);
	struct cmi_queue_result r = {
		.id = cmi_reply_text(cmi_reply_at(entry, 0)),
		.job = field(fields, "job"),
		.kind = field(fields, "kind"),
		.subject = field(fields, "subject"),
		.state = field(fields, "state"),
		.worker = field(fields, "worker"),
		.tries = field(fields, "tries"),
		.result = field(fields, "result"),
	};

	if (!r.id.n || r.id.n >= 48)
		return cmi_fail(err, CMEND_PARSE, "redis: odd entry id");
	CMI_TRY(each(ctx, &r, err));
	memcpy(after, r.id.p, r.id.n);
	after[r.id.n] = 0;
	return CMEND_OK;
}

static cmend_status forget_results(
	struct cmi_queue *q, const struct cmi_reply *entries, cmend_error *err)
{
	size_t n = cmi_reply_count(entries), sent = n;
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const struct cmi_bytes words[] = {CMI_BYTES("XDEL"),
			cmi_bytes_of(q->results),
			cmi_reply_text(
				cmi_reply_at(cmi_reply_at(entries, i), 0))};

		CMI_TRY(cmi_link_add(q->link, words, CMI_LEN(words), err));
	}
	return read_replies(q, &sent, &sum, err);
}

cmend_status cmi_queue_results(struct cmi_queue *q, char after[48], size_t max,
	int block_ms, bool forget,
	cmend_status (*each)(
		void *ctx, const struct cmi_queue_result *r, cmend_error *err),
	void *ctx, size_t *n, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	const struct cmi_reply *entries;
	char count[24], block[24];

	snprintf(count, sizeof(count), "%zu", batch_of(max));
	snprintf(block, sizeof(block), "%d", block_ms > 0 ? block_ms : 1);
	const struct cmi_bytes words[] = {CMI_BYTES("XREAD"),
		CMI_BYTES("COUNT"), cmi_bytes_of(count), CMI_BYTES("BLOCK"),
		cmi_bytes_of(block), CMI_BYTES("STREAMS"),
		cmi_bytes_of(q->results), cmi_bytes_of(after)};

	CMI_TRY(cmi_link_add(q->link, words, CMI_LEN(words), err));
	CMI_TRY(take_reply(q, block_ms, &reply, err));
	entries = cmi_reply_at(cmi_reply_at(reply, 0), 1);
	*n = cmi_reply_count(entries);
	for (size_t i = 0; i < *n; i++)
		CMI_TRY(hand_over(
			cmi_reply_at(entries, i), after, each, ctx, err));
	return forget && *n ? forget_results(q, entries, err) : CMEND_OK;
}

cmend_status cmi_queue_look(
	struct cmi_queue *q, struct cmi_queue_state *out, cmend_error *err)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	struct cmi_queue_state state = {0};

	CMI_TRY(length_of(q, q->jobs, &state.jobs, err));
	CMI_TRY(length_of(q, q->results, &state.results, err));
	CMI_TRY(length_of(q, q->dead, &state.dead, err));
	CMI_TRY(CMI_ASK(q->link, &reply, err, "XPENDING", q->jobs, q->group));
	state.pending = (uint64_t)cmi_reply_int(cmi_reply_at(reply, 0));
	*out = state;
	return CMEND_OK;
}
