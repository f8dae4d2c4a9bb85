/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/profiles.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/text.h"

void cmi_root_pool_init(struct cmi_root_pool *p)
{
	*p = (struct cmi_root_pool){0};
	cmi_map_init(&p->by_sha256);
}

void cmi_root_pool_dispose(struct cmi_root_pool *p)
{
	cmi_map_dispose(&p->by_sha256);
	cmi_cert_list_dispose(&p->list);
}

cmend_status cmi_root_pool_add(struct cmi_root_pool *p,
	struct cmi_cert *const *certs, size_t n, cmend_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct cmi_bytes key = {certs[i]->sha256, CMI_SHA256_LEN};

		if (cmi_map_get(&p->by_sha256, key))
			continue;
		CMI_TRY(cmi_cert_list_add(&p->list, certs[i], err));
		CMI_TRY(cmi_map_put(&p->by_sha256, key, certs[i], err));
	}
	return CMEND_OK;
}

struct cmi_cert *cmi_root_pool_find(
	struct cmi_root_pool *p, const uint8_t sha256[CMI_SHA256_LEN])
{
	struct cmi_cert *c = cmi_map_get(
		&p->by_sha256, (struct cmi_bytes){sha256, CMI_SHA256_LEN});

	if (c || !p->known)
		return c;
	c = cmi_preload_by_sha256(p->known, sha256);
	if (c && cmi_root_pool_add(p, &c, 1, NULL)) {
		cmi_cert_unref(c);
		return NULL;
	}
	cmi_cert_unref(c); /* the pool has its own */
	return c;
}

void cmi_profile_free(struct cmi_profile *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_sources; i++)
		cmi_free(p->sources[i]);
	for (size_t i = 0; i < p->n_roots; i++)
		cmi_cert_unref(p->roots[i].cert);
	cmi_free(p->roots);
	cmi_free(p->name);
	cmi_free(p->title);
	cmi_free(p->date);
	cmi_free(p->note);
	cmi_free(p->list_path);
	cmi_trust_free(p->trust);
	cmi_free(p);
}

static int by_digest(const void *a, const void *b)
{
	const struct cmi_profile_root *x = a, *y = b;

	return memcmp(x->sha256, y->sha256, CMI_SHA256_LEN);
}

const struct cmi_profile_root *cmi_profile_root_of(
	const struct cmi_profile *p, const struct cmi_cert *c)
{
	struct cmi_profile_root key = {0};

	if (!p->n_roots)
		return NULL;
	memcpy(key.sha256, c->sha256, CMI_SHA256_LEN);
	return bsearch(
		&key, p->roots, p->n_roots, sizeof(*p->roots), by_digest);
}

static bool in_path(char *out, size_t n_out, const char *dir, const char *name,
	const char *suffix)
{
	int n = snprintf(out, n_out, "%s/%s%s", dir, name, suffix);

	return n > 0 && (size_t)n < n_out;
}

static struct cmi_cert *find_root(struct cmi_root_pool *beside,
	struct cmi_root_pool *pool, const uint8_t sha256[CMI_SHA256_LEN])
{
	struct cmi_cert *c = cmi_root_pool_find(beside, sha256);

	return c ? c : cmi_root_pool_find(pool, sha256);
}

/* The certificates of the list, from the .pem beside it or the pool.  The
 * list decides: what the .pem has beyond it is counted, and not trusted. */
static cmend_status resolve(struct cmi_profile *p, struct cmi_root_pool *beside,
	struct cmi_root_pool *pool, cmend_error *err)
{
	if (p->n_roots)
		qsort(p->roots, p->n_roots, sizeof(*p->roots), by_digest);
	for (size_t i = 0; i < p->n_roots; i++) {
		struct cmi_profile_root *r = &p->roots[i];

		if (r->blocked)
			continue;
		r->cert = cmi_cert_ref(find_root(beside, pool, r->sha256));
		if (r->cert)
			CMI_TRY(cmi_trust_add(p->trust, r->cert, err));
		else
			p->n_absent++;
	}
	for (size_t i = 0; i < beside->list.n; i++)
		p->n_unlisted += !cmi_profile_root_of(p, beside->list.certs[i]);
	return CMEND_OK;
}

/* Roots given as certificates alone: all of them count. */
static cmend_status take_all(struct cmi_profile *p,
	const struct cmi_cert_list *list, cmend_error *err)
{
	size_t cap = p->n_roots;

	for (size_t i = 0; i < list->n; i++) {
		struct cmi_cert *c = list->certs[i];
		struct cmi_profile_root *root;

		CMI_TRY(cmi_trust_add(p->trust, c, err));
		CMI_TRY(CMI_GROW(&p->roots, &cap, p->n_roots + 1,
			CMI_PROFILE_ROOTS_MAX, err));
		root = &p->roots[p->n_roots++];
		*root = (struct cmi_profile_root){0};
		memcpy(root->sha256, c->sha256, CMI_SHA256_LEN);
		root->cert = cmi_cert_ref(c);
	}
	if (p->n_roots)
		qsort(p->roots, p->n_roots, sizeof(*p->roots), by_digest);
	return CMEND_OK;
}

