/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/bundle.h"

#include <stdio.h>
#include <string.h>

#include "core/cursor.h"
#include "core/file.h"
#include "core/text.h"
#include "x509/other.h"
#include "x509/tlv.h"

/* id-signedData, RFC 5652 section 5.1: 1.2.840.113549.1.7.2 */
static const uint8_t oid_signed_data[] = {
	0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02};

/* One reading: what the caller asked, and how many certificates were met. */
struct reading {
	struct cmi_bundle *out;
	size_t max_certs;
	size_t met;
	const uint8_t *start; /* of the input, for offsets */
	size_t offset;        /* of the PEM block, where there is one */
	bool in_pem;
};

static void note_bad(
	struct reading *r, const uint8_t *at, const cmend_error *why)
{
	struct cmi_bundle *b = r->out;

	if (b->n_bad < CMI_LEN(b->bad)) {
		struct cmi_bundle_bad *bad = &b->bad[b->n_bad];

		bad->index = r->met;
		bad->offset = r->in_pem ? r->offset : (size_t)(at - r->start);
		snprintf(bad->says, sizeof(bad->says), "%.127s", why->message);
	}
	b->n_bad++;
	r->met++;
}

static void note_bad_text(
	struct reading *r, const uint8_t *at, const char *says)
{
	cmend_error why;

	(void)cmi_fail(&why, CMEND_PARSE, "%s", says);
	note_bad(r, at, &why);
}

static cmend_status take_cert(
	struct reading *r, struct cmi_bytes der, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *c = NULL;
	cmend_error why;
	cmend_status status;

	if (r->met >= r->max_certs)
		return cmi_fail(err, CMEND_LIMIT, "more than %zu certificates",
			r->max_certs);
	status = cmi_cert_from_der(der, &c, &why);
	if (status == CMEND_PARSE || status == CMEND_LIMIT) {
		note_bad(r, der.p, &why);
		return CMEND_OK;
	}
	if (status != CMEND_OK)
		return cmi_fail(err, status, "%s", why.message);
	r->met++;
	return cmi_cert_list_add(&r->out->list, c, err);
}

/* CertificateSet, RFC 5652 section 10.2.3; what is no plain certificate
 * (attribute certificates and the like are tagged) is passed over. */
static cmend_status take_cert_set(
	struct reading *r, struct cmi_bytes set, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(set);
	struct cmi_tlv one;

	while (c.n) {
		const uint8_t *at = c.p;

		if (!cmi_tlv_next(&c, &one)) {
			note_bad_text(r, at, "certificate set cut short");
			return CMEND_OK;
		}
		if (one.tag == CMI_TAG_SEQUENCE)
			CMI_TRY(take_cert(r, one.whole, err));
	}
	return CMEND_OK;
}

/*
 * SignedData, RFC 5652 section 5.1, as far as the certificates:
 *   SEQUENCE { version, digestAlgorithms SET, encapContentInfo SEQUENCE,
 *              certificates [0] IMPLICIT CertificateSet OPTIONAL, ... }
 * Whether it is damaged behind them does not matter: nothing there is used.
 */
static bool find_cert_set(struct cmi_bytes signed_data, struct cmi_tlv *set)
{
	struct cmi_cursor c = cmi_cursor_of(signed_data);
	struct cmi_tlv skipped;

	return cmi_tlv_expect(&c, CMI_TAG_INTEGER, &skipped) &&
	       cmi_tlv_expect(&c, CMI_TAG_SET, &skipped) &&
	       cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &skipped) &&
	       cmi_tlv_expect(&c, CMI_TAG_CONTEXT_0, set);
}

/* ContentInfo ::= SEQUENCE { contentType OID, content [0] EXPLICIT ANY } */
static cmend_status take_cms(
	struct reading *r, struct cmi_bytes content, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(content);
	struct cmi_tlv oid, explicit_0, signed_data, set;

	if (!cmi_tlv_expect(&c, CMI_TAG_OID, &oid) ||
		!cmi_bytes_equal(
			oid.content, (struct cmi_bytes){oid_signed_data,
					     sizeof(oid_signed_data)})) {
		note_bad_text(r, content.p, "CMS that is not signed data");
		return CMEND_OK;
	}
	if (!cmi_tlv_expect(&c, CMI_TAG_CONTEXT_0, &explicit_0)) {
		note_bad_text(r, content.p, "CMS without content");
		return CMEND_OK;
	}
	c = cmi_cursor_of(explicit_0.content);
	if (!cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &signed_data) ||
		!find_cert_set(signed_data.content, &set)) {
		note_bad_text(r, content.p, "CMS without certificates");
		return CMEND_OK;
	}
	return take_cert_set(r, set.content, err);
}

