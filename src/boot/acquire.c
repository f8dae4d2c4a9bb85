/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/acquire.h"

#include <stdio.h>
#include <string.h>

#include "boot/first_use.h"
#include "boot/http.h"
#include "boot/soap.h"
#include "issuers/fetch.h"

const char *cmi_firmware_name(enum cmi_firmware f)
{
	return f == CMI_FIRMWARE_BROKEN ? "broken" : "fixed";
}

const char *cmi_way_name(enum cmi_way w)
{
	static const char *const names[] = {[CMI_WAY_PIN] = "pin",
		[CMI_WAY_USB] = "usb",
		[CMI_WAY_CERTIFICATE] = "certificate"};

	return names[w];
}

struct cmi_acquire_plan cmi_acquire_plan_for(
	enum cmi_firmware firmware, enum cmi_way way)
{
	static const struct cmi_acquire_plan plans[2][3] = {
		[CMI_FIRMWARE_FIXED] =
			{
				[CMI_WAY_PIN] = {.aia = true, .port80 = true},
				[CMI_WAY_USB] = {.aia = true, .port80 = true},
				[CMI_WAY_CERTIFICATE] = {.aia = true,
					.port80 = true},
			},
		[CMI_FIRMWARE_BROKEN] =
			{
				[CMI_WAY_PIN] = {.port80_first = true},
				[CMI_WAY_USB] = {.port80_first = false},
				[CMI_WAY_CERTIFICATE] = {.port80_first = false},
			},
	};

	return plans[firmware][way];
}

void cmi_acquire_forget(struct cmi_acquire *a)
{
	if (a->judged)
		cmi_complete_result_dispose(&a->last);
	a->judged = false;
	a->last = (struct cmi_complete_result){0};
}

void cmi_acquire_dispose(struct cmi_acquire *a)
{
	cmi_cert_list_dispose(&a->usable);
	cmi_cert_list_dispose(&a->came);
	cmi_cert_unref(a->pinned);
	a->pinned = NULL;
	cmi_acquire_forget(a);
}

int64_t cmi_acquire_time(const struct cmi_acquire *a)
{
	return a->at_s ? a->at_s : cmi_now_us(a->net->env) / 1000000;
}

/* Is there a path from this CA to an anchor, valid now, through what came
 * with it and what is kept? */
static cmend_status chains_to_anchor(struct cmi_acquire *a,
	struct cmi_cert *cert, const struct cmi_cert_list *came, bool *yes,
	cmend_error *err)
{
	const struct cmi_source *kept = cmi_store_source(a->stores->issuers);
	struct cmi_complete_request request = {
		.leaf = cert,
		.sent = came->certs,
		.n_sent = came->n,
		.trust = a->stores->anchors,
		.at_s = cmi_acquire_time(a),
		.security_level = 1, /* whatever the clock says */
		.sources = &kept,
		.n_sources = 1,
		.purpose = CMI_FOR_ANY,
		.env = a->net->env,
	};
	struct cmi_complete_result result = {0};

	CMI_TRY(cmi_complete(&request, &result, err));
	*yes = result.accepted;
	cmi_complete_result_dispose(&result);
	return CMEND_OK;
}

static cmend_status sort_one(struct cmi_acquire *a, struct cmi_cert *cert,
	const struct cmi_cert_list *came, cmend_error *err)
{
	bool chains = false;

	if (cmi_trust_has_entity(a->stores->anchors, cert))
		return CMEND_OK;
	if (cmi_cert_self_signed(cert))
		return cmi_stores_quarantine(a->stores, cert, err);
	if (cert->ca && cert->key_cert_sign)
		CMI_TRY(chains_to_anchor(a, cert, came, &chains, err));
	if (!chains) {
		a->n_untrusted++;
		cmi_emit(a->net->env, "dropped", cert->subject,
			"downloaded, and no path to an anchor", 0);
		return CMEND_OK;
	}
	cmi_emit(a->net->env, "kept", cert->subject,
		"downloaded over port 80, chains to an anchor", 0);
	return cmi_cert_list_add(&a->usable, cert, err);
}

