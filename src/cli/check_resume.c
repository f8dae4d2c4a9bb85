/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_resume.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_lines.h"
#include "cli/check_verdicts.h"
#include "cli/target_line.h"
#include "core/cursor.h"
#include "report/read.h"

/* A target's name, and an address of it. */
#define ASKED_KEY (CMI_TARGET_NAME + CMI_ENDPOINT_TEXT + 1)
/* Of the memory for one line so much is kept for the next. */
#define ARENA_KEPT ((size_t)64 << 10)

/* What tells one piece of work apart in the file of results: with
 * --all-addresses the address too, where the name is not the address. */
static struct cmi_bytes key_of(const struct cmi_resume *r, const char *name,
	const char *address, char out[ASKED_KEY])
{
	bool both = r->how->all_addresses && address &&
		    !cmi_text_starts(cmi_bytes_of(name), address);
	int n = snprintf(out, ASKED_KEY, "%s%s%s", name, both ? " " : "",
		both ? address : "");

	return (struct cmi_bytes){(const uint8_t *)out,
		n > 0 && n < (int)ASKED_KEY ? (size_t)n : 0};
}

static struct cmi_bytes key_of_target(
	const struct cmi_resume *r, const struct cmi_crowd_target *t, char *out)
{
	static const struct cmi_dialed nowhere;
	char name[CMI_TARGET_NAME], address[CMI_ENDPOINT_TEXT];

	return key_of(r, cmi_target_name(&t->target, t->sni, name),
		cmi_crowd_address(t, &nowhere, address), out);
}

bool cmi_resume_was_asked(
	const struct cmi_resume *r, const struct cmi_crowd_target *t)
{
	char key[ASKED_KEY];

	return r->how->resume &&
	       cmi_asked_has(&r->asked, key_of_target(r, t, key));
}

bool cmi_resume_note(struct cmi_resume *r, const struct cmi_crowd_target *t)
{
	char key[ASKED_KEY];

	return !r->how->resume ||
	       cmi_asked_add(&r->asked, key_of_target(r, t, key), NULL) ==
		       CMEND_OK;
}

/* The value behind these words in a line of results, which we wrote ourselves;
 * neither has anything in it that JSON escapes. */
static bool find_value(
	struct cmi_bytes line, const char *before, char *out, size_t n_out)
{
	size_t n = strlen(before);
	const uint8_t *at = memmem(line.p, line.n, before, n);
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes value;

	if (!at || !cmi_cursor_skip(&c, (size_t)(at - line.p) + n) ||
		!cmi_cursor_until(&c, '"', &value) || value.n >= n_out)
		return false;
	memcpy(out, value.p, value.n);
	out[value.n] = 0;
	return value.n > 0;
}

/* What clients are called stands in no line. */
static const char *title_of(const struct cmi_resume *r, const char *profile)
{
	const struct cmi_profile_set *set = r->how->profiles;

	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->list[i]->name, profile) == 0)
			return set->list[i]->title;
	return NULL;
}

/* As if it had been looked at now. */
static cmend_status tell_again(struct cmi_resume *r, struct cmi_bytes line,
	const struct cmi_item_sink *sink, cmend_error *err)
{
	struct cmi_item item = {.kind = CMI_ITEM_ENDPOINT};
	struct cmi_read_endpoint *read;

	cmi_arena_reset(&r->arena, ARENA_KEPT);
	CMI_TRY(cmi_read_endpoint(line, &r->arena, &read, err));
	if (!read)
		return CMEND_OK;
	for (size_t i = 0; i < read->e.n_profiles; i++)
		read->profiles[i].title =
			title_of(r, read->profiles[i].profile);
	item.endpoint = &read->e;
	return sink->take(sink->ctx, &item, err);
}

static bool says(struct cmi_bytes line, const char *words)
{
	return memmem(line.p, line.n, words, strlen(words)) != NULL;
}

/* As if it had been found now.  Inside a text these words would have a
 * backslash before each quote. */
