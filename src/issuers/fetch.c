/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/fetch.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/text.h"
#include "issuers/address.h"
#include "issuers/fetch_curl.h"
#include "issuers/aia.h"
#include "issuers/flight.h"

/* Fixed, and the same for everybody: no version, no system. */
#define USER_AGENT "chainmend"

struct cmi_fetcher {
	CURL *curl;
	char *target_host;
	char *proxy, *proxy_user, *proxy_password;
	bool allow_private;
	int64_t left_ms; /* of the budget for all fetches */
	unsigned left;
	unsigned count;
	size_t body_max;
	const struct cmi_env *env;
	struct cmi_aia *aia;
	struct cmi_flights *flights; /* shared with other jobs, or NULL */
};

/* One request, redirects included. */
struct transfer {
	struct cmi_fetcher *f;
	struct cmi_fetch_answer *answer;
	int64_t deadline_ms; /* monotonic */
	size_t head;         /* bytes of header lines so far */
	bool too_large, encoded;
	bool starved;     /* libcurl found no memory for a part of a URL */
	char refused[64]; /* the address that was refused, or "" */
	char visited[CMI_AIA_REDIRECTS_MAX + 1][CMI_URL_MAX + 1];
	unsigned hops;
};

static cmend_status refuse(struct transfer *t, cmend_status status,
	enum cmi_finding_id trouble, const char *what, const char *detail,
	cmend_error *err)
{
	struct cmi_fetch_answer *a = t->answer;

	a->trouble = trouble;
	snprintf(a->says, sizeof(a->says), "%.110s %s%.60s", a->url, what,
		detail);
	return cmi_fail(err, status, "%s %s%s", a->url, what, detail);
}

/* The target's own address is allowed whatever it is.  An address, never a
 * name: whoever answers for a name could say another one by now. */
static bool is_target(struct cmi_fetcher *f, const struct sockaddr *a)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list = NULL;
	bool same = false;

	if (!f->target_host ||
		getaddrinfo(f->target_host, NULL, &hints, &list) != 0)
		return false;
	for (struct addrinfo *i = list; i && !same; i = i->ai_next)
		same = cmi_address_same_host(i->ai_addr, a);
	freeaddrinfo(list);
	return same;
}

static bool may_connect(
	struct cmi_fetcher *f, const struct sockaddr *a, size_t n)
{
	switch (cmi_address_kind(a, n)) {
	case CMI_ADDRESS_PUBLIC:
		return true;
	case CMI_ADDRESS_PRIVATE:
		/* A proxy is named by the caller, and stands anywhere. */
		return f->allow_private || f->proxy || is_target(f, a);
	case CMI_ADDRESS_NEVER:
		return false;
	}
	return false;
}

/* libcurl is about to connect: the last place to look at the address, and the
 * only one that a DNS answer which changes its mind cannot pass. */
static curl_socket_t open_socket(
	void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer *t = ctx;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN ||
		!may_connect(t->f, &a->addr, a->addrlen)) {
		(void)cmi_address_text(
			&a->addr, t->refused, sizeof(t->refused));
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct cmi_buf *body = &t->answer->body;
	cmend_status status;

	(void)size; /* always 1 */
	cmi_buf_add(body, p, n);
	status = cmi_buf_status(body, NULL);
	t->starved |= status == CMEND_NOMEM;
	t->too_large |= status != CMEND_OK;
	return status == CMEND_OK ? n : 0;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
	static const char encoding[] = "content-encoding:";
	struct transfer *t = ctx;
	struct cmi_bytes line = {(const uint8_t *)p, n};
	struct cmi_bytes value = {0};

	(void)size;
	t->head += n;
	if (t->head > CMI_HTTP_HEAD_MAX) {
		t->too_large = true;
		return 0;
	}
	if (n > sizeof(encoding) - 1 &&
		cmi_text_equal_nocase(
			(struct cmi_bytes){line.p, sizeof(encoding) - 1},
			CMI_BYTES(encoding))) {
		value.p = line.p + sizeof(encoding) - 1;
		value.n = n - (sizeof(encoding) - 1);
		value = cmi_text_trim(value);
		t->encoded |= value.n && !cmi_text_equal_nocase(
						 value, CMI_BYTES("identity"));
	}
	return n;
}

