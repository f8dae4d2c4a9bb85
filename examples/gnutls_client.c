/* SPDX-License-Identifier: Apache-2.0 */
/* A GnuTLS client that completes chains: the lines with cmend_.
 * usage: gnutls_client HOST PORT [ROOTS.pem [KNOWN.bin]] */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chainmend/gnutls.h>

static int dial(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &list))
		return -1;
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

int main(int argc, char **argv)
{
	cmend_completer_options how = {.size = sizeof(how),
		.fetch = 1,
		.fetch_flags = CMEND_FETCH_PRIVATE}; /* a lab; else 0 */
	gnutls_certificate_credentials_t cred = NULL;
	cmend_completer *completer = NULL;
	gnutls_datum_t says = {NULL, 0};
	gnutls_session_t tls = NULL;
	char line[1024];
	int fd, rc;

	if (argc < 3 ||
		(argc > 4 && cmend_preload_open(argv[4], &how.preload, NULL)) ||
		cmend_completer_new(&how, &completer, NULL) ||
		gnutls_certificate_allocate_credentials(&cred) < 0 ||
		cmend_gnutls_complete(cred, completer)) {
		fputs("usage: gnutls_client HOST PORT [ROOTS.pem "
		      "[KNOWN.bin]]\n",
			stderr);
		return 2;
	}
	if (argc > 3)
		gnutls_certificate_set_x509_trust_file(
			cred, argv[3], GNUTLS_X509_FMT_PEM);
	else
		gnutls_certificate_set_x509_system_trust(cred);
	gnutls_init(&tls, GNUTLS_CLIENT);
	gnutls_set_default_priority(tls);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, cred);
	gnutls_server_name_set(tls, GNUTLS_NAME_DNS, argv[1], strlen(argv[1]));
	gnutls_session_set_verify_cert(tls, argv[1], 0);
	fd = dial(argv[1], argv[2]);
	gnutls_transport_set_int(tls, fd);
	do {
		rc = fd < 0 ? GNUTLS_E_PUSH_ERROR : gnutls_handshake(tls);
	} while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		gnutls_certificate_verification_status_print(
			gnutls_session_get_verify_cert_status(tls),
			GNUTLS_CRT_X509, &says, 0);
	printf("%s: %s\n%s\n", rc < 0 ? "refused" : "accepted",
		rc == 0     ? "a good chain"
		: says.data ? (const char *)says.data
			    : gnutls_strerror(rc),
		cmend_gnutls_explain(tls, completer, line, sizeof(line)));
	gnutls_free(says.data);
	gnutls_deinit(tls);
	gnutls_certificate_free_credentials(cred);
	cmend_completer_free(completer);
	cmend_preload_close(how.preload);
	if (fd >= 0)
		close(fd);
	return rc < 0;
}
