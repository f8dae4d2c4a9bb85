/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cursor.h"
#include "core/map.h"

#define MAGIC        "cmnd-pre"
#define VERSION      2
#define ENTRY_SIZE   ((size_t)CMI_SHA256_LEN + 8 + 4)
#define KEY_SIZE     ((size_t)8 + 4)
#define TEXT_MAX     ((size_t)1024)
#define HASH_OF_KEYS 8

struct cmi_preload {
	struct cmi_bytes file; /* mapped */
	size_t n, n_issuers;
	int64_t made_s;
	struct cmi_preload_origin origin;
	struct cmi_bytes entries, subjects, key_ids;
	pthread_mutex_t lock;  /* over parsed */
	struct cmi_map parsed; /* SHA-256 to cmi_cert, references held */
	struct cmi_source source;
};

struct entry {
	struct cmi_bytes sha256;
	uint64_t offset;
	uint32_t len;
};

/* The i-th record of a table, which the head has proven to be there. */
static struct cmi_cursor record(struct cmi_bytes table, size_t size, size_t i)
{
	struct cmi_cursor c = cmi_cursor_of(table);

	if (!cmi_cursor_skip(&c, i * size))
		c.n = 0;
	return c;
}

static bool read_entry(const struct cmi_preload *p, size_t i, struct entry *out)
{
	struct cmi_cursor c = record(p->entries, ENTRY_SIZE, i);

	return cmi_cursor_bytes(&c, CMI_SHA256_LEN, &out->sha256) &&
	       cmi_cursor_u64(&c, &out->offset) &&
	       cmi_cursor_u32(&c, &out->len);
}

static bool read_key(
	struct cmi_bytes table, size_t i, uint64_t *key, uint32_t *entry)
{
	struct cmi_cursor c = record(table, KEY_SIZE, i);

	return cmi_cursor_u64(&c, key) && cmi_cursor_u32(&c, entry);
}

static struct cmi_cert *keep_parsed(struct cmi_preload *p, struct cmi_cert *c)
{
	struct cmi_bytes key = {c->sha256, CMI_SHA256_LEN};

	pthread_mutex_lock(&p->lock);
	if (p->parsed.n < CMI_STORE_PARSED_MAX &&
		!cmi_map_get(&p->parsed, key) &&
		!cmi_map_put(&p->parsed, key, c, NULL))
		(void)cmi_cert_ref(c);
	pthread_mutex_unlock(&p->lock);
	return c;
}

static struct cmi_cert *find_parsed(
	struct cmi_preload *p, struct cmi_bytes sha256)
{
	struct cmi_cert *c;

	pthread_mutex_lock(&p->lock);
	c = cmi_cert_ref(cmi_map_get(&p->parsed, sha256));
	pthread_mutex_unlock(&p->lock);
	return c;
}

struct cmi_cert *cmi_preload_at(struct cmi_preload *p, size_t i)
{
	struct cmi_cursor c = cmi_cursor_of(p->file);
	struct cmi_cert *cert = NULL;
	struct cmi_bytes der;
	struct entry e;

	if (!read_entry(p, i, &e))
		return NULL;
	cert = find_parsed(p, e.sha256);
	if (cert)
		return cert;
	if (e.offset > p->file.n || !cmi_cursor_skip(&c, (size_t)e.offset) ||
		!cmi_cursor_bytes(&c, e.len, &der) ||
		cmi_cert_from_der(der, &cert, NULL))
		return NULL;
	if (memcmp(cert->sha256, e.sha256.p, CMI_SHA256_LEN) != 0) {
		cmi_cert_unref(cert);
		return NULL;
	}
	return keep_parsed(p, cert);
}