/* Bytes that have no place in a URL (RFC 3986 section 2); a backslash also
 * marks what safe text had to escape. */
static bool has_forbidden_byte(const char *url)
{
	for (const char *p = url; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("\\\"<>^`{|}", *p))
			return true;
	return false;
}

/* One part; NULL when it is absent, or with t->starved.  Freed with
 * curl_free. */
static char *url_part(struct transfer *t, CURLU *u, CURLUPart part)
{
	char *v = NULL;
	CURLUcode code = cmi_curl.url_get(u, part, &v, 0);

	t->starved |= code == CURLUE_OUT_OF_MEMORY;
	return code ? NULL : v;
}

static bool has_part(struct transfer *t, CURLU *u, CURLUPart part)
{
	char *v = url_part(t, u, part);
	bool has = v != NULL;

	cmi_curl.free(v);
	return has;
}

/* Other well-known services must not be spoken to in HTTP. */
static bool port_is_fine(struct transfer *t, CURLU *u)
{
	char *text = url_part(t, u, CURLUPART_PORT);
	uint64_t port = 80;
	bool ok = !text || cmi_parse_uint(cmi_bytes_of(text), 65535, &port);

	cmi_curl.free(text);
	return ok && (port == 80 || port >= 1024 || t->f->allow_private);
}

/* Through a proxy the address is never seen: the host must do. */
static cmend_status vet_host(struct transfer *t, CURLU *u, cmend_error *err)
{
	char *host = url_part(t, u, CURLUPART_HOST);
	enum cmi_address_kind kind =
		host ? cmi_address_kind_of_host(host) : CMI_ADDRESS_NEVER;
	bool ok = !t->f->proxy || kind == CMI_ADDRESS_PUBLIC ||
		  (kind == CMI_ADDRESS_PRIVATE && t->f->allow_private);

	if (!ok)
		(void)refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"leads to a private address: ", host ? host : "none",
			err);
	cmi_curl.free(host);
	return ok ? CMEND_OK : CMEND_REFUSED;
}

static cmend_status vet_parts(struct transfer *t, CURLU *u, cmend_error *err)
{
	char *whole;

	CMI_TRY(vet_host(t, u, err));
	if (has_part(t, u, CURLUPART_USER) ||
		has_part(t, u, CURLUPART_PASSWORD))
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"carries a user name", "", err);
	if (!port_is_fine(t, u))
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"names the port of another service", "", err);
	(void)cmi_curl.url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	whole = url_part(t, u, CURLUPART_URL);
	if (!whole || strlen(whole) > CMI_URL_MAX) {
		cmi_curl.free(whole);
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"is no usable URL", "", err);
	}
	snprintf(t->visited[t->hops], sizeof(t->visited[0]), "%s", whole);
	cmi_curl.free(whole);
	return CMEND_OK;
}

static cmend_status vet_by_curl(
	struct transfer *t, const char *url, cmend_error *err)
{
	cmend_error why = {0};
	cmend_status status;
	CURLUcode code;
	CURLU *u;

	if (cmi_curl_load(&why) != CMEND_OK)
		return why.status == CMEND_NOMEM
			       ? cmi_nomem(err)
			       : refuse(t, why.status, CMI_F_AIA_REFUSED,
					 "is not asked: ", why.message, err);
	u = cmi_curl.url();
	if (!u)
		return cmi_nomem(err);
	code = cmi_curl.url_set(u, CURLUPART_URL, url, 0);
	if (code && code != CURLUE_OUT_OF_MEMORY)
		status = refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"is no URL", "", err);
	else
		status = code ? cmi_nomem(err) : vet_parts(t, u, err);
	cmi_curl.url_cleanup(u);
	/* Whatever was concluded from a part that could not be read. */
	return t->starved ? cmi_nomem(err) : status;
}

