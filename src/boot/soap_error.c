/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/soap_error.h"

#include <stdio.h>
#include <string.h>

#include "boot/soap.h"
#include "core/cursor.h"
#include "core/text.h"

#define ERROR_ID_MAX 999999

static void text(struct cmi_buf *out, const char *v)
{
	cmi_xml_text(out, cmi_bytes_of(v));
}

static void begin(struct cmi_buf *out)
{
	cmi_buf_text(out,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<soap:Envelope xmlns:soap=\"" CMI_NS_SOAP "\"><soap:Body>");
}

static void end(struct cmi_buf *out)
{
	cmi_buf_text(out, "</soap:Body></soap:Envelope>\n");
}

/* ErrorId and Reason are published; that servers add NameValuePairs is seen,
 * what is in them not (profile). */
static void id_and_reason(const struct cmi_soap_error *e, struct cmi_buf *out)
{
	cmi_buf_printf(out, "<ErrorId>%u</ErrorId><Reason>", e->id);
	text(out, e->reason);
	cmi_buf_text(out, "</Reason>");
	if (!*e->pin_reason)
		return;
	cmi_buf_text(out, "<NameValuePairs><NameValuePair>"
			  "<Name>PinFailureReason</Name><Value>");
	text(out, e->pin_reason);
	cmi_buf_text(out, "</Value></NameValuePair></NameValuePairs>");
}

void cmi_soap_fault(const struct cmi_soap_error *e, struct cmi_buf *out)
{
	begin(out);
	cmi_buf_text(out,
		"<soap:Fault><faultcode xmlns:wsse=\"" CMI_NS_WSSE "\">wsse:");
	text(out, e->code);
	cmi_buf_text(out, "</faultcode><faultstring>");
	text(out, e->reason);
	cmi_buf_text(out,
		"</faultstring><detail><OCSDiagnosticsFault xmlns=\"" CMI_NS_AF
		"\"><Ms-Diagnostics-Fault>");
	id_and_reason(e, out);
	cmi_buf_text(out, "</Ms-Diagnostics-Fault></OCSDiagnosticsFault>"
			  "</detail></soap:Fault>");
	end(out);
}

void cmi_soap_error_info(const struct cmi_soap_error *e, struct cmi_buf *out)
{
	begin(out);
	cmi_buf_text(out, "<GetAndPublishCertResponse xmlns=\"" CMI_NS_OCS
			  "\"><ErrorInfo>");
	id_and_reason(e, out);
	cmi_buf_text(out, "</ErrorInfo></GetAndPublishCertResponse>");
	end(out);
}

static void read_pin_reason(struct cmi_xml *doc,
	const struct cmi_xml_node *detail, struct cmi_soap_error *out)
{
	const struct cmi_xml_node *pair =
		cmi_xml_find(detail, NULL, "NameValuePair");

	for (; pair;
		pair = cmi_xml_find_next(detail, pair, NULL, "NameValuePair")) {
		const char *name =
			cmi_xml_text_of(doc, cmi_xml_child(pair, NULL, "Name"));

		if (strcmp(name, "PinFailureReason") == 0)
			cmi_safe_cstr(out->pin_reason, sizeof(out->pin_reason),
				cmi_bytes_of(cmi_xml_text_of(doc,
					cmi_xml_child(pair, NULL, "Value"))));
	}
}

static void read_detail(struct cmi_xml *doc, const struct cmi_xml_node *detail,
	struct cmi_soap_error *out)
{
	const char *id =
		cmi_xml_text_of(doc, cmi_xml_find(detail, NULL, "ErrorId"));
	uint64_t number = 0;

	(void)cmi_parse_uint(cmi_bytes_of(id), ERROR_ID_MAX, &number);
	out->id = (unsigned)number;
	cmi_safe_cstr(out->reason, sizeof(out->reason),
		cmi_bytes_of(cmi_xml_text_of(
			doc, cmi_xml_find(detail, NULL, "Reason"))));
	read_pin_reason(doc, detail, out);
}

