/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/dhcp_uc.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/cursor.h"
#include "core/text.h"
#include "wire/conversation.h"

enum sub { SUB_CLASS = 1, SUB_SCHEME, SUB_WEB, SUB_PORT, SUB_PATH, SUB_COUNT };

/* Cisco IOS takes no more hex digits than these, and says nothing. */
#define CISCO_DIGITS 180

static void fault(struct cmi_uc_faults *f, enum cmi_uc_severity severity,
	enum cmi_finding_id id, unsigned option, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void fault(struct cmi_uc_faults *f, enum cmi_uc_severity severity,
	enum cmi_finding_id id, unsigned option, const char *fmt, ...)
{
	struct cmi_uc_fault *one;
	va_list ap;

	f->error |= severity == CMI_UC_ERROR;
	if (f->n == CMI_UC_FAULTS_MAX)
		return;
	one = &f->faults[f->n++];
	*one = (struct cmi_uc_fault){
		.severity = severity, .id = id, .option = option};
	va_start(ap, fmt);
	vsnprintf(one->says, sizeof(one->says), fmt, ap);
	va_end(ap);
}

#define WRONG(f, option, ...)                                                  \
	fault(f, CMI_UC_ERROR, CMI_F_WRONG_HOST, option, __VA_ARGS__)
#define MISSING(f, option, ...)                                                \
	fault(f, CMI_UC_ERROR, CMI_F_DHCP_OPTION_MISSING, option, __VA_ARGS__)
#define CUT(f, option, ...)                                                    \
	fault(f, CMI_UC_ERROR, CMI_F_DHCP_OPTION_TRUNCATED, option, __VA_ARGS__)
#define ODD(f, option, ...)                                                    \
	fault(f, CMI_UC_WARNING, CMI_F_NONE, option, __VA_ARGS__)

static bool is_address(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) == 1 ||
	       inet_pton(AF_INET6, name, &a) == 1;
}

/* Why this is no name for a phone; NULL: it is one. */
static const char *name_trouble(const char *name)
{
	size_t label = 0, n = strlen(name);

	if (!n)
		return "is empty";
	if (n > 253)
		return "is longer than 253 characters";
	if (is_address(name))
		return "is an address: TLS follows, and a certificate bears "
		       "names";
	for (const char *p = name; *p; p++) {
		bool letter =
			(*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || *p == '-' || *p == '_';

		if (*p == '.' && !label)
			return "has an empty label";
		if (*p != '.' && !letter)
			return "has a character that no host name has";
		label = *p == '.' ? 0 : label + 1;
		if (label > 63)
			return "has a label longer than 63 characters";
	}
	return strchr(name, '.') ? NULL : "has no domain";
}

static void put_sub(struct cmi_buf *out, enum sub code, const char *value)
{
	cmi_buf_u8(out, (uint8_t)code);
	cmi_buf_u8(out, (uint8_t)strlen(value));
	cmi_buf_text(out, value);
}

/* RFC 3361 section 3.1: encoding 0, labels, root, no compression. */
static void put_name(struct cmi_buf *out, const char *name)
{
	cmi_buf_u8(out, 0);
	while (*name) {
		size_t n = strcspn(name, ".");

		cmi_buf_u8(out, (uint8_t)n);
		cmi_buf_add(out, name, n);
		name += n + (name[n] == '.');
	}
	cmi_buf_u8(out, 0);
}

static cmend_status check_name(
	const char *what, const char *name, cmend_error *err)
{
	const char *trouble = name_trouble(name);
	char shown[128];

	if (!trouble)
		return CMEND_OK;
	return cmi_fail(err, CMEND_ARG, "%s name \"%s\" %s", what,
		cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(name)),
		trouble);
}

cmend_status cmi_uc_encode(const struct cmi_uc_options *o,
	struct cmi_buf *option43, struct cmi_buf *option120, cmend_error *err)
{
	uint64_t port;

