/* SPDX-License-Identifier: Apache-2.0 */
#include "staged.h"

#include "core/text.h"

/* What came out of the last handshake. */
struct seen {
	size_t handshakes;
	enum cmi_outcome outcome;
	enum cmi_finding_id verdict;
	enum cmi_blame blame;
	enum cmi_finding_id ids[CMI_F_COUNT];
	enum cmi_severity severities[CMI_F_COUNT];
	bool inferred[CMI_F_COUNT];
	uint64_t frames[CMI_F_COUNT];
	size_t n;
	char says[1024]; /* the first finding's */
};

static cmend_status note(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct cmi_item_handshake *h = item->handshake;
	struct seen *s = ctx;

	(void)err;
	if (item->kind != CMI_ITEM_HANDSHAKE)
		return CMEND_OK;
	s->handshakes++;
	s->outcome = h->outcome;
	s->verdict = h->verdict;
	s->blame = h->blame;
	s->n = 0;
	for (size_t i = 0; i < h->n_findings; i++) {
		s->ids[s->n] = h->findings[i].id;
		s->severities[s->n] = h->findings[i].severity;
		s->inferred[s->n] = h->findings[i].inferred;
		s->frames[s->n++] =
			h->findings[i].n_frames ? h->findings[i].frames[0] : 0;
	}
	snprintf(s->says, sizeof(s->says), "%s",
		h->n_findings && h->findings[0].says ? h->findings[0].says
						     : "");
	/* The verdict leads, and everything said is safe to print. */
	if (h->verdict)
		assert_int_equal(h->findings[0].id, h->verdict);
	for (size_t i = 0; i < h->n_findings; i++) {
		struct cmi_bytes b = cmi_bytes_of(h->findings[i].says);

		assert_non_null(h->findings[i].says);
		for (size_t k = 0; k < b.n; k++)
			assert_true(b.p[k] >= ' ' && b.p[k] != 0x7f);
	}
	return CMEND_OK;
}

static size_t index_of(const struct seen *s, enum cmi_finding_id id)
{
	size_t i = 0;

	while (i < s->n && s->ids[i] != id)
		i++;
	return i;
}

static bool has(const struct seen *s, enum cmi_finding_id id)
{
	return index_of(s, id) < s->n;
}

struct stage_run {
	struct cmi_diagnose *d;
	struct seen seen;
};

static void open_run(struct stage_run *r)
{
	struct cmi_diagnose_options o = {
		.trust = world.trust,
		.all = true,
		.sink = {.take = note, .ctx = &r->seen},
	};

	*r = (struct stage_run){0};
	assert_int_equal(cmi_diagnose_new(&o, &r->d, NULL), CMEND_OK);
}

static void give(struct stage_run *r, const struct cmi_conversation *c)
{
	struct cmi_conversation_sink sink = cmi_diagnose_sink(r->d);
	cmend_error err = {0};

	if (sink.take(sink.ctx, c, &err) != CMEND_OK)
		fail_msg("%s", err.message);
}

static void close_run(struct stage_run *r)
{
	assert_int_equal(cmi_diagnose_flush(r->d, NULL), CMEND_OK);
	cmi_diagnose_free(r->d);
	r->d = NULL;
}

enum behaviour {
	USED,
	UNUSED,
	CLIENT_ALERT,
	SERVER_ALERT,
	CLIENT_CLOSES,
	SERVER_CLOSES,
	STILL_OPEN,
	OPEN_WITH_SRTP,
	SAYS_GOODBYE,
};

struct row {
	const char *name;
	struct forged **chain[4];
	enum behaviour does;
	uint8_t code;
	enum cmi_outcome outcome;
	enum cmi_finding_id verdict;
	enum cmi_finding_id also[3], not [3];
};

#define C(...)                                                                 \
	{                                                                      \
		__VA_ARGS__                                                    \
	}
#define W(x) &world.x

