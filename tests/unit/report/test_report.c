/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/xml_names.h"
#include "core/arena.h"
#include "core/text.h"
#include "explain/phrase.h"
#include "report/report.h"

/* What a hostile certificate or name may hold. */
static const char hostile_bytes[] =
	"<script>alert(1)</script>&\"'\x1b[31m\r\n\x7f\xff\xe2\x80\xae]]>-->";

struct scene {
	struct cmi_arena arena;
	const char *name; /* hostile_bytes as safe text, as items have it */
	struct cmi_conversation c;
	struct cmi_tls_seen tls;
	struct cmi_finding findings[2];
	struct cmi_item_handshake h;
	struct cmi_item item;
};

static void scene_init(struct scene *s)
{
	*s = (struct scene){0};
	cmi_arena_init(&s->arena, CMI_FILE_MAX);
	s->name = cmi_phrase_safe(&s->arena, CMI_BYTES(hostile_bytes));
	s->c = (struct cmi_conversation){
		.kind = CMI_CONV_TLS,
		.capture = hostile_bytes,
		.client = {.family = 4, .addr = {192, 0, 2, 9}, .port = 50112},
		.server = {.family = 6, .addr = {0x20, 1}, .port = 443},
		.start_us = 1780315200123456,
		.end_us = 1780315201123456,
		.first_frame = 12,
		.last_frame = 31,
	};
	s->tls = (struct cmi_tls_seen){
		.version = 0x0303,
		.cipher = 0xc02f,
		.has_server_hello = true,
		.alerts = {{CMI_CLIENT, 2, 48, 18}, {CMI_CLIENT, 7, 222, 19}},
		.n_alerts = 2,
	};
	s->c.tls = &s->tls;
	s->findings[0] = (struct cmi_finding){
		.id = CMI_F_MISSING_INTERMEDIATE,
		.blame = CMI_BLAME_SERVER,
		.subject = s->name,
		.says = s->name,
		.frames = {15, 18},
		.n_frames = 2,
	};
	s->findings[1] = (struct cmi_finding){.id = CMI_F_AIA_ABSENT,
		.severity = CMI_SEVERITY_INFO,
		.inferred = true};
	s->h = (struct cmi_item_handshake){
		.c = &s->c,
		.outcome = CMI_FAILED,
		.sni = s->name,
		.verdict = CMI_F_MISSING_INTERMEDIATE,
		.blame = CMI_BLAME_SERVER,
		.findings = s->findings,
		.n_findings = 2,
	};
	s->item = (struct cmi_item){
		.kind = CMI_ITEM_HANDSHAKE, .handshake = &s->h};
}

static void no_control_characters(struct cmi_bytes b, bool newlines)
{
	for (size_t i = 0; i < b.n;) {
		size_t step = cmi_utf8_length(b.p + i, b.n - i);

		assert_true(step > 0);
		if (b.p[i] < ' ')
			assert_true(newlines && b.p[i] == '\n');
		assert_true(b.p[i] != 0x7f);
		i += step;
	}
}

static void text_is_safe_for_a_terminal(void **state)
{
	struct cmi_report_style styles[] = {
		{0}, {.verbose = true}, {.quiet = true}};
	struct cmi_buf out;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (size_t i = 0; i < CMI_LEN(styles); i++) {
		cmi_buf_init(&out, CMI_FILE_MAX);
		cmi_report_text(&out, &s.item, &styles[i]);
		assert_true(out.n > 0);
		no_control_characters(cmi_buf_view(&out), true);
		assert_non_null(
			strstr(cmi_buf_cstr(&out), "missing-intermediate"));
		cmi_buf_dispose(&out);
	}
	cmi_arena_dispose(&s.arena);
}

static void color_only_when_asked(void **state)
{
	struct cmi_report_style color = {.color = true};
	struct cmi_buf out;
	struct scene s;

	(void)state;
	scene_init(&s);
	cmi_buf_init(&out, CMI_FILE_MAX);
	cmi_report_text(&out, &s.item, &color);
	assert_non_null(strstr(cmi_buf_cstr(&out), "\033["));
	cmi_buf_dispose(&out);
	cmi_arena_dispose(&s.arena);
}

