/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault matrix: every way in which an AIA answer can be wrong, at the
 * leaf's issuer or one step further up, with a good second URL or without.
 */
#include "forge.h"

#include "issuers/complete.h"
#include "issuers/fetch.h"
#include "web.h"
#include <zlib.h>

#include "x509/bundle.h"
#include "x509/tlv.h"

enum content {
	NOTHING,
	RIGHT,     /* the issuer, in DER */
	RIGHT_PEM, /* in PEM, with text around */
	RIGHT_CMS, /* in certs-only CMS, among others */
	RIGHT_BER, /* the same with indefinite lengths */
	TRUNCATED, /* DER that ends early */
	TRAILING,  /* DER with junk behind it */
	STRANGER,  /* another CA */
	WRONG_KEY, /* the issuer's name, another key */
	EXPIRED,   /* the issuer's name and key, long ago */
	CHILD,     /* the certificate whose issuer is wanted */
	ANCHOR,    /* the root, which is not the issuer */
	UNTRUSTED, /* the issuer's name and key, signed by itself */
	BOMB,      /* a megabyte of nothing, packed with gzip */
	PAGE,      /* a web page */
	MANY,      /* more certificates than are taken */
	N_CONTENTS
};

struct fault {
	const char *name; /* also the path, behind /0- or /1- */
	enum web_how how;
	const char *head;
	enum content content;
	const char *url;         /* in place of the server's */
	enum cmi_finding_id why; /* CMI_F_NONE: no fault at all */
};

#define TO(where) "HTTP/1.1 302 Go\r\nLocation: " where "\r\n"
#define OK        "HTTP/1.1 200 OK\r\n"

