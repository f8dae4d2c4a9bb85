/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy's side of the talk, first byte: which kind, user or none, and how
 * large the pieces are in which it arrives.  Oracle: how the bytes are split
 * changes nothing; what is left over is the tail of what came; a talk that
 * succeeds never depends on a byte behind the answer; and memory and reads
 * are bounded however long it talks.
 */
#include "core/limits.h"
#include "fuzz.h"
#include "probe/proxy.h"

struct feed {
	struct cmi_bytes data;
	size_t at, piece;
};

static cmend_status send_nowhere(
	void *ctx, struct cmi_bytes bytes, cmend_error *err)
{
	(void)ctx, (void)err;
	FUZZ_CHECK(bytes.n > 0 && bytes.n < 4096);
	return CMEND_OK;
}

static cmend_status receive_piece(
	void *ctx, struct cmi_buf *to, cmend_error *err)
{
	struct feed *f = ctx;
	size_t left = f->data.n - f->at;
	size_t n = left < f->piece ? left : f->piece;

	if (!n)
		return cmi_fail(err, CMEND_NET, "the end");
	cmi_buf_add(to, f->data.p + f->at, n);
	f->at += n;
	return cmi_buf_status(to, err);
}

struct outcome {
	cmend_status status;
	size_t used; /* bytes that the answer took */
};

static struct outcome talk(
	const struct cmi_proxy *p, struct cmi_bytes data, size_t piece)
{
	struct feed f = {data, 0, piece};
	const struct cmi_plain plain = {
		.send = send_nowhere,
		.receive = receive_piece,
		.ctx = &f,
		.target = "target",
		.host = "host.example",
	};
	struct outcome o = {0};
	struct cmi_buf rest;
	cmend_error err;

	cmi_buf_init(&rest, CMI_PROXY_HEAD_MAX + 65536);
	o.status = cmi_proxy_connect(
		p, "host.example", 0, 443, &plain, &rest, &err);
	FUZZ_CHECK(f.at <= CMI_PROXY_HEAD_MAX + 2 * piece + 1024);
	FUZZ_CHECK(rest.n <= f.at);
	o.used = f.at - rest.n;
	if (o.status == CMEND_OK)
		FUZZ_CHECK(cmi_bytes_equal(cmi_buf_view(&rest),
			(struct cmi_bytes){data.p + o.used, rest.n}));
	cmi_buf_dispose(&rest);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_proxy p = {.at = {.text = "proxy:1"}};
	struct cmi_bytes rest;
	struct outcome whole, split, cut;

	if (!size)
		return 0;
	p.kind = data[0] & 1 ? CMI_PROXY_SOCKS5 : CMI_PROXY_HTTP;
	if (data[0] & 2) {
		memcpy(p.user, "user", 5);
		memcpy(p.password, "word", 5);
	}
	rest = (struct cmi_bytes){data + 1, size - 1};
	whole = talk(&p, rest, 4096);
	split = talk(&p, rest, 1 + (data[0] >> 4));
	if (whole.status == CMEND_OK || split.status == CMEND_OK) {
		FUZZ_CHECK(whole.status == split.status);
		FUZZ_CHECK(whole.used == split.used);
		cut = talk(&p, (struct cmi_bytes){rest.p, whole.used}, 4096);
		FUZZ_CHECK(cut.status == CMEND_OK && cut.used == whole.used);
	}
	return 0;
}