static void json_is_one_clean_line(void **state)
{
	struct cmi_buf out;
	struct scene s;

	(void)state;
	scene_init(&s);
	cmi_buf_init(&out, CMI_FILE_MAX);
	cmi_report_json(&out, &s.item);
	assert_int_equal(out.p[out.n - 1], '\n');
	no_control_characters((struct cmi_bytes){out.p, out.n - 1}, false);
	assert_non_null(strstr(cmi_buf_cstr(&out),
		"{\"v\":1,\"kind\":\"handshake\",\"capture\":\"<script>"));
	assert_non_null(strstr(cmi_buf_cstr(&out),
		"\"client\":\"192.0.2.9:50112\",\"server\":\"[2001::]:443\""));
	assert_non_null(strstr(cmi_buf_cstr(&out), "\"cipher_id\":\"0xc02f\""));
	assert_non_null(strstr(cmi_buf_cstr(&out),
		"\"start\":\"2026-06-01T12:00:00.123456Z\""));
	assert_non_null(strstr(cmi_buf_cstr(&out),
		"{\"from\":\"client\",\"level\":\"fatal\",\"description\":"
		"\"unknown_ca\",\"code\":48,\"frame\":18}"));
	/* An alert nobody knows, at a level there is not. */
	assert_non_null(strstr(cmi_buf_cstr(&out),
		"\"level\":\"fatal\",\"description\":null,\"code\":222"));
	cmi_buf_dispose(&out);
	cmi_arena_dispose(&s.arena);
}

/* What is kept of earlier lines changes no later one: whatever the capture is
 * called, in whatever order the kinds come. */
static void what_is_kept_is_written_the_same(void **state)
{
	static char long_name[600];
	static const char *const captures[] = {"a.pcap", "b.pcap", "a.pcap",
		hostile_bytes, long_name, "a.pcapng", "", "a.pcap"};
	struct cmi_json_kept *kept = cmi_alloc(sizeof(*kept));
	struct cmi_buf plain, again;
	struct scene s;

	(void)state;
	assert_non_null(kept);
	memset(long_name, 'x', sizeof(long_name) - 1);
	scene_init(&s);
	for (size_t i = 0; i < 2 * CMI_LEN(captures) + 2; i++) {
		struct cmi_tcp_seen tcp = {.syn_frame = i};
		struct cmi_conversation c = s.c;
		struct cmi_item_other other = {.c = &c};
		struct cmi_item item = {.kind = CMI_ITEM_TCP, .other = &other};

		c.tcp = &tcp;
		c.capture = s.c.capture =
			i / 2 < CMI_LEN(captures) ? captures[i / 2] : NULL;
		if (i % 2 == 0)
			item = s.item;
		cmi_buf_init(&plain, CMI_FILE_MAX);
		cmi_buf_init(&again, CMI_FILE_MAX);
		cmi_report_json(&plain, &item);
		cmi_report_json_again(&again, &item, kept);
		assert_string_equal(cmi_buf_cstr(&plain), cmi_buf_cstr(&again));
		cmi_buf_dispose(&plain);
		cmi_buf_dispose(&again);
	}
	cmi_free(kept);
	cmi_arena_dispose(&s.arena);
}

/* The page is written so that it is well-formed XML behind its first line;
 * expat finds whatever was not escaped. */
struct watcher {
	unsigned scripts, svgs, titles, depth;
	char text[1 << 20];
	size_t n;
};

static void XMLCALL started(
	void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct watcher *w = ctx;

	w->scripts += strcmp(name, "script") == 0;
	w->svgs += strcmp(name, "svg") == 0;
	w->titles += strcmp(name, "title") == 0;
	for (; *attributes; attributes += 2) {
		assert_true(strncmp(attributes[0], "on", 2) != 0);
		if (strcmp(attributes[0], "src") == 0)
			fail_msg("something is loaded: %s", attributes[1]);
		if (strcmp(attributes[0], "href") == 0)
			assert_int_equal(attributes[1][0], '#');
	}
}

