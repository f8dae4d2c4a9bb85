/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of SIP.  Oracle: messages are cut alike however the bytes arrive;
 * views lie inside the message; what is written back from a message reads the
 * same; an answer to it can be read and carries its dialog.
 */
#include <string.h>

#include "core/cursor.h"
#include "fuzz.h"
#include "wire/sip.h"

static void check_inside(struct cmi_bytes whole, struct cmi_bytes v)
{
	FUZZ_CHECK(v.n == 0 ||
		   (v.p >= whole.p && v.n <= whole.n &&
			   v.p - whole.p <= (ptrdiff_t)(whole.n - v.n)));
}

static void check_fields(struct cmi_bytes text, const struct cmi_sip *m)
{
	struct cmi_bytes list, item;
	struct cmi_sip_address a;
	struct cmi_sip_auth auth;

	for (size_t i = 0; i < m->n_fields; i++) {
		list = m->fields[i].value;
		check_inside(text, m->fields[i].name);
		check_inside(text, list);
		if (cmi_sip_address(list, &a)) {
			check_inside(text, a.uri);
			check_inside(text, a.params);
			(void)cmi_sip_param(a.params, "tag", &item);
			check_inside(text, item);
		}
		if (cmi_sip_auth(list, &auth, NULL) == CMEND_OK)
			for (size_t p = 0; p < auth.n; p++)
				check_inside(text, auth.params[p].value);
		while (cmi_sip_item(&list, &item)) {
			FUZZ_CHECK(item.n > 0);
			check_inside(text, item);
		}
	}
}

/* Fields and body of a message under its start line, written anew. */
static void check_written(struct cmi_bytes text, const struct cmi_sip *m)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_bytes line;
	struct cmi_sip again;
	struct cmi_buf out;
	char name[256];

	cmi_buf_init(&out, CMI_SIP_HEAD_MAX * 2);
	FUZZ_CHECK(cmi_cursor_line(&c, &line));
	cmi_buf_add_bytes(&out, line);
	cmi_buf_text(&out, "\r\n");
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->fields[i].name.n >= sizeof(name))
			goto end;
		memcpy(name, m->fields[i].name.p, m->fields[i].name.n);
		name[m->fields[i].name.n] = 0;
		cmi_sip_put(&out, name, m->fields[i].value);
	}
	cmi_buf_text(&out, "\r\n");
	cmi_buf_add_bytes(&out, m->body);
	FUZZ_CHECK(cmi_sip_read(cmi_buf_view(&out), &again, NULL) == CMEND_OK);
	FUZZ_CHECK(again.n_fields == m->n_fields && again.body.n == m->body.n &&
		   again.status == m->status);
end:
	cmi_buf_dispose(&out);
}

static void check_answer(const struct cmi_sip *m)
{
	struct cmi_sip_basics asked, answered;
	struct cmi_sip answer;
	struct cmi_buf out;

	if (m->response || cmi_sip_basics(m, &asked, NULL) != CMEND_OK)
		return;
	cmi_buf_init(&out, CMI_SIP_HEAD_MAX * 2);
	cmi_sip_answer(&out, m, 401, "t", "192.0.2.1");
	cmi_sip_end(&out, CMI_BYTES("x"));
	FUZZ_CHECK(cmi_sip_read(cmi_buf_view(&out), &answer, NULL) == CMEND_OK);
	FUZZ_CHECK(answer.status == 401 && answer.body.n == 1);
	FUZZ_CHECK(cmi_sip_basics(&answer, &answered, NULL) == CMEND_OK);
	FUZZ_CHECK(answered.cseq == asked.cseq &&
		   cmi_bytes_equal(answered.call_id, asked.call_id) &&
		   cmi_bytes_equal(answered.from.uri, asked.from.uri));
	cmi_buf_dispose(&out);
}

/* The first message of the stream in steps of so many bytes. */
static cmend_status frame(
	struct cmi_bytes stream, size_t step, struct cmi_sip_framer *f)
{
	cmend_status status = CMEND_OK;
	size_t there = 0;

	*f = (struct cmi_sip_framer){0};
	while (!status && !f->n && there < stream.n) {
		there = stream.n - there > step ? there + step : stream.n;
		status = cmi_sip_frame(
			f, (struct cmi_bytes){stream.p, there}, NULL);
	}
	FUZZ_CHECK(f->lead + f->n <= there);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes stream = {data, size};
	struct cmi_sip_framer whole, piece;
	cmend_status status = frame(stream, size, &whole);
	struct cmi_bytes text;
	struct cmi_sip m;

	for (size_t step = 1; step < 8 && size < 4096; step += 3) {
		FUZZ_CHECK(frame(stream, step, &piece) == status);
		FUZZ_CHECK(piece.n == whole.n && piece.lead == whole.lead);
	}
	if (!whole.n)
		return 0;
	text = (struct cmi_bytes){data + whole.lead, whole.n};
	FUZZ_CHECK(cmi_sip_read(text, &m, NULL) == CMEND_OK);
	check_inside(text, m.uri);
	check_inside(text, m.body);
	check_fields(text, &m);
	check_written(text, &m);
	check_answer(&m);
	return 0;
}
