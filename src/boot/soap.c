/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/soap.h"

#include <string.h>

#include "boot/soap_error.h"
#include "core/limits.h"
#include "core/text.h"

#define TYPE_SAML11                                                            \
	"http://docs.oasis-open.org/wss/"                                      \
	"oasis-wss-saml-token-profile-1.1#SAMLV1.1"
#define TYPE_PASSWORD                                                          \
	"http://docs.oasis-open.org/wss/2004/01/"                              \
	"oasis-200401-wss-username-token-profile-1.0#PasswordText"
#define TYPE_PKCS10                                                            \
	"http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10"
#define CLAIM_URI      "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri"
#define REQUEST_ISSUE  "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
#define KEY_SYMMETRIC  CMI_NS_WST "/SymmetricKey"
#define DIALECT_CLAIMS CMI_NS_AF ":authclaims"

static void begin(struct cmi_buf *out)
{
	cmi_buf_text(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			  "<soap:Envelope xmlns:soap=\"" CMI_NS_SOAP "\">");
}

static void begin_body(struct cmi_buf *out)
{
	begin(out);
	cmi_buf_text(out, "<soap:Body>");
}

static void end_body(struct cmi_buf *out)
{
	cmi_buf_text(out, "</soap:Body></soap:Envelope>\n");
}

static void xml_cstr(struct cmi_buf *out, const char *text)
{
	cmi_xml_text(out, cmi_bytes_of(text));
}

/* The chain download, in the profile. */

void cmi_soap_chain_request(struct cmi_buf *out)
{
	begin_body(out);
	cmi_buf_text(out, "<GetRootCertChains xmlns=\"" CMI_NS_OCS "\"/>");
	end_body(out);
}

cmend_status cmi_soap_chain_response(struct cmi_cert *const *certs, size_t n,
	struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf p7;

	cmi_buf_init(&p7, CMI_DOWNLOAD_MAX);
	CMI_TRY(cmi_bundle_write(certs, n, CMI_FORM_CMS, false, &p7, err));
	begin_body(out);
	cmi_buf_text(out, "<GetRootCertChainsResponse xmlns=\"" CMI_NS_OCS
			  "\"><GetRootCertChainsResult>");
	cmi_base64(out, cmi_buf_view(&p7), 0, "");
	cmi_buf_text(out, "</GetRootCertChainsResult>"
			  "</GetRootCertChainsResponse>");
	end_body(out);
	return cmi_buf_status(out, err);
}

static cmend_status take_bundle(
	struct cmi_bytes in, struct cmi_cert_list *out, cmend_error *err)
{
	struct cmi_bundle bundle = {0};
	cmend_status status;

	status = cmi_bundle_read(in, CMI_DOWNLOAD_CERTS_MAX, &bundle, err);
	for (size_t i = 0; !status && i < bundle.list.n; i++) {
		if (cmi_cert_list_has(out, bundle.list.certs[i]))
			continue;
		if (out->n == CMI_DOWNLOAD_CERTS_MAX)
			status = cmi_fail(err, CMEND_LIMIT,
				"more than %u certificates in the download",
				CMI_DOWNLOAD_CERTS_MAX);
		else
			status = cmi_cert_list_add(
				out, bundle.list.certs[i], err);
	}
	cmi_bundle_dispose(&bundle);
	return status;
}

/* Text of an element that is base64 of a bundle; other text is passed by. */
static cmend_status take_text(struct cmi_xml *doc,
	const struct cmi_xml_node *node, struct cmi_cert_list *out,
	cmend_error *err)
{
	struct cmi_bytes text = cmi_bytes_of(cmi_xml_text_of(doc, node));
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf der;
	cmend_status status;

	cmi_buf_init(&der, CMI_DOWNLOAD_MAX);
	if (text.n < 64 || cmi_base64_decode(&der, text, NULL) != CMEND_OK)
		return CMEND_OK;
	status = take_bundle(cmi_buf_view(&der), out, err);
	return status == CMEND_LIMIT || status == CMEND_NOMEM ? status
							      : CMEND_OK;
}

static cmend_status read_chain_soap(
	struct cmi_xml *doc, struct cmi_cert_list *out, cmend_error *err)
{
	const struct cmi_xml_node *body =
		cmi_xml_child(doc->root, CMI_NS_SOAP, "Body");
	struct cmi_soap_error no;