static void XMLCALL characters(void *ctx, const XML_Char *s, int n)
{
	struct watcher *w = ctx;

	if (w->n + (size_t)n < sizeof(w->text)) {
		memcpy(w->text + w->n, s, (size_t)n);
		w->n += (size_t)n;
	}
}

/* Void elements are HTML's own: close them for expat. */
static void close_void_elements(struct cmi_buf *out, const char *html)
{
	for (; *html; html++) {
		static const char meta[] = "<meta ";

		if (strncmp(html, meta, sizeof(meta) - 1) == 0) {
			const char *end = strchr(html, '>');

			cmi_buf_add(out, html, (size_t)(end - html));
			cmi_buf_text(out, "/>");
			html = end;
			continue;
		}
		cmi_buf_u8(out, (uint8_t)*html);
	}
}

static void check_page(struct cmi_bytes html, struct watcher *w)
{
	XML_Parser p = XML_ParserCreate("UTF-8");
	struct cmi_buf xml, copy;
	const char *body;

	memset(w, 0, sizeof(*w));
	cmi_buf_init(&xml, CMI_FILE_MAX);
	cmi_buf_init(&copy, CMI_FILE_MAX);
	cmi_buf_add_bytes(&copy, html);
	body = strstr(cmi_buf_cstr(&copy), "<html");
	assert_non_null(body);
	close_void_elements(&xml, body);
	XML_SetUserData(p, w);
	XML_SetStartElementHandler(p, started);
	XML_SetCharacterDataHandler(p, characters);
	if (XML_Parse(p, cmi_buf_cstr(&xml), (int)xml.n, 1) != XML_STATUS_OK)
		fail_msg("line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber64(p),
			XML_ErrorString(XML_GetErrorCode(p)));
	XML_ParserFree(p);
	cmi_buf_dispose(&xml);
	cmi_buf_dispose(&copy);
}

static void give(struct cmi_page *p, enum cmi_item_kind kind, const void *what)
{
	struct cmi_item item = {.kind = kind};

	item.handshake = what;
	assert_int_equal(cmi_page_take(p, &item, NULL), CMEND_OK);
}

static void the_article_is_well_formed_whatever_comes(void **state)
{
	static struct watcher w;
	struct cmi_page_options o = {.command = "compare"};
	struct cmi_page *p = NULL;
	struct cmi_remedy remedy = {"send it", "in full", CMI_BLAME_SERVER, 0};
	struct cmi_remedy stopgap = {
		"wait & see", "<b>", CMI_BLAME_CLIENT, true};
	struct cmi_remedy remedies[] = {remedy, stopgap};
	struct cmi_item_step step = {
		.event = "request", .frame = {4, 0}, .to = 2, .diverges = true};
	struct cmi_item_divergence d = {.parted = true,
		.bad_failed = true,
		.good_name = hostile_bytes,
		.bad_name = hostile_bytes,
		.verdict = CMI_F_MISSING_INTERMEDIATE,
		.remedies = remedies,
		.n_remedies = 2};
	struct cmi_told_seen seen = {.frame = 7};
	struct cmi_conversation from = {.kind = CMI_CONV_TOLD, .told = &seen};
	struct cmi_bytes html;
	struct scene s;

	(void)state;
	scene_init(&s);
	step.text[0] = d.says = s.name;
	d.consequences = &s.name;
	d.n_consequences = 1;
	assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
	give(p, CMI_ITEM_STEP, &step);
	step.text[1] = "both do it";
	step.frame[1] = 9;
	step.from = 1, step.to = 0;
	step.diverges = false;
	give(p, CMI_ITEM_STEP, &step);
	give(p, CMI_ITEM_DIVERGENCE, &d);
	s.h.side = CMI_STEP_GOOD;
	give(p, CMI_ITEM_HANDSHAKE, &s.h);
	s.h.side = CMI_STEP_BAD;
	give(p, CMI_ITEM_HANDSHAKE, &s.h);
	give(p, CMI_ITEM_TOLD,
		&(struct cmi_item_told){.c = &from,
			.step = s.name,
			.result = s.name,
			.says = s.name,
			.side = CMI_STEP_BAD});
	assert_int_equal(cmi_page_finish(p, &html, NULL), CMEND_OK);
	check_page(html, &w);
	assert_int_equal(w.scripts, 0);
	assert_int_equal(w.svgs, 2);
	assert_non_null(strstr(w.text, "What the phone says"));
	assert_non_null(strstr(w.text, "Symptoms"));
	assert_non_null(strstr(w.text, "Work-around"));
	assert_non_null(strstr(w.text, "<script>alert(1)</script>"));
	cmi_page_free(p);
	cmi_arena_dispose(&s.arena);
}

