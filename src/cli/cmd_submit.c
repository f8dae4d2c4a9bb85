/* SPDX-License-Identifier: Apache-2.0 */
/* chainmend submit: put targets and captures on the queue. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/fleet.h"
#include "cli/job.h"
#include "cli/profile_set.h"
#include "cli/target_line.h"
#include "core/cursor.h"
#include "core/env.h"
#include "core/file.h"
#include "core/limits.h"

struct submit_options {
	struct cmi_fleet_options fleet;
	struct cmi_cli_list files;
	struct cmi_cli_list captures;
	uint64_t max_jobs;
};

/* Jobs sent before the server's word is waited for. */
#define BATCH 200
/* How long a full queue is waited for between two looks. */
#define FULL_MS 100

struct submission {
	struct cmi_cli *cli;
	struct cmi_queue *q;
	const char *args; /* of jobs for targets; cli/job.h */
	size_t batch;     /* queued, not pushed */
	uint64_t sent;
	bool told_full;
};

static cmend_status push(struct submission *s, cmend_error *err)
{
	CMI_TRY(cmi_queue_push(s->q, err));
	s->sent += s->batch;
	s->batch = 0;
	return CMEND_OK;
}

/* Back-pressure: a full queue is waited for, for as long as it takes. */
static cmend_status submit(struct submission *s, const char *kind,
	struct cmi_bytes subject, const char *args, cmend_error *err)
{
	cmend_status status;

	while ((status = cmi_queue_submit(s->q, kind, subject, args, err)) ==
		CMEND_BUSY) {
		if (!s->told_full && !s->cli->common.quiet)
			fprintf(s->cli->err,
				"chainmend: %s: waiting for workers\n",
				err->message);
		s->told_full = true;
		poll(NULL, 0, FULL_MS);
	}
	CMI_TRY(status);
	return ++s->batch >= BATCH ? push(s, err) : CMEND_OK;
}

/* One target a line, as check -f has them. */
static cmend_status submit_file(
	struct submission *s, const char *path, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text;
	struct cmi_cursor c;
	struct cmi_bytes line;

	cmi_buf_init(&text, CMI_FILE_MAX);
	CMI_TRY(cmi_file_read(path, &text, err));
	cmi_buf_u8(&text, '\n');
	CMI_TRY(cmi_buf_status(&text, err));
	c = cmi_cursor_of(cmi_buf_view(&text));
	while (cmi_cursor_line(&c, &line)) {
		line = cmi_target_line_text(line);
		if (line.n)
			CMI_TRY(submit(s, "check", line, s->args, err));
	}
	return CMEND_OK;
}

static bool is_capture_name(const char *name)
{
	static const char *const ends[] = {".pcap", ".pcapng", ".cap",
		".pcap.gz", ".pcapng.gz", ".pcap.zst", ".pcapng.zst"};
	size_t n = strlen(name), k;

	for (size_t i = 0; i < CMI_LEN(ends); i++) {
		k = strlen(ends[i]);
		if (n > k && strcmp(name + n - k, ends[i]) == 0)
			return true;
	}
	return false;
}

static cmend_status submit_capture(
	struct submission *s, const char *path, cmend_error *err)
{
	char full[PATH_MAX];

	/* Workers may run elsewhere: they need the whole path. */
	if (!realpath(path, full))
		return cmi_fail(err, CMEND_IO, "cannot find \"%s\": %s", path,
			strerror(errno));
	return submit(s, "explain", cmi_bytes_of(full), "", err);
}

static cmend_status submit_entries(
	struct submission *s, DIR *dir, const char *path, cmend_error *err)
{
	struct dirent *entry;
	char name[4096];
	struct stat st;

	while ((entry = readdir(dir))) {
		int n = snprintf(
			name, sizeof(name), "%s/%s", path, entry->d_name);

		if (n < 0 || (size_t)n >= sizeof(name) || stat(name, &st) < 0 ||
			!S_ISREG(st.st_mode))
			continue;
		if (is_capture_name(entry->d_name))
			CMI_TRY(submit_capture(s, name, err));
	}
	return CMEND_OK;
}

static cmend_status submit_captures(
	struct submission *s, const char *path, cmend_error *err)
{
	cmend_status status;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) < 0)
		return cmi_fail(err, CMEND_IO, "cannot find \"%s\"", path);
	if (!S_ISDIR(st.st_mode))
		return submit_capture(s, path, err);
	dir = opendir(path);
	if (!dir)
		return cmi_fail(
			err, CMEND_IO, "cannot read directory \"%s\"", path);
	status = submit_entries(s, dir, path, err);
	closedir(dir);
	return status;
}

