/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/fetch_list.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"
#include "issuers/fetch_curl.h"

struct transfer {
	const struct cmi_list_fetch *how;
	struct cmi_list_fetched *out;
	CURL *curl;
	size_t head; /* bytes of header lines so far */
	bool too_large;
	char says[CURL_ERROR_SIZE];
};

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;

	(void)size; /* always 1 */
	cmi_buf_add(&t->out->body, p, n);
	t->too_large = cmi_buf_status(&t->out->body, NULL) != CMEND_OK;
	return t->too_large ? 0 : n;
}

/* "Name: value" into a place for it; false when it is another header. */
static bool take_value(
	struct cmi_bytes line, const char *name, char out[CMI_LIST_TAG])
{
	size_t n = strlen(name);
	struct cmi_bytes value = {0};

	if (line.n < n || !cmi_text_equal_nocase((struct cmi_bytes){line.p, n},
				  cmi_bytes_of(name)))
		return false;
	value = cmi_text_trim((struct cmi_bytes){line.p + n, line.n - n});
	if (value.n >= CMI_LIST_TAG)
		value.n = 0;
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return true;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct cmi_bytes line = {(const uint8_t *)p, n};

	(void)size;
	t->head += n;
	if (t->head > CMI_HTTP_HEAD_MAX) {
		t->too_large = true;
		return 0;
	}
	/* Of the last answer only: a redirect has headers of its own. */
	if (cmi_text_starts(line, "HTTP/"))
		t->out->etag[0] = t->out->modified[0] = '\0';
	if (!take_value(line, "ETag:", t->out->etag))
		(void)take_value(line, "Last-Modified:", t->out->modified);
	return n;
}

static int tell_progress(void *ctx, curl_off_t whole, curl_off_t got,
	curl_off_t up_whole, curl_off_t up_got)
{
	const struct transfer *t = ctx;

	(void)up_whole;
	(void)up_got;
	if (t->how->progress)
		t->how->progress(t->how->ctx, got > 0 ? (uint64_t)got : 0,
			whole > 0 ? (uint64_t)whole : 0);
	return 0;
}

static void set_limits(const struct transfer *t)
{
	const struct cmi_list_fetch *how = t->how;
	int64_t ms = how->total_ms ? how->total_ms : CMI_LIST_TOTAL_MS;
	int64_t silence_ms =
		how->silence_ms ? how->silence_ms : CMI_LIST_SILENCE_MS;
	CURL *c = t->curl;

	CMI_CURL_ONLY(c, HTTPS);
	cmi_curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	cmi_curl.easy_setopt(
		c, CURLOPT_MAXREDIRS, (long)CMI_LIST_REDIRECTS_MAX);
	cmi_curl.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms);
	cmi_curl.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)silence_ms);
	cmi_curl.easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	cmi_curl.easy_setopt(
		c, CURLOPT_LOW_SPEED_TIME, (long)((silence_ms + 999) / 1000));
	cmi_curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	cmi_curl.easy_setopt(
		c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->out->body.max);
	cmi_curl.easy_setopt(c, CURLOPT_USERAGENT, "chainmend");
	cmi_curl.easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	/* libcurl's defaults, said aloud. */
	cmi_curl.easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	cmi_curl.easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	cmi_curl.easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	if (!how->roots)
		return;
	cmi_curl.easy_setopt(c, CURLOPT_CAINFO, how->roots);
	cmi_curl.easy_setopt(c, CURLOPT_CAPATH, NULL);
}