/* The chain decides, whatever the alert: 48, 42, 46 and silence say alike. */
static const struct row rows[] = {
	{"whole chain, used", C(W(leaf), W(intermediate)), USED, 0,
		CMI_COMPLETED, CMI_F_NONE, {0}, {CMI_F_MISSING_INTERMEDIATE}},
	{"whole chain, unused", C(W(leaf), W(intermediate)), UNUSED, 0,
		CMI_COMPLETED, CMI_F_NONE, {0}, {0}},
	{"leaf straight from the root", C(W(direct)), USED, 0, CMI_COMPLETED,
		CMI_F_NONE, {0}, {CMI_F_MISSING_INTERMEDIATE}},
	{"leaf only, unknown_ca", C(W(leaf)), CLIENT_ALERT, 48, CMI_FAILED,
		CMI_F_MISSING_INTERMEDIATE, {CMI_F_CHAIN_DOWNLOAD_SKIPPED},
		{CMI_F_UNTRUSTED_ROOT, CMI_F_AIA_ABSENT}},
	{"leaf only, bad_certificate", C(W(leaf)), CLIENT_ALERT, 42, CMI_FAILED,
		CMI_F_MISSING_INTERMEDIATE, {0}, {0}},
	{"leaf only, certificate_unknown", C(W(leaf)), CLIENT_ALERT, 46,
		CMI_FAILED, CMI_F_MISSING_INTERMEDIATE, {0}, {0}},
	{"leaf only, handshake_failure", C(W(leaf)), CLIENT_ALERT, 40,
		CMI_FAILED, CMI_F_MISSING_INTERMEDIATE, {0}, {0}},
	{"leaf only, finished and closed", C(W(leaf)), UNUSED, 0, CMI_FAILED,
		CMI_F_MISSING_INTERMEDIATE, {0}, {0}},
	{"leaf only, finished, and the capture ends", C(W(leaf)), STILL_OPEN, 0,
		CMI_COMPLETED, CMI_F_NONE, {CMI_F_MISSING_INTERMEDIATE}, {0}},
	{"leaf only, and a datagram that says goodbye", C(W(leaf)),
		SAYS_GOODBYE, 0, CMI_FAILED, CMI_F_MISSING_INTERMEDIATE, {0},
		{0}},
	{"self-signed, for SRTP", C(W(self)), OPEN_WITH_SRTP, 0, CMI_COMPLETED,
		CMI_F_NONE, {CMI_F_SELF_SIGNED_LEAF}, {0}},
	{"leaf only, closed in the handshake", C(W(leaf)), CLIENT_CLOSES, 0,
		CMI_FAILED, CMI_F_MISSING_INTERMEDIATE, {0}, {0}},
	{"leaf only, used all the same", C(W(leaf)), USED, 0, CMI_COMPLETED,
		CMI_F_NONE, {CMI_F_MISSING_INTERMEDIATE}, {0}},
	{"leaf only without address", C(W(leaf_no_aia)), CLIENT_ALERT, 48,
		CMI_FAILED, CMI_F_MISSING_INTERMEDIATE, {CMI_F_AIA_ABSENT},
		{CMI_F_CHAIN_DOWNLOAD_SKIPPED}},
	{"wrong intermediate", C(W(leaf), W(stranger)), CLIENT_ALERT, 48,
		CMI_FAILED, CMI_F_MISSING_INTERMEDIATE,
		{CMI_F_UNRELATED_CERTIFICATE}, {CMI_F_UNNEEDED_CERTIFICATE}},
	{"unknown root, sent", C(W(other_leaf), W(other_int), W(other_root)),
		CLIENT_ALERT, 48, CMI_FAILED, CMI_F_UNTRUSTED_ROOT,
		{CMI_F_ROOT_SENT}, {CMI_F_MISSING_INTERMEDIATE}},
	{"unknown root, not sent", C(W(other_leaf), W(other_int)), CLIENT_ALERT,
		48, CMI_FAILED, CMI_F_UNTRUSTED_ROOT, {0},
		{CMI_F_MISSING_INTERMEDIATE}},
	{"self-signed", C(W(self)), CLIENT_ALERT, 48, CMI_FAILED,
		CMI_F_SELF_SIGNED_LEAF, {0}, {CMI_F_MISSING_INTERMEDIATE}},
	{"self-signed, closed", C(W(self)), UNUSED, 0, CMI_FAILED,
		CMI_F_SELF_SIGNED_LEAF, {0}, {0}},
	{"expired leaf", C(W(expired_leaf), W(intermediate)), CLIENT_ALERT, 45,
		CMI_FAILED, CMI_F_EXPIRED_LEAF, {0}, {CMI_F_CLOCK_WRONG}},
	{"expired leaf by an alert for everything",
		C(W(expired_leaf), W(intermediate)), CLIENT_ALERT, 42,
		CMI_FAILED, CMI_F_EXPIRED_LEAF, {0}, {0}},
	{"not yet valid", C(W(future_leaf), W(intermediate)), CLIENT_ALERT, 42,
		CMI_FAILED, CMI_F_NOT_YET_VALID, {0}, {CMI_F_EXPIRED_LEAF}},
	{"expired intermediate", C(W(leaf), W(expired_int)), CLIENT_ALERT, 45,
		CMI_FAILED, CMI_F_EXPIRED_INTERMEDIATE, {0},
		{CMI_F_EXPIRED_LEAF, CMI_F_MISSING_INTERMEDIATE}},
	{"expired twin beside a good one",
		C(W(leaf), W(expired_int), W(intermediate)), USED, 0,
		CMI_COMPLETED, CMI_F_NONE, {CMI_F_UNNEEDED_CERTIFICATE}, {0}},
	{"issuer is no CA", C(W(not_ca_leaf), W(leaf), W(intermediate)),
		CLIENT_ALERT, 42, CMI_FAILED, CMI_F_NOT_A_CA, {0}, {0}},
	{"wrong order", C(W(leaf), W(root), W(intermediate)), USED, 0,
		CMI_COMPLETED, CMI_F_NONE, {CMI_F_WRONG_ORDER, CMI_F_ROOT_SENT},
		{0}},
	{"the issuer first", C(W(intermediate), W(leaf)), USED, 0,
		CMI_COMPLETED, CMI_F_NONE, {CMI_F_WRONG_ORDER},
		{CMI_F_UNRELATED_CERTIFICATE, CMI_F_UNNEEDED_CERTIFICATE}},
	{"the root first, all in reverse", C(W(root), W(intermediate), W(leaf)),
		USED, 0, CMI_COMPLETED, CMI_F_NONE, {CMI_F_WRONG_ORDER},
		{CMI_F_UNRELATED_CERTIFICATE, CMI_F_UNNEEDED_CERTIFICATE}},
	{"root sent", C(W(leaf), W(intermediate), W(root)), USED, 0,
		CMI_COMPLETED, CMI_F_NONE, {CMI_F_ROOT_SENT},
		{CMI_F_WRONG_ORDER, CMI_F_UNNEEDED_CERTIFICATE}},
	{"leaf twice", C(W(leaf), W(leaf), W(intermediate)), USED, 0,
		CMI_COMPLETED, CMI_F_NONE, {CMI_F_UNNEEDED_CERTIFICATE},
		{CMI_F_WRONG_ORDER, CMI_F_UNRELATED_CERTIFICATE}},
	{"a good chain called expired", C(W(leaf), W(intermediate)),
		CLIENT_ALERT, 45, CMI_FAILED, CMI_F_CLOCK_WRONG, {0},
		{CMI_F_EXPIRED_LEAF}},
	{"a good chain called unknown", C(W(leaf), W(intermediate)),
		CLIENT_ALERT, 48, CMI_FAILED, CMI_F_UNTRUSTED_ROOT, {0},
		{CMI_F_MISSING_INTERMEDIATE}},
	{"a good chain called revoked", C(W(leaf), W(intermediate)),
		CLIENT_ALERT, 44, CMI_FAILED, CMI_F_REVOKED, {0}, {0}},
	{"a good chain, and the client leaves", C(W(leaf), W(intermediate)),
		CLIENT_CLOSES, 0, CMI_FAILED, CMI_F_CLIENT_CLOSED, {0}, {0}},
	{"a leaf only, and a protocol alert", C(W(leaf)), CLIENT_ALERT, 47,
		CMI_FAILED, CMI_F_CLIENT_CLOSED, {0}, {0}},
	{"server's internal error", C(W(leaf), W(intermediate)), SERVER_ALERT,
		80, CMI_FAILED, CMI_F_SERVER_CLOSED, {0}, {0}},
	{"server goes away", C(W(leaf), W(intermediate)), SERVER_CLOSES, 0,
		CMI_FAILED, CMI_F_SERVER_CLOSED, {0}, {0}},
};

