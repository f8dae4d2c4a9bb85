/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run-suite [--withhold none|all|first|last] [--aia]
 *           [--policy default|strict|webpki|clients] [--pool FILE]
 *           [--torture N [--deep]]
 * SUITE.json[.gz]
 *
 * Judges each case of a suite as chainmend does and prints NDJSON, one line a
 * case.  Exit 0 when it ran, whatever the score; the scorer compares.
 *
 * --torture N takes one case in N, and judges it again with the first
 * allocation failing, then the second, and so on: each must end as the first
 * time or for want of memory.  --deep: the allocations of libcrypto, too; it
 * may then refuse what is good, and must never accept what is not.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "core/json.h"
#include "core/text.h"
#include "issuers/complete.h"
#include "issuers/fetch.h"
#include "issuers/memory.h"
#include "proxy.h"
#include "suite.h"

enum withhold { WITHHOLD_NONE, WITHHOLD_ALL, WITHHOLD_FIRST, WITHHOLD_LAST };

struct run {
	enum withhold withhold;
	enum cmi_policy policy;
	struct proxy *proxy;
	struct cmi_memory *pool; /* strangers in every case's cache */
	bool verbose;
	size_t torture; /* one case in so many; 0: no torture */
	bool deep;
};

struct outcome {
	bool accepted;
	cmend_status status;
	long fail_at; /* this allocation fails; below 0: none */
	long asked;   /* allocations, where one was to fail */
	char context[512];
	double us_verify;
	struct cmi_complete_result result;
};

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool is_withheld(enum withhold how, size_t i, size_t n)
{
	return how == WITHHOLD_ALL || (how == WITHHOLD_FIRST && i == 0) ||
	       (how == WITHHOLD_LAST && i + 1 == n);
}

/* What is withheld stands in the cache instead of being sent. */
static struct cmi_memory *make_cache(const struct run *run,
	const struct suite_case *c, struct cmi_cert **sent, size_t *n_sent)
{
	struct cmi_memory *cache = NULL;

	if (cmi_memory_new(CMI_FROM_CACHE, &cache, NULL) != CMEND_OK)
		abort();
	*n_sent = 0;
	for (size_t i = 0; i < c->sent.n; i++) {
		if (!is_withheld(run->withhold, i, c->sent.n))
			sent[(*n_sent)++] = c->sent.certs[i];
		else if (cmi_memory_add(cache, c->sent.certs[i], NULL) !=
			 CMEND_OK)
			abort();
	}
	return cache;
}

static const char *host_of(const struct suite_case *c)
{
	for (size_t i = 0; i < c->n_names; i++)
		if (c->names[i].kind == NAME_DNS || c->names[i].kind == NAME_IP)
			return c->names[i].value;
	return NULL;
}

static struct cmi_fetcher *make_fetcher(
	const struct run *run, const struct suite_case *c)
{
	struct cmi_fetch_options options = {
		.allow_private = true, .proxy = proxy_address(run->proxy)};
	struct cmi_fetcher *f = NULL;

	proxy_serve(run->proxy, c->aia);
	if (cmi_fetcher_new(&options, &f, NULL) != CMEND_OK)
		abort();
	return f;
}

static void explain(const struct suite_case *c, struct outcome *o)
{
	const char *why = cmi_finding_name(o->result.reason);

	if (o->accepted)
		for (size_t i = 0; i < c->n_names; i++)
			if (!suite_has_name(c->leaf, &c->names[i])) {
				o->accepted = false;
				snprintf(o->context, sizeof(o->context),
					"name-mismatch: %.200s",
					c->names[i].value);
				return;
			}
	if (o->accepted)
		o->accepted = suite_meets(c, &o->result.path, o->context);
	else
		snprintf(o->context, sizeof(o->context), "%s: %s",
			why ? why : "?", o->result.says);
}

/* A case that names no peer is about paths alone: RFC 5280 section 6, not the
 * profile of section 4. */
static enum cmi_policy policy_for(
	const struct run *run, const struct suite_case *c)
{
	if (run->policy == CMI_POLICY_RFC5280 && c->n_names == 0)
		return CMI_POLICY_DEFAULT;
	return run->policy;
}

