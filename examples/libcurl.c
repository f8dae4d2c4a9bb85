/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl (built with OpenSSL) with completed chains.
 * usage: libcurl URL [ROOTS.pem] */
#include <curl/curl.h>
#include <stdio.h>

#include <chainmend/openssl.h>

static CURLcode complete(CURL *curl, void *ctx, void *completer)
{
	(void)curl;
	return cmend_ssl_ctx_complete(ctx, completer) ? CURLE_SSL_CERTPROBLEM
						      : CURLE_OK;
}

int main(int argc, char **argv)
{
	cmend_completer_options how = {.size = sizeof(how),
		.fetch = 1,
		.fetch_flags = CMEND_FETCH_PRIVATE}; /* a lab; else 0 */
	cmend_completer *completer = NULL;
	CURL *curl = curl_easy_init();
	CURLcode code;

	if (argc < 2 || !curl || cmend_completer_new(&how, &completer, NULL)) {
		fputs("usage: libcurl URL [ROOTS.pem]\n", stderr);
		return 2;
	}
	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	if (argc > 2)
		curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, complete);
	curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, completer);
	code = curl_easy_perform(curl);
	if (code)
		fprintf(stderr, "refused: %s\n", curl_easy_strerror(code));
	curl_easy_cleanup(curl); /* before the completer that it uses */
	cmend_completer_free(completer);
	return code ? 1 : 0;
}
