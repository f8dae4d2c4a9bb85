/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/evidence.h"

#include "core/cursor.h"
#include "core/text.h"
#include "explain/phrase.h"

struct view {
	struct cmi_meaning *m;
	const struct cmi_neighbours *n;
	const struct cmi_endpoint *client;
	int64_t until_us; /* what was fetched later is no part of it */
};

#define EVER INT64_MAX

static bool is_mine(const struct view *v, const struct cmi_download *d)
{
	return cmi_endpoint_same_host(&d->client, v->client) &&
	       d->start_us <= v->until_us;
}

/* The host in "http://host[:port]/...". */
static struct cmi_bytes host_of(const char *url)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_bytes_of(url));
	struct cmi_bytes host = {0}, rest;

	if (!cmi_text_starts(cmi_cursor_rest(&c), "http://"))
		return host;
	if (!cmi_cursor_skip(&c, 7))
		return host;
	rest = cmi_cursor_rest(&c);
	if (!cmi_cursor_until(&c, '/', &host))
		host = rest;
	c = cmi_cursor_of(host);
	if (cmi_cursor_until(&c, ':', &rest))
		host = rest;
	return host;
}

/* The certificate whose issuer the client would have had to find. */
static const struct cmi_cert *gap_of(const struct cmi_judgement *j)
{
	if (j->result.about)
		return j->result.about;
	return j->result.path.n ? j->result.path.certs[j->result.path.n - 1]
				: NULL;
}

static bool brings_issuer_of(
	const struct cmi_download *d, const struct cmi_cert *child)
{
	for (size_t i = 0; i < d->certs.n; i++)
		if (cmi_cert_names_issuer(child, d->certs.certs[i]))
			return true;
	return false;
}

/* A download of this client that brought an issuer of the gap. */
static const struct cmi_download *got_issuer(
	const struct view *v, const struct cmi_cert *gap)
{
	const struct cmi_download *d;

	for (size_t i = 0; (d = cmi_neighbours_download(v->n, i)); i++)
		if (is_mine(v, d) && brings_issuer_of(d, gap))
			return d;
	return NULL;
}

/* The client's request for an address that the certificate names. */
static const struct cmi_download *asked_its_address(
	const struct view *v, const struct cmi_cert *gap)
{
	const struct cmi_download *d = NULL;

	for (size_t i = 0; i < gap->n_aia_urls && !d; i++)
		d = cmi_neighbours_fetched(
			v->n, v->client, gap->aia_urls[i], v->until_us);
	return d;
}

/* Such a one, or one for the chain download of the same site; the answer may
 * have been anything. */
static const struct cmi_download *asked_in_vain(
	const struct view *v, const struct cmi_cert *gap)
{
	const struct cmi_download *d = asked_its_address(v, gap);

	if (d)
		return d;
	for (size_t i = 0; (d = cmi_neighbours_download(v->n, i)); i++)
		if (d->chain && is_mine(v, d))
			return d;
	return NULL;
}

static struct cmi_finding *add(struct view *v, enum cmi_finding_id id,
	enum cmi_severity severity, const char *subject, const char *says)
{
	struct cmi_finding f = {.id = id, .severity = severity, .says = says};
	char name[CMI_PHRASE_NAME];

	if (subject)
		f.subject = cmi_phrase(
			&v->m->arena, "%s", cmi_phrase_clip(name, subject));
	return cmi_meaning_add(v->m, f);
}

static void frames_of(struct cmi_finding *f, const struct cmi_download *d)
{
	if (!f)
		return;
	cmi_finding_frame(f, d->request_frame);
	cmi_finding_frame(f, d->response_frame);
}

/* The chain is not whole; the client has downloaded its issuer. */
static void say_downloaded(struct view *v, const struct cmi_download *d)
{
	struct cmi_meaning *m = v->m;
	char url[CMI_PHRASE_NAME];
	struct cmi_finding *f = &m->findings[0];

	cmi_phrase_clip(url, d->url);
	if (m->verdict == CMI_F_NONE) {
		f->severity = CMI_SEVERITY_WARNING;
		f->says = cmi_phrase(&m->arena,
			"the server does not send the issuer \"%s\"; this "
			"client got it by itself from %s",
			f->subject ? f->subject : "", url);
		frames_of(f, d);
		return;
	}
	if (m->verdict == CMI_F_UNTRUSTED_ROOT) {
		f = add(v, CMI_F_CHAIN_DOWNLOAD_UNTRUSTED, CMI_SEVERITY_ERROR,
			d->url,
			cmi_phrase(&m->arena,
				"the chain downloaded from %s leads to a root "
				"that is no anchor of this client",
				url));
		frames_of(f, d);
		m->findings[0].id = m->verdict =
			CMI_F_UNTRUSTED_ROOT_DOWNLOADED;
		m->findings[0].blame = m->blame = CMI_BLAME_NETWORK;
		return;
	}
	f = add(v, CMI_F_CHAIN_DOWNLOAD_FAILED, CMI_SEVERITY_ERROR, d->url,
		cmi_phrase(&m->arena,
			"the client fetched %s and still lacked an issuer%s",
			url,
			d->form == CMI_FORM_DER
				? ""
				: ": not every client reads an answer of this "
				  "form (it is not one DER certificate)"));
	frames_of(f, d);
	if (d->form != CMI_FORM_DER) {
		f = add(v, CMI_F_AIA_WRONG_CONTENT, CMI_SEVERITY_WARNING,
			d->url,
			cmi_phrase(&m->arena, "%s answers with %s", url,
				d->form == CMI_FORM_PEM ? "PEM text"
							: "a CMS bundle"));
		frames_of(f, d);
	}
}