static int exit_of(const struct cmi_resume *r, struct cmi_bytes line)
{
	const struct cmi_common *common = &r->how->cli->common;
	bool plain_counts = !common->profiles.n || common->roots.n;

	if (says(line, "\"verdict\":null") && says(line, "\"trouble\":\""))
		return CMI_EXIT_CANNOT;
	if (says(line, "\"accepts\":false") || says(line, "\"trouble\":\"") ||
		(plain_counts && !says(line, "\"verdict\":null")) ||
		says(line, "\"id\":\"client-certificate-refused\"") ||
		(common->strict && says(line, "\"severity\":\"warning\"")))
		return CMI_EXIT_FAILS;
	return CMI_EXIT_OK;
}

static cmend_status take_result(
	struct cmi_resume *r, struct cmi_bytes line, cmend_error *err)
{
	char name[CMI_TARGET_NAME], address[CMI_ENDPOINT_TEXT];
	char key[ASKED_KEY];

	if (!find_value(line, "\"kind\":\"endpoint\",\"target\":\"", name,
		    sizeof(name)))
		return CMEND_OK;
	if (exit_of(r, line) > r->worst)
		r->worst = exit_of(r, line);
	return cmi_asked_add(&r->asked,
		key_of(r, name,
			find_value(line, "\"address\":\"", address,
				sizeof(address))
				? address
				: NULL,
			key),
		err);
}

/* As each of our lines begins, the unfinished one as far as it goes: nobody's
 * file is cut short or written to that isn't one of results. */
static bool begins_as_ours(struct cmi_bytes line)
{
	const struct cmi_bytes first = CMI_BYTES("{\"v\":1,\"kind\":\"");

	return memcmp(line.p, first.p, line.n < first.n ? line.n : first.n) ==
	       0;
}

static cmend_status no_results(const struct cmi_resume *r, size_t number,
	const char *why, cmend_error *err)
{
	return cmi_fail(err, CMEND_PARSE,
		"\"%s\" is no file of results: line %zu: %s", r->how->resume,
		number, why);
}

/* What is there counts as done, up to its last whole line. */
static cmend_status read_results(struct cmi_resume *r, struct cmi_lines *lines,
	const struct cmi_item_sink *sink, cmend_error *err)
{
	struct cmi_bytes line;
	off_t whole = 0;
	size_t number = 0;

	while (cmi_lines_next(lines, r->file, &line)) {
		cmend_error why;

		number++;
		if (!begins_as_ours(line))
			return no_results(r, number,
				"not JSON as check --json writes it", err);
		if (line.p[line.n - 1] != '\n')
			break;
		whole += (off_t)line.n;
		CMI_TRY(take_result(r, line, err));
		if (sink && tell_again(r, line, sink, &why) != CMEND_OK)
			return no_results(r, number, why.message, err);
	}
	if (ftruncate(fileno(r->file), whole) != 0 ||
		fseeko(r->file, whole, SEEK_SET) != 0)
		return cmi_fail(err, CMEND_IO, "cannot go on in \"%s\": %s",
			r->how->resume, strerror(errno));
	return CMEND_OK;
}

cmend_status cmi_resume_open(struct cmi_resume *r,
	const struct cmi_check_many *how, const struct cmi_item_sink *sink,
	cmend_error *err)
{
	struct cmi_lines lines;
	cmend_status status;

	*r = (struct cmi_resume){.how = how};
	if (!how->resume)
		return CMEND_OK;
	CMI_TRY(cmi_asked_init(&r->asked, NULL, err));
	r->file = fopen(how->resume, "r+e");
	if (!r->file && errno == ENOENT)
		r->file = fopen(how->resume, "w+e");
	if (!r->file)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s",
			how->resume, strerror(errno));
	cmi_arena_init(&r->arena, CMI_READ_ENDPOINT_MAX);
	cmi_lines_init(&lines);
	status = read_results(r, &lines, sink, err);
	cmi_lines_dispose(&lines);
	cmi_arena_dispose(&r->arena);
	return status;
}

void cmi_resume_dispose(struct cmi_resume *r)
{
	if (r->file)
		fclose(r->file);
	r->file = NULL;
	cmi_asked_dispose(&r->asked);
}
