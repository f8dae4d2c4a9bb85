/* SPDX-License-Identifier: Apache-2.0 */
#include "report/read.h"

#include <string.h>

#include "core/json_read.h"
#include "core/text.h"

/* Findings and clients of one line; more than we ever write. */
#define ROWS_MAX ((size_t)200)

struct reader {
	struct cmi_arena *arena;
	struct cmi_buf text;
	bool full; /* the arena is */
};

static void *take_room(struct reader *r, size_t n)
{
	void *p = cmi_arena_alloc(r->arena, n);

	r->full |= !p;
	return p;
}

/* Nothing of it reaches a terminal as a control character. */
static void make_safe(struct cmi_buf *b)
{
	for (size_t i = 0; i < b->n;) {
		size_t n = cmi_utf8_length(b->p + i, b->n - i);
		bool c1 = n == 2 && b->p[i] == 0xc2 && b->p[i + 1] < 0xa0;

		if (n > 1 && !c1) {
			i += n;
			continue;
		}
		if (n != 1 || b->p[i] < 0x20 || b->p[i] == 0x7f)
			b->p[i] = '?';
		i++;
	}
}

static struct cmi_bytes unescaped(
	struct reader *r, const struct cmi_json_value *v)
{
	cmi_buf_clear(&r->text);
	cmi_json_unescape(&r->text, v->raw);
	make_safe(&r->text);
	return cmi_buf_view(&r->text);
}

/* The text of that member; NULL: absent, or no text. */
static const char *text_of(
	struct reader *r, const struct cmi_json_value *in, const char *key)
{
	struct cmi_json_value v;
	struct cmi_bytes text;
	char *copy;

	if (!cmi_json_find(in, key, &v) || v.kind != CMI_JSON_TEXT)
		return NULL;
	text = unescaped(r, &v);
	copy = cmi_arena_strndup(r->arena, text.p, text.n);
	r->full |= !copy;
	return copy;
}

static int64_t time_of(
	struct reader *r, const struct cmi_json_value *in, const char *key)
{
	const char *text = text_of(r, in, key);
	int64_t s = 0;

	return text && cmi_time_parse(cmi_bytes_of(text), &s) ? s : 0;
}

static enum cmi_finding_id finding_of(
	struct reader *r, const struct cmi_json_value *in, const char *key)
{
	const char *name = text_of(r, in, key);

	return name ? cmi_finding_by_name(cmi_bytes_of(name)) : CMI_F_NONE;
}

/* How many elements that member has; 0: it is no list. */
static size_t list_of(const struct cmi_json_value *in, const char *key,
	size_t max, struct cmi_cursor *out)
{
	struct cmi_json_value v;
	struct cmi_cursor c;
	size_t n = 0;

	if (!cmi_json_find(in, key, &v) || v.kind != CMI_JSON_ARRAY)
		return 0;
	*out = cmi_cursor_of(v.raw);
	for (c = *out; n < max && cmi_json_element(&c, &v); n++)
		;
	return n;
}

static unsigned word_of(
	const char *text, const char *(*name)(unsigned), unsigned n)
{
	unsigned i = 0;

	while (i < n && !(text && name(i) && strcmp(name(i), text) == 0))
		i++;
	return i;
}

static const char *severity_name(unsigned i)
{
	return cmi_severity_name((enum cmi_severity)i);
}

static const char *blame_name(unsigned i)
{
	return cmi_blame_name((enum cmi_blame)i);
}

static const char *origin_name(unsigned i)
{
	return cmi_origin_name((enum cmi_origin)i);
}

static const char *version_name(unsigned i)
{
	return cmi_tls_version_name((uint16_t)(0x0300 + i));
}

/* ------------------------------------------------------------- certificates */

/* "CN=..." up to a comma that is not escaped (RFC 4514 section 2.4). */
static char *common_name_of(struct reader *r, const char *subject)
{
	size_t n = 3;
	char *copy;

	if (!subject || strncmp(subject, "CN=", 3) != 0)
		return NULL;
	while (subject[n] && subject[n] != ',')
		n += subject[n] == '\\' && subject[n + 1] ? 2 : 1;
	copy = cmi_arena_strndup(r->arena, subject + 3, n - 3);
	r->full |= !copy;
	return copy;
}

