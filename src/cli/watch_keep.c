/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch_keep.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

/* chainmend-20261122T201500Z-0001-missing-intermediate.pcapng: sorts by age */
#define PREFIX     "chainmend-"
#define SUFFIX     ".pcapng"
#define REMARK_MAX 400

static bool is_ours(const char *name)
{
	size_t n = strlen(name), k = strlen(SUFFIX);

	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && n > k &&
	       strcmp(name + n - k, SUFFIX) == 0;
}

/* The oldest of our files, and how many there are. */
static size_t look_at(const char *dir, char *oldest, size_t n_oldest)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	oldest[0] = 0;
	while (d && (e = readdir(d))) {
		if (!is_ours(e->d_name))
			continue;
		n++;
		if (!oldest[0] || strcmp(e->d_name, oldest) < 0)
			snprintf(oldest, n_oldest, "%s", e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

static void make_room(const struct cmi_watch_keep *k)
{
	char name[256], path[4096];

	while (look_at(k->dir, name, sizeof(name)) >= k->max) {
		snprintf(path, sizeof(path), "%s/%s", k->dir, name);
		if (unlink(path) < 0)
			return;
	}
}

static void name_file(struct cmi_watch_keep *k,
	const struct cmi_item_handshake *h, char *out, size_t n_out)
{
	char when[CMI_TIME_TEXT], plain[CMI_TIME_TEXT];
	const char *verdict = cmi_finding_name(h->verdict);
	size_t n = 0;

	cmi_time_s(when, h->c->end_us / 1000000);
	for (const char *p = when; *p; p++)
		if (*p != '-' && *p != ':')
			plain[n++] = *p;
	plain[n] = 0;
	snprintf(out, n_out, "%s/" PREFIX "%s-%04llu-%s" SUFFIX, k->dir, plain,
		(unsigned long long)(++k->counter % 10000),
		verdict ? verdict : "failed");
}

/* The remarks, one for each frame that a finding names. */
struct remarks {
	struct cmi_watch_remark list[CMI_WATCH_REMARKS_MAX];
	char text[CMI_WATCH_REMARKS_MAX][REMARK_MAX];
	size_t n;
};

static void add_remark(
	struct remarks *r, uint64_t frame, const struct cmi_finding *f)
{
	size_t i = 0, used;

	while (i < r->n && r->list[i].frame != frame)
		i++;
	if (i == CMI_WATCH_REMARKS_MAX)
		return;
	if (i == r->n) {
		r->list[r->n++] = (struct cmi_watch_remark){frame, r->text[i]};
		r->text[i][0] = 0;
	}
	used = strlen(r->text[i]);
	snprintf(r->text[i] + used, REMARK_MAX - used, "%schainmend: %s: %s",
		used ? "\n" : "", cmi_finding_name(f->id),
		f->says ? f->says : "");
}

cmend_status cmi_watch_keep_handshake(struct cmi_watch_keep *k,
	struct cmi_watch *watch, const struct cmi_item_handshake *h, char *out,
	size_t n_out, cmend_error *err)
{
	CMI_AUTO(cmi_freep) struct remarks *r = NULL;
	uint64_t n;

	out[0] = 0;
	if (!k->dir)
		return CMEND_OK;
	r = cmi_alloc(sizeof(*r));
	if (!r)
		return cmi_nomem(err);
	for (size_t i = 0; i < h->n_findings; i++)
		for (size_t j = 0; j < h->findings[i].n_frames; j++)
			add_remark(
				r, h->findings[i].frames[j], &h->findings[i]);
	make_room(k);
	name_file(k, h, out, n_out);
	CMI_TRY(cmi_watch_keep(watch, h->c, r->list, r->n, out, &n, err));
	k->kept++;
	return CMEND_OK;
}
