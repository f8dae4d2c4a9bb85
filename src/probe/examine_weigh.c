/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "probe/examine_private.h"

/* How often a path that ends may be followed by another that is still good
 * when looking for the last good day. */
#define UNTIL_STEPS 6

const char *cmi_examine_say(struct cmi_arena *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return cmi_arena_strndup(a, text, strlen(text));
}

/* The earliest end of validity on the path, and whose it is. */
static int64_t path_end(const struct cmi_path *path, bool root_counts,
	const struct cmi_cert **whose)
{
	int64_t end = INT64_MAX;

	for (size_t i = 0; i < path->n; i++) {
		const struct cmi_cert *c = path->certs[i];

		if (path->origins[i] == CMI_FROM_ANCHOR && !root_counts)
			continue;
		if (c->not_after_s < end) {
			end = c->not_after_s;
			*whose = c;
		}
	}
	return end;
}

/* The last second at which this client still accepts: when one path ends,
 * another one may still be good. */
cmend_status cmi_examine_until(struct cmi_examination *x,
	const struct cmi_judge_request *asked, bool root_counts,
	const struct cmi_complete_result *first, int64_t *until_s,
	const char **subject, cmend_error *err)
{
	const struct cmi_cert *whose = NULL;
	struct cmi_complete_result r = {0};
	struct cmi_complete_request again = {
		.leaf = asked->sent[0],
		.sent = asked->sent,
		.n_sent = asked->n_sent,
		.trust = asked->trust,
		.host = asked->host,
		.no_wildcards = asked->no_wildcards,
		.subject_names = asked->subject_names,
		.anchor_dates_off = asked->anchor_dates_off,
		.reorder_off = asked->reorder_off,
		.security_level = asked->security_level,
		.policy = asked->policy,
		.sources = asked->sources,
		.n_sources = asked->n_sources,
		.env = asked->env,
	};
	int64_t end = path_end(&first->path, root_counts, &whose);

	for (size_t i = 0; i < UNTIL_STEPS && whose; i++) {
		if (cmi_cert_equal(whose, first->path.certs[0]))
			break;
		again.at_s = end + 1;
		CMI_TRY(cmi_complete(&again, &r, err));
		if (!r.accepted) {
			cmi_complete_result_dispose(&r);
			break;
		}
		end = path_end(&r.path, root_counts, &whose);
		*subject = cmi_arena_strndup(
			&x->arena, whose->subject, strlen(whose->subject));
		cmi_complete_result_dispose(&r);
	}
	*until_s = whose ? end : 0;
	if (whose && !*subject)
		*subject = cmi_arena_strndup(
			&x->arena, whose->subject, strlen(whose->subject));
	return CMEND_OK;
}

void cmi_examine_note_until(struct cmi_examination *x, int64_t until_s,
	const char *name, const char *subject)
{
	if (!until_s || (x->until_s && x->until_s <= until_s))
		return;
	x->until_s = until_s;
	x->until_profile = name;
	x->until_subject = subject;
}

static const char *short_name(const struct cmi_cert *c)
{
	return c->common_name ? c->common_name : c->subject;
}

/* A few words for a table; the finding's own remedy says it in full. */
static const char *short_help(enum cmi_finding_id id)
{
	switch ((int)id) {
	case CMI_F_MISSING_INTERMEDIATE:
		return "send the missing issuer too (chainmend mend)";
	case CMI_F_UNTRUSTED_ROOT:
	case CMI_F_DISTRUSTED_ROOT:
		return "a certificate below a root it has (chainmend survey)";
	case CMI_F_EXPIRED_ROOT:
		return "a chain to another root it has (chainmend survey)";
	case CMI_F_EXPIRED_INTERMEDIATE:
		return "send the newer issuer from the CA (chainmend mend)";
	case CMI_F_EXPIRED_LEAF:
		return "renew the certificate";
	case CMI_F_NAME_MISMATCH:
	case CMI_F_WILDCARD_UNSUPPORTED:
		return "a certificate that names this host";
	case CMI_F_SELF_SIGNED_LEAF:
		return "a certificate from a CA it trusts";
	case CMI_F_WRONG_ORDER:
		return "send the chain in its order (chainmend mend)";
	case CMI_F_UNSUPPORTED_SIGNATURE:
		return "an RSA certificate beside this one";
	case CMI_F_PROTOCOL_VERSION:
		return "a version of TLS that both know";
	case CMI_F_WRONG_HOST:
		return "a default certificate for clients that name no host";
	case CMI_F_WEAK_KEY:
	case CMI_F_WEAK_SIGNATURE:
		return "a new certificate with today's key and digest";
	}
	return NULL;
}

