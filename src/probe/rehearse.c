/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/rehearse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/ssl.h>

/* Milliseconds for one handshake on loopback; a loaded machine is slow. */
#define WAIT_MS 5000
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

struct stage {
	SSL_CTX *ctx;
	int fd;
	uint16_t port;
	pthread_t thread;
};

static cmend_status fail_ssl(cmend_error *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	(void)cmi_fail(err, CMEND_CRYPTO, "%s: %s", what,
		reason ? reason : "no reason given");
	ERR_clear_error();
	return CMEND_CRYPTO;
}

static X509 *x509_of(const struct cmi_cert *c)
{
	const uint8_t *p = c->der.p;

	return d2i_X509(NULL, &p, (long)c->der.n);
}

/* ------------------------------------------------- a key that is made up */

/* The private half by the name that this kind of key gives it. */
static OSSL_PARAM *made_up_half(const EVP_PKEY *public_key, BIGNUM **number)
{
	static const uint8_t octets[57] = {1, 2, 3};
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *out = NULL;
	bool ok = false;

	*number = BN_new();
	if (b && *number && BN_set_word(*number, 65539)) {
		if (EVP_PKEY_is_a(public_key, "RSA"))
			ok = OSSL_PARAM_BLD_push_BN(
				b, OSSL_PKEY_PARAM_RSA_D, *number);
		else if (EVP_PKEY_is_a(public_key, "EC"))
			ok = OSSL_PARAM_BLD_push_BN(
				b, OSSL_PKEY_PARAM_PRIV_KEY, *number);
		else if (EVP_PKEY_is_a(public_key, "ED25519"))
			ok = OSSL_PARAM_BLD_push_octet_string(
				b, OSSL_PKEY_PARAM_PRIV_KEY, octets, 32);
		else if (EVP_PKEY_is_a(public_key, "ED448"))
			ok = OSSL_PARAM_BLD_push_octet_string(
				b, OSSL_PKEY_PARAM_PRIV_KEY, octets, 57);
	}
	if (ok)
		out = OSSL_PARAM_BLD_to_param(b);
	OSSL_PARAM_BLD_free(b);
	return out;
}

static EVP_PKEY *with_half(EVP_PKEY *public_key, OSSL_PARAM *half)
{
	OSSL_PARAM *known = NULL, *all = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, public_key, NULL);
	EVP_PKEY *key = NULL;

	if (ctx &&
		EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &known) == 1)
		all = OSSL_PARAM_merge(known, half);
	if (!all || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) != 1)
		key = NULL;
	/* The merged array borrows what the two hold. */
	OPENSSL_free(all);
	OSSL_PARAM_free(known);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static cmend_status use_made_up_key(SSL_CTX *ctx, X509 *leaf, cmend_error *err)
{
	EVP_PKEY *public_key = X509_get0_pubkey(leaf), *key = NULL;
	OSSL_PARAM *half = NULL;
	BIGNUM *number = NULL;
	bool used = false;

	if (public_key)
		half = made_up_half(public_key, &number);
	if (half)
		key = with_half(public_key, half);
	if (key)
		used = SSL_CTX_use_PrivateKey(ctx, key) == 1;
	EVP_PKEY_free(key);
	OSSL_PARAM_free(half);
	BN_free(number);
	ERR_clear_error();
	if (used)
		return CMEND_OK;
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"this kind of key cannot be tried out without the key itself: "
		"give it with --key");
}

static cmend_status use_real_key(
	SSL_CTX *ctx, const char *file, cmend_error *err)
{
	if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) == 1)
		return CMEND_OK;
	ERR_clear_error();
	if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_ASN1) == 1)
		return CMEND_OK;
	return fail_ssl(err, "the server on loopback cannot use the key");
}

/* -------------------------------------------------------------- the server */

static cmend_status use_chain(SSL_CTX *ctx, struct cmi_cert *const *chain,
	size_t n, const char *key_file, cmend_error *err)
{
	cmend_status status = CMEND_OK;
	X509 *leaf = x509_of(chain[0]);

	if (!leaf || SSL_CTX_use_certificate(ctx, leaf) != 1)
		status = fail_ssl(
			err, "the server on loopback cannot use the chain");
	else if (key_file)
		status = use_real_key(ctx, key_file, err);
	else
		status = use_made_up_key(ctx, leaf, err);
	X509_free(leaf);
	for (size_t i = 1; status == CMEND_OK && i < n; i++) {
		X509 *x = x509_of(chain[i]);

		if (x && SSL_CTX_add0_chain_cert(ctx, x) == 1)
			continue;
		X509_free(x);
		status = fail_ssl(
			err, "the server on loopback cannot use the chain");
	}
	return status;
}

