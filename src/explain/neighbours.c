/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/neighbours.h"

#include <string.h>

#include "core/text.h"

/* The entry that the next one takes, oldest first. */
#define RING_NEXT(ring, count) (&(ring)[(count)++ % CMI_LEN(ring)])
/* How many entries are there. */
#define RING_HELD(ring, count)                                                 \
	((count) < CMI_LEN(ring) ? (count) : CMI_LEN(ring))
/* The i-th youngest, i < RING_HELD. */
#define RING_AT(ring, count, i) (&(ring)[((count)-1 - (i)) % CMI_LEN(ring)])

static void download_dispose(struct cmi_download *d)
{
	cmi_free(d->url);
	cmi_cert_list_dispose(&d->certs);
	*d = (struct cmi_download){0};
}

void cmi_neighbours_dispose(struct cmi_neighbours *n)
{
	for (size_t i = 0; i < CMI_DOWNLOADS_MAX; i++)
		download_dispose(&n->downloads[i]);
	for (size_t i = 0; i < CMI_MANAGED_MAX; i++)
		cmi_cert_unref((struct cmi_cert *)n->managed[i].leaf);
}

static char *safe_copy(struct cmi_bytes text)
{
	struct cmi_buf b;
	char *copy;

	cmi_buf_init(&b, 4 * CMI_URL_MAX + 1);
	if (text.n > CMI_URL_MAX)
		text.n = CMI_URL_MAX;
	cmi_safe_text(&b, text);
	copy = cmi_buf_take_cstr(&b);
	cmi_buf_dispose(&b);
	return copy;
}

cmend_status cmi_neighbours_http(struct cmi_neighbours *n,
	const struct cmi_conversation *c, struct cmi_carried *carried,
	cmend_error *err)
{
	const struct cmi_http_seen *http = c->http;
	struct cmi_download *d;
	char *url;

	if (!carried->asked_for_issuer)
		return CMEND_OK;
	url = safe_copy(http->url);
	if (!url)
		return cmi_nomem(err);
	d = RING_NEXT(n->downloads, n->n_downloads);
	download_dispose(d);
	*d = (struct cmi_download){
		.client = c->client,
		.server = c->server,
		.url = url,
		.status = http->status,
		.carries = carried->what,
		.form = carried->form,
		.certs = carried->certs,
		.chain = carried->chain_address,
		.cut = http->body_cut,
		.request_frame = http->request_frame,
		.response_frame = http->response_frame,
		.start_us = c->start_us,
	};
	carried->certs = (struct cmi_cert_list){0};
	return CMEND_OK;
}

void cmi_neighbours_dns(
	struct cmi_neighbours *n, const struct cmi_conversation *c)
{
	const struct cmi_dns_seen *dns = c->dns;
	struct cmi_lookup *l;

	if (dns->name.n > CMI_NAME_MAX)
		return;
	l = RING_NEXT(n->lookups, n->n_lookups);
	*l = (struct cmi_lookup){
		.client = c->client,
		.type = dns->type,
		.rcode = dns->rcode,
		.query_frame = dns->query_frame,
		.answer_frame = dns->answer_frame,
	};
	if (dns->name.n)
		memcpy(l->name, dns->name.p, dns->name.n);
	while (l->n_addrs < dns->n_addrs && l->n_addrs < CMI_LEN(l->addrs)) {
		l->addrs[l->n_addrs] = dns->addrs[l->n_addrs];
		l->n_addrs++;
	}
}

void cmi_neighbours_tcp(
	struct cmi_neighbours *n, const struct cmi_conversation *c)
{
	if (!c->tcp->refused && c->tcp->syn_ack)
		return;
	*RING_NEXT(n->closed, n->n_closed) = (struct cmi_closed){
		.client = c->client,
		.server = c->server,
		.frame = c->tcp->syn_frame,
	};
}

void cmi_neighbours_dhcp(
	struct cmi_neighbours *n, const struct cmi_conversation *c)
{
	if (c->dhcp->has43)
		n->dhcp_frame = c->dhcp->frame;
}

void cmi_neighbours_managed(struct cmi_neighbours *n,
	const struct cmi_endpoint *client, struct cmi_cert *leaf,
	uint64_t frame, bool fetched)
{
	struct cmi_managed *m = RING_NEXT(n->managed, n->n_managed);

	cmi_cert_unref((struct cmi_cert *)m->leaf);
	*m = (struct cmi_managed){
		.client = *client,
		.leaf = cmi_cert_ref(leaf),
		.frame = frame,
		.fetched = fetched,
	};
}

