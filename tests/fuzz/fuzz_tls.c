/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses a message's grammar, the rest is its body.  Oracle:
 * every view a parser hands out lies inside the input, and a second reading
 * says the same.
 */
#include <string.h>

#include "core/limits.h"
#include "fuzz.h"
#include "wire/tls.h"

static struct cmi_bytes whole;

static void check_inside(struct cmi_bytes v)
{
	FUZZ_CHECK(v.n == 0 ||
		   (v.p >= whole.p && v.n <= whole.n &&
			   v.p - whole.p <= (ptrdiff_t)(whole.n - v.n)));
}

static void check_hello(bool ok, const struct cmi_tls_hello *h,
	const struct cmi_tls_hello *again)
{
	if (!ok)
		return;
	check_inside(h->random);
	check_inside(h->session_id);
	check_inside(h->ciphers);
	check_inside(h->sni);
	check_inside(h->alpn);
	check_inside(h->groups);
	check_inside(h->sigalgs);
	FUZZ_CHECK(h->version == again->version && h->sni.p == again->sni.p &&
		   h->sni.n == again->sni.n && h->cipher == again->cipher);
}

static void read_hello(unsigned op, struct cmi_bytes body)
{
	struct cmi_tls_hello a = {0}, b = {0};

	switch (op) {
	case 0:
		check_hello(cmi_tls_client_hello(body, false, &a) &&
				    cmi_tls_client_hello(body, false, &b),
			&a, &b);
		break;
	case 1:
		check_hello(cmi_tls_client_hello(body, true, &a) &&
				    cmi_tls_client_hello(body, true, &b),
			&a, &b);
		break;
	case 2:
		check_hello(cmi_tls_server_hello(body, &a) &&
				    cmi_tls_server_hello(body, &b),
			&a, &b);
		break;
	default:
		check_hello(cmi_ssl2_client_hello(body, &a) &&
				    cmi_ssl2_client_hello(body, &b),
			&a, &b);
		break;
	}
}

static void read_certificates(bool tls13, struct cmi_bytes body)
{
	struct cmi_tls_certs certs;
	struct cmi_bytes der;
	size_t sum = 0;

	if (!cmi_tls_certificate(body, tls13, &certs))
		return;
	while (cmi_tls_certs_next(&certs, &der)) {
		check_inside(der);
		sum += der.n + 3;
	}
	FUZZ_CHECK(sum <= body.n);
}

static void read_records(struct cmi_bytes body)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	struct cmi_tls_message m;
	struct cmi_tls_record r;
	size_t at;

	while (cmi_tls_record_head(&c, &r)) {
		FUZZ_CHECK(r.length <= CMI_TLS_RECORD_MAX);
		if (!cmi_cursor_skip(&c, r.length))
			break;
	}
	while (cmi_tls_message(&c, &m))
		check_inside(m.body);
	if (cmi_tls_find_start(body, &at) != CMI_MATCH_NONE)
		FUZZ_CHECK(at < body.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_ssl2_server_hello sh;
	struct cmi_tls_compressed z;
	uint8_t op;

	if (!cmi_cursor_u8(&c, &op))
		return 0;
	whole = cmi_cursor_rest(&c);
	op %= 9;
	if (op < 4)
		read_hello(op, whole);
	else if (op < 6)
		read_certificates(op == 5, whole);
	else if (op == 6 && cmi_tls_compressed_certificate(whole, &z))
		check_inside(z.packed);
	else if (op == 7 && cmi_ssl2_server_hello(whole, &sh))
		check_inside(sh.certificate);
	else
		read_records(whole);
	return 0;
}
