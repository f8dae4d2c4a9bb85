/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "core/mem.h"
#include "issuers/address.h"

#define PUBLIC  CMI_ADDRESS_PUBLIC
#define PRIVATE CMI_ADDRESS_PRIVATE
#define NEVER   CMI_ADDRESS_NEVER

/* After the IANA special-purpose registries: first and last of each block,
 * and the neighbours outside of it. */
static const struct {
	const char *text;
	enum cmi_address_kind kind;
} rows[] = {
	{"0.0.0.0", NEVER},
	{"0.255.255.255", NEVER},
	{"1.0.0.0", PUBLIC},
	{"9.255.255.255", PUBLIC},
	{"10.0.0.0", PRIVATE},
	{"10.255.255.255", PRIVATE},
	{"11.0.0.0", PUBLIC},
	{"100.63.255.255", PUBLIC},
	{"100.64.0.0", PRIVATE},
	{"100.127.255.255", PRIVATE},
	{"100.128.0.0", PUBLIC},
	{"126.255.255.255", PUBLIC},
	{"127.0.0.1", PRIVATE},
	{"127.255.255.255", PRIVATE},
	{"128.0.0.0", PUBLIC},
	{"169.253.255.255", PUBLIC},
	{"169.254.169.254", PRIVATE}, /* cloud metadata */
	{"169.255.0.0", PUBLIC},
	{"172.15.255.255", PUBLIC},
	{"172.16.0.0", PRIVATE},
	{"172.31.255.255", PRIVATE},
	{"172.32.0.0", PUBLIC},
	{"192.0.0.1", PRIVATE},
	{"192.0.1.0", PUBLIC},
	{"192.0.2.1", PRIVATE},
	{"192.168.0.0", PRIVATE},
	{"192.168.255.255", PRIVATE},
	{"192.169.0.0", PUBLIC},
	{"198.18.0.0", PRIVATE},
	{"198.19.255.255", PRIVATE},
	{"198.20.0.0", PUBLIC},
	{"198.51.100.7", PRIVATE},
	{"203.0.113.7", PRIVATE},
	{"223.255.255.255", PUBLIC},
	{"224.0.0.1", NEVER},
	{"239.255.255.255", NEVER},
	{"240.0.0.1", PRIVATE},
	{"255.255.255.255", NEVER},
	{"::", NEVER},
	{"::1", PRIVATE},
	{"::8.8.8.8", NEVER},
	{"::ffff:8.8.8.8", PRIVATE},
	{"::ffff:127.0.0.1", PRIVATE},
	{"::ffff:0.0.0.0", NEVER},
	{"64:ff9b::8.8.8.8", PUBLIC},
	{"64:ff9b::10.0.0.1", PRIVATE},
	{"64:ff9b::127.0.0.1", PRIVATE},
	{"64:ff9b::224.0.0.1", NEVER},
	{"64:ff9b::1:8.8.8.8", PRIVATE}, /* not the prefix */
	{"64:ff9b:1::8.8.8.8", PRIVATE},
	{"100::1", PRIVATE},
	{"2001::1", PRIVATE},
	{"2001:2::1", PRIVATE}, /* benchmarking: RFC 5180 */
	{"2001:10::1", PRIVATE},
	{"2001:20::1", PRIVATE},
	{"2001:30::1", PRIVATE}, /* RFC 9374 */
	{"2001:1ff:ffff::1", PRIVATE},
	{"2001:200::1", PUBLIC},
	{"2001:db8::1", PRIVATE},
	{"2001:db9::1", PUBLIC},
	{"2002:0808:0808::1", PUBLIC},
	{"2002:0a00:0001::1", PRIVATE},
	{"2002:7f00:0001::1", PRIVATE},
	{"2606:4700::1111", PUBLIC},
	{"3fff::1", PRIVATE},
	{"4000::1", PRIVATE},
	{"fc00::1", PRIVATE},
	{"fdff::1", PRIVATE},
	{"fe80::1", PRIVATE},
	{"fec0::1", PRIVATE},
	{"ff02::1", NEVER},
};

static socklen_t parse(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
		memcpy(out, &in4, sizeof(in4));
		return sizeof(in4);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

static void every_block_and_its_neighbours(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct sockaddr_storage a;
		socklen_t n = parse(rows[i].text, &a);

		if (cmi_address_kind((struct sockaddr *)&a, n) != rows[i].kind)
			fail_msg("%s is judged wrongly", rows[i].text);
	}
}

static void no_ip_address_is_never_allowed(void **state)
{
	struct sockaddr_storage a = {.ss_family = AF_UNIX};

	(void)state;
	assert_int_equal(
		cmi_address_kind((struct sockaddr *)&a, sizeof(a)), NEVER);
	a.ss_family = AF_INET6;
	assert_int_equal(cmi_address_kind((struct sockaddr *)&a, 4), NEVER);
}

static void hosts_compare_without_their_ports(void **state)
{
	struct sockaddr_storage a, b, c, d;

	(void)state;
	parse("10.0.0.1", &a);
	parse("10.0.0.2", &b);
	parse("::ffff:10.0.0.1", &c);
	parse("fd00::1", &d);
	((struct sockaddr_in *)&a)->sin_port = htons(80);
#define SAME(x, y)                                                             \
	cmi_address_same_host((struct sockaddr *)&(x), (struct sockaddr *)&(y))
	assert_false(SAME(a, b));
	assert_true(SAME(a, c));
	assert_false(SAME(a, d));
	assert_true(SAME(d, d));
#undef SAME
}

/* As a URL has them, to be looked up by somebody else. */
static void hosts_that_others_look_up(void **state)
{
	static const struct {
		const char *host;
		enum cmi_address_kind kind;
	} hosts[] = {
		{"ca.example", PUBLIC},
		{"ca.example.", PUBLIC},
		{"8.8.8.8", PUBLIC},
		{"[2606:4700::1]", PUBLIC},
		{"localhost.example", PUBLIC},
		{"10.ca.example", PUBLIC},
		{"127.0.0.1", PRIVATE},
		{"127.1", PRIVATE},
		{"0x7f.1", PRIVATE},
		{"017700000001", PRIVATE},
		{"2130706433", PRIVATE},
		{"10.0.0.1", PRIVATE},
		{"[::1]", PRIVATE},
		{"[fd00::1]", PRIVATE},
		{"[::ffff:8.8.8.8]", PRIVATE},
		{"0.0.0.0", NEVER},
		{"224.0.0.1", NEVER},
		{"localhost", PRIVATE},
		{"LocalHost.", PRIVATE},
		{"a.localhost", PRIVATE},
		{"printer.local", PRIVATE},
		{"PRINTER.LOCAL.", PRIVATE},
		{"wiki", PRIVATE},
		{"db.internal", PRIVATE},
		{"nas.home.arpa", PRIVATE},
		/* Numbers with the root's dot: no name, and to some resolvers
		 * an address. */
		{"127.0.0.1.", PRIVATE},
		{"0x7f.1.", PRIVATE},
		{"10.0.0.256", PRIVATE},
		{"web.0x7f", PRIVATE},
		{"1.web7.example", PUBLIC},
		{".", PRIVATE},
		{"", PRIVATE},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(hosts); i++) {
		print_message("  %s\n", hosts[i].host);
		assert_int_equal(
			cmi_address_kind_of_host(hosts[i].host), hosts[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_block_and_its_neighbours),
		cmocka_unit_test(no_ip_address_is_never_allowed),
		cmocka_unit_test(hosts_compare_without_their_ports),
		cmocka_unit_test(hosts_that_others_look_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