	CMI_TRY(check_name("web server", o->web, err));
	CMI_TRY(check_name("SIP server", o->sip, err));
	if (!cmi_parse_uint(cmi_bytes_of(o->port), 65535, &port) || !port)
		return cmi_fail(err, CMEND_ARG, "\"%s\" is no port", o->port);
	if (*o->path != '/')
		return cmi_fail(err, CMEND_ARG,
			"the path \"%s\" does not begin with /", o->path);
	put_sub(option43, SUB_CLASS, o->class_id);
	put_sub(option43, SUB_SCHEME, o->scheme);
	put_sub(option43, SUB_WEB, o->web);
	put_sub(option43, SUB_PORT, o->port);
	put_sub(option43, SUB_PATH, o->path);
	put_name(option120, o->sip);
	CMI_TRY(cmi_buf_status(option43, err));
	if (option43->n > 255)
		return cmi_fail(err, CMEND_LIMIT,
			"option 43 would have %zu bytes and can have 255",
			option43->n);
	return cmi_buf_status(option120, err);
}

struct field {
	const char *what;
	char *to;
	size_t n_to;
	bool seen;
};

static void take_subs(struct cmi_bytes value, struct field fields[SUB_COUNT],
	struct cmi_uc_faults *f)
{
	struct cmi_cursor at = cmi_cursor_of(value);
	struct cmi_bytes v;
	uint8_t code, n;

	while (cmi_cursor_u8(&at, &code)) {
		if (code == 0xff && at.n == 0)
			return; /* RFC 2132 section 8.4 allows an end */
		if (code == 0)
			continue;
		if (!cmi_cursor_u8(&at, &n) || !cmi_cursor_bytes(&at, n, &v)) {
			CUT(f, 43,
				"sub-option %u at byte %zu runs past the end%s",
				code, at.at,
				value.n == CISCO_DIGITS / 2
					? ": cut at 180 hex digits, as Cisco "
					  "IOS does"
					: "");
			v = cmi_cursor_rest(&at);
			at.n = 0;
		}
		if (code >= SUB_COUNT) {
			ODD(f, 43, "unknown sub-option %u", code);
			continue;
		}
		if (fields[code].seen)
			WRONG(f, 43, "sub-option %u (%s) stands twice", code,
				fields[code].what);
		fields[code].seen = true;
		cmi_safe_cstr(fields[code].to, fields[code].n_to, v);
	}
}

static void check_web(const struct cmi_uc_options *o, struct cmi_uc_faults *f)
{
	const char *trouble = name_trouble(o->web);
	uint64_t port;

	if (trouble)
		WRONG(f, 43, "web server \"%.60s\" %s", o->web, trouble);
	if (!cmi_parse_uint(cmi_bytes_of(o->port), 65535, &port) || !port)
		WRONG(f, 43, "port \"%s\" is no port", o->port);
	else if (port != 443)
		ODD(f, 43, "port %s: phones expect 443", o->port);
	if (*o->path != '/')
		WRONG(f, 43, "path \"%.60s\" does not begin with /", o->path);
	else if (strcmp(o->path, CMI_UC_PATH) != 0)
		ODD(f, 43, "path \"%.60s\" is not " CMI_UC_PATH, o->path);
}

void cmi_uc_decode43(struct cmi_bytes value, struct cmi_uc_options *o,
	struct cmi_uc_faults *f)
{
	struct field fields[SUB_COUNT] = {
		[SUB_CLASS] = {"class", o->class_id, sizeof(o->class_id)},
		[SUB_SCHEME] = {"scheme", o->scheme, sizeof(o->scheme)},
		[SUB_WEB] = {"web server", o->web, sizeof(o->web)},
		[SUB_PORT] = {"port", o->port, sizeof(o->port)},
		[SUB_PATH] = {"path", o->path, sizeof(o->path)},
	};