static struct cmi_cert *outline(
	struct reader *r, const struct cmi_json_value *v)
{
	struct cmi_cert *c = take_room(r, sizeof(*c));
	const char *digest = text_of(r, v, "sha256");
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf bytes;

	cmi_buf_init(&bytes, CMI_SHA256_LEN + 1);
	if (!c || !digest ||
		cmi_hex_decode(&bytes, cmi_bytes_of(digest), NULL) !=
			CMEND_OK ||
		bytes.n != CMI_SHA256_LEN)
		return NULL;
	memcpy(c->sha256, bytes.p, CMI_SHA256_LEN);
	cmi_hex_cstr(c->sha256_hex, c->sha256, CMI_SHA256_LEN);
	c->subject = (char *)text_of(r, v, "subject");
	c->issuer = (char *)text_of(r, v, "issuer");
	c->common_name = common_name_of(r, c->subject);
	c->not_before_s = time_of(r, v, "not_before");
	c->not_after_s = time_of(r, v, "not_after");
	return c;
}

/* A malformed one has no subject. */
static void take_sent(struct reader *r, const struct cmi_json_value *line,
	struct cmi_item_endpoint *e)
{
	struct cmi_json_value v;
	struct cmi_item_cert *certs;
	struct cmi_cursor c;
	size_t n = list_of(line, "sent", CMI_SENT_CERTS_MAX, &c);

	certs = n ? take_room(r, n * sizeof(*certs)) : NULL;
	for (size_t i = 0; certs && i < n && cmi_json_element(&c, &v); i++) {
		struct cmi_cert *cert = outline(r, &v);

		certs[i].cert = cert && cert->subject ? cert : NULL;
		e->n_sent = i + 1;
	}
	e->sent = certs;
}

/* The one sent says more of it. */
static struct cmi_cert *sent_one(
	const struct cmi_item_endpoint *e, struct cmi_cert *c)
{
	size_t place = cmi_endpoint_sent_place(e, c);

	return place ? (struct cmi_cert *)e->sent[place - 1].cert : c;
}

static void take_path(struct reader *r, const struct cmi_json_value *line,
	struct cmi_read_endpoint *out)
{
	struct cmi_json_value v;
	struct cmi_cursor c;
	size_t n = list_of(line, "path", CMI_PATH_MAX, &c);

	out->e.path = &out->path;
	for (size_t i = 0; i < n && cmi_json_element(&c, &v); i++) {
		struct cmi_cert *cert = outline(r, &v);
		unsigned from = word_of(text_of(r, &v, "from"), origin_name,
			CMI_FROM_ANCHOR + 1);

		if (!cert)
			return;
		out->path.certs[i] = sent_one(&out->e, cert);
		out->path.origins[i] =
			from <= CMI_FROM_ANCHOR ? from : CMI_FROM_FILE;
		out->path.n = i + 1;
		out->e.path_has_anchor = from == CMI_FROM_ANCHOR;
	}
}

/* --------------------------------------------------------------------- rows */

static void take_findings(struct reader *r, const struct cmi_json_value *line,
	struct cmi_item_endpoint *e)
{
	struct cmi_json_value v, inferred;
	struct cmi_finding *list;
	struct cmi_cursor c;
	size_t n = list_of(line, "findings", ROWS_MAX, &c);

	list = n ? take_room(r, n * sizeof(*list)) : NULL;
	e->findings = list;
	while (list && e->n_findings < n && cmi_json_element(&c, &v)) {
		struct cmi_finding *f = &list[e->n_findings];
		unsigned severity = word_of(text_of(r, &v, "severity"),
			severity_name, CMI_SEVERITY_INFO + 1);
		unsigned blame = word_of(
			text_of(r, &v, "blame"), blame_name, CMI_BLAME_CA + 1);

		*f = (struct cmi_finding){
			.id = finding_of(r, &v, "id"),
			.severity = severity <= CMI_SEVERITY_INFO
					    ? severity
					    : CMI_SEVERITY_INFO,
			.blame = blame <= CMI_BLAME_CA ? blame : CMI_BLAME_NONE,
			.inferred = cmi_json_find(&v, "inferred", &inferred) &&
				    inferred.kind == CMI_JSON_TRUE,
			.subject = text_of(r, &v, "subject"),
			.says = text_of(r, &v, "says"),
			.remedy = text_of(r, &v, "remedy"),
		};
		/* One that we no longer know is not shown. */
		if (f->id)
			e->n_findings++;
		else
			n--;
	}
}