static bool is_cms(struct cmi_bytes sequence_content)
{
	struct cmi_cursor c = cmi_cursor_of(sequence_content);
	uint8_t tag;

	return cmi_cursor_peek(&c, 0, &tag) && tag == CMI_TAG_OID;
}

/* One DER object, or several one behind the other. */
static cmend_status take_der(
	struct reading *r, struct cmi_bytes in, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	struct cmi_tlv one;

	while (c.n) {
		const uint8_t *at = c.p;

		if (!cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &one)) {
			note_bad_text(r, at,
				c.p == in.p
					? "DER that is cut short"
					: "bytes behind the last certificate");
			return CMEND_OK;
		}
		if (is_cms(one.content)) {
			r->out->form = CMI_FORM_CMS;
			CMI_TRY(take_cms(r, one.content, err));
		} else {
			CMI_TRY(take_cert(r, one.whole, err));
		}
	}
	return CMEND_OK;
}

/* ------------------------------------------------------------------ PEM */

enum pem_kind { PEM_OTHER, PEM_CERT, PEM_TRUSTED, PEM_CMS };

static enum pem_kind pem_kind(struct cmi_bytes label)
{
	static const struct {
		const char *label;
		enum pem_kind kind;
	} kinds[] = {
		{"CERTIFICATE", PEM_CERT},
		{"X509 CERTIFICATE", PEM_CERT},
		{"X.509 CERTIFICATE", PEM_CERT},
		{"TRUSTED CERTIFICATE", PEM_TRUSTED},
		{"PKCS7", PEM_CMS},
		{"PKCS #7 SIGNED DATA", PEM_CMS},
		{"CERTIFICATE CHAIN", PEM_CMS}, /* RFC 7468 section 8 */
		{"CMS", PEM_CMS},
	};

	for (size_t i = 0; i < CMI_LEN(kinds); i++)
		if (cmi_bytes_equal(label, cmi_bytes_of(kinds[i].label)))
			return kinds[i].kind;
	return PEM_OTHER;
}

/* A line "-----BEGIN label-----" or "-----END label-----". */
static bool pem_boundary(
	struct cmi_bytes line, const char *word, struct cmi_bytes *label)
{
	size_t n = strlen(word);

	line = cmi_text_trim(line);
	if (!cmi_text_starts(line, word) || line.n < n + 5 ||
		memcmp(line.p + line.n - 5, "-----", 5) != 0)
		return false;
	*label = (struct cmi_bytes){line.p + n, line.n - n - 5};
	return true;
}

static bool next_line(struct cmi_cursor *c, struct cmi_bytes *line)
{
	if (cmi_cursor_line(c, line))
		return true;
	*line = cmi_cursor_rest(c);
	return cmi_cursor_skip(c, c->n) && line->n;
}

/* Text up to the END line; a new BEGIN or the end of input ends it badly. */
static bool pem_body(struct cmi_cursor *c, struct cmi_bytes *body)
{
	const uint8_t *start = c->p;
	struct cmi_bytes line, label;

	for (;;) {
		struct cmi_cursor before = *c;

		if (!next_line(c, &line))
			return false;
		if (pem_boundary(line, "-----END ", &label)) {
			*body = (struct cmi_bytes){
				start, (size_t)(before.p - start)};
			return true;
		}
		if (pem_boundary(line, "-----BEGIN ", &label)) {
			*c = before;
			return false;
		}
	}
}

static cmend_status take_pem_block(struct reading *r, enum pem_kind kind,
	struct cmi_bytes body, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf der;
	struct cmi_cursor c;
	struct cmi_tlv one;
	cmend_error why;
	cmend_status status;

	cmi_buf_init(&der, CMI_FILE_MAX);
	status = cmi_base64_decode(&der, body, &why);
	if (status == CMEND_NOMEM)
		return cmi_nomem(err);
	if (status != CMEND_OK) {
		note_bad(r, body.p, &why);
		return CMEND_OK;
	}
	if (kind == PEM_CMS)
		return take_der(r, cmi_buf_view(&der), err);
	if (kind == PEM_CERT)
		return take_cert(r, cmi_buf_view(&der), err);
	/* OpenSSL's own form: a certificate, then what its owner trusts it
	 * for.  Only the certificate is a fact. */
	c = cmi_cursor_of(cmi_buf_view(&der));
	if (cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &one))
		return take_cert(r, one.whole, err);
	note_bad_text(r, body.p, "trusted certificate that is cut short");
	return CMEND_OK;
}

