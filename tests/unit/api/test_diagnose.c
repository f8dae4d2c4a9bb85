/* SPDX-License-Identifier: Apache-2.0 */
/* Captures, chains and reports through the public interface alone. */
#include "forge.h"
#include "torture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chainmend/chainmend.h>

#include "core/env.h"

static struct forged *root, *ca, *leaf, *other;
static cmend_trust *trust;
/* Of a capture in which a client answers a chain with unknown_ca. */
static char capture_path[4096];
static uint8_t capture[8192];
static size_t n_capture;

static cmend_bytes der(const struct forged *f)
{
	return (cmend_bytes){f->c->der.p, f->c->der.n};
}

static void read_corpus(void)
{
	FILE *f;

	snprintf(capture_path, sizeof(capture_path),
		"%s/tests/fuzz/corpus/capture/pcapng",
		getenv("CMI_SOURCE_ROOT"));
	f = fopen(capture_path, "rb");
	assert_non_null(f);
	n_capture = fread(capture, 1, sizeof(capture), f);
	fclose(f);
	assert_true(n_capture > 100 && n_capture < sizeof(capture));
}

static int setup(void **state)
{
	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca, .dns = "a.test"});
	other = forge(&(struct forge_order){.name = "Other", .ca = true});
	assert_int_equal(cmend_trust_new(&trust, NULL), CMEND_OK);
	assert_int_equal(cmend_trust_add(trust, der(root), NULL), CMEND_OK);
	read_corpus();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cmend_trust_free(trust);
	forge_free_all();
	return 0;
}

/* What a run found, as text, one item after the other. */
struct seen {
	char text[4096];
	size_t n;
	unsigned results, conversations, notes;
	cmend_diagnosis *diagnosis;
	cmend_status answer; /* of every callback */
};

static void note(struct seen *s, const char *word)
{
	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s%s",
		s->n ? " " : "", word ? word : "-");
	assert_true(s->n < sizeof(s->text));
}

static cmend_status found(void *ctx, const cmend_result *result)
{
	cmend_handshake h = {.size = sizeof(h)};
	cmend_finding f = {.size = sizeof(f)};
	struct seen *s = ctx;
	size_t at = 0;

	s->results++;
	if (cmend_result_handshake(result, &h) == CMEND_OK)
		note(s, h.verdict);
	while (cmend_finding_next(result, &at, &f) == CMEND_OK)
		assert_true(f.id && f.severity && f.says);
	return s->answer;
}

static cmend_status take(void *ctx, const cmend_conversation *c)
{
	struct seen *s = ctx;

	s->conversations++;
	return s->diagnosis ? cmend_diagnose(s->diagnosis, c, NULL) : s->answer;
}

static void count_note(void *ctx, const cmend_note *n)
{
	struct seen *s = ctx;

	assert_non_null(n->says);
	s->notes++;
}

static cmend_diagnosis *new_diagnosis(struct seen *s, unsigned flags)
{
	const cmend_diagnosis_options o = {.size = sizeof(o),
		.trust = trust,
		.flags = flags,
		.has_time = 1,
		.at_s = FORGE_NOW,
		.found = found,
		.ctx = s};
	cmend_diagnosis *d = NULL;

	assert_int_equal(cmend_diagnosis_new(&o, &d, NULL), CMEND_OK);
	return d;
}

