/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head with what follows it.  Oracle: views lie inside the head; the body
 * is the same however its bytes are split, and no byte is used twice.
 */
#include <string.h>

#include "core/limits.h"
#include "fuzz.h"
#include "wire/http1.h"

struct body_read {
	struct cmi_buf content;
	size_t used;
	bool done;
};

static struct body_read read_body(
	const struct cmi_http_head *head, struct cmi_bytes wire, size_t piece)
{
	struct cmi_bytes method =
		head->response ? CMI_BYTES("GET") : head->method;
	struct body_read r = {0};
	struct cmi_http_body b;
	struct cmi_bytes content;
	size_t there = 0, n;

	cmi_buf_init(&r.content, (size_t)1 << 20);
	cmi_http_body_begin(&b, head, method);
	while (!b.done && there < wire.n) {
		there = there + piece < wire.n ? there + piece : wire.n;
		while ((n = cmi_http_body_take(&b,
				(struct cmi_bytes){
					wire.p + r.used, there - r.used},
				&content))) {
			FUZZ_CHECK(n <= there - r.used);
			FUZZ_CHECK(content.n <= n);
			cmi_buf_add_bytes(&r.content, content);
			r.used += n;
		}
	}
	r.done = b.done;
	return r;
}

static void check_inside(struct cmi_bytes whole, struct cmi_bytes v)
{
	FUZZ_CHECK(v.n == 0 ||
		   (v.p >= whole.p && v.n <= whole.n &&
			   v.p - whole.p <= (ptrdiff_t)(whole.n - v.n)));
}

static void check_head(struct cmi_bytes text, const struct cmi_http_head *h)
{
	struct cmi_buf url;

	check_inside(text, h->method);
	check_inside(text, h->target);
	check_inside(text, h->host);
	check_inside(text, h->type);
	check_inside(text, h->soap_action);
	FUZZ_CHECK(h->response == (h->method.n == 0));
	FUZZ_CHECK(!h->response || (h->status >= 100 && h->status <= 999));
	cmi_buf_init(&url, 2 * CMI_URL_MAX);
	if (!h->response && !cmi_http_url(h, "http", "10.0.0.1:80", &url, NULL))
		FUZZ_CHECK(url.n <= CMI_URL_MAX);
	cmi_buf_dispose(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes all = {data, size}, wire;
	struct cmi_http_head head;
	size_t from = 0, end = 0;
	struct body_read one, split;

	(void)cmi_http_match_request(all);
	if (!cmi_http_head_end(all, &from, &end))
		return 0;
	if (cmi_http_head((struct cmi_bytes){data, end}, &head, NULL))
		return 0;
	check_head((struct cmi_bytes){data, end}, &head);
	wire = (struct cmi_bytes){data + end, size - end};
	one = read_body(&head, wire, wire.n ? wire.n : 1);
	for (size_t piece = 1; piece < 8; piece += 3) {
		split = read_body(&head, wire, piece);
		FUZZ_CHECK(split.used == one.used && split.done == one.done);
		FUZZ_CHECK(cmi_bytes_equal(cmi_buf_view(&split.content),
			cmi_buf_view(&one.content)));
		cmi_buf_dispose(&split.content);
	}
	cmi_buf_dispose(&one.content);
	return 0;
}
