/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is read.  Oracle: what was read, written again without white space
 * and with its escapes made anew, is JSON and written again the same.  And an
 * endpoint of a line of results, written again, is read as the same endpoint.
 */
#include <string.h>

#include "core/json.h"
#include "core/json_read.h"
#include "fuzz.h"
#include "report/read.h"
#include "report/report.h"

#define MAX ((size_t)1 << 20)

static void write_value(struct cmi_buf *out, const struct cmi_json_value *v);

static void write_text(struct cmi_buf *out, struct cmi_bytes raw)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text;
	struct cmi_json j;

	cmi_buf_init(&text, MAX);
	cmi_json_unescape(&text, raw);
	FUZZ_CHECK(text.n <= raw.n);
	cmi_json_init(&j, out);
	cmi_json_put_text(&j, (struct cmi_bytes){0}, cmi_buf_view(&text));
}

static void write_inside(struct cmi_buf *out, const struct cmi_json_value *v)
{
	struct cmi_cursor c = cmi_cursor_of(v->raw);
	bool object = v->kind == CMI_JSON_OBJECT, any = false;
	struct cmi_json_value inner;
	struct cmi_bytes key;

	while (object ? cmi_json_member(&c, &key, &inner)
		      : cmi_json_element(&c, &inner)) {
		if (any)
			cmi_buf_u8(out, ',');
		any = true;
		if (object) {
			write_text(out, key);
			cmi_buf_u8(out, ':');
		}
		write_value(out, &inner);
	}
	for (; c.n; c.p++, c.n--)
		FUZZ_CHECK(strchr(" \t\r\n", *c.p));
}

static void write_value(struct cmi_buf *out, const struct cmi_json_value *v)
{
	switch (v->kind) {
	case CMI_JSON_NULL:
		cmi_buf_text(out, "null");
		break;
	case CMI_JSON_FALSE:
		cmi_buf_text(out, "false");
		break;
	case CMI_JSON_TRUE:
		cmi_buf_text(out, "true");
		break;
	case CMI_JSON_NUMBER:
		cmi_buf_add_bytes(out, v->raw);
		break;
	case CMI_JSON_TEXT:
		write_text(out, v->raw);
		break;
	case CMI_JSON_ARRAY:
	case CMI_JSON_OBJECT:
		cmi_buf_u8(out, v->kind == CMI_JSON_ARRAY ? '[' : '{');
		write_inside(out, v);
		cmi_buf_u8(out, v->kind == CMI_JSON_ARRAY ? ']' : '}');
		break;
	}
}

/* The endpoint of a line, as a line; false: there is none. */
static bool rewrite(struct cmi_bytes line, struct cmi_buf *out)
{
	struct cmi_item item = {.kind = CMI_ITEM_ENDPOINT};
	struct cmi_read_endpoint *read;
	struct cmi_arena arena;
	bool found;

	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	found = cmi_read_endpoint(line, &arena, &read, NULL) == CMEND_OK &&
		read;
	/* A malformed certificate has its digest from bytes that are gone. */
	for (size_t i = 0; found && i < read->e.n_sent; i++)
		found = read->e.sent[i].cert != NULL;
	if (found) {
		item.endpoint = &read->e;
		cmi_report_json(out, &item);
	}
	cmi_arena_dispose(&arena);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf once;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf twice;
	struct cmi_json_value v;

	if (size > MAX / 16)
		return 0;
	cmi_buf_init(&once, 16 * MAX);
	cmi_buf_init(&twice, 16 * MAX);
	if (cmi_json_read((struct cmi_bytes){data, size}, &v, NULL) != CMEND_OK)
		return 0;
	write_value(&once, &v);
	FUZZ_CHECK(cmi_json_read(cmi_buf_view(&once), &v, NULL) == CMEND_OK);
	write_value(&twice, &v);
	FUZZ_CHECK(cmi_bytes_equal(cmi_buf_view(&once), cmi_buf_view(&twice)));
	cmi_buf_clear(&once);
	cmi_buf_clear(&twice);
	if (!rewrite((struct cmi_bytes){data, size}, &once))
		return 0;
	FUZZ_CHECK(rewrite(cmi_buf_view(&once), &twice));
	FUZZ_CHECK(cmi_bytes_equal(cmi_buf_view(&once), cmi_buf_view(&twice)));
	return 0;
}
