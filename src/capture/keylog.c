/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/keylog.h"

#include <string.h>

#include "core/buf.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/map.h"
#include "core/text.h"

#define RANDOM_N 32
/* A SHA-384 secret, or a master secret, has 48 bytes. */
#define SECRET_MAX 64

struct secret {
	struct secret *next;       /* all of them, for the end */
	uint8_t key[1 + RANDOM_N]; /* kind, client random */
	uint8_t value[SECRET_MAX];
	size_t n;
};

struct cmi_keylog {
	struct cmi_map by_key;
	struct secret *all;
	size_t n;
};

cmend_status cmi_keylog_new(struct cmi_keylog **out, cmend_error *err)
{
	struct cmi_keylog *k = cmi_alloc(sizeof(*k));

	if (!k)
		return cmi_nomem(err);
	cmi_map_init(&k->by_key);
	*out = k;
	return CMEND_OK;
}

void cmi_keylog_free(struct cmi_keylog *k)
{
	if (!k)
		return;
	while (k->all) {
		struct secret *next = k->all->next;

		cmi_wipe(k->all, sizeof(*k->all));
		cmi_free(k->all);
		k->all = next;
	}
	cmi_map_dispose(&k->by_key);
	cmi_free(k);
}

static bool kind_of(struct cmi_bytes label, enum cmi_secret *out)
{
	static const struct {
		const char *label;
		enum cmi_secret kind;
	} rows[] = {
		{"CLIENT_RANDOM", CMI_SECRET_CLIENT_RANDOM},
		{"CLIENT_EARLY_TRAFFIC_SECRET", CMI_SECRET_CLIENT_EARLY},
		{"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
			CMI_SECRET_CLIENT_HANDSHAKE},
		{"SERVER_HANDSHAKE_TRAFFIC_SECRET",
			CMI_SECRET_SERVER_HANDSHAKE},
		{"CLIENT_TRAFFIC_SECRET_0", CMI_SECRET_CLIENT_TRAFFIC},
		{"SERVER_TRAFFIC_SECRET_0", CMI_SECRET_SERVER_TRAFFIC},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		if (cmi_bytes_equal(label, cmi_bytes_of(rows[i].label))) {
			*out = rows[i].kind;
			return true;
		}
	}
	return false;
}

static cmend_status put(struct cmi_keylog *k, enum cmi_secret kind,
	struct cmi_bytes random, struct cmi_bytes value, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(random);
	uint8_t key[1 + RANDOM_N] = {(uint8_t)kind};
	struct secret *s;

	(void)cmi_cursor_copy(&c, key + 1, RANDOM_N);
	s = cmi_map_get(&k->by_key, (struct cmi_bytes){key, sizeof(key)});
	if (!s) {
		if (k->n == CMI_SECRETS_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"a key log of more than %zu secrets",
				CMI_SECRETS_MAX);
		s = cmi_alloc(sizeof(*s));
		if (!s)
			return cmi_nomem(err);
		memcpy(s->key, key, sizeof(key));
		s->next = k->all;
		k->all = s;
		k->n++;
		CMI_TRY(cmi_map_put(&k->by_key,
			(struct cmi_bytes){s->key, sizeof(s->key)}, s, err));
	}
	c = cmi_cursor_of(value);
	(void)cmi_cursor_copy(&c, s->value, value.n);
	s->n = value.n;
	return CMEND_OK;
}

/* The next word of a line; words are split by single spaces. */
static struct cmi_bytes next_word(struct cmi_cursor *c)
{
	struct cmi_bytes word;

	if (!cmi_cursor_until(c, ' ', &word)) {
		word = cmi_cursor_rest(c);
		(void)cmi_cursor_skip(c, c->n);
	}
	return cmi_text_trim(word);
}

/* "LABEL client-random-in-hex secret-in-hex"; what is not that is skipped. */
static cmend_status add_line(
	struct cmi_keylog *k, struct cmi_bytes line, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_text_trim(line));
	struct cmi_bytes label = next_word(&c);
	struct cmi_buf random, value;
	enum cmi_secret kind;
	cmend_status status = CMEND_OK;
	cmend_error why;

	if (!kind_of(label, &kind))
		return CMEND_OK;
	cmi_buf_init(&random, RANDOM_N);
	cmi_buf_init_secret(&value, SECRET_MAX);
	if (!cmi_hex_decode(&random, next_word(&c), &why) &&
		!cmi_hex_decode(&value, next_word(&c), &why) &&
		random.n == RANDOM_N && value.n && c.n == 0)
		status = put(k, kind, cmi_buf_view(&random),
			cmi_buf_view(&value), err);
	cmi_buf_dispose(&random);
	cmi_buf_dispose(&value);
	return status;
}

cmend_status cmi_keylog_add(
	struct cmi_keylog *k, struct cmi_bytes text, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_bytes line;

	while (cmi_cursor_line(&c, &line))
		CMI_TRY(add_line(k, line, err));
	return add_line(k, cmi_cursor_rest(&c), err);
}

cmend_status cmi_keylog_read(struct cmi_keylog *k, const char *path,
	const struct cmi_env *env, cmend_error *err)
{
	size_t before = k->n;
	cmend_status status;
	struct cmi_buf text;

	cmi_buf_init_secret(&text, CMI_FILE_MAX);
	status = cmi_file_read_with(env, path, &text, err);
	if (status == CMEND_OK)
		status = cmi_keylog_add(k, cmi_buf_view(&text), err);
	/* An empty log is what a program writes that has not connected yet. */
	if (status == CMEND_OK && text.n && k->n == before)
		status = cmi_fail(err, CMEND_PARSE,
			"no TLS secrets in \"%s\": one line a secret is "
			"wanted, as SSLKEYLOGFILE has them",
			path);
	cmi_buf_dispose(&text);
	return status;
}

struct cmi_bytes cmi_keylog_find(const struct cmi_keylog *k,
	enum cmi_secret kind, struct cmi_bytes client_random)
{
	struct cmi_cursor c = cmi_cursor_of(client_random);
	uint8_t key[1 + RANDOM_N] = {(uint8_t)kind};
	const struct secret *s;

	if (!k || c.n != RANDOM_N || !cmi_cursor_copy(&c, key + 1, RANDOM_N))
		return (struct cmi_bytes){0};
	s = cmi_map_get(&k->by_key, (struct cmi_bytes){key, sizeof(key)});
	return s ? (struct cmi_bytes){s->value, s->n} : (struct cmi_bytes){0};
}

bool cmi_keylog_has(const struct cmi_keylog *k, struct cmi_bytes client_random)
{
	if (!k || k->n == 0)
		return false;
	for (int kind = 0; kind < CMI_SECRET_COUNT; kind++)
		if (cmi_keylog_find(k, (enum cmi_secret)kind, client_random).n)
			return true;
	return false;
}