static void judge(
	const struct run *run, const struct suite_case *c, struct outcome *o)
{
	static struct cmi_cert *sent[CASE_CERTS_MAX];
	struct cmi_complete_request request = {
		.leaf = c->leaf,
		.sent = sent,
		.trust = c->trust,
		.at_s = c->at_s,
		.host = host_of(c),
		.security_level = -1,
		.purpose = c->purpose,
		.policy = policy_for(run, c),
		.crls = c->crls,
		.n_crls = c->n_crls,
		/* Withheld from the path, yet at hand. */
		.crl_issuers = c->sent.certs,
		.n_crl_issuers = c->sent.n,
		.limit_intermediates = c->limit_intermediates,
		.max_intermediates = c->max_intermediates,
		.policies = c->has_policies ? &c->policies : NULL,
	};
	CMI_AUTO(cmi_memory_freep)
	struct cmi_memory *cache = make_cache(run, c, sent, &request.n_sent);
	CMI_AUTO(cmi_fetcher_freep)
	struct cmi_fetcher *fetcher = run->proxy ? make_fetcher(run, c) : NULL;
	const struct cmi_source *sources[3];
	cmend_error why;
	double start = cpu_us();

	if (cmi_memory_count(cache))
		sources[request.n_sources++] = cmi_memory_source(cache);
	if (run->pool)
		sources[request.n_sources++] = cmi_memory_source(run->pool);
	if (fetcher)
		sources[request.n_sources++] = cmi_fetcher_aia_source(fetcher);
	request.sources = sources;
	cmi_mem_fail_after(o->fail_at);
	o->status = cmi_complete(&request, &o->result, &why);
	o->asked = cmi_mem_fail_after(-1);
	if (o->status != CMEND_OK) {
		snprintf(o->context, sizeof(o->context), "error: %.200s",
			why.message);
	} else {
		o->accepted = o->result.accepted;
		explain(c, o);
	}
	o->us_verify = cpu_us() - start;
}

static void print_refusals(
	struct cmi_json *j, const struct cmi_complete_result *r)
{
	cmi_json_array(j, "refusals");
	for (size_t i = 0; i < r->n_refusals; i++)
		cmi_json_cstr(j, NULL, r->refusals[i].says);
	cmi_json_end_array(j);
}

static void print_case(const struct run *run, const struct suite_case *c,
	const struct outcome *o, double us_total)
{
	struct cmi_buf line;
	struct cmi_json j;
	const struct cmi_complete_result *r = &o->result;

	cmi_buf_init(&line, CMI_FILE_MAX);
	cmi_json_init(&j, &line);
	cmi_json_object(&j, NULL);
	cmi_json_cstr(&j, "id", c->id);
	cmi_json_cstr(&j, "actual", o->accepted ? "SUCCESS" : "FAILURE");
	cmi_json_cstr(&j, "context", o->context);
	cmi_json_real(&j, "us_verify", o->us_verify, 1);
	cmi_json_real(&j, "us_total", us_total, 1);
	cmi_json_array(&j, "chain");
	for (size_t i = 0; i < r->path.n; i++)
		cmi_json_cstr(&j, NULL, r->path.certs[i]->sha256_hex);
	cmi_json_end_array(&j);
	cmi_json_int(&j, "tried", r->verdicts + r->accepted);
	cmi_json_int(&j, "sigs", r->signatures);
	cmi_json_int(&j, "fetches", r->fetches);
	if (run->verbose)
		print_refusals(&j, r);
	cmi_json_end_object(&j);
	puts(cmi_buf_cstr(&line));
	fflush(stdout);
	cmi_buf_dispose(&line);
}

static void run_case(const struct run *run, json_t *from)
{
	double start = cpu_us();
	struct outcome o = {.fail_at = -1};
	struct suite_case c;

	if (!suite_read_case(from, &c)) {
		fprintf(stderr, "run-suite: a case of unknown shape\n");
		suite_case_dispose(&c);
		return;
	}
	if (c.leaf)
		judge(run, &c, &o);
	else
		snprintf(o.context, sizeof(o.context),
			"malformed-certificate: %s", c.leaf_says);
	print_case(run, &c, &o, cpu_us() - start);
	cmi_complete_result_dispose(&o.result);
	suite_case_dispose(&c);
}

/* Why the n-th failing allocation is not taken as it should be; or NULL. */
static const char *torture_once(const struct run *run,
	const struct suite_case *c, const struct outcome *wanted, long n,
	bool *over)
{
	struct outcome o = {.fail_at = n};
	const char *says = NULL;

	judge(run, c, &o);
	*over = o.asked <= n;
	if (o.status != CMEND_OK && (o.status != CMEND_NOMEM || *over))
		says = "it blames something else for a lack of memory";
	else if (o.status == CMEND_OK && o.accepted != wanted->accepted &&
		 (o.accepted || !run->deep))
		says = o.accepted ? "it accepts for a lack of memory"
				  : "it refuses for a lack of memory";
	cmi_complete_result_dispose(&o.result);
	return says;
}

