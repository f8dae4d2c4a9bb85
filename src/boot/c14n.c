/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/proof.h"

#include <string.h>

#include "core/limits.h"

#define ATTRS_MAX 64

/* Namespaces already written by an element further out. */
struct written {
	const char *prefix, *uri;
};

struct scope {
	struct written all[CMI_XML_DEPTH_MAX * 8];
	size_t n;
};

struct use {
	const char *prefix, *uri;
};

static void escape(struct cmi_buf *out, const char *s, bool attribute)
{
	for (; *s; s++) {
		if (*s == '&')
			cmi_buf_text(out, "&amp;");
		else if (*s == '<')
			cmi_buf_text(out, "&lt;");
		else if (*s == '\r')
			cmi_buf_text(out, "&#xD;");
		else if (*s == '>' && !attribute)
			cmi_buf_text(out, "&gt;");
		else if (*s == '"' && attribute)
			cmi_buf_text(out, "&quot;");
		else if ((*s == '\n' || *s == '\t') && attribute)
			cmi_buf_text(out, *s == '\n' ? "&#xA;" : "&#x9;");
		else
			cmi_buf_u8(out, (uint8_t)*s);
	}
}

static void qname(struct cmi_buf *out, const char *prefix, const char *name)
{
	if (*prefix)
		cmi_buf_printf(out, "%s:", prefix);
	cmi_buf_text(out, name);
}

/* The innermost writing of a prefix; "" where there is none. */
static const char *in_scope(const struct scope *s, const char *prefix)
{
	for (size_t i = s->n; i > 0; i--)
		if (strcmp(s->all[i - 1].prefix, prefix) == 0)
			return s->all[i - 1].uri;
	return "";
}

static void add_use(
	struct use *uses, size_t *n, const char *prefix, const char *uri)
{
	size_t at = 0;

	if (strcmp(prefix, "xml") == 0 || *n == ATTRS_MAX)
		return;
	while (at < *n && strcmp(uses[at].prefix, prefix) < 0)
		at++;
	if (at < *n && strcmp(uses[at].prefix, prefix) == 0)
		return;
	memmove(&uses[at + 1], &uses[at], (*n - at) * sizeof(*uses));
	uses[at] = (struct use){prefix, uri};
	++*n;
}

/* Namespaces visibly utilised here and not yet written, by prefix. */
static cmend_status write_namespaces(struct cmi_buf *out,
	const struct cmi_xml_node *e, struct scope *s, cmend_error *err)
{
	struct use uses[ATTRS_MAX + 1];
	size_t n = 0;

	add_use(uses, &n, e->prefix, e->ns);
	for (const struct cmi_xml_attr *a = e->attrs; a; a = a->next)
		if (*a->prefix)
			add_use(uses, &n, a->prefix, a->ns);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(in_scope(s, uses[i].prefix), uses[i].uri) == 0)
			continue;
		if (s->n == CMI_LEN(s->all))
			return cmi_fail(err, CMEND_LIMIT,
				"too many namespaces in a signed element");
		s->all[s->n++] = (struct written){uses[i].prefix, uses[i].uri};
		cmi_buf_text(out, *uses[i].prefix ? " xmlns:" : " xmlns");
		cmi_buf_text(out, uses[i].prefix);
		cmi_buf_text(out, "=\"");
		escape(out, uses[i].uri, true);
		cmi_buf_u8(out, '"');
	}
	return CMEND_OK;
}

static int attr_order(
	const struct cmi_xml_attr *a, const struct cmi_xml_attr *b)
{
	int by_ns = strcmp(a->ns, b->ns);

	return by_ns ? by_ns : strcmp(a->name, b->name);
}

static cmend_status write_attrs(
	struct cmi_buf *out, const struct cmi_xml_node *e, cmend_error *err)
{
	const struct cmi_xml_attr *sorted[ATTRS_MAX];
	size_t n = 0;

	for (const struct cmi_xml_attr *a = e->attrs; a; a = a->next) {
		size_t at = n;

		if (n == ATTRS_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"too many attributes in a signed element");
		for (; at > 0 && attr_order(a, sorted[at - 1]) < 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = a;
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		cmi_buf_u8(out, ' ');
		qname(out, sorted[i]->prefix, sorted[i]->name);
		cmi_buf_text(out, "=\"");
		escape(out, sorted[i]->value, true);
		cmi_buf_u8(out, '"');
	}
	return CMEND_OK;
}

/* Depth is bounded by the reader's ceiling. */
static cmend_status write_node(struct cmi_buf *out,
	const struct cmi_xml_node *e, struct scope *s, cmend_error *err)
{
	size_t outer = s->n;

	if (e->text) {
		escape(out, e->text, false);
		return CMEND_OK;
	}
	cmi_buf_u8(out, '<');
	qname(out, e->prefix, e->name);
	CMI_TRY(write_namespaces(out, e, s, err));
	CMI_TRY(write_attrs(out, e, err));
	cmi_buf_u8(out, '>');
	for (const struct cmi_xml_node *c = e->child; c; c = c->next)
		CMI_TRY(write_node(out, c, s, err));
	cmi_buf_text(out, "</");
	qname(out, e->prefix, e->name);
	cmi_buf_u8(out, '>');
	s->n = outer;
	return CMEND_OK;
}

cmend_status cmi_xml_c14n(
	const struct cmi_xml_node *node, struct cmi_buf *out, cmend_error *err)
{
	struct scope s = {.n = 0};

	CMI_TRY(write_node(out, node, &s, err));
	return cmi_buf_status(out, err);
}
