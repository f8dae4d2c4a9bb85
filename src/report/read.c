/* SPDX-License-Identifier: Apache-2.0 */
#include "report/read.h"

#include <jansson.h>
#include <string.h>

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

/* Nothing of it reaches a terminal as a control character, or turns text
 * round. */
static void make_safe(struct cmi_buf *b)
{
	for (size_t i = 0; i < b->n;) {
		size_t n = cmi_utf8_length(b->p + i, b->n - i);

		if (n > 1 && cmi_printable_length(b->p + i, b->n - i)) {
			i += n;
			continue;
		}
		if (n != 1 || b->p[i] < 0x20 || b->p[i] == 0x7f)
			b->p[i] = '?';
		i++;
	}
}

/* The text of that member; NULL: absent, or no text. */
static const char *text_of(struct reader *r, const json_t *in, const char *key)
{
	const json_t *v = json_object_get(in, key);
	char *copy;

	if (!json_is_string(v))
		return NULL;
	cmi_buf_clear(&r->text);
	cmi_buf_add(&r->text, json_string_value(v), json_string_length(v));
	make_safe(&r->text);
	copy = cmi_arena_strndup(r->arena, r->text.p, r->text.n);
	r->full |= !copy;
	return copy;
}

static int64_t time_of(struct reader *r, const json_t *in, const char *key)
{
	const char *text = text_of(r, in, key);
	int64_t s = 0;

	return text && cmi_time_parse(cmi_bytes_of(text), &s) ? s : 0;
}

static enum cmi_finding_id finding_of(
	struct reader *r, const json_t *in, const char *key)
{
	const char *name = text_of(r, in, key);

	return name ? cmi_finding_by_name(cmi_bytes_of(name)) : CMI_F_NONE;
}

/* How many elements that member has, at most max; 0: it is no list. */
static size_t list_of(
	const json_t *in, const char *key, size_t max, const json_t **out)
{
	size_t n;

	*out = json_object_get(in, key);
	n = json_is_array(*out) ? json_array_size(*out) : 0;
	return n < max ? n : max;
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

static struct cmi_cert *outline(struct reader *r, const json_t *v)
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
static void take_sent(
	struct reader *r, const json_t *line, struct cmi_item_endpoint *e)
{
	struct cmi_item_cert *certs;
	const json_t *list;
	size_t n = list_of(line, "sent", CMI_SENT_CERTS_MAX, &list);

	certs = n ? take_room(r, n * sizeof(*certs)) : NULL;
	for (size_t i = 0; certs && i < n; i++) {
		struct cmi_cert *cert = outline(r, json_array_get(list, i));

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

	/* A place there is only where something was sent. */
	return place && e->sent ? (struct cmi_cert *)e->sent[place - 1].cert
				: c;
}

static void take_path(
	struct reader *r, const json_t *line, struct cmi_read_endpoint *out)
{
	const json_t *list;
	size_t n = list_of(line, "path", CMI_PATH_MAX, &list);

	out->e.path = &out->path;
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		struct cmi_cert *cert = outline(r, v);
		unsigned from = word_of(text_of(r, v, "from"), origin_name,
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

static void take_findings(
	struct reader *r, const json_t *line, struct cmi_item_endpoint *e)
{
	struct cmi_finding *found;
	const json_t *list;
	size_t n = list_of(line, "findings", ROWS_MAX, &list);

	found = n ? take_room(r, n * sizeof(*found)) : NULL;
	e->findings = found;
	for (size_t i = 0; found && i < n; i++) {
		const json_t *v = json_array_get(list, i);
		struct cmi_finding *f = &found[e->n_findings];
		unsigned severity = word_of(text_of(r, v, "severity"),
			severity_name, CMI_SEVERITY_INFO + 1);
		unsigned blame = word_of(
			text_of(r, v, "blame"), blame_name, CMI_BLAME_CA + 1);

		*f = (struct cmi_finding){
			.id = finding_of(r, v, "id"),
			.severity = severity <= CMI_SEVERITY_INFO
					    ? severity
					    : CMI_SEVERITY_INFO,
			.blame = blame <= CMI_BLAME_CA ? blame : CMI_BLAME_NONE,
			.inferred =
				json_is_true(json_object_get(v, "inferred")),
			.subject = text_of(r, v, "subject"),
			.says = text_of(r, v, "says"),
			.remedy = text_of(r, v, "remedy"),
		};
		/* One that we no longer know is not shown. */
		e->n_findings += f->id != CMI_F_NONE;
	}
}

static void take_profiles(
	struct reader *r, const json_t *line, struct cmi_read_endpoint *out)
{
	const json_t *list;
	size_t n = list_of(line, "profiles", ROWS_MAX, &list);

	out->profiles = n ? take_room(r, n * sizeof(*out->profiles)) : NULL;
	out->e.profiles = out->profiles;
	for (size_t i = 0; out->profiles && i < n; i++) {
		const json_t *v = json_array_get(list, i);
		const json_t *accepts = json_object_get(v, "accepts");
		const char *name = text_of(r, v, "profile");
		bool known = accepts && !json_is_null(accepts);

		out->profiles[i] = (struct cmi_item_profile){
			.profile = name ? name : "",
			.accepts = json_is_true(accepts),
			.unknown = !known,
			.why = finding_of(r, v, "why"),
			.says = text_of(r, v, "says"),
			.help = text_of(r, v, "help"),
			.until_s = time_of(r, v, "until"),
			.until_subject = text_of(r, v, "until_subject"),
		};
		out->e.n_profiles = i + 1;
	}
}

/* "0xc02b". */
static uint16_t number_of(struct reader *r, const json_t *in, const char *key)
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

static void take_all(
	struct reader *r, const json_t *line, struct cmi_read_endpoint *out)
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

static cmend_status take_line(struct reader *r, const json_t *line,
	struct cmi_read_endpoint **out, cmend_error *err)
{
	const char *kind = text_of(r, line, "kind");
	struct cmi_read_endpoint *read = take_room(r, sizeof(*read));
	bool wanted = read && kind && strcmp(kind, "endpoint") == 0;

	if (wanted)
		take_all(r, line, read);
	if (r->full || r->text.failed)
		return cmi_fail(
			err, CMEND_LIMIT, "too much for one line of results");
	if (wanted && !read->e.target)
		return cmi_fail(err, CMEND_PARSE, "an endpoint without target");
	if (wanted)
		*out = read;
	return CMEND_OK;
}

cmend_status cmi_read_endpoint(struct cmi_bytes line, struct cmi_arena *arena,
	struct cmi_read_endpoint **out, cmend_error *err)
{
	struct reader r = {.arena = arena};
	cmend_status status;
	json_error_t why;
	json_t *v;

	*out = NULL;
	v = json_loadb((const char *)line.p, line.n,
		JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!v && json_error_code(&why) == json_error_out_of_memory)
		return cmi_nomem(err);
	if (!v)
		return cmi_fail(err, CMEND_PARSE, "not JSON: %s (at byte %d)",
			why.text, why.position);
	cmi_buf_init(&r.text, CMI_READ_ENDPOINT_MAX);
	status = json_is_object(v) ? take_line(&r, v, out, err)
				   : cmi_fail(err, CMEND_PARSE, "no object");
	cmi_buf_dispose(&r.text);
	json_decref(v);
	return status;
}
