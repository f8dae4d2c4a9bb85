/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_path LEAF.pem INTERMEDIATES.pem ROOTS.pem UNIX-TIME HOST: completes one
 * chain many times and prints the median in microseconds, wall clock, as its
 * peers do.  bench_path --make DIR writes a bridge of seven CAs that signed
 * each other 34 times, one of them signed by the root: leaf.pem, sent.pem,
 * roots.pem, judged at PKI_NOW for web.example.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/pem.h>

#include "core/text.h"
#include "issuers/complete.h"
#include "pki.h"

#define ROUNDS 301u

static void must(cmend_status status, const cmend_error *err)
{
	if (status == CMEND_OK)
		return;
	fprintf(stderr, "bench_path: %s\n", err->message);
	exit(1);
}

static double wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double complete_once(const struct cmi_complete_request *request)
{
	struct cmi_complete_result result;
	double start = wall_us();
	cmend_error err = {0};

	must(cmi_complete(request, &result, &err), &err);
	if (!result.accepted) {
		fprintf(stderr, "bench_path: refused: %s\n", result.says);
		exit(1);
	}
	cmi_complete_result_dispose(&result);
	return wall_us() - start;
}

#define BRIDGE_CAS   7u
#define BRIDGE_SIGNS 34u

static void add_pem(const char *dir, const char *file, X509 *x)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "a");
	if (!f || PEM_write_X509(f, x) != 1 || fclose(f) != 0) {
		fprintf(stderr, "bench_path: cannot write %s\n", path);
		exit(1);
	}
	X509_free(x);
}

static int make_bridge(const char *dir)
{
	EVP_PKEY *keys[BRIDGE_CAS], *root = pki_key(), *end = pki_key();
	unsigned made = 0;
	char name[16], by[16];

	for (unsigned i = 0; i < BRIDGE_CAS; i++)
		keys[i] = pki_key();
	/* All pairs at most once, the nearest neighbours first. */
	for (unsigned step = 1; step < BRIDGE_CAS; step++)
		for (unsigned i = 0; i < BRIDGE_CAS && made < BRIDGE_SIGNS;
			i++, made++) {
			unsigned j = (i + step) % BRIDGE_CAS;

			snprintf(name, sizeof(name), "CA%u", i);
			snprintf(by, sizeof(by), "CA%u", j);
			add_pem(dir, "sent.pem",
				pki_cert(name, keys[i], by, keys[j], NULL));
		}
	add_pem(dir, "sent.pem", pki_cert("CA3", keys[3], "root", root, NULL));
	add_pem(dir, "roots.pem", pki_cert("root", root, "root", root, NULL));
	add_pem(dir, "leaf.pem",
		pki_cert("leaf", end, "CA0", keys[0], "web.example"));
	return 0;
}

int main(int argc, char **argv)
{
	struct cmi_bundle leaf = {0}, sent = {0};
	struct cmi_trust *trust = NULL;
	struct cmi_complete_request request = {.security_level = -1};
	static double spent[ROUNDS];
	cmend_error err = {0};
	uint64_t at;

	if (argc == 3 && strcmp(argv[1], "--make") == 0)
		return make_bridge(argv[2]);
	if (argc != 6 || !cmi_parse_uint(cmi_bytes_of(argv[4]), INT32_MAX, &at))
		return 2;
	must(cmi_bundle_read_file(argv[1], 1, &leaf, &err), &err);
	must(cmi_bundle_read_file(argv[2], 1000, &sent, &err), &err);
	must(cmi_trust_new("bench", &trust, &err), &err);
	must(cmi_trust_add_path(trust, argv[3], &err), &err);
	request.leaf = leaf.list.certs[0];
	request.sent = sent.list.certs;
	request.n_sent = sent.list.n;
	request.trust = trust;
	request.at_s = (int64_t)at;
	request.host = argv[5];
	for (size_t i = 0; i < ROUNDS; i++)
		spent[i] = complete_once(&request);
	printf("%.1f\n", pki_median(spent, ROUNDS));
	cmi_trust_free(trust);
	cmi_bundle_dispose(&sent);
	cmi_bundle_dispose(&leaf);
	return 0;
}
