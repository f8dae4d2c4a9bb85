/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/url.h"

#include <string.h>

#include "core/cursor.h"
#include "core/text.h"

static void wipe_text(char *text)
{
	if (text)
		cmi_wipe(text, strlen(text));
	cmi_free(text);
}

void cmi_redis_url_dispose(struct cmi_redis_url *u)
{
	cmi_free(u->path);
	cmi_free(u->host);
	cmi_free(u->port);
	wipe_text(u->user);
	wipe_text(u->password);
	*u = (struct cmi_redis_url){0};
}

/* The URL is never quoted: it may hold a password. */
static cmend_status wrong(cmend_error *err, const char *what)
{
	return cmi_fail(err, CMEND_ARG,
		"redis URL with %s; write redis://[user:password@]host[:port]"
		"[/db], rediss:// for TLS, or unix:///path",
		what);
}

static cmend_status keep(char **out, struct cmi_bytes text, cmend_error *err)
{
	*out = cmi_strndup(text.p, text.n);
	return *out ? CMEND_OK : cmi_nomem(err);
}

static cmend_status unescape(
	char **out, struct cmi_bytes text, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_bytes hex;
	uint8_t v;

	cmi_buf_init_secret(&b, text.n + 1);
	while (cmi_cursor_u8(&c, &v)) {
		if (v != '%') {
			cmi_buf_u8(&b, v);
			continue;
		}
		if (!cmi_cursor_bytes(&c, 2, &hex) ||
			cmi_hex_decode(&b, hex, NULL) != CMEND_OK)
			return wrong(err, "a bad percent escape");
	}
	CMI_TRY(cmi_buf_status(&b, err));
	CMI_TRY(keep(out, cmi_buf_view(&b), err));
	return CMEND_OK;
}

/* Split text at the last `at`; false where there is none. */
static bool split_last(struct cmi_bytes text, uint8_t at,
	struct cmi_bytes *before, struct cmi_bytes *after)
{
	const uint8_t *hit = text.n ? memrchr(text.p, at, text.n) : NULL;

	if (!hit)
		return false;
	*before = (struct cmi_bytes){text.p, (size_t)(hit - text.p)};
	*after = (struct cmi_bytes){hit + 1, text.n - before->n - 1};
	return true;
}

static cmend_status take_credentials(
	struct cmi_redis_url *u, struct cmi_bytes text, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_bytes user;

	if (!cmi_cursor_until(&c, ':', &user))
		return unescape(&u->password, text, err);
	if (user.n)
		CMI_TRY(unescape(&u->user, user, err));
	return unescape(&u->password, cmi_cursor_rest(&c), err);
}

static cmend_status take_host(
	struct cmi_redis_url *u, struct cmi_bytes text, cmend_error *err)
{
	struct cmi_bytes host = text, port = CMI_BYTES("6379");
	uint64_t number;

	if (text.n && text.p[0] == '[') {
		if (!split_last(text, ']', &host, &port))
			return wrong(err, "a [ without ]");
		host = (struct cmi_bytes){host.p + 1, host.n - 1};
		if (port.n && port.p[0] == ':')
			port = (struct cmi_bytes){port.p + 1, port.n - 1};
		else if (port.n)
			return wrong(err, "something behind ]");
		else
			port = CMI_BYTES("6379");
	} else {
		(void)split_last(text, ':', &host, &port);
	}
	if (!host.n || memchr(host.p, 0, host.n))
		return wrong(err, "no host");
	if (!cmi_parse_uint(port, 65535, &number) || !number)
		return wrong(err, "a wrong port");
	CMI_TRY(keep(&u->host, host, err));
	return keep(&u->port, port, err);
}

static cmend_status take_authority(
	struct cmi_redis_url *u, struct cmi_bytes text, cmend_error *err)
{
	struct cmi_bytes credentials, host = text, db;
	uint64_t number = 0;

	if (split_last(text, '@', &credentials, &host))
		CMI_TRY(take_credentials(u, credentials, err));
	if (split_last(host, '/', &text, &db)) {
		host = text;
		if (db.n && !cmi_parse_uint(db, 9999, &number))
			return wrong(err, "a wrong database number");
	}
	u->db = (unsigned)number;
	return take_host(u, host, err);
}

cmend_status cmi_redis_url_parse(
	const char *url, struct cmi_redis_url *out, cmend_error *err)
{
	struct cmi_redis_url u = {0};
	struct cmi_bytes text = cmi_bytes_of(url);
	struct cmi_cursor c = cmi_cursor_of(text);
	cmend_status status;

	if (cmi_text_trim(text).n != text.n)
		return wrong(err, "white space");
	u.tls = cmi_text_starts(text, "rediss://");
	if (cmi_text_starts(text, "unix:///")) {
		(void)cmi_cursor_skip(&c, strlen("unix://"));
		status = keep(&u.path, cmi_cursor_rest(&c), err);
	} else if (cmi_text_starts(text, "redis://") || u.tls) {
		(void)cmi_cursor_skip(&c, strlen("redis://") + u.tls);
		status = take_authority(&u, cmi_cursor_rest(&c), err);
	} else {
		status = wrong(err, "another scheme");
	}
	if (status != CMEND_OK) {
		cmi_redis_url_dispose(&u);
		return status;
	}
	*out = u;
	return CMEND_OK;
}
