/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of 10,000 known issuers: how long from cold until one is found, how
 * long after that, and how large it is.  Cold means that the system holds none
 * of its pages; where it cannot be made to forget them, the row says so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "issuers/preload.h"
#include "pki.h"

#define COUNT  10000u
#define COLD   15u
#define ROUNDS 500u /* parsed certificates are kept for so many */

static struct cmi_cert_list issuers;
static char path[] = "/tmp/chainmend-bench-XXXXXX";
static off_t size;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_preload: %s\n", what);
	exit(1);
}

static void make_file(void)
{
	struct cmi_preload_origin from = {.source = CMI_BYTES("bench")};
	struct cmi_cert_list none = {0};
	EVP_PKEY *root = pki_key();
	struct cmi_buf b;
	int fd = mkstemp(path);

	for (unsigned i = 0; i < COUNT; i++) {
		struct cmi_cert *c = NULL;
		EVP_PKEY *key = pki_key();
		char name[32];
		X509 *x;
		struct cmi_bytes der;

		snprintf(name, sizeof(name), "Issuing CA %u", i);
		x = pki_cert(name, key, "Root", root, NULL);
		der = pki_der(x);
		must(!cmi_cert_from_der(der, &c, NULL) &&
				!cmi_cert_list_add(&issuers, c, NULL),
			"cannot make certificates");
		cmi_cert_unref(c);
		X509_free(x);
		EVP_PKEY_free(key);
		OPENSSL_free((void *)der.p);
	}
	cmi_buf_init(&b, CMI_FILE_MAX);
	must(!cmi_preload_build(&issuers, &none, PKI_NOW, &from, &b, NULL),
		"cannot build");
	must(write(fd, b.p, b.n) == (ssize_t)b.n && fsync(fd) == 0,
		"cannot write");
	size = (off_t)b.n;
	close(fd);
	cmi_buf_dispose(&b);
}

static void forget(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static cmend_status count(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	(void)cert;
	(void)origin;
	++*(unsigned *)ctx;
	return CMEND_OK;
}

/* Whoever is issued by one of them: as a child that names it. */
static unsigned by_subject(struct cmi_preload *p, const struct cmi_cert *of)
{
	const struct cmi_source *s = cmi_preload_source(p);
	struct cmi_cert child = {
		.issuer_hash = of->subject_hash,
		.issuer_der = of->subject_der,
		.x = of->x,
	};
	unsigned n = 0;

	must(!s->issuers_of(s->ctx, &child, count, &n, NULL), "cannot ask");
	return n;
}

static void cold_row(void)
{
	double took[COLD];

	for (unsigned i = 0; i < COLD; i++) {
		struct cmi_preload *p = NULL;
		struct cmi_cert *found;
		double start;

		forget();
		start = pki_wall_us();
		must(!cmi_preload_open(path, &p, NULL), "cannot open");
		found = cmi_preload_by_sha256(
			p, issuers.certs[i * 613 % COUNT]->sha256);
		took[i] = pki_wall_us() - start;
		must(found != NULL, "not found");
		cmi_cert_unref(found);
		cmi_preload_close(p);
	}
	printf("preload of %u, cold: open and find one %.2f ms (target 3)\n",
		COUNT, pki_median(took, COLD) / 1e3);
}

enum how { BY_SHA256, BY_KEY_ID, BY_SUBJECT, HOWS };

static void find(struct cmi_preload *p, enum how how, const struct cmi_cert *c)
{
	struct cmi_cert *found = NULL;

	switch (how) {
	case BY_SHA256:
		found = cmi_preload_by_sha256(p, c->sha256);
		break;
	case BY_KEY_ID:
		found = cmi_preload_by_key_id(p, c->skid);
		break;
	case BY_SUBJECT:
		(void)by_subject(p, c);
		return;
	case HOWS:
		break;
	}
	must(found != NULL, "not found");
	cmi_cert_unref(found);
}

/* The median over so many certificates, each found once. */
static double median_find(struct cmi_preload *p, enum how how, unsigned n)
{
	static double took[ROUNDS];

	for (unsigned i = 0; i < n; i++) {
		const struct cmi_cert *c = issuers.certs[i * 7919u % COUNT];
		double start = pki_now_us();

		find(p, how, c);
		took[i] = pki_now_us() - start;
	}
	return pki_median(took, n);
}

static void warm_rows(void)
{
	static const char *const names[HOWS] = {
		"by SHA-256", "by key id", "by subject"};

	for (unsigned how = 0; how < HOWS; how++) {
		struct cmi_preload *p = NULL;
		double first, again;

		must(!cmi_preload_open(path, &p, NULL), "cannot open");
		first = median_find(p, (enum how)how, ROUNDS);
		again = median_find(p, (enum how)how, ROUNDS);
		printf("preload of %u, warm: find one %s %.1f us the first "
		       "time, when it is parsed, %.2f us after (target 20)\n",
			COUNT, names[how], first, again);
		cmi_preload_close(p);
	}
}

int main(void)
{
	make_file();
	printf("preload of %u: %.1f MB (target 20)\n", COUNT,
		(double)size / 1e6);
	cold_row();
	warm_rows();
	unlink(path);
	cmi_cert_list_dispose(&issuers);
	return 0;
}