static void behave(struct staged *s, const struct row *row)
{
	switch (row->does) {
	case USED:
		break;
	case UNUSED:
		unused_close(s);
		break;
	case CLIENT_ALERT:
		alert(s, CMI_CLIENT, row->code);
		break;
	case SERVER_ALERT:
		alert(s, CMI_SERVER, row->code);
		break;
	case CLIENT_CLOSES:
		client_closes(s);
		break;
	case SERVER_CLOSES:
		server_closes(s);
		break;
	case OPEN_WITH_SRTP:
		s->tls.srtp = true;
		unused_close(s);
		break;
	case STILL_OPEN:
	case SAYS_GOODBYE:
		s->tls.app_data[0] = s->tls.app_data[1] = 0;
		s->tls.encrypted_alerts[0] = row->does == SAYS_GOODBYE;
		break;
	}
}

static void check_row(const struct row *row)
{
	struct forged *chain[5] = {0};
	struct stage_run r;
	struct staged s;

	for (size_t i = 0; i < 4 && row->chain[i]; i++)
		chain[i] = *row->chain[i];
	stage(&s, chain);
	behave(&s, row);
	open_run(&r);
	give(&r, &s.c);
	close_run(&r);
	if (r.seen.handshakes != 1)
		fail_msg("%s: %zu handshakes", row->name, r.seen.handshakes);
	if (r.seen.verdict != row->verdict || r.seen.outcome != row->outcome)
		fail_msg("%s: %s %s (%s)", row->name,
			cmi_outcome_name(r.seen.outcome),
			cmi_finding_name(r.seen.verdict)
				? cmi_finding_name(r.seen.verdict)
				: "no verdict",
			r.seen.says);
	for (size_t i = 0; i < 3 && row->also[i]; i++)
		if (!has(&r.seen, row->also[i]))
			fail_msg("%s: no %s", row->name,
				cmi_finding_name(row->also[i]));
	for (size_t i = 0; i < 3 && row->not [i]; i++)
		if (has(&r.seen, row->not [i]))
			fail_msg("%s: has %s", row->name,
				cmi_finding_name(row->not [i]));
}

