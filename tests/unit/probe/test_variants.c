/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/text.h"
#include "probe/variants.h"

/* A dial that brought these "certificates", "one" or "one two": no DER, which
 * is enough where chains are compared.  Disposed by the caller. */
static void brought(struct cmi_dialed *d, const char *words)
{
	*d = (struct cmi_dialed){.tls.outcome = CMI_COMPLETED};
	cmi_buf_init(&d->bytes, 4096);
	cmi_buf_text(&d->bytes, words);
	for (size_t at = 0; at < d->bytes.n; at += 4)
		d->tls.certs[d->tls.n_certs++].der =
			(struct cmi_bytes){d->bytes.p + at, 3};
}

static void only_what_may_differ_is_asked(void **state)
{
	static const struct {
		const char *name, *key, *server_name;
		uint16_t version;
		bool old;
		const char *asked; /* N no name, 2 and 0 TLS, R RSA, E ECDSA */
	} rows[] = {
		{"the usual", "EC", "a.example", 0x0304, false, "N2R"},
		{"an RSA key", "RSA", "a.example", 0x0304, false, "N2E"},
		{"RSA-PSS is RSA", "RSA-PSS", "a.example", 0x0304, false,
			"N2E"},
		{"an address has no name", "EC", "", 0x0304, false, "2R"},
		{"1.2 already", "EC", "a.example", 0x0303, false, "NR"},
		{"for old clients", "EC", "a.example", 0x0304, true, "N20R"},
		{"old is 1.1 already", "EC", "a.example", 0x0302, true, "NR"},
		{"a malformed leaf", NULL, "a.example", 0x0304, false, "N2"},
		{"nothing", NULL, "", 0x0303, false, ""},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		static const char letters[] = "N20RE";
		struct cmi_cert leaf = {.key_type = rows[i].key};
		struct cmi_dialed d = {.tls.version = rows[i].version};
		struct cmi_variants v = {0};
		char asked[8] = "";
		size_t n = 0;

		strcpy(d.server_name, rows[i].server_name);
		n = cmi_variants_choose(
			&v, &d, rows[i].key ? &leaf : NULL, rows[i].old);
		assert_int_equal(n, strlen(rows[i].asked));
		n = 0;
		for (size_t k = 0; k < CMI_VARIANTS; k++)
			if (v.chains[k].asked)
				asked[n++] = letters[k];
		assert_string_equal(asked, rows[i].asked);
	}
}

