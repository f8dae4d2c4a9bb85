/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gather_hint.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/text.h"
#include "probe/starttls.h"
#include "probe/target.h"

static void add(cmend_error *err, const char *hint)
{
	size_t n = strlen(err->message);

	snprintf(err->message + n, sizeof(err->message) - n, "%s", hint);
}

static bool exists(const char *word, struct stat *st)
{
	return stat(word, st) == 0;
}

cmend_status cmi_hint_scheme(const char *word, cmend_error *err)
{
	const char *end = strstr(word, "://"), *protocol;
	char scheme[16], safe[120];
	struct stat st;

	if (!end || exists(word, &st))
		return CMEND_OK;
	cmi_safe_cstr(safe, sizeof(safe), cmi_bytes_of(word));
	snprintf(scheme, sizeof(scheme), "%.*s",
		(int)(end - word < 15 ? end - word : 15), word);
	if (strcmp(scheme, "http") == 0)
		return cmi_fail(err, CMEND_ARG,
			"\"%s\" is without TLS: write https:// or NAME:PORT",
			safe);
	protocol = cmi_starttls_protocol(scheme);
	if (protocol)
		return cmi_fail(err, CMEND_ARG,
			"\"%s\": write NAME or NAME:PORT, and --starttls %s",
			safe, protocol);
	return cmi_fail(err, CMEND_ARG,
		"\"%s\": of URLs only https:// and tls:// are understood; "
		"write NAME:PORT",
		safe);
}

void cmi_hint_url(const char *word, cmend_error *err)
{
	char host[CMI_NAME_MAX + 8];
	size_t n = strcspn(word, "/");
	struct cmi_target target;
	struct stat st;

	if (!n || n >= sizeof(host) || exists(word, &st))
		return;
	snprintf(host, sizeof(host), "%.*s", (int)n, word);
	/* "certs/www.pem" is a path, "www.example/index" hardly. */
	if (!strpbrk(host, ".:") || host[0] == '.' || exists(host, &st) ||
		cmi_target_parse(host, 443, &target, NULL) != CMEND_OK)
		return;
	add(err, "; where a server is meant, write https:// before it");
}

void cmi_hint_file(const char *word, cmend_error *err)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".cert",
		".der", ".p7b", ".p7c", ".p12", ".pfx", ".key", ".csr", ".txt"};
	size_t n = strlen(word);
	struct stat st;

	if (exists(word, &st) && S_ISDIR(st.st_mode)) {
		add(err, "; and the directory of that name is no file");
		return;
	}
	for (size_t i = 0; i < CMI_LEN(endings); i++) {
		size_t k = strlen(endings[i]);

		if (n > k && strcmp(word + n - k, endings[i]) == 0)
			add(err, ", nor is there a file of that name");
	}
}