static const struct fault faults[] = {
	{"der", WEB_ANSWER, NULL, RIGHT, NULL, CMI_F_NONE},
	{"der-as-html", WEB_ANSWER, OK "Content-Type: text/html\r\n", RIGHT,
		NULL, CMI_F_NONE},
	{"pem", WEB_ANSWER, OK "Content-Type: application/pkix-cert\r\n",
		RIGHT_PEM, NULL, CMI_F_NONE},
	{"cms", WEB_ANSWER, OK "Content-Type: text/plain\r\n", RIGHT_CMS, NULL,
		CMI_F_NONE},
	{"cms-ber", WEB_ANSWER, OK "Content-Type: application/pkcs7-mime\r\n",
		RIGHT_BER, NULL, CMI_F_NONE},
	/* What is behind the certificate is of no use and does no harm. */
	{"trailing", WEB_ANSWER, NULL, TRAILING, NULL, CMI_F_NONE},
	{"redirect", WEB_ANSWER, TO("der"), NOTHING, NULL, CMI_F_NONE},
	{"404", WEB_ANSWER, "HTTP/1.1 404 No\r\n", RIGHT, NULL, CMI_F_AIA_DEAD},
	{"500", WEB_ANSWER, "HTTP/1.1 500 No\r\n", RIGHT, NULL, CMI_F_AIA_DEAD},
	{"close", WEB_CLOSE, NULL, NOTHING, NULL, CMI_F_AIA_DEAD},
	{"hang", WEB_HANG, NULL, NOTHING, NULL, CMI_F_AIA_DEAD},
	{"drip", WEB_DRIP, NULL, NOTHING, NULL, CMI_F_AIA_REFUSED},
	{"endless", WEB_ENDLESS, NULL, NOTHING, NULL, CMI_F_AIA_REFUSED},
	{"headers", WEB_ENDLESS_HEAD, NULL, NOTHING, NULL, CMI_F_AIA_REFUSED},
	{"empty", WEB_ANSWER, NULL, NOTHING, NULL, CMI_F_AIA_WRONG_CONTENT},
	{"page", WEB_ANSWER, NULL, PAGE, NULL, CMI_F_AIA_WRONG_CONTENT},
	{"gzip", WEB_ANSWER, OK "Content-Encoding: gzip\r\n", RIGHT, NULL,
		CMI_F_AIA_WRONG_CONTENT},
	{"gzip-bomb", WEB_ANSWER, OK "Content-Encoding: gzip\r\n", BOMB, NULL,
		CMI_F_AIA_WRONG_CONTENT},
	{"short", WEB_SHORT, NULL, RIGHT, NULL, CMI_F_AIA_DEAD},
	{"to-nowhere", WEB_ANSWER, "HTTP/1.1 302 Go\r\n", NOTHING, NULL,
		CMI_F_AIA_DEAD},
	{"untrusted", WEB_ANSWER, NULL, UNTRUSTED, NULL, CMI_F_UNTRUSTED_ROOT},
	{"truncated", WEB_ANSWER, NULL, TRUNCATED, NULL,
		CMI_F_AIA_WRONG_CONTENT},
	{"stranger", WEB_ANSWER, NULL, STRANGER, NULL, CMI_F_AIA_WRONG_CONTENT},
	{"child", WEB_ANSWER, NULL, CHILD, NULL, CMI_F_AIA_WRONG_CONTENT},
	{"anchor", WEB_ANSWER, NULL, ANCHOR, NULL, CMI_F_AIA_WRONG_CONTENT},
	{"wrong-key", WEB_ANSWER, NULL, WRONG_KEY, NULL, CMI_F_BAD_SIGNATURE},
	{"expired", WEB_ANSWER, NULL, EXPIRED, NULL,
		CMI_F_EXPIRED_INTERMEDIATE},
	{"many", WEB_ANSWER, NULL, MANY, NULL, CMI_F_AIA_REFUSED},
	{"loop", WEB_ANSWER, TO("loop"), NOTHING, NULL, CMI_F_AIA_REFUSED},
	{"to-https", WEB_ANSWER, TO("https://127.0.0.1/"), NOTHING, NULL,
		CMI_F_AIA_NOT_HTTP},
	{"to-file", WEB_ANSWER, TO("file:///etc/passwd"), NOTHING, NULL,
		CMI_F_AIA_REFUSED},
	{"to-metadata", WEB_ANSWER, TO("http://169.254.169.254/"), NOTHING,
		NULL, CMI_F_AIA_REFUSED},
	{"to-private", WEB_ANSWER, TO("http://10.0.0.1/"), NOTHING, NULL,
		CMI_F_AIA_REFUSED},
	{"to-mapped", WEB_ANSWER, TO("http://[::ffff:10.0.0.1]/"), NOTHING,
		NULL, CMI_F_AIA_REFUSED},
	{"ldap", WEB_ANSWER, NULL, RIGHT, "ldap:///CN=CA", CMI_F_AIA_NOT_HTTP},
	{"https", WEB_ANSWER, NULL, RIGHT, "https://127.0.0.1/",
		CMI_F_AIA_NOT_HTTP},
	{"user", WEB_ANSWER, NULL, RIGHT, "http://u:p@127.0.0.1/",
		CMI_F_AIA_REFUSED},
	{"private", WEB_ANSWER, NULL, RIGHT, "http://192.168.0.1/",
		CMI_F_AIA_REFUSED},
	{"smtp", WEB_ANSWER, NULL, RIGHT, "http://127.0.0.1:25/",
		CMI_F_AIA_REFUSED},
};

/* root > CA 1 > CA 2 > leaf.  Hop 0 asks for CA 2, hop 1 for CA 1. */
static struct forged *root, *ca1, *ca2, *stranger;
static struct cmi_bytes contents[2][N_CONTENTS];
static struct cmi_buf made[2][5]; /* PEM, CMS, MANY, TRAILING, BER */
static struct web *web;
static struct web_route *variant; /* CA 2 with the AIA of this case */
static struct cmi_trust *trust;
static char paths[2][CMI_LEN(faults)][32];

static struct forged *ca(const char *name, const struct forged *issuer,
	const struct forged *same_key, const char *aia)
{
	return forge(&(struct forge_order){.name = name,
		.issuer = issuer,
		.same_key = same_key,
		.ca = true,
		.aia = aia});
}

