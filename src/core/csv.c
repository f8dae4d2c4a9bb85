/* SPDX-License-Identifier: Apache-2.0 */
#include "core/csv.h"

struct cmi_csv cmi_csv_of(struct cmi_bytes text)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
	struct cmi_csv v = {.c = cmi_cursor_of(text), .record = 1};

	if (text.n >= sizeof(mark) && memcmp(text.p, mark, sizeof(mark)) == 0)
		(void)cmi_cursor_skip(&v.c, sizeof(mark));
	return v;
}

static cmend_status wrong(
	const struct cmi_csv *v, const char *what, cmend_error *err)
{
	return cmi_fail(err, CMEND_PARSE, "record %zu, byte %zu: %s", v->record,
		v->c.at, what);
}

/* escaped = DQUOTE *(TEXTDATA / COMMA / CR / LF / 2DQUOTE) DQUOTE */
static cmend_status read_quoted(
	struct cmi_csv *v, struct cmi_buf *field, cmend_error *err)
{
	struct cmi_bytes part;
	uint8_t next;

	for (;;) {
		if (!cmi_cursor_until(&v->c, '"', &part))
			return wrong(v, "a quote is never closed", err);
		cmi_buf_add_bytes(field, part);
		if (!cmi_cursor_peek(&v->c, 0, &next) || next != '"')
			return CMEND_OK;
		(void)cmi_cursor_skip(&v->c, 1);
		cmi_buf_u8(field, '"');
	}
}

static cmend_status read_plain(
	struct cmi_csv *v, struct cmi_buf *field, cmend_error *err)
{
	size_t n = 0;
	uint8_t c;

	while (cmi_cursor_peek(&v->c, n, &c) && c != ',' && c != '\n' &&
		c != '\r') {
		if (c == '"')
			return wrong(v, "a quote in a field without one", err);
		n++;
	}
	cmi_buf_add(field, v->c.p, n);
	(void)cmi_cursor_skip(&v->c, n);
	return CMEND_OK;
}

/* What may follow a field: a comma, the end of the line, the end. */
static cmend_status pass_end(struct cmi_csv *v, bool *last, cmend_error *err)
{
	uint8_t c;

	*last = true;
	if (!cmi_cursor_u8(&v->c, &c) || c == '\n')
		return CMEND_OK;
	if (c == ',') {
		*last = false;
		return CMEND_OK;
	}
	if (c == '\r' &&
		(v->c.n == 0 || (cmi_cursor_u8(&v->c, &c) && c == '\n')))
		return CMEND_OK;
	return wrong(v, "a field goes on behind its end", err);
}

cmend_status cmi_csv_field(
	struct cmi_csv *v, struct cmi_buf *field, bool *last, cmend_error *err)
{
	uint8_t c;

	cmi_buf_clear(field);
	if (v->c.n == 0 && !v->inside)
		return cmi_fail(err, CMEND_NOT_FOUND, "no more records");
	if (cmi_cursor_peek(&v->c, 0, &c) && c == '"') {
		(void)cmi_cursor_skip(&v->c, 1);
		CMI_TRY(read_quoted(v, field, err));
	} else {
		CMI_TRY(read_plain(v, field, err));
	}
	CMI_TRY(pass_end(v, last, err));
	v->inside = !*last;
	v->record += *last;
	return cmi_buf_status(field, err);
}