/* What the answer was is not in the capture: not that it was wrong. */
static bool is_unread(const struct cmi_download *d)
{
	return d->status == 200 && d->cut && !d->certs.n;
}

static void say_failed(struct view *v, const struct cmi_download *d)
{
	struct cmi_meaning *m = v->m;
	bool wrong = d->status == 200;
	char url[CMI_PHRASE_NAME];
	struct cmi_finding *f;

	cmi_phrase_clip(url, d->url);
	f = add(v, CMI_F_CHAIN_DOWNLOAD_FAILED,
		m->verdict ? CMI_SEVERITY_ERROR : CMI_SEVERITY_WARNING, d->url,
		d->status == 0
			? cmi_phrase(&m->arena,
				  "the client asked for %s and got no answer",
				  url)
		: wrong ? cmi_phrase(&m->arena,
				  "the client fetched %s, and no issuer was in "
				  "it",
				  url)
			: cmi_phrase(&m->arena,
				  "the client asked for %s and got status %u",
				  url, d->status));
	frames_of(f, d);
	if (d->chain)
		return;
	f = add(v, wrong ? CMI_F_AIA_WRONG_CONTENT : CMI_F_AIA_DEAD,
		CMI_SEVERITY_WARNING, d->url,
		wrong ? cmi_phrase(&m->arena,
				"%s gives something else than the issuer", url)
		      : cmi_phrase(&m->arena,
				"%s, which the certificate names, does not "
				"give the issuer",
				url));
	frames_of(f, d);
}

/* No request was seen: the name may not have resolved, or the port been
 * closed.  True where one of these is the case. */
static bool say_unreachable(struct view *v, const struct cmi_cert *gap)
{
	for (size_t i = 0; i < gap->n_aia_urls; i++) {
		struct cmi_bytes host = host_of(gap->aia_urls[i]);
		const struct cmi_lookup *l =
			cmi_neighbours_lookup(v->n, v->client, host);
		const struct cmi_closed *k;
		char url[CMI_PHRASE_NAME];
		struct cmi_finding *f;

		if (!l)
			continue;
		k = cmi_neighbours_turned_away(
			v->n, v->client, l->addrs, l->n_addrs, 80);
		if (l->n_addrs && !k)
			continue;
		cmi_phrase_clip(url, gap->aia_urls[i]);
		f = add(v, CMI_F_CHAIN_DOWNLOAD_FAILED,
			v->m->verdict ? CMI_SEVERITY_ERROR
				      : CMI_SEVERITY_WARNING,
			url,
			cmi_phrase(&v->m->arena, "the client wanted %s, %s",
				url,
				k ? "and its port was closed"
				  : "and its host has no address"));
		if (f) {
			cmi_finding_frame(f, l->query_frame);
			cmi_finding_frame(f, l->answer_frame);
			cmi_finding_frame(f, k ? k->frame : 0);
		}
		add(v, CMI_F_AIA_DEAD, CMI_SEVERITY_WARNING, url,
			cmi_phrase(&v->m->arena,
				"%s, which the certificate names, cannot be "
				"reached",
				url));
		return true;
	}
	return false;
}

static bool has_http_address(const struct cmi_cert *c)
{
	for (size_t i = 0; i < c->n_aia_urls; i++)
		if (cmi_text_starts(cmi_bytes_of(c->aia_urls[i]), "http://"))
			return true;
	return false;
}

/* Somebody else who downloaded a chain that fills the gap. */
static const struct cmi_download *others_download(
	const struct view *v, const struct cmi_cert *gap)
{
	const struct cmi_download *d;

	for (size_t i = 0; (d = cmi_neighbours_download(v->n, i)); i++)
		if (!cmi_endpoint_same_host(&d->client, v->client) &&
			brings_issuer_of(d, gap))
			return d;
	return NULL;
}

