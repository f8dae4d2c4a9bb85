/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/mex.h"

#include <stdio.h>
#include <string.h>

#include "boot/soap.h"
#include "core/cursor.h"
#include "core/text.h"

#define NS_WSDL      "http://schemas.xmlsoap.org/wsdl/"
#define NS_WSDL_SOAP "http://schemas.xmlsoap.org/wsdl/soap/"
#define NS_POLICY    "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy"
#define TRANSPORT    "http://schemas.xmlsoap.org/soap/http"

static void text(struct cmi_buf *out, const char *v)
{
	cmi_xml_text(out, cmi_bytes_of(v));
}

/* The public clients look for a policy whose Id is the port's name and
 * "_policy". */
static void write_policy(const struct cmi_mex_port *p, struct cmi_buf *out)
{
	const char *how = p->proof ? "EndorsingSupportingTokens"
				   : "SignedSupportingTokens";

	cmi_buf_printf(out,
		"<wsp:Policy wsu:Id=\"%s_policy\"><wsp:ExactlyOne><wsp:All>",
		p->name);
	if (p->ticket_issuer) {
		cmi_buf_printf(out,
			"<sp:%s><wsp:Policy><sp:IssuedToken>"
			"<sp:Issuer><wsa:Address>",
			how);
		text(out, p->ticket_issuer);
		cmi_buf_printf(out,
			"</wsa:Address></sp:Issuer></sp:IssuedToken>"
			"</wsp:Policy></sp:%s>",
			how);
	}
	cmi_buf_text(out, "</wsp:All></wsp:ExactlyOne></wsp:Policy>");
}

static void write_binding(
	const struct cmi_mex_port *p, const char *service, struct cmi_buf *out)
{
	cmi_buf_printf(out,
		"<wsdl:binding name=\"%s\" type=\"tns:%s\">"
		"<wsp:PolicyReference URI=\"#%s_policy\"/>"
		"<soap:binding transport=\"" TRANSPORT "\"/></wsdl:binding>",
		p->name, service, p->name);
}

static void write_port(const struct cmi_mex_port *p, struct cmi_buf *out)
{
	cmi_buf_printf(out,
		"<wsdl:port name=\"%s\" binding=\"tns:%s\">"
		"<soap:address location=\"",
		p->name, p->name);
	text(out, p->location);
	cmi_buf_text(out, "\"/></wsdl:port>");
}

void cmi_mex_write(const char *service, const char *tns,
	const struct cmi_mex_port *ports, size_t n, struct cmi_buf *out)
{
	cmi_buf_printf(out,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<wsdl:definitions xmlns:wsdl=\"" NS_WSDL
		"\" xmlns:soap=\"" NS_WSDL_SOAP "\" xmlns:wsp=\"" CMI_NS_WSP
		"\" xmlns:wsu=\"" CMI_NS_WSU "\" xmlns:sp=\"" NS_POLICY
		"\" xmlns:wsa=\"" CMI_NS_WSA "\" xmlns:tns=\"%s\" "
		"targetNamespace=\"%s\" name=\"%s\">",
		tns, tns, service);
	for (size_t i = 0; i < n; i++)
		write_policy(&ports[i], out);
	for (size_t i = 0; i < n; i++)
		write_binding(&ports[i], service, out);
	cmi_buf_printf(out, "<wsdl:service name=\"%s\">", service);
	for (size_t i = 0; i < n; i++)
		write_port(&ports[i], out);
	cmi_buf_text(out, "</wsdl:service></wsdl:definitions>\n");
}

/* An element of that local name whose attribute has that value. */
static const struct cmi_xml_node *find_by(const struct cmi_xml_node *root,
	const char *ns, const char *name, const char *attr, const char *value)
{
	const struct cmi_xml_node *n = cmi_xml_find(root, ns, name);

	for (; n; n = cmi_xml_find_next(root, n, ns, name)) {
		const char *v = cmi_xml_attr(n, attr);

		if (v && strcmp(v, value) == 0)
			return n;
	}
	return NULL;
}