static cmend_status take_pem(
	struct reading *r, struct cmi_bytes in, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	struct cmi_bytes line, label, body;

	r->in_pem = true;
	while (next_line(&c, &line)) {
		enum pem_kind kind;

		if (!pem_boundary(line, "-----BEGIN ", &label))
			continue;
		r->offset = (size_t)(line.p - r->start);
		kind = pem_kind(label);
		if (!pem_body(&c, &body)) {
			if (kind != PEM_OTHER)
				note_bad_text(r, line.p,
					"PEM block without its END line");
			continue;
		}
		if (kind == PEM_CMS && r->out->list.n == 0)
			r->out->form = CMI_FORM_CMS;
		if (kind != PEM_OTHER)
			CMI_TRY(take_pem_block(r, kind, body, err));
	}
	return CMEND_OK;
}

/* -------------------------------------------------------- which form is it */

static struct cmi_bytes without_mark(struct cmi_bytes in)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	uint32_t mark;

	/* The byte order mark some editors put first. */
	if (cmi_cursor_u24(&c, &mark) && mark == 0xefbbbf)
		return cmi_cursor_rest(&c);
	return in;
}

/* Base64 of DER with no PEM lines about it, as some servers answer. */
static cmend_status take_bare_base64(
	struct reading *r, struct cmi_bytes in, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf der;

	cmi_buf_init(&der, CMI_FILE_MAX);
	if (cmi_base64_decode(&der, in, NULL) != CMEND_OK)
		return der.failed == CMEND_NOMEM ? cmi_nomem(err) : CMEND_OK;
	r->in_pem = true;
	return take_der(r, cmi_buf_view(&der), err);
}

static cmend_status take_any(
	struct reading *r, struct cmi_bytes in, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	uint8_t first;

	if (cmi_cursor_peek(&c, 0, &first) && first == CMI_TAG_SEQUENCE)
		return take_der(r, in, err);
	in = without_mark(in);
	r->out->form = CMI_FORM_PEM;
	if (in.n && memmem(in.p, in.n, "-----BEGIN ", 11))
		return take_pem(r, in, err);
	/* Every certificate and container over 255 bytes starts so. */
	if (cmi_text_starts(cmi_text_trim(in), "MI"))
		return take_bare_base64(r, cmi_text_trim(in), err);
	return CMEND_OK;
}

/* There is none; which: of bad, what was wrong with the first that should
 * have been one.  Outside PEM that may be something else altogether. */
static cmend_status refuse(struct cmi_bytes in, size_t which,
	const struct cmi_bundle *out, cmend_error *err)
{
	bool damaged = which < CMI_LEN(out->bad);
	const char *other = damaged && out->form == CMI_FORM_PEM
				    ? NULL
				    : cmi_other_than_cert(in);

	if (other)
		return cmi_fail(err, CMEND_PARSE, "no certificate: %s", other);
	if (damaged)
		return cmi_fail(err, CMEND_PARSE,
			"no certificate: at byte %zu: %s",
			out->bad[which].offset, out->bad[which].says);
	return cmi_fail(err, CMEND_PARSE, "no certificate in %zu bytes", in.n);
}

cmend_status cmi_bundle_read(struct cmi_bytes in, size_t max_certs,
	struct cmi_bundle *out, cmend_error *err)
{
	struct reading r = {
		.out = out,
		.max_certs = max_certs < CMI_BUNDLE_CERTS_MAX
				     ? max_certs
				     : CMI_BUNDLE_CERTS_MAX,
		.start = in.p,
	};
	size_t had = out->list.n, had_bad = out->n_bad;

	if (in.n > CMI_FILE_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"%zu bytes of certificates, more than %zu", in.n,
			CMI_FILE_MAX);
	out->form = CMI_FORM_DER;
	CMI_TRY(take_any(&r, in, err));
	if (out->list.n > had)
		return CMEND_OK;
	return refuse(in, out->n_bad > had_bad ? had_bad : CMI_LEN(out->bad),
		out, err);
}

