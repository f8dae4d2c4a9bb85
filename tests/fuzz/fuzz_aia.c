/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to AIA requests.  The input is a certificate and what each of its
 * URLs answers: two octets of length and as many of certificate, then for each
 * answer one octet how it came (0: dead, 1: not now, else: a body), two of
 * length, and the body.  Oracle: what is offered bears the issuer's name, was
 * in an answer and has a URL; no URL is asked twice or beyond the ceiling; who
 * gets nothing is told why; and asking again neither fetches nor loses
 * anything.
 */
#include <string.h>

#include "core/cursor.h"
#include "fuzz.h"
#include "issuers/aia.h"
#include "x509/bundle.h"

#define ANSWERS_MAX 12

enum how { DEAD, NOT_NOW, BODY };

struct world {
	const struct cmi_cert *child;
	struct {
		enum how how;
		struct cmi_bytes body;
	} answers[ANSWERS_MAX];
	size_t n_answers;
	struct cmi_bundle certs[ANSWERS_MAX]; /* in the answers */
	struct cmi_cert_list offered;
	unsigned asked, waits; /* in all; and told to come again */
};

static size_t url_index(const struct cmi_cert *child, const char *url)
{
	for (size_t i = 0; i < child->n_aia_urls; i++)
		if (strcmp(child->aia_urls[i], url) == 0)
			return i;
	return child->n_aia_urls;
}

/* The k-th of the answers is the k-th URL's; beyond them all are dead. */
static cmend_status get(void *ctx, const char *url,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	struct world *w = ctx;
	size_t i = url_index(w->child, url);

	(void)err;
	FUZZ_CHECK(i < w->child->n_aia_urls && i < CMI_AIA_URLS_MAX);
	w->asked++;
	*answer = (struct cmi_fetch_answer){0};
	cmi_buf_init(&answer->body, CMI_AIA_BODY_MAX);
	snprintf(answer->url, sizeof(answer->url), "%s", url);
	if (i < w->n_answers && w->answers[i].how == NOT_NOW) {
		w->waits++;
		return CMEND_AGAIN;
	}
	if (i >= w->n_answers || w->answers[i].how == DEAD ||
		!w->answers[i].body.n) {
		answer->trouble = CMI_F_AIA_DEAD;
		snprintf(answer->says, sizeof(answer->says), "dead");
		return CMEND_NET;
	}
	answer->status = 200;
	cmi_buf_add(&answer->body, w->answers[i].body.p, w->answers[i].body.n);
	return cmi_buf_status(&answer->body, NULL);
}

static cmend_status take(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	struct world *w = ctx;
	bool was_answered = false;

	FUZZ_CHECK(origin == CMI_FROM_AIA);
	FUZZ_CHECK(cmi_cert_names_issuer(w->child, cert));
	for (size_t i = 0; i < w->n_answers && !was_answered; i++)
		was_answered = cmi_cert_list_has(&w->certs[i].list, cert);
	FUZZ_CHECK(was_answered);
	return cmi_cert_list_has(&w->offered, cert)
		       ? CMEND_OK
		       : cmi_cert_list_add(&w->offered, cert, NULL);
}

static void ask(const struct cmi_source *source, struct world *w)
{
	size_t before = w->offered.n;
	char says[200] = "";

	FUZZ_CHECK(source->issuers_of(source->ctx, w->child, take, w, NULL) ==
		   CMEND_OK);
	FUZZ_CHECK(w->asked <= CMI_AIA_URLS_MAX || w->waits);
	FUZZ_CHECK(w->offered.n >= before &&
		   w->offered.n <= CMI_AIA_URLS_MAX * CMI_AIA_CERTS_MAX);
	FUZZ_CHECK(w->offered.n || w->waits ||
		   (source->last_trouble(source->ctx, says, sizeof(says)) !=
				   CMI_F_NONE &&
			   says[0]));
}

static void judge(struct world *w)
{
	const struct cmi_aia_transport transport = {.get = get, .ctx = w};
	const struct cmi_source *source;
	struct cmi_aia *a = NULL;
	size_t all;
	unsigned asked;

	FUZZ_CHECK(cmi_aia_new(&transport, NULL, NULL, &a, NULL) == CMEND_OK);
	source = cmi_aia_source(a);
	/* Each time it may go on with the URLs that are left. */
	do {
		asked = w->asked;
		ask(source, w);
	} while (w->asked > asked && !w->waits);
	/* Nothing is left: all of it comes again, and nothing else. */
	all = w->offered.n;
	cmi_cert_list_dispose(&w->offered);
	w->offered = (struct cmi_cert_list){0};
	if (!w->waits) {
		ask(source, w);
		FUZZ_CHECK(w->asked == asked && w->offered.n == all);
	}
	cmi_aia_free(a);
}

static bool read_block(struct cmi_cursor *c, struct cmi_bytes *out)
{
	uint16_t n;

	return cmi_cursor_u16(c, &n) && cmi_cursor_bytes(c, n, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_cert *child = NULL;
	struct world w = {0};
	struct cmi_bytes der;
	uint8_t how;

	if (!read_block(&c, &der) ||
		cmi_cert_from_der(der, &child, NULL) != CMEND_OK)
		return 0;
	while (w.n_answers < ANSWERS_MAX && cmi_cursor_u8(&c, &how) &&
		read_block(&c, &w.answers[w.n_answers].body))
		w.answers[w.n_answers++].how = how < BODY ? how : BODY;
	for (size_t i = 0; i < w.n_answers; i++)
		if (w.answers[i].how == BODY)
			(void)!cmi_bundle_read(w.answers[i].body,
				CMI_AIA_CERTS_MAX, &w.certs[i], NULL);
	w.child = child;
	judge(&w);
	cmi_cert_list_dispose(&w.offered);
	for (size_t i = 0; i < w.n_answers; i++)
		cmi_bundle_dispose(&w.certs[i]);
	cmi_cert_unref(child);
	return 0;
}