/* Of a chain with everything in it that is drawn. */
static void the_page_of_endpoints_is_well_formed(void **state)
{
	static struct watcher w;
	struct cmi_page_options o = {.command = "check"};
	static char subject[] = "CN=<leaf> & more", by[] = "CN=\"issuer\"";
	static char signature[] = "x";
	struct cmi_cert leaf = {.subject = subject,
		.issuer = by,
		.key_type = "EC",
		.key_bits = 256,
		.signature = signature,
		.not_after_s = 1000 * 86400};
	struct cmi_cert issuer = leaf, root = leaf, other = leaf;
	struct cmi_item_cert sent[] = {{.cert = &leaf}, {.cert = &other},
		{.der = {(const uint8_t *)"\1\2\3", 3}}};
	struct cmi_path path = {.n = 3};
	struct cmi_item_profile profiles[] = {
		{.profile = "<phone>", .why = CMI_F_EXPIRED_ROOT},
		{.profile = "b", .title = "<B>", .accepts = true, .until_s = 9},
		{.profile = "c", .unknown = true}};
	struct cmi_finding finding = {.id = CMI_F_MISSING_INTERMEDIATE,
		.severity = CMI_SEVERITY_ERROR};
	struct cmi_item_endpoint e = {.verdict = CMI_F_MISSING_INTERMEDIATE,
		.sent = sent,
		.n_sent = 3,
		.path = &path,
		.path_has_anchor = true,
		.profiles = profiles,
		.n_profiles = 3,
		.findings = &finding,
		.n_findings = 1,
		.at_us = (int64_t)990 * 86400 * 1000000,
		.until_s = 1000 * 86400};
	struct cmi_page *p = NULL;
	struct cmi_bytes html;
	struct scene s;

	(void)state;
	scene_init(&s);
	memset(issuer.sha256, 1, sizeof(issuer.sha256));
	memset(root.sha256, 2, sizeof(root.sha256));
	memset(other.sha256, 3, sizeof(other.sha256));
	path.certs[0] = &leaf;
	path.certs[1] = &issuer;
	path.certs[2] = &root;
	path.origins[1] = CMI_FROM_AIA;
	path.origins[2] = CMI_FROM_ANCHOR;
	finding.says = e.target = e.until_subject = s.name;
	assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
	give(p, CMI_ITEM_ENDPOINT, &e);
	e.path_has_anchor = false;
	give(p, CMI_ITEM_ENDPOINT, &e);
	e = (struct cmi_item_endpoint){.target = "t", .trouble = s.name};
	give(p, CMI_ITEM_ENDPOINT, &e);
	assert_int_equal(cmi_page_finish(p, &html, NULL), CMEND_OK);
	check_page(html, &w);
	assert_int_equal(w.scripts, 0);
	assert_int_equal(w.svgs, 4);
	assert_non_null(strstr(w.text,
		"2 of 3 servers are refused by some client; 1 could not"));
	assert_non_null(strstr(w.text, "fetched from the CA"));
	assert_non_null(strstr(w.text, "a malformed certificate"));
	assert_non_null(strstr(w.text, "the path ends here"));
	assert_non_null(strstr(w.text, "ends 1972-09-27, in 10 days"));
	assert_non_null(strstr(w.text, "<script>alert(1)</script>"));
	cmi_page_free(p);
	cmi_arena_dispose(&s.arena);
}