static void ends_of_all_kinds_are_told_apart(void **state)
{
	static const struct {
		const char *name, *came;
		cmend_status status;
		enum cmi_outcome outcome;
		enum cmi_close closed;
		bool hello;
		enum cmi_variant_end end;
		enum cmi_finding_id finding;
	} rows[] = {
		{"the same", "one two", CMEND_OK, CMI_COMPLETED, 0, true,
			CMI_VARIANT_SAME, CMI_F_NONE},
		{"one less", "one", CMEND_OK, CMI_COMPLETED, 0, true,
			CMI_VARIANT_OTHER, CMI_F_CHAIN_VARIES},
		{"another order", "two one", CMEND_OK, CMI_COMPLETED, 0, true,
			CMI_VARIANT_OTHER, CMI_F_CHAIN_VARIES},
		{"a chain, then silence", "one", CMEND_OK, CMI_CUT, 0, true,
			CMI_VARIANT_OTHER, CMI_F_CHAIN_VARIES},
		{"an alert", "", CMEND_OK, CMI_FAILED, 0, true,
			CMI_VARIANT_REFUSED, CMI_F_NONE},
		{"hung up amid the handshake", "", CMEND_OK, CMI_CUT,
			CMI_CLOSE_FIN, true, CMI_VARIANT_REFUSED, CMI_F_NONE},
		{"hung up at the hello", "", CMEND_NET, CMI_CUT, CMI_CLOSE_RST,
			true, CMI_VARIANT_REFUSED, CMI_F_NONE},
		{"silence at the hello", "", CMEND_TIMEOUT, CMI_CUT, 0, true,
			CMI_VARIANT_SILENT, CMI_F_WAY_UNANSWERED},
		{"silence amid the handshake", "", CMEND_OK, CMI_CUT, 0, true,
			CMI_VARIANT_SILENT, CMI_F_WAY_UNANSWERED},
		{"no connection", "", CMEND_NET, CMI_CUT, 0, false,
			CMI_VARIANT_UNREACHED, CMI_F_WAY_UNANSWERED},
		{"no TLS", "", CMEND_PARSE, CMI_CUT, 0, true,
			CMI_VARIANT_UNREACHED, CMI_F_WAY_UNANSWERED},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_variants *v = cmi_alloc(sizeof(*v));
		struct cmi_dialed first, d;
		struct cmi_finding list[2];
		size_t n = 0;

		brought(&first, "one two");
		brought(&d, rows[i].came);
		d.tls.outcome = rows[i].outcome;
		d.tls.has_client_hello = rows[i].hello;
		d.conversation.closed[CMI_SERVER] = rows[i].closed;
		assert_int_equal(cmi_variants_take(v, CMI_VARIANT_NO_SNI,
					 &first, rows[i].status, &d, NULL),
			CMEND_OK);
		if (v->ends[CMI_VARIANT_NO_SNI] != rows[i].end)
			fail_msg("%s: %d", rows[i].name,
				(int)v->ends[CMI_VARIANT_NO_SNI]);
		assert_int_equal(v->chains[CMI_VARIANT_NO_SNI].refused,
			rows[i].end == CMI_VARIANT_REFUSED);
		cmi_variants_findings(v, list, &n, CMI_LEN(list));
		assert_int_equal(n, rows[i].finding != CMI_F_NONE);
		if (n) {
			assert_int_equal(list[0].id, rows[i].finding);
			assert_int_equal(list[0].severity, CMI_SEVERITY_INFO);
			assert_non_null(
				strstr(list[0].says, "without a server name"));
		}
		cmi_dialed_dispose(&first);
		cmi_dialed_dispose(&d);
		cmi_variants_free(v);
	}
}

static void findings_keep_to_their_room(void **state)
{
	struct cmi_variants v = {0};
	struct cmi_finding list[3];
	size_t n = 1;

	(void)state;
	for (size_t i = 0; i < CMI_VARIANTS; i++)
		v.ends[i] = CMI_VARIANT_SILENT;
	cmi_variants_findings(&v, list, &n, 3);
	assert_int_equal(n, 3);
}

static void the_same_chain_is_shared(void **state)
{
	struct cmi_variants *v = cmi_alloc(sizeof(*v));
	struct cmi_sent sent = {.n = 2};

	(void)state;
	v->ends[CMI_VARIANT_RSA] = CMI_VARIANT_SAME;
	v->ends[CMI_VARIANT_TLS12] = CMI_VARIANT_REFUSED;
	assert_int_equal(cmi_variants_settle(v, &sent, NULL), CMEND_OK);
	assert_int_equal(v->chains[CMI_VARIANT_RSA].n_sent, 2);
	assert_non_null(v->chains[CMI_VARIANT_RSA].sent);
	assert_int_equal(v->chains[CMI_VARIANT_TLS12].n_sent, 0);
	cmi_variants_free(v);
}

/* Certificates that look into the copy's own bytes, also when the first is
 * gone. */
static void a_copy_stands_alone(void **state)
{
	struct cmi_dialed d, copy;

	(void)state;
	brought(&d, "one two");
	strcpy(d.server_name, "a.example");
	assert_int_equal(cmi_dialed_copy(&d, &copy, NULL), CMEND_OK);
	memset(d.bytes.p, 'x', d.bytes.n);
	memset(d.server_name, 'x', 9);
	cmi_dialed_dispose(&d);
	assert_int_equal(copy.tls.n_certs, 2);
	assert_memory_equal(copy.tls.certs[0].der.p, "one", 3);
	assert_memory_equal(copy.tls.certs[1].der.p, "two", 3);
	assert_true(cmi_bytes_equal(copy.tls.sni, cmi_bytes_of("a.example")));
	assert_ptr_equal(copy.conversation.tls, &copy.tls);
	cmi_dialed_dispose(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_may_differ_is_asked),
		cmocka_unit_test(ends_of_all_kinds_are_told_apart),
		cmocka_unit_test(findings_keep_to_their_room),
		cmocka_unit_test(the_same_chain_is_shared),
		cmocka_unit_test(a_copy_stands_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
