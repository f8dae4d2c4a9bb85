/* SPDX-License-Identifier: Apache-2.0 */
/* watch -f: the list of targets, what counts as a change, and what outlives
 * the process. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/monitor_addresses.h"
#include "cli/monitor_change.h"
#include "cli/monitor_events.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

static const char *const profiles[] = {"plain", "firefox"};

static cmend_status parse(
	const char *text, struct cmi_watch_list *out, cmend_error *err)
{
	return cmi_watch_list_parse(cmi_bytes_of(text), "targets", profiles,
		CMI_LEN(profiles), out, err);
}

/* ------------------------------------------------------------------ the list
 */

static const struct {
	const char *name, *text;
	size_t n;
	const char *first; /* the first target's name */
	const char *says;  /* part of the refusal; NULL: accepted */
} lists[] = {
	{"one", "example.org", 1, "example.org:443", NULL},
	{"two lines", "a.example\nb.example:8443\n", 2, "a.example:443", NULL},
	{"line ends of Windows", "a.example\r\nb.example\r\n", 2,
		"a.example:443", NULL},
	{"comments and blanks", "# x\n\n \t\n a.example # why\n", 1,
		"a.example:443", NULL},
	{"twice is once", "a.example\nA.example:443\n", 1, "a.example:443",
		NULL},
	{"STARTTLS has its port", "m.example starttls=smtp", 1, "m.example:25",
		NULL},
	{"STARTTLS with a port", "m.example:587\tstarttls=smtp", 1,
		"m.example:587", NULL},
	{"two names at one address",
		"192.0.2.1 sni=a.example\n192.0.2.1 sni=b.example", 2,
		"192.0.2.1:443/a.example", NULL},
	{"IPv6", "[2001:db8::1]:8443", 1, "[2001:db8::1]:8443", NULL},
	{"nothing", "", 0, NULL, "no target"},
	{"only comments", "# a\n#b\n", 0, NULL, "no target"},
	{"bad name", "a.example\na;b\n", 0, NULL, "line 2"},
	{"bad port", "a.example:0", 0, NULL, "line 1"},
	{"unknown word", "a.example color=red", 0, NULL, "starttls=PROTOCOL"},
	{"unknown protocol", "a.example starttls=gopher", 0, NULL, "smtp"},
	{"no protocol", "a.example starttls=", 0, NULL, "smtp"},
	{"bad SNI", "a.example sni=a b", 0, NULL, "\"b\""},
	{"bad SNI name", "a.example sni=-x.example", 0, NULL, "line 1"},
	{"escape", "a.example \x1b[31m", 0, NULL, "\\x1b"},
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(lists); i++) {
		struct cmi_watch_list l;
		cmend_error err = {0};
		cmend_status status = parse(lists[i].text, &l, &err);

		print_message("%s\n", lists[i].name);
		if (lists[i].says) {
			assert_int_equal(status, CMEND_PARSE);
			assert_non_null(strstr(err.message, lists[i].says));
			continue;
		}
		assert_int_equal(status, CMEND_OK);
		assert_int_equal(l.n, lists[i].n);
		assert_string_equal(l.targets[0]->name, lists[i].first);
		assert_ptr_equal(
			cmi_watch_list_find(&l, lists[i].first), l.targets[0]);
		cmi_watch_list_dispose(&l);
	}
}

static void test_too_many(void **state)
{
	struct cmi_buf text;
	struct cmi_watch_list l;
	cmend_error err = {0};

	(void)state;
	cmi_buf_init(&text, (size_t)1 << 20);
	for (size_t i = 0; i <= CMI_MONITOR_TARGETS_MAX; i++)
		cmi_buf_printf(&text, "h%zu.example\n", i);
	assert_int_not_equal(parse(cmi_buf_cstr(&text), &l, &err), CMEND_OK);
	assert_non_null(strstr(err.message, "too many"));
	cmi_buf_dispose(&text);
}

