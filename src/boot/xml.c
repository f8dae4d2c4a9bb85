/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/xml.h"

#include <string.h>

#include "boot/xml_names.h"
#include "core/limits.h"
#include "core/text.h"

/* Between URI, name and prefix of an expanded name; no URI can hold it. */
#define SEPARATOR '\n'

struct reader {
	struct cmi_xml *doc;
	XML_Parser parser;
	struct cmi_xml_node *at;
	struct cmi_xml_decl *decls; /* for the element that comes */
	unsigned depth, nodes;
	cmend_status failed;
	const char *says;
};

void cmi_xml_init(struct cmi_xml *doc)
{
	*doc = (struct cmi_xml){0};
	cmi_arena_init(&doc->arena, CMI_XML_MEMORY_MAX);
}

void cmi_xml_dispose(struct cmi_xml *doc)
{
	cmi_arena_dispose(&doc->arena);
	doc->root = NULL;
}

static void stop(struct reader *r, cmend_status status, const char *says)
{
	if (r->failed == CMEND_OK) {
		r->failed = status;
		r->says = says;
	}
	XML_StopParser(r->parser, XML_FALSE);
}

static const char *keep(struct reader *r, const char *s, size_t n)
{
	char *copy = cmi_arena_strndup(&r->doc->arena, s, n);

	if (!copy)
		stop(r, CMEND_LIMIT, "needs too much memory");
	return copy ? copy : "";
}

/* expat's "uri\nname\nprefix", "uri\nname" or "name". */
static void split(struct reader *r, const char *full, const char **ns,
	const char **name, const char **prefix)
{
	const char *one = strchr(full, SEPARATOR);
	const char *two = one ? strchr(one + 1, SEPARATOR) : NULL;

	*ns = *prefix = "";
	if (!one) {
		*name = keep(r, full, strlen(full));
		return;
	}
	*ns = keep(r, full, (size_t)(one - full));
	*name = keep(
		r, one + 1, two ? (size_t)(two - one - 1) : strlen(one + 1));
	if (two)
		*prefix = keep(r, two + 1, strlen(two + 1));
}

static struct cmi_xml_node *add_node(struct reader *r)
{
	struct cmi_xml_node *node;

	if (++r->nodes > CMI_XML_NODES_MAX) {
		stop(r, CMEND_LIMIT, "has too many elements");
		return NULL;
	}
	node = cmi_arena_alloc(&r->doc->arena, sizeof(*node));
	if (!node) {
		stop(r, CMEND_LIMIT, "needs too much memory");
		return NULL;
	}
	node->parent = r->at;
	if (!r->at) {
		r->doc->root = node;
	} else {
		if (r->at->last)
			r->at->last->next = node;
		else
			r->at->child = node;
		r->at->last = node;
	}
	return node;
}

static void add_attr(struct reader *r, struct cmi_xml_node *node,
	const char *name, const char *value)
{
	struct cmi_xml_attr *a = cmi_arena_alloc(&r->doc->arena, sizeof(*a));

	if (!a) {
		stop(r, CMEND_LIMIT, "needs too much memory");
		return;
	}
	split(r, name, &a->ns, &a->name, &a->prefix);
	a->value = keep(r, value, strlen(value));
	a->next = node->attrs;
	node->attrs = a;
}

static void XMLCALL on_start(void *arg, const char *name, const char **attrs)
{
	struct reader *r = arg;
	struct cmi_xml_node *node;

	if (r->failed)
		return;
	if (++r->depth > CMI_XML_DEPTH_MAX) {
		stop(r, CMEND_LIMIT, "is nested too deeply");
		return;
	}
	node = add_node(r);
	if (!node)
		return;
	split(r, name, &node->ns, &node->name, &node->prefix);
	for (; *attrs; attrs += 2)
		add_attr(r, node, attrs[0], attrs[1]);
	node->decls = r->decls;
	r->decls = NULL;
	node->begin = (size_t)XML_GetCurrentByteIndex64(r->parser);
	r->at = node;
}

static void XMLCALL on_end(void *arg, const char *name)
{
	struct reader *r = arg;

	(void)name;
	if (r->failed || !r->at)
		return;
	r->at->end = (size_t)XML_GetCurrentByteIndex64(r->parser) +
		     (size_t)XML_GetCurrentByteCount64(r->parser);
	r->depth--;
	r->at = r->at->parent;
}

static void XMLCALL on_text(void *arg, const char *s, int n)
{
	struct reader *r = arg;
	struct cmi_xml_node *node;

	if (r->failed || !r->at)
		return;
	node = add_node(r);
	if (node)
		node->text = keep(r, s, (size_t)n);
}

static void XMLCALL on_decl(void *arg, const char *prefix, const char *uri)
{
	struct reader *r = arg;
	struct cmi_xml_decl *d;

	if (r->failed)
		return;
	d = cmi_arena_alloc(&r->doc->arena, sizeof(*d));
	if (!d) {
		stop(r, CMEND_LIMIT, "needs too much memory");
		return;
	}
	d->prefix = prefix ? keep(r, prefix, strlen(prefix)) : "";
	d->uri = uri ? keep(r, uri, strlen(uri)) : "";
	d->next = r->decls;
	r->decls = d;
}