/* The first record of a table whose key is not below. */
static size_t lower_bound(
	const struct cmi_preload *p, struct cmi_bytes table, uint64_t key)
{
	size_t low = 0, high = p->n_issuers;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint32_t entry;
		uint64_t k = 0;

		if (read_key(table, middle, &k, &entry) && k < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Walk over the records with this key; NULL at the end. */
static struct cmi_cert *next_with(struct cmi_preload *p, struct cmi_bytes table,
	uint64_t key, size_t *at, bool *more)
{
	uint32_t entry;
	uint64_t k;

	*more = *at < p->n_issuers && read_key(table, *at, &k, &entry) &&
		k == key;
	++*at;
	return *more ? cmi_preload_at(p, entry) : NULL;
}

static cmend_status issuers_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_preload *p = ctx;
	size_t at = lower_bound(p, p->subjects, child->issuer_hash);
	unsigned left = CMI_STORE_CANDIDATES_MAX;
	bool more = true;

	(void)err;
	while (more && left-- > 0) {
		CMI_AUTO(cmi_cert_unrefp)
		struct cmi_cert *c = next_with(
			p, p->subjects, child->issuer_hash, &at, &more);

		if (c && cmi_cert_names_issuer(child, c))
			CMI_TRY(offer(offer_ctx, c, CMI_FROM_PRELOAD));
	}
	return CMEND_OK;
}

static uint64_t key_of_skid(struct cmi_bytes skid)
{
	uint8_t hash[CMI_SHA256_LEN];
	struct cmi_cursor c;
	uint64_t key = 0;

	cmi_sha256(skid, hash);
	c = cmi_cursor_of((struct cmi_bytes){hash, HASH_OF_KEYS});
	(void)cmi_cursor_u64(&c, &key);
	return key;
}

struct cmi_cert *cmi_preload_by_key_id(
	struct cmi_preload *p, struct cmi_bytes skid)
{
	uint64_t key = key_of_skid(skid);
	size_t at = lower_bound(p, p->key_ids, key);
	unsigned left = CMI_STORE_CANDIDATES_MAX;
	bool more = skid.n > 0;

	while (more && left-- > 0) {
		struct cmi_cert *c = next_with(p, p->key_ids, key, &at, &more);

		if (c && cmi_bytes_equal(c->skid, skid))
			return c;
		cmi_cert_unref(c);
	}
	return NULL;
}

struct cmi_cert *cmi_preload_by_sha256(
	struct cmi_preload *p, const uint8_t sha256[CMI_SHA256_LEN])
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct entry e;
		int order;

		if (!read_entry(p, middle, &e))
			return NULL;
		order = memcmp(e.sha256.p, sha256, CMI_SHA256_LEN);
		if (order == 0)
			return cmi_preload_at(p, middle);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static cmend_status map_file(
	const char *path, struct cmi_bytes *out, cmend_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = {0};
	void *p = MAP_FAILED;

	if (fd < 0)
		return cmi_fail(err,
			errno == ENOENT ? CMEND_NOT_FOUND : CMEND_IO,
			"cannot open \"%s\": %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		(uint64_t)st.st_size <= CMI_PRELOAD_MAX)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
			0);
	close(fd);
	if (p == MAP_FAILED)
		return cmi_fail(err, CMEND_PARSE,
			"\"%s\" is no file of known issuers", path);
	/* Look-ups jump: reading ahead would read it all. */
	(void)madvise(p, (size_t)st.st_size, MADV_RANDOM);
	*out = (struct cmi_bytes){p, (size_t)st.st_size};
	return CMEND_OK;
}

static bool read_text(struct cmi_cursor *c, struct cmi_bytes *out)
{
	uint32_t n;

	return cmi_cursor_u32(c, &n) && n <= TEXT_MAX &&
	       cmi_cursor_bytes(c, n, out);
}

static bool read_counts(
	struct cmi_cursor *c, uint32_t version, uint32_t *n, uint32_t *issuers)
{
	if (!cmi_cursor_u32(c, n) || *n > CMI_BUNDLE_CERTS_MAX)
		return false;
	*issuers = *n;
	return version == 1 || (cmi_cursor_u32(c, issuers) && *issuers <= *n);
}

static bool read_origin(
	struct cmi_cursor *c, uint32_t version, struct cmi_preload_origin *out)
{
	return read_text(c, &out->source) &&
	       (version == 1 || (read_text(c, &out->etag) &&
					read_text(c, &out->modified)));
}

static bool read_head(struct cmi_preload *p, uint32_t *version)
{
	struct cmi_cursor c = cmi_cursor_of(p->file);
	struct cmi_bytes magic;
	uint32_t n, issuers;
	uint64_t made;

	if (!cmi_cursor_bytes(&c, sizeof(MAGIC) - 1, &magic) ||
		!cmi_bytes_equal(magic, CMI_BYTES(MAGIC)) ||
		!cmi_cursor_u32(&c, version))
		return false;
	if (*version > VERSION)
		return true;
	if (!read_counts(&c, *version, &n, &issuers) ||
		!cmi_cursor_u64(&c, &made) ||
		!read_origin(&c, *version, &p->origin) ||
		!cmi_cursor_bytes(&c, n * ENTRY_SIZE, &p->entries) ||
		!cmi_cursor_bytes(&c, issuers * KEY_SIZE, &p->subjects) ||
		!cmi_cursor_bytes(&c, issuers * KEY_SIZE, &p->key_ids))
		return false;
	p->n = n;
	p->n_issuers = issuers;
	p->made_s = (int64_t)made;
	return true;
}

cmend_status cmi_preload_open(
	const char *path, struct cmi_preload **out, cmend_error *err)
{
	CMI_AUTO(cmi_preload_closep)
	struct cmi_preload *p = cmi_alloc(sizeof(*p));
	uint32_t version = 0;

	if (!p)
		return cmi_nomem(err);
	pthread_mutex_init(&p->lock, NULL);
	cmi_map_init(&p->parsed);
	p->source = (struct cmi_source){
		.origin = CMI_FROM_PRELOAD, .issuers_of = issuers_of, .ctx = p};
	CMI_TRY(map_file(path, &p->file, err));
	if (!read_head(p, &version))
		return cmi_fail(err, CMEND_PARSE,
			"\"%s\" is no file of known issuers, or is cut", path);
	if (version > VERSION)
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"\"%s\" was made by a newer chainmend", path);
	*out = CMI_TAKE(p);
	return CMEND_OK;
}