static void read_fault(struct cmi_xml *doc, const struct cmi_xml_node *fault,
	struct cmi_soap_error *out)
{
	const char *code =
		cmi_xml_text_of(doc, cmi_xml_find(fault, NULL, "faultcode"));
	const char *local = strchr(code, ':');

	read_detail(doc, cmi_xml_find(fault, CMI_NS_AF, "Ms-Diagnostics-Fault"),
		out);
	cmi_safe_cstr(out->code, sizeof(out->code),
		cmi_bytes_of(local ? local + 1 : code));
	if (!*out->reason)
		cmi_safe_cstr(out->reason, sizeof(out->reason),
			cmi_bytes_of(cmi_xml_text_of(doc,
				cmi_xml_find(fault, NULL, "faultstring"))));
}

bool cmi_soap_error_read(struct cmi_xml *doc, struct cmi_soap_error *out)
{
	const struct cmi_xml_node *body =
		cmi_xml_child(doc->root, CMI_NS_SOAP, "Body");
	const struct cmi_xml_node *fault, *info;

	*out = (struct cmi_soap_error){0};
	fault = cmi_xml_child(body, CMI_NS_SOAP, "Fault");
	if (fault) {
		read_fault(doc, fault, out);
		return true;
	}
	info = cmi_xml_child(
		cmi_xml_child(body, CMI_NS_OCS, "GetAndPublishCertResponse"),
		NULL, "ErrorInfo");
	if (!info)
		return false;
	out->in_answer = true;
	read_detail(doc, info, out);
	/* The layout is unknown: bare text is a reason, too. */
	if (!*out->reason)
		cmi_safe_cstr(out->reason, sizeof(out->reason),
			cmi_bytes_of(cmi_xml_text_of(doc, info)));
	return true;
}

/* The header has no escape for a quote. */
static void quoted(struct cmi_buf *out, const char *v, size_t max)
{
	cmi_buf_text(out, ";\"");
	for (size_t i = 0; i < max && v[i]; i++)
		cmi_buf_u8(out, v[i] == '"' ? '\'' : (uint8_t)v[i]);
	cmi_buf_text(out, "\"");
}

void cmi_diagnostics_write(const struct cmi_soap_error *e, const char *server,
	char out[CMI_DIAGNOSTICS_MAX])
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, CMI_DIAGNOSTICS_MAX - 1);
	cmi_buf_printf(&b, "%u", e->id);
	quoted(&b, server, 110);
	quoted(&b, e->reason, 110);
	quoted(&b, e->code, 60);
	cmi_safe_cstr(out, CMI_DIAGNOSTICS_MAX, cmi_buf_view(&b));
}

static bool read_quoted(struct cmi_cursor *at, char *out, size_t n_out)
{
	struct cmi_bytes v;

	if (!cmi_cursor_until(at, '"', &v) || cmi_text_trim(v).n != 1 ||
		!cmi_text_starts(cmi_text_trim(v), ";") ||
		!cmi_cursor_until(at, '"', &v))
		return false;
	cmi_safe_cstr(out, n_out, v);
	return true;
}

cmend_status cmi_diagnostics_read(
	struct cmi_bytes value, struct cmi_diagnostics *out, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(value);
	struct cmi_diagnostics d = {0};
	struct cmi_bytes digits = {0};
	uint64_t id;
	size_t n = 0;
	uint8_t c;

	while (cmi_cursor_peek(&at, n, &c) && c >= '0' && c <= '9')
		n++;
	(void)cmi_cursor_bytes(&at, n, &digits);
	if (!cmi_parse_uint(digits, ERROR_ID_MAX, &id) ||
		!read_quoted(&at, d.server, sizeof(d.server)) ||
		!read_quoted(&at, d.reason, sizeof(d.reason)) ||
		!read_quoted(&at, d.fault, sizeof(d.fault)))
		return cmi_fail(err, CMEND_PARSE,
			"diagnostics header in another form at byte %zu",
			at.at);
	d.id = (unsigned)id;
	*out = d;
	return CMEND_OK;
}