static void XMLCALL on_doctype(void *arg, const char *name, const char *sysid,
	const char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	stop(arg, CMEND_REFUSED, "has a DOCTYPE");
}

static void XMLCALL on_entity(void *arg, const char *name, int parameter,
	const char *value, int n, const char *base, const char *sysid,
	const char *pubid, const char *notation)
{
	(void)name, (void)parameter, (void)value, (void)n, (void)base;
	(void)sysid, (void)pubid, (void)notation;
	stop(arg, CMEND_REFUSED, "declares an entity");
}

static void XMLCALL on_skipped(void *arg, const char *name, int parameter)
{
	(void)name, (void)parameter;
	stop(arg, CMEND_REFUSED, "uses an undeclared entity");
}

static void XMLCALL on_instruction(
	void *arg, const char *target, const char *data)
{
	(void)target, (void)data;
	stop(arg, CMEND_REFUSED, "has a processing instruction");
}

static void set_handlers(XML_Parser p, struct reader *r)
{
	XML_SetUserData(p, r);
	XML_SetReturnNSTriplet(p, 1);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCharacterDataHandler(p, on_text);
	XML_SetStartNamespaceDeclHandler(p, on_decl);
	XML_SetStartDoctypeDeclHandler(p, on_doctype);
	XML_SetEntityDeclHandler(p, on_entity);
	XML_SetSkippedEntityHandler(p, on_skipped);
	XML_SetProcessingInstructionHandler(p, on_instruction);
	XML_SetParamEntityParsing(p, XML_PARAM_ENTITY_PARSING_NEVER);
}

cmend_status cmi_xml_read(
	struct cmi_xml *doc, struct cmi_bytes in, cmend_error *err)
{
	struct reader r = {.doc = doc};
	enum XML_Status status;
	cmend_status result = CMEND_OK;

	if (in.n > CMI_SOAP_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"message larger than %zu bytes", CMI_SOAP_MAX);
	r.parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
	if (!r.parser)
		return cmi_nomem(err);
	set_handlers(r.parser, &r);
	status = XML_Parse(r.parser, (const char *)in.p, (int)in.n, 1);
	if (r.failed)
		result = cmi_fail(err, r.failed, "XML message %s", r.says);
	else if (status != XML_STATUS_OK)
		result = cmi_fail(err, CMEND_PARSE,
			"malformed XML at line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber64(r.parser),
			XML_ErrorString(XML_GetErrorCode(r.parser)));
	XML_ParserFree(r.parser);
	if (result)
		doc->root = NULL;
	return result;
}

static bool is_named(
	const struct cmi_xml_node *n, const char *ns, const char *name)
{
	return n->name && (!name || strcmp(n->name, name) == 0) &&
	       (!ns || strcmp(n->ns, ns) == 0);
}

/* The next node in document order below top, or NULL. */
static const struct cmi_xml_node *walk(
	const struct cmi_xml_node *top, const struct cmi_xml_node *at)
{
	if (at->child)
		return at->child;
	while (at != top && !at->next)
		at = at->parent;
	return at == top ? NULL : at->next;
}

const struct cmi_xml_node *cmi_xml_find_next(const struct cmi_xml_node *node,
	const struct cmi_xml_node *after, const char *ns, const char *name)
{
	const struct cmi_xml_node *at = walk(node, after);

	while (at && !is_named(at, ns, name))
		at = walk(node, at);
	return at;
}

const struct cmi_xml_node *cmi_xml_find(
	const struct cmi_xml_node *node, const char *ns, const char *name)
{
	if (!node || is_named(node, ns, name))
		return node;
	return cmi_xml_find_next(node, node, ns, name);
}

const struct cmi_xml_node *cmi_xml_child(
	const struct cmi_xml_node *node, const char *ns, const char *name)
{
	const struct cmi_xml_node *at = node ? node->child : NULL;

	while (at && !is_named(at, ns, name))
		at = at->next;
	return at;
}

const char *cmi_xml_attr(const struct cmi_xml_node *node, const char *name)
{
	const struct cmi_xml_attr *a = node ? node->attrs : NULL;

	while (a && strcmp(a->name, name) != 0)
		a = a->next;
	return a ? a->value : NULL;
}

const char *cmi_xml_text_of(
	struct cmi_xml *doc, const struct cmi_xml_node *node)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf all;
	struct cmi_bytes text;
	const char *copy;

	cmi_buf_init(&all, CMI_SOAP_MAX);
	for (const struct cmi_xml_node *n = node ? node->child : NULL; n;
		n = n->next)
		if (n->text)
			cmi_buf_text(&all, n->text);
	text = cmi_text_trim(cmi_buf_view(&all));
	copy = text.n ? cmi_arena_strndup(&doc->arena, text.p, text.n) : NULL;
	return copy ? copy : "";
}