static void write_bundle(struct cmi_buf *b, enum cmi_bundle_form form,
	struct cmi_cert **certs, size_t n)
{
	cmi_buf_init(b, 1 << 20);
	if (form == CMI_FORM_PEM)
		cmi_buf_text(b, "Here it is:\r\n");
	assert_int_equal(
		cmi_bundle_write(certs, n, form, false, b, NULL), CMEND_OK);
}

/* ContentInfo with both its lengths left open (X.690 section 8.1.3.6). */
static void write_ber(struct cmi_buf *out, struct cmi_bytes der)
{
	struct cmi_cursor in = cmi_cursor_of(der);
	struct cmi_tlv outer, oid, content;

	assert_true(cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &outer));
	in = cmi_cursor_of(outer.content);
	assert_true(cmi_tlv_expect(&in, CMI_TAG_OID, &oid));
	assert_true(cmi_tlv_expect(&in, CMI_TAG_CONTEXT_0, &content));
	cmi_buf_init(out, 1 << 20);
	cmi_buf_add(out, "\x30\x80", 2);
	cmi_buf_add_bytes(out, oid.whole);
	cmi_buf_add(out, "\xa0\x80", 2);
	cmi_buf_add_bytes(out, content.content);
	cmi_buf_add(out, "\0\0\0\0", 4);
}