/* Security policy has several versions, each with a namespace of its own; the
 * names are the same in all. */
static const char *issuer_in(
	struct cmi_xml *doc, const struct cmi_xml_node *tokens)
{
	const struct cmi_xml_node *issuer = cmi_xml_find(
		cmi_xml_find(tokens, NULL, "IssuedToken"), NULL, "Issuer");
	const char *url =
		cmi_xml_text_of(doc, cmi_xml_find(issuer, NULL, "Address"));

	return *url ? url : NULL;
}

static void read_policy(
	struct cmi_xml *doc, const char *port, struct cmi_mex_port *out)
{
	const struct cmi_xml_node *policy;
	char id[128];

	snprintf(id, sizeof(id), "%s_policy", port);
	policy = find_by(doc->root, CMI_NS_WSP, "Policy", "Id", id);
	out->ticket_issuer = issuer_in(
		doc, cmi_xml_find(policy, NULL, "EndorsingSupportingTokens"));
	out->proof = out->ticket_issuer != NULL;
	if (!out->ticket_issuer)
		out->ticket_issuer = issuer_in(doc,
			cmi_xml_find(policy, NULL, "SignedSupportingTokens"));
}

cmend_status cmi_mex_read(struct cmi_xml *doc, const char *port,
	struct cmi_mex_port *out, cmend_error *err)
{
	const struct cmi_xml_node *node =
		find_by(doc->root, NS_WSDL, "port", "name", port);
	struct cmi_mex_port p = {.name = port};

	if (!node)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"the service's metadata names no port \"%s\"", port);
	p.location =
		cmi_xml_attr(cmi_xml_find(node, NULL, "address"), "location");
	if (!p.location)
		return cmi_fail(err, CMEND_PARSE,
			"port \"%s\" in the service's metadata has no address",
			port);
	read_policy(doc, port, &p);
	*out = p;
	return CMEND_OK;
}

static cmend_status refuse(const char *url, const char *why, cmend_error *err)
{
	char shown[160];

	cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(url));
	return cmi_fail(err, CMEND_REFUSED,
		"the service's metadata sends us to \"%s\", %s", shown, why);
}

/* RFC 3986 section 3.3, without what a request line cannot hold. */
static bool path_is_plain(struct cmi_bytes path)
{
	struct cmi_cursor at = cmi_cursor_of(path);
	uint8_t c;

	while (cmi_cursor_u8(&at, &c))
		if (c <= ' ' || c >= 127 || c == '#' || c == '"')
			return false;
	return true;
}

cmend_status cmi_mex_vet(const char *url, const char *host, uint16_t port,
	char path[CMI_URL_MAX + 1], cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(cmi_bytes_of(url));
	struct cmi_bytes authority, name, rest;
	struct cmi_cursor in;
	uint64_t number = 0;

	if (!cmi_text_starts(cmi_bytes_of(url), "https://"))
		return refuse(url, "which is not https", err);
	(void)cmi_cursor_skip(&at, strlen("https://"));
	if (!cmi_cursor_until(&at, '/', &authority))
		return refuse(url, "which has no path", err);
	rest = cmi_cursor_rest(&at);
	if (rest.n >= CMI_URL_MAX || !path_is_plain(rest))
		return refuse(url, "whose path cannot be asked for", err);
	in = cmi_cursor_of(authority);
	if (!cmi_cursor_until(&in, ':', &name))
		name = authority;
	else if (!cmi_parse_uint(cmi_cursor_rest(&in), 65535, &number) ||
		 number != port)
		return refuse(url, "which is another port", err);
	if (!cmi_text_equal_nocase(name, cmi_bytes_of(host)))
		return refuse(url, "which is another host", err);
	snprintf(path, CMI_URL_MAX + 1, "/%.*s", (int)rest.n,
		(const char *)rest.p);
	return CMEND_OK;
}
