/* SPDX-License-Identifier: Apache-2.0 */
/* mbed.c ROOTS PORT HOST: a small device's handshake with mbed TLS, which
 * verifies as it comes.  Exit status 0: accepted; 1: refused; 2: no answer. */
#include <stdio.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

int main(int argc, char **argv)
{
	mbedtls_net_context net;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt roots;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_entropy_context entropy;
	char why[512] = "";
	int rc;

	if (argc != 4)
		return 2;
	mbedtls_net_init(&net);
	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&conf);
	mbedtls_x509_crt_init(&roots);
	mbedtls_ctr_drbg_init(&drbg);
	mbedtls_entropy_init(&entropy);
	if (mbedtls_ctr_drbg_seed(
		    &drbg, mbedtls_entropy_func, &entropy, NULL, 0) != 0 ||
		mbedtls_x509_crt_parse_file(&roots, argv[1]) != 0 ||
		mbedtls_net_connect(&net, "127.0.0.1", argv[2],
			MBEDTLS_NET_PROTO_TCP) != 0 ||
		mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
			MBEDTLS_SSL_TRANSPORT_STREAM,
			MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return 2;
	mbedtls_ssl_conf_ca_chain(&conf, &roots, NULL);
	mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);
	mbedtls_ssl_conf_read_timeout(&conf, 10000);
	if (mbedtls_ssl_setup(&ssl, &conf) != 0 ||
		mbedtls_ssl_set_hostname(&ssl, argv[3]) != 0)
		return 2;
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv,
		mbedtls_net_recv_timeout);
	rc = mbedtls_ssl_handshake(&ssl);
	if (rc == 0)
		return 0;
	mbedtls_x509_crt_verify_info(
		why, sizeof(why), "", mbedtls_ssl_get_verify_result(&ssl));
	fprintf(stderr, "-0x%04x %s", (unsigned)-rc, why);
	/* The server's alert means that the two have nothing in common. */
	return rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || why[0] ||
			       rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
		       ? 1
		       : 2;
}
