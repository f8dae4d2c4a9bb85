/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign-ins under load: PHONES threads at once do SIGNINS sign-ins by PIN, each
 * with a full TLS handshake and a certificate issued, against one server in
 * this process.  What limits it is cryptography: scrypt is measured here, the
 * public-key work of one sign-in is told by bench_signin.
 *
 *   bench_boot SIGNINS PHONES SCRYPT_LOG2 PUBLIC_KEY_US
 *
 * Processor time is compared, and the clock's where the machine was ours: what
 * else runs on it takes from the clock alone.  Fails when a sign-in fails, when
 * a certificate is not on record once, or below SHARE_MIN by either.
 */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "boot/demo.h"
#include "core/file.h"
#include "core/text.h"

#define SHARE_MIN 0.6
/* Of all processors' time; above it the clock says nothing of us. */
#define OTHERS_MAX 0.05

static struct cmi_env env;
static struct cmi_server_ports ports;
static char dir[64], root_pem[128];
static unsigned n_total, n_phones, log2_n;
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
	const char *anchors = root_pem; /* installed once */
	char state[128];
	unsigned i;

	snprintf(state, sizeof(state), "%s/p%zu", dir, (size_t)arg);
	while ((i = atomic_fetch_add(&next_one, 1)) < n_total) {
		struct cmi_phone_options o = {.server = CMI_DEMO_HOST,
			.state_dir = state,
			.anchors = anchors,
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
		anchors = NULL;
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

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds of processor time that the whole machine has used since its start,
 * and those that it was idle; both 0 where that is not told. */
static void machine_time(double *used, double *idle)
{
	unsigned long long t[8] = {0};
	FILE *f = fopen("/proc/stat", "re");
	double tick = (double)sysconf(_SC_CLK_TCK);
	char line[512] = "", *at = line;

	if (f && !fgets(line, sizeof(line), f))
		*line = 0;
	if (f)
		fclose(f);
	/* "cpu  user nice system idle iowait irq softirq steal ..." */
	while (*at && (*at < '0' || *at > '9'))
		at++;
	for (size_t i = 0; i < CMI_LEN(t); i++)
		t[i] = strtoull(at, &at, 10);
	*idle = (double)(t[3] + t[4]) / tick;
	*used = (double)(t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) / tick;
}

/* Seconds of processor time for one scrypt. */
static double secret_cost(void)
{
	double began = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	uint8_t out[32];
	int n = 0;

	while (seconds_of(CLOCK_THREAD_CPUTIME_ID) - began < 0.5 && ++n)
		EVP_PBE_scrypt("40961853", 8,
			(const unsigned char *)"0123456789abcdef", 16,
			UINT64_C(1) << log2_n, 8, 1, (size_t)1 << 30, out, 32);
	return (seconds_of(CLOCK_THREAD_CPUTIME_ID) - began) / n;
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

struct figures {
	double clock_s, cpu_s;         /* of all sign-ins */
	double scrypt_s, public_key_s; /* of one */
	double used_s, idle_s;         /* of the whole machine meanwhile */
	uint64_t issued;
};

static int tell(const struct figures *f)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double work = f->scrypt_s + f->public_key_s;
	double limit = (double)cpus / work;
	double share = work * n_total / f->cpu_s;
	double by_clock = n_total / f->clock_s / limit;
	double all_s = f->used_s + f->idle_s;
	double others = all_s > 0 ? (f->used_s - f->cpu_s) / all_s : 1;
	bool quiet = others <= OTHERS_MAX;
	bool good = signed_in == n_total && f->issued == n_total &&
		    share >= SHARE_MIN && (!quiet || by_clock >= SHARE_MIN);
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	qsort(took_ms, n_total, sizeof(*took_ms), by_time);
	printf("%u sign-ins by %u phones: %.1f s, %.1f a second\n"
	       "p50 %lld ms, p99 %lld ms, peak memory %ld MiB (phones and "
	       "server)\n"
	       "cryptography of one: scrypt %.1f ms, public keys %.2f ms; the "
	       "limit of %ld processors is %.1f a second\n"
	       "%.0f %% of the limit by the clock (%.0f %% of the processors "
	       "went to others%s); of the processor's time %.0f %% is "
	       "cryptography (at least %.0f %% wanted)\n"
	       "signed in %u, refused %u, on record %llu\n",
		n_total, n_phones, f->clock_s, n_total / f->clock_s,
		(long long)took_ms[n_total / 2],
		(long long)took_ms[n_total * 99 / 100], u.ru_maxrss / 1024,
		f->scrypt_s * 1000, f->public_key_s * 1000, cpus, limit,
		100 * by_clock, 100 * (others > 0 ? others : 0),
		quiet ? "" : ": it does not count", 100 * share,
		100 * SHARE_MIN, signed_in, refused,
		(unsigned long long)f->issued);
	return good ? 0 : 1;
}

static void sign_all_in(void)
{
	pthread_t *threads = cmi_alloc_array(n_phones, sizeof(*threads));

	if (!threads)
		exit(3);
	for (size_t i = 0; i < n_phones; i++)
		if (pthread_create(&threads[i], NULL, phone, (void *)i) != 0)
			exit(3);
	for (size_t i = 0; i < n_phones; i++)
		pthread_join(threads[i], NULL);
	cmi_free(threads);
}

static unsigned number(const char *text)
{
	uint64_t n;

	if (!cmi_parse_uint(cmi_bytes_of(text), 1000000, &n))
		exit(2);
	return (unsigned)n;
}

int main(int argc, char **argv)
{
	struct cmi_demo_pki pki = {0};
	struct cmi_ledger *ledger = NULL;
	struct figures f = {0};
	double before_used, before_idle;
	struct cmi_server *server;

	if (argc != 5)
		return 2;
	n_total = number(argv[1]);
	n_phones = number(argv[2]);
	log2_n = number(argv[3]);
	f.public_key_s = number(argv[4]) / 1e6;
	if (!n_total || !n_phones || n_phones > 1000)
		return 2;
	env = *cmi_env_system();
	snprintf(dir, sizeof(dir), "/tmp/bench-boot-XXXXXX");
	took_ms = cmi_alloc_array(n_total, sizeof(*took_ms));
	if (!took_ms || !mkdtemp(dir))
		return 3;
	server = start(&pki, &ledger);
	f.scrypt_s = secret_cost();
	machine_time(&before_used, &before_idle);
	f.clock_s = -seconds_of(CLOCK_MONOTONIC);
	f.cpu_s = -seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	sign_all_in();
	f.clock_s += seconds_of(CLOCK_MONOTONIC);
	f.cpu_s += seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	machine_time(&f.used_s, &f.idle_s);
	f.used_s -= before_used;
	f.idle_s -= before_idle;
	f.issued = cmi_ledger_issued(ledger);
	cmi_server_stop(server);
	cmi_ledger_close(ledger);
	cmi_demo_pki_dispose(&pki);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return tell(&f);
}
