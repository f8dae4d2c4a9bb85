/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cmi_setup_cache_path(const struct cmi_cli *cli, char *out, size_t n_out)
{
	const char *named = cli->common.cache;
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (!named)
		named = getenv("CHAINMEND_CACHE");
	if (named && *named)
		n = snprintf(out, n_out, "%s", named);
	else if (cache && *cache == '/')
		n = snprintf(out, n_out, "%s/chainmend/issuers.db", cache);
	else if (home && *home == '/')
		n = snprintf(
			out, n_out, "%s/.cache/chainmend/issuers.db", home);
	else
		return false;
	return n > 0 && (size_t)n < n_out;
}

bool cmi_setup_preload_path(char *out, size_t n_out)
{
	const char *named = getenv("CHAINMEND_PRELOAD");
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n;

	if (named && *named)
		n = snprintf(out, n_out, "%s", named);
	else if (data && *data == '/')
		n = snprintf(out, n_out, "%s/chainmend/preload.bin", data);
	else if (home && *home == '/')
		n = snprintf(out, n_out,
			"%s/.local/share/chainmend/preload.bin", home);
	else
		return false;
	return n > 0 && (size_t)n < n_out;
}

bool cmi_setup_own_file(
	const char *const *places, size_t n_places, char *out, size_t n_out)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash;

	if (n <= 0)
		return false;
	self[n] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < n_places; i++) {
		snprintf(out, n_out, "%.*s/%s", (int)(slash - self), self,
			places[i]);
		if (access(out, R_OK) == 0)
			return true;
	}
	return false;
}
