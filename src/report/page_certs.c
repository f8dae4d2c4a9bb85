/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"
#include "report/page_private.h"

void cmi_page_text(struct cmi_buf *out, const char *text)
{
	cmi_xml_text(out, cmi_bytes_of(text));
}

static void fact(struct cmi_buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	cmi_buf_printf(out, "<dt>%s</dt><dd>", name);
	cmi_page_text(out, value);
	cmi_buf_text(out, "</dd>\n");
}

static void list(
	struct cmi_buf *out, const char *name, char *const *values, size_t n)
{
	if (!n)
		return;
	cmi_buf_printf(out, "<dt>%s</dt><dd>", name);
	for (size_t i = 0; i < n; i++) {
		if (i)
			cmi_buf_text(out, ", ");
		cmi_buf_text(out, "<span class=\"mono\">");
		cmi_page_text(out, values[i]);
		cmi_buf_text(out, "</span>");
	}
	cmi_buf_text(out, "</dd>\n");
}

const char *cmi_page_name(const struct cmi_cert *c)
{
	if (c->common_name && *c->common_name)
		return c->common_name;
	return c->subject && *c->subject ? c->subject : "(no name)";
}

/* Not there where only an outline of it is known. */
static void key_facts(struct cmi_buf *out, const struct cmi_cert *c)
{
	if (!c->key_type)
		return;
	cmi_buf_printf(out, "<dt>Key</dt><dd>");
	cmi_page_text(out, c->key_type);
	cmi_buf_printf(out, ", %u bits</dd>\n", c->key_bits);
	fact(out, "Signed with", c->signature);
	cmi_buf_printf(out, "<dt>CA</dt><dd>%s</dd>\n", c->ca ? "yes" : "no");
}

void cmi_page_cert(struct cmi_buf *out, const struct cmi_cert *c,
	const char *role, uint64_t frame)
{
	char from[CMI_TIME_TEXT], to[CMI_TIME_TEXT];

	cmi_buf_text(out, "<details><summary>");
	cmi_page_text(out, cmi_page_name(c));
	cmi_buf_printf(out, "<small>%s", role);
	if (frame)
		cmi_buf_printf(out, ", frame %llu", (unsigned long long)frame);
	cmi_buf_text(out, "</small></summary><div class=\"in\"><dl "
			  "class=\"facts\">\n");
	fact(out, "Subject", c->subject);
	fact(out, "Issuer", c->issuer);
	cmi_time_s(to, c->not_after_s);
	if (c->not_before_s)
		cmi_buf_printf(out, "<dt>Valid</dt><dd>%s to %s</dd>\n",
			cmi_time_s(from, c->not_before_s), to);
	else
		fact(out, "Valid until", to);
	list(out, "Names", c->dns_names, c->n_dns_names);
	list(out, "Addresses", c->ip_names, c->n_ip_names);
	list(out, "Issuer at", c->aia_urls, c->n_aia_urls);
	key_facts(out, c);
	cmi_buf_printf(out,
		"<dt>SHA-256</dt><dd class=\"mono\">%s</dd></dl></div>"
		"</details>\n",
		c->sha256_hex);
}

static bool was_sent(
	const struct cmi_item_cert *certs, size_t n, const struct cmi_cert *c)
{
	for (size_t i = 0; i < n; i++)
		if (certs[i].cert && cmi_cert_equal(certs[i].cert, c))
			return true;
	return false;
}

static void path_box(struct cmi_buf *out, const struct cmi_cert *c,
	const char *class_name, const char *role)
{
	cmi_buf_printf(out, "<li%s%s%s>", *class_name ? " class=\"" : "",
		class_name, *class_name ? "\"" : "");
	cmi_page_text(out, cmi_page_name(c));
	cmi_buf_printf(out, "<small>%s</small></li>\n", role);
}

static void gap_box(struct cmi_buf *out, const char *issuer)
{
	cmi_buf_text(out, "<li class=\"missing\">");
	cmi_page_text(out, issuer);
	cmi_buf_text(out, "<small>not sent by the server</small></li>\n");
}

