/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_judge.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#include "core/limits.h"
#include "probe/examine.h"

/* The name of the client that trusts the roots given, or the system's, and
 * fetches nothing. */
#define PLAIN "plain"

/* Anchors, profiles, suppliers: exchanged as one on reload. */
struct judges {
	struct cmi_setup setup;
	struct cmi_profile_set profiles;
	const char *names[CMI_PROFILES_MAX + 1];
	size_t n_names;
	bool plain_counts;
};

struct cmi_judging {
	struct cmi_lookers_options o;
	pthread_mutex_t lock; /* the counts */
	struct cmi_fetch_counts fetches;
	pthread_mutex_t judging; /* judges, and all that they hold */
	struct judges *judges;
};

static void free_judges(struct judges *j)
{
	if (!j)
		return;
	cmi_profile_set_dispose(&j->profiles);
	cmi_setup_dispose(&j->setup);
	cmi_free(j);
}
CMI_DEFINE_CLEANUP(judges_freep, struct judges, free_judges)

/* Fetches are counted; a cache's troubles are told as everywhere. */
static void on_event(void *ctx, const struct cmi_event *event)
{
	struct cmi_judging *l = ctx;

	if (strcmp(event->kind, "fetch") == 0) {
		bool had = event->reason && strcmp(event->reason, "had") == 0;

		pthread_mutex_lock(&l->lock);
		l->fetches.had += had;
		l->fetches.failed += !had;
		pthread_mutex_unlock(&l->lock);
	} else if (strcmp(event->kind, "cache") == 0 &&
		   !l->o.cli->common.quiet) {
		fprintf(l->o.cli->err, "chainmend: cache: %s\n",
			event->reason ? event->reason : "trouble");
	}
}

static cmend_status open_judges(
	struct cmi_judging *l, struct judges **out, cmend_error *err)
{
	const struct cmi_setup_options how = {
		.default_online = true,
		.proxy = cmi_gather_proxy(l->o.way),
	};
	const struct cmi_common *common = &l->o.cli->common;
	CMI_AUTO(judges_freep) struct judges *j = cmi_alloc(sizeof(*j));

	if (!j)
		return cmi_nomem(err);
	CMI_TRY(cmi_setup_open(l->o.cli, &how, &j->setup, err));
	j->setup.env.event = on_event;
	j->setup.env.ctx = l;
	CMI_TRY(cmi_profile_set_open(&j->setup, &j->profiles, err));
	CMI_TRY(cmi_profile_set_add(&j->profiles, &common->profiles,
		!common->profiles.n && !common->roots.n, err));
	j->plain_counts = !common->profiles.n || common->roots.n;
	if (j->plain_counts)
		j->names[j->n_names++] = PLAIN;
	for (size_t i = 0; i < j->profiles.n; i++)
		j->names[j->n_names++] = j->profiles.list[i]->name;
	*out = CMI_TAKE(j);
	return CMEND_OK;
}

cmend_status cmi_judging_reload(struct cmi_judging *l, cmend_error *err)
{
	struct judges *fresh = NULL, *old;

	CMI_TRY(open_judges(l, &fresh, err));
	pthread_mutex_lock(&l->judging);
	old = l->judges;
	l->judges = fresh;
	pthread_mutex_unlock(&l->judging);
	free_judges(old);
	return CMEND_OK;
}

const char *const *cmi_judging_profiles(const struct cmi_judging *l, size_t *n)
{
	*n = l->judges->n_names;
	return l->judges->names;
}

/* ------------------------------------------------------------- one look */

struct taking {
	struct cmi_look *look;
	struct judges *judges;
};

static const char *keep_text(struct cmi_look *look, const char *text)
{
	return text ? cmi_arena_strndup(look->arena, text, strlen(text)) : NULL;
}

