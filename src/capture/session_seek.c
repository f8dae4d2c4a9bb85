/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does this connection speak?  Told by content, on any port: from its
 * first bytes, or, behind STARTTLS, SOCKS and whatever else comes before, by
 * a hello in the middle of other bytes.  Only where the capture begins in the
 * middle of a connection is a mere record head at a segment's start enough.
 */
#include "capture/session.h"

#include <string.h>

#include "wire/http1.h"
#include "wire/openvpn.h"
#include "wire/socks.h"
#include "wire/starttls.h"
#include "wire/tls.h"

/* Bytes of both directions looked through for a hello: dialogues before
 * STARTTLS are a few kilobytes. */
#define SEEK_MAX ((uint64_t)64 << 10)

/* First bytes of a direction. */
struct said {
	size_t n;
	uint8_t p[CMI_STARTTLS_HEAD];
};

struct cmi_session_seek {
	struct cmi_session_seek *next; /* of the spare ones */
	uint64_t passed[2];
	bool fresh[2]; /* what comes next is somebody's first word */
	bool weak;     /* the start was not seen */
	struct said said[2];
};

/* Kept for the next connections: each needs one for a few packets. */
#define SPARES_MAX 64

/* Where TLS is what one expects, damage before it must not hide it. */
static bool is_tls_port(uint16_t port)
{
	static const uint16_t ports[] = {
		443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 5061};

	for (size_t i = 0; i < CMI_LEN(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}

cmend_status cmi_session_seek_open(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_seek *seek = s->hub->spare_seek;

	if (seek) {
		s->hub->spare_seek = seek->next;
		s->hub->n_spare_seek--;
	} else {
		seek = cmi_alloc(sizeof(*seek));
		if (!seek)
			return cmi_nomem(err);
	}
	/* What was said is not wiped: only so much of it counts. */
	for (int i = 0; i < 2; i++) {
		seek->said[i].n = 0;
		seek->passed[i] = 0;
		seek->fresh[i] = true;
	}
	seek->next = NULL;
	seek->weak = (!s->info->saw_syn && !s->info->saw_syn_ack) ||
		     is_tls_port(s->info->client.port) ||
		     is_tls_port(s->info->server.port);
	cmi_session_enter(s, &cmi_session_mode_seek);
	s->seek = seek;
	return CMEND_OK;
}

static void seek_free(struct cmi_session *s)
{
	struct cmi_session_seek *seek = CMI_TAKE(s->seek);

	if (!seek)
		return;
	if (s->hub->ended || s->hub->n_spare_seek == SPARES_MAX) {
		cmi_free(seek);
		return;
	}
	seek->next = s->hub->spare_seek;
	s->hub->spare_seek = seek;
	s->hub->n_spare_seek++;
}

void cmi_session_seek_drop_spares(struct cmi_session_hub *hub)
{
	struct cmi_session_seek *seek;

	while ((seek = hub->spare_seek)) {
		hub->spare_seek = seek->next;
		cmi_free(seek);
	}
	hub->n_spare_seek = 0;
}

/* Enough of a record to tell one: its head and, of a handshake record, the
 * head of the message in it.  The answer must not depend on how the bytes
 * were split, so it is asked only of exactly so many. */
static enum cmi_match match_record(struct cmi_bytes data, size_t *need)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_tls_record r;
	uint8_t type, major;

	if (!cmi_cursor_u8(&c, &type) || type < 20 || type > 24 ||
		(cmi_cursor_u8(&c, &major) && major != 3))
		return CMI_MATCH_NONE;
	*need = CMI_TLS_RECORD_HEAD;
	if (data.n < *need)
		return CMI_MATCH_PART;
	c = cmi_cursor_of(data);
	if (!cmi_tls_record_head(&c, &r))
		return CMI_MATCH_NONE;
	*need += r.length < CMI_TLS_MESSAGE_HEAD ? r.length
						 : CMI_TLS_MESSAGE_HEAD;
	if (data.n < *need)
		return CMI_MATCH_PART;
	return cmi_tls_looks_like((struct cmi_bytes){data.p, *need})
		       ? CMI_MATCH_WHOLE
		       : CMI_MATCH_NONE;
}

static enum cmi_match match_ssl2(struct cmi_bytes data, size_t *need)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint8_t high, low, type;

	if (!cmi_cursor_u8(&c, &high) || !(high & 0x80) ||
		(cmi_cursor_u8(&c, &low) && cmi_cursor_u8(&c, &type) &&
			type != 1))
		return CMI_MATCH_NONE;
	*need = 11;
	if (data.n < *need)
		return CMI_MATCH_PART;
	return cmi_ssl2_looks_like_client_hello(data) ? CMI_MATCH_WHOLE
						      : CMI_MATCH_NONE;
}