	if (cmi_soap_error_read(doc, &no))
		return cmi_fail(err, CMEND_REFUSED,
			"server refuses the chain download: %s (%u)", no.reason,
			no.id);
	for (const struct cmi_xml_node *n =
			body ? cmi_xml_find_next(body, body, NULL, NULL) : NULL;
		n; n = cmi_xml_find_next(body, n, NULL, NULL))
		CMI_TRY(take_text(doc, n, out, err));
	if (!out->n)
		return cmi_fail(err, CMEND_PARSE,
			"no certificate in the chain download");
	return CMEND_OK;
}

cmend_status cmi_soap_chain_read(
	struct cmi_bytes body, struct cmi_cert_list *out, cmend_error *err)
{
	struct cmi_bytes text = cmi_text_trim(body);
	struct cmi_xml doc;
	cmend_status status;

	if (body.n > CMI_DOWNLOAD_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"chain download larger than %zu bytes",
			CMI_DOWNLOAD_MAX);
	if (!cmi_text_starts(text, "<") &&
		!cmi_text_starts(text, "\xef\xbb\xbf<"))
		return take_bundle(body, out, err);
	cmi_xml_init(&doc);
	status = cmi_xml_read(&doc, text, err);
	if (!status)
		status = read_chain_soap(&doc, out, err);
	cmi_xml_dispose(&doc);
	return status;
}

/* The web ticket. */

static void username_token(
	const struct cmi_ticket_ask *ask, struct cmi_buf *out)
{
	cmi_buf_text(out, "<wsse:UsernameToken><wsse:Username>");
	xml_cstr(out, ask->name);
	cmi_buf_text(out,
		"</wsse:Username><wsse:Password Type=\"" TYPE_PASSWORD "\">");
	xml_cstr(out, ask->secret);
	cmi_buf_text(out, "</wsse:Password></wsse:UsernameToken>");
}

static void ticket_header(const struct cmi_ticket_ask *ask, struct cmi_buf *out)
{
	cmi_buf_text(out, "<soap:Header><wsa:Action>" CMI_ACTION_TICKET
			  "</wsa:Action><wsa:MessageID>uuid:");
	xml_cstr(out, ask->message_id);
	cmi_buf_text(out, "</wsa:MessageID><wsa:ReplyTo><wsa:Address>"
			  "http://www.w3.org/2005/08/addressing/anonymous"
			  "</wsa:Address></wsa:ReplyTo>"
			  "<wsse:Security soap:mustUnderstand=\"1\">");
	if (ask->security.n)
		cmi_buf_add_bytes(out, ask->security);
	else
		username_token(ask, out);
	cmi_buf_text(out, "</wsse:Security></soap:Header>");
}

void cmi_soap_ticket_request(
	const struct cmi_ticket_ask *ask, struct cmi_buf *out)
{
	cmi_buf_text(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			  "<soap:Envelope xmlns:soap=\"" CMI_NS_SOAP
			  "\" xmlns:wsa=\"" CMI_NS_WSA
			  "\" xmlns:wsse=\"" CMI_NS_WSSE "\">");
	ticket_header(ask, out);
	/* What may be signed has an Id. */
	cmi_buf_text(out,
		"<soap:Body xmlns:wsu=\"" CMI_NS_WSU "\" wsu:Id=\"body\">"
		"<wst:RequestSecurityToken xmlns:wst=\"" CMI_NS_WST
		"\" Context=\"");
	xml_cstr(out, ask->message_id);
	cmi_buf_text(out, "\"><wst:TokenType>" TYPE_SAML11 "</wst:TokenType>"
			  "<wst:RequestType>" REQUEST_ISSUE "</wst:RequestType>"
			  "<wsp:AppliesTo xmlns:wsp=\"" CMI_NS_WSP "\">"
			  "<wsa:EndpointReference><wsa:Address>");
	xml_cstr(out, ask->applies_to);
	cmi_buf_text(out, "</wsa:Address></wsa:EndpointReference>"
			  "</wsp:AppliesTo>");
	if (ask->sip && *ask->sip) {
		cmi_buf_text(out, "<wst:Claims Dialect=\"" DIALECT_CLAIMS
				  "\"><auth:ClaimType xmlns:auth=\"" CMI_NS_AUTH
				  "\" Uri=\"" CLAIM_URI "\" Optional=\"false\">"
				  "<auth:Value>");
		xml_cstr(out, ask->sip);
		cmi_buf_text(
			out, "</auth:Value></auth:ClaimType></wst:Claims>");
	}
	cmi_buf_text(out, "<wst:Entropy><wst:BinarySecret>");
	cmi_base64(out, ask->entropy, 0, "");
	cmi_buf_text(out,
		"</wst:BinarySecret></wst:Entropy><wst:KeyType>" KEY_SYMMETRIC
		"</wst:KeyType></wst:RequestSecurityToken>");
	end_body(out);
}

