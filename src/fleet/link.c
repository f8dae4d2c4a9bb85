/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/link.h"

#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "core/buf.h"
#include "core/limits.h"
#include "core/text.h"
#include "fleet/socket.h"

/* cmi_reply is hiredis' own tree: the public side sees only accessors. */
struct cmi_reply {
	redisReply r;
};

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

/* No element of a reply is shorter than "+\r\n". */
#define ELEMENTS_MAX (CMI_FLEET_REPLY_MAX / 3)

struct cmi_link {
	struct cmi_socket *socket;
	redisReader *reader;
	redisReplyObjectFunctions functions; /* hiredis' own, but for arrays */
	void *(*create_array)(const redisReadTask *task, element_count n);
	struct cmi_buf out;
	int wait_ms;
	size_t fed;      /* bytes since the last whole reply */
	size_t elements; /* announced since then */
	bool broken;
};

/* hiredis believes what is announced, and takes room for two thousand million
 * at one word. */
static void *create_array(const redisReadTask *task, element_count n)
{
	struct cmi_link *link = task->privdata;

	link->elements += (size_t)n;
	return link->elements > ELEMENTS_MAX ? NULL
					     : link->create_array(task, n);
}

static bool make_reader(struct cmi_link *link)
{
	link->reader = redisReaderCreate();
	if (!link->reader)
		return false;
	link->functions = *link->reader->fn;
	link->create_array = link->functions.createArray;
	link->functions.createArray = create_array;
	link->reader->fn = &link->functions;
	link->reader->privdata = link;
	return true;
}

void cmi_link_close(struct cmi_link *link)
{
	if (!link)
		return;
	cmi_socket_close(link->socket);
	if (link->reader)
		redisReaderFree(link->reader);
	cmi_buf_dispose(&link->out);
	cmi_free(link);
}

void cmi_reply_free(struct cmi_reply *r)
{
	if (r)
		freeReplyObject(&r->r);
}

enum cmi_reply_kind cmi_reply_kind(const struct cmi_reply *r)
{
	if (!r)
		return CMI_REPLY_NIL;
	switch (r->r.type) {
	case REDIS_REPLY_INTEGER:
		return CMI_REPLY_INT;
	case REDIS_REPLY_ARRAY:
		return CMI_REPLY_LIST;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return CMI_REPLY_TEXT;
	case REDIS_REPLY_ERROR:
		return CMI_REPLY_ERROR;
	default:
		return CMI_REPLY_NIL;
	}
}

struct cmi_bytes cmi_reply_text(const struct cmi_reply *r)
{
	enum cmi_reply_kind kind = r ? cmi_reply_kind(r) : CMI_REPLY_NIL;

	if (kind != CMI_REPLY_TEXT && kind != CMI_REPLY_ERROR)
		return (struct cmi_bytes){0};
	return (struct cmi_bytes){(const uint8_t *)r->r.str, r->r.len};
}

int64_t cmi_reply_int(const struct cmi_reply *r)
{
	return r && r->r.type == REDIS_REPLY_INTEGER ? r->r.integer : 0;
}

size_t cmi_reply_count(const struct cmi_reply *r)
{
	return r && r->r.type == REDIS_REPLY_ARRAY ? r->r.elements : 0;
}

const struct cmi_reply *cmi_reply_at(const struct cmi_reply *r, size_t i)
{
	if (i >= cmi_reply_count(r))
		return NULL;
	return (const struct cmi_reply *)r->r.element[i];
}

cmend_status cmi_link_add(struct cmi_link *link, const struct cmi_bytes *words,
	size_t n, cmend_error *err)
{
	cmi_buf_printf(&link->out, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++) {
		cmi_buf_printf(&link->out, "$%zu\r\n", words[i].n);
		cmi_buf_add_bytes(&link->out, words[i]);
		cmi_buf_text(&link->out, "\r\n");
	}
	return cmi_buf_status(&link->out, err);
}

/* Replies of Redis nest four deep; what frees one calls itself at each level.
 */
#define DEPTH_MAX 8

static cmend_status broke(struct cmi_link *link, cmend_status status)
{
	if (status != CMEND_OK)
		link->broken = true;
	return status;
}

cmend_status cmi_link_flush(struct cmi_link *link, cmend_error *err)
{
	cmend_status status;

	if (link->broken)
		return cmi_fail(err, CMEND_NET, "redis: the link is broken");
	if (!link->out.n)
		return CMEND_OK;
	status = cmi_socket_write(
		link->socket, cmi_buf_view(&link->out), link->wait_ms, err);
	cmi_buf_clear(&link->out);
	return broke(link, status);
}