static const struct {
	const char *text;
	int64_t s; /* 0: refused */
} times[] = {{"90", 90}, {"90s", 90}, {"30m", 1800}, {"6h", 21600},
	{"1d", 86400}, {"366d", 31622400}, {"", 0}, {"0", 0}, {"0h", 0},
	{"h", 0}, {"-1h", 0}, {"1.5h", 0}, {"1w", 0}, {"6 h", 0}, {"367d", 0},
	{"99999999999999999999s", 0}};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(times); i++) {
		int64_t s = 0;

		print_message("%s\n", times[i].text);
		assert_int_equal(
			cmi_monitor_every(times[i].text, &s), times[i].s != 0);
		assert_int_equal(s, times[i].s);
	}
}

static void test_reasons_have_one_name_each(void **state)
{
	(void)state;
	for (unsigned r = 0; r < CMI_REASON_COUNT; r++)
		assert_int_equal(cmi_reason_by_name(cmi_reason_name(r)), r);
	assert_int_equal(cmi_reason_by_name("nonsense"), CMI_REASON_COUNT);
}

/* ------------------------------------------------------------------- changes
 */

/* One look as a test tells it: two clients, a chain. */
static const struct cmi_look base = {
	.up = true, .had_chain = true, .chain = {1}, .at_s = 1000};

static const struct {
	const char *name;
	bool up;
	unsigned verdict, plain, firefox;
	uint8_t chain;
	bool soon;
	bool changes; /* against the row before */
} looks[] = {
	{"the first", true, CMI_F_NONE, 0, 0, 1, false, true},
	{"the same", true, CMI_F_NONE, 0, 0, 1, false, false},
	{"another chain", true, CMI_F_NONE, 0, 0, 2, false, true},
	{"and again the same", true, CMI_F_NONE, 0, 0, 2, false, false},
	{"one client refuses", true, CMI_F_NONE, 0, CMI_F_UNTRUSTED_ROOT, 2,
		false, true},
	{"for another reason", true, CMI_F_NONE, 0, CMI_F_EXPIRED_ROOT, 2,
		false, true},
	{"not reached", false, 0, 0, 0, 0, false, true},
	{"still not", false, 0, 0, 0, 0, false, false},
	{"back as it was", true, CMI_F_NONE, 0, CMI_F_EXPIRED_ROOT, 2, false,
		true},
	{"and so it stays", true, CMI_F_NONE, 0, CMI_F_EXPIRED_ROOT, 2, false,
		false},
	{"ends soon", true, CMI_F_NONE, 0, CMI_F_EXPIRED_ROOT, 2, true, true},
	{"all refuse", true, CMI_F_EXPIRED_LEAF, CMI_F_EXPIRED_LEAF,
		CMI_F_EXPIRED_LEAF, 2, false, true},
};

static struct cmi_look look_of(size_t row, struct cmi_seen_opinion opinions[2])
{
	struct cmi_look l = base;

	l.up = looks[row].up;
	l.had_chain = l.up;
	l.verdict = looks[row].verdict;
	l.chain[0] = looks[row].chain;
	l.soon = looks[row].soon;
	opinions[0] = (struct cmi_seen_opinion){
		.profile = "plain", .reason = looks[row].plain};
	opinions[1] = (struct cmi_seen_opinion){
		.profile = "firefox", .reason = looks[row].firefox};
	l.opinions = opinions;
	l.n_opinions = l.up ? 2 : 0;
	return l;
}

