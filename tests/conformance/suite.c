/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <zlib.h>

#include "core/text.h"

#define SUITE_MAX ((size_t)256 << 20)

static bool read_gz(const char *path, struct cmi_buf *out)
{
	gzFile f = gzopen(path, "rb");
	int got = -1;

	while (f) {
		uint8_t *to = cmi_buf_reserve(out, 1 << 20);

		got = to ? gzread(f, to, 1 << 20) : -1;
		if (got <= 0)
			break;
		cmi_buf_used(out, (size_t)got);
	}
	if (f)
		gzclose(f);
	return got == 0;
}

json_t *suite_load(const char *path)
{
	struct cmi_buf b;
	json_error_t why;
	json_t *doc = NULL;

	cmi_buf_init(&b, SUITE_MAX);
	if (!read_gz(path, &b))
		fprintf(stderr, "run-suite: cannot read %s\n", path);
	else
		doc = json_loadb((char *)b.p, b.n, 0, &why);
	if (!doc && b.n)
		fprintf(stderr, "run-suite: %s: %s\n", path, why.text);
	cmi_buf_dispose(&b);
	return doc;
}

static bool read_cert(json_t *pem, struct cmi_cert **out, cmend_error *err)
{
	struct cmi_bundle b = {0};
	bool good;

	good = json_is_string(pem) &&
	       cmi_bundle_read(cmi_bytes_of(json_string_value(pem)), 1, &b,
		       err) == CMEND_OK &&
	       b.list.n == 1;
	if (good)
		*out = cmi_cert_ref(b.list.certs[0]);
	cmi_bundle_dispose(&b);
	return good;
}

static void read_leaf(json_t *from, struct suite_case *c)
{
	cmend_error why = {0};

	if (!read_cert(
		    json_object_get(from, "peer_certificate"), &c->leaf, &why))
		snprintf(c->leaf_says, sizeof(c->leaf_says), "%.199s",
			why.message);
}

/* Intermediates that cannot be read are left out, as the protocol says. */
static void read_list(json_t *pems, struct cmi_cert_list *out)
{
	json_t *pem;
	size_t i;

	json_array_foreach(pems, i, pem)
	{
		CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;

		if (i < CASE_CERTS_MAX && read_cert(pem, &cert, NULL) &&
			cmi_cert_list_add(out, cert, NULL) != CMEND_OK)
			abort();
	}
}

static void read_trust(json_t *pems, struct suite_case *c)
{
	struct cmi_cert_list anchors = {0};

	if (cmi_trust_new("suite", &c->trust, NULL) != CMEND_OK)
		abort();
	read_list(pems, &anchors);
	for (size_t i = 0; i < anchors.n; i++)
		if (cmi_trust_add(c->trust, anchors.certs[i], NULL) != CMEND_OK)
			abort();
	cmi_cert_list_dispose(&anchors);
}

static X509_CRL *read_crl(const char *text)
{
	BIO *bio = text ? BIO_new_mem_buf(text, -1) : NULL;
	X509_CRL *crl =
		bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return crl;
}

/* A list that cannot be read is none; but the case still asks for one. */
static void read_crls(json_t *pems, struct suite_case *c)
{
	json_t *pem;
	size_t i;

	c->crls =
		cmi_alloc_array(json_array_size(pems) + 1, sizeof(X509_CRL *));
	if (!c->crls)
		abort();
	json_array_foreach(pems, i, pem)
	{
		X509_CRL *crl = read_crl(json_string_value(pem));

		c->crls[c->n_crls++] = crl ? crl : X509_CRL_new();
	}
}

static void read_name(json_t *from, struct suite_case *c)
{
	static const struct {
		const char *word;
		enum name_kind kind;
	} kinds[] = {
		{"DNS", NAME_DNS}, {"IP", NAME_IP}, {"RFC822", NAME_EMAIL}};
	const char *kind = json_string_value(json_object_get(from, "kind"));
	struct expected_name *n = &c->names[c->n_names];

	if (!kind || c->n_names == CMI_LEN(c->names))
		return;
	*n = (struct expected_name){.kind = NAME_OTHER,
		.value = json_string_value(json_object_get(from, "value"))};
	for (size_t i = 0; i < CMI_LEN(kinds); i++)
		if (strcmp(kinds[i].word, kind) == 0)
			n->kind = kinds[i].kind;
	c->n_names += n->value != NULL;
}