static enum cmi_match match_http(struct cmi_bytes data, size_t *need)
{
	struct cmi_bytes answer = CMI_BYTES("HTTP/1.");

	*need = 0;
	if (cmi_http_looks_like_response(data))
		return CMI_MATCH_WHOLE;
	if (data.n < answer.n) {
		answer.n = data.n;
		if (cmi_bytes_equal(data, answer))
			return CMI_MATCH_PART;
	}
	return cmi_http_match_request(data);
}

static cmend_status enter_tls(struct cmi_session *s, cmend_error *err)
{
	const struct said *said = s->seek->said;
	struct cmi_bytes client = {said[CMI_CLIENT].p, said[CMI_CLIENT].n};
	struct cmi_bytes server = {said[CMI_SERVER].p, said[CMI_SERVER].n};

	if (!s->starttls && (s->info->saw_syn || s->info->saw_syn_ack))
		s->starttls = cmi_starttls_name(client, server);
	return cmi_session_tls_open(s, err);
}

static cmend_status open_tls(
	struct cmi_session *s, struct cmi_bytes data, cmend_error *err)
{
	(void)data;
	return enter_tls(s, err);
}

static cmend_status open_http(
	struct cmi_session *s, struct cmi_bytes data, cmend_error *err)
{
	const struct said *said = s->seek->said;
	struct cmi_bytes client = {said[CMI_CLIENT].p, said[CMI_CLIENT].n};
	struct cmi_bytes server = {said[CMI_SERVER].p, said[CMI_SERVER].n};

	(void)data;
	if (!s->starttls && s->seek->fresh[CMI_CLIENT] && client.n)
		s->starttls = cmi_starttls_name(client, server);
	return cmi_session_http_open(s, err);
}

static enum cmi_match match_openvpn(struct cmi_bytes data, size_t *need)
{
	size_t signature;

	return cmi_openvpn_match(data, need, &signature);
}

static cmend_status open_openvpn(
	struct cmi_session *s, struct cmi_bytes data, cmend_error *err)
{
	size_t need, signature;

	(void)cmi_openvpn_match(data, &need, &signature);
	return cmi_session_openvpn_open(s, signature, err);
}

/* The first bytes of a direction, or of a segment when the start is not to be
 * had.  *part: it cannot be told yet. */
static cmend_status seek_start(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, bool *part, cmend_error *err)
{
	static const struct {
		enum cmi_match (*match)(struct cmi_bytes data, size_t *need);
		cmend_status (*open)(struct cmi_session *s,
			struct cmi_bytes data, cmend_error *err);
		bool first; /* only of a direction's first bytes */
	} rows[] = {
		{match_record, open_tls, false},
		{match_ssl2, open_tls, false},
		{match_http, open_http, false},
		{match_openvpn, open_openvpn, true},
	};
	/* A zero byte alone, which the last begins with, keeps alive. */
	bool first = s->seek->fresh[side] &&
		     (s->info->saw_syn || s->info->saw_syn_ack);

	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t need = 0;

		if (rows[i].first && !first)
			continue;
		switch (rows[i].match(data, &need)) {
		case CMI_MATCH_NONE:
			break;
		case CMI_MATCH_PART:
			s->dir[side].need = need;
			*part = true;
			return CMEND_OK;
		case CMI_MATCH_WHOLE:
			return rows[i].open(s, data, err);
		}
	}
	return CMEND_OK;
}