/* The URL as written is judged, then libcurl's own reading of it, which is
 * also what is sent: two parsers must not see two hosts. */
static cmend_status vet_url(
	struct transfer *t, const char *url, cmend_error *err)
{
	(void)cmi_safe_cstr(
		t->answer->url, sizeof(t->answer->url), cmi_bytes_of(url));
	if (strlen(url) > CMI_URL_MAX)
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"is longer than a URL may be", "", err);
	if (has_forbidden_byte(url))
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"has a character that no URL has", "", err);
	if (strncasecmp(url, "http://", 7) != 0)
		return refuse(t, CMEND_REFUSED,
			t->hops && strncasecmp(url, "https://", 8) != 0
				? CMI_F_AIA_REFUSED
				: CMI_F_AIA_NOT_HTTP,
			"is not plain http", "", err);
	/* libcurl forgives a third slash, and reads another host. */
	if (url[7] == '/' || url[7] == 0)
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"names no host", "", err);
	return vet_by_curl(t, url, err);
}

static void set_limits(struct transfer *t, int64_t ms)
{
	CURL *c = t->f->curl;

	CMI_CURL_ONLY(c, HTTP);
	cmi_curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	cmi_curl.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms);
	cmi_curl.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)ms);
	cmi_curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	cmi_curl.easy_setopt(
		c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->f->body_max);
	cmi_curl.easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	cmi_curl.easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
	cmi_curl.easy_setopt(
		c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* "" switches the environment's proxies off. */
	cmi_curl.easy_setopt(c, CURLOPT_PROXY, t->f->proxy ? t->f->proxy : "");
	cmi_curl.easy_setopt(c, CURLOPT_PROXYUSERNAME, t->f->proxy_user);
	cmi_curl.easy_setopt(c, CURLOPT_PROXYPASSWORD, t->f->proxy_password);
	cmi_curl.easy_setopt(c, CURLOPT_NOPROXY, "");
	/* libcurl's defaults, said aloud: no user data of any kind. */
	cmi_curl.easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	cmi_curl.easy_setopt(c, CURLOPT_COOKIEFILE, NULL);
	cmi_curl.easy_setopt(c, CURLOPT_ACCEPT_ENCODING, NULL);
	cmi_curl.easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	cmi_curl.easy_setopt(c, CURLOPT_USERAGENT, USER_AGENT);
}

static void set_callbacks(struct transfer *t)
{
	CURL *c = t->f->curl;

	cmi_curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	cmi_curl.easy_setopt(c, CURLOPT_WRITEDATA, t);
	cmi_curl.easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	cmi_curl.easy_setopt(c, CURLOPT_HEADERDATA, t);
}

/* libcurl's failure as a finding: nothing came (dead), or it was not wanted. */
static cmend_status name_failure(
	struct transfer *t, CURLcode code, cmend_error *err)
{
	long status = 0;

	if (t->starved || code == CURLE_OUT_OF_MEMORY)
		return cmi_nomem(err);
	if (t->refused[0])
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"leads to a private address: ", t->refused, err);
	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return refuse(t, CMEND_LIMIT, CMI_F_AIA_REFUSED,
			"answers more than is taken", "", err);
	(void)cmi_curl.easy_getinfo(
		t->f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return refuse(t, CMEND_TIMEOUT,
			status || t->head ? CMI_F_AIA_REFUSED : CMI_F_AIA_DEAD,
			status || t->head ? "answers too slowly"
					  : "does not answer in time",
			"", err);
	return refuse(t, CMEND_NET, CMI_F_AIA_DEAD,
		"cannot be had: ", cmi_curl.easy_strerror(code), err);
}

