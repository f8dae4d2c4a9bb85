/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name constraints of every kind against names of every kind (RFC 5280
 * section 4.2.1.10), along NIST's PKITS section 4.13, and what many of them
 * cost.
 */
#include "forge_conf.h"

#include "chain/verdict.h"
#include "core/buf.h"

#define CA_IS              "nameConstraints=critical,"
#define SAN                "subjectAltName="
#define DIR(section, name) "[" section "]\nCN=" name "\n"

struct row {
	const char *name;
	const char *ca;   /* its extensions; NULL: none */
	const char *sub;  /* a second CA's; NULL: no second CA */
	const char *cn;   /* the leaf's; NULL: "leaf" */
	const char *leaf; /* its extensions */
	bool refused;
};

static struct forged *make(const char *name, const struct forged *issuer,
	bool is_ca, const char *conf)
{
	return forge(&(struct forge_order){.name = name,
		.issuer = issuer,
		.ca = is_ca,
		.more = conf ? forge_conf : NULL,
		.more_ctx = conf});
}

static struct cmi_verdict judge(const struct row *row)
{
	struct cmi_verdict_request request = {
		.at_s = FORGE_NOW, .security_level = -1};
	struct forged *ca = make("CA", root, true, row->ca);
	struct forged *sub = row->sub ? make("Sub", ca, true, row->sub) : NULL;
	struct forged *leaf = make(
		row->cn ? row->cn : "leaf", sub ? sub : ca, false, row->leaf);
	struct cmi_path path = {.certs = {leaf->c, sub ? sub->c : ca->c,
					sub ? ca->c : root->c, root->c},
		.n = sub ? 4 : 3};
	struct cmi_verdict v;

	assert_int_equal(cmi_verdict_path(&path, &request, &v, NULL), CMEND_OK);
	return v;
}

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t mark = forge_n_made;
		struct cmi_verdict v = judge(&rows[i]);

		if (v.accepted == rows[i].refused ||
			(rows[i].refused && v.why != CMI_F_NAME_CONSTRAINT))
			fail_msg("%s: %s: %s", rows[i].name,
				v.accepted ? "accepted"
					   : cmi_finding_name(v.why),
				v.says);
		forge_free_to(mark);
	}
}