static void chains_and_behaviours(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		check_row(&rows[i]);
}

static void the_name_is_checked(void **state)
{
	struct forged *chain[] = {world.leaf, world.intermediate, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	stage(&s, chain);
	s.tls.sni = CMI_BYTES("mail.example");
	alert(&s, CMI_CLIENT, 42);
	open_run(&r);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.verdict, CMI_F_NAME_MISMATCH);
}

/* A name with a NUL in it is no name to check, and nothing breaks. */
static void a_hostile_name_is_survived(void **state)
{
	struct forged *chain[] = {world.leaf, world.intermediate, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	stage(&s, chain);
	s.tls.sni = CMI_BYTES("web.example\0.evil\x1b[31m");
	open_run(&r);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.handshakes, 1);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);
}

static void a_malformed_certificate_is_named(void **state)
{
	struct forged *chain[] = {world.leaf, world.intermediate, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	stage(&s, chain);
	s.tls.certs[0].der = CMI_BYTES("\x30\x82 no certificate at all");
	alert(&s, CMI_CLIENT, 42);
	open_run(&r);
	give(&r, &s.c);
	assert_int_equal(r.seen.handshakes, 0); /* waits for evidence */
	stage(&s, chain);
	s.tls.certs[1].der = CMI_BYTES("\x30\x03junk");
	give(&r, &s.c);
	assert_true(has(&r.seen, CMI_F_MALFORMED_CERTIFICATE));
	close_run(&r);
	assert_int_equal(r.seen.verdict, CMI_F_MALFORMED_CERTIFICATE);
}

struct server_row {
	const char *name;
	uint8_t code;
	bool hello, asked, sent;
	enum cmi_finding_id verdict;
};

static void servers_refusals(void **state)
{
	static const struct server_row table[] = {
		{"version", 70, false, false, false, CMI_F_PROTOCOL_VERSION},
		{"fallback", 86, false, false, false, CMI_F_PROTOCOL_VERSION},
		{"ciphers", 40, false, false, false, CMI_F_NO_SHARED_CIPHER},
		{"security", 71, false, false, false, CMI_F_NO_SHARED_CIPHER},
		{"name", 112, false, false, false, CMI_F_NAME_MISMATCH},
		{"certificate wanted", 40, true, true, false,
			CMI_F_CLIENT_CERTIFICATE_WANTED},
		{"certificate required", 116, true, true, false,
			CMI_F_CLIENT_CERTIFICATE_WANTED},
		{"none sent", 42, true, true, false,
			CMI_F_CLIENT_CERTIFICATE_WANTED},
		{"certificate refused", 48, true, true, true,
			CMI_F_CLIENT_CERTIFICATE_REFUSED},
		{"certificate expired", 45, true, true, true,
			CMI_F_CLIENT_CERTIFICATE_REFUSED},
		{"something else", 80, true, false, false, CMI_F_SERVER_CLOSED},
	};
	struct forged *chain[] = {world.leaf, world.intermediate, NULL};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(table); i++) {
		const struct server_row *row = &table[i];
		struct stage_run r;
		struct staged s;

		stage(&s, chain);
		alert(&s, CMI_SERVER, row->code);
		s.tls.client_cert_requested = row->asked;
		if (!row->hello) {
			s.tls.has_server_hello = s.tls.has_certificate = false;
			s.tls.version = 0;
			s.tls.n_certs = 0;
		}
		if (row->sent)
			s.tls.client_certs[s.tls.n_client_certs++] =
				(struct cmi_seen_cert){world.self->c->der, 17};
		open_run(&r);
		give(&r, &s.c);
		close_run(&r);
		if (r.seen.verdict != row->verdict)
			fail_msg("%s: %s", row->name,
				cmi_finding_name(r.seen.verdict));
	}
}