static void test_changes(void **state)
{
	struct cmi_watch_list l;

	(void)state;
	assert_int_equal(parse("a.example", &l, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(looks); i++) {
		struct cmi_seen_opinion opinions[2];
		struct cmi_look look = look_of(i, opinions);
		struct cmi_buf event;

		print_message("%s\n", looks[i].name);
		cmi_buf_init(&event, 65536);
		cmi_change_event(l.targets[0], &look, i + 1, &event);
		assert_int_equal(event.n > 0, looks[i].changes);
		cmi_change_apply(l.targets[0], &look);
		cmi_buf_dispose(&event);
	}
	/* What was true once stays known, so that its series does not end. */
	assert_true(cmi_reasons_has(
		&l.targets[0]->opinions[1].past, CMI_F_UNTRUSTED_ROOT));
	assert_true(cmi_reasons_has(
		&l.targets[0]->opinions[0].past, CMI_REASON_UNREACHABLE));
	cmi_watch_list_dispose(&l);
}

/* --------------------------------------------------------------------- state
 */

struct place {
	char dir[64], db[96], events[96];
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->dir, sizeof(p->dir), "/tmp/chainmend-monitor-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->db, sizeof(p->db), "%s/new/state.db", p->dir);
	snprintf(p->events, sizeof(p->events), "%s/events", p->dir);
	*state = p;
	return 0;
}

static int remove_place(void **state)
{
	static const char *const names[] = {"new/state.db", "new/state.db-wal",
		"new/state.db.damaged", "new", "events"};
	struct place *p = *state;
	char path[200];

	for (size_t i = 0; i < CMI_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		(void)remove(path);
	}
	rmdir(p->dir);
	free(p);
	return 0;
}

static struct cmi_monitor_state *open_state(
	const struct place *p, bool expect_damage)
{
	struct cmi_monitor_state *s = NULL;
	char warned[400];
	cmend_error err = {0};

	if (cmi_monitor_state_open(p->db, &s, warned, sizeof(warned), &err) !=
		CMEND_OK)
		fail_msg("%s", err.message);
	assert_int_equal(warned[0] != 0, expect_damage);
	return s;
}

static struct cmi_monitor_events open_events(
	const struct place *p, struct cmi_monitor_state *s)
{
	struct cmi_monitor_events e = {.path = p->events, .fd = -1};
	cmend_error err = {0};

	if (cmi_monitor_events_open(&e, s, &err) != CMEND_OK)
		fail_msg("%s", err.message);
	return e;
}

/* A line as monitor_change writes them. */
static void save_event(struct cmi_monitor_state *s, struct cmi_watched *w)
{
	char line[100];

	snprintf(line, sizeof(line),
		"{\"v\":1,\"kind\":\"change\",\"number\":%llu,\"x\":0}\n",
		(unsigned long long)cmi_monitor_state_next(s));
	assert_int_equal(cmi_monitor_state_save(s, w, cmi_bytes_of(line), NULL),
		CMEND_OK);
}

static void assert_events(const struct place *p, unsigned n)
{
	FILE *f = fopen(p->events, "r");
	char line[200], want[60];
	unsigned at = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		snprintf(want, sizeof(want), "\"number\":%u,", ++at);
		assert_non_null(strstr(line, want));
		assert_int_equal(line[strlen(line) - 1], '\n');
	}
	fclose(f);
	assert_int_equal(at, n);
}

static void test_state_comes_back(void **state)
{
	const struct place *p = *state;
	struct cmi_watch_list l, again;
	struct cmi_monitor_state *s = open_state(p, false);
	struct cmi_seen_opinion opinions[2];
	struct cmi_look look = look_of(4, opinions);
	struct stat st;

	assert_int_equal(parse("a.example", &l, NULL), CMEND_OK);
	look.leaf_end_s = 7000;
	cmi_reasons_add(&look.findings, CMI_F_WRONG_ORDER);
	opinions[0].until_s = 5000;
	cmi_change_apply(l.targets[0], &look);
	save_event(s, l.targets[0]);
	cmi_monitor_state_close(s);

	s = open_state(p, false);
	assert_int_equal(stat(p->db, &st), 0);
	assert_int_equal(cmi_monitor_state_next(s), 2);
	assert_int_equal(cmi_monitor_state_waiting(s), 1);
	assert_int_equal(parse("a.example\nb.example", &again, NULL), CMEND_OK);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			cmi_monitor_state_load(s, again.targets[i], NULL),
			CMEND_OK);
	assert_true(again.targets[0]->seen && again.targets[0]->up);
	assert_int_equal(again.targets[0]->leaf_end_s, 7000);
	assert_int_equal(again.targets[0]->chain[0], 2);
	assert_true(cmi_reasons_has(
		&again.targets[0]->findings, CMI_F_WRONG_ORDER));
	assert_int_equal(again.targets[0]->opinions[0].until_s, 5000);
	assert_int_equal(
		again.targets[0]->opinions[1].reason, CMI_F_UNTRUSTED_ROOT);
	assert_true(cmi_reasons_has(
		&again.targets[0]->opinions[1].past, CMI_F_UNTRUSTED_ROOT));
	assert_false(again.targets[1]->seen);
	cmi_monitor_state_close(s);
	cmi_watch_list_dispose(&l);
	cmi_watch_list_dispose(&again);
}