/* 4.13.1 to 4.13.20 */
static void directory_names(void **state)
{
	static const struct row rows[] = {
		{"the subject itself",
			CA_IS "permitted;dirName:d\n" DIR("d", "web"), NULL,
			"web", NULL},
		{"another case and more blanks",
			CA_IS "permitted;dirName:d\n" DIR("d", "My  Web"), NULL,
			"my web", NULL},
		{"another subject",
			CA_IS "permitted;dirName:d\n" DIR("d", "web"), NULL,
			"mail", NULL, true},
		{"excluded", CA_IS "excluded;dirName:d\n" DIR("d", "web"), NULL,
			"web", NULL, true},
		{"another is excluded",
			CA_IS "excluded;dirName:d\n" DIR("d", "web"), NULL,
			"mail", NULL},
		{"permitted and excluded",
			CA_IS "permitted;dirName:d,excluded;dirName:d\n" DIR(
				"d", "web"),
			NULL, "web", NULL, true},
		{"one of two",
			CA_IS "permitted;dirName:d,permitted;dirName:e\n" DIR(
				"d", "mail") DIR("e", "web"),
			NULL, "web", NULL},
		{"one more name outside",
			CA_IS "permitted;dirName:d\n" DIR("d", "web"), NULL,
			"web", SAN "dirName:n\n" DIR("n", "mail"), true},
		{"one more name inside",
			CA_IS "permitted;dirName:d\n" DIR("d", "web"), NULL,
			"web", SAN "dirName:n\n" DIR("n", "web")},
		{"the CA below is outside",
			CA_IS "permitted;dirName:d\n" DIR("d", "web"), "",
			"web", NULL, true},
		{"the CA below widens in vain",
			CA_IS "permitted;dirName:d,permitted;dirName:s\n" DIR(
				"d", "web") DIR("s", "Sub"),
			CA_IS "permitted;dirName:e\n" DIR("e", "mail"), "mail",
			NULL, true},
		{"the CA below narrows",
			CA_IS "excluded;dirName:d\n" DIR("d", "web"),
			CA_IS "excluded;dirName:e\n" DIR("e", "mail"), "mail",
			NULL, true},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* 4.13.21 to 4.13.26 */
static void mail_names(void **state)
{
	static const struct row rows[] = {
		{"below a domain", CA_IS "permitted;email:.a.example\n", NULL,
			NULL, SAN "email:x@b.a.example\n"},
		{"the domain itself is not below",
			CA_IS "permitted;email:.a.example\n", NULL, NULL,
			SAN "email:x@a.example\n", true},
		{"a host", CA_IS "permitted;email:a.example\n", NULL, NULL,
			SAN "email:x@a.example\n"},
		{"below a host", CA_IS "permitted;email:a.example\n", NULL,
			NULL, SAN "email:x@b.a.example\n", true},
		{"a mailbox", CA_IS "permitted;email:x@a.example\n", NULL, NULL,
			SAN "email:x@a.example\n"},
		{"another mailbox", CA_IS "permitted;email:x@a.example\n", NULL,
			NULL, SAN "email:y@a.example\n", true},
		{"the host in another case",
			CA_IS "permitted;email:a.example\n", NULL, NULL,
			SAN "email:x@A.Example\n"},
		{"an excluded host", CA_IS "excluded;email:a.example\n", NULL,
			NULL, SAN "email:x@a.example\n", true},
		{"below an excluded host", CA_IS "excluded;email:a.example\n",
			NULL, NULL, SAN "email:x@b.a.example\n"},
		{"an excluded mailbox", CA_IS "excluded;email:x@a.example\n",
			NULL, NULL, SAN "email:x@a.example\n", true},
		{"no mail, no matter", CA_IS "permitted;email:a.example\n",
			NULL, NULL, SAN "DNS:b.example\n"},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* 4.13.30 to 4.13.38 */
static void host_names(void **state)
{
	static const struct row rows[] = {
		{"the name itself", CA_IS "permitted;DNS:a.example\n", NULL,
			NULL, SAN "DNS:a.example\n"},
		{"below it", CA_IS "permitted;DNS:a.example\n", NULL, NULL,
			SAN "DNS:b.a.example\n"},
		{"in another case", CA_IS "permitted;DNS:a.example\n", NULL,
			NULL, SAN "DNS:B.A.Example\n"},
		{"no label of it", CA_IS "permitted;DNS:a.example\n", NULL,
			NULL, SAN "DNS:ba.example\n", true},
		{"excluded", CA_IS "excluded;DNS:a.example\n", NULL, NULL,
			SAN "DNS:b.a.example\n", true},
		{"ends alike and is not excluded",
			CA_IS "excluded;DNS:a.example\n", NULL, NULL,
			SAN "DNS:ba.example\n"},
		{"one of several outside", CA_IS "permitted;DNS:a.example\n",
			NULL, NULL, SAN "DNS:a.example,DNS:b.example\n", true},
		{"a CN is none", CA_IS "permitted;DNS:a.example\n", NULL,
			"b.example", NULL},
		{"a URI's host", CA_IS "permitted;URI:a.example\n", NULL, NULL,
			SAN "URI:http://a.example/x\n"},
		{"a URI below a host", CA_IS "permitted;URI:a.example\n", NULL,
			NULL, SAN "URI:http://b.a.example/x\n", true},
		{"a URI below a domain", CA_IS "permitted;URI:.a.example\n",
			NULL, NULL, SAN "URI:http://b.a.example/x\n"},
		{"a URI with port and user", CA_IS "permitted;URI:a.example\n",
			NULL, NULL, SAN "URI:http://a.example:81/x\n"},
		{"an excluded URI", CA_IS "excluded;URI:.a.example\n", NULL,
			NULL, SAN "URI:http://b.a.example/x\n", true},
		{"a URI without a host", CA_IS "permitted;URI:a.example\n",
			NULL, NULL, SAN "URI:urn:a.example\n", true},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

static void addresses_and_others(void **state)
{
	static const struct row rows[] = {
		{"inside", CA_IS "permitted;IP:192.0.2.0/255.255.255.0\n", NULL,
			NULL, SAN "IP:192.0.2.9\n"},
		{"outside", CA_IS "permitted;IP:192.0.2.0/255.255.255.0\n",
			NULL, NULL, SAN "IP:192.0.3.9\n", true},
		{"excluded", CA_IS "excluded;IP:192.0.2.0/255.255.255.0\n",
			NULL, NULL, SAN "IP:192.0.2.9\n", true},
		{"of the other family",
			CA_IS "permitted;IP:192.0.2.0/255.255.255.0\n", NULL,
			NULL, SAN "IP:2001:db8::1\n", true},
		{"everything excluded", CA_IS "excluded;IP:0.0.0.0/0.0.0.0\n",
			NULL, NULL, SAN "IP:192.0.2.9\n", true},
		{"version 6", CA_IS "permitted;IP:2001:db8::/ffff:ffff::\n",
			NULL, NULL, SAN "IP:2001:db8::1\n"},
		{"version 6 outside",
			CA_IS "permitted;IP:2001:db8::/ffff:ffff::\n", NULL,
			NULL, SAN "IP:2001:db9::1\n", true},
		{"a constraint of a kind not known, on such a name",
			CA_IS "permitted;otherName:1.2.3.4;UTF8:x\n", NULL,
			NULL, SAN "otherName:1.2.3.4;UTF8:x\n", true},
		{"and on no such name",
			CA_IS "permitted;otherName:1.2.3.4;UTF8:x\n", NULL,
			NULL, SAN "DNS:a.example\n"},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* A CA may be permitted much, and a leaf may have many names; their product
 * has a ceiling of its own, whatever kind they are of. */
static void too_many_names(void **state)
{
	static const struct {
		const char *name, *constraint, *alt;
		size_t n;
		enum cmi_finding_id why;
	} rows[] = {
		{"some hosts", "%spermitted;DNS:h%zu.example",
			"%sDNS:h%zu.example", 400, CMI_F_NONE},
		{"too many hosts", "%spermitted;DNS:h%zu.example",
			"%sDNS:h%zu.example", 900, CMI_F_SEARCH_NAMES},
		{"too many addresses", "%sexcluded;email:h%zu.example",
			"%semail:x@g%zu.example", 900, CMI_F_SEARCH_NAMES},
		{"too many URIs", "%sexcluded;URI:h%zu.example",
			"%sURI:http://g%zu.example/", 900, CMI_F_SEARCH_NAMES},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t mark = forge_n_made;
		char *ca = many(CA_IS, rows[i].constraint, rows[i].n);
		char *leaf = many(SAN, rows[i].alt, rows[i].n);
		struct cmi_verdict v = judge(
			&(struct row){rows[i].name, .ca = ca, .leaf = leaf});

		if (v.why != rows[i].why)
			fail_msg("%s: %s: %s", rows[i].name,
				cmi_finding_name(v.why), v.says);
		test_free(ca);
		test_free(leaf);
		forge_free_to(mark);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directory_names),
		cmocka_unit_test(mail_names),
		cmocka_unit_test(host_names),
		cmocka_unit_test(addresses_and_others),
		cmocka_unit_test(too_many_names),
	};

	return cmocka_run_group_tests(tests, make_root, forge_teardown);
}