static void the_overview_is_well_formed_too(void **state)
{
	static struct watcher w;
	struct cmi_page_options o = {.command = "explain"};
	struct cmi_item_summary summary = {
		.packets = 9, .handshakes = 2, .failed = 1, .seconds = -1};
	struct cmi_item_profile profile = {
		.profile = "<phone>", .why = CMI_F_EXPIRED_ROOT};
	struct cmi_item_endpoint e = {.verdict = CMI_F_EXPIRED_ROOT,
		.profiles = &profile,
		.n_profiles = 1};
	struct cmi_page *p = NULL;
	struct cmi_bytes html;
	struct scene s;

	(void)state;
	scene_init(&s);
	e.target = s.name;
	assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
	give(p, CMI_ITEM_HANDSHAKE, &s.h);
	give(p, CMI_ITEM_ENDPOINT, &e);
	give(p, CMI_ITEM_SUMMARY, &summary);
	assert_int_equal(cmi_page_finish(p, &html, NULL), CMEND_OK);
	check_page(html, &w);
	assert_int_equal(w.scripts, 0);
	assert_non_null(strstr(w.text, "1 of 2 TLS handshakes failed"));
	cmi_page_free(p);
	cmi_arena_dispose(&s.arena);
}

static size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Of a thousand that are alike a few are drawn, and all are counted. */
static void many_alike_are_told_once(void **state)
{
	static struct watcher w;
	struct cmi_page_options o = {.command = "explain"};
	struct cmi_item_summary summary = {.packets = 9,
		.handshakes = 1003,
		.failed = 1001,
		.seconds = -1};
	struct cmi_page *p = NULL;
	struct cmi_bytes html;
	struct scene s;
	const char *text;

	(void)state;
	scene_init(&s);
	assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
	for (int i = 0; i < 1000; i++)
		give(p, CMI_ITEM_HANDSHAKE, &s.h);
	s.h.sni = NULL;
	give(p, CMI_ITEM_HANDSHAKE, &s.h);
	s.h.verdict = CMI_F_NONE;
	s.h.outcome = CMI_COMPLETED;
	for (int i = 0; i < 2; i++)
		give(p, CMI_ITEM_HANDSHAKE, &s.h);
	give(p, CMI_ITEM_SUMMARY, &summary);
	assert_int_equal(cmi_page_finish(p, &html, NULL), CMEND_OK);
	check_page(html, &w);
	text = strndup((const char *)html.p, html.n);
	assert_non_null(text);
	assert_int_equal(count_of(text, "<section id=\"h"), 5 + 1 + 2);
	assert_int_equal(count_of(text, "<td class=\"num\">1000</td>"), 1);
	assert_int_equal(count_of(text, "<td class=\"num\">2</td>"), 1);
	/* The first of each kind; each anchor once. */
	assert_int_equal(count_of(text, "href=\"#h1\""), 1);
	assert_int_equal(count_of(text, "href=\"#h6\""), 1);
	assert_int_equal(count_of(text, "href=\"#h7\""), 1);
	assert_int_equal(count_of(text, "id=\"h7\""), 1);
	assert_non_null(strstr(w.text, "995 more are not drawn"));
	free((char *)text);
	cmi_page_free(p);
	cmi_arena_dispose(&s.arena);
}