void cmi_preload_close(struct cmi_preload *p)
{
	struct cmi_cert *c;
	size_t at = 0;

	if (!p)
		return;
	while ((c = cmi_map_next(&p->parsed, &at)))
		cmi_cert_unref(c);
	cmi_map_dispose(&p->parsed);
	if (p->file.p)
		munmap((void *)p->file.p, p->file.n);
	pthread_mutex_destroy(&p->lock);
	cmi_free(p);
}

size_t cmi_preload_count(const struct cmi_preload *p)
{
	return p->n;
}

size_t cmi_preload_issuers(const struct cmi_preload *p)
{
	return p->n_issuers;
}

int64_t cmi_preload_made_s(const struct cmi_preload *p)
{
	return p->made_s;
}

const struct cmi_preload_origin *cmi_preload_origin(const struct cmi_preload *p)
{
	return &p->origin;
}

const struct cmi_source *cmi_preload_source(struct cmi_preload *p)
{
	return &p->source;
}

/* ---- Making one -------------------------------------------------------- */

struct key {
	uint64_t key;
	uint32_t entry;
};

struct item {
	const struct cmi_cert *cert;
	bool root;
};

static int by_sha256(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return memcmp(x->cert->sha256, y->cert->sha256, CMI_SHA256_LEN);
}

static int by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static cmend_status write_keys(const struct item *items, size_t n,
	uint64_t (*key_of)(const struct cmi_cert *c), struct cmi_buf *out,
	cmend_error *err)
{
	CMI_AUTO(cmi_freep)
	struct key *keys = n ? cmi_alloc_array(n, sizeof(*keys)) : NULL;
	size_t n_keys = 0;

	if (n && !keys)
		return cmi_nomem(err);
	for (size_t i = 0; i < n; i++)
		if (!items[i].root)
			keys[n_keys++] = (struct key){
				key_of(items[i].cert), (uint32_t)i};
	if (n_keys)
		qsort(keys, n_keys, sizeof(*keys), by_key);
	for (size_t i = 0; i < n_keys; i++) {
		cmi_buf_be(out, 8, keys[i].key);
		cmi_buf_be(out, 4, keys[i].entry);
	}
	return CMEND_OK;
}

static uint64_t subject_key(const struct cmi_cert *c)
{
	return c->subject_hash;
}

static uint64_t skid_key(const struct cmi_cert *c)
{
	return key_of_skid(c->skid);
}

static void write_text(struct cmi_buf *out, struct cmi_bytes text)
{
	if (text.n > TEXT_MAX)
		text.n = TEXT_MAX;
	cmi_buf_be(out, 4, text.n);
	cmi_buf_add_bytes(out, text);
}

static void write_head(struct cmi_buf *out, size_t n, size_t issuers,
	int64_t made_s, const struct cmi_preload_origin *from)
{
	cmi_buf_text(out, MAGIC);
	cmi_buf_be(out, 4, VERSION);
	cmi_buf_be(out, 4, n);
	cmi_buf_be(out, 4, issuers);
	cmi_buf_be(out, 8, (uint64_t)made_s);
	write_text(out, from->source);
	/* Half an ETag would never fit again. */
	write_text(out,
		from->etag.n <= TEXT_MAX ? from->etag : (struct cmi_bytes){0});
	write_text(out, from->modified);
}

static cmend_status write_tables(const struct item *items, size_t n,
	size_t issuers, struct cmi_buf *out, cmend_error *err)
{
	size_t offset = out->n + n * ENTRY_SIZE + 2 * issuers * KEY_SIZE;

	for (size_t i = 0; i < n; i++) {
		cmi_buf_add(out, items[i].cert->sha256, CMI_SHA256_LEN);
		cmi_buf_be(out, 8, offset);
		cmi_buf_be(out, 4, items[i].cert->der.n);
		offset += items[i].cert->der.n;
	}
	CMI_TRY(write_keys(items, n, subject_key, out, err));
	return write_keys(items, n, skid_key, out, err);
}

cmend_status cmi_preload_build(const struct cmi_cert_list *issuers,
	const struct cmi_cert_list *roots, int64_t made_s,
	const struct cmi_preload_origin *from, struct cmi_buf *out,
	cmend_error *err)
{
	size_t n = issuers->n + roots->n;
	CMI_AUTO(cmi_freep)
	struct item *items = cmi_alloc_array(n + 1, sizeof(*items));

	if (!items)
		return cmi_nomem(err);
	for (size_t i = 0; i < issuers->n; i++)
		items[i] = (struct item){issuers->certs[i], false};
	for (size_t i = 0; i < roots->n; i++)
		items[issuers->n + i] = (struct item){roots->certs[i], true};
	qsort(items, n, sizeof(*items), by_sha256);
	write_head(out, n, issuers->n, made_s, from);
	CMI_TRY(write_tables(items, n, issuers->n, out, err));
	for (size_t i = 0; i < n; i++)
		cmi_buf_add_bytes(out, items[i].cert->der);
	return cmi_buf_status(out, err);
}
