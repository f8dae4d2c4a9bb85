/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificate policies as RFC 5280 section 6.1 processes them: what each input
 * and each extension does to a path, along NIST's PKITS sections 4.8 to 4.12,
 * which the groups name.
 */
#include "forge_conf.h"

#include "chain/verdict.h"

#define P1             "1.2.3.1"
#define P2             "1.2.3.2"
#define P3             "1.2.3.3"
#define ANY            "2.5.29.32.0"
#define HAS(p)         "certificatePolicies=" p "\n"
#define MAPS(from, to) "policyMappings=critical," from ":" to "\n"
#define LIMITS(how)    "policyConstraints=critical," how "\n"
#define NO_ANY(n)      "inhibitAnyPolicy=critical," n "\n"

/* A certificate of the path: its extensions; NULL ends the path. */
struct step {
	const char *conf;
	bool self_issued; /* a new key for the CA above */
};

struct row {
	const char *name;
	struct step cas[4]; /* the anchor's first child first */
	const char *leaf;
	const char *wanted[3]; /* none: any */
	bool explicit_policy, inhibit_mapping, inhibit_any;
	bool refused;
};

/* Leaf first; returns how many. */
static size_t make_path(const struct row *row, struct cmi_path *path)
{
	static const char *const names[] = {"CA 0", "CA 1", "CA 2", "CA 3"};
	const struct forged *made[6] = {root};
	const char *name = "Root";
	size_t n = 1;

	for (; n <= CMI_LEN(row->cas) && row->cas[n - 1].conf; n++) {
		const struct step *s = &row->cas[n - 1];

		name = s->self_issued ? name : names[n - 1];
		made[n] = forge(&(struct forge_order){.name = name,
			.issuer = made[n - 1],
			.ca = true,
			.more = *s->conf ? forge_conf : NULL,
			.more_ctx = s->conf});
	}
	made[n] = forge(&(struct forge_order){.name = "leaf",
		.issuer = made[n - 1],
		.dns = "web.example",
		.more = *row->leaf ? forge_conf : NULL,
		.more_ctx = row->leaf});
	for (size_t i = 0; i <= n; i++)
		path->certs[i] = made[n - i]->c;
	path->n = n + 1;
	return path->n;
}

static void check_row(const struct row *row)
{
	struct cmi_policy_inputs in = {
		.oids = row->wanted,
		.explicit_policy = row->explicit_policy,
		.inhibit_mapping = row->inhibit_mapping,
		.inhibit_any = row->inhibit_any,
	};
	struct cmi_verdict_request request = {
		.at_s = FORGE_NOW, .security_level = -1, .policies = &in};
	size_t mark = forge_n_made;
	struct cmi_path path = {0};
	struct cmi_verdict v;

	while (row->wanted[in.n_oids])
		in.n_oids++;
	make_path(row, &path);
	assert_int_equal(cmi_verdict_path(&path, &request, &v, NULL), CMEND_OK);
	if (v.accepted == row->refused ||
		(row->refused && v.why != CMI_F_POLICY))
		fail_msg("%s: %s: %s", row->name,
			v.accepted ? "accepted" : cmi_finding_name(v.why),
			v.says);
	forge_free_to(mark);
}

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i]);
}