static void take_profile(struct cmi_look *look, struct cmi_seen_opinion *to,
	const struct cmi_item_profile *p)
{
	*to = (struct cmi_seen_opinion){
		.profile = keep_text(look, p->profile),
		.reason = p->unknown   ? (unsigned)CMI_REASON_UNKNOWN
			  : p->accepts ? (unsigned)CMI_REASON_OK
				       : (unsigned)p->why,
		.until_s = p->accepts && !p->unknown ? p->until_s : 0,
		.says = keep_text(look, p->says),
		.help = keep_text(look, p->help),
	};
	/* A refusal always has a reason. */
	if (!p->unknown && !p->accepts && to->reason == CMI_REASON_OK)
		to->reason = CMI_REASON_UNKNOWN;
}

static int64_t path_until(const struct cmi_path *path)
{
	int64_t end = INT64_MAX;

	for (size_t i = 0; path && i < path->n; i++)
		if (path->certs[i]->not_after_s < end)
			end = path->certs[i]->not_after_s;
	return end == INT64_MAX ? 0 : end;
}

static void take_plain(struct cmi_look *look, struct cmi_seen_opinion *to,
	const struct cmi_item_endpoint *e)
{
	*to = (struct cmi_seen_opinion){
		.profile = PLAIN,
		.reason = (unsigned)e->verdict,
		.until_s = e->verdict == CMI_F_NONE && e->path_has_anchor
				   ? path_until(e->path)
				   : 0,
		.says = e->verdict != CMI_F_NONE && e->n_findings
				? keep_text(look, e->findings[0].says)
				: NULL,
	};
}

static void take_findings(
	struct cmi_look *look, const struct cmi_item_endpoint *e)
{
	look->verdict = (unsigned)e->verdict;
	for (size_t i = 0; i < e->n_findings; i++) {
		const struct cmi_finding *f = &e->findings[i];

		cmi_reasons_add(&look->findings, (unsigned)f->id);
		look->soon |= f->id == CMI_F_EXPIRES_SOON;
		if (!look->says[0] && f->severity == CMI_SEVERITY_ERROR)
			snprintf(look->says, sizeof(look->says), "%s", f->says);
	}
}

static void take_chain(struct cmi_look *look, const struct cmi_item_endpoint *e)
{
	uint8_t all[CMI_SENT_CERTS_MAX * CMI_SHA256_LEN];
	size_t n = 0;

	for (size_t i = 0; i < e->n_sent && i < CMI_SENT_CERTS_MAX; i++, n++)
		cmi_sha256(e->sent[i].der, all + n * CMI_SHA256_LEN);
	cmi_sha256((struct cmi_bytes){all, n * CMI_SHA256_LEN}, look->chain);
	look->had_chain = n > 0;
	if (n && e->sent[0].cert)
		look->leaf_end_s = e->sent[0].cert->not_after_s;
	look->until_s = e->until_s;
}

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct cmi_item_endpoint *e = item->endpoint;
	struct taking *t = ctx;
	struct cmi_look *look = t->look;
	struct cmi_seen_opinion *all;
	size_t n = t->judges->plain_counts;

	if (e->path && e->path_has_anchor)
		cmi_setup_keep(&t->judges->setup, e->path);
	take_findings(look, e);
	take_chain(look, e);
	all = cmi_arena_alloc(look->arena, (e->n_profiles + 1) * sizeof(*all));
	if (!all)
		return cmi_nomem(err);
	if (n)
		take_plain(look, &all[0], e);
	for (size_t i = 0; i < e->n_profiles; i++)
		take_profile(look, &all[n++], &e->profiles[i]);
	look->opinions = all;
	look->n_opinions = n;
	return CMEND_OK;
}

