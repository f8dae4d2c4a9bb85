/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that a path must keep, through the public interface alone: of a
 * job, of a diagnosis over chains and captures, and of a profile.
 */
#include "forge.h"

#include <stddef.h>
#include <unistd.h>

#include <chainmend/chainmend.h>

#include "capture/forge_packets.h"

#define NAMED .name = "a.test", .dns = "a.test"

static struct forged *root, *ca, *odd;
static cmend_trust *trust;

static cmend_bytes der(const struct forged *f)
{
	return (cmend_bytes){f->c->der.p, f->c->der.n};
}

static int setup(void **state)
{
	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	/* A CN that is none of its names: Baseline Requirements 7.1.4.3. */
	odd = forge(&(struct forge_order){
		.name = "shop", .issuer = ca, .dns = "a.test"});
	assert_int_equal(cmend_trust_new(&trust, NULL), CMEND_OK);
	assert_int_equal(cmend_trust_add(trust, der(root), NULL), CMEND_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cmend_trust_free(trust);
	forge_free_all();
	return 0;
}

/* ------------------------------------------------------------------ a job */

static cmend_job *new_job(void)
{
	cmend_job *job = NULL;

	assert_int_equal(cmend_job_new(trust, &job, NULL), CMEND_OK);
	cmend_job_set_time(job, FORGE_NOW);
	return job;
}

static const char *verdict_of(cmend_job *job, const struct forged *leaf)
{
	const cmend_bytes sent[] = {der(leaf), der(ca)};
	const char *verdict;

	assert_int_equal(cmend_complete(job, sent[0], sent, 2, NULL), CMEND_OK);
	verdict = cmend_job_verdict(job);
	assert_int_equal(cmend_job_accepted(job), verdict == NULL);
	return verdict ? verdict : "none";
}

struct row {
	const char *name;
	struct forge_order leaf;
	const char *by[CMEND_POLICY_RFC5280 + 1];
	const char *section;
};

static void look_at_row(cmend_job *job, const struct row *row)
{
	struct forge_order order = row->leaf;
	const struct forged *leaf;

	order.issuer = ca;
	leaf = forge(&order);
	for (unsigned i = 0; i < CMI_LEN(row->by); i++) {
		cmend_policy policy = (cmend_policy)i;
		const char *got;

		assert_int_equal(
			cmend_job_set_policy(job, policy, NULL), CMEND_OK);
		got = verdict_of(job, leaf);
		if (strcmp(got, row->by[i]) != 0)
			fail_msg("%s, %s: %s", row->name,
				cmend_policy_text(policy), got);
		if (i >= CMEND_POLICY_WEBPKI && !cmend_job_accepted(job) &&
			!strstr(cmend_job_says(job), row->section))
			fail_msg("%s: %s", row->name, cmend_job_says(job));
	}
}

/* In the order of the policies: what clients do, X509_STRICT (which asks for
 * an authorityKeyIdentifier), the web's CAs, RFC 5280's profile. */
static void a_job_keeps_to_it(void **state)
{
	static const struct row rows[] = {
		{"plain", {NAMED}, {"none", "none", "none", "none"}, ""},
		{"no key id of its issuer", {NAMED, .no_akid = true},
			{"none", "policy", "policy", "policy"},
			"RFC 5280 section 4.2.1.1"},
		{"CN elsewhere", {.name = "shop", .dns = "a.test"},
			{"none", "none", "policy", "none"},
			"Baseline Requirements 7.1.4.3"},
		{"any usage beside its own",
			{NAMED, .eku = "serverAuth,anyExtendedKeyUsage"},
			{"none", "none", "wrong-usage", "none"},
			"Baseline Requirements 7.1.2.7.10"},
		{"no CA, and name constraints",
			{NAMED, .constraints = "permitted;DNS:test"},
			{"none", "none", "name-constraint", "name-constraint"},
			"RFC 5280 section 4.2.1.10"},
	};
	cmend_job *job = new_job();

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		look_at_row(job, &rows[i]);
	cmend_job_free(job);
}

/* One from a later header changes nothing. */
static void one_that_is_not_known(void **state)
{
	cmend_job *job = new_job();
	cmend_error err = {0};

	(void)state;
	assert_string_equal(verdict_of(job, odd), "none");
	assert_int_equal(
		cmend_job_set_policy(job, CMEND_POLICY_WEBPKI, NULL), CMEND_OK);
	assert_int_equal(
		cmend_job_set_policy(job, (cmend_policy)77, &err), CMEND_ARG);
	assert_non_null(strstr(err.message, "77"));
	assert_int_equal(
		cmend_job_set_policy(job, (cmend_policy)-1, NULL), CMEND_ARG);
	assert_string_equal(verdict_of(job, odd), "policy");
	assert_int_equal(cmend_job_set_policy(NULL, CMEND_POLICY_CLIENTS, NULL),
		CMEND_ARG);
	cmend_job_free(job);
}

/* As --policy has them. */
static void names(void **state)
{
	(void)state;
	assert_string_equal(cmend_policy_text(CMEND_POLICY_CLIENTS), "clients");
	assert_string_equal(cmend_policy_text(CMEND_POLICY_STRICT), "strict");
	assert_string_equal(cmend_policy_text(CMEND_POLICY_WEBPKI), "webpki");
	assert_string_equal(cmend_policy_text(CMEND_POLICY_RFC5280), "rfc5280");
	assert_string_equal(cmend_policy_text((cmend_policy)77), "unknown");
	assert_string_equal(cmend_policy_text((cmend_policy)-1), "unknown");
}

/* ------------------------------------------------------------ a diagnosis */

static cmend_status found(void *ctx, const cmend_result *result)
{
	cmend_handshake h = {.size = sizeof(h)};
	char *verdicts = ctx;

	if (cmend_result_handshake(result, &h) == CMEND_OK)
		snprintf(verdicts + strlen(verdicts), 64 - strlen(verdicts),
			"%s;", h.verdict ? h.verdict : "none");
	return CMEND_OK;
}

static cmend_diagnosis *new_diagnosis(char verdicts[64])
{
	const cmend_diagnosis_options o = {.size = sizeof(o),
		.trust = trust,
		.has_time = 1,
		.at_s = FORGE_NOW,
		.found = found,
		.ctx = verdicts};
	cmend_diagnosis *d = NULL;

	verdicts[0] = '\0';
	assert_int_equal(cmend_diagnosis_new(&o, &d, NULL), CMEND_OK);
	return d;
}

static void diagnose_odd(cmend_diagnosis *d)
{
	const cmend_bytes sent[] = {der(odd), der(ca)};

	assert_int_equal(
		cmend_diagnose_chain(d, "odd", "a.test", sent, 2, NULL),
		CMEND_OK);
}

static void chains_are_held_to_it(void **state)
{
	static const struct {
		cmend_policy policy;
		const char *verdicts;
	} rows[] = {
		{CMEND_POLICY_CLIENTS, "none;"},
		{CMEND_POLICY_STRICT, "none;"},
		{CMEND_POLICY_WEBPKI, "policy;"},
		{CMEND_POLICY_RFC5280, "none;"},
	};
	char verdicts[64];

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmend_diagnosis *d = new_diagnosis(verdicts);

		assert_int_equal(
			cmend_diagnosis_set_policy(d, rows[i].policy, NULL),
			CMEND_OK);
		diagnose_odd(d);
		assert_string_equal(verdicts, rows[i].verdicts);
		cmend_diagnosis_free(d);
	}
}