	if (!value.n) {
		MISSING(f, 43, "option 43 is empty");
		return;
	}
	take_subs(value, fields, f);
	for (size_t i = SUB_CLASS; i < SUB_COUNT; i++)
		if (!fields[i].seen && i != SUB_PORT)
			MISSING(f, 43, "sub-option %zu (%s) is missing", i,
				fields[i].what);
	if (!fields[SUB_PORT].seen)
		snprintf(o->port, sizeof(o->port), "443");
	if (fields[SUB_CLASS].seen && strcmp(o->class_id, CMI_UC_CLASS) != 0)
		WRONG(f, 43,
			"class \"%.40s\" is not " CMI_UC_CLASS
			" (case matters)",
			o->class_id);
	if (fields[SUB_SCHEME].seen && strcmp(o->scheme, "https") != 0)
		WRONG(f, 43, "scheme \"%s\" is not https", o->scheme);
	if (fields[SUB_WEB].seen && fields[SUB_PATH].seen)
		check_web(o, f);
}

/* One name of option 120 into out; false: *says tells. */
static bool take_name(
	struct cmi_cursor *at, char *out, size_t n_out, const char **says)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name;
	struct cmi_cursor label;
	uint8_t n;

	cmi_buf_init(&name, CMI_NAME_MAX);
	for (;;) {
		if (!cmi_cursor_peek(at, 0, &n)) {
			*says = "has no root label at its end: cut";
			return false;
		}
		if (n > 63) {
			*says = "is compressed, which RFC 3361 forbids, or "
				"plain text in place of labels";
			return false;
		}
		if (!cmi_cursor_vector(at, 1, &label)) {
			*says = "has a label that runs past the end: cut";
			return false;
		}
		if (!n)
			break;
		if (name.n)
			cmi_buf_u8(&name, '.');
		cmi_buf_add_bytes(&name, cmi_cursor_rest(&label));
	}
	if (name.failed) {
		*says = "is longer than 255 characters";
		return false;
	}
	cmi_safe_cstr(out, n_out, cmi_buf_view(&name));
	return true;
}

void cmi_uc_decode120(struct cmi_bytes value, struct cmi_uc_options *o,
	struct cmi_uc_faults *f)
{
	struct cmi_cursor at = cmi_cursor_of(value);
	const char *says = NULL;
	uint8_t encoding;

	if (!cmi_cursor_u8(&at, &encoding)) {
		MISSING(f, 120, "option 120 is empty");
		return;
	}
	if (encoding == 1) {
		WRONG(f, 120, "option 120 holds addresses: phones need a name");
		return;
	}
	if (encoding != 0) {
		WRONG(f, 120, "option 120 begins with %u and not with 0",
			encoding);
		return;
	}
	if (!take_name(&at, o->sip, sizeof(o->sip), &says)) {
		CUT(f, 120, "the name %s", says);
		return;
	}
	says = name_trouble(o->sip);
	if (says)
		WRONG(f, 120, "SIP server \"%.60s\" %s", o->sip, says);
	if (at.n)
		ODD(f, 120, "%zu bytes after the name: phones take one name",
			at.n);
}

/* The class that the server repeats, or that option 43 begins with. */
static bool is_for_phone(const struct cmi_dhcp_seen *seen)
{
	struct cmi_cursor at = cmi_cursor_of(seen->option43);
	struct cmi_bytes v;
	uint8_t code, n;

	if (seen->class_id.n)
		return cmi_bytes_equal(seen->class_id, CMI_BYTES(CMI_UC_CLASS));
	return cmi_cursor_u8(&at, &code) && code == SUB_CLASS &&
	       cmi_cursor_u8(&at, &n) && cmi_cursor_bytes(&at, n, &v) &&
	       cmi_text_equal_nocase(v, CMI_BYTES(CMI_UC_CLASS));
}

bool cmi_uc_answered(const struct cmi_dhcp_seen *seen, struct cmi_uc_options *o,
	struct cmi_uc_faults *f)
{
	enum { ACK = 5 };

	if (seen->message_type != ACK || !is_for_phone(seen))
		return false;
	*o = (struct cmi_uc_options){.class_id = ""};
	*f = (struct cmi_uc_faults){.n = 0};
	if (seen->has43)
		cmi_uc_decode43(seen->option43, o, f);
	else
		MISSING(f, 43,
			"option 43 is not there: no web server is "
			"known");
	if (seen->has120)
		cmi_uc_decode120(seen->option120, o, f);
	return true;
}