/* NAME.pem; no such file is an empty one. */
static cmend_status read_beside(
	const char *path, struct cmi_root_pool *out, cmend_error *err)
{
	struct cmi_bundle b = {0};
	cmend_status status;

	if (access(path, R_OK) != 0)
		return CMEND_OK;
	status = cmi_bundle_read_file(path, CMI_PROFILE_ROOTS_MAX, &b, err);
	if (status == CMEND_OK)
		status = cmi_root_pool_add(out, b.list.certs, b.list.n, err);
	cmi_bundle_dispose(&b);
	return status;
}

static cmend_status read_text(
	const char *path, struct cmi_buf *out, cmend_error *err)
{
	cmi_buf_clear(out);
	return cmi_file_read(path, out, err);
}

static cmend_status load_lists(struct cmi_profile *p, const char *dir,
	struct cmi_root_pool *beside, struct cmi_root_pool *pool,
	struct cmi_buf *text, cmend_error *err)
{
	char path[4096];

	if (!in_path(path, sizeof(path), dir, p->name, ".pem"))
		return cmi_fail(err, CMEND_ARG, "path too long");
	CMI_TRY(read_beside(path, beside, err));
	if (!p->list_path && beside->list.n) {
		p->list_path = cmi_strdup(path);
		return p->list_path ? take_all(p, &beside->list, err)
				    : cmi_nomem(err);
	}
	if (!p->list_path)
		return CMEND_OK;
	if (!in_path(path, sizeof(path), dir, p->list_path, ""))
		return cmi_fail(err, CMEND_ARG, "path too long");
	CMI_TRY(read_text(path, text, err));
	CMI_TRY(cmi_profile_parse_roots(cmi_buf_view(text), path, p, err));
	return resolve(p, beside, pool, err);
}

static cmend_status load(struct cmi_profile *p, const char *dir,
	struct cmi_root_pool *pool, struct cmi_buf *text, cmend_error *err)
{
	struct cmi_root_pool beside;
	char path[4096];
	cmend_status status;

	if (!in_path(path, sizeof(path), dir, p->name, ".ini"))
		return cmi_fail(err, CMEND_ARG, "path too long");
	CMI_TRY(read_text(path, text, err));
	CMI_TRY(cmi_profile_parse(cmi_buf_view(text), path, p, err));
	CMI_TRY(cmi_trust_new(p->title, &p->trust, err));
	cmi_root_pool_init(&beside);
	status = load_lists(p, dir, &beside, pool, text, err);
	cmi_root_pool_dispose(&beside);
	return status;
}

static bool good_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789._-");

	return n && !name[n] && name[0] != '.' && n < 100;
}

cmend_status cmi_profile_load(const char *dir, const char *name,
	struct cmi_root_pool *pool, struct cmi_profile **out, cmend_error *err)
{
	CMI_AUTO(cmi_profile_freep) struct cmi_profile *p = NULL;
	struct cmi_buf text;
	char path[4096];
	cmend_status status;

	if (!good_name(name))
		return cmi_fail(err, CMEND_NOT_FOUND,
			"a profile's name has letters, digits, dots and "
			"hyphens");
	if (!in_path(path, sizeof(path), dir, name, ".ini") ||
		access(path, F_OK) != 0)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"there is no profile \"%s\"", name);
	p = cmi_alloc(sizeof(*p));
	if (!p)
		return cmi_nomem(err);
	p->name = cmi_strdup(name);
	if (!p->name)
		return cmi_nomem(err);
	cmi_buf_init(&text, (size_t)4 << 20);
	status = load(p, dir, pool, &text, err);
	cmi_buf_dispose(&text);
	if (status == CMEND_OK)
		*out = CMI_TAKE(p);
	return status;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_names(DIR *d, char **names, size_t n_names, size_t *n)
{
	const struct dirent *e;

	while (*n < n_names && (e = readdir(d))) {
		size_t length = strlen(e->d_name);

		if (length < 5 || strcmp(e->d_name + length - 4, ".ini") != 0)
			continue;
		names[*n] = cmi_strndup(e->d_name, length - 4);
		if (names[*n] && good_name(names[*n]))
			(*n)++;
		else
			cmi_free(names[*n]);
	}
}

cmend_status cmi_profile_names(const char *dir, char **names, size_t n_names,
	size_t *n, cmend_error *err)
{
	DIR *d = opendir(dir);

	*n = 0;
	if (!d && errno == ENOENT)
		return CMEND_OK;
	if (!d)
		return cmi_fail(err, CMEND_IO, "cannot read \"%s\": %s", dir,
			strerror(errno));
	take_names(d, names, n_names, n);
	closedir(d);
	qsort(names, *n, sizeof(*names), by_name);
	return CMEND_OK;
}