static void note_said(struct said *said, struct cmi_bytes more)
{
	size_t room = CMI_STARTTLS_HEAD - said->n;

	if (more.n > room)
		more.n = room;
	if (more.n)
		memcpy(said->p + said->n, more.p, more.n);
	said->n += more.n;
}

/* Do these bytes end what a client says to a SOCKS proxy, after so many? Behind
 * them a talk begins anew. */
static bool ends_socks(
	const struct said *said, struct cmi_bytes data, size_t *used)
{
	const uint8_t *first = said->n ? said->p : data.p;
	struct said all;
	size_t end;

	if (!data.n || (*first != 4 && *first != 5) ||
		said->n == sizeof(said->p))
		return false;
	all.n = 0;
	note_said(&all, (struct cmi_bytes){said->p, said->n});
	note_said(&all, data);
	if (cmi_socks_asked((struct cmi_bytes){all.p, all.n}, &end) !=
			CMI_MATCH_WHOLE ||
		end <= said->n)
		return false;
	*used = end - said->n;
	return true;
}

static void pass_by(struct cmi_session_seek *seek, enum cmi_side side,
	struct cmi_bytes data, bool fresh)
{
	note_said(&seek->said[side], data);
	seek->passed[side] += data.n;
	seek->fresh[side] = fresh;
}

static cmend_status seek_eat(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_session_seek *seek = s->seek;
	enum cmi_match match;
	uint64_t passed, budget;
	bool part = false;
	size_t at;

	if (seek->fresh[side] || seek->weak) {
		CMI_TRY(seek_start(s, side, data, &part, err));
		if (part || s->mode != &cmi_session_mode_seek)
			return CMEND_OK;
	}
	if (ends_socks(&seek->said[side], data, used)) {
		pass_by(seek, side, (struct cmi_bytes){data.p, *used}, true);
		return CMEND_OK;
	}
	passed = seek->passed[CMI_CLIENT] + seek->passed[CMI_SERVER];
	budget = SEEK_MAX - passed;
	if (data.n > budget + CMI_TLS_MATCH_NEEDS - 1)
		data.n = (size_t)budget + CMI_TLS_MATCH_NEEDS - 1;
	at = data.n;
	match = cmi_tls_find_start(data, &at);
	if (at >= budget) {
		cmi_session_enter(s, NULL);
		return CMEND_OK;
	}
	if (match == CMI_MATCH_WHOLE && at == 0)
		return enter_tls(s, err);
	if (match != CMI_MATCH_NONE)
		s->dir[side].need = CMI_TLS_MATCH_NEEDS;
	if (at)
		pass_by(seek, side, (struct cmi_bytes){data.p, at}, false);
	*used = at;
	return CMEND_OK;
}

static cmend_status seek_gap(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	(void)n;
	(void)err;
	cmi_buf_clear(&s->dir[side].kept);
	s->dir[side].skip = 0;
	s->seek->passed[side] += s->seek->passed[side] == 0;
	s->seek->fresh[side] = false;
	s->seek->weak = true;
	return CMEND_OK;
}

static cmend_status seek_end(
	struct cmi_session *s, bool capture_ends, cmend_error *err)
{
	(void)s;
	(void)capture_ends;
	(void)err;
	return CMEND_OK;
}

static size_t seek_holds(const struct cmi_session *s)
{
	return s->seek ? sizeof(*s->seek) : 0;
}

const struct cmi_session_mode cmi_session_mode_seek = {
	.eat = seek_eat,
	.gap = seek_gap,
	.end = seek_end,
	.holds = seek_holds,
	.free = seek_free,
};