static void say_never_asked(struct view *v, const struct cmi_cert *gap)
{
	const struct cmi_download *d = others_download(v, gap);
	const struct cmi_managed *other = cmi_neighbours_other(v->n, v->client,
		v->m->judged->result.path.n ? v->m->judged->result.path.certs[0]
					    : NULL);
	char url[CMI_PHRASE_NAME], host[CMI_ENDPOINT_TEXT];
	struct cmi_finding *f;

	if (!d && !other && !has_http_address(gap))
		return;
	if (d || other)
		cmi_endpoint_text(host, d ? &d->client : &other->client);
	f = add(v, CMI_F_CHAIN_DOWNLOAD_SKIPPED, CMI_SEVERITY_INFO, gap->issuer,
		d       ? cmi_phrase(&v->m->arena,
				  "this client never asked for the missing issuer; "
					"%s in this capture got it from %s",
				  host, cmi_phrase_clip(url, d->url))
		: other ? cmi_phrase(&v->m->arena,
				  "this client never asked for the missing "
				  "issuer; %s in this capture got through with "
				  "the same certificate",
				  host)
			: cmi_phrase(&v->m->arena,
				  "this client never asked for the missing "
				  "issuer, which the certificate offers at %s",
				  cmi_phrase_clip(url, gap->aia_urls[0])));
	if (!f)
		return;
	if (d)
		frames_of(f, d);
	if (other)
		cmi_finding_frame(f, other->frame);
}

/* It asked when the handshake was over, which helps another one at best. */
static bool say_asked_later(struct view *v, const struct cmi_cert *gap)
{
	struct view ever = {.n = v->n, .client = v->client, .until_us = EVER};
	const struct cmi_download *d = got_issuer(&ever, gap);
	char url[CMI_PHRASE_NAME];
	struct cmi_finding *f;

	d = d ? d : asked_in_vain(&ever, gap);
	if (!d || !v->m->verdict)
		return d;
	f = add(v, CMI_F_CHAIN_DOWNLOAD_SKIPPED, CMI_SEVERITY_INFO, gap->issuer,
		cmi_phrase(&v->m->arena,
			"this client asked for the missing issuer at %s only "
			"after the handshake",
			cmi_phrase_clip(url, d->url)));
	frames_of(f, d);
	return true;
}

/* What it once got it did not use: it asked anew, amid this handshake that
 * failed, and got something else. */
static bool failed_since(const struct view *v, const struct cmi_cert *gap)
{
	const struct cmi_download *d = asked_its_address(v, gap);

	return d && d->start_us >= v->m->c->start_us && !is_unread(d) &&
	       !brings_issuer_of(d, gap) &&
	       v->m->verdict == CMI_F_MISSING_INTERMEDIATE;
}

static void incomplete_chain(struct view *v)
{
	const struct cmi_cert *gap = gap_of(v->m->judged);
	const struct cmi_download *d;

	if (!gap)
		return;
	d = got_issuer(v, gap);
	if (d && !failed_since(v, gap)) {
		say_downloaded(v, d);
		return;
	}
	if (v->m->judged->verdict != CMI_F_MISSING_INTERMEDIATE)
		return;
	d = asked_in_vain(v, gap);
	if (d && is_unread(d))
		return;
	if (d)
		say_failed(v, d);
	else if (!say_asked_later(v, gap) && !say_unreachable(v, gap) &&
		 v->m->verdict)
		say_never_asked(v, gap);
}

/* Certificates are encrypted: what was fetched meanwhile still speaks. */
static void dark(struct view *v)
{
	const struct cmi_conversation *c = v->m->c;
	const struct cmi_download *d;
	char url[CMI_PHRASE_NAME], name[CMI_PHRASE_NAME];
	struct cmi_finding *f;

	for (size_t i = 0; (d = cmi_neighbours_download(v->n, i)); i++) {
		if (!is_mine(v, d) || d->start_us < c->start_us || is_unread(d))
			continue;
		cmi_phrase_clip(url, d->url);
		if (!d->certs.n) {
			say_failed(v, d);
			return;
		}
		cmi_phrase_cert(name, d->certs.certs[0]);
		f = add(v, CMI_F_MISSING_INTERMEDIATE, CMI_SEVERITY_WARNING,
			d->certs.certs[0]->subject,
			cmi_phrase(&v->m->arena,
				"during the handshake the client fetched "
				"\"%s\" from %s, so the server most likely "
				"does not send it",
				name, url));
		if (f)
			f->inferred = true;
		frames_of(f, d);
		return;
	}
}

static bool lacks_anchor(enum cmi_finding_id id)
{
	return id == CMI_F_MISSING_INTERMEDIATE || id == CMI_F_UNTRUSTED_ROOT;
}

void cmi_evidence_add(struct cmi_meaning *m, const struct cmi_neighbours *n)
{
	struct view v = {.m = m,
		.n = n,
		.client = &m->c->client,
		.until_us = m->c->end_us};

	if (m->judged && !m->judged->accepted &&
		lacks_anchor(m->judged->verdict) &&
		(m->verdict == CMI_F_NONE || lacks_anchor(m->verdict)))
		incomplete_chain(&v);
	else if (!m->judged && m->behaviour.dark)
		dark(&v);
}

bool cmi_evidence_fetched(const struct cmi_conversation *c,
	const struct cmi_judgement *judged, const struct cmi_neighbours *n)
{
	struct view v = {.n = n, .client = &c->client, .until_us = c->end_us};
	const struct cmi_cert *gap = judged->accepted ? NULL : gap_of(judged);

	return gap && got_issuer(&v, gap) != NULL;
}
