/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch_lock.h"

#include <string.h>
#include <sys/stat.h>

#include "cli/sandbox.h"
#include "cli/setup.h"
#include "core/arena.h"

/* Roots given, the known issuers, and the NULL. */
#define READS_MAX (CMI_CLI_LIST_MAX + 2)

/* The directory of a file: one that is replaced meanwhile is still found.  A
 * directory is itself. */
static const char *place_of(struct cmi_arena *a, const char *path)
{
	char *copy = cmi_arena_strndup(a, path, strlen(path)), *slash;
	struct stat st;

	if (!copy || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return copy;
	slash = strrchr(copy, '/');
	if (!slash)
		return ".";
	slash[slash == copy] = 0;
	return copy;
}

static void add(
	struct cmi_arena *a, const char **list, size_t *n, const char *path)
{
	const char *place = place_of(a, path);

	if (place)
		list[(*n)++] = place;
}

static cmend_status lock(const struct cmi_cli *cli, const char *keep,
	struct cmi_arena *a, cmend_error *err)
{
	const char *reads[READS_MAX] = {0}, *writes[3] = {0};
	const struct cmi_sandbox_places places = {reads, writes};
	char path[4096];
	size_t n_reads = 0, n_writes = 0;

	for (size_t i = 0; i < cli->common.roots.n; i++)
		add(a, reads, &n_reads, cli->common.roots.items[i]);
	if (cmi_setup_preload_path(path, sizeof(path)))
		add(a, reads, &n_reads, path);
	if (keep)
		writes[n_writes++] = keep;
	if (cmi_setup_cache_path(cli, path, sizeof(path)) &&
		!cmi_shared_is_url(path))
		add(a, writes, &n_writes, path);
	return cmi_sandbox_enter_with(CMI_ROLE_WATCHER, &places, err);
}

cmend_status cmi_watch_lock(const struct cmi_cli *cli, const char *keep,
	bool required, cmend_error *err)
{
	struct cmi_arena arena;
	cmend_error why = {0};
	cmend_status status;

	cmi_arena_init(&arena, CMI_ALLOC_MAX);
	status = lock(cli, keep, &arena, &why);
	cmi_arena_dispose(&arena);
	if (status == CMEND_OK)
		return CMEND_OK;
	if (required || status != CMEND_UNSUPPORTED)
		return cmi_fail(err, status, "no sandbox: %s", why.message);
	if (!cli->common.quiet)
		fprintf(cli->err, "chainmend: going on without a sandbox: %s\n",
			why.message);
	return CMEND_OK;
}
