/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random meshes: each three bytes make one certificate of a small PKI (whose,
 * signed by whom, with what defect) and say where it is to be had.  Oracle:
 * libcrypto accepts every path that is taken, and where trying all paths finds
 * a good one, the search finds one.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "chain/search.h"
#include "core/cursor.h"
#include "fuzz.h"

#define CAS       5
#define CERTS_MAX 10
#define AT        ((int64_t)1780315200)
#define DAY       ((int64_t)86400)

enum defect {
	SOUND,
	EXPIRED,
	NO_CA,
	PATH_LEN_0,
	WRONG_KEY_ID,
	WRONG_KEY,
	DEFECTS
};
enum place { SENT, CHEAP, COSTLY, ANCHOR, PLACES };

/* Made when first wanted, kept for all inputs: signing is slow. */
static EVP_PKEY *keys[CAS + 1];
static struct cmi_cert *made[CAS + 1][CAS][DEFECTS];

struct mesh {
	struct cmi_cert *certs[CERTS_MAX];
	enum place places[CERTS_MAX];
	size_t n;
	struct cmi_trust *trust;
	struct cmi_cert *leaf;
};

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	FUZZ_CHECK(e && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void set_name(X509_NAME *name, unsigned who)
{
	char text[8];

	snprintf(text, sizeof(text), "CA%u", who);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)text, -1, -1, 0);
}

static void add_extensions(
	X509 *x, unsigned who, unsigned issuer, enum defect d)
{
	char id[16];

	add_extension(x, NID_basic_constraints,
		who == CAS || d == NO_CA ? "critical,CA:FALSE"
		: d == PATH_LEN_0        ? "critical,CA:TRUE,pathlen:0"
					 : "critical,CA:TRUE");
	snprintf(id, sizeof(id), "0a%02x", who);
	add_extension(x, NID_subject_key_identifier, id);
	/* keyIdentifier [0], as an authority's own code would write it. */
	{
		uint8_t der[] = {0x30, 4, 0x80, 2, 0x0a, (uint8_t)issuer};
		ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
		X509_EXTENSION *e;

		der[5] += d == WRONG_KEY_ID ? 0x40 : 0;
		FUZZ_CHECK(ASN1_OCTET_STRING_set(v, der, sizeof(der)));
		e = X509_EXTENSION_create_by_NID(
			NULL, NID_authority_key_identifier, 0, v);
		FUZZ_CHECK(e && X509_add_ext(x, e, -1) == 1);
		X509_EXTENSION_free(e);
		ASN1_OCTET_STRING_free(v);
	}
}

static EVP_PKEY *key_of(unsigned who)
{
	if (!keys[who])
		keys[who] = EVP_EC_gen("P-256");
	FUZZ_CHECK(keys[who]);
	return keys[who];
}

static struct cmi_cert *make(unsigned who, unsigned issuer, enum defect d)
{
	X509 *x = X509_new();
	unsigned signer = d == WRONG_KEY ? (issuer + 1) % CAS : issuer;
	struct cmi_cert *c = NULL;
	uint8_t *der = NULL;
	int n;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x),
		(long)(1 + who * 100 + issuer * 10 + d));
	set_name(X509_get_subject_name(x), who);
	set_name(X509_get_issuer_name(x), issuer);
	ASN1_TIME_set(X509_getm_notBefore(x), AT - 90 * DAY);
	ASN1_TIME_set(
		X509_getm_notAfter(x), d == EXPIRED ? AT - DAY : AT + 90 * DAY);
	X509_set_pubkey(x, key_of(who));
	add_extensions(x, who, issuer, d);
	FUZZ_CHECK(X509_sign(x, key_of(signer), EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	FUZZ_CHECK(cmi_cert_from_der((struct cmi_bytes){der, (size_t)n}, &c,
			   NULL) == CMEND_OK);
	OPENSSL_free(der);
	X509_free(x);
	return c;
}

static struct cmi_cert *cert_of(unsigned who, unsigned issuer, enum defect d)
{
	if (!made[who][issuer][d])
		made[who][issuer][d] = make(who, issuer, d);
	return made[who][issuer][d];
}

static void read_mesh(struct cmi_bytes in, struct mesh *m)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	uint8_t who, issuer, how;

	FUZZ_CHECK(cmi_trust_new("mesh", &m->trust, NULL) == CMEND_OK);
	m->leaf = cert_of(CAS, 0, SOUND);
	while (m->n < CERTS_MAX && cmi_cursor_u8(&c, &who) &&
		cmi_cursor_u8(&c, &issuer) && cmi_cursor_u8(&c, &how)) {
		struct cmi_cert *cert = cert_of(
			who % CAS, issuer % CAS, (enum defect)(how % DEFECTS));

		m->places[m->n] = (enum place)(how / DEFECTS % PLACES);
		m->certs[m->n++] = cert;
		if (m->places[m->n - 1] == ANCHOR)
			FUZZ_CHECK(cmi_trust_add(m->trust, cert, NULL) ==
				   CMEND_OK);
	}
}