/* One client's download before its handshake. */
static void run_with_download(struct stage_run *r, unsigned downloader,
	unsigned status, struct cmi_bytes body, bool refused)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct staged_http h;
	struct staged s;

	open_run(r);
	stage_http(&h, at(downloader, 40000), AIA, status, body,
		"application/pkix-cert");
	give(r, &h.c);
	stage(&s, chain);
	if (refused)
		alert(&s, CMI_CLIENT, 48);
	give(r, &s.c);
	close_run(r);
}

static void downloads_are_tied_to_the_handshake(void **state)
{
	struct stage_run r;
	size_t i;

	(void)state;
	run_with_download(&r, 9, 200, world.intermediate->c->der, false);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);
	i = index_of(&r.seen, CMI_F_MISSING_INTERMEDIATE);
	assert_true(i < r.seen.n);
	assert_int_equal(r.seen.severities[i], CMI_SEVERITY_WARNING);
	assert_non_null(strstr(r.seen.says, AIA));

	run_with_download(&r, 9, 404, CMI_BYTES("gone"), true);
	assert_int_equal(r.seen.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_true(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_FAILED));
	assert_true(has(&r.seen, CMI_F_AIA_DEAD));
	assert_false(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_SKIPPED));

	run_with_download(&r, 9, 0, (struct cmi_bytes){0}, true);
	assert_true(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_FAILED));

	run_with_download(&r, 9, 200, CMI_BYTES("<html>hello</html>"), true);
	assert_true(has(&r.seen, CMI_F_AIA_WRONG_CONTENT));

	run_with_download(&r, 9, 200, world.other_int->c->der, true);
	assert_true(has(&r.seen, CMI_F_AIA_WRONG_CONTENT));
}

/* An answer of which the capture holds a part was not wrong for that. */
static void a_download_that_is_cut_tells_nothing(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct cmi_bytes body = world.intermediate->c->der;
	struct staged_http h;
	struct stage_run r;
	struct staged s;

	(void)state;
	body.n /= 2;
	for (int dark = 0; dark < 2; dark++) {
		stage(&s, chain);
		alert(&s, CMI_CLIENT, 48);
		if (dark)
			darken(&s);
		stage_http(&h, s.c.client, AIA, 200, body, "");
		h.c.start_us = s.c.start_us + 1000;
		h.http.body_cut = true;
		open_run(&r);
		give(&r, &h.c);
		give(&r, &s.c);
		close_run(&r);
		assert_false(has(&r.seen, CMI_F_AIA_WRONG_CONTENT));
		assert_false(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_FAILED));
		assert_false(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_SKIPPED));
	}
}

