/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/text.h"
#include "report/report.h"
#include "wire/dhcp_uc.h"

/* Columns of running text. */
#define WIDTH 78

struct pen {
	struct cmi_buf *out;
	const struct cmi_report_style *style;
};

enum ink { PLAIN, BOLD, RED, YELLOW, GREEN, BLUE, DIM };

static void ink(const struct pen *p, enum ink i)
{
	static const char *const codes[] = {
		[PLAIN] = "\033[0m",
		[BOLD] = "\033[1m",
		[RED] = "\033[1;31m",
		[YELLOW] = "\033[33m",
		[GREEN] = "\033[32m",
		[BLUE] = "\033[36m",
		[DIM] = "\033[2m",
	};

	if (p->style->color)
		cmi_buf_text(p->out, codes[i]);
}

static void inked(const struct pen *p, enum ink i, const char *text)
{
	ink(p, i);
	cmi_buf_text(p->out, text);
	ink(p, PLAIN);
}

/* Running text behind an indent, broken between words.  Columns are counted
 * in bytes, which is near enough. */
static void wrapped(const struct pen *p, size_t indent, const char *text)
{
	size_t column = indent;
	bool first = true;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (!first && column + 1 + n > WIDTH) {
			cmi_buf_printf(p->out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			cmi_buf_u8(p->out, ' ');
			column++;
		}
		cmi_buf_add(p->out, text, n);
		column += n;
		text += n;
		text += strspn(text, " ");
		first = false;
	}
	cmi_buf_u8(p->out, '\n');
}

static enum ink ink_of(enum cmi_severity s)
{
	switch (s) {
	case CMI_SEVERITY_ERROR:
		return RED;
	case CMI_SEVERITY_WARNING:
		return YELLOW;
	case CMI_SEVERITY_INFO:
		break;
	}
	return BLUE;
}

static void frames(const struct pen *p, const uint64_t *f, size_t n)
{
	if (!n)
		return;
	cmi_buf_text(p->out, n == 1 ? "  (frame " : "  (frames ");
	for (size_t i = 0; i < n; i++)
		cmi_buf_printf(p->out, "%s%llu", i ? ", " : "",
			(unsigned long long)f[i]);
	cmi_buf_u8(p->out, ')');
}

static void finding(const struct pen *p, const struct cmi_finding *f)
{
	const struct cmi_finding_text *t = cmi_finding_text(f->id);

	cmi_buf_text(p->out, "  ");
	inked(p, ink_of(f->severity), cmi_finding_name(f->id));
	if (f->inferred)
		inked(p, DIM, "  inferred");
	frames(p, f->frames, f->n_frames);
	cmi_buf_text(p->out, "\n      ");
	wrapped(p, 6, f->says ? f->says : t->title);
	if (p->style->verbose) {
		cmi_buf_text(p->out, "      ");
		wrapped(p, 6, t->explanation);
		if (t->reference)
			cmi_buf_printf(p->out, "      %s\n", t->reference);
	}
	if (f->severity == CMI_SEVERITY_INFO && !p->style->verbose)
		return;
	cmi_buf_text(p->out, "      ");
	inked(p, GREEN, "do: ");
	wrapped(p, 10, f->remedy ? f->remedy : t->remedy);
}

static const char *cert_name(const struct cmi_cert *c)
{
	return c->subject[0] ? c->subject : "(no name)";
}

static void sent_cert(
	const struct pen *p, size_t i, const struct cmi_item_cert *c)
{
	char when[CMI_TIME_TEXT];

	cmi_buf_printf(p->out, "    %zu  ", i + 1);
	if (!c->cert) {
		cmi_buf_printf(p->out, "malformed, %zu bytes", c->der.n);
	} else {
		cmi_buf_printf(p->out,
			"%s\n       issued by %s\n       until %s",
			cert_name(c->cert), c->cert->issuer,
			cmi_time_s(when, c->cert->not_after_s));
	}
	frames(p, &c->frame, c->frame != 0);
	cmi_buf_u8(p->out, '\n');
}

static void sent_chain(
	const struct pen *p, const struct cmi_item_cert *certs, size_t n)
{
	if (!n)
		return;
	inked(p, DIM, "  sent chain\n");
	for (size_t i = 0; i < n; i++)
		sent_cert(p, i, &certs[i]);
}

static void profile_word(const struct pen *p, const struct cmi_item_profile *f)
{
	if (f->unknown)
		inked(p, YELLOW, "unknown  ");
	else if (f->accepts)
		inked(p, GREEN, "accepts  ");
	else
		inked(p, RED, "refuses  ");
}