static void path_row(struct cmi_buf *out, const struct cmi_item_cert *certs,
	size_t n, const struct cmi_path *path, bool has_anchor,
	const char *absent)
{
	static const char to[] =
		"<li class=\"to\" aria-hidden=\"true\">\xe2\x86\x92</li>\n";
	const struct cmi_cert *last = path->certs[path->n - 1];

	cmi_buf_text(out, "<ul class=\"path\" aria-label=\"path of "
			  "certificates\">\n");
	for (size_t i = 0; i < path->n; i++) {
		const struct cmi_cert *c = path->certs[i];
		bool anchor = has_anchor && i + 1 == path->n;

		if (i)
			cmi_buf_text(out, to);
		if (anchor)
			path_box(out, c, "anchor", "trusted root");
		else if (was_sent(certs, n, c))
			path_box(out, c, "",
				i == 0 ? "server certificate, sent" : "sent");
		else
			path_box(out, c, "missing", absent);
	}
	if (!has_anchor) {
		cmi_buf_text(out, to);
		gap_box(out, last->self_issued ? "a root this client trusts"
					       : last->issuer);
	}
	cmi_buf_text(out, "</ul>\n");
}

void cmi_page_sent(struct cmi_buf *out, const struct cmi_item_cert *certs,
	size_t n, const struct cmi_path *path, bool path_has_anchor,
	const char *absent)
{
	if (path && path->n)
		path_row(out, certs, n, path, path_has_anchor, absent);
	cmi_page_cert_list(out, certs, n, path, path_has_anchor, absent);
}

/* n 0: how long it is was not kept. */
static void malformed(struct cmi_buf *out, size_t n)
{
	cmi_buf_text(out, "<p>A malformed certificate");
	if (n)
		cmi_buf_printf(out, ", %zu bytes", n);
	cmi_buf_text(out, ".</p>\n");
}

void cmi_page_cert_list(struct cmi_buf *out, const struct cmi_item_cert *certs,
	size_t n, const struct cmi_path *path, bool path_has_anchor,
	const char *absent)
{
	for (size_t i = 0; i < n; i++) {
		if (certs[i].cert)
			cmi_page_cert(
				out, certs[i].cert, "sent", certs[i].frame);
		else
			malformed(out, certs[i].der.n);
	}
	for (size_t i = 0; path && i < path->n; i++)
		if (!was_sent(certs, n, path->certs[i]))
			cmi_page_cert(out, path->certs[i],
				path_has_anchor && i + 1 == path->n
					? "trusted root, not sent"
					: absent,
				0);
}

void cmi_page_chain(struct cmi_buf *out, const struct cmi_item_handshake *h)
{
	if (!h->n_certs) {
		cmi_buf_text(out, "<p>No certificate of this handshake can be "
				  "read from the capture.</p>\n");
		return;
	}
	cmi_page_sent(out, h->certs, h->n_certs, h->path, h->path_has_anchor,
		h->verdict ? "missing: not sent"
			   : "not sent: the client has it from elsewhere");
}

void cmi_page_findings(
	struct cmi_buf *out, const struct cmi_finding *f, size_t n)
{
	for (; n; f++, n--) {
		const struct cmi_finding_text *t = cmi_finding_text(f->id);
		const char *severity = cmi_severity_name(f->severity);

		cmi_buf_printf(out,
			"<tr><td><span class=\"badge %s\">%s</span></td><td>",
			severity, cmi_finding_name(f->id));
		cmi_page_text(out, f->says ? f->says : t->title);
		cmi_buf_printf(out, "%s</td><td class=\"num\">",
			f->inferred ? " <em>(inferred)</em>" : "");
		for (size_t i = 0; i < f->n_frames; i++)
			cmi_buf_printf(out, "%s%llu", i ? ", " : "",
				(unsigned long long)f->frames[i]);
		cmi_buf_printf(out, "</td><td>%s</td><td>",
			t->reference ? t->reference : "");
		cmi_page_text(out, f->remedy ? f->remedy : t->remedy);
		cmi_buf_text(out, "</td></tr>\n");
	}
}
