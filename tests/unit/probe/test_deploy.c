/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "probe/deploy.h"

/* What servers say of themselves, from their own documentation. */
static const struct {
	const char *says, *name; /* NULL: tells nothing */
} rows[] = {
	{"nginx/1.22.1", "nginx"},
	{"nginx", "nginx"},
	{"Apache/2.4.57 (Debian)", "apache"},
	{"Apache-Coyote/1.1", "tomcat"},
	{"Microsoft-IIS/10.0", "iis"},
	{"lighttpd/1.4.69", "lighttpd"},
	{"Caddy", "caddy"},
	{"220 mx.example ESMTP Postfix (Debian/GNU)", "postfix"},
	{"220 mx.example ESMTP Exim 4.96 Sun, 29 Nov 2026", "exim"},
	{"* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.", "dovecot"},
	{"Apache", NULL}, /* of which Tomcat's is one, too */
	{"cloudflare", NULL},
	{"ngin", NULL},
	{"", NULL},
};

static void test_announcements(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const struct cmi_deploy *d =
			cmi_deploy_by_announcement(rows[i].says);

		print_message("  %s\n", rows[i].says);
		if (!rows[i].name) {
			assert_null(d);
			continue;
		}
		assert_non_null(d);
		assert_string_equal(d->name, rows[i].name);
	}
}

static void test_every_row_is_whole(void **state)
{
	(void)state;
	for (const struct cmi_deploy *d = cmi_deploys; d->name; d++) {
		assert_non_null(d->title);
		assert_non_null(strstr(d->lines, "%c"));
		assert_ptr_equal(cmi_deploy_by_name(d->name), d);
	}
	assert_null(cmi_deploy_by_name("no-such"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_announcements),
		cmocka_unit_test(test_every_row_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