static void take_profiles(struct reader *r, const struct cmi_json_value *line,
	struct cmi_read_endpoint *out)
{
	struct cmi_json_value v, accepts;
	struct cmi_cursor c;
	size_t n = list_of(line, "profiles", ROWS_MAX, &c), at = 0;

	out->profiles = n ? take_room(r, n * sizeof(*out->profiles)) : NULL;
	out->e.profiles = out->profiles;
	while (out->profiles && at < n && cmi_json_element(&c, &v)) {
		const char *name = text_of(r, &v, "profile");
		bool known = cmi_json_find(&v, "accepts", &accepts) &&
			     accepts.kind != CMI_JSON_NULL;

		out->profiles[at++] = (struct cmi_item_profile){
			.profile = name ? name : "",
			.accepts = known && accepts.kind == CMI_JSON_TRUE,
			.unknown = !known,
			.why = finding_of(r, &v, "why"),
			.says = text_of(r, &v, "says"),
			.help = text_of(r, &v, "help"),
			.until_s = time_of(r, &v, "until"),
			.until_subject = text_of(r, &v, "until_subject"),
		};
		out->e.n_profiles = at;
	}
}

/* "0xc02b". */
static uint16_t number_of(
	struct reader *r, const struct cmi_json_value *in, const char *key)
{
	const char *text = text_of(r, in, key);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf bytes;

	cmi_buf_init(&bytes, 2);
	if (!text || strlen(text) != 6 || strncmp(text, "0x", 2) != 0 ||
		cmi_hex_decode(&bytes, cmi_bytes_of(text + 2), NULL) !=
			CMEND_OK ||
		bytes.n != 2)
		return 0;
	return (uint16_t)(bytes.p[0] << 8 | bytes.p[1]);
}

static void take_all(struct reader *r, const struct cmi_json_value *line,
	struct cmi_read_endpoint *out)
{
	struct cmi_item_endpoint *e = &out->e;
	unsigned version =
		word_of(text_of(r, line, "version"), version_name, 5);

	*e = (struct cmi_item_endpoint){
		.target = text_of(r, line, "target"),
		.address = text_of(r, line, "address"),
		.starttls = text_of(r, line, "starttls"),
		.version = version < 5 ? (uint16_t)(0x0300 + version) : 0,
		.cipher = number_of(r, line, "cipher_id"),
		.at_us = time_of(r, line, "at") * 1000000,
		.trouble = text_of(r, line, "trouble"),
		.verdict = finding_of(r, line, "verdict"),
		.until_s = time_of(r, line, "until"),
		.until_profile = text_of(r, line, "until_profile"),
		.until_subject = text_of(r, line, "until_subject"),
	};
	take_sent(r, line, e);
	take_path(r, line, out);
	take_findings(r, line, e);
	take_profiles(r, line, out);
}

cmend_status cmi_read_endpoint(struct cmi_bytes line, struct cmi_arena *arena,
	struct cmi_read_endpoint **out, cmend_error *err)
{
	struct reader r = {.arena = arena};
	struct cmi_read_endpoint *read;
	struct cmi_json_value v;
	const char *kind;
	cmend_status status = CMEND_OK;

	*out = NULL;
	CMI_TRY(cmi_json_read(line, &v, err));
	cmi_buf_init(&r.text, CMI_READ_ENDPOINT_MAX);
	kind = text_of(&r, &v, "kind");
	read = take_room(&r, sizeof(*read));
	if (read && kind && strcmp(kind, "endpoint") == 0) {
		take_all(&r, &v, read);
		if (read->e.target)
			*out = read;
		else
			status = cmi_fail(
				err, CMEND_PARSE, "an endpoint without target");
	}
	if (r.full || r.text.failed) {
		*out = NULL;
		status = cmi_fail(
			err, CMEND_LIMIT, "too much for one line of results");
	}
	cmi_buf_dispose(&r.text);
	return status;
}
