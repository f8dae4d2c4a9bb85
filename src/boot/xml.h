/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML of SOAP messages as a small tree, read by expat.
 *
 * A DOCTYPE, an entity declaration or a processing instruction refuses the
 * whole message: SOAP 1.1 section 3 forbids DTDs and processing instructions,
 * and every known attack on XML readers needs one.  Depth, elements and size
 * have ceilings.  The tree lives in its document.
 */
#ifndef CMI_BOOT_XML_H
#define CMI_BOOT_XML_H

#include "core/arena.h"
#include "core/buf.h"

struct cmi_xml_attr {
	const char *ns; /* "" for none */
	const char *prefix;
	const char *name;
	const char *value;
	struct cmi_xml_attr *next;
};

/* A namespace declaration that stands on this element. */
struct cmi_xml_decl {
	const char *prefix; /* "" for the default */
	const char *uri;
	struct cmi_xml_decl *next;
};

struct cmi_xml_node {
	const char *ns; /* "" for none */
	const char *prefix;
	const char *name; /* NULL: a piece of text */
	const char *text; /* text pieces only */
	struct cmi_xml_attr *attrs;
	struct cmi_xml_decl *decls;
	struct cmi_xml_node *parent, *child, *last, *next;
	size_t begin, end; /* the element's bytes in the input */
};

struct cmi_xml {
	struct cmi_arena arena;
	struct cmi_xml_node *root;
};

void cmi_xml_init(struct cmi_xml *doc);
void cmi_xml_dispose(struct cmi_xml *doc);
/* CMEND_PARSE: not well-formed; CMEND_REFUSED: DOCTYPE, entity or processing
 * instruction; CMEND_LIMIT. */
cmend_status cmi_xml_read(struct cmi_xml *doc, struct cmi_bytes in,
	cmend_error *err) __attribute__((warn_unused_result));

/* First element of that name below (or at) node, in document order; ns or
 * name NULL: any.  NULL if absent; node may be NULL. */
const struct cmi_xml_node *cmi_xml_find(
	const struct cmi_xml_node *node, const char *ns, const char *name);
/* The next one after `after`, still below node. */
const struct cmi_xml_node *cmi_xml_find_next(const struct cmi_xml_node *node,
	const struct cmi_xml_node *after, const char *ns, const char *name);
/* A direct child. */
const struct cmi_xml_node *cmi_xml_child(
	const struct cmi_xml_node *node, const char *ns, const char *name);
/* NULL if absent; node may be NULL. */
const char *cmi_xml_attr(const struct cmi_xml_node *node, const char *name);
/* All text directly in the element, trimmed, in the document's arena; "" for
 * NULL or none. */
const char *cmi_xml_text_of(
	struct cmi_xml *doc, const struct cmi_xml_node *node);

#endif