/* base64 text of a node into the document's memory. */
static cmend_status decode_in(struct cmi_xml *doc,
	const struct cmi_xml_node *node, size_t max, struct cmi_bytes *out,
	cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf raw;
	const char *copy;

	cmi_buf_init(&raw, max);
	CMI_TRY(cmi_base64_decode(
		&raw, cmi_bytes_of(cmi_xml_text_of(doc, node)), err));
	copy = cmi_arena_strndup(&doc->arena, raw.p, raw.n);
	if (!copy)
		return cmi_nomem(err);
	*out = (struct cmi_bytes){(const uint8_t *)copy, raw.n};
	return CMEND_OK;
}

/* WS-Trust elements: the namespace is written with and without a final slash
 * by real clients, so both are accepted. */
static const struct cmi_xml_node *find_wst(
	const struct cmi_xml_node *node, const char *name)
{
	const struct cmi_xml_node *hit = cmi_xml_find(node, CMI_NS_WST, name);

	return hit ? hit : cmi_xml_find(node, CMI_NS_WST "/", name);
}

cmend_status cmi_soap_ticket_ask_read(
	struct cmi_xml *doc, struct cmi_ticket_ask *ask, cmend_error *err)
{
	const struct cmi_xml_node *header, *body, *rst, *token, *claim;

	header = cmi_xml_child(doc->root, CMI_NS_SOAP, "Header");
	body = cmi_xml_child(doc->root, CMI_NS_SOAP, "Body");
	rst = find_wst(body, "RequestSecurityToken");
	if (!rst)
		return cmi_fail(err, CMEND_PARSE,
			"no RequestSecurityToken in the message");
	token = cmi_xml_find(header, CMI_NS_WSSE, "UsernameToken");
	claim = cmi_xml_find(rst, CMI_NS_AUTH, "Value");
	*ask = (struct cmi_ticket_ask){
		.name = cmi_xml_text_of(
			doc, cmi_xml_child(token, CMI_NS_WSSE, "Username")),
		.secret = cmi_xml_text_of(
			doc, cmi_xml_child(token, CMI_NS_WSSE, "Password")),
		.sip = cmi_xml_text_of(doc, claim),
		.applies_to = cmi_xml_text_of(
			doc, cmi_xml_find(rst, CMI_NS_WSA, "Address")),
		.message_id = cmi_xml_text_of(
			doc, cmi_xml_child(header, CMI_NS_WSA, "MessageID")),
	};
	if (find_wst(rst, "BinarySecret"))
		CMI_TRY(decode_in(doc, find_wst(rst, "BinarySecret"), 64,
			&ask->entropy, err));
	return CMEND_OK;
}

static void lifetime(struct cmi_buf *out, int64_t created_s, int64_t expires_s)
{
	char text[CMI_TIME_TEXT];

	cmi_buf_printf(out,
		"<wsu:Created xmlns:wsu=\"" CMI_NS_WSU "\">%s</wsu:Created>",
		cmi_time_s(text, created_s));
	cmi_buf_printf(out,
		"<wsu:Expires xmlns:wsu=\"" CMI_NS_WSU "\">%s</wsu:Expires>",
		cmi_time_s(text, expires_s));
}

static void assertion(const struct cmi_ticket *t, struct cmi_buf *out)
{
	char from[CMI_TIME_TEXT], to[CMI_TIME_TEXT];

	cmi_buf_printf(out,
		"<saml:Assertion xmlns:saml=\"" CMI_NS_SAML
		"\" MajorVersion=\"1\" MinorVersion=\"1\" "
		"AssertionID=\"%s\" Issuer=\"chainmend\" IssueInstant=\"%s\">"
		"<saml:Conditions NotBefore=\"%s\" NotOnOrAfter=\"%s\">"
		"<saml:AudienceRestrictionCondition><saml:Audience>",
		t->assertion_id, cmi_time_s(from, t->created_s), from,
		cmi_time_s(to, t->expires_s));
	xml_cstr(out, t->applies_to);
	cmi_buf_text(out,
		"</saml:Audience></saml:AudienceRestrictionCondition>"
		"</saml:Conditions><saml:AuthenticationStatement "
		"AuthenticationMethod=\""
		"urn:oasis:names:tc:SAML:1.0:am:unspecified\"><saml:Subject>"
		"<saml:NameIdentifier Format=\"" CLAIM_URI "\">");
	xml_cstr(out, t->sip);
	cmi_buf_text(out, "</saml:NameIdentifier></saml:Subject>"
			  "</saml:AuthenticationStatement></saml:Assertion>");
}

