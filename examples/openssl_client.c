/* SPDX-License-Identifier: Apache-2.0 */
/* An OpenSSL client that completes chains: the three lines with cmend_.
 * usage: openssl_client HOST PORT [ROOTS.pem] */
#include <stdio.h>

#include <chainmend/openssl.h>

int main(int argc, char **argv)
{
	cmend_completer_options how = {.size = sizeof(how),
		.fetch = 1,
		.fetch_flags = CMEND_FETCH_PRIVATE}; /* a lab; else 0 */
	cmend_completer *completer = NULL;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	BIO *bio;
	char reply[64] = "";
	int done = 0;

	if (argc < 3 || !ctx || cmend_completer_new(&how, &completer, NULL) ||
		cmend_ssl_ctx_complete(ctx, completer)) {
		fputs("usage: openssl_client HOST PORT [ROOTS.pem]\n", stderr);
		return 2;
	}
	if (argc > 3 ? SSL_CTX_load_verify_file(ctx, argv[3]) != 1
		     : SSL_CTX_set_default_verify_paths(ctx) != 1)
		return 2;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	bio = BIO_new_ssl_connect(ctx);
	BIO_get_ssl(bio, &ssl);
	BIO_set_conn_hostname(bio, argv[1]);
	BIO_set_conn_port(bio, argv[2]);
	SSL_set_tlsext_host_name(ssl, argv[1]); /* many names, one server */
	SSL_set1_host(ssl, argv[1]);
	if (BIO_do_handshake(bio) == 1) {
		BIO_printf(bio, "GET / HTTP/1.0\r\n\r\n");
		done = BIO_read(bio, reply, 15) > 0;
	}
	printf("%s: %s\n", done ? reply : "refused",
		done ? cmend_ssl_explain(ssl)
		     : X509_verify_cert_error_string(
			       SSL_get_verify_result(ssl)));
	BIO_free_all(bio);
	SSL_CTX_free(ctx); /* before the completer that it uses */
	cmend_completer_free(completer);
	return done ? 0 : 1;
}