/* 4.8 */
static void sets(void **state)
{
	static const struct row rows[] = {
		{"one throughout", {{HAS(P1)}, {HAS(P1)}}, HAS(P1),
			.explicit_policy = true},
		{"and wanted", {{HAS(P1)}, {HAS(P1)}}, HAS(P1), {P1},
			.explicit_policy = true},
		{"another wanted", {{HAS(P1)}, {HAS(P1)}}, HAS(P1), {P2},
			.explicit_policy = true, .refused = true},
		{"another wanted, none needed", {{HAS(P1)}, {HAS(P1)}}, HAS(P1),
			{P2}},
		{"two wanted", {{HAS(P1)}, {HAS(P1)}}, HAS(P1), {P1, P2},
			.explicit_policy = true},
		{"none at all, none needed", {{""}, {""}}, ""},
		{"none at all", {{""}, {""}}, "", .explicit_policy = true,
			.refused = true},
		{"none in the middle", {{HAS(P1)}, {""}}, HAS(P1),
			.explicit_policy = true, .refused = true},
		{"different ones", {{HAS(P1)}, {HAS(P1)}}, HAS(P2),
			.explicit_policy = true, .refused = true},
		{"different ones, none needed", {{HAS(P1)}, {HAS(P1)}},
			HAS(P2)},
		{"one in common", {{HAS(P1 "," P2)}, {HAS(P1)}}, HAS(P1 "," P3),
			{P1}, .explicit_policy = true},
		{"nothing in common from the second CA",
			{{HAS(P1 "," P2)}, {HAS(P3)}}, HAS(P1),
			.explicit_policy = true, .refused = true},
		{"any throughout", {{HAS(ANY)}, {HAS(ANY)}}, HAS(ANY), {P1},
			.explicit_policy = true},
		{"any above one", {{HAS(ANY)}, {HAS(ANY)}}, HAS(P1), {P1},
			.explicit_policy = true},
		{"any above another", {{HAS(ANY)}, {HAS(ANY)}}, HAS(P1), {P2},
			.explicit_policy = true, .refused = true},
		{"one above any", {{HAS(P1)}, {HAS(P1)}}, HAS(ANY), {P1},
			.explicit_policy = true},
		{"one above any, another wanted", {{HAS(P1)}, {HAS(P1)}},
			HAS(ANY), {P2}, .explicit_policy = true,
			.refused = true},
		{"any, where that counts for nothing", {{HAS(P1)}, {HAS(ANY)}},
			HAS(P1), .explicit_policy = true, .inhibit_any = true,
			.refused = true},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* 4.9.  libcrypto 3.0 leaks a policyConstraints that stands alone, so each
 * certificate that has one names a policy. */
static void require_explicit(void **state)
{
	static const struct row rows[] = {
		{"at once", {{HAS(P1) LIMITS("requireExplicitPolicy:0")}}, "",
			.refused = true},
		{"at once, and there is one",
			{{HAS(P1) LIMITS("requireExplicitPolicy:0")}}, HAS(P1)},
		{"further down than the path goes",
			{{HAS(P1) LIMITS("requireExplicitPolicy:5")}, {""}},
			""},
		{"one CA further down",
			{{HAS(P1) LIMITS("requireExplicitPolicy:1")}, {""},
				{""}},
			"", .refused = true},
		{"a CA below asks for more",
			{{HAS(P1) LIMITS("requireExplicitPolicy:5")},
				{HAS(P1) LIMITS("requireExplicitPolicy:0")}},
			"", .refused = true},
		{"a CA below cannot take it back",
			{{HAS(P1) LIMITS("requireExplicitPolicy:0")},
				{HAS(P1) LIMITS("requireExplicitPolicy:5")}},
			"", .refused = true},
		{"a self-issued one does not count",
			{{HAS(P1) LIMITS("requireExplicitPolicy:2")},
				{"", true}},
			""},
		{"the leaf asks", {{""}},
			HAS(P1) LIMITS("requireExplicitPolicy:0"),
			.refused = true},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* 4.10 and 4.11 */
static void mappings(void **state)
{
	static const struct row rows[] = {
		{"mapped", {{HAS(P1) MAPS(P1, P2)}}, HAS(P2), {P1},
			.explicit_policy = true},
		{"the name below is not that above", {{HAS(P1) MAPS(P1, P2)}},
			HAS(P2), {P2}, .explicit_policy = true,
			.refused = true},
		{"what was mapped away", {{HAS(P1) MAPS(P1, P2)}}, HAS(P1),
			{P1}, .explicit_policy = true, .refused = true},
		{"mappings inhibited", {{HAS(P1) MAPS(P1, P2)}}, HAS(P2), {P1},
			.explicit_policy = true, .inhibit_mapping = true,
			.refused = true},
		{"twice", {{HAS(P1) MAPS(P1, P2)}, {HAS(P2) MAPS(P2, P3)}},
			HAS(P3), {P1}, .explicit_policy = true},
		{"one of two", {{HAS(P1 "," P2) MAPS(P1, P3)}}, HAS(P2), {P2},
			.explicit_policy = true},
		{"out of any", {{HAS(ANY) MAPS(P1, P2)}}, HAS(P2), {P1},
			.explicit_policy = true},
		{"from any policy", {{HAS(P1) MAPS(ANY, P1)}}, HAS(P1),
			.refused = true},
		{"to any policy", {{HAS(P1) MAPS(P1, ANY)}}, HAS(P1),
			.refused = true},
		{"inhibited by the CA above",
			{{HAS(P1) LIMITS("inhibitPolicyMapping:0")},
				{HAS(P1) MAPS(P1, P2)}},
			HAS(P2), .explicit_policy = true, .refused = true},
		{"inhibited one further down",
			{{HAS(P1) LIMITS("inhibitPolicyMapping:1")},
				{HAS(P1) MAPS(P1, P2)}},
			HAS(P2), .explicit_policy = true},
		{"inhibited one further down, mapped two",
			{{HAS(P1) LIMITS("inhibitPolicyMapping:1")},
				{HAS(P1) MAPS(P1, P2)}, {HAS(P2) MAPS(P2, P3)}},
			HAS(P3), .explicit_policy = true, .refused = true},
		{"a self-issued one does not count",
			{{HAS(P1) LIMITS("inhibitPolicyMapping:1")},
				{HAS(P1), true}, {HAS(P1) MAPS(P1, P2)}},
			HAS(P2), .explicit_policy = true},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* 4.12 */
static void inhibit_any(void **state)
{
	static const struct row rows[] = {
		{"at once", {{HAS(P1) NO_ANY("0")}, {HAS(ANY)}}, HAS(P1),
			.explicit_policy = true, .refused = true},
		{"at once, and not used", {{HAS(P1) NO_ANY("0")}, {HAS(P1)}},
			HAS(P1), .explicit_policy = true},
		{"in the leaf", {{HAS(P1) NO_ANY("0")}}, HAS(ANY),
			.explicit_policy = true, .refused = true},
		{"one further down", {{HAS(P1) NO_ANY("1")}, {HAS(ANY)}},
			HAS(P1), .explicit_policy = true},
		{"one further down, used two",
			{{HAS(P1) NO_ANY("1")}, {HAS(ANY)}, {HAS(ANY)}},
			HAS(P1), .explicit_policy = true, .refused = true},
		{"a CA below asks for more",
			{{HAS(P1) NO_ANY("5")}, {HAS(P1) NO_ANY("0")},
				{HAS(ANY)}},
			HAS(P1), .explicit_policy = true, .refused = true},
		{"a self-issued one may",
			{{HAS(P1) NO_ANY("0")}, {HAS(ANY), true}}, HAS(P1),
			.explicit_policy = true},
		{"and does not count",
			{{HAS(P1) NO_ANY("1")}, {HAS(ANY), true}, {HAS(ANY)}},
			HAS(P1), .explicit_policy = true},
		{"but not as the leaf's CA's child",
			{{HAS(P1) NO_ANY("0")}, {HAS(ANY), true}}, HAS(ANY),
			.explicit_policy = true, .refused = true},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets),
		cmocka_unit_test(require_explicit),
		cmocka_unit_test(mappings),
		cmocka_unit_test(inhibit_any),
	};

	return cmocka_run_group_tests(tests, make_root, forge_teardown);
}