/* What the server could send so that this client accepts; NULL: nothing. */
static const char *help_for(
	struct cmi_examination *x, const struct cmi_judgement *j)
{
	if (!j->repairable)
		return short_help(j->verdict);
	for (size_t i = 1; i < j->repair.path.n; i++) {
		const struct cmi_cert *c = j->repair.path.certs[i];

		if (j->repair.path.origins[i] == CMI_FROM_SENT ||
			j->repair.path.origins[i] == CMI_FROM_ANCHOR)
			continue;
		return cmi_examine_say(&x->arena,
			j->repair.n_added > 1
				? "send \"%s\" and %zu more (chainmend mend)"
				: "send \"%s\" too (chainmend mend)",
			short_name(c), j->repair.n_added - 1);
	}
	return "send the chain in its order (chainmend mend)";
}

/* The list of roots says more than trusted or not. */
static void apply_list(struct cmi_examination *x, const struct cmi_profile *p,
	const struct cmi_complete_result *r, struct cmi_item_profile *item)
{
	char day[CMI_TIME_TEXT];

	for (size_t i = 0; item->accepts && i < r->path.n; i++) {
		const struct cmi_cert *c = r->path.certs[i];
		const struct cmi_profile_root *root = cmi_profile_root_of(p, c);

		if (!root)
			continue;
		if (root->blocked) {
			item->says = cmi_examine_say(&x->arena,
				"this client blocks \"%s\"", short_name(c));
		} else if (root->distrust_after_s &&
			   r->path.certs[0]->not_before_s >
				   root->distrust_after_s) {
			item->says = cmi_examine_say(&x->arena,
				"this client trusts \"%s\" only for "
				"certificates made up to %.10s",
				short_name(c),
				cmi_time_s(day, root->distrust_after_s));
		} else {
			continue;
		}
		item->accepts = false;
		item->why = CMI_F_DISTRUSTED_ROOT;
		item->help = short_help(item->why);
	}
}

/*
 * A refusal that may come from our own want of the client's roots is none: the
 * path stops below an issuer that nobody here knows, and some roots of the
 * client are not at hand.  Where even the leaf's issuer is unknown, that is an
 * intermediate: certificates straight from a root are very rare.
 */
static bool may_be_our_want(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judgement *j)
{
	const struct cmi_path *path = &j->result.path;
	const struct cmi_cert *top = path->n ? path->certs[path->n - 1] : NULL;

	if (!p->n_absent || j->repairable || x->plain.accepted ||
		x->plain.repairable || !top || top->self_issued)
		return false;
	return j->verdict == CMI_F_UNTRUSTED_ROOT ||
	       (j->verdict == CMI_F_MISSING_INTERMEDIATE && path->n > 1);
}

static void weigh_ignorance(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judgement *j,
	struct cmi_item_profile *item)
{
	if (!p->list_path &&
		(item->accepts || j->verdict == CMI_F_UNTRUSTED_ROOT)) {
		item->says = "its list of roots is not publicly known; the "
			     "rest is as it wants it";
	} else if (!item->accepts && may_be_our_want(x, p, j)) {
		item->says = cmi_examine_say(&x->arena,
			"%zu of its %zu roots are not at hand: chainmend data "
			"update gets them",
			p->n_absent, p->n_roots);
	} else {
		return;
	}
	item->unknown = true;
	item->accepts = false;
	item->why = CMI_F_NONE;
	item->help = NULL;
}

/* Would it accept the same certificates in another order?  Then that is what
 * is wrong, and not what it missed. */
static cmend_status weigh_order(struct cmi_examination *x,
	const struct cmi_judge_request *r, struct cmi_item_profile *item,
	cmend_error *err)
{
	struct cmi_judge_request any = *r;
	struct cmi_judgement j = {0};
	cmend_status status;

	if (!r->reorder_off || item->why != CMI_F_MISSING_INTERMEDIATE)
		return CMEND_OK;
	any.sent = x->sent;
	any.n_sent = x->q->n_sent;
	any.reorder_off = false;
	status = cmi_judge(&any, &j, err);
	if (status == CMEND_OK && j.accepted) {
		item->why = CMI_F_WRONG_ORDER;
		item->says = "this client takes an issuer only behind the "
			     "certificate that it issued";
		item->help = short_help(item->why);
	}
	cmi_judgement_dispose(&j);
	return status;
}

