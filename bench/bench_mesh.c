/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Meshes of CAs that have signed each other at random, four times each: how
 * long the search takes and what it keeps, by size.  Certificates are parsed
 * beforehand; each row says what the answer was.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain/search.h"
#include "pki.h"

#define CROSS_SIGNS 4u
#define CAS_MAX     5000u

enum scene { NO_ANCHOR, ANCHORED, FORBIDDEN, SCENES };
static const char *const scene_names[SCENES] = {
	"no anchor", "anchored", "all paths refused"};

static struct cmi_cert *mesh[CAS_MAX * CROSS_SIGNS];
static size_t n_mesh;
static EVP_PKEY *keys[CAS_MAX];
static struct cmi_cert *leaf, *root, *last_by_root;

static struct cmi_cert *parsed(X509 *x)
{
	struct cmi_cert *c = NULL;
	struct cmi_bytes der = pki_der(x);

	if (cmi_cert_from_der(der, &c, NULL) != CMEND_OK)
		exit(1);
	OPENSSL_free((void *)der.p);
	X509_free(x);
	return c;
}

static void free_mesh(void)
{
	while (n_mesh)
		cmi_cert_unref(mesh[--n_mesh]);
	cmi_cert_unref(leaf);
	cmi_cert_unref(root);
	cmi_cert_unref(last_by_root);
}

static void make_mesh(unsigned n_cas)
{
	static EVP_PKEY *root_key, *leaf_key;
	uint64_t dice = 88172645463325252u;
	char name[16], issuer[16];

	root_key = root_key ? root_key : pki_key();
	leaf_key = leaf_key ? leaf_key : pki_key();
	for (unsigned i = 0; i < n_cas; i++)
		keys[i] = keys[i] ? keys[i] : pki_key();
	for (unsigned i = 0; i < n_cas; i++)
		for (unsigned k = 0; k < CROSS_SIGNS; k++) {
			unsigned by;

			dice ^= dice << 13;
			dice ^= dice >> 7;
			dice ^= dice << 17;
			by = (unsigned)(dice % n_cas);
			snprintf(name, sizeof(name), "CA%u", i);
			snprintf(issuer, sizeof(issuer), "CA%u", by);
			mesh[n_mesh++] = parsed(pki_cert(
				name, keys[i], issuer, keys[by], NULL));
		}
	leaf = parsed(pki_cert("leaf", leaf_key, "CA0", keys[0], "x.example"));
	root = parsed(pki_cert("root", root_key, "root", root_key, NULL));
	snprintf(name, sizeof(name), "CA%u", n_cas - 1);
	last_by_root =
		parsed(pki_cert(name, keys[n_cas - 1], "root", root_key, NULL));
}

static const char *drive(struct cmi_search *s,
	const struct cmi_verdict_request *judge, enum scene scene)
{
	static struct cmi_search_answer a;
	struct cmi_verdict v;

	for (;;) {
		if (cmi_search_step(s, &a, NULL) != CMEND_OK)
			exit(1);
		if (a.kind == CMI_SEARCH_EXHAUSTED)
			return "exhausted";
		if (a.kind == CMI_SEARCH_GAVE_UP)
			return a.says;
		if (a.kind == CMI_SEARCH_NEED) {
			cmi_search_supplied(s);
			continue;
		}
		if (cmi_verdict_path(a.path, judge, &v, NULL) != CMEND_OK)
			exit(1);
		if (v.accepted && scene != FORBIDDEN)
			return "found";
		/* As a verdict that says nothing about other paths. */
		if (v.accepted)
			v = (struct cmi_verdict){.why = CMI_F_POLICY,
				.depth = (unsigned)a.path->n - 1};
		if (cmi_search_refuse(s, &v, NULL) != CMEND_OK)
			exit(1);
	}
}

static void run(unsigned n_cas, enum scene scene)
{
	struct cmi_trust *trust = NULL;
	struct cmi_search *s = NULL;
	struct cmi_search_request request = {
		.leaf = leaf,
		.judge = {.at_s = PKI_NOW, .security_level = 1},
		.no_cheap = true,
		.no_costly = true,
	};
	size_t before = mallinfo2().uordblks;
	double start, spent;
	const char *answer;
	struct cmi_search_cost cost;

	if (cmi_trust_new("mesh", &trust, NULL) ||
		cmi_trust_add(trust, root, NULL))
		exit(1);
	request.trust = trust;
	start = pki_now_us();
	if (cmi_search_new(&request, &s, NULL))
		exit(1);
	for (size_t i = 0; i < n_mesh; i++)
		if (cmi_search_offer(s, mesh[i], CMI_FROM_FILE, NULL))
			exit(1);
	if (scene != NO_ANCHOR &&
		cmi_search_offer(s, last_by_root, CMI_FROM_FILE, NULL))
		exit(1);
	answer = drive(s, &request.judge, scene);
	spent = pki_now_us() - start;
	cost = cmi_search_cost(s);
	printf("%5u CAs  %-18s %8.2f ms %7.2f MiB  %7u edges %4u signatures "
	       "%4u verdicts  %s\n",
		n_cas, scene_names[scene], spent / 1e3,
		(double)(mallinfo2().uordblks - before) / 1048576.0,
		cost.candidates, cost.signatures, cost.verdicts, answer);
	cmi_search_free(s);
	cmi_trust_free(trust);
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = {10, 100, 1000, CAS_MAX};
	size_t n = argc > 1 ? 3 : CMI_LEN(sizes);

	(void)argv;
	for (size_t i = 0; i < n; i++) {
		make_mesh(sizes[i]);
		for (int scene = 0; scene < SCENES; scene++)
			run(sizes[i], (enum scene)scene);
		free_mesh();
	}
	printf("target: every row under 50 ms and 16 MiB\n");
	return 0;
}