void cmi_soap_ticket_response(const struct cmi_ticket *t, struct cmi_buf *out)
{
	begin_body(out);
	cmi_buf_text(out,
		"<RequestSecurityTokenResponseCollection xmlns=\"" CMI_NS_WST
		"\"><RequestSecurityTokenResponse><TokenType>" TYPE_SAML11
		"</TokenType><Lifetime>");
	lifetime(out, t->created_s, t->expires_s);
	cmi_buf_text(out, "</Lifetime><RequestedSecurityToken>");
	assertion(t, out);
	cmi_buf_text(out, "</RequestedSecurityToken><RequestedProofToken>"
			  "<ComputedKey>" CMI_NS_WST "/CK/PSHA1</ComputedKey>"
			  "</RequestedProofToken><Entropy><BinarySecret>");
	cmi_base64(out, t->entropy, 0, "");
	cmi_buf_text(out, "</BinarySecret></Entropy>"
			  "</RequestSecurityTokenResponse>"
			  "</RequestSecurityTokenResponseCollection>");
	end_body(out);
}

static cmend_status read_time(struct cmi_xml *doc,
	const struct cmi_xml_node *life, const char *name, int64_t *out,
	cmend_error *err)
{
	const char *text =
		cmi_xml_text_of(doc, cmi_xml_find(life, CMI_NS_WSU, name));

	if (!cmi_time_parse(cmi_bytes_of(text), out))
		return cmi_fail(err, CMEND_PARSE,
			"ticket without a readable \"%s\"", name);
	return CMEND_OK;
}

cmend_status cmi_soap_ticket_read(struct cmi_xml *doc, struct cmi_bytes body,
	struct cmi_ticket *t, cmend_error *err)
{
	const struct cmi_xml_node *r, *a, *secret;

	r = find_wst(doc->root, "RequestSecurityTokenResponse");
	a = cmi_xml_find(r, CMI_NS_SAML, "Assertion");
	secret = find_wst(find_wst(r, "Entropy"), "BinarySecret");
	if (!a || !cmi_xml_attr(a, "AssertionID"))
		return cmi_fail(
			err, CMEND_PARSE, "no ticket in the server's answer");
	*t = (struct cmi_ticket){
		.assertion_id = cmi_xml_attr(a, "AssertionID"),
		.sip = cmi_xml_text_of(
			doc, cmi_xml_find(a, CMI_NS_SAML, "NameIdentifier")),
		.applies_to = cmi_xml_text_of(
			doc, cmi_xml_find(a, CMI_NS_SAML, "Audience")),
		.assertion = {body.p + a->begin, a->end - a->begin},
	};
	CMI_TRY(read_time(
		doc, find_wst(r, "Lifetime"), "Created", &t->created_s, err));
	CMI_TRY(read_time(
		doc, find_wst(r, "Lifetime"), "Expires", &t->expires_s, err));
	if (secret)
		CMI_TRY(decode_in(doc, secret, 64, &t->entropy, err));
	return CMEND_OK;
}

/* The client certificate. */

