/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/key.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/file.h"

/* Room for the largest private keys with certificates around them. */
#define KEY_FILE_MAX ((size_t)1 << 20)

/* Asked for a pass phrase: there is nobody to ask, remember that. */
static int no_pass_phrase(char *buf, int size, int writing, void *asked)
{
	(void)buf, (void)size, (void)writing;
	*(bool *)asked = true;
	return 0;
}

static EVP_PKEY *read_key(struct cmi_bytes in, bool *encrypted)
{
	EVP_PKEY *key = NULL;
	BIO *bio = BIO_new_mem_buf(in.p, (int)in.n);
	const uint8_t *p = in.p;

	if (!bio)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, encrypted);
	BIO_free(bio);
	if (!key && !*encrypted)
		key = d2i_AutoPrivateKey(NULL, &p, (long)in.n);
	return key;
}

cmend_status cmi_key_file_matches(const char *path, const struct cmi_cert *c,
	bool *matches, cmend_error *err)
{
	struct cmi_buf file;
	cmend_status status;
	EVP_PKEY *key = NULL, *public_key;
	bool encrypted = false;

	cmi_buf_init_secret(&file, KEY_FILE_MAX);
	status = cmi_file_read(path, &file, err);
	ERR_set_mark();
	if (status == CMEND_OK)
		key = read_key(cmi_buf_view(&file), &encrypted);
	cmi_buf_dispose(&file);
	if (status == CMEND_OK && !key)
		status = encrypted ? cmi_fail(err, CMEND_UNSUPPORTED,
					     "the key in \"%s\" is encrypted: "
					     "decrypt it first, such as with "
					     "openssl pkey",
					     path)
				   : cmi_fail(err, CMEND_PARSE,
					     "no private key in \"%s\"", path);
	public_key = X509_get0_pubkey(c->x);
	if (status == CMEND_OK)
		*matches = public_key && EVP_PKEY_eq(public_key, key) == 1;
	EVP_PKEY_free(key);
	ERR_pop_to_mark();
	return status;
}