static void profiles(
	const struct pen *p, const struct cmi_item_profile *f, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++)
		if ((int)strlen(f[i].profile) > width)
			width = (int)strlen(f[i].profile);
	if (n)
		inked(p, DIM, "  clients\n");
	for (; n; f++, n--) {
		cmi_buf_text(p->out, "    ");
		profile_word(p, f);
		cmi_buf_printf(p->out, "%-*s", width, f->profile);
		if (!f->accepts && f->why)
			cmi_buf_printf(
				p->out, "  %s", cmi_finding_name(f->why));
		if (f->help)
			cmi_buf_printf(
				p->out, "%s%s", f->why ? ": " : "  ", f->help);
		cmi_buf_u8(p->out, '\n');
		if (f->says && p->style->verbose) {
			cmi_buf_printf(p->out, "%17s", "");
			wrapped(p, 17, f->says);
		}
	}
}

static void handshake_title(
	const struct pen *p, const struct cmi_item_handshake *h)
{
	const struct cmi_conversation *c = h->c;
	const char *version = cmi_tls_version_name(c->tls->version);
	char client[CMI_ENDPOINT_TEXT], server[CMI_ENDPOINT_TEXT];
	bool failed = h->outcome == CMI_FAILED || h->verdict != CMI_F_NONE;

	inked(p,
		failed                        ? RED
		: h->outcome == CMI_COMPLETED ? GREEN
					      : YELLOW,
		cmi_outcome_name(h->outcome));
	if (h->verdict) {
		cmi_buf_u8(p->out, ' ');
		inked(p, BOLD, cmi_finding_name(h->verdict));
	}
	cmi_buf_printf(p->out, "  %s", h->sni ? h->sni : "(no name asked for)");
	if (version)
		cmi_buf_printf(p->out, "  %s", version);
	if (c->transport == CMI_QUIC)
		cmi_buf_printf(p->out, "%sQUIC", version ? " over " : "  ");
	if (c->starttls)
		cmi_buf_printf(p->out, " after %s", c->starttls);
	cmi_buf_printf(p->out, "\n  %s to %s",
		cmi_endpoint_text(client, &c->client),
		cmi_endpoint_text(server, &c->server));
	if (c->capture) {
		cmi_buf_text(p->out, ", ");
		cmi_safe_text(p->out, cmi_bytes_of(c->capture));
	}
	if (c->first_frame)
		cmi_buf_printf(p->out, ", frames %llu to %llu",
			(unsigned long long)c->first_frame,
			(unsigned long long)c->last_frame);
	cmi_buf_u8(p->out, '\n');
}

static void noted(const struct pen *p, const struct cmi_tls_seen *t)
{
	size_t at = 0;
	const char *before = "  noted: ", *name;

	for (; (name = cmi_item_noted(t, &at)); before = ", ")
		cmi_buf_printf(p->out, "%s%s", before, name);
	if (before[0] == ',')
		cmi_buf_u8(p->out, '\n');
}

static void handshake(const struct pen *p, const struct cmi_item_handshake *h)
{
	handshake_title(p, h);
	if (p->style->quiet)
		return;
	noted(p, h->c->tls);
	for (size_t i = 0; i < h->n_findings; i++)
		finding(p, &h->findings[i]);
	if (h->verdict || p->style->verbose)
		sent_chain(p, h->certs, h->n_certs);
	profiles(p, h->profiles, h->n_profiles);
	cmi_buf_u8(p->out, '\n');
}

static void http(const struct pen *p, const struct cmi_item_http *h)
{
	const struct cmi_http_seen *s = h->c->http;
	const char *carries = cmi_carries_name(h->carries);

	inked(p, carries ? BLUE : DIM, "http");
	cmi_buf_printf(p->out, "  %s %s", h->method ? h->method : "",
		h->url ? h->url : "");
	if (s->status)
		cmi_buf_printf(p->out, "  %u", s->status);
	else
		cmi_buf_text(p->out, "  no answer");
	if (carries)
		cmi_buf_printf(p->out, "  carries: %s", carries);
	frames(p, &s->request_frame, s->request_frame != 0);
	cmi_buf_u8(p->out, '\n');
	for (size_t i = 0; i < h->n_certs; i++)
		cmi_buf_printf(p->out, "    %s\n", cert_name(h->certs[i]));
}

static void dns(const struct pen *p, const struct cmi_item_dns *d)
{
	const struct cmi_dns_seen *s = d->c->dns;

	inked(p, DIM, "dns");
	cmi_buf_printf(p->out, "   %s", d->name ? d->name : "");
	if (s->rcode < 0)
		cmi_buf_text(p->out, "  no answer");
	else if (s->rcode > 0)
		cmi_buf_printf(p->out, "  refused, code %d", s->rcode);
	frames(p, &s->query_frame, s->query_frame != 0);
	cmi_buf_u8(p->out, '\n');
}

