/* SPDX-License-Identifier: Apache-2.0 */
#include "api/completer.h"

#include <string.h>

#include "x509/cert.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

cmend_status cmend_completer_new(const cmend_completer_options *options,
	cmend_completer **out, cmend_error *err)
{
	cmend_completer *c;

	if (!out || (options && options->size < sizeof(*options)))
		return WRONG(err, "place for the completer, or whole options");
	c = cmi_alloc(sizeof(*c));
	if (!c)
		return cmi_nomem(err);
	if (options)
		c->o = *options;
	pthread_mutex_init(&c->lock, NULL);
	c->recent = cmi_recent_new();
	*out = c;
	return CMEND_OK;
}

void cmend_completer_free(cmend_completer *completer)
{
	if (!completer)
		return;
	pthread_mutex_destroy(&completer->lock);
	cmi_recent_free(completer->recent);
	cmi_free(completer);
}

cmend_status cmend_job_use_completer(
	cmend_job *job, const cmend_completer *completer, cmend_error *err)
{
	if (!job || !completer)
		return WRONG(err, "job or completer");
	cmend_job_use_store(job, completer->o.store);
	cmend_job_use_preload(job, completer->o.preload);
	if (completer->o.fetcher)
		return cmend_job_use_fetcher(job, completer->o.fetcher, err);
	return completer->o.fetch
		       ? cmend_job_fetch(job, completer->o.fetch_flags, err)
		       : CMEND_OK;
}

void cmi_completer_trace(const cmend_completer *c, const cmend_job *job)
{
	cmend_event e = {.size = sizeof(e)};
	char line[512];
	size_t at = 0;

	while (c->o.trace && cmend_explain_next(job, &at, &e) == CMEND_OK) {
		snprintf(line, sizeof(line), "%s: %s", e.finding, e.says);
		c->o.trace(c->o.ctx, line);
	}
}

/* Where that leaf is noted, or NULL.  Locked. */
static struct cmi_completer_note *find_note(
	cmend_completer *c, const uint8_t sha256[CMI_SHA256_LEN])
{
	for (size_t i = 0; i < CMI_LEN(c->notes); i++)
		if (c->notes[i].used &&
			memcmp(c->notes[i].sha256, sha256, CMI_SHA256_LEN) == 0)
			return &c->notes[i];
	return NULL;
}

void cmend_completer_note(
	cmend_completer *completer, cmend_bytes leaf, const cmend_job *job)
{
	struct cmi_completer_note *n, fresh = {.used = true};

	if (!completer || !job || !leaf.p)
		return;
	cmi_sha256((struct cmi_bytes){leaf.p, leaf.n}, fresh.sha256);
	(void)cmend_job_explain(job, fresh.text, sizeof(fresh.text));
	pthread_mutex_lock(&completer->lock);
	n = find_note(completer, fresh.sha256);
	if (!n) {
		n = &completer->notes[completer->next];
		completer->next =
			(completer->next + 1) % CMI_LEN(completer->notes);
	}
	*n = fresh;
	pthread_mutex_unlock(&completer->lock);
	cmi_completer_trace(completer, job);
	if (completer->o.trace && fresh.text[0])
		completer->o.trace(completer->o.ctx, fresh.text);
}

const char *cmend_completer_explain(
	cmend_completer *completer, cmend_bytes leaf, char *out, size_t n)
{
	const struct cmi_completer_note *note;
	uint8_t sha256[CMI_SHA256_LEN];

	if (!out || !n)
		return "";
	out[0] = '\0';
	if (!completer || !leaf.p)
		return out;
	cmi_sha256((struct cmi_bytes){leaf.p, leaf.n}, sha256);
	pthread_mutex_lock(&completer->lock);
	note = find_note(completer, sha256);
	if (note)
		snprintf(out, n, "%s", note->text);
	pthread_mutex_unlock(&completer->lock);
	return out;
}