static void it_is_set_before_anything_is_judged(void **state)
{
	char verdicts[64];
	cmend_diagnosis *d = new_diagnosis(verdicts);
	cmend_error err = {0};

	(void)state;
	assert_int_equal(
		cmend_diagnosis_set_policy(NULL, CMEND_POLICY_CLIENTS, NULL),
		CMEND_ARG);
	assert_int_equal(
		cmend_diagnosis_set_policy(d, CMEND_POLICY_WEBPKI, NULL),
		CMEND_OK);
	assert_int_equal(cmend_diagnosis_set_policy(d, (cmend_policy)77, &err),
		CMEND_ARG);
	assert_non_null(strstr(err.message, "77"));
	diagnose_odd(d);
	assert_int_equal(
		cmend_diagnosis_set_policy(d, CMEND_POLICY_CLIENTS, &err),
		CMEND_ARG);
	assert_non_null(strstr(err.message, "before the first"));
	diagnose_odd(d);
	assert_string_equal(verdicts, "policy;policy;");
	cmend_diagnosis_free(d);
}

/* ------------------------------------------------------------- a capture */

struct talk {
	struct cmi_buf file;
	uint32_t seq[2], at;
};

static void packet(
	struct talk *t, bool server, uint8_t flags, struct cmi_bytes data)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, 8192);
	forge_ipv4(&b, 6, (uint16_t)(40 + data.n), 0x4000, server ? 1 : 9,
		server ? 9 : 1);
	forge_tcp(&b, server ? 443 : 50112, server ? 50112 : 443,
		t->seq[server], t->seq[!server], flags, data);
	forge_record(&t->file, false, 16, FORGE_T0, t->at++, cmi_buf_view(&b));
	t->seq[server] += (uint32_t)data.n + !!(flags & 3); /* SYN, FIN */
}

/* RFC 5246 section 7.4: a record with one message of a handshake. */
static void message(
	struct talk *t, bool server, uint8_t type, struct cmi_bytes body)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, 8192);
	cmi_buf_be(&b, 3, 0x160303);
	cmi_buf_be(&b, 2, body.n + 4);
	cmi_buf_u8(&b, type);
	cmi_buf_be(&b, 3, body.n);
	cmi_buf_add_bytes(&b, body);
	packet(t, server, 0x10, cmi_buf_view(&b));
}