static void dhcp(const struct pen *p, const struct cmi_item_other *item)
{
	const struct cmi_dhcp_seen *s = item->c->dhcp;
	struct cmi_uc_options o;
	struct cmi_uc_faults f;

	inked(p, DIM, "dhcp");
	cmi_buf_printf(p->out, "  message %u%s%s", s->message_type,
		s->has43 ? ", option 43" : "", s->has120 ? ", option 120" : "");
	frames(p, &s->frame, s->frame != 0);
	cmi_buf_u8(p->out, '\n');
	if (!cmi_uc_answered(s, &o, &f))
		return;
	for (size_t i = 0; i < f.n; i++) {
		const char *id = cmi_finding_name(f.faults[i].id);

		cmi_buf_printf(p->out, "  %s  %s\n", id ? id : "odd",
			f.faults[i].says);
	}
}

static void tcp(const struct pen *p, const struct cmi_item_other *o)
{
	const struct cmi_tcp_seen *s = o->c->tcp;
	char server[CMI_ENDPOINT_TEXT];

	if (s->syn_ack && !s->refused)
		return;
	inked(p, DIM, "tcp");
	cmi_buf_printf(p->out, "   %s  %s",
		cmi_endpoint_text(server, &o->c->server),
		s->refused ? "refused" : "no answer");
	frames(p, &s->syn_frame, s->syn_frame != 0);
	cmi_buf_u8(p->out, '\n');
}

/* The phone's own word, and said to be so. */
static void told(const struct pen *p, const struct cmi_item_told *t)
{
	const struct cmi_told_seen *s = t->c->told;
	const char *id = cmi_finding_name(s->finding);

	inked(p, DIM, "note");
	cmi_buf_printf(p->out, "  the %sphone says of \"%s\": ",
		t->side == CMI_STEP_GOOD  ? "good "
		: t->side == CMI_STEP_BAD ? "bad "
					  : "",
		t->step);
	inked(p, BOLD, id ? id : t->result);
	frames(p, &s->frame, s->frame != 0);
	cmi_buf_printf(p->out, "\n      %s\n", t->says);
}

static void number_or_dash(const struct pen *p, uint64_t frame)
{
	if (frame)
		cmi_buf_printf(p->out, "%6llu  ", (unsigned long long)frame);
	else
		cmi_buf_text(p->out, "     -  ");
}

static void step_text(
	const struct pen *p, enum ink color, const char *who, const char *text)
{
	ink(p, color);
	cmi_buf_printf(p->out, "%-11s", who);
	ink(p, PLAIN);
	wrapped(p, 29, text);
}

static void step(const struct pen *p, const struct cmi_item_step *s)
{
	bool same =
		s->text[0] && s->text[1] && strcmp(s->text[0], s->text[1]) == 0;

	number_or_dash(p, s->frame[0]);
	number_or_dash(p, s->frame[1]);
	if (s->diverges)
		inked(p, RED, "> ");
	else
		cmi_buf_text(p->out, s->consequence ? "| " : "  ");
	if (same) {
		step_text(p, PLAIN, "both", s->text[0]);
	} else {
		if (s->text[0])
			step_text(p, GREEN, s->text[1] ? "good" : "good only",
				s->text[0]);
		if (s->text[0] && s->text[1])
			cmi_buf_printf(p->out, "%18s", "");
		if (s->text[1])
			step_text(p, RED, s->text[0] ? "bad" : "bad only",
				s->text[1]);
	}
	if (s->note) {
		cmi_buf_printf(p->out, "%29s", "");
		wrapped(p, 29, s->note);
	}
}

static void divergence(const struct pen *p, const struct cmi_item_divergence *d)
{
	cmi_buf_text(p->out, "\n");
	if (d->verdict) {
		inked(p, RED, cmi_finding_name(d->verdict));
		if (d->cause) {
			cmi_buf_text(p->out, ", because of ");
			inked(p, RED, cmi_finding_name(d->cause));
		}
		cmi_buf_u8(p->out, '\n');
	}
	if (d->says) {
		cmi_buf_text(p->out, "  ");
		wrapped(p, 2, d->says);
	}
	for (size_t i = 0; i < d->n_consequences; i++) {
		cmi_buf_text(p->out, "  - ");
		wrapped(p, 4, d->consequences[i]);
	}
	if (d->n_remedies)
		cmi_buf_text(p->out, "\nremedies, best first\n");
	for (size_t i = 0; i < d->n_remedies; i++) {
		cmi_buf_printf(p->out, "  %zu. ", i + 1);
		inked(p, BOLD, d->remedies[i].title);
		cmi_buf_text(p->out, "\n     ");
		wrapped(p, 5, d->remedies[i].says);
	}
	cmi_buf_u8(p->out, '\n');
}