const struct cmi_download *cmi_neighbours_download(
	const struct cmi_neighbours *n, size_t i)
{
	if (i >= RING_HELD(n->downloads, n->n_downloads))
		return NULL;
	return RING_AT(n->downloads, n->n_downloads, i);
}

const struct cmi_download *cmi_neighbours_fetched(
	const struct cmi_neighbours *n, const struct cmi_endpoint *client,
	const char *url, int64_t until_us)
{
	const struct cmi_download *d;

	for (size_t i = 0; (d = cmi_neighbours_download(n, i)); i++)
		if (cmi_endpoint_same_host(&d->client, client) &&
			d->start_us <= until_us && strcmp(d->url, url) == 0)
			return d;
	return NULL;
}

const struct cmi_lookup *cmi_neighbours_lookup(const struct cmi_neighbours *n,
	const struct cmi_endpoint *client, struct cmi_bytes name)
{
	const struct cmi_lookup *l, *silent = NULL;

	for (size_t i = 0; i < RING_HELD(n->lookups, n->n_lookups); i++) {
		l = RING_AT(n->lookups, n->n_lookups, i);
		if (!cmi_endpoint_same_host(&l->client, client) ||
			!cmi_text_equal_nocase(cmi_bytes_of(l->name), name))
			continue;
		/* An A and an AAAA question: the one with addresses tells. */
		if (l->n_addrs)
			return l;
		if (!silent)
			silent = l;
	}
	return silent;
}

const char *cmi_neighbours_name_of(const struct cmi_neighbours *n,
	const struct cmi_endpoint *client, const struct cmi_endpoint *server)
{
	const struct cmi_lookup *l;

	for (size_t i = 0; i < RING_HELD(n->lookups, n->n_lookups); i++) {
		l = RING_AT(n->lookups, n->n_lookups, i);
		if (!cmi_endpoint_same_host(&l->client, client))
			continue;
		for (size_t k = 0; k < l->n_addrs; k++)
			if (cmi_endpoint_same_host(&l->addrs[k], server))
				return l->name;
	}
	return NULL;
}

const struct cmi_closed *cmi_neighbours_turned_away(
	const struct cmi_neighbours *n, const struct cmi_endpoint *client,
	const struct cmi_endpoint *addrs, size_t n_addrs, uint16_t port)
{
	const struct cmi_closed *k;

	for (size_t i = 0; i < RING_HELD(n->closed, n->n_closed); i++) {
		k = RING_AT(n->closed, n->n_closed, i);
		if (k->server.port != port ||
			!cmi_endpoint_same_host(&k->client, client))
			continue;
		for (size_t a = 0; a < n_addrs; a++)
			if (cmi_endpoint_same_host(&k->server, &addrs[a]))
				return k;
	}
	return NULL;
}

const struct cmi_managed *cmi_neighbours_other(const struct cmi_neighbours *n,
	const struct cmi_endpoint *client, const struct cmi_cert *leaf)
{
	const struct cmi_managed *m;

	for (size_t i = 0; i < RING_HELD(n->managed, n->n_managed); i++) {
		m = RING_AT(n->managed, n->n_managed, i);
		if (m->leaf == leaf &&
			!cmi_endpoint_same_host(&m->client, client))
			return m;
	}
	return NULL;
}

static cmend_status issuers_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_downloaded *mine = ctx;
	const struct cmi_download *d;

	(void)err;
	for (size_t i = 0; (d = cmi_neighbours_download(mine->n, i)); i++) {
		if (!cmi_endpoint_same_host(&d->client, &mine->client))
			continue;
		for (size_t k = 0; k < d->certs.n; k++)
			if (cmi_cert_names_issuer(child, d->certs.certs[k]))
				CMI_TRY(offer(offer_ctx, d->certs.certs[k],
					d->chain ? CMI_FROM_PORT80
						 : CMI_FROM_AIA));
	}
	return CMEND_OK;
}

void cmi_downloaded_init(struct cmi_downloaded *d,
	const struct cmi_neighbours *n, const struct cmi_endpoint *client)
{
	*d = (struct cmi_downloaded){
		.n = n,
		.client = *client,
		.source = {.origin = CMI_FROM_AIA,
			.issuers_of = issuers_of,
			.ctx = d},
	};
}