static void set_callbacks(struct transfer *t)
{
	CURL *c = t->curl;

	cmi_curl.easy_setopt(c, CURLOPT_ERRORBUFFER, t->says);
	cmi_curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	cmi_curl.easy_setopt(c, CURLOPT_WRITEDATA, t);
	cmi_curl.easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	cmi_curl.easy_setopt(c, CURLOPT_HEADERDATA, t);
	cmi_curl.easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	cmi_curl.easy_setopt(c, CURLOPT_XFERINFOFUNCTION, tell_progress);
	cmi_curl.easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

static struct curl_slist *add_condition(
	struct curl_slist *list, const char *name, const char *value)
{
	char line[CMI_LIST_TAG + 32];

	if (!value || !*value || strpbrk(value, "\r\n"))
		return list;
	snprintf(line, sizeof(line), "%s: %s", name, value);
	return cmi_curl.slist_append(list, line);
}

static cmend_status name_failure(
	const struct transfer *t, CURLcode code, cmend_error *err)
{
	const char *says = t->says[0] ? t->says : cmi_curl.easy_strerror(code);
	const char *url = t->how->url;

	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return cmi_fail(err, CMEND_LIMIT,
			"\"%s\" is larger than is taken: %zu MiB", url,
			t->out->body.max >> 20);
	switch ((int)code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return cmi_fail(err, CMEND_REFUSED,
			"\"%s\": the server's certificate is not accepted: %s",
			url, says);
	case CURLE_SSL_CACERT_BADFILE:
		return cmi_fail(err, CMEND_IO,
			"the roots cannot be read from \"%s\"", t->how->roots);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_TOO_MANY_REDIRECTS:
		return cmi_fail(err, CMEND_REFUSED,
			"\"%s\" leads to where nothing is taken from: %s", url,
			says);
	case CURLE_OPERATION_TIMEDOUT:
		return cmi_fail(err, CMEND_TIMEOUT, "\"%s\" is too slow: %s",
			url, says);
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
		return cmi_fail(err, CMEND_NET,
			"\"%s\" broke off after %zu bytes: %s", url,
			t->out->body.n, says);
	}
	return cmi_fail(err, CMEND_NET, "\"%s\" cannot be had: %s", url, says);
}

static cmend_status check_answer(struct transfer *t, cmend_error *err)
{
	long status = 0;

	(void)cmi_curl.easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	t->out->unchanged = status == 304;
	if (status != 200 && status != 304)
		return cmi_fail(err, CMEND_NET, "\"%s\" answers %ld",
			t->how->url, status);
	if (status == 200 && !t->out->body.n)
		return cmi_fail(
			err, CMEND_NET, "\"%s\" answers nothing", t->how->url);
	return CMEND_OK;
}

static cmend_status run(struct transfer *t, cmend_error *err)
{
	struct curl_slist *conditions = NULL;
	CURLcode code;

	conditions = add_condition(conditions, "If-None-Match", t->how->etag);
	conditions = add_condition(
		conditions, "If-Modified-Since", t->how->modified);
	set_limits(t);
	set_callbacks(t);
	cmi_curl.easy_setopt(t->curl, CURLOPT_URL, t->how->url);
	cmi_curl.easy_setopt(t->curl, CURLOPT_HTTPHEADER, conditions);
	code = cmi_curl.easy_perform(t->curl);
	cmi_curl.slist_free_all(conditions);
	return code ? name_failure(t, code, err) : check_answer(t, err);
}

cmend_status cmi_list_fetch(const struct cmi_list_fetch *how,
	struct cmi_list_fetched *out, cmend_error *err)
{
	struct transfer t = {.how = how, .out = out};
	cmend_status status;

	*out = (struct cmi_list_fetched){0};
	cmi_buf_init(&out->body, how->max ? how->max : CMI_LIST_MAX);
	if (!cmi_text_equal_nocase((struct cmi_bytes){(const uint8_t *)how->url,
					   strnlen(how->url, 8)},
		    CMI_BYTES("https://")))
		return cmi_fail(err, CMEND_ARG,
			"\"%s\" is no https URL: lists come by https only",
			how->url);
	if (how->roots && access(how->roots, R_OK) != 0)
		return cmi_fail(err, CMEND_IO,
			"the roots cannot be read from \"%s\"", how->roots);
	CMI_TRY(cmi_curl_load(err));
	t.curl = cmi_curl.easy_init();
	if (!t.curl)
		return cmi_nomem(err);
	status = run(&t, err);
	cmi_curl.easy_cleanup(t.curl);
	return status;
}

void cmi_list_fetched_dispose(struct cmi_list_fetched *f)
{
	cmi_buf_dispose(&f->body);
}