void cmi_soap_cert_request(const struct cmi_cert_ask *ask, struct cmi_buf *out)
{
	begin(out);
	cmi_buf_text(out,
		"<soap:Header><wsse:Security xmlns:wsse=\"" CMI_NS_WSSE
		"\" soap:mustUnderstand=\"1\">");
	cmi_buf_add_bytes(out, ask->security);
	cmi_buf_text(out, "</wsse:Security></soap:Header><soap:Body>"
			  "<GetAndPublishCert xmlns=\"" CMI_NS_OCS
			  "\" xmlns:wst=\"" CMI_NS_WST "/\" DeviceId=\"");
	xml_cstr(out, ask->device_id);
	cmi_buf_text(out, "\" Entity=\"");
	xml_cstr(out, ask->entity);
	cmi_buf_text(out,
		"\"><wst:RequestSecurityToken><wst:TokenType>" CMI_TYPE_X509V3
		"</wst:TokenType><wst:RequestType>" CMI_NS_WST
		"/Issue</wst:RequestType><wsse:BinarySecurityToken "
		"xmlns:wsse=\"" CMI_NS_WSSE "\" ValueType=\"" TYPE_PKCS10
		"\" EncodingType=\"" CMI_TYPE_BASE64 "\">\r\n");
	cmi_base64(out, ask->csr, 76, "\r\n");
	cmi_buf_text(out, "\r\n</wsse:BinarySecurityToken><wstep:RequestID "
			  "xmlns:wstep=\"" CMI_NS_WSTEP "\">");
	xml_cstr(out, ask->request_id);
	cmi_buf_text(out, "</wstep:RequestID></wst:RequestSecurityToken>"
			  "</GetAndPublishCert>");
	end_body(out);
}

cmend_status cmi_soap_cert_ask_read(struct cmi_xml *doc,
	struct cmi_cert_ask *ask, struct cmi_buf *csr, cmend_error *err)
{
	const struct cmi_xml_node *header, *get, *token;
	const char *id, *entity, *device;

	header = cmi_xml_child(doc->root, CMI_NS_SOAP, "Header");
	get = cmi_xml_find(cmi_xml_child(doc->root, CMI_NS_SOAP, "Body"),
		CMI_NS_OCS, "GetAndPublishCert");
	token = cmi_xml_find(get, CMI_NS_WSSE, "BinarySecurityToken");
	if (!token)
		return cmi_fail(err, CMEND_PARSE,
			"no certificate request in the message");
	CMI_TRY(cmi_base64_decode(
		csr, cmi_bytes_of(cmi_xml_text_of(doc, token)), err));
	id = cmi_xml_attr(
		cmi_xml_find(header, CMI_NS_SAML, "Assertion"), "AssertionID");
	entity = cmi_xml_attr(get, "Entity");
	device = cmi_xml_attr(get, "DeviceId");
	*ask = (struct cmi_cert_ask){
		.entity = entity ? entity : "",
		.device_id = device ? device : "",
		.request_id = cmi_xml_text_of(
			doc, cmi_xml_find(get, CMI_NS_WSTEP, "RequestID")),
		.csr = cmi_buf_view(csr),
		.assertion_id = id ? id : "",
	};
	return CMEND_OK;
}

void cmi_soap_cert_response(const struct cmi_cert *cert, const char *request_id,
	struct cmi_buf *out)
{
	begin_body(out);
	cmi_buf_text(out, "<GetAndPublishCertResponse xmlns=\"" CMI_NS_OCS
			  "\" xmlns:wst=\"" CMI_NS_WST "/\">"
			  "<wst:RequestSecurityTokenResponse><wst:"
			  "TokenType>" CMI_TYPE_X509V3
			  "</wst:TokenType><wst:RequestedSecurityToken>"
			  "<wsse:BinarySecurityToken xmlns:wsse=\"" CMI_NS_WSSE
			  "\" ValueType=\"" CMI_TYPE_X509V3
			  "\" EncodingType=\"" CMI_TYPE_BASE64 "\">");
	cmi_base64(out, cert->der, 0, "");
	cmi_buf_text(out, "</wsse:BinarySecurityToken>"
			  "</wst:RequestedSecurityToken><wstep:RequestID "
			  "xmlns:wstep=\"" CMI_NS_WSTEP "\">");
	xml_cstr(out, request_id);
	cmi_buf_text(out, "</wstep:RequestID>"
			  "</wst:RequestSecurityTokenResponse>"
			  "</GetAndPublishCertResponse>");
	end_body(out);
}

cmend_status cmi_soap_cert_read(
	struct cmi_xml *doc, struct cmi_cert **out, cmend_error *err)
{
	const struct cmi_xml_node *r, *token;
	struct cmi_bytes der;

	r = cmi_xml_find(doc->root, CMI_NS_OCS, "GetAndPublishCertResponse");
	token = cmi_xml_find(find_wst(r, "RequestedSecurityToken"), CMI_NS_WSSE,
		"BinarySecurityToken");
	if (!token)
		return cmi_fail(err, CMEND_PARSE,
			"no certificate in the server's answer");
	CMI_TRY(decode_in(doc, token, CMI_CERT_MAX, &der, err));
	return cmi_cert_from_der(der, out, err);
}