static cmend_status submit_all(struct submission *s,
	const struct submit_options *o, size_t argc, char **argv,
	cmend_error *err)
{
	for (size_t i = 0; i < argc; i++)
		CMI_TRY(submit(
			s, "check", cmi_bytes_of(argv[i]), s->args, err));
	for (size_t i = 0; i < o->files.n; i++)
		CMI_TRY(submit_file(s, o->files.items[i], err));
	for (size_t i = 0; i < o->captures.n; i++)
		CMI_TRY(submit_captures(s, o->captures.items[i], err));
	return push(s, err);
}

/* --profile and --policy, as words of the jobs. */
static cmend_status write_args(
	const struct cmi_common *common, struct cmi_buf *out, cmend_error *err)
{
	CMI_TRY(cmi_profile_set_check(&common->profiles, err));
	for (size_t i = 0; i < common->profiles.n; i++)
		cmi_buf_printf(
			out, CMI_JOB_PROFILE "%s ", common->profiles.items[i]);
	if (common->policy)
		cmi_buf_printf(out, CMI_JOB_POLICY "%s", common->policy);
	return cmi_buf_status(out, err);
}

static int submit_with_args(struct submission *s,
	const struct submit_options *o, const struct cmi_queue_options *queue,
	size_t argc, char **argv)
{
	CMI_AUTO(cmi_queue_closep) struct cmi_queue *q = NULL;
	cmend_error err = {0};
	cmend_status status;

	if (cmi_queue_open(queue, &q, &err) != CMEND_OK)
		return cmi_cli_fail(s->cli, &err);
	s->q = q;
	status = submit_all(s, o, argc, argv, &err);
	if (!s->cli->common.quiet)
		fprintf(s->cli->err, "chainmend: %llu jobs submitted\n",
			(unsigned long long)s->sent);
	return status == CMEND_OK ? CMI_EXIT_OK : cmi_cli_fail(s->cli, &err);
}

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	const struct submit_options *o = options;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf args;
	struct submission s = {.cli = cli};
	struct cmi_queue_options queue;
	cmend_error err = {0};
	char consumer[65];
	int usage;

	cmi_buf_init(&args, 8192);
	usage = cmi_fleet_queue_options(cli, &o->fleet, consumer, &queue);
	if (usage >= 0)
		return usage;
	if (!argc && !o->files.n && !o->captures.n)
		return cmi_cli_usage(cli, "nothing to submit");
	if (o->captures.n && (cli->common.profiles.n || cli->common.policy))
		return cmi_cli_usage(cli,
			"--profile and --policy are for targets: a worker "
			"judges captures as it was told itself");
	if (write_args(&cli->common, &args, &err) != CMEND_OK)
		return cmi_cli_usage(cli, "%s", err.message);
	s.args = cmi_buf_cstr(&args);
	queue.max_jobs = o->max_jobs;
	return submit_with_args(&s, o, &queue, argc, argv);
}

static const struct cmi_option options_table[] = {
	CMI_FLEET_OPTIONS(struct submit_options),
	{"file", 'f', CMI_OPT_LIST, "FILE",
		"targets, one a line; - reads standard input",
		offsetof(struct submit_options, files), 0, NULL},
	{"captures", 0, CMI_OPT_LIST, "DIR",
		"captures: a file, or all of a directory",
		offsetof(struct submit_options, captures), 0, NULL},
	{"max-jobs", 0, CMI_OPT_UINT, "N",
		"wait while the queue holds that many; 100000",
		offsetof(struct submit_options, max_jobs), 1000000000, NULL},
	{0},
};

const struct cmi_command cmi_cmd_submit = {
	.name = "submit",
	.summary = "put targets and captures on a queue for many workers",
	.usage = "submit [options] [TARGET...]",
	.examples = "  chainmend submit --redis redis://queue.example -f "
		    "targets.txt\n"
		    "  chainmend submit --redis unix:///run/redis.sock "
		    "--captures /srv/captures\n",
	.notes = CMI_FLEET_NOTES
	"\n\n"
	"Workers open captures by their full path: put them where\n"
	"all workers see them.  With --profile or --policy the targets are "
	"judged so, instead of\nas the worker was told.\n",
	.common = CMI_C_PROFILE | CMI_C_POLICY,
	.options = options_table,
	.options_size = sizeof(struct submit_options),
	.max_args = SIZE_MAX,
	.run = run,
};