/* What a client fetches when the handshake is over was no help to it; that it
 * fetched before is told all the same. */
static void a_later_download_is_no_part_of_it(void **state)
{
	static const int64_t after_us[] = {600000, -200000};
	struct forged *chain[] = {world.leaf, NULL};
	struct staged_http h;
	struct stage_run r;
	struct staged s;

	(void)state;
	for (size_t before = 0; before < 2; before++) {
		for (int refused = 0; refused < 2; refused++) {
			stage(&s, chain);
			if (refused)
				alert(&s, CMI_CLIENT, 48);
			open_run(&r);
			give(&r, &s.c);
			for (size_t i = 0; i <= before; i++) {
				stage_http(&h, s.c.client, AIA, 200,
					world.intermediate->c->der, "");
				h.c.start_us =
					s.c.start_us + after_us[before - i];
				give(&r, &h.c);
			}
			close_run(&r);
			assert_int_equal(
				has(&r.seen, CMI_F_CHAIN_DOWNLOAD_FAILED),
				before && refused);
			assert_int_equal(
				has(&r.seen, CMI_F_CHAIN_DOWNLOAD_SKIPPED),
				!before && refused);
			assert_null(strstr(r.seen.says, "got it by itself"));
		}
	}
}

/* An issuer that it got long ago from elsewhere explains less than what its
 * question for this chain's own address came to. */
static void the_question_amid_the_handshake_tells_more(void **state)
{
	static const char *const urls[] = {
		"http://elsewhere.example/i.cer", AIA};
	struct forged *chain[] = {world.leaf, NULL};
	struct staged_http h;
	struct stage_run r;
	struct staged s;

	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		stage(&s, chain);
		if (refused)
			alert(&s, CMI_CLIENT, 48);
		open_run(&r);
		stage_http(&h, s.c.client, urls[0], 200,
			world.intermediate->c->der, "");
		give(&r, &h.c);
		stage_http(&h, s.c.client, urls[1], 404, CMI_BYTES("gone"), "");
		h.c.start_us = s.c.start_us + 1000;
		give(&r, &h.c);
		give(&r, &s.c);
		close_run(&r);
		assert_int_equal(has(&r.seen, CMI_F_AIA_DEAD), refused);
		assert_int_equal(
			!strstr(r.seen.says, "elsewhere.example"), refused);
	}
}

static void anothers_download_is_not_this_clients(void **state)
{
	struct stage_run r;

	(void)state;
	run_with_download(&r, 77, 200, world.intermediate->c->der, true);
	assert_int_equal(r.seen.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_true(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_SKIPPED));
	assert_false(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_FAILED));
	/* But we know the issuer now, so the verdict is proven. */
	assert_false(r.seen.inferred[0]);
}

static void late_evidence_counts(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct stage_run r;
	struct staged_http h;
	struct staged s;

	(void)state;
	open_run(&r);
	stage(&s, chain);
	alert(&s, CMI_CLIENT, 48);
	give(&r, &s.c);
	assert_int_equal(r.seen.handshakes, 0);
	stage_http(&h, at(9, 40000), AIA, 503, (struct cmi_bytes){0}, "");
	give(&r, &h.c);
	close_run(&r);
	assert_int_equal(r.seen.handshakes, 1);
	assert_true(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_FAILED));
}

