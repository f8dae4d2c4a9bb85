/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole TLS handshake over loopback: with a server that sends its leaf alone
 * and a client that completes the chain from a warm cache, against the same
 * with the full chain sent and a client of plain OpenSSL.  Turn and turn
 * about; CPU time of both ends together and time on the clock, the median of
 * many.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chainmend/openssl.h>

#include "issuers/store.h"
#include "pki.h"

#define ROUNDS 400u
#define WARM   20u

enum side { FULL, COMPLETED, SIDES };

static SSL_CTX *servers[SIDES], *clients[SIDES];
static int listener;
static struct sockaddr_in address = {.sin_family = AF_INET};
static enum side now;
static X509 *root, *ca, *leaf;
static EVP_PKEY *leaf_key;
static char cache[] = "/tmp/chainmend-bench-XXXXXX";

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_handshake: %s\n", what);
	exit(1);
}

static void make_certificates(void)
{
	EVP_PKEY *root_key = pki_key(), *ca_key = pki_key();

	leaf_key = pki_key();
	root = pki_cert("root", root_key, "root", root_key, NULL);
	ca = pki_cert("issuing", ca_key, "root", root_key, NULL);
	leaf = pki_cert("leaf", leaf_key, "issuing", ca_key, "web.example");
}

static void fill_cache(void)
{
	struct cmi_bytes der = pki_der(ca);
	struct cmi_cert *c = NULL;
	struct cmi_store *s = NULL;
	char name[64];

	must(mkdtemp(cache) != NULL, "no folder");
	snprintf(name, sizeof(name), "%s/issuers.db", cache);
	must(!cmi_cert_from_der(der, &c, NULL) &&
			!cmi_store_open(name, false, NULL, &s, NULL) &&
			!cmi_store_put(s, c, CMI_FROM_AIA, NULL, NULL),
		"no cache");
	cmi_store_close(s);
	cmi_cert_unref(c);
	OPENSSL_free((void *)der.p);
}

static SSL_CTX *make_server(enum side side)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	must(ctx && SSL_CTX_use_certificate(ctx, leaf) == 1 &&
			SSL_CTX_use_PrivateKey(ctx, leaf_key) == 1,
		"no server");
	if (side == FULL)
		must(SSL_CTX_add1_chain_cert(ctx, ca) == 1, "no chain");
	SSL_CTX_set_num_tickets(ctx, 0);
	return ctx;
}

static SSL_CTX *make_client(enum side side)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	cmend_completer_options o = {.size = sizeof(o)};
	cmend_completer *completer = NULL;
	char name[64];

	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root);
	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), (time_t)PKI_NOW);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (side == FULL)
		return ctx;
	snprintf(name, sizeof(name), "%s/issuers.db", cache);
	must(!cmend_store_open(name, 0, &o.store, NULL) &&
			!cmend_completer_new(&o, &completer, NULL) &&
			!cmend_ssl_ctx_complete(ctx, completer),
		"no completer");
	return ctx;
}

static void start_listening(void)
{
	socklen_t n = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(listener >= 0 && bind(listener, (void *)&address, n) == 0 &&
			listen(listener, 16) == 0 &&
			getsockname(listener, (void *)&address, &n) == 0,
		"no socket");
}

/* Else the last message of one waits for an acknowledgement of the other. */
static void send_at_once(int fd)
{
	int yes = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

static void *serve(void *ctx)
{
	int fd;

	(void)ctx;
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		SSL *ssl = SSL_new(servers[now]);
		char c;

		send_at_once(fd);
		SSL_set_fd(ssl, fd);
		/* Until the client is content: its byte, ours, the end. */
		if (SSL_accept(ssl) == 1 && SSL_read(ssl, &c, 1) == 1)
			(void)SSL_write(ssl, "y", 1);
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void shake_hands(enum side side)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(clients[side]);
	char c;

	now = side;
	send_at_once(fd);
	must(connect(fd, (void *)&address, sizeof(address)) == 0,
		"cannot connect");
	SSL_set_fd(ssl, fd);
	SSL_set1_host(ssl, "web.example");
	must(SSL_connect(ssl) == 1, "the handshake fails");
	must(SSL_write(ssl, "x", 1) == 1 && SSL_read(ssl, &c, 1) == 1,
		"no answer");
	SSL_free(ssl);
	close(fd);
}

int main(void)
{
	static double wall[SIDES][ROUNDS], cpu[SIDES][ROUNDS];
	double w[SIDES], c[SIDES];
	pthread_t thread;

	make_certificates();
	fill_cache();
	for (int side = 0; side < SIDES; side++) {
		servers[side] = make_server((enum side)side);
		clients[side] = make_client((enum side)side);
	}
	start_listening();
	must(pthread_create(&thread, NULL, serve, NULL) == 0, "no thread");
	for (unsigned i = 0; i < (WARM + ROUNDS) * SIDES; i++) {
		enum side side = (enum side)(i % SIDES);
		double cpu_start = cpu_us(), start = pki_wall_us();

		shake_hands(side);
		if (i / SIDES < WARM)
			continue;
		wall[side][i / SIDES - WARM] = pki_wall_us() - start;
		cpu[side][i / SIDES - WARM] = cpu_us() - cpu_start;
	}
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	for (int side = 0; side < SIDES; side++) {
		w[side] = pki_median(wall[side], ROUNDS);
		c[side] = pki_median(cpu[side], ROUNDS);
	}
	printf("TLS handshake on loopback, leaf alone and a warm cache: %.0f "
	       "us, the full chain sent %.0f us, ratio %.2f; CPU of both ends "
	       "%.0f and %.0f us, ratio %.2f (target 1.05)\n",
		w[COMPLETED], w[FULL], w[COMPLETED] / w[FULL], c[COMPLETED],
		c[FULL], c[COMPLETED] / c[FULL]);
	return 0;
}