static struct curl_slist *post_headers(
	const char *post_type, const char *soap_action)
{
	char line[512];
	struct curl_slist *list = cmi_curl.slist_append(NULL, "Expect:");

	snprintf(line, sizeof(line), "Content-Type: %s",
		post_type ? post_type : "application/octet-stream");
	list = cmi_curl.slist_append(list, line);
	if (soap_action) {
		snprintf(line, sizeof(line), "SOAPAction: \"%s\"", soap_action);
		list = cmi_curl.slist_append(list, line);
	}
	return list;
}

/* One request without redirects; *next is the redirect's target, or NULL. */
static cmend_status perform(struct transfer *t, struct cmi_bytes post,
	struct curl_slist *headers, char **next, cmend_error *err)
{
	struct cmi_fetch_answer *a = t->answer;
	int64_t ms = t->deadline_ms - cmi_mono_ms(t->f->env);
	const char *type = NULL;
	CURLcode code;
	CURL *c;

	*next = NULL;
	CMI_TRY(cmi_fetcher_warm(t->f, err));
	c = t->f->curl;
	if (ms <= 0)
		return refuse(t, CMEND_TIMEOUT, CMI_F_AIA_REFUSED,
			"answers too slowly", "", err);
	cmi_curl.easy_reset(c);
	set_limits(t, ms);
	set_callbacks(t);
	cmi_curl.easy_setopt(c, CURLOPT_URL, t->visited[t->hops]);
	if (headers) {
		cmi_curl.easy_setopt(c, CURLOPT_POSTFIELDS, post.p);
		cmi_curl.easy_setopt(
			c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post.n);
		cmi_curl.easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	}
	t->head = 0;
	t->encoded = false;
	cmi_buf_clear(&a->body);
	code = cmi_curl.easy_perform(c);
	if (code)
		return name_failure(t, code, err);
	(void)cmi_curl.easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	(void)cmi_curl.easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	(void)cmi_safe_cstr(a->type, sizeof(a->type), cmi_bytes_of(type));
	if (a->status / 100 == 3)
		(void)cmi_curl.easy_getinfo(c, CURLINFO_REDIRECT_URL, next);
	return CMEND_OK;
}

static cmend_status check_answer(struct transfer *t, cmend_error *err)
{
	struct cmi_fetch_answer *a = t->answer;
	char status[16];

	snprintf(status, sizeof(status), "%ld", a->status);
	if (a->status / 100 != 2)
		return refuse(
			t, CMEND_NET, CMI_F_AIA_DEAD, "answers ", status, err);
	if (a->body.n == 0)
		return refuse(t, CMEND_PARSE, CMI_F_AIA_WRONG_CONTENT,
			"answers nothing", "", err);
	if (t->encoded)
		return refuse(t, CMEND_PARSE, CMI_F_AIA_WRONG_CONTENT,
			"answers compressed, which nobody asked for", "", err);
	return CMEND_OK;
}

static cmend_status follow(
	struct transfer *t, const char *next, cmend_error *err)
{
	if (t->hops == CMI_AIA_REDIRECTS_MAX)
		return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
			"redirects too often", "", err);
	t->hops++;
	CMI_TRY(vet_url(t, next, err));
	for (unsigned i = 0; i < t->hops; i++)
		if (strcmp(t->visited[i], t->visited[t->hops]) == 0)
			return refuse(t, CMEND_REFUSED, CMI_F_AIA_REFUSED,
				"redirects in a circle", "", err);
	return CMEND_OK;
}

static cmend_status run(struct transfer *t, const char *url,
	struct cmi_bytes post, struct curl_slist *headers, cmend_error *err)
{
	char *next = NULL; /* libcurl's, until its next transfer */

	CMI_TRY(vet_url(t, url, err));
	CMI_TRY(perform(t, post, headers, &next, err));
	while (next && !headers) {
		CMI_TRY(follow(t, next, err));
		CMI_TRY(perform(t, post, headers, &next, err));
	}
	return check_answer(t, err);
}

