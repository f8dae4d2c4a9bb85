/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/trust.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "core/map.h"

struct anchor {
	struct cmi_cert *cert;
	struct anchor *next; /* the same subject hash */
};

struct cmi_trust {
	char *name;
	struct cmi_cert_list list;
	struct cmi_map by_digest;  /* sha256 -> cmi_cert */
	struct cmi_map by_subject; /* subject_hash -> first anchor */
};

static struct cmi_bytes digest_key(const struct cmi_cert *c)
{
	return (struct cmi_bytes){c->sha256, sizeof(c->sha256)};
}

static struct cmi_bytes hash_key(const uint64_t *hash)
{
	return (struct cmi_bytes){(const uint8_t *)hash, sizeof(*hash)};
}

cmend_status cmi_trust_new(
	const char *name, struct cmi_trust **out, cmend_error *err)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = cmi_alloc(sizeof(*t));

	if (!t)
		return cmi_nomem(err);
	cmi_map_init(&t->by_digest);
	cmi_map_init(&t->by_subject);
	t->name = cmi_strdup(name);
	if (!t->name)
		return cmi_nomem(err);
	*out = CMI_TAKE(t);
	return CMEND_OK;
}

void cmi_trust_free(struct cmi_trust *t)
{
	struct anchor *a;
	size_t at = 0;

	if (!t)
		return;
	while ((a = cmi_map_next(&t->by_subject, &at)))
		while (a) {
			struct anchor *next = a->next;

			cmi_free(a);
			a = next;
		}
	cmi_map_dispose(&t->by_subject);
	cmi_map_dispose(&t->by_digest);
	cmi_cert_list_dispose(&t->list);
	cmi_free(t->name);
	cmi_free(t);
}

const char *cmi_trust_name(const struct cmi_trust *t)
{
	return t->name;
}

size_t cmi_trust_count(const struct cmi_trust *t)
{
	return t->list.n;
}

static struct anchor *anchors_named(
	const struct cmi_trust *t, const uint64_t *hash)
{
	return cmi_map_get(&t->by_subject, hash_key(hash));
}

/* Put behind the others of that name, so that they keep their order. */
static cmend_status index_anchor(
	struct cmi_trust *t, struct cmi_cert *cert, cmend_error *err)
{
	struct anchor *first = anchors_named(t, &cert->subject_hash);
	struct anchor *a = cmi_alloc(sizeof(*a));
	cmend_status status = CMEND_OK;

	if (!a)
		return cmi_nomem(err);
	a->cert = cert;
	if (!first)
		status = cmi_map_put(
			&t->by_subject, hash_key(&cert->subject_hash), a, err);
	if (status != CMEND_OK) {
		cmi_free(a);
		return status;
	}
	while (first && first->next)
		first = first->next;
	if (first)
		first->next = a;
	return CMEND_OK;
}

cmend_status cmi_trust_add(
	struct cmi_trust *t, struct cmi_cert *anchor, cmend_error *err)
{
	if (cmi_trust_has(t, anchor))
		return CMEND_OK;
	CMI_TRY(cmi_cert_list_add(&t->list, anchor, err));
	CMI_TRY(cmi_map_put(&t->by_digest, digest_key(anchor), anchor, err));
	return index_anchor(t, anchor, err);
}

static cmend_status add_file(
	struct cmi_trust *t, const char *path, cmend_error *err)
{
	CMI_AUTO(cmi_bundle_dispose) struct cmi_bundle b = {0};

	CMI_TRY(cmi_bundle_read_file(path, CMI_BUNDLE_CERTS_MAX, &b, err));
	for (size_t i = 0; i < b.list.n; i++)
		CMI_TRY(cmi_trust_add(t, b.list.certs[i], err));
	return CMEND_OK;
}

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* One entry of a directory: a file that holds certificates is read, whatever
 * else is there (a README, a CRL) is passed over. */
static cmend_status add_entry(struct cmi_trust *t, const char *dir,
	const char *name, cmend_error *err)
{
	CMI_AUTO(cmi_freep) char *path = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct stat st;
	cmend_status status;

	cmi_buf_init(&b, CMI_URL_MAX * 4);
	cmi_buf_printf(&b, "%s/%s", dir, name);
	CMI_TRY(cmi_buf_status(&b, err));
	path = cmi_buf_take_cstr(&b);
	if (!path)
		return cmi_nomem(err);
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return CMEND_OK;
	status = add_file(t, path, err);
	return status == CMEND_PARSE || status == CMEND_IO ? CMEND_OK : status;
}

static cmend_status add_directory(
	struct cmi_trust *t, const char *path, cmend_error *err)
{
	struct dirent **entries = NULL;
	/* Sorted: the order of anchors is the same on every machine. */
	int n = scandir(path, &entries, is_visible, alphasort);
	size_t had = t->list.n;
	cmend_status status = CMEND_OK;

	if (n < 0)
		return cmi_fail(err, CMEND_IO, "cannot list \"%s\": %s", path,
			strerror(errno));
	for (int i = 0; i < n; i++) {
		if (status == CMEND_OK)
			status = add_entry(t, path, entries[i]->d_name, err);
		cmi_free(entries[i]);
	}
	cmi_free(entries);
	if (status == CMEND_OK && t->list.n == had && had == 0)
		return cmi_fail(
			err, CMEND_PARSE, "no certificate in \"%s\"", path);
	return status;
}

cmend_status cmi_trust_add_path(
	struct cmi_trust *t, const char *path, cmend_error *err)
{
	struct stat st;

	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 &&
		S_ISDIR(st.st_mode))
		return add_directory(t, path, err);
	return add_file(t, path, err);
}

cmend_status cmi_trust_add_system(struct cmi_trust *t, cmend_error *err)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch */
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL */
		"/etc/pki/tls/certs/ca-bundle.crt", /* older RHEL */
		"/etc/ssl/ca-bundle.pem",           /* SUSE */
		"/etc/ssl/cert.pem",                /* Alpine, BSD, macOS */
		"/usr/local/share/certs/ca-root-nss.crt", /* FreeBSD */
		"/etc/ssl/certs",                         /* hashed only */
	};

	for (size_t i = 0; i < CMI_LEN(places); i++)
		if (access(places[i], R_OK) == 0)
			return cmi_trust_add_path(t, places[i], err);
	return cmi_fail(err, CMEND_NOT_FOUND,
		"no system roots found: install ca-certificates or name a "
		"file of roots");
}

bool cmi_trust_system_names_issuer(const struct cmi_cert *child)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/%08lx.0",
		X509_get_default_cert_dir(), X509_issuer_name_hash(child->x));

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

struct cmi_cert *cmi_trust_at(const struct cmi_trust *t, size_t i)
{
	return t->list.certs[i];
}

bool cmi_trust_has(const struct cmi_trust *t, const struct cmi_cert *c)
{
	return cmi_map_get(&t->by_digest, digest_key(c)) != NULL;
}

bool cmi_trust_has_entity(const struct cmi_trust *t, const struct cmi_cert *c)
{
	for (struct anchor *a = anchors_named(t, &c->subject_hash); a;
		a = a->next)
		if (cmi_cert_same_entity(a->cert, c))
			return true;
	return false;
}

size_t cmi_trust_issuers(const struct cmi_trust *t,
	const struct cmi_cert *child, struct cmi_cert **out, size_t n_out)
{
	size_t n = 0;

	for (struct anchor *a = anchors_named(t, &child->issuer_hash); a;
		a = a->next) {
		if (!cmi_cert_names_issuer(child, a->cert))
			continue;
		if (n < n_out)
			out[n] = a->cert;
		n++;
	}
	return n;
}