static void chains_are_judged(void **state)
{
	static const uint8_t junk[] = {0x30, 0x03, 1, 2, 3};
	const struct {
		const char *name, *host;
		cmend_bytes sent[2];
		size_t n;
		const char *verdict;
	} rows[] = {
		{"whole", "a.test", {der(leaf), der(ca)}, 2, "-"},
		{"no name asked for", NULL, {der(leaf), der(ca)}, 2, "-"},
		{"leaf only", "a.test", {der(leaf)}, 1, "missing-intermediate"},
		{"wrong name", "b.test", {der(leaf), der(ca)}, 2,
			"name-mismatch"},
		{"a stranger", NULL, {der(other)}, 1, "self-signed-leaf"},
		{"malformed", NULL, {{junk, sizeof(junk)}}, 1,
			"malformed-certificate"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct seen s = {0};
		cmend_diagnosis *d = new_diagnosis(&s, 0);

		if (cmend_diagnose_chain(d, "row", rows[i].host, rows[i].sent,
			    rows[i].n, NULL) ||
			strcmp(s.text, rows[i].verdict) != 0 || s.results != 1)
			fail_msg("%s: %s", rows[i].name, s.text);
		cmend_diagnosis_free(d);
	}
}

static cmend_status look_closely(void *ctx, const cmend_result *result)
{
	cmend_handshake h = {.size = sizeof(h)};
	cmend_sent sent = {.size = sizeof(sent)};
	cmend_link link = {.size = sizeof(link)};
	/* A caller built against a header that ended earlier. */
	struct {
		size_t size;
		const char *id;
		uint8_t beyond[64];
	} old = {.size = offsetof(cmend_finding, severity)};
	size_t at = 0;

	assert_int_equal(cmend_result_kind(result), CMEND_RESULT_ENDPOINT);
	assert_int_equal(cmend_result_handshake(result, &h), CMEND_OK);
	assert_string_equal(h.name, "the chain");
	assert_null(h.outcome);
	memset(old.beyond, 0x5a, sizeof(old.beyond));
	assert_int_equal(cmend_finding_next(result, &at, (cmend_finding *)&old),
		CMEND_OK);
	assert_string_equal(old.id, "missing-intermediate");
	for (size_t i = 0; i < sizeof(old.beyond); i++)
		assert_int_equal(old.beyond[i], 0x5a);
	at = 0;
	assert_int_equal(cmend_sent_next(result, &at, &sent), CMEND_OK);
	assert_string_equal(sent.subject, "CN=leaf");
	assert_string_equal(sent.sha256, leaf->c->sha256_hex);
	assert_int_equal(cmend_sent_next(result, &at, &sent), CMEND_NOT_FOUND);
	at = 0;
	assert_int_equal(cmend_result_link(result, &at, &link), CMEND_OK);
	assert_string_equal(link.subject, "CN=leaf");
	old.size = 1; /* not even the size fits */
	at = 0;
	assert_int_equal(cmend_finding_next(result, &at, (cmend_finding *)&old),
		CMEND_ARG);
	*(unsigned *)ctx += 1;
	return CMEND_OK;
}

static void a_result_can_be_looked_at(void **state)
{
	unsigned calls = 0;
	const cmend_diagnosis_options o = {.size = sizeof(o),
		.trust = trust,
		.has_time = 1,
		.at_s = FORGE_NOW,
		.found = look_closely,
		.ctx = &calls};
	const cmend_bytes sent[] = {der(leaf)};
	cmend_diagnosis *d = NULL;

	(void)state;
	assert_int_equal(cmend_diagnosis_new(&o, &d, NULL), CMEND_OK);
	assert_int_equal(
		cmend_diagnose_chain(d, "the chain", NULL, sent, 1, NULL),
		CMEND_OK);
	assert_int_equal(calls, 1);
	cmend_diagnosis_free(d);
}

/* Gives the capture in pieces of one byte, then of what is asked for. */
static size_t fed;
static cmend_status feed(void *ctx, uint8_t *to, size_t n, size_t *got)
{
	(void)ctx;
	*got = fed < 100 ? 1 : n;
	if (*got > n_capture - fed)
		*got = n_capture - fed;
	memcpy(to, capture + fed, *got);
	fed += *got;
	return CMEND_OK;
}

static cmend_status feed_and_fail(void *ctx, uint8_t *to, size_t n, size_t *got)
{
	return fed < n_capture / 2 ? feed(ctx, to, 50, got)
				   : ((void)n, CMEND_TIMEOUT);
}

static cmend_status feed_too_much(void *ctx, uint8_t *to, size_t n, size_t *got)
{
	(void)ctx;
	(void)to;
	*got = n + 1;
	return CMEND_OK;
}

static cmend_status read_with(cmend_capture_options *o, struct seen *s,
	cmend_capture_summary *summary, cmend_error *err)
{
	fed = 0;
	o->size = sizeof(*o);
	o->take = take;
	o->note = count_note;
	o->ctx = s;
	return cmend_read_capture(o, summary, err);
}

static void a_capture_comes_by_each_way(void **state)
{
	const cmend_capture_options ways[] = {
		{.path = capture_path},
		{.bytes = {capture, n_capture}},
		{.read = feed, .name = "fed"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(ways); i++) {
		cmend_capture_options o = ways[i];
		cmend_capture_summary sum = {.size = sizeof(sum)};
		struct seen s = {0};

		s.diagnosis = new_diagnosis(&s, CMEND_DIAGNOSE_ALL);
		assert_int_equal(read_with(&o, &s, &sum, NULL), CMEND_OK);
		assert_int_equal(
			cmend_diagnose_end(s.diagnosis, &sum, NULL), CMEND_OK);
		assert_int_equal(sum.packets, 8);
		assert_int_equal(sum.bytes, n_capture);
		assert_int_equal(sum.notes, 0);
		assert_int_equal(s.conversations, 1);
		assert_int_equal(s.results, 2); /* and the summary */
		assert_string_not_equal(s.text, "-");
		cmend_diagnosis_free(s.diagnosis);
	}
}

static void what_cannot_be_read_is_named(void **state)
{
	const struct {
		const char *name;
		cmend_capture_options o;
		cmend_status want;
	} rows[] = {
		{"nothing given", {0}, CMEND_ARG},
		{"two ways", {.path = "x", .read = feed}, CMEND_ARG},
		{"no file", {.path = "/nowhere/x"}, CMEND_IO},
		{"not standard input", {.path = "-"}, CMEND_IO},
		{"empty", {.bytes = {capture, 0}}, CMEND_PARSE},
		{"no capture", {.bytes = {(const uint8_t *)"hello, world", 12}},
			CMEND_PARSE},
		{"the caller's read fails", {.read = feed_and_fail},
			CMEND_TIMEOUT},
		{"the caller's read lies", {.read = feed_too_much}, CMEND_ARG},
		{"no key log", {.path = capture_path, .keylog_path = "/none"},
			CMEND_IO},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmend_capture_options o = rows[i].o;
		struct seen s = {0};
		cmend_error err = {0};
		cmend_status status = read_with(&o, &s, NULL, &err);

		if (status != rows[i].want || !err.message[0])
			fail_msg("%s: %s", rows[i].name, err.message);
	}
}

/* Whatever a callback returns comes back, and ends the work. */
static void callbacks_can_end_it(void **state)
{
	cmend_capture_options o = {.path = capture_path};
	struct seen s = {.answer = CMEND_REFUSED};
	const cmend_bytes sent[] = {der(leaf)};

	(void)state;
	assert_int_equal(read_with(&o, &s, NULL, NULL), CMEND_REFUSED);
	assert_int_equal(s.conversations, 1);
	s.diagnosis = new_diagnosis(&s, 0);
	assert_int_equal(
		cmend_diagnose_chain(s.diagnosis, NULL, NULL, sent, 1, NULL),
		CMEND_REFUSED);
	assert_int_equal(s.results, 1);
	cmend_diagnosis_free(s.diagnosis);
}

/* Cut anywhere: a status or a note, and never a crash. */
static void cut_captures(void **state)
{
	(void)state;
	for (size_t n = 1; n < n_capture; n += 7) {
		cmend_capture_options o = {.bytes = {capture, n}};
		struct seen s = {0};
		cmend_status status = read_with(&o, &s, NULL, NULL);

		assert_true(status == CMEND_OK || status == CMEND_PARSE);
	}
}

static void profiles_are_loaded_and_listed(void **state)
{
	cmend_profile p = {.size = sizeof(p)};
	cmend_profiles *set = NULL;
	char dir[4096];
	size_t at = 0, n = 0;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/data/profiles",
		getenv("CMI_SOURCE_ROOT"));
	assert_int_equal(cmend_profiles_new(trust, NULL, &set, NULL), CMEND_OK);
	assert_int_equal(cmend_profiles_add(set, "/nowhere", NULL, NULL),
		CMEND_NOT_FOUND);
	assert_int_equal(
		cmend_profiles_add(set, dir, "no-such", NULL), CMEND_NOT_FOUND);
	assert_int_equal(cmend_profile_next(set, &at, &p), CMEND_NOT_FOUND);
	assert_int_equal(
		cmend_profiles_add(set, dir, "android-10", NULL), CMEND_OK);
	assert_int_equal(cmend_profile_next(set, &at, &p), CMEND_OK);
	assert_string_equal(p.name, "android-10");
	assert_true(p.roots_known && p.roots > 50);
	assert_int_equal(p.roots_absent, p.roots); /* ours is in no list */
	assert_int_equal(cmend_profile_next(set, &at, &p), CMEND_NOT_FOUND);
	assert_int_equal(cmend_profiles_add(set, dir, NULL, NULL), CMEND_OK);
	for (at = 0; cmend_profile_next(set, &at, &p) == CMEND_OK; n++)
		assert_true(p.name && p.title);
	assert_true(n >= 20);
	cmend_profiles_free(set);
}

/* A listener on loopback; *port is the kernel's choice. */
static int listen_on(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* Nobody answers: the probe ends by itself, within its time and some grace. */
static void a_silent_server_ends_in_time(void **state)
{
	cmend_probe_options o = {.size = sizeof(o), .timeout_ms = 300};
	cmend_conversation *c = NULL;
	cmend_error err = {0};
	int64_t began_ms = cmi_mono_ms(NULL);
	char target[32];
	uint16_t port;
	int fd = listen_on(&port);

	(void)state;
	snprintf(target, sizeof(target), "127.0.0.1:%u", port);
	o.target = target;
	assert_int_equal(cmend_probe(&o, &c, &err), CMEND_TIMEOUT);
	assert_null(c);
	assert_non_null(strstr(err.message, target));
	assert_true(cmi_mono_ms(NULL) - began_ms >= 250);
	assert_true(cmi_mono_ms(NULL) - began_ms < 30000);
	close(fd);
}

struct hello {
	int fd;
	uint8_t bytes[2048];
	ssize_t n;
};

/* Take what the client says first, and hang up. */
static void *take_hello(void *ctx)
{
	struct hello *h = ctx;
	int fd = accept(h->fd, NULL, NULL);

	h->n = fd < 0 ? -1 : recv(fd, h->bytes, sizeof(h->bytes), 0);
	close(fd);
	return NULL;
}

static void what_a_probe_asks_for(void **state)
{
	static const struct {
		const char *name, *target, *sni, *address, *want, *never;
	} rows[] = {
		{"the target's name", "first.test", NULL, "127.0.0.1",
			"first.test", "127.0.0.1"},
		{"another name", "first.test", "second.test", "127.0.0.1",
			"second.test", "first.test"},
		{"none", "first.test", "", "127.0.0.1", NULL, "first.test"},
		{"an address is no name", "127.0.0.1", NULL, NULL, NULL,
			"127.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmend_probe_options o = {.size = sizeof(o),
			.sni = rows[i].sni,
			.address = rows[i].address,
			.timeout_ms = 30000};
		cmend_conversation *c = NULL;
		struct hello h = {0};
		pthread_t thread;
		char target[64];
		uint16_t port;

		h.fd = listen_on(&port);
		snprintf(target, sizeof(target), "%s:%u", rows[i].target, port);
		o.target = target;
		assert_int_equal(
			pthread_create(&thread, NULL, take_hello, &h), 0);
		assert_int_equal(cmend_probe(&o, &c, NULL), CMEND_NET);
		pthread_join(thread, NULL);
		close(h.fd);
		if (h.n < 50 || h.bytes[0] != 22 ||
			(rows[i].want &&
				!memmem(h.bytes, (size_t)h.n, rows[i].want,
					strlen(rows[i].want))) ||
			memmem(h.bytes, (size_t)h.n, rows[i].never,
				strlen(rows[i].never)))
			fail_msg("%s", rows[i].name);
	}
}

struct page {
	char text[65536];
	size_t n;
	unsigned writes;
	cmend_report *report;
	cmend_status answer;
};

static cmend_status write_page(void *ctx, cmend_bytes text)
{
	struct page *p = ctx;

	assert_true(p->n + text.n < sizeof(p->text));
	memcpy(p->text + p->n, text.p, text.n);
	p->n += text.n;
	p->writes++;
	return p->answer;
}

static cmend_status report_it(void *ctx, const cmend_result *result)
{
	const struct page *p = ctx;

	return cmend_report_write(p->report, result, NULL);
}

/* One chain, reported; the status of it all. */
static cmend_status report_chain(
	const cmend_report_options *form, struct page *p, cmend_error *err)
{
	cmend_report_options how = *form;
	const cmend_diagnosis_options o = {.size = sizeof(o),
		.trust = trust,
		.has_time = 1,
		.at_s = FORGE_NOW,
		.found = report_it,
		.ctx = p};
	const cmend_bytes sent[] = {der(leaf)};
	cmend_diagnosis *d = NULL;
	cmend_status status;

	how.size = sizeof(how);
	how.write = write_page;
	how.ctx = p;
	status = cmend_report_new(&how, &p->report, err);
	if (!status)
		status = cmend_diagnosis_new(&o, &d, err);
	if (!status)
		status = cmend_diagnose_chain(d, "it", NULL, sent, 1, err);
	if (!status)
		status = cmend_report_end(p->report, err);
	cmend_diagnosis_free(d);
	cmend_report_free(p->report);
	return status;
}

static void reports_of_each_form(void **state)
{
	static struct page text, json, html, refused;

	(void)state;
	assert_int_equal(
		report_chain(&(cmend_report_options){0}, &text, NULL), 0);
	assert_non_null(strstr(text.text, "missing-intermediate"));
	assert_int_equal(
		report_chain(&(cmend_report_options){.form = CMEND_FORM_NDJSON},
			&json, NULL),
		0);
	assert_int_equal(json.writes, 1);
	assert_int_equal(json.text[json.n - 1], '\n');
	assert_ptr_equal(strchr(json.text, '\n'), json.text + json.n - 1);
	assert_int_equal(
		report_chain(&(cmend_report_options){.form = CMEND_FORM_HTML,
				     .title = "One <chain>"},
			&html, NULL),
		0);
	assert_int_equal(html.writes, 1);
	assert_non_null(strstr(html.text, "One &lt;chain&gt;"));
	refused.answer = CMEND_IO;
	assert_int_equal(
		report_chain(&(cmend_report_options){.form = CMEND_FORM_HTML},
			&refused, NULL),
		CMEND_IO);
}

/* A pcapng of one packet with one comment, as Wireshark would write it:
 * draft-ietf-opsawg-pcapng sections 4.1, 4.2 and 4.3. */
static size_t commented(uint8_t out[512], const char *comment)
{
	const uint32_t n = (uint32_t)strlen(comment), padded = (n + 3) & ~3u;
	const uint32_t epb = 32 + 20 + 4 + padded + 4;
	const uint32_t head[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff,
		0xffffffff, 28, 1, 20, 101, 0, 20, 6, epb, 0, 0, 0, 20, 20};
	uint8_t *p = out;

	memset(out, 0, 512);
	memcpy(p, head, sizeof(head));
	p += sizeof(head);
	*p = 0x45; /* an IPv4 header, and nothing else of it */
	p += 20;
	memcpy(p, (const uint16_t[]){1, (uint16_t)n}, 4);
	memcpy(p + 4, comment, n);
	p += 4 + padded + 4;
	memcpy(p, &epb, 4);
	return (size_t)(p + 4 - out);
}

static cmend_status take_told(void *ctx, const cmend_result *result)
{
	cmend_told t = {.size = sizeof(t)};
	size_t *n = ctx;

	if (cmend_result_kind(result) != CMEND_RESULT_NOTE) {
		assert_int_equal(
			cmend_result_told(result, &t), CMEND_NOT_FOUND);
		return CMEND_OK;
	}
	++*n;
	assert_int_equal(cmend_result_told(result, &t), CMEND_OK);
	assert_string_equal(t.step, "ticket");
	assert_string_equal(t.result, "failed");
	assert_string_equal(t.finding, "pin-locked");
	assert_string_equal(t.says, "the account is \\x1blocked");
	assert_string_equal(t.capture, "noted");
	assert_int_equal(t.frame, 1);
	assert_int_equal(cmend_result_told(NULL, &t), CMEND_ARG);
	assert_int_equal(cmend_result_told(result, NULL), CMEND_ARG);
	return CMEND_OK;
}

static cmend_status pass_on(void *ctx, const cmend_conversation *c)
{
	assert_int_equal(cmend_conversation_kind(c), CMEND_KIND_NOTE);
	return cmend_diagnose(ctx, c, NULL);
}

static void a_devices_own_word(void **state)
{
	size_t told = 0;
	cmend_diagnosis_options o = {.size = sizeof(o),
		.trust = trust,
		.found = take_told,
		.ctx = &told};
	cmend_capture_options read = {
		.size = sizeof(read), .name = "noted", .take = pass_on};
	cmend_diagnosis *d = NULL;
	uint8_t file[512];

	(void)state;
	assert_int_equal(cmend_diagnosis_new(&o, &d, NULL), CMEND_OK);
	read.ctx = d;
	read.bytes.p = file;
	read.bytes.n = commented(file,
		"chainmend phone test: ticket, failed, pin-locked: the account "
		"is \x1blocked");
	assert_int_equal(cmend_read_capture(&read, NULL, NULL), CMEND_OK);
	assert_int_equal(told, 1);
	/* Anybody else's comment is none of these. */
	read.bytes.n = commented(file, "slow here, failed, why: I wonder");
	assert_int_equal(cmend_read_capture(&read, NULL, NULL), CMEND_OK);
	assert_int_equal(cmend_diagnose_end(d, NULL, NULL), CMEND_OK);
	assert_int_equal(told, 1);
	cmend_diagnosis_free(d);
}

static void broken_contracts_are_told(void **state)
{
	const cmend_diagnosis_options short_one = {.size = 8};
	const cmend_diagnosis_options no_trust = {
		.size = sizeof(no_trust), .found = found};
	const cmend_diagnosis_options flags = {.size = sizeof(flags),
		.trust = trust,
		.found = found,
		.flags = 0x80};
	const cmend_report_options no_form = {.size = sizeof(no_form),
		.write = write_page,
		.form = (cmend_form)9};
	const cmend_probe_options no_target = {.size = sizeof(no_target)};
	const cmend_probe_options protocol = {.size = sizeof(protocol),
		.target = "localhost",
		.starttls = "gopher"};
	const cmend_probe_options family = {
		.size = sizeof(family), .target = "localhost", .family = 5};
	cmend_conversation *c = NULL;
	cmend_diagnosis *d = NULL;
	cmend_report *r = NULL;
	cmend_error err;

	(void)state;
	assert_int_equal(cmend_diagnosis_new(NULL, &d, NULL), CMEND_ARG);
	assert_int_equal(cmend_diagnosis_new(&short_one, &d, NULL), CMEND_ARG);
	assert_int_equal(cmend_diagnosis_new(&no_trust, &d, NULL), CMEND_ARG);
	assert_int_equal(cmend_diagnosis_new(&flags, &d, NULL), CMEND_ARG);
	assert_int_equal(cmend_report_new(&no_form, &r, NULL), CMEND_ARG);
	assert_int_equal(cmend_probe(&no_target, &c, NULL), CMEND_ARG);
	assert_int_equal(cmend_probe(&family, &c, NULL), CMEND_ARG);
	assert_int_equal(cmend_probe(&protocol, &c, &err), CMEND_ARG);
	assert_non_null(strstr(err.message, "smtp"));
	assert_int_equal(cmend_diagnose(NULL, NULL, NULL), CMEND_ARG);
	assert_int_equal(cmend_diagnose_end(NULL, NULL, NULL), CMEND_ARG);
	assert_int_equal(cmend_report_end(NULL, NULL), CMEND_ARG);
	assert_int_equal(cmend_conversation_count(NULL), 0);
	assert_string_equal(cmend_conversation_server(NULL), "");
	cmend_conversation_free(NULL);
	cmend_diagnosis_free(NULL);
	cmend_report_free(NULL);
	cmend_profiles_free(NULL);
	cmend_completer_free(NULL);
	assert_null(c);
	assert_null(d);
	assert_null(r);
}

/* Each allocation of the whole way fails once: a status, no leak, no crash. */
static cmend_status whole_way(void *ctx, cmend_error *err)
{
	static struct page p;

	(void)ctx;
	p = (struct page){0};
	return report_chain(
		&(cmend_report_options){.form = CMEND_FORM_HTML}, &p, err);
}

static cmend_status read_all(void *ctx, cmend_error *err)
{
	cmend_capture_options o = {.bytes = {capture, n_capture}};
	struct seen s = {0};

	(void)ctx;
	return read_with(&o, &s, NULL, err);
}

static void memory_that_fails(void **state)
{
	struct torture_result r;

	(void)state;
	r = torture_run(whole_way, NULL, TORTURE_DEGRADE);
	assert_null(r.says);
	assert_true(r.runs > 20);
	r = torture_run(read_all, NULL, TORTURE_DEGRADE);
	assert_null(r.says);
	assert_true(r.runs > 10);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(chains_are_judged),
		ROW(a_result_can_be_looked_at),
		ROW(a_capture_comes_by_each_way),
		ROW(what_cannot_be_read_is_named),
		ROW(callbacks_can_end_it),
		ROW(cut_captures),
		ROW(profiles_are_loaded_and_listed),
		ROW(a_silent_server_ends_in_time),
		ROW(what_a_probe_asks_for),
		ROW(reports_of_each_form),
		ROW(a_devices_own_word),
		ROW(broken_contracts_are_told),
		ROW(memory_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