/* As after a kill: both opened anew, and what was not out goes out. */
static void start_again(const struct place *p, struct cmi_monitor_state **s,
	struct cmi_monitor_events *e)
{
	cmi_monitor_events_close(e);
	cmi_monitor_state_close(*s);
	*s = open_state(p, false);
	*e = open_events(p, *s);
	assert_int_equal(cmi_monitor_events_flush(e, *s, NULL), CMEND_OK);
}

/* Killed at any of these places, and started again: each event once. */
static void test_each_event_once(void **state)
{
	const struct place *p = *state;
	struct cmi_watch_list l;
	struct cmi_monitor_state *s = open_state(p, false);
	struct cmi_monitor_events e = open_events(p, s);

	assert_int_equal(parse("a.example", &l, NULL), CMEND_OK);
	save_event(s, l.targets[0]);
	save_event(s, l.targets[0]);
	assert_int_equal(cmi_monitor_events_flush(&e, s, NULL), CMEND_OK);
	assert_events(p, 2);
	/* Saved, and killed before it was told. */
	save_event(s, l.targets[0]);
	start_again(p, &s, &e);
	assert_events(p, 3);
	/* Told, and killed before the state knew: as if nothing was told. */
	save_event(s, l.targets[0]);
	assert_int_equal(
		cmi_fd_write(e.fd,
			CMI_BYTES("{\"v\":1,\"kind\":\"change\",\"number\":4,"
				  "\"x\":0}\n"),
			NULL),
		CMEND_OK);
	start_again(p, &s, &e);
	assert_events(p, 4);
	/* Killed in the middle of a line. */
	save_event(s, l.targets[0]);
	assert_int_equal(
		cmi_fd_write(e.fd, CMI_BYTES("{\"v\":1,\"kind\":\"chan"), NULL),
		CMEND_OK);
	start_again(p, &s, &e);
	assert_events(p, 5);
	assert_int_equal(cmi_monitor_state_waiting(s), 0);
	assert_int_equal(cmi_monitor_state_next(s), 6);
	cmi_monitor_events_close(&e);
	cmi_monitor_state_close(s);
	cmi_watch_list_dispose(&l);
}

/* -------------------------------------------------------- several addresses
 */

#define DOWN CMI_REASON_UNREACHABLE
#define LOST CMI_F_MISSING_INTERMEDIATE

/* The looks at two addresses, as reasons of "plain"; and what they come to. */
static const struct {
	const char *name;
	unsigned one, two;
	int64_t until_one_s, until_two_s;
	bool up;
	unsigned plain;
	int64_t until_s;
} sums[] = {
	{"both good", 0, 0, 500, 400, true, 0, 400},
	{"one has no end", 0, 0, 500, 0, true, 0, 500},
	{"the second refused", 0, LOST, 500, 0, true, LOST, 0},
	{"the first refused", LOST, 0, 0, 500, true, LOST, 0},
	{"the first reason counts", LOST, CMI_F_EXPIRED_LEAF, 0, 0, true, LOST,
		0},
	{"not known", 0, CMI_REASON_UNKNOWN, 500, 0, true, CMI_REASON_UNKNOWN,
		0},
	{"refused weighs more", CMI_REASON_UNKNOWN, LOST, 0, 0, true, LOST, 0},
	{"whatever comes first", LOST, CMI_REASON_UNKNOWN, 0, 0, true, LOST, 0},
	{"one away", 0, DOWN, 500, 0, true, 0, 500},
	{"the first away", DOWN, LOST, 0, 0, true, LOST, 0},
	{"both away", DOWN, DOWN, 0, 0, false, 0, 0},
};