cmend_status cmi_acquire_sort(struct cmi_acquire *a,
	const struct cmi_cert_list *came, cmend_error *err)
{
	for (size_t i = 0; i < came->n; i++)
		CMI_TRY(sort_one(a, came->certs[i], came, err));
	/* A full disk must not stop the sign-in: they are in memory too. */
	if (a->usable.n && cmi_store_put_list(a->stores->issuers, &a->usable,
				   CMI_FROM_PORT80, NULL, NULL) != CMEND_OK)
		cmi_emit(a->net->env, "cache", NULL, "not kept on disk", 0);
	return CMEND_OK;
}

static void ask_for(const struct cmi_acquire *a, struct cmi_buf *body,
	struct cmi_http_ask *ask)
{
	ask->host = a->host;
	ask->answer_max = CMI_DOWNLOAD_MAX;
	switch (a->how) {
	case CMI_DOWNLOAD_SOAP:
		cmi_soap_chain_request(body);
		ask->method = "POST";
		ask->path = CMI_PATH_CERTPROV;
		ask->type = "text/xml; charset=utf-8";
		ask->soap_action = CMI_ACTION_CHAINS;
		ask->body = cmi_buf_view(body);
		return;
	case CMI_DOWNLOAD_P7B:
		ask->method = "GET";
		ask->path = CMI_PATH_CHAIN_P7B;
		return;
	case CMI_DOWNLOAD_SCEP:
		ask->method = "GET";
		ask->path = "/scep?operation=GetCACert";
		return;
	}
}

static cmend_status download(
	struct cmi_acquire *a, struct cmi_cert_list *came, cmend_error *err)
{
	CMI_AUTO(cmi_http_answer_dispose) struct cmi_http_answer answer = {0};
	CMI_AUTO(cmi_channel_closep) struct cmi_channel *c = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body;
	struct cmi_http_ask ask = {0};

	cmi_buf_init(&body, CMI_SOAP_MAX);
	ask_for(a, &body, &ask);
	CMI_TRY(cmi_channel_open(a->net, a->host, 80, &c, err));
	CMI_TRY(cmi_http_exchange(c, &ask, &answer, err));
	if (answer.status != 200 && answer.status != 500)
		return cmi_fail(err, CMEND_REFUSED,
			"port 80 of %s answers the chain download with "
			"status %u",
			a->host, answer.status);
	return cmi_soap_chain_read(cmi_buf_view(&answer.body), came, err);
}

cmend_status cmi_acquire_download(struct cmi_acquire *a, cmend_error *err)
{
	CMI_AUTO(cmi_cert_list_dispose) struct cmi_cert_list came = {0};
	cmend_error why = {0};

	cmi_emit(a->net->env, "download", a->host,
		"chain wanted over port 80 (profile)", 0);
	a->download_status = download(a, &came, &why);
	if (a->download_status) {
		snprintf(a->download_says, sizeof(a->download_says), "%.199s",
			why.message);
		cmi_emit(a->net->env, "download-failed", a->host,
			a->download_says, 0);
		return cmi_fail(err, a->download_status, "%s", why.message);
	}
	a->downloaded = true;
	for (size_t i = 0; i < came.n; i++)
		CMI_TRY(cmi_cert_list_add(&a->came, came.certs[i], err));
	CMI_TRY(cmi_acquire_sort(a, &came, err));
	snprintf(a->download_says, sizeof(a->download_says),
		"%zu certificate%s came, %zu kept, %u in quarantine, %u "
		"without "
		"a path to an anchor",
		came.n, came.n == 1 ? "" : "s", a->usable.n,
		a->stores->quarantined, a->n_untrusted);
	cmi_emit(a->net->env, "downloaded", a->host, a->download_says,
		(int64_t)came.n);
	return CMEND_OK;
}