static cmend_status budget_left(
	struct transfer *t, const char *url, cmend_error *err)
{
	(void)cmi_safe_cstr(
		t->answer->url, sizeof(t->answer->url), cmi_bytes_of(url));
	if (t->f->left == 0)
		return refuse(t, CMEND_LIMIT, CMI_F_AIA_REFUSED,
			"is not asked: enough was fetched for one job", "",
			err);
	if (t->f->left_ms <= 0)
		return refuse(t, CMEND_TIMEOUT, CMI_F_AIA_REFUSED,
			"is not asked: the time for fetching is used up", "",
			err);
	return CMEND_OK;
}

static cmend_status fetch_within(struct cmi_fetcher *f, const char *url,
	int64_t ms, struct cmi_bytes post, struct curl_slist *headers,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	CMI_AUTO(cmi_freep) struct transfer *t = cmi_alloc(sizeof(*t));
	int64_t start = cmi_mono_ms(f->env);
	cmend_status status;

	*answer = (struct cmi_fetch_answer){0};
	cmi_buf_init(&answer->body, f->body_max);
	if (!t)
		return cmi_nomem(err);
	*t = (struct transfer){
		.f = f, .answer = answer, .deadline_ms = start + ms};
	CMI_TRY(budget_left(t, url, err));
	f->left--;
	f->count++;
	status = run(t, url, post, headers, err);
	f->left_ms -= cmi_mono_ms(f->env) - start;
	cmi_emit(f->env, "fetch", answer->url, status ? answer->says : "had",
		answer->status);
	return status;
}

cmend_status cmi_fetch_vet(const char *url, bool allow_private,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	CMI_AUTO(cmi_freep) struct transfer *t = cmi_alloc(sizeof(*t));
	struct cmi_fetcher f = {.allow_private = allow_private};

	*answer = (struct cmi_fetch_answer){0};
	if (!t)
		return cmi_nomem(err);
	t->f = &f;
	t->answer = answer;
	return vet_url(t, url, err);
}

/* The answer of another job that wants the same URL on the same terms. */
static enum cmi_flight join_others(struct cmi_fetcher *f, const char *key,
	const char *url, int64_t ms, struct cmi_fetch_answer *answer)
{
	int64_t start = cmi_mono_ms(f->env);
	enum cmi_flight is;

	*answer = (struct cmi_fetch_answer){.status = 200};
	cmi_buf_init(&answer->body, f->body_max);
	(void)cmi_safe_cstr(
		answer->url, sizeof(answer->url), cmi_bytes_of(url));
	is = cmi_flight_join(f->flights, key, ms, &answer->body);
	f->left_ms -= cmi_mono_ms(f->env) - start;
	if (is == CMI_FLIGHT_HAVE && cmi_buf_status(&answer->body, NULL))
		is = CMI_FLIGHT_LATE;
	if (is != CMI_FLIGHT_HAVE)
		cmi_buf_dispose(&answer->body);
	return is;
}

/* For AIA: half of what time is left, so that one host that hangs leaves some
 * for the next. */
static cmend_status get_some(void *ctx, const char *url,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	struct cmi_fetcher *f = ctx;
	int64_t ms = f->left_ms / 2 + 1;
	enum cmi_flight is = CMI_FLIGHT_LATE;
	char key[CMI_URL_MAX + 2 * CMI_NAME_MAX + 8];
	struct cmi_bytes body = {0};
	cmend_status status;

	/* What another may reach, this one may not. */
	snprintf(key, sizeof(key), "%d %.255s %.255s %.2048s", f->allow_private,
		f->target_host ? f->target_host : "-",
		f->proxy ? f->proxy : "-", url);
	if (f->flights && f->left && f->left_ms > 0)
		is = join_others(f, key, url, ms, answer);
	if (is == CMI_FLIGHT_HAVE)
		return CMEND_OK;
	if (ms > f->left_ms)
		ms = f->left_ms;
	status = fetch_within(
		f, url, ms, (struct cmi_bytes){0}, NULL, answer, err);
	if (status == CMEND_OK)
		body = cmi_buf_view(&answer->body);
	if (is == CMI_FLIGHT_LEAD)
		cmi_flight_land(f->flights, key, body);
	return status;
}