/* Accepted for a name that this client may not look at. */
static void weigh_name(struct cmi_examination *x, const struct cmi_profile *p,
	const struct cmi_judge_request *r, struct cmi_item_profile *item)
{
	if (!item->accepts || !r->host || p->subject_names != CMI_UNKNOWN ||
		cmi_cert_matches_host(r->sent[0], r->host, !r->no_wildcards))
		return;
	item->says = cmi_examine_say(&x->arena,
		"the certificate names \"%s\" in its subject only; whether "
		"this client takes that is not publicly known",
		r->host);
	item->help = short_help(CMI_F_NAME_MISMATCH);
	item->unknown = true;
	item->accepts = false;
}

/* A client that begins with another time than now: until its clock is set it
 * judges at that time. */
static cmend_status weigh_clock(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judge_request *r,
	struct cmi_item_profile *item, cmend_error *err)
{
	struct cmi_judge_request then = *r;
	struct cmi_judgement j = {0};
	char from[CMI_TIME_TEXT], to[CMI_TIME_TEXT];
	cmend_status status = CMEND_OK;

	if (!item->accepts || p->keeps_clock != CMI_NO)
		return CMEND_OK;
	then.at_s = p->clock_s;
	if (p->clock_s)
		status = cmi_judge(&then, &j, err);
	if (status == CMEND_OK && p->clock_s && !j.accepted)
		item->says = cmi_examine_say(&x->arena,
			"after it was off its clock stands at %.10s, when it "
			"refuses this chain (%s); it accepts once it has the "
			"time",
			cmi_time_s(from, p->clock_s),
			cmi_finding_name(j.verdict));
	else if (status == CMEND_OK && !p->clock_s)
		item->says = cmi_examine_say(&x->arena,
			"after it was off its clock is wrong, and the "
			"certificate is valid from %.10s to %.10s only; it "
			"accepts once it has the time",
			cmi_time_s(from, r->sent[0]->not_before_s),
			cmi_time_s(to, r->sent[0]->not_after_s));
	if (status == CMEND_OK && !j.accepted)
		item->help = "give it the time first (NTP)";
	cmi_judgement_dispose(&j);
	return status;
}

static cmend_status weigh_profile(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judge_request *r,
	struct cmi_item_profile *item, cmend_error *err)
{
	struct cmi_judgement j = {0};
	const char *subject = NULL;
	cmend_status status = cmi_judge(r, &j, err);

	if (status == CMEND_OK) {
		item->accepts = j.accepted;
		item->why = j.verdict;
		if (j.n_findings && !j.accepted)
			item->says = cmi_examine_say(
				&x->arena, "%s", j.findings[0].says);
		if (!j.accepted)
			item->help = help_for(x, &j);
		apply_list(x, p, &j.result, item);
		weigh_ignorance(x, p, &j, item);
		weigh_name(x, p, r, item);
		status = weigh_order(x, r, item, err);
	}
	if (status == CMEND_OK)
		status = weigh_clock(x, p, r, item, err);
	if (status == CMEND_OK && item->accepts)
		status = cmi_examine_until(x, r, p->root_expiry != CMI_NO,
			&j.result, &item->until_s, &subject, err);
	item->until_subject = subject;
	if (status == CMEND_OK && item->accepts)
		cmi_examine_note_until(x, item->until_s, p->name, subject);
	cmi_judgement_dispose(&j);
	return status;
}

cmend_status cmi_examine_profile(struct cmi_examination *x,
	const struct cmi_profile *p, struct cmi_item_profile *item,
	cmend_error *err)
{
	struct cmi_judge_request r = cmi_examine_request_of(x, p);

	item->profile = p->name;
	item->title = p->title;
	item->why = cmi_examine_cannot_do(x, p, &item->says);
	if (item->why != CMI_F_NONE)
		item->help = short_help(item->why);
	else
		CMI_TRY(weigh_profile(x, p, &r, item, err));
	x->refused |= !item->accepts && !item->unknown;
	return CMEND_OK;
}