static void hellos(struct talk *t)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, 256);
	cmi_buf_be(&b, 2, 0x0303);
	forge_zeros(&b, 33);                /* random, no session id */
	cmi_buf_add(&b, "\0\2\xc0\x2b", 4); /* one cipher suite */
	cmi_buf_add(&b, "\1\0", 2);         /* no compression */
	message(t, false, 1, cmi_buf_view(&b));
	cmi_buf_clear(&b);
	cmi_buf_be(&b, 2, 0x0303);
	forge_zeros(&b, 33);
	cmi_buf_add(&b, "\xc0\x2b\0", 3);
	message(t, true, 2, cmi_buf_view(&b));
}

/* A client refuses the odd leaf with bad_certificate (42). */
static void record(struct talk *t)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	size_t n = odd->c->der.n + ca->c->der.n + 6;

	*t = (struct talk){.seq = {100, 900}};
	cmi_buf_init(&t->file, 1 << 16);
	forge_pcap(&t->file, false, 0xa1b2c3d4, 101);
	packet(t, false, 0x02, (struct cmi_bytes){NULL, 0});
	packet(t, true, 0x12, (struct cmi_bytes){NULL, 0});
	hellos(t);
	cmi_buf_init(&b, 8192);
	cmi_buf_be(&b, 3, n);
	cmi_buf_be(&b, 3, odd->c->der.n);
	cmi_buf_add_bytes(&b, odd->c->der);
	cmi_buf_be(&b, 3, ca->c->der.n);
	cmi_buf_add_bytes(&b, ca->c->der);
	message(t, true, 11, cmi_buf_view(&b));
	packet(t, false, 0x10, CMI_BYTES("\x15\3\3\0\2\2\x2a"));
	packet(t, false, 0x11, (struct cmi_bytes){NULL, 0});
	assert_int_equal(t->file.failed, CMEND_OK);
}

static cmend_status take(void *ctx, const cmend_conversation *c)
{
	return cmend_diagnose(ctx, c, NULL);
}

static void captures_are_held_to_it(void **state)
{
	char verdicts[64];
	struct talk t;

	(void)state;
	record(&t);
	for (int policy = 0; policy <= CMEND_POLICY_RFC5280; policy++) {
		cmend_diagnosis *d = new_diagnosis(verdicts);
		const cmend_capture_options o = {.size = sizeof(o),
			.bytes = {t.file.p, t.file.n},
			.take = take,
			.ctx = d};

		assert_int_equal(cmend_diagnosis_set_policy(
					 d, (cmend_policy)policy, NULL),
			CMEND_OK);
		assert_int_equal(cmend_read_capture(&o, NULL, NULL), CMEND_OK);
		assert_int_equal(cmend_diagnose_end(d, NULL, NULL), CMEND_OK);
		if ((strcmp(verdicts, "policy;") == 0) !=
			(policy == CMEND_POLICY_WEBPKI))
			fail_msg("%s: %s",
				cmend_policy_text((cmend_policy)policy),
				verdicts);
		assert_int_equal(cmend_diagnosis_set_policy(
					 d, CMEND_POLICY_CLIENTS, NULL),
			CMEND_ARG);
		cmend_diagnosis_free(d);
	}
	cmi_buf_dispose(&t.file);
}

/* -------------------------------------------------------------- a profile */

static void put(const char *dir, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void profiles_tell_theirs(void **state)
{
	char dir[] = "/tmp/cmi-policy-XXXXXX", path[128];
	cmend_profile p = {.size = sizeof(p)};
	/* A caller built against a header that ended earlier. */
	struct {
		size_t size;
		uint8_t rest[sizeof(cmend_profile)];
	} old = {.size = offsetof(cmend_profile, policy)};
	const size_t beyond = old.size - sizeof(old.size);
	cmend_profiles *set = NULL;
	size_t at = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put(dir, "browser.ini", "title = B\npolicy = webpki\n");
	put(dir, "tool.ini", "title = T\n");
	assert_int_equal(cmend_profiles_new(trust, NULL, &set, NULL), CMEND_OK);
	assert_int_equal(
		cmend_profiles_add(set, dir, "browser", NULL), CMEND_OK);
	assert_int_equal(cmend_profiles_add(set, dir, "tool", NULL), CMEND_OK);
	assert_int_equal(cmend_profile_next(set, &at, &p), CMEND_OK);
	assert_string_equal(p.name, "browser");
	assert_int_equal(p.policy, CMEND_POLICY_WEBPKI);
	assert_int_equal(cmend_profile_next(set, &at, &p), CMEND_OK);
	assert_int_equal(p.policy, CMEND_POLICY_CLIENTS);
	at = 0;
	memset(old.rest, 0x5a, sizeof(old.rest));
	assert_int_equal(
		cmend_profile_next(set, &at, (cmend_profile *)&old), CMEND_OK);
	for (size_t i = beyond; i < sizeof(old.rest); i++)
		assert_int_equal(old.rest[i], 0x5a);
	cmend_profiles_free(set);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s.ini", dir,
			i ? "tool" : "browser");
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_job_keeps_to_it),
		ROW(one_that_is_not_known),
		ROW(names),
		ROW(chains_are_held_to_it),
		ROW(it_is_set_before_anything_is_judged),
		ROW(captures_are_held_to_it),
		ROW(profiles_tell_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