static unsigned count(void *ctx)
{
	return cmi_fetcher_count(ctx);
}

cmend_status cmi_fetch(struct cmi_fetcher *f, const char *url,
	struct cmi_bytes post, const char *post_type, const char *soap_action,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	struct curl_slist *headers;
	cmend_status status;

	*answer = (struct cmi_fetch_answer){0};
	CMI_TRY(cmi_fetcher_warm(f, err));
	headers = post.n ? post_headers(post_type, soap_action) : NULL;
	status = fetch_within(f, url, f->left_ms, post, headers, answer, err);
	cmi_curl.slist_free_all(headers);
	return status;
}

void cmi_fetch_answer_dispose(struct cmi_fetch_answer *a)
{
	cmi_buf_dispose(&a->body);
}

unsigned cmi_fetcher_count(const struct cmi_fetcher *f)
{
	return f->count;
}

const char *cmi_fetcher_url_of(
	const struct cmi_fetcher *f, const struct cmi_cert *c)
{
	return cmi_aia_url_of(f->aia, c);
}

const struct cmi_source *cmi_fetcher_aia_source(struct cmi_fetcher *f)
{
	return cmi_aia_source(f->aia);
}

void cmi_fetcher_free(struct cmi_fetcher *f)
{
	if (!f)
		return;
	cmi_aia_free(f->aia);
	if (f->curl)
		cmi_curl.easy_cleanup(f->curl);
	cmi_free(f->target_host);
	cmi_free(f->proxy);
	cmi_free(f->proxy_user);
	if (f->proxy_password)
		cmi_wipe(f->proxy_password, strlen(f->proxy_password));
	cmi_free(f->proxy_password);
	cmi_free(f);
}

cmend_status cmi_fetcher_warm(struct cmi_fetcher *f, cmend_error *err)
{
	if (f->curl)
		return CMEND_OK;
	CMI_TRY(cmi_curl_load(err));
	f->curl = cmi_curl.easy_init();
	return f->curl ? CMEND_OK : cmi_nomem(err);
}

void cmi_fetcher_foresee(void)
{
	cmi_curl_foresee();
}

void cmi_fetcher_settle(void)
{
	cmi_curl_settle();
}

static cmend_status copy_text(const char *from, char **to, cmend_error *err)
{
	*to = from ? cmi_strdup(from) : NULL;
	return from && !*to ? cmi_nomem(err) : CMEND_OK;
}

cmend_status cmi_fetcher_new(const struct cmi_fetch_options *o,
	struct cmi_fetcher **out, cmend_error *err)
{
	CMI_AUTO(cmi_fetcher_freep)
	struct cmi_fetcher *f = cmi_alloc(sizeof(*f));

	if (!f)
		return cmi_nomem(err);
	*f = (struct cmi_fetcher){
		.allow_private = o->allow_private,
		.left_ms = o->total_ms ? o->total_ms : CMI_AIA_TOTAL_MS,
		.left = o->fetches_max ? o->fetches_max : CMI_AIA_FETCHES_MAX,
		.body_max = o->body_max ? o->body_max : CMI_AIA_BODY_MAX,
		.env = o->env,
		.flights = o->store ? cmi_store_flights(o->store) : NULL,
	};
	CMI_TRY(copy_text(o->target_host, &f->target_host, err));
	CMI_TRY(copy_text(o->proxy, &f->proxy, err));
	CMI_TRY(copy_text(o->proxy_user, &f->proxy_user, err));
	CMI_TRY(copy_text(o->proxy_password, &f->proxy_password, err));
	/* What a proxy does not reach says nothing about the URL without it. */
	CMI_TRY(cmi_aia_new(&(struct cmi_aia_transport){get_some, count, f},
		o->proxy ? NULL : o->store, o->env, &f->aia, err));
	*out = CMI_TAKE(f);
	return CMEND_OK;
}