static struct cmi_look *address_look(
	const char *address, unsigned reason, int64_t until_s)
{
	struct cmi_look *l = cmi_look_new("a.example:443");
	struct cmi_seen_opinion *o;

	assert_non_null(l);
	snprintf(l->address, sizeof(l->address), "%s", address);
	l->at_s = 1000;
	l->up = reason != DOWN;
	if (!l->up) {
		snprintf(l->trouble, sizeof(l->trouble), "refused");
		return l;
	}
	l->verdict = reason;
	l->had_chain = true;
	l->until_s = l->leaf_end_s = until_s;
	cmi_reasons_add(&l->findings, reason);
	o = cmi_arena_alloc(l->arena, sizeof(*o));
	assert_non_null(o);
	*o = (struct cmi_seen_opinion){
		.profile = "plain", .reason = reason, .until_s = until_s};
	l->opinions = o;
	l->n_opinions = 1;
	return l;
}

/* "2,3": looks at 192.0.2.2 and .3, none of which has a fault; "-" is away. */
static struct cmi_look *whole_look(const char *lasts)
{
	struct cmi_look *l = cmi_look_new("a.example:443");

	assert_non_null(l);
	l->all = true;
	l->at_s = 1000;
	l->addresses = cmi_arena_alloc(l->arena, 8 * sizeof(*l->addresses));
	assert_non_null(l->addresses);
	for (; *lasts; lasts++) {
		char address[CMI_ENDPOINT_TEXT];
		unsigned reason = lasts[1] == '-' ? DOWN : 0;

		snprintf(address, sizeof(address), "192.0.2.%c:443", *lasts);
		l->addresses[l->n_addresses++] =
			address_look(address, reason, reason ? 0 : 5000);
		lasts += reason != 0;
	}
	assert_int_equal(cmi_look_sum_up(l, NULL), CMEND_OK);
	return l;
}

static void test_addresses_are_summed_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(sums); i++) {
		struct cmi_look *l = whole_look("");

		print_message("%s\n", sums[i].name);
		l->addresses[l->n_addresses++] = address_look(
			"192.0.2.1:443", sums[i].one, sums[i].until_one_s);
		l->addresses[l->n_addresses++] = address_look(
			"192.0.2.2:443", sums[i].two, sums[i].until_two_s);
		assert_int_equal(cmi_look_sum_up(l, NULL), CMEND_OK);
		assert_int_equal(l->up, sums[i].up);
		if (l->up) {
			assert_int_equal(l->n_opinions, 1);
			assert_int_equal(l->opinions[0].reason, sums[i].plain);
			assert_int_equal(
				l->opinions[0].until_s, sums[i].until_s);
		} else {
			assert_string_equal(l->trouble, "refused");
		}
		cmi_look_free(l);
	}
}

/* What a name's addresses are from look to look, "" where it is not found; and
 * the events: of the name, of addresses. */
static const struct {
	const char *lasts;
	unsigned events;
	const char *says; /* in the first */
} stories[] = {
	{"23", 3, "\"came\":[\"192.0.2.2:443\",\"192.0.2.3:443\"],\"gone\":[]"},
	{"23", 0, NULL},
	{"32", 0, NULL},
	{"234", 2, "\"came\":[\"192.0.2.4:443\"],\"gone\":[]"},
	{"24", 1, "\"came\":[],\"gone\":[\"192.0.2.3:443\"]"},
	{"", 1, "\"reachable\":false"},
	{"", 0, NULL},
	{"24", 1, "\"reachable\":true,\"addresses\":[\"192.0.2.2:443\","},
	{"24-", 1, "\"address\":\"192.0.2.4:443\""},
	{"2-4-", 2, "\"reachable\":false,\"trouble\":\"refused\""},
	{"5", 2,
		"\"came\":[\"192.0.2.5:443\"],\"gone\":[\"192.0.2.2:443\","
		"\"192.0.2.4:443\"]"},
	{"3", 2, "\"came\":[\"192.0.2.3:443\"]"},
};

struct told {
	unsigned n;
	char first[1000];
};

static cmend_status note_event(
	void *ctx, uint64_t number, struct cmi_bytes event, cmend_error *err)
{
	struct told *t = ctx;

	(void)number, (void)err;
	if (!t->n++)
		cmi_safe_cstr(t->first, sizeof(t->first), event);
	return CMEND_OK;
}

