/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's side of a conversation that turns to TLS.  First byte: which
 * protocol, and how large the pieces are in which it arrives.  Oracle: a
 * conversation that succeeds byte by byte succeeds with exactly those bytes in
 * one piece, and the same is said; asked again with nothing new it says
 * nothing; and however long a server talks, what is heard is bounded.
 */
#include "fuzz.h"
#include "probe/starttls.h"

static const char *const protocols[] = {"smtp", "imap", "pop3", "ftp", "nntp",
	"sieve", "ldap", "xmpp", "postgres", "mysql"};

struct outcome {
	cmend_status status;
	size_t used; /* bytes it took */
};

/* One step, and one more with nothing new. */
static cmend_status step(
	struct cmi_starttls *s, struct cmi_buf *in, struct cmi_buf *out)
{
	cmend_error err;
	cmend_status status = cmi_starttls_step(s, in, out, &err);
	size_t said = out->n, left = in->n;

	if (status != CMEND_AGAIN)
		return status;
	FUZZ_CHECK(cmi_starttls_step(s, in, out, &err) == CMEND_AGAIN);
	FUZZ_CHECK(out->n == said && in->n == left);
	return status;
}

static struct outcome talk(const char *protocol, struct cmi_bytes data,
	size_t piece, struct cmi_buf *out)
{
	struct cmi_starttls s;
	struct outcome o = {CMEND_AGAIN, 0};
	struct cmi_buf in;
	cmend_error err;

	cmi_buf_clear(out);
	cmi_buf_init(&in, CMI_STARTTLS_MAX + 65536);
	FUZZ_CHECK(
		cmi_starttls_begin(&s, protocol, "t:1", "t", &err) == CMEND_OK);
	for (;;) {
		size_t left = data.n - o.used;
		size_t n = left < piece ? left : piece;

		o.status = step(&s, &in, out);
		if (o.status != CMEND_AGAIN || !n)
			break;
		cmi_buf_add(&in, data.p + o.used, n);
		o.used += n;
		FUZZ_CHECK(o.used <= CMI_STARTTLS_MAX + piece);
	}
	FUZZ_CHECK(out->n < 4096);
	FUZZ_CHECK(o.status != CMEND_OK || in.n == 0);
	cmi_buf_dispose(&in);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_buf one, more;
	struct cmi_bytes rest;
	struct outcome split, whole;
	const char *protocol;

	if (!size)
		return 0;
	protocol = protocols[data[0] % CMI_LEN(protocols)];
	rest = (struct cmi_bytes){data + 1, size - 1};
	cmi_buf_init(&one, 65536);
	cmi_buf_init(&more, 65536);
	(void)talk(protocol, rest, 4096, &more);
	(void)talk(protocol, rest, 1 + (data[0] >> 4), &more);
	split = talk(protocol, rest, 1, &one);
	/* XMPP answers each question in a stanza of its own. */
	if (split.status == CMEND_OK && strcmp(protocol, "xmpp") != 0) {
		whole = talk(protocol, (struct cmi_bytes){rest.p, split.used},
			4096, &more);
		FUZZ_CHECK(whole.status == CMEND_OK);
		FUZZ_CHECK(cmi_bytes_equal(
			cmi_buf_view(&one), cmi_buf_view(&more)));
	}
	cmi_buf_dispose(&one);
	cmi_buf_dispose(&more);
	return 0;
}