static cmend_status feed_more(
	struct cmi_link *link, int wait_ms, cmend_error *err)
{
	uint8_t chunk[16384];
	size_t got = 0;

	CMI_TRY(cmi_socket_read(
		link->socket, chunk, sizeof(chunk), wait_ms, &got, err));
	link->fed += got;
	if (link->fed > CMI_FLEET_REPLY_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"redis: an answer of more than %zu bytes",
			CMI_FLEET_REPLY_MAX);
	if (redisReaderFeed(link->reader, (const char *)chunk, got) != REDIS_OK)
		return cmi_fail(
			err, CMEND_PARSE, "redis: %s", link->reader->errstr);
	return CMEND_OK;
}

static cmend_status unreadable(const struct cmi_link *link, cmend_error *err)
{
	if (link->elements > ELEMENTS_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"redis: an answer of more than %zu elements",
			ELEMENTS_MAX);
	return cmi_fail(err, CMEND_PARSE, "redis: %s", link->reader->errstr);
}

cmend_status cmi_link_reply(struct cmi_link *link, int extra_ms,
	struct cmi_reply **out, cmend_error *err)
{
	void *reply = NULL;

	CMI_TRY(cmi_link_flush(link, err));
	for (;;) {
		if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
			return broke(link, unreadable(link, err));
		if (reply)
			break;
		if (link->reader->ridx > DEPTH_MAX)
			return broke(
				link, cmi_fail(err, CMEND_PARSE,
					      "redis: an answer nested too "
					      "deeply"));
		CMI_TRY(broke(
			link, feed_more(link, link->wait_ms + extra_ms, err)));
	}
	link->fed = link->elements = 0;
	*out = reply;
	return CMEND_OK;
}

static cmend_status refused(const struct cmi_reply *reply, cmend_error *err)
{
	char text[200];

	cmi_safe_cstr(text, sizeof(text), cmi_reply_text(reply));
	return cmi_fail(err, CMEND_REFUSED, "redis: %s", text);
}

cmend_status cmi_link_ask(struct cmi_link *link, struct cmi_reply **out,
	cmend_error *err, const char *const *words)
{
	CMI_AUTO(cmi_reply_freep) struct cmi_reply *reply = NULL;
	struct cmi_bytes list[32];
	size_t n = 0;

	for (; n < CMI_LEN(list) && words[n]; n++)
		list[n] = cmi_bytes_of(words[n]);
	CMI_TRY(cmi_link_add(link, list, n, err));
	CMI_TRY(cmi_link_reply(link, 0, &reply, err));
	if (cmi_reply_kind(reply) == CMI_REPLY_ERROR)
		return refused(reply, err);
	if (out)
		*out = CMI_TAKE(reply);
	return CMEND_OK;
}

static cmend_status log_in(struct cmi_link *link,
	const struct cmi_redis_url *where, cmend_error *err)
{
	char db[16];

	if (where->password && where->user)
		CMI_TRY(CMI_ASK(
			link, NULL, err, "AUTH", where->user, where->password));
	else if (where->password)
		CMI_TRY(CMI_ASK(link, NULL, err, "AUTH", where->password));
	snprintf(db, sizeof(db), "%u", where->db);
	if (where->db)
		CMI_TRY(CMI_ASK(link, NULL, err, "SELECT", db));
	return CMI_ASK(link, NULL, err, "PING");
}

static cmend_status open_at(const struct cmi_redis_url *where,
	const struct cmi_link_options *options, struct cmi_link *link,
	cmend_error *err)
{
	cmend_status status;

	link->wait_ms = options->wait_ms ? options->wait_ms : CMI_FLEET_WAIT_MS;
	cmi_buf_init(&link->out, CMI_FLEET_REPLY_MAX);
	if (!make_reader(link))
		return cmi_nomem(err);
	CMI_TRY(cmi_socket_open(
		where, options->ca_file, link->wait_ms, &link->socket, err));
	status = log_in(link, where, err);
	/* The password stood there; nothing that follows is secret. */
	cmi_wipe(link->out.p, link->out.cap);
	return status;
}

cmend_status cmi_link_open(const struct cmi_link_options *options,
	struct cmi_link **out, cmend_error *err)
{
	CMI_AUTO(cmi_link_closep) struct cmi_link *link = NULL;
	struct cmi_redis_url where = {0};
	cmend_status status;

	CMI_TRY(cmi_redis_url_parse(options->url, &where, err));
	link = cmi_alloc(sizeof(*link));
	status = link ? open_at(&where, options, link, err) : cmi_nomem(err);
	cmi_redis_url_dispose(&where);
	CMI_TRY(status);
	*out = CMI_TAKE(link);
	return CMEND_OK;
}