static void give_some(struct cmi_page *p, struct scene *s, int first, int to)
{
	const struct cmi_told_seen seen = {.frame = 7};
	const struct cmi_conversation from = {
		.kind = CMI_CONV_TOLD, .told = &seen};

	for (int i = first; i < to; i++) {
		s->h.sni = i % 3 ? "a.example" : NULL;
		s->h.outcome = i % 2 ? CMI_FAILED : CMI_COMPLETED;
		give(p, CMI_ITEM_HANDSHAKE, &s->h);
		give(p, CMI_ITEM_TOLD,
			&(struct cmi_item_told){.c = &from,
				.step = "ticket",
				.result = i % 2 ? "failed" : "warning",
				.says = "<note>"});
	}
}

/* A new page of so many handshakes; what is kept of it lies in head and, as
 * long as the page is there, in sections. */
static struct cmi_page *page_kept(struct scene *s, int n, struct cmi_buf *head,
	struct cmi_bytes *sections)
{
	const struct cmi_page_options o = {.command = "explain"};
	struct cmi_page *p = NULL;

	assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
	give_some(p, s, 0, n);
	cmi_page_loss(p, "<one>");
	cmi_page_save(p, head, sections);
	return p;
}

/* A page that is kept half-way and gone on with elsewhere is the same page. */
static void a_page_goes_on_elsewhere(void **state)
{
	struct cmi_page_options o = {.command = "explain"};
	struct cmi_item_summary summary = {.handshakes = 60, .seconds = -1};
	struct cmi_page *p = NULL, *q = NULL;
	struct cmi_bytes html, html_q, sections;
	struct cmi_buf head;
	struct cmi_cursor c;
	struct scene s;

	(void)state;
	scene_init(&s);
	cmi_buf_init(&head, 1 << 20);
	p = page_kept(&s, 20, &head, &sections);
	assert_int_equal(cmi_page_new(&o, &q, NULL), CMEND_OK);
	c = cmi_cursor_of(cmi_buf_view(&head));
	assert_int_equal(cmi_page_load(q, &c, sections, NULL), CMEND_OK);
	assert_int_equal(c.n, 0);
	give_some(p, &s, 20, 60);
	give_some(q, &s, 20, 60);
	give(p, CMI_ITEM_SUMMARY, &summary);
	give(q, CMI_ITEM_SUMMARY, &summary);
	assert_int_equal(cmi_page_finish(p, &html, NULL), CMEND_OK);
	assert_int_equal(cmi_page_finish(q, &html_q, NULL), CMEND_OK);
	assert_int_equal(html.n, html_q.n);
	assert_memory_equal(html.p, html_q.p, html.n);
	assert_non_null(memmem(html.p, html.n, "&lt;one&gt;", 11));
	cmi_page_free(p);
	cmi_page_free(q);
	cmi_buf_dispose(&head);
	cmi_arena_dispose(&s.arena);
}

/* Whoever kept it may have been out of his mind. */
static void what_was_kept_may_be_anything(void **state)
{
	struct cmi_page_options o = {.command = "explain"};
	struct cmi_page *kept = NULL, *p = NULL;
	struct cmi_bytes sections, html;
	struct cmi_buf head;
	struct cmi_cursor c;
	struct scene s;

	(void)state;
	scene_init(&s);
	cmi_buf_init(&head, 1 << 20);
	kept = page_kept(&s, 9, &head, &sections);
	for (size_t i = 0; i < head.n; i++) {
		assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
		c = cmi_cursor_of((struct cmi_bytes){head.p, i});
		assert_int_equal(
			cmi_page_load(p, &c, sections, NULL), CMEND_PARSE);
		cmi_page_free(p);
		assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
		head.p[i] ^= 0xff;
		c = cmi_cursor_of(cmi_buf_view(&head));
		if (cmi_page_load(p, &c, sections, NULL) == CMEND_OK)
			assert_int_equal(
				cmi_page_finish(p, &html, NULL), CMEND_OK);
		head.p[i] ^= 0xff;
		cmi_page_free(p);
	}
	cmi_page_free(kept);
	cmi_buf_dispose(&head);
	cmi_arena_dispose(&s.arena);
}