/* The day to plan by. */
static void endpoint_until(
	const struct pen *p, const struct cmi_item_endpoint *e)
{
	char day[CMI_TIME_TEXT];

	if (!e->until_s)
		return;
	cmi_buf_printf(
		p->out, "  good until %.10s", cmi_time_s(day, e->until_s));
	if (e->until_profile)
		cmi_buf_printf(p->out, ", then %s refuses", e->until_profile);
	if (e->until_subject)
		cmi_buf_printf(p->out, ": \"%s\" ends", e->until_subject);
	cmi_buf_u8(p->out, '\n');
}

/* Whom nobody could ask is neither fine nor refused. */
static void endpoint_unseen(
	const struct pen *p, const struct cmi_item_endpoint *e)
{
	inked(p, RED, "not looked at");
	cmi_buf_text(p->out, "  ");
	if (!cmi_text_starts(cmi_bytes_of(e->trouble), e->target))
		cmi_buf_printf(p->out, "%s: ", e->target);
	cmi_buf_printf(p->out, "%s\n", e->trouble);
}

static bool is_of_ways(const struct cmi_finding *f)
{
	return f->id == CMI_F_CHAIN_VARIES || f->id == CMI_F_WAY_UNANSWERED;
}

static void endpoint(const struct pen *p, const struct cmi_item_endpoint *e)
{
	const char *version = cmi_tls_version_name(e->version);

	if (e->trouble && !e->verdict && !e->n_findings) {
		endpoint_unseen(p, e);
		return;
	}
	inked(p, e->verdict ? RED : GREEN, e->verdict ? "fails" : "ok");
	if (e->verdict) {
		cmi_buf_u8(p->out, ' ');
		inked(p, BOLD, cmi_finding_name(e->verdict));
	}
	cmi_buf_printf(p->out, "  %s", e->target);
	if (e->address)
		cmi_buf_printf(p->out, " (%s)", e->address);
	if (version)
		cmi_buf_printf(p->out, "  %s", version);
	if (e->starttls)
		cmi_buf_printf(p->out, " after %s", e->starttls);
	cmi_buf_u8(p->out, '\n');
	for (size_t i = 0; i < e->n_findings; i++)
		if (!p->style->quiet ||
			(p->style->ways && is_of_ways(&e->findings[i])))
			finding(p, &e->findings[i]);
	if (p->style->quiet)
		return;
	sent_chain(p, e->sent, e->n_sent);
	profiles(p, e->profiles, e->n_profiles);
	endpoint_until(p, e);
	cmi_buf_u8(p->out, '\n');
}

static void counted(const struct pen *p, uint64_t n, const char *what)
{
	if (n)
		cmi_buf_printf(
			p->out, ", %llu %s", (unsigned long long)n, what);
}

static void summary(const struct pen *p, const struct cmi_item_summary *s)
{
	if (p->style->quiet)
		return;
	cmi_buf_printf(p->out, "%llu %s, %llu failed",
		(unsigned long long)s->handshakes,
		s->handshakes == 1 ? "handshake" : "handshakes",
		(unsigned long long)s->failed);
	counted(p, s->dark, "encrypted");
	counted(p, s->cut, "not whole");
	counted(p, s->given_up, "given up at a ceiling");
	counted(p, s->notes,
		s->notes == 1 ? "damaged place" : "damaged places");
	cmi_buf_printf(
		p->out, "; %llu packets\n", (unsigned long long)s->packets);
}

void cmi_report_text(struct cmi_buf *out, const struct cmi_item *item,
	const struct cmi_report_style *style)
{
	struct pen p = {out, style};

	switch (item->kind) {
	case CMI_ITEM_HANDSHAKE:
		handshake(&p, item->handshake);
		break;
	case CMI_ITEM_HTTP:
		http(&p, item->http);
		break;
	case CMI_ITEM_DNS:
		dns(&p, item->dns);
		break;
	case CMI_ITEM_DHCP:
		dhcp(&p, item->other);
		break;
	case CMI_ITEM_TCP:
		tcp(&p, item->other);
		break;
	case CMI_ITEM_TOLD:
		told(&p, item->told);
		break;
	case CMI_ITEM_STEP:
		step(&p, item->step);
		break;
	case CMI_ITEM_DIVERGENCE:
		divergence(&p, item->divergence);
		break;
	case CMI_ITEM_ENDPOINT:
		endpoint(&p, item->endpoint);
		break;
	case CMI_ITEM_SUMMARY:
		summary(&p, item->summary);
		break;
	}
}