/* 1 MiB of zeroes, as gzip -9 packs them. */
static const uint8_t *bomb(size_t *n)
{
	static uint8_t packed[4096];
	static uint8_t zeroes[1 << 20];
	z_stream z = {.next_in = zeroes,
		.avail_in = sizeof(zeroes),
		.next_out = packed,
		.avail_out = sizeof(packed)};

	assert_int_equal(
		deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
		Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*n = z.total_out;
	deflateEnd(&z);
	return packed;
}

static void make_contents(
	int hop, struct forged *right, const struct forged *issuer)
{
	struct cmi_bytes *c = contents[hop];
	struct forged *old =
		forge(&(struct forge_order){.name = right->c->common_name,
			.issuer = issuer,
			.same_key = right,
			.ca = true,
			.from_s = FORGE_NOW - 50 * FORGE_DAY,
			.until_s = FORGE_NOW - 40 * FORGE_DAY});
	struct cmi_cert *three[] = {stranger->c, right->c, root->c};
	struct cmi_cert *many[CMI_AIA_CERTS_MAX + 1];

	write_bundle(&made[hop][0], CMI_FORM_PEM, &right->c, 1);
	write_bundle(&made[hop][1], CMI_FORM_CMS, three, 3);
	for (size_t i = 0; i < CMI_LEN(many); i++)
		many[i] = ca("Many", root, stranger, NULL)->c;
	many[3] = right->c;
	write_bundle(&made[hop][2], CMI_FORM_PEM, many, CMI_LEN(many));
	c[NOTHING] = (struct cmi_bytes){0};
	c[RIGHT] = right->c->der;
	c[RIGHT_PEM] = cmi_buf_view(&made[hop][0]);
	c[RIGHT_CMS] = cmi_buf_view(&made[hop][1]);
	c[TRUNCATED] = (struct cmi_bytes){right->c->der.p, right->c->der.n - 7};
	c[STRANGER] = stranger->c->der;
	c[WRONG_KEY] = ca(right->c->common_name, root, NULL, NULL)->c->der;
	c[EXPIRED] = old->c->der;
	c[ANCHOR] = root->c->der;
	cmi_buf_init(&made[hop][3], 1 << 20);
	cmi_buf_add_bytes(&made[hop][3], right->c->der);
	cmi_buf_text(&made[hop][3], "junk");
	c[TRAILING] = cmi_buf_view(&made[hop][3]);
	write_ber(&made[hop][4], c[RIGHT_CMS]);
	c[RIGHT_BER] = cmi_buf_view(&made[hop][4]);
	c[UNTRUSTED] = ca(right->c->common_name, NULL, right, NULL)->c->der;
	c[BOMB].p = bomb(&c[BOMB].n);
	c[PAGE] = CMI_BYTES("<!DOCTYPE html><title>Parked</title>");
	c[MANY] = cmi_buf_view(&made[hop][2]);
}

static int setup(void **state)
{
	(void)state;
	root = ca("Root", NULL, NULL, NULL);
	ca1 = ca("CA 1", root, NULL, NULL);
	ca2 = ca("CA 2", ca1, NULL, NULL);
	stranger = ca("Stranger", root, NULL, NULL);
	make_contents(0, ca2, ca1);
	make_contents(1, ca1, root);
	assert_int_equal(cmi_trust_new("test", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, root->c, NULL), CMEND_OK);
	web = web_start();
	variant = web_route(web, "/variant", WEB_ANSWER, NULL, ca2->c->der);
	for (int hop = 0; hop < 2; hop++) {
		for (size_t i = 0; i < CMI_LEN(faults); i++) {
			const struct fault *f = &faults[i];

			snprintf(paths[hop][i], sizeof(paths[hop][i]), "/%d/%s",
				hop, f->name);
			web_route(web, paths[hop][i], f->how, f->head,
				contents[hop][f->content]);
		}
	}
	web_run(web);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	web_stop(web);
	cmi_trust_free(trust);
	for (int hop = 0; hop < 2; hop++)
		for (size_t i = 0; i < CMI_LEN(made[hop]); i++)
			cmi_buf_dispose(&made[hop][i]);
	forge_free_all();
	return 0;
}

/* The faulty URL, and behind it the good one where there is an alternative. */
static void write_urls(char out[200], int hop, size_t i, bool alternative)
{
	const struct fault *f = &faults[i];

	snprintf(out, 200, "%s%s%s",
		f->url ? f->url : web_url(web, paths[hop][i]),
		alternative ? ",caIssuers;URI:" : "",
		alternative ? web_url(web, hop ? "/1/der" : "/0/der") : "");
}

static struct forged *make_leaf(int hop, size_t i, bool alternative)
{
	struct forge_order leaf = {
		.name = "leaf", .issuer = ca2, .dns = "a.test"};
	char urls[200];

	write_urls(urls, hop, i, alternative);
	leaf.aia = urls;
	if (hop == 1) {
		/* The leaf's own step works: to a CA 2 that names the fault. */
		variant->body = ca("CA 2", ca1, ca2, urls)->c->der;
		leaf.aia = web_url(web, "/variant");
	} else {
		/* CA 2 is what is asked for, and CA 1 is at hand. */
		leaf.issuer = ca2;
	}
	return forge(&leaf);
}

static bool has_refusal(
	const struct cmi_complete_result *r, enum cmi_finding_id why)
{
	if (r->reason == why)
		return true;
	for (size_t i = 0; i < r->n_refusals; i++)
		if (r->refusals[i].why == why)
			return true;
	return false;
}

static void judge(const struct fault *f, int hop, bool alternative,
	const struct cmi_complete_result *r)
{
	bool should = f->why == CMI_F_NONE || alternative;

	if (r->accepted != should)
		fail_msg("%s at hop %d %s alternative: %s: %s", f->name, hop,
			alternative ? "with" : "without",
			r->accepted ? "accepted" : cmi_finding_name(r->reason),
			r->says);
	/* A candidate that was not needed is not judged either. */
	if (alternative && (f->content == WRONG_KEY || f->content == EXPIRED ||
				   f->content == UNTRUSTED))
		return;
	if (f->why && !has_refusal(r, f->why))
		fail_msg("%s at hop %d: %s is not told", f->name, hop,
			cmi_finding_name(f->why));
	if (r->fetches > CMI_AIA_FETCHES_MAX)
		fail_msg("%s: %u fetches", f->name, r->fetches);
}

static void run_case(int hop, size_t i, bool alternative)
{
	/* Loopback is the target's own address; other private ones are not. */
	const struct cmi_fetch_options o = {
		.target_host = "127.0.0.1", .total_ms = 800};
	size_t mark = forge_n_made;
	struct forged *leaf = make_leaf(hop, i, alternative);
	struct cmi_cert *sent[] = {leaf->c, ca1->c};
	struct cmi_fetcher *f = NULL;
	struct cmi_complete_result r;
	const struct cmi_source *aia;
	int64_t start = cmi_mono_ms(NULL);

	if (faults[i].content == CHILD)
		web->routes[1 + (size_t)hop * CMI_LEN(faults) + i].body =
			hop ? variant->body : leaf->c->der;
	assert_int_equal(cmi_fetcher_new(&o, &f, NULL), CMEND_OK);
	aia = cmi_fetcher_aia_source(f);
	/* Asked for CA 2, CA 1 is sent; asked for CA 1, only the leaf is. */
	assert_int_equal(
		cmi_complete(&(struct cmi_complete_request){.leaf = leaf->c,
				     .sent = sent,
				     .n_sent = hop == 0 ? 2 : 1,
				     .trust = trust,
				     .at_s = FORGE_NOW,
				     .security_level = -1,
				     .sources = &aia,
				     .n_sources = 1},
			&r, NULL),
		CMEND_OK);
	judge(&faults[i], hop, alternative, &r);
	assert_true(cmi_mono_ms(NULL) - start < 3000);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
	forge_free_to(mark);
}

static void all_faults(int hop, bool alternative)
{
	for (size_t i = 0; i < CMI_LEN(faults); i++)
		run_case(hop, i, alternative);
	/* tools/conformance reads this. */
	print_message("%zu faults\n", CMI_LEN(faults));
}

static void faults_at_the_leaf(void **state)
{
	(void)state;
	all_faults(0, false);
}

static void faults_at_the_leaf_with_an_alternative(void **state)
{
	(void)state;
	all_faults(0, true);
}

static void faults_at_the_second_step(void **state)
{
	(void)state;
	all_faults(1, false);
}

static void faults_at_the_second_step_with_an_alternative(void **state)
{
	(void)state;
	all_faults(1, true);
}

/* One certificate with more URLs than are asked: the sixth is never seen. */
static void a_sixth_url_is_not_asked(void **state)
{
	const struct cmi_fetch_options o = {
		.allow_private = true, .total_ms = 2000};
	size_t mark = forge_n_made;
	char urls[256] = "";
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 6; i++)
		n += (size_t)snprintf(urls + n, sizeof(urls) - n,
			"%shttp://127.0.0.1:%d/%s", i ? ",caIssuers;URI:" : "",
			web->port, i < 5 ? "" : "v");
	struct forged *leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca2, .aia = urls});
	struct cmi_fetcher *f = NULL;
	struct cmi_complete_result r;
	const struct cmi_source *aia;

	assert_int_equal(leaf->c->n_aia_urls, 6);
	assert_int_equal(cmi_fetcher_new(&o, &f, NULL), CMEND_OK);
	aia = cmi_fetcher_aia_source(f);
	assert_int_equal(
		cmi_complete(&(struct cmi_complete_request){.leaf = leaf->c,
				     .trust = trust,
				     .at_s = FORGE_NOW,
				     .security_level = -1,
				     .sources = &aia,
				     .n_sources = 1},
			&r, NULL),
		CMEND_OK);
	assert_false(r.accepted);
	/* Five times the same URL is one fetch. */
	assert_int_equal(r.fetches, 1);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
	forge_free_to(mark);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_at_the_leaf),
		cmocka_unit_test(faults_at_the_leaf_with_an_alternative),
		cmocka_unit_test(faults_at_the_second_step),
		cmocka_unit_test(faults_at_the_second_step_with_an_alternative),
		cmocka_unit_test(a_sixth_url_is_not_asked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