cmend_status cmi_bundle_read_file(const char *path, size_t max_certs,
	struct cmi_bundle *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	cmend_status status;

	cmi_buf_init(&b, CMI_FILE_MAX);
	CMI_TRY(cmi_file_read(path, &b, err));
	status = cmi_bundle_read(cmi_buf_view(&b), max_certs, out, err);
	if (status != CMEND_OK)
		return strcmp(path, "-") == 0
			       ? cmi_fail_within(err, status, "standard input")
			       : cmi_fail_within(err, status, "\"%s\"", path);
	return CMEND_OK;
}

void cmi_bundle_dispose(struct cmi_bundle *b)
{
	cmi_cert_list_dispose(&b->list);
	*b = (struct cmi_bundle){0};
}

/* -------------------------------------------------------------- writing */

/* One line whatever the name is: cmi_cert's texts hold no control bytes. */
static void write_pem_cert(
	const struct cmi_cert *c, bool with_name, struct cmi_buf *out)
{
	if (with_name)
		cmi_buf_printf(out, "# %s\n", c->subject);
	cmi_buf_text(out, "-----BEGIN CERTIFICATE-----\n");
	cmi_base64(out, c->der, 64, "\n");
	if (out->n && out->p[out->n - 1] != '\n')
		cmi_buf_text(out, "\n");
	cmi_buf_text(out, "-----END CERTIFICATE-----\n");
}

/* A DER header before n bytes that follow (X.690 section 8.1). */
static void der_header(struct cmi_buf *out, uint8_t tag, size_t n)
{
	unsigned width = n < 0x80 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : 4;

	cmi_buf_u8(out, tag);
	cmi_buf_u8(out, (uint8_t)(width ? 0x80 | width : n));
	cmi_buf_be(out, width, n);
}

/* The content of out in one more element. */
static void der_wrap(struct cmi_buf *b, uint8_t tag)
{
	struct cmi_buf outer;

	cmi_buf_init(&outer, b->max);
	der_header(&outer, tag, b->n);
	cmi_buf_add_bytes(&outer, cmi_buf_view(b));
	cmi_buf_clear(b);
	cmi_buf_add_bytes(b, cmi_buf_view(&outer));
	if (outer.failed)
		b->failed = outer.failed;
	cmi_buf_dispose(&outer);
}

/* Degenerate SignedData: no content, no signer (RFC 5652 section 5).  The
 * certificates are written byte for byte and in the order given, which
 * libcrypto's own writer would not do. */
static cmend_status write_cms(struct cmi_cert *const *certs, size_t n,
	struct cmi_buf *out, cmend_error *err)
{
	/* version 1, no digestAlgorithms, encapContentInfo id-data */
	static const uint8_t head[] = {0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x0b,
		0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07,
		0x01};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf set, body;

	cmi_buf_init(&set, CMI_FILE_MAX);
	cmi_buf_init(&body, CMI_FILE_MAX);
	for (size_t i = 0; i < n; i++)
		cmi_buf_add_bytes(&set, certs[i]->der);
	der_wrap(&set, CMI_TAG_CONTEXT_0);
	cmi_buf_add(&body, head, sizeof(head));
	cmi_buf_add_bytes(&body, cmi_buf_view(&set));
	der_header(&body, CMI_TAG_SET, 0); /* signerInfos */
	der_wrap(&body, CMI_TAG_SEQUENCE);
	der_wrap(&body, CMI_TAG_CONTEXT_0);
	cmi_buf_clear(&set);
	der_header(&set, CMI_TAG_OID, sizeof(oid_signed_data));
	cmi_buf_add(&set, oid_signed_data, sizeof(oid_signed_data));
	cmi_buf_add_bytes(&set, cmi_buf_view(&body));
	der_wrap(&set, CMI_TAG_SEQUENCE);
	CMI_TRY(cmi_buf_status(&body, err));
	CMI_TRY(cmi_buf_status(&set, err));
	cmi_buf_add_bytes(out, cmi_buf_view(&set));
	return cmi_buf_status(out, err);
}

cmend_status cmi_bundle_write(struct cmi_cert *const *certs, size_t n,
	enum cmi_bundle_form form, bool with_names, struct cmi_buf *out,
	cmend_error *err)
{
	if (form == CMI_FORM_CMS)
		return write_cms(certs, n, out, err);
	if (form == CMI_FORM_DER) {
		if (n != 1)
			return cmi_fail(err, CMEND_ARG,
				"DER holds one certificate, not %zu", n);
		cmi_buf_add_bytes(out, certs[0]->der);
		return cmi_buf_status(out, err);
	}
	for (size_t i = 0; i < n; i++)
		write_pem_cert(certs[i], with_names, out);
	return cmi_buf_status(out, err);
}
