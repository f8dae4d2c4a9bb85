/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/pool.h"

#include <pthread.h>

#include "core/map.h"

struct cmi_pool {
	pthread_mutex_t lock;
	struct cmi_map by_digest; /* sha256 -> cert */
	struct cmi_cert **ring;   /* references, the oldest at next */
	size_t n, max, next;
};

cmend_status cmi_pool_new(size_t max, struct cmi_pool **out, cmend_error *err)
{
	CMI_AUTO(cmi_pool_freep) struct cmi_pool *p = cmi_alloc(sizeof(*p));

	if (!p)
		return cmi_nomem(err);
	pthread_mutex_init(&p->lock, NULL);
	cmi_map_init(&p->by_digest);
	p->max = max ? max : CMI_POOL_CERTS;
	p->ring = cmi_alloc_array(p->max, sizeof(struct cmi_cert *));
	if (!p->ring)
		return cmi_nomem(err);
	*out = CMI_TAKE(p);
	return CMEND_OK;
}

void cmi_pool_free(struct cmi_pool *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		cmi_cert_unref(p->ring[i]);
	cmi_free(p->ring);
	cmi_map_dispose(&p->by_digest);
	pthread_mutex_destroy(&p->lock);
	cmi_free(p);
}

static struct cmi_bytes key_of(const struct cmi_cert *c)
{
	return (struct cmi_bytes){c->sha256, CMI_SHA256_LEN};
}

static struct cmi_cert *find(struct cmi_pool *p, struct cmi_bytes der)
{
	uint8_t digest[CMI_SHA256_LEN];
	struct cmi_cert *c;

	cmi_sha256(der, digest);
	pthread_mutex_lock(&p->lock);
	c = cmi_cert_ref(cmi_map_get(
		&p->by_digest, (struct cmi_bytes){digest, sizeof(digest)}));
	pthread_mutex_unlock(&p->lock);
	/* A digest of nothing is what a failed digest looks like. */
	if (c && cmi_bytes_equal(c->der, der))
		return c;
	cmi_cert_unref(c);
	return NULL;
}

/* Without memory it is simply not kept. */
static void keep(struct cmi_pool *p, struct cmi_cert *c)
{
	struct cmi_cert *oldest = NULL;

	pthread_mutex_lock(&p->lock);
	if (!cmi_map_get(&p->by_digest, key_of(c)) &&
		cmi_map_put(&p->by_digest, key_of(c), c, NULL) == CMEND_OK) {
		if (p->n == p->max) {
			oldest = p->ring[p->next];
			cmi_map_remove(&p->by_digest, key_of(oldest));
		} else {
			p->n++;
		}
		p->ring[p->next] = cmi_cert_ref(c);
		p->next = (p->next + 1) % p->max;
	}
	pthread_mutex_unlock(&p->lock);
	cmi_cert_unref(oldest);
}

cmend_status cmi_pool_cert(struct cmi_pool *p, struct cmi_bytes der,
	struct cmi_cert **out, cmend_error *err)
{
	struct cmi_cert *c = p && der.n ? find(p, der) : NULL;

	if (!c) {
		CMI_TRY(cmi_cert_from_der(der, &c, err));
		if (p && c->ca)
			keep(p, c);
	}
	*out = c;
	return CMEND_OK;
}

size_t cmi_pool_count(struct cmi_pool *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->n;
	pthread_mutex_unlock(&p->lock);
	return n;
}
