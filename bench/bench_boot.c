/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign-ins under load: PHONES threads at once do SIGNINS sign-ins by PIN, each
 * with a full TLS handshake and a certificate issued, against one server in
 * this process.  What limits it is cryptography: the PIN's scrypt and the
 * server's RSA signature, both measured in the same run.
 *
 *   bench_boot [SIGNINS [PHONES [SCRYPT_LOG2]]]
 */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "boot/demo.h"
#include "core/file.h"

static struct cmi_env env;
static struct cmi_server_ports ports;
static char dir[64], root_pem[128];
static unsigned n_total = 2000, n_phones = 500, log2_n = 14;
static atomic_uint next_one, signed_in, refused;
static int64_t *took_ms;

static int remove_entry(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void must(cmend_status status, const cmend_error *err)
{
	if (status == CMEND_OK)
		return;
	fprintf(stderr, "bench_boot: %s\n", err->message);
	exit(3);
}

/* Every phone keeps its memory from one sign-in to the next. */
static void *phone(void *arg)
{
	char state[128];
	unsigned i;

	snprintf(state, sizeof(state), "%s/p%zu", dir, (size_t)arg);
	while ((i = atomic_fetch_add(&next_one, 1)) < n_total) {
		struct cmi_phone_options o = {.server = CMI_DEMO_HOST,
			.state_dir = state,
			.anchors = root_pem,
			.net = {.connect_to = "127.0.0.1",
				.http_port = ports.http,
				.https_port = ports.https,
				.sip_port = ports.sip,
				.wait_ms = 120000,
				.env = &env},
			.name = CMI_DEMO_NUMBER,
			.sip = "",
			.secret = CMI_DEMO_PIN};
		struct cmi_phone_result r;
		cmend_error err = {0};

		must(cmi_phone_sign_in(&o, &r, &err), &err);
		took_ms[i] = r.took_ms;
		atomic_fetch_add(r.signed_in ? &signed_in : &refused, 1);
		if (!r.signed_in)
			fprintf(stderr, "refused: %s\n", r.says);
		cmi_phone_result_dispose(&r);
	}
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Seconds for one scrypt and one RSA-2048 signature on one processor. */
static double secret_cost(void)
{
	int64_t began = cmi_mono_ms(NULL);
	uint8_t out[32];
	int n = 0;

	while (cmi_mono_ms(NULL) - began < 500 && ++n)
		EVP_PBE_scrypt("40961853", 8,
			(const unsigned char *)"0123456789abcdef", 16,
			UINT64_C(1) << log2_n, 8, 1, (size_t)1 << 30, out, 32);
	return (double)(cmi_mono_ms(NULL) - began) / 1000 / n;
}

static double signature_cost(struct evp_pkey_st *key)
{
	int64_t began = cmi_mono_ms(NULL);
	uint8_t out[512];
	int n = 0;

	while (cmi_mono_ms(NULL) - began < 500 && ++n) {
		EVP_MD_CTX *c = EVP_MD_CTX_new();
		size_t len = sizeof(out);

		if (EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) != 1 ||
			EVP_DigestSign(c, out, &len, (const unsigned char *)"x",
				1) != 1)
			exit(3);
		EVP_MD_CTX_free(c);
	}
	return (double)(cmi_mono_ms(NULL) - began) / 1000 / n;
}

static struct cmi_server *start(
	struct cmi_demo_pki *pki, struct cmi_ledger **ledger)
{
	const struct cmi_user user = {
		CMI_DEMO_SIP, CMI_DEMO_NUMBER, NULL, NULL};
	struct cmi_server_options o = {.address = "127.0.0.1",
		.http_port = CMI_PORT_ANY,
		.https_port = CMI_PORT_ANY,
		.sip_port = CMI_PORT_ANY,
		.host = CMI_DEMO_HOST,
		.n_chain = 1,
		.n_offer = 1,
		.workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		.env = &env};
	struct cmi_server *server = NULL;
	struct cmi_buf pem;
	cmend_error err = {0};
	char path[128];

	must(cmi_demo_pki_make(&env, pki, &err), &err);
	snprintf(path, sizeof(path), "%s/server.db", dir);
	must(cmi_ledger_open(path, &env, ledger, &err), &err);
	cmi_ledger_set_cost(*ledger, log2_n);
	must(cmi_ledger_add(*ledger, &user, &err), &err);
	must(cmi_ledger_set_pin(*ledger, CMI_DEMO_SIP, CMI_DEMO_PIN, &err),
		&err);
	o.chain = &pki->leaf.cert;
	o.key = pki->leaf.key;
	o.offer = &pki->intermediate.cert;
	o.issuer = pki->issuer.cert;
	o.issuer_key = pki->issuer.key;
	o.ledger = *ledger;
	must(cmi_server_start(&o, &server, &err), &err);
	ports = cmi_server_ports(server);
	cmi_buf_init(&pem, 65536);
	must(cmi_bundle_write(
		     &pki->root.cert, 1, CMI_FORM_PEM, false, &pem, &err),
		&err);
	snprintf(root_pem, sizeof(root_pem), "%s/root.pem", dir);
	must(cmi_file_write(root_pem, cmi_buf_view(&pem), 0600, &err), &err);
	cmi_buf_dispose(&pem);
	return server;
}

static int tell(int64_t ms, double scrypt_s, double rsa_s, uint64_t issued)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double rate = n_total * 1000.0 / (double)ms;
	/* A sign-in is one scrypt, three handshakes (443, 5061 and the one
	 * inside SIP) and one certificate signature. */
	double limit = (double)cpus / (scrypt_s + 4 * rsa_s);
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	qsort(took_ms, n_total, sizeof(*took_ms), by_time);
	printf("%u sign-ins by %u phones: %.1f s, %.0f a second\n"
	       "p50 %lld ms, p99 %lld ms, peak memory %ld MiB (phones and "
	       "server)\nscrypt %.1f ms, RSA-2048 signature %.2f ms: the limit "
	       "of %ld processors is %.0f a second, reached %.0f %%\n"
	       "signed in %u, refused %u, on record %llu\n",
		n_total, n_phones, (double)ms / 1000, rate,
		(long long)took_ms[n_total / 2],
		(long long)took_ms[n_total * 99 / 100], u.ru_maxrss / 1024,
		scrypt_s * 1000, rsa_s * 1000, cpus, limit, 100 * rate / limit,
		signed_in, refused, (unsigned long long)issued);
	return signed_in == n_total && issued == n_total ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct cmi_demo_pki pki = {0};
	struct cmi_ledger *ledger = NULL;
	struct cmi_server *server;
	pthread_t *threads;
	int64_t began, ms;
	double scrypt_s, rsa_s;
	uint64_t issued;

	n_total = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : n_total;
	n_phones = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : n_phones;
	log2_n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : log2_n;
	if (!n_total || !n_phones || n_total > 100000 || n_phones > 1000)
		return 2;
	env = *cmi_env_system();
	snprintf(dir, sizeof(dir), "/tmp/bench-boot-XXXXXX");
	took_ms = cmi_alloc_array(n_total, sizeof(*took_ms));
	threads = cmi_alloc_array(n_phones, sizeof(*threads));
	if (!took_ms || !threads || !mkdtemp(dir))
		return 3;
	server = start(&pki, &ledger);
	scrypt_s = secret_cost();
	rsa_s = signature_cost(pki.leaf.key);
	began = cmi_mono_ms(NULL);
	for (size_t i = 0; i < n_phones; i++)
		pthread_create(&threads[i], NULL, phone, (void *)i);
	for (size_t i = 0; i < n_phones; i++)
		pthread_join(threads[i], NULL);
	ms = cmi_mono_ms(NULL) - began;
	issued = cmi_ledger_issued(ledger);
	cmi_server_stop(server);
	cmi_ledger_close(ledger);
	cmi_demo_pki_dispose(&pki);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return tell(ms, scrypt_s, rsa_s, issued);
}
