/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/list.h"

#include "core/csv.h"
#include "core/text.h"

/* Some reports have single quotes around each certificate. */
static struct cmi_bytes unquote(struct cmi_bytes v)
{
	v = cmi_text_trim(v);
	if (v.n >= 2 && v.p[0] == '\'' && v.p[v.n - 1] == '\'')
		v = (struct cmi_bytes){v.p + 1, v.n - 2};
	return v;
}

static bool has_word(struct cmi_bytes text, const char *word)
{
	return memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* Which column of the head's record has the certificates. */
static cmend_status find_column(struct cmi_csv *v, struct cmi_buf *field,
	size_t *column, cmend_error *err)
{
	bool last = false, found = false;

	for (size_t i = 0; !last; i++) {
		CMI_TRY(cmi_csv_field(v, field, &last, err));
		if (!found && has_word(cmi_buf_view(field), "PEM")) {
			found = true;
			*column = i;
		}
	}
	return found ? CMEND_OK
		     : cmi_fail(err, CMEND_PARSE,
			       "no column of the report is headed with PEM");
}

static cmend_status take_field(struct cmi_bytes field, size_t record,
	struct cmi_bundle *out, cmend_error *err)
{
	cmend_status status;

	field = unquote(field);
	if (!field.n)
		return CMEND_OK;
	status = cmi_bundle_read(field, CMI_BUNDLE_CERTS_MAX, out, err);
	if (status != CMEND_PARSE)
		return status;
	/* Malformed ones are counted by the bundle; this is something else. */
	if (!has_word(field, "-----BEGIN"))
		return cmi_fail(err, CMEND_PARSE,
			"record %zu has no certificate in its column", record);
	return CMEND_OK;
}

static cmend_status read_report(
	struct cmi_bytes content, struct cmi_bundle *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf field;
	struct cmi_csv v = cmi_csv_of(content);
	size_t column = 0, record, at = 0, before = out->list.n;
	cmend_status status;
	bool last;

	cmi_buf_init(&field, CMI_LIST_FIELD_MAX);
	CMI_TRY(find_column(&v, &field, &column, err));
	for (;;) {
		record = v.record;
		status = cmi_csv_field(&v, &field, &last, err);
		if (status)
			break;
		if (at == column)
			CMI_TRY(take_field(
				cmi_buf_view(&field), record, out, err));
		at = last ? 0 : at + 1;
	}
	if (status != CMEND_NOT_FOUND)
		return status;
	return out->list.n > before ? CMEND_OK
				    : cmi_fail(err, CMEND_PARSE,
					      "no certificate in the report");
}

static bool is_report(struct cmi_bytes content)
{
	struct cmi_cursor c = cmi_cursor_of(content);
	struct cmi_bytes head;

	return cmi_cursor_line(&c, &head) && has_word(head, ",") &&
	       has_word(head, "PEM") && !has_word(head, "-----BEGIN");
}

cmend_status cmi_list_read(
	struct cmi_bytes content, struct cmi_bundle *out, cmend_error *err)
{
	if (cmi_text_starts(cmi_text_trim(content), "<"))
		return cmi_fail(err, CMEND_PARSE,
			"it is a web page, no list of certificates");
	if (is_report(content))
		return read_report(content, out, err);
	return cmi_bundle_read(content, CMI_BUNDLE_CERTS_MAX, out, err);
}