/* The port-80 download as a supplier: asked at most once, and only when all
 * that came before it did not lead to an anchor. */
static cmend_status port80_issuers(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_acquire *a = ctx;

	if (!a->downloaded && !a->download_status)
		CMI_TRY(cmi_acquire_download(a, err));
	for (size_t i = 0; i < a->usable.n; i++)
		if (cmi_cert_names_issuer(child, a->usable.certs[i]))
			CMI_TRY(offer(offer_ctx, a->usable.certs[i],
				CMI_FROM_PORT80));
	return CMEND_OK;
}

static enum cmi_finding_id port80_trouble(void *ctx, char *says, size_t n_says)
{
	const struct cmi_acquire *a = ctx;

	snprintf(says, n_says, "%.150s", a->download_says);
	if (a->download_status)
		return CMI_F_CHAIN_DOWNLOAD_FAILED;
	return a->stores->quarantined ? CMI_F_CHAIN_DOWNLOAD_UNTRUSTED
				      : CMI_F_NONE;
}

static cmend_status judge(struct cmi_acquire *a,
	const struct cmi_sent_chain *chain, struct cmi_fetcher *fetcher,
	cmend_error *err)
{
	struct cmi_source port80 = {
		.origin = CMI_FROM_PORT80,
		.issuers_of = port80_issuers,
		.last_trouble = port80_trouble,
		.ctx = a,
		.costly = true,
	};
	const struct cmi_source *sources[3];
	size_t n = 0;
	struct cmi_complete_request request = {
		.leaf = chain->leaf,
		.sent = chain->sent,
		.n_sent = chain->n_sent,
		.trust = a->stores->anchors,
		.at_s = cmi_acquire_time(a),
		.host = a->name ? a->name : a->host,
		.no_wildcards = true,
		.security_level = 1, /* whatever the clock says */
		.sources = sources,
		.env = a->net->env,
	};

	sources[n++] = cmi_store_source(a->stores->issuers);
	if (fetcher)
		sources[n++] = cmi_fetcher_aia_source(fetcher);
	if (a->plan.port80)
		sources[n++] = &port80;
	request.n_sources = n;
	CMI_TRY(cmi_complete(&request, &a->last, err));
	a->judged = true;
	if (a->last.accepted)
		cmi_store_keep_path(
			a->stores->issuers, &a->last.path, NULL, NULL);
	return CMEND_OK;
}

enum cmi_finding_id cmi_acquire_judge(
	void *acquire, const struct cmi_sent_chain *chain)
{
	CMI_AUTO(cmi_fetcher_freep) struct cmi_fetcher *fetcher = NULL;
	struct cmi_acquire *a = acquire;
	struct cmi_fetch_options options = {
		.allow_private = a->allow_private,
		.target_host = a->aia_target[0] ? a->aia_target : NULL,
		.env = a->net->env,
		.store = a->stores->issuers,
	};
	cmend_error err = {0};
	bool pinned;

	cmi_acquire_forget(a);
	if (a->plan.aia && chain->leaf->n_aia_urls &&
		cmi_fetcher_new(&options, &fetcher, NULL) != CMEND_OK)
		fetcher = NULL; /* one supplier less, no less safe */
	if (judge(a, chain, fetcher, &err) != CMEND_OK) {
		cmi_emit(a->net->env, "judge", a->host, err.message, 0);
		return CMI_F_SEARCH_LIMIT;
	}
	if (!a->last.accepted &&
		cmi_first_use_judge(a, chain, &pinned, &err) != CMEND_OK)
		cmi_emit(a->net->env, "first-use", a->host, err.message, 0);
	if (a->last.accepted)
		return CMI_F_NONE;
	return a->last.reason ? a->last.reason : CMI_F_MISSING_INTERMEDIATE;
}