/* An attacker answers port 80 with his own root and intermediate. */
static void a_downloaded_root_is_no_anchor(void **state)
{
	struct forged *chain[] = {world.other_leaf, NULL};
	struct cmi_bundle bundle = {0};
	struct stage_run r;
	struct staged_http h;
	struct staged s;
	struct cmi_cert *both[] = {world.other_int->c, world.other_root->c};
	struct cmi_buf p7;

	(void)state;
	(void)bundle;
	cmi_buf_init(&p7, CMI_FILE_MAX);
	assert_int_equal(
		cmi_bundle_write(both, 2, CMI_FORM_CMS, false, &p7, NULL),
		CMEND_OK);
	open_run(&r);
	stage_http(&h, at(9, 40000), "http://web.example/CertProv/chain.p7b",
		200, cmi_buf_view(&p7), "application/x-pkcs7-certificates");
	give(&r, &h.c);
	stage(&s, chain);
	alert(&s, CMI_CLIENT, 48);
	give(&r, &s.c);
	close_run(&r);
	cmi_buf_dispose(&p7);
	assert_int_equal(r.seen.verdict, CMI_F_UNTRUSTED_ROOT_DOWNLOADED);
	assert_true(has(&r.seen, CMI_F_CHAIN_DOWNLOAD_UNTRUSTED));
}

/* Certificates in base64 inside a SOAP answer. */
static void soap_answers_are_read(void **state)
{
	struct cmi_buf soap;
	struct stage_run r;

	(void)state;
	cmi_buf_init(&soap, CMI_FILE_MAX);
	cmi_buf_text(&soap, "<s:Envelope><s:Body><X509>\r\n");
	cmi_base64(&soap, world.intermediate->c->der, 64, "\r\n");
	cmi_buf_text(&soap, "</X509></s:Body></s:Envelope>");
	run_with_download(&r, 9, 200, cmi_buf_view(&soap), false);
	cmi_buf_dispose(&soap);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);
	assert_non_null(strstr(r.seen.says, AIA));
}

static void encrypted_handshakes(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	stage(&s, chain);
	darken(&s);
	open_run(&r);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.outcome, CMI_DARK);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);

	/* 48 in the clear: a failure, and its reason is still hidden. */
	stage(&s, chain);
	alert(&s, CMI_CLIENT, 48);
	darken(&s);
	s.tls.outcome = CMI_FAILED;
	open_run(&r);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.outcome, CMI_FAILED);
	assert_int_equal(r.seen.verdict, CMI_F_ENCRYPTED_HANDSHAKE);
	assert_true(r.seen.inferred[0]);

	/* What is fetched meanwhile speaks through the dark. */
	stage(&s, chain);
	darken(&s);
	open_run(&r);
	{
		struct staged_http h;

		stage_http(&h, s.c.client, AIA, 200, world.intermediate->c->der,
			"");
		h.c.start_us = s.c.start_us + 1000;
		give(&r, &h.c);
	}
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);
	assert_true(has(&r.seen, CMI_F_MISSING_INTERMEDIATE));
}

static void server_fails(struct staged *s)
{
	alert(s, CMI_SERVER, 40);
}

static void cut_handshakes_have_no_verdict(void **state)
{
	struct forged *none[] = {NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	stage(&s, none);
	no_finish(&s);
	s.tls.outcome = CMI_CUT;
	s.tls.has_certificate = false;
	open_run(&r);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.outcome, CMI_CUT);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);
	assert_true(has(&r.seen, CMI_F_HANDSHAKE_CUT));
}

/* Where the server's bytes are missing nobody can say that it did not answer,
 * chose no suite, or that the client went away before. */
static void what_a_short_capture_lacks_is_nobodys_fault(void **state)
{
	static const struct {
		const char *name;
		void (*end)(struct staged *s);
		bool gap;
		enum cmi_finding_id id;
		enum cmi_outcome outcome;
	} ends[] = {
		{"the server closes", server_closes, false, CMI_F_SERVER_CLOSED,
			CMI_FAILED},
		{"the same, cut", server_closes, true, CMI_F_HANDSHAKE_CUT,
			CMI_CUT},
		{"the client closes", client_closes, false, CMI_F_CLIENT_CLOSED,
			CMI_CUT},
		{"the same, cut", client_closes, true, CMI_F_HANDSHAKE_CUT,
			CMI_CUT},
		{"the server's alert", server_fails, false,
			CMI_F_NO_SHARED_CIPHER, CMI_FAILED},
		{"the same, cut", server_fails, true, CMI_F_SERVER_CLOSED,
			CMI_FAILED},
	};
	struct forged *none[] = {NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(ends); i++) {
		print_message("row: %s\n", ends[i].name);
		stage(&s, none);
		ends[i].end(&s);
		s.tls.has_server_hello = s.tls.has_certificate = false;
		s.tls.server_gap = ends[i].gap;
		s.tls.gap_bytes = 1000; /* of the client's at least */
		open_run(&r);
		give(&r, &s.c);
		close_run(&r);
		assert_int_equal(r.seen.n, 1);
		assert_true(has(&r.seen, ends[i].id));
		assert_int_equal(r.seen.outcome, ends[i].outcome);
	}
}