/* unlike: how this address differs from the others; or NULL. */
static cmend_status judge(struct cmi_judging *l, const struct cmi_look_job *job,
	const struct cmi_dialed *d, struct cmi_sent *sent,
	const struct cmi_finding *unlike, struct cmi_look *look,
	cmend_error *err)
{
	struct judges *judges = l->judges;
	struct taking taking = {look, judges};
	const struct cmi_item_sink sink = {take_item, &taking};
	struct cmi_examined seen = {0};
	const struct cmi_endpoint *at = &d->conversation.server;
	char ip[INET6_ADDRSTRLEN] = "";
	struct cmi_finding more[2];
	struct cmi_examine_request q = {
		.target = job->name,
		.address = look->address,
		.starttls = job->starttls,
		.host = d->server_name[0] ? d->server_name : job->target.host,
		.version = d->tls.version,
		.cipher = d->tls.cipher,
		.sent = sent->certs,
		.n_sent = sent->n,
		.trust = judges->setup.trust,
		.policy = judges->setup.policy,
		.profiles = (const struct cmi_profile *const *)
				    judges->profiles.list,
		.n_profiles = judges->profiles.n,
		.profiles_only = !judges->plain_counts,
		.any_trust = judges->profiles.any_trust,
		.known = judges->setup.sources,
		.at_s = look->at_s,
		.warn_days = l->o.warn_days,
		.more = more,
		.env = &judges->setup.env,
	};

	if (!sent->n)
		return cmi_examine_none(
			job->name, NULL, NULL, d, look->at_s, &sink, err);
	cmi_examine_handshake(d, more, &q.n_more, 1);
	if (unlike)
		more[q.n_more++] = *unlike;
	if (at->family)
		inet_ntop(at->family == 4 ? AF_INET : AF_INET6, at->addr, ip,
			sizeof(ip));
	CMI_TRY(cmi_setup_fetch_for(
		l->o.cli, &judges->setup, ip[0] ? ip : NULL, err));
	q.n_known = judges->setup.n_sources;
	return cmi_examine(&q, &sink, &seen, err);
}

/* A handshake that brought no chain is a fault of its own for every client. */
static cmend_status spread_verdict(
	struct cmi_look *look, const struct judges *judges, cmend_error *err)
{
	struct cmi_seen_opinion *all = cmi_arena_alloc(
		look->arena, (judges->n_names + 1) * sizeof(*all));

	if (!all)
		return cmi_nomem(err);
	for (size_t i = 0; i < judges->n_names; i++)
		all[i] = (struct cmi_seen_opinion){
			.profile = keep_text(look, judges->names[i]),
			.reason = look->verdict,
			.says = look->says[0] ? keep_text(look, look->says)
					      : NULL,
		};
	look->opinions = all;
	look->n_opinions = judges->n_names;
	return CMEND_OK;
}

cmend_status cmi_judging_judge(struct cmi_judging *l,
	const struct cmi_look_job *job, const struct cmi_dialed *d,
	struct cmi_sent *sent, const struct cmi_finding *unlike,
	struct cmi_look *look, cmend_error *err)
{
	cmend_status status;

	pthread_mutex_lock(&l->judging);
	status = judge(l, job, d, sent, unlike, look, err);
	if (status == CMEND_OK && !sent->n)
		status = spread_verdict(look, l->judges, err);
	pthread_mutex_unlock(&l->judging);
	return status;
}

/* -------------------------------------------------------------- all of it */

void cmi_judging_free(struct cmi_judging *l)
{
	if (!l)
		return;
	free_judges(l->judges);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->judging);
	cmi_free(l);
}

cmend_status cmi_judging_new(const struct cmi_lookers_options *options,
	struct cmi_judging **out, cmend_error *err)
{
	struct cmi_judging *l = cmi_alloc(sizeof(*l));
	cmend_status status;

	if (!l)
		return cmi_nomem(err);
	l->o = *options;
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->judging, NULL);
	status = open_judges(l, &l->judges, err);
	if (status == CMEND_OK)
		*out = l;
	else
		cmi_judging_free(l);
	return status;
}

const struct cmi_lookers_options *cmi_judging_options(
	const struct cmi_judging *l)
{
	return &l->o;
}

struct cmi_fetch_counts cmi_judging_fetches(struct cmi_judging *l)
{
	struct cmi_fetch_counts n;

	pthread_mutex_lock(&l->lock);
	n = l->fetches;
	pthread_mutex_unlock(&l->lock);
	return n;
}
