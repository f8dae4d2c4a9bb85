/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fleet/url.h"

static void good_urls(void **state)
{
	static const struct {
		const char *url, *host, *port, *user, *password, *path;
		unsigned db;
		bool tls;
	} rows[] = {
		{"redis://h", "h", "6379", NULL, NULL, NULL, 0, false},
		{"redis://h:1/3", "h", "1", NULL, NULL, NULL, 3, false},
		{"rediss://h/", "h", "6379", NULL, NULL, NULL, 0, true},
		{"redis://:p%40ss@h", "h", "6379", NULL, "p@ss", NULL, 0,
			false},
		{"redis://u:p@q@h:7", "h", "7", "u", "p@q", NULL, 0, false},
		{"redis://secret@h", "h", "6379", NULL, "secret", NULL, 0,
			false},
		{"redis://[::1]:8/1", "::1", "8", NULL, NULL, NULL, 1, false},
		{"redis://[::1]", "::1", "6379", NULL, NULL, NULL, 0, false},
		{"unix:///run/r.sock", NULL, NULL, NULL, NULL, "/run/r.sock", 0,
			false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_redis_url u;

#define SAME(field)                                                            \
	if (rows[i].field)                                                     \
		assert_string_equal(u.field, rows[i].field);                   \
	else                                                                   \
		assert_null(u.field)
		assert_int_equal(
			cmi_redis_url_parse(rows[i].url, &u, NULL), CMEND_OK);
		SAME(host);
		SAME(port);
		SAME(user);
		SAME(password);
		SAME(path);
#undef SAME
		assert_int_equal(u.db, rows[i].db);
		assert_int_equal(u.tls, rows[i].tls);
		cmi_redis_url_dispose(&u);
	}
}

static void refused_urls_never_show_their_password(void **state)
{
	static const char *const rows[] = {"", "h", "http://h", "redis://",
		"redis://:hunter2@", "redis://:hunter2@h:0",
		"redis://:hunter2@h:65536", "redis://:hunter2@h:x",
		"redis://:hunter2@h/x", "redis://:hunter2%4@h",
		"redis://:hunter2%zz@h", "redis://:hunter2@[::1",
		"redis://:hunter2@[::1]x", " redis://:hunter2@h",
		"unix://relative:hunter2"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_redis_url u;
		cmend_error err = {0};

		assert_int_equal(
			cmi_redis_url_parse(rows[i], &u, &err), CMEND_ARG);
		assert_null(strstr(err.message, "hunter2"));
		assert_non_null(strstr(err.message, "redis URL with"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_urls),
		cmocka_unit_test(refused_urls_never_show_their_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