static cmend_status make_server(struct stage *s, struct cmi_cert *const *chain,
	size_t n, const char *key_file, cmend_error *err)
{
	s->ctx = SSL_CTX_new(TLS_server_method());
	if (!s->ctx)
		return fail_ssl(err, "cannot set up TLS");
	/* Exactly what it is given, whatever kind of key; as nginx does. */
	SSL_CTX_set_mode(s->ctx, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_security_level(s->ctx, 0);
	SSL_CTX_set_num_tickets(s->ctx, 0);
	return use_chain(s->ctx, chain, n, key_file, err);
}

static cmend_status open_door(struct stage *s, cmend_error *err)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t n = sizeof(a);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, n) != 0 ||
		listen(s->fd, CMI_REHEARSALS) != 0 ||
		getsockname(s->fd, (struct sockaddr *)&a, &n) != 0)
		return cmi_fail(err, CMEND_NET,
			"cannot start a server on loopback: %s",
			strerror(errno));
	s->port = ntohs(a.sin_port);
	return CMEND_OK;
}

static void serve_one(SSL_CTX *ctx, int fd)
{
	const struct timeval wait = {.tv_sec = WAIT_MS / 1000};
	SSL *ssl = SSL_new(ctx);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (ssl && SSL_set_fd(ssl, fd) == 1)
		(void)SSL_accept(ssl); /* the client tells how it went */
	ERR_clear_error();
	SSL_free(ssl);
	close(fd);
}

/* As many as are needed, each within its time. */
static void *serve(void *arg)
{
	struct stage *s = arg;

	for (int i = 0; i < CMI_REHEARSALS; i++) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		int fd = poll(&p, 1, WAIT_MS) == 1
				 ? accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)
				 : -1;

		if (fd >= 0)
			serve_one(s->ctx, fd);
	}
	return NULL;
}

/* -------------------------------------------------------------- the client */

static bool brought(
	const struct cmi_dialed *d, struct cmi_cert *const *chain, size_t n)
{
	if (d->tls.n_certs != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!cmi_bytes_equal(d->tls.certs[i].der, chain[i]->der))
			return false;
	return true;
}

static cmend_status dial_both(struct cmi_rehearsal *r, uint16_t port,
	const char *host, const struct cmi_env *env, cmend_error *err)
{
	static const uint16_t versions[CMI_REHEARSALS] = {TLS_1_2, TLS_1_3};
	struct cmi_target t;

	CMI_TRY(cmi_target_parse("127.0.0.1", port, &t, err));
	for (size_t i = 0; i < CMI_REHEARSALS; i++) {
		struct cmi_dial *d = &r->dials[i];

		d->options = (struct cmi_dial_options){
			.target = &t,
			.sni = host ? host : "",
			.timeout_ms = WAIT_MS,
			.version_min = versions[i],
			.version_max = versions[i],
			.env = env,
		};
		d->status = cmi_dial(&d->options, &d->out, &d->err);
		d->options.target = NULL;
		if (d->status != CMEND_OK) {
			*err = d->err;
			return d->status;
		}
	}
	return CMEND_OK;
}

static cmend_status compare(struct cmi_rehearsal *r,
	struct cmi_cert *const *chain, size_t n, cmend_error *err)
{
	r->same = r->finished = true;
	for (size_t i = 0; i < CMI_REHEARSALS; i++) {
		r->same &= brought(&r->dials[i].out, chain, n);
		r->finished &= r->dials[i].out.tls.outcome == CMI_COMPLETED;
	}
	return cmi_sent_take(&r->dials[CMI_REHEARSALS - 1].out, &r->sent, err);
}

static cmend_status play(struct cmi_rehearsal *r, struct stage *s,
	const char *host, const struct cmi_env *env, cmend_error *err)
{
	cmend_status status;
	int rc = pthread_create(&s->thread, NULL, serve, s);

	if (rc != 0)
		return cmi_fail(err, CMEND_NOMEM,
			"cannot start a server on loopback: %s", strerror(rc));
	status = dial_both(r, s->port, host, env, err);
	/* Whoever it still waits for will not come. */
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	return status;
}

cmend_status cmi_rehearse(struct cmi_cert *const *chain, size_t n,
	const char *key_file, const char *host, const struct cmi_env *env,
	struct cmi_rehearsal **out, cmend_error *err)
{
	struct cmi_rehearsal *r = cmi_alloc(sizeof(*r));
	struct stage s = {.fd = -1};
	cmend_status status;

	if (!r)
		return cmi_nomem(err);
	ERR_clear_error();
	status = make_server(&s, chain, n, key_file, err);
	if (status == CMEND_OK)
		status = open_door(&s, err);
	if (status == CMEND_OK)
		status = play(r, &s, host, env, err);
	if (status == CMEND_OK)
		status = compare(r, chain, n, err);
	SSL_CTX_free(s.ctx);
	if (s.fd >= 0)
		close(s.fd);
	if (status == CMEND_OK)
		*out = r;
	else
		cmi_rehearsal_free(r);
	return status;
}

void cmi_rehearsal_free(struct cmi_rehearsal *r)
{
	if (!r)
		return;
	cmi_sent_dispose(&r->sent);
	for (size_t i = 0; i < CMI_REHEARSALS; i++)
		cmi_dialed_dispose(&r->dials[i].out);
	cmi_free(r);
}
