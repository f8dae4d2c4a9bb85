/* SPDX-License-Identifier: Apache-2.0 */
#include "api/openssl_recent.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

#include "core/limits.h"
#include "core/mem.h"

#define DIGEST_LEN 32

struct chain {
	uint8_t leaf[DIGEST_LEN];
	STACK_OF(X509) * path; /* NULL: an empty place */
	char *says;
};

struct cmi_recent {
	pthread_mutex_t lock;
	struct chain chains[CMI_RECENT_CHAINS_MAX];
	size_t next; /* the oldest */
};

struct cmi_recent *cmi_recent_new(void)
{
	struct cmi_recent *r = cmi_alloc(sizeof(*r));

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void forget(struct chain *c)
{
	sk_X509_pop_free(c->path, X509_free);
	cmi_free(c->says);
	*c = (struct chain){0};
}

void cmi_recent_free(struct cmi_recent *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < CMI_RECENT_CHAINS_MAX; i++)
		forget(&r->chains[i]);
	pthread_mutex_destroy(&r->lock);
	cmi_free(r);
}

static bool digest_of(X509 *x, uint8_t out[DIGEST_LEN])
{
	unsigned n = DIGEST_LEN;

	return X509_digest(x, EVP_sha256(), out, &n) == 1 && n == DIGEST_LEN;
}

static struct chain *find(struct cmi_recent *r, const uint8_t leaf[DIGEST_LEN])
{
	for (size_t i = 0; i < CMI_RECENT_CHAINS_MAX; i++)
		if (r->chains[i].path &&
			memcmp(r->chains[i].leaf, leaf, DIGEST_LEN) == 0)
			return &r->chains[i];
	return NULL;
}

STACK_OF(X509) * cmi_recent_get(struct cmi_recent *r, X509 *leaf, char **says)
{
	STACK_OF(X509) *path = NULL;
	uint8_t digest[DIGEST_LEN];
	struct chain *c;

	*says = NULL;
	if (!r || !digest_of(leaf, digest))
		return NULL;
	pthread_mutex_lock(&r->lock);
	c = find(r, digest);
	if (c) {
		path = X509_chain_up_ref(c->path);
		*says = c->says ? cmi_strdup(c->says) : NULL;
	}
	pthread_mutex_unlock(&r->lock);
	return path;
}

void cmi_recent_put(struct cmi_recent *r, X509 *leaf,
	const STACK_OF(X509) * path, const char *says)
{
	struct chain fresh = {0}, *c;

	if (!r || !digest_of(leaf, fresh.leaf))
		return;
	fresh.path = X509_chain_up_ref((STACK_OF(X509) *)path);
	if (!fresh.path)
		return;
	fresh.says = says ? cmi_strdup(says) : NULL;
	pthread_mutex_lock(&r->lock);
	c = find(r, fresh.leaf);
	if (!c) {
		c = &r->chains[r->next];
		r->next = (r->next + 1) % CMI_RECENT_CHAINS_MAX;
	}
	forget(c);
	*c = fresh;
	pthread_mutex_unlock(&r->lock);
}
