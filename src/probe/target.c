/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

static cmend_status fail_target(
	cmend_error *err, struct cmi_bytes text, const char *why)
{
	char safe[160];

	return cmi_fail(err, CMEND_ARG, "no endpoint: \"%s\": %s",
		cmi_safe_cstr(safe, sizeof(safe), text), why);
}

/* "scheme://" in front and "/path" behind are taken off; *port is set by a
 * scheme that has one. */
static struct cmi_bytes strip_url(struct cmi_bytes text, uint16_t *port)
{
	const uint8_t *end;

	if (cmi_text_starts(text, "https://")) {
		*port = 443;
		text.p += 8;
		text.n -= 8;
	} else if (cmi_text_starts(text, "tls://")) {
		text.p += 6;
		text.n -= 6;
	} else {
		return text;
	}
	end = memchr(text.p, '/', text.n);
	if (end)
		text.n = (size_t)(end - text.p);
	return text;
}

/* Cut "host", ":port" apart; brackets come off.  NULL: done, else what is
 * wrong. */
static const char *split_port(
	struct cmi_bytes text, struct cmi_bytes *host, struct cmi_bytes *port)
{
	const uint8_t *colon, *end;

	*port = (struct cmi_bytes){0};
	if (text.n && text.p[0] == '[') {
		end = memchr(text.p, ']', text.n);
		if (!end)
			return "the bracket is not closed";
		*host = (struct cmi_bytes){
			text.p + 1, (size_t)(end - text.p) - 1};
		text.n -= host->n + 2;
		text.p = end + 1;
		if (!text.n)
			return NULL;
		if (text.p[0] != ':')
			return "a port comes after \"]:\"";
		*port = (struct cmi_bytes){text.p + 1, text.n - 1};
		return port->n ? NULL : "the port is empty";
	}
	colon = memchr(text.p, ':', text.n);
	*host = text;
	if (!colon ||
		memchr(colon + 1, ':', text.n - (size_t)(colon - text.p) - 1))
		return NULL; /* no port, or an IPv6 address without brackets */
	host->n = (size_t)(colon - text.p);
	*port = (struct cmi_bytes){colon + 1, text.n - host->n - 1};
	return port->n ? NULL : "the port is empty";
}

/* A label of so many characters ends before p. */
static const char *check_label_end(const char *p, size_t label)
{
	if (!label)
		return "a part of the name is empty";
	return p[-1] == '-' ? "a part of the name ends with a hyphen" : NULL;
}

/* NULL: a host name (RFC 1123 section 2.1), else what is wrong. */
static const char *check_name(const char *host)
{
	const char *p = host, *wrong;
	size_t label = 0;

	for (; *p; p++) {
		bool word = (*p >= 'a' && *p <= 'z') ||
			    (*p >= '0' && *p <= '9') || *p == '_';

		if ((unsigned char)*p >= 0x80)
			return "write an international name in its xn-- form";
		if (*p == '.') {
			wrong = check_label_end(p, label);
			if (wrong)
				return wrong;
			label = 0;
			continue;
		}
		if (!word && (*p != '-' || !label))
			return "a name has letters, digits, dots and hyphens";
		if (++label > 63)
			return "a part of the name has over 63 characters";
	}
	return check_label_end(p, label);
}

/* A name has no such colons: what was meant may be an IPv6 address. */
static const char *check_address(const char *host)
{
	return strchr(host, ':')
		       ? "an IPv6 address with a port is written [ADDRESS]:PORT"
		       : check_name(host);
}

static const char *take_host(struct cmi_bytes host, struct cmi_target *t)
{
	struct in6_addr addr;

	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (!host.n)
		return "the host is empty";
	if (host.n > CMI_NAME_MAX)
		return "the name is longer than 255 characters";
	if (memchr(host.p, 0, host.n))
		return "it has a NUL in it";
	for (size_t i = 0; i < host.n; i++)
		t->host[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z'
					    ? host.p[i] + 32
					    : host.p[i]);
	t->host[host.n] = 0;
	if (inet_pton(AF_INET, t->host, &addr) == 1) {
		t->family = 4;
		return NULL;
	}
	if (inet_pton(AF_INET6, t->host, &addr) == 1) {
		t->family = 6;
		return NULL;
	}
	return check_address(t->host);
}

cmend_status cmi_target_parse(const char *text, uint16_t default_port,
	struct cmi_target *out, cmend_error *err)
{
	struct cmi_bytes whole = cmi_bytes_of(text), host, port;
	struct cmi_target t = {.port = default_port};
	const char *wrong;
	uint64_t number;

	wrong = split_port(strip_url(whole, &t.port), &host, &port);
	if (!wrong)
		wrong = take_host(host, &t);
	if (wrong)
		return fail_target(err, whole, wrong);
	if (port.n) {
		if (!cmi_parse_uint(port, 65535, &number) || !number)
			return fail_target(err, whole,
				"a port is a number from 1 to 65535");
		t.port = (uint16_t)number;
	}
	snprintf(t.text, sizeof(t.text), t.family == 6 ? "[%s]:%u" : "%s:%u",
		t.host, (unsigned)t.port);
	*out = t;
	return CMEND_OK;
}