static void read_names(json_t *from, struct suite_case *c)
{
	json_t *names = json_object_get(from, "expected_peer_names"), *name;
	size_t i;

	read_name(json_object_get(from, "expected_peer_name"), c);
	json_array_foreach(names, i, name) read_name(name, c);
}

/* "2024-01-01T00:00:00+00:00": the suites write UTC so.  A part of a second
 * more is the same second, and an offset is taken off. */
static bool read_time(json_t *from, int64_t *out)
{
	const char *text = json_string_value(from), *zone;
	struct cmi_bytes v = cmi_bytes_of(text);
	int hours = 0, minutes = 0;
	char z[CMI_TIME_TEXT], sign = '+';

	if (!text) {
		*out = (int64_t)time(NULL);
		return true;
	}
	if (v.n < 19)
		return false;
	snprintf(z, sizeof(z), "%.19sZ", text);
	if (!cmi_time_parse(cmi_bytes_of(z), out))
		return false;
	zone = strpbrk(text + 19, "+-Z");
	if (zone && *zone != 'Z' &&
		sscanf(zone, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
		return false;
	*out -= (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
	return true;
}

static enum cmi_purpose read_purpose(json_t *from)
{
	json_t *usages = json_object_get(from, "extended_key_usage"), *usage;
	const char *kind =
		json_string_value(json_object_get(from, "validation_kind"));
	size_t i;

	json_array_foreach(usages, i, usage)
	{
		const char *word = json_string_value(usage);

		if (word && strcmp(word, "anyExtendedKeyUsage") == 0)
			return CMI_FOR_ANY;
	}
	return kind && strcmp(kind, "CLIENT") == 0 ? CMI_FOR_CLIENT
						   : CMI_FOR_SERVER;
}

static void read_depth(json_t *from, struct suite_case *c)
{
	json_t *n = json_object_get(from, "max_chain_depth");

	if (!json_is_integer(n) || json_integer_value(n) < 0)
		return;
	c->limit_intermediates = true;
	c->max_intermediates = (unsigned)json_integer_value(n);
}

static void read_policies(json_t *from, struct suite_case *c)
{
	json_t *p = json_object_get(from, "policy"), *oid;
	size_t i;

	if (!json_is_object(p))
		return;
	c->has_policies = true;
	json_array_foreach(json_object_get(p, "initial_policy_set"), i, oid)
	{
		if (c->policies.n_oids < CMI_LEN(c->policy_oids) &&
			json_is_string(oid))
			c->policy_oids[c->policies.n_oids++] =
				json_string_value(oid);
	}
	c->policies.oids = c->policy_oids;
	c->policies.explicit_policy =
		json_is_true(json_object_get(p, "explicit"));
	c->policies.inhibit_mapping =
		json_is_true(json_object_get(p, "inhibit_mapping"));
	c->policies.inhibit_any =
		json_is_true(json_object_get(p, "inhibit_any"));
}

bool suite_read_case(json_t *from, struct suite_case *out)
{
	*out = (struct suite_case){0};
	out->id = json_string_value(json_object_get(from, "id"));
	if (!out->id || !read_time(json_object_get(from, "validation_time"),
				&out->at_s))
		return false;
	out->purpose = read_purpose(from);
	read_depth(from, out);
	out->aia = json_object_get(from, "aia");
	out->key_usage = json_object_get(from, "key_usage");
	out->extended_key_usage = json_object_get(from, "extended_key_usage");
	out->signature_algorithms =
		json_object_get(from, "signature_algorithms");
	read_names(from, out);
	read_leaf(from, out);
	read_list(json_object_get(from, "untrusted_intermediates"), &out->sent);
	read_trust(json_object_get(from, "trusted_certs"), out);
	read_crls(json_object_get(from, "crls"), out);
	read_policies(from, out);
	return true;
}

void suite_case_dispose(struct suite_case *c)
{
	cmi_cert_unref(c->leaf);
	cmi_cert_list_dispose(&c->sent);
	cmi_trust_free(c->trust);
	for (size_t i = 0; i < c->n_crls; i++)
		X509_CRL_free(c->crls[i]);
	cmi_free(c->crls);
}

bool suite_has_name(
	const struct cmi_cert *leaf, const struct expected_name *name)
{
	bool found = false;

	switch (name->kind) {
	case NAME_DNS:
	case NAME_IP:
		return cmi_cert_matches_host(leaf, name->value, true);
	case NAME_EMAIL:
		found = X509_check_email(leaf->x, name->value, 0,
				X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) == 1;
		ERR_clear_error();
		break;
	case NAME_OTHER:
		break;
	}
	return found;
}