/* More kinds than the table has rows: counted all the same. */
static void more_kinds_than_rows(void **state)
{
	static struct watcher w;
	struct cmi_page_options o = {.command = "explain"};
	struct cmi_page *p = NULL;
	struct cmi_bytes html;
	struct scene s;
	char name[32];

	(void)state;
	scene_init(&s);
	assert_int_equal(cmi_page_new(&o, &p, NULL), CMEND_OK);
	for (int i = 0; i < 310; i++) {
		snprintf(name, sizeof(name), "host%d.example", i);
		s.h.sni = name;
		give(p, CMI_ITEM_HANDSHAKE, &s.h);
	}
	assert_int_equal(cmi_page_finish(p, &html, NULL), CMEND_OK);
	check_page(html, &w);
	assert_non_null(strstr(w.text, "10 more have other names"));
	cmi_page_free(p);
	cmi_arena_dispose(&s.arena);
}

/* A place for reports: 100 bytes at first, then a thousand. */
struct place {
	uint8_t room[1000];
	size_t has, used;
	unsigned asked;
};

static uint8_t *place_room(void *ctx, size_t *n)
{
	struct place *p = ctx;

	p->asked++;
	*n = p->has;
	return p->has ? p->room : NULL;
}

static void place_used(void *ctx, size_t n)
{
	struct place *p = ctx;

	p->used = n;
}

static void an_item_goes_where_there_is_room(void **state)
{
	static struct place place;
	struct cmi_item_summary summary = {.packets = 9, .seconds = -1};
	struct cmi_item item = {.kind = CMI_ITEM_SUMMARY, .summary = &summary};
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct cmi_report r;
	struct cmi_item_sink sink;

	(void)state;
	assert_non_null(out);
	cmi_report_init(&r, out, true);
	r.place = (struct cmi_report_place){place_room, place_used, &place};
	sink = cmi_report_sink(&r);
	for (place.has = 0; place.has <= sizeof(place.room); place.has += 10) {
		size_t before = (size_t)ftell(out);

		place.used = 0;
		memset(place.room, 0xee, sizeof(place.room));
		assert_int_equal(sink.take(sink.ctx, &item, NULL), CMEND_OK);
		assert_int_equal(fflush(out), 0);
		/* Once, whole, and nothing behind the room. */
		assert_true((n > before) != (place.used > 0));
		if (place.used) {
			assert_int_equal(place.room[place.used - 1], '\n');
			assert_memory_equal(place.room, text, place.used);
		}
		for (size_t i = place.has; i < sizeof(place.room); i++)
			assert_int_equal(place.room[i], 0xee);
	}
	assert_true(place.used > 0);
	cmi_report_dispose(&r);
	fclose(out);
	free(text);
}

static void a_full_disk_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct cmi_report r;
	struct cmi_item_sink sink;
	cmend_error err = {0};
	cmend_status status;
	struct scene s;

	(void)state;
	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	scene_init(&s);
	cmi_report_init(&r, full, true);
	sink = cmi_report_sink(&r);
	status = sink.take(sink.ctx, &s.item, &err);
	assert_int_equal(status, CMEND_IO);
	assert_non_null(strstr(err.message, "cannot write"));
	cmi_report_dispose(&r);
	fclose(full);
	cmi_arena_dispose(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_safe_for_a_terminal),
		cmocka_unit_test(color_only_when_asked),
		cmocka_unit_test(json_is_one_clean_line),
		cmocka_unit_test(what_is_kept_is_written_the_same),
		cmocka_unit_test(the_article_is_well_formed_whatever_comes),
		cmocka_unit_test(the_page_of_endpoints_is_well_formed),
		cmocka_unit_test(the_overview_is_well_formed_too),
		cmocka_unit_test(many_alike_are_told_once),
		cmocka_unit_test(a_page_goes_on_elsewhere),
		cmocka_unit_test(what_was_kept_may_be_anything),
		cmocka_unit_test(more_kinds_than_rows),
		cmocka_unit_test(an_item_goes_where_there_is_room),
		cmocka_unit_test(a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