static bool accepts(const struct cmi_path *path,
	const struct cmi_verdict_request *how, struct cmi_verdict *v)
{
	FUZZ_CHECK(cmi_verdict_path(path, how, v, NULL) == CMEND_OK);
	return v->accepted;
}

/* All simple paths by name, one after the other. */
static bool try_all(const struct mesh *m, struct cmi_path *path,
	const struct cmi_verdict_request *how)
{
	struct cmi_cert *last = path->certs[path->n - 1];
	struct cmi_verdict v;

	if (cmi_trust_has(m->trust, last) && accepts(path, how, &v))
		return true;
	for (size_t i = 0; i < m->n; i++) {
		bool loop = false;

		for (size_t j = 0; j < path->n; j++)
			loop |= cmi_cert_same_entity(
				path->certs[j], m->certs[i]);
		if (loop || !cmi_cert_names_issuer(last, m->certs[i]))
			continue;
		path->certs[path->n++] = m->certs[i];
		if (try_all(m, path, how))
			return true;
		path->n--;
	}
	return false;
}

static void offer(struct cmi_search *s, const struct mesh *m,
	const struct cmi_cert *child, enum place place)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->places[i] == place &&
			(!child || cmi_cert_names_issuer(child, m->certs[i])))
			FUZZ_CHECK(cmi_search_offer(s, m->certs[i],
					   place == SENT ? CMI_FROM_SENT
							 : CMI_FROM_CACHE,
					   NULL) == CMEND_OK);
}

static bool search(const struct mesh *m, const struct cmi_verdict_request *how)
{
	struct cmi_search_request request = {
		.leaf = m->leaf, .trust = m->trust, .judge = *how};
	struct cmi_search_answer a = {0};
	struct cmi_search *s = NULL;
	struct cmi_search_outcome o;
	struct cmi_verdict v;
	bool found = false;

	FUZZ_CHECK(cmi_search_new(&request, &s, NULL) == CMEND_OK);
	offer(s, m, NULL, SENT);
	for (unsigned steps = 0; !found; steps++) {
		FUZZ_CHECK(steps < 10000);
		FUZZ_CHECK(cmi_search_step(s, &a, NULL) == CMEND_OK);
		FUZZ_CHECK(a.kind != CMI_SEARCH_GAVE_UP);
		if (a.kind == CMI_SEARCH_EXHAUSTED)
			break;
		if (a.kind == CMI_SEARCH_NEED) {
			offer(s, m, a.child, a.costly ? COSTLY : CHEAP);
			cmi_search_supplied(s);
			continue;
		}
		FUZZ_CHECK(
			cmi_trust_has(m->trust, a.path->certs[a.path->n - 1]));
		found = accepts(a.path, how, &v);
		if (!found)
			FUZZ_CHECK(cmi_search_refuse(s, &v, NULL) == CMEND_OK);
	}
	cmi_search_conclude(s, &o);
	FUZZ_CHECK(found || (o.reason != CMI_F_NONE && o.about && o.says[0]));
	cmi_search_free(s);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_verdict_request how = {.at_s = AT, .security_level = 1};
	struct mesh m = {0};
	struct cmi_path path = {.n = 1};

	read_mesh((struct cmi_bytes){data, size}, &m);
	path.certs[0] = m.leaf;
	FUZZ_CHECK(search(&m, &how) == try_all(&m, &path, &how));
	cmi_trust_free(m.trust);
	return 0;
}