static void repeated_chains_are_judged_once(void **state)
{
	struct forged *chain[] = {world.leaf, world.intermediate, NULL};
	struct cmi_diagnose_counts n;
	struct stage_run r;
	struct staged s;

	(void)state;
	open_run(&r);
	for (unsigned i = 0; i < 1000; i++) {
		stage(&s, chain);
		s.c.client = at(10 + i % 100, 40000);
		give(&r, &s.c);
	}
	n = cmi_diagnose_counts(r.d);
	close_run(&r);
	assert_int_equal(n.handshakes, 1000);
	assert_int_equal(n.distinct_chains, 1);
	assert_int_equal(n.distinct_certs, 2);
}

/* The same chain is judged anew once a certificate in it has expired. */
static void time_is_not_forgotten_by_the_cache(void **state)
{
	struct forged *chain[] = {world.leaf, world.intermediate, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	open_run(&r);
	stage(&s, chain);
	give(&r, &s.c);
	assert_int_equal(r.seen.verdict, CMI_F_NONE);
	stage(&s, chain);
	s.c.start_us += 100 * FORGE_DAY * 1000000;
	s.c.end_us += 100 * FORGE_DAY * 1000000;
	alert(&s, CMI_CLIENT, 45);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.verdict, CMI_F_EXPIRED_LEAF);
}

/* An issuer seen later sharpens what was inferred for the same chain. */
static void knowledge_grows(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct forged *whole[] = {world.leaf, world.intermediate, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	open_run(&r);
	stage(&s, chain);
	give(&r, &s.c);
	assert_true(r.seen.inferred[0]);
	stage(&s, whole);
	give(&r, &s.c);
	stage(&s, chain);
	alert(&s, CMI_CLIENT, 48);
	give(&r, &s.c);
	close_run(&r);
	assert_int_equal(r.seen.verdict, CMI_F_MISSING_INTERMEDIATE);
	assert_false(r.seen.inferred[0]);
}

static void many_failures_stay_bounded_and_all_come_out(void **state)
{
	struct forged *chain[] = {world.leaf, NULL};
	struct stage_run r;
	struct staged s;

	(void)state;
	open_run(&r);
	for (unsigned i = 0; i < 500; i++) {
		stage(&s, chain);
		alert(&s, CMI_CLIENT, 48);
		give(&r, &s.c);
		assert_true(i + 1 - r.seen.handshakes <= 64);
	}
	close_run(&r);
	assert_int_equal(r.seen.handshakes, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_and_behaviours),
		cmocka_unit_test(the_name_is_checked),
		cmocka_unit_test(a_hostile_name_is_survived),
		cmocka_unit_test(a_malformed_certificate_is_named),
		cmocka_unit_test(servers_refusals),
		cmocka_unit_test(downloads_are_tied_to_the_handshake),
		cmocka_unit_test(a_download_that_is_cut_tells_nothing),
		cmocka_unit_test(a_later_download_is_no_part_of_it),
		cmocka_unit_test(the_question_amid_the_handshake_tells_more),
		cmocka_unit_test(anothers_download_is_not_this_clients),
		cmocka_unit_test(late_evidence_counts),
		cmocka_unit_test(a_downloaded_root_is_no_anchor),
		cmocka_unit_test(soap_answers_are_read),
		cmocka_unit_test(encrypted_handshakes),
		cmocka_unit_test(cut_handshakes_have_no_verdict),
		cmocka_unit_test(what_a_short_capture_lacks_is_nobodys_fault),
		cmocka_unit_test(repeated_chains_are_judged_once),
		cmocka_unit_test(time_is_not_forgotten_by_the_cache),
		cmocka_unit_test(knowledge_grows),
		cmocka_unit_test(many_failures_stay_bounded_and_all_come_out),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
