/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/phrase.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* A whole sentence; the names in it are clipped before. */
#define PHRASE_MAX 1024

const char *cmi_phrase_clip(char out[CMI_PHRASE_NAME], const char *text)
{
	struct cmi_bytes in = cmi_bytes_of(text);
	size_t n = 0, step;

	if (in.n < CMI_PHRASE_NAME) {
		memcpy(out, text ? text : "", in.n);
		out[in.n] = '\0';
		return out;
	}
	while (n < in.n) {
		step = cmi_utf8_length(in.p + n, in.n - n);
		if (step == 0)
			step = 1;
		if (n + step > CMI_PHRASE_NAME - 4)
			break;
		n += step;
	}
	memcpy(out, text, n);
	memcpy(out + n, "...", 4);
	return out;
}

const char *cmi_phrase_cert(char out[CMI_PHRASE_NAME], const struct cmi_cert *c)
{
	const char *name = c->common_name ? c->common_name : c->subject;

	return cmi_phrase_clip(out, name && *name ? name : "(no name)");
}

const char *cmi_phrase(struct cmi_arena *a, const char *fmt, ...)
{
	char line[PHRASE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	return cmi_arena_strndup(a, line, strlen(line));
}

const char *cmi_phrase_safe(struct cmi_arena *a, struct cmi_bytes text)
{
	struct cmi_buf b;
	const char *copy;

	if (text.n == 0)
		return NULL;
	if (cmi_plain_run(text.p, text.n) == text.n)
		return cmi_arena_strndup(a, text.p, text.n);
	/* Each byte becomes four at most. */
	cmi_buf_init(&b, 4 * CMI_CERT_MAX);
	cmi_safe_text(&b, text);
	copy = cmi_arena_strndup(a, b.p, b.n);
	cmi_buf_dispose(&b);
	return copy;
}

const char *cmi_phrase_count(
	struct cmi_arena *a, size_t n, const char *one, const char *many)
{
	return cmi_phrase(a, "%zu %s", n, n == 1 ? one : many);
}