static void torture_case(const struct run *run, json_t *from)
{
	struct outcome wanted = {.fail_at = -1};
	const char *says = NULL;
	struct suite_case c;
	bool over = false;
	long n = 0;

	if (suite_read_case(from, &c) && c.leaf) {
		judge(run, &c, &wanted);
		for (; !over && !says; n++)
			says = torture_once(run, &c, &wanted, n, &over);
		printf("{\"id\":\"%s\",\"torture_runs\":%ld", c.id, n - 1);
		if (says)
			printf(",\"torture\":\"allocation %ld: %s\"", n - 1,
				says);
		puts("}");
		cmi_complete_result_dispose(&wanted.result);
	}
	suite_case_dispose(&c);
}

/* libcrypto is setting a certificate's key. */
static bool sets_pubkey;

/* A function of its own, whose name LeakSanitizer finds among the callers: see
 * leaks-of-libcrypto. */
static __attribute__((noinline)) void *alloc_in_X509_set_pubkey(size_t n)
{
	void *p = cmi_alloc(n);

	__asm__ volatile("" : : "r"(p) : "memory"); /* no tail call */
	return p;
}

static void *crypto_alloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return sets_pubkey ? alloc_in_X509_set_pubkey(n) : cmi_alloc(n);
}

/* In the way of libcrypto's own, which it calls. */
int X509_set_pubkey(X509 *x, EVP_PKEY *key)
{
	static int (*real)(X509 * x, EVP_PKEY * key);
	int answer;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "X509_set_pubkey");
	sets_pubkey = true;
	answer = real(x, key);
	sets_pubkey = false;
	return answer;
}

static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return cmi_realloc(p, n);
}

static void crypto_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	cmi_free(p);
}

static void go_deep(struct run *run)
{
	run->deep = CRYPTO_set_mem_functions(
			    crypto_alloc, crypto_realloc, crypto_free) == 1;
	if (!run->deep) {
		fprintf(stderr, "run-suite: --deep comes first\n");
		exit(2);
	}
}

static void run_all(const struct run *run, json_t *cases)
{
	json_t *one;
	size_t i;

	json_array_foreach(cases, i, one)
	{
		if (!run->torture)
			run_case(run, one);
		else if (i % run->torture == 0)
			torture_case(run, one);
	}
}

/* ----------------------------------------------------------- command line */

static int word_index(const char *word, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	fprintf(stderr, "run-suite: unknown word \"%s\"\n", word);
	exit(2);
}

static void fill_pool(struct run *run, const char *path)
{
	struct cmi_bundle b = {0};
	cmend_error why;

	if (cmi_bundle_read_file(path, CMI_BUNDLE_CERTS_MAX, &b, &why) ||
		cmi_memory_new(CMI_FROM_CACHE, &run->pool, &why) ||
		cmi_memory_add_list(run->pool, &b.list, &why)) {
		fprintf(stderr, "run-suite: %s\n", why.message);
		exit(2);
	}
	cmi_bundle_dispose(&b);
}

static void parse_options(int argc, char **argv, struct run *run)
{
	static const struct option options[] = {
		{"withhold", required_argument, NULL, 'w'},
		{"policy", required_argument, NULL, 'p'},
		{"aia", no_argument, NULL, 'a'},
		{"pool", required_argument, NULL, 'P'},
		{"verbose", no_argument, NULL, 'v'},
		{"torture", required_argument, NULL, 't'},
		{"deep", no_argument, NULL, 'd'},
		{0},
	};
	static const char *const withhold[] = {"none", "all", "first", "last"};
	static const char *const policies[] = {
		"default", "strict", "webpki", "clients"};
	/* The suites ask for RFC 5280; what clients ask for is less. */
	static const enum cmi_policy policy_of[] = {CMI_POLICY_RFC5280,
		CMI_POLICY_STRICT, CMI_POLICY_WEBPKI, CMI_POLICY_DEFAULT};
	uint64_t every;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w')
			run->withhold =
				(enum withhold)word_index(optarg, withhold, 4);
		else if (c == 'p')
			run->policy =
				policy_of[word_index(optarg, policies, 4)];
		else if (c == 'P')
			fill_pool(run, optarg);
		else if (c == 't' &&
			 cmi_parse_uint(cmi_bytes_of(optarg), SIZE_MAX, &every))
			run->torture = (size_t)every;
		else if (c == 'd')
			go_deep(run);
		else if (c == 'v')
			run->verbose = true;
		else if (c == 'a')
			run->proxy = proxy_start();
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	struct run run = {.policy = CMI_POLICY_RFC5280};
	json_t *suite;

	/* LeakSanitizer ends the process before the C library would. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse_options(argc, argv, &run);
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: run-suite [options] SUITE.json[.gz]\n");
		return 2;
	}
	suite = suite_load(argv[optind]);
	if (!suite)
		return 2;
	run_all(&run, json_object_get(suite, "testcases"));
	json_decref(suite);
	proxy_stop(run.proxy);
	cmi_memory_free(run.pool);
	return 0;
}