/* Each time from the state alone, as after a kill. */
static void test_addresses_come_and_go(void **state)
{
	const struct place *p = *state;
	uint64_t number = 1;

	for (size_t i = 0; i < CMI_LEN(stories); i++) {
		struct cmi_monitor_state *s = open_state(p, false);
		struct cmi_look *look = whole_look(stories[i].lasts);
		struct cmi_watch_list l;
		struct told told = {0};

		print_message("%zu: %s\n", i, stories[i].lasts);
		assert_int_equal(parse("a.example", &l, NULL), CMEND_OK);
		assert_int_equal(cmi_monitor_state_load(s, l.targets[0], NULL),
			CMEND_OK);
		assert_int_equal(
			cmi_monitor_state_load_addresses(s, l.targets[0], NULL),
			CMEND_OK);
		assert_int_equal(
			cmi_addresses_take(l.targets[0], look, s, NULL),
			CMEND_OK);
		assert_int_equal(
			cmi_monitor_state_pending(s, note_event, &told, NULL),
			CMEND_OK);
		assert_int_equal(told.n, stories[i].events);
		if (stories[i].says && !strstr(told.first, stories[i].says))
			fail_msg("%s", told.first);
		number += told.n;
		assert_int_equal(cmi_monitor_state_next(s), number);
		assert_int_equal(
			cmi_monitor_state_told(s, number - 1, NULL), CMEND_OK);
		cmi_look_free(look);
		cmi_watch_list_dispose(&l);
		cmi_monitor_state_close(s);
	}
}

/* A name that another begins with has none of its addresses. */
static void test_addresses_are_of_one_name(void **state)
{
	const struct place *p = *state;
	struct cmi_monitor_state *s = open_state(p, false);
	struct cmi_look *look = whole_look("23");
	struct cmi_watch_list l, again;

	assert_int_equal(parse("a.example\na.example sni=b.example\n"
			       "a.example:4433",
				 &l, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_addresses_take(l.targets[0], look, s, NULL), CMEND_OK);
	assert_int_equal(parse("a.example sni=b.example\na.example:4433\n"
			       "a.example",
				 &again, NULL),
		CMEND_OK);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(cmi_monitor_state_load_addresses(
					 s, again.targets[i], NULL),
			CMEND_OK);
		assert_int_equal(again.targets[i]->n_addresses, i == 2 ? 2 : 0);
	}
	/* And a new list takes them over. */
	assert_int_equal(cmi_watch_list_inherit(&again, &l, NULL), CMEND_OK);
	assert_int_equal(again.targets[2]->n_addresses, 2);
	assert_true(cmi_watched_at(again.targets[2], "192.0.2.3:443")->seen);
	cmi_look_free(look);
	cmi_watch_list_dispose(&l);
	cmi_watch_list_dispose(&again);
	cmi_monitor_state_close(s);
}

static void test_damage_is_set_aside(void **state)
{
	const struct place *p = *state;
	struct cmi_monitor_state *s = open_state(p, false);
	char aside[120];
	int fd;

	cmi_monitor_state_close(s);
	fd = open(p->db, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "this is no database at all", 26), 26);
	close(fd);
	s = open_state(p, true);
	snprintf(aside, sizeof(aside), "%s.damaged", p->db);
	assert_int_equal(access(aside, F_OK), 0);
	cmi_monitor_state_close(s);
}

static void test_one_monitor_has_it(void **state)
{
	const struct place *p = *state;
	struct cmi_monitor_state *s = open_state(p, false), *other = NULL;
	char warned[400];
	cmend_error err = {0};

	assert_int_equal(cmi_monitor_state_open(
				 p->db, &other, warned, sizeof(warned), &err),
		CMEND_BUSY);
	assert_non_null(strstr(err.message, "another monitor"));
	cmi_monitor_state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_reasons_have_one_name_each),
		cmocka_unit_test(test_changes),
		cmocka_unit_test_setup_teardown(
			test_state_comes_back, make_place, remove_place),
		cmocka_unit_test_setup_teardown(
			test_each_event_once, make_place, remove_place),
		cmocka_unit_test(test_addresses_are_summed_up),
		cmocka_unit_test_setup_teardown(
			test_addresses_come_and_go, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_addresses_are_of_one_name,
			make_place, remove_place),
		cmocka_unit_test_setup_teardown(
			test_damage_is_set_aside, make_place, remove_place),
		cmocka_unit_test_setup_teardown(
			test_one_monitor_has_it, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
