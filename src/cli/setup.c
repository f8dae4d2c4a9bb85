/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An intermediate is trusted as it was told, and then none is ever missing:
 * rarely what was meant by who gave a chain file for the roots. */
static void note_no_roots(struct cmi_cli *cli, const struct cmi_trust *t)
{
	const struct cmi_cert *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < cmi_trust_count(t); i++) {
		const struct cmi_cert *c = cmi_trust_at(t, i);

		if (c->self_issued)
			continue;
		first = first ? first : c;
		n++;
	}
	if (!n || cli->common.quiet)
		return;
	fprintf(cli->err, "chainmend: note: --roots has \"%s\"",
		first->subject);
	if (n > 1)
		fprintf(cli->err, " and %zu more", n - 1);
	fprintf(cli->err, ", trusted as told though no root: a server that "
			  "does not send it looks whole\n");
}

cmend_status cmi_setup_trust(
	struct cmi_cli *cli, struct cmi_trust **out, cmend_error *err)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = NULL;
	const struct cmi_cli_list *roots = &cli->common.roots;

	CMI_TRY(cmi_trust_new(
		roots->n ? "the roots given" : "the system's roots", &t, err));
	for (size_t i = 0; i < roots->n; i++)
		CMI_TRY(cmi_trust_add_path(t, roots->items[i], err));
	if (roots->n)
		note_no_roots(cli, t);
	else
		CMI_TRY(cmi_trust_add_system(t, err));
	*out = CMI_TAKE(t);
	return CMEND_OK;
}

static cmend_status open_pool(
	const struct cmi_cli_list *files, struct cmi_setup *s, cmend_error *err)
{
	if (!files || !files->n)
		return CMEND_OK;
	CMI_TRY(cmi_memory_new(CMI_FROM_FILE, &s->pool, err));
	for (size_t i = 0; i < files->n; i++) {
		struct cmi_bundle b = {0};
		cmend_status status;

		status = cmi_bundle_read_file(
			files->items[i], CMI_BUNDLE_CERTS_MAX, &b, err);
		if (status == CMEND_OK)
			status = cmi_memory_add_list(s->pool, &b.list, err);
		cmi_bundle_dispose(&b);
		CMI_TRY(status);
	}
	s->sources[s->n_sources++] = cmi_memory_source(s->pool);
	return CMEND_OK;
}

static cmend_status open_file(struct cmi_cli *cli, const char *path,
	struct cmi_setup *s, cmend_error *err)
{
	cmend_error why;
	cmend_status status =
		cmi_store_open(path, false, &s->env, &s->store, &why);

	if (status == CMEND_OK)
		return CMEND_OK;
	if (cli->common.cache)
		return cmi_fail(err, status, "%s", why.message);
	if (!cli->common.quiet)
		fprintf(cli->err,
			"chainmend: going on without kept issuers: %s\n",
			why.message);
	return CMEND_OK;
}

/* Also where it was put off; NULL: there is none. */
static struct cmi_store *open_now(struct cmi_setup *s)
{
	char path[4096];

	struct cmi_cli *cli = CMI_TAKE(s->put_off);

	if (cli && cmi_setup_cache_path(cli, path, sizeof(path)))
		(void)!open_file(cli, path, s, NULL);
	return s->store;
}

static cmend_status issuers_later(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_source *from;
	struct cmi_store *store = open_now(ctx);

	if (!store)
		return CMEND_OK;
	from = cmi_store_source(store);
	return from->issuers_of(from->ctx, child, offer, offer_ctx, err);
}

static cmend_status open_store(
	struct cmi_cli *cli, bool later, struct cmi_setup *s, cmend_error *err)
{
	char path[4096];

	if (!cmi_setup_cache_path(cli, path, sizeof(path)))
		return CMEND_OK;
	if (cmi_shared_is_url(path)) {
		CMI_TRY(cmi_shared_open(path, &s->env, &s->shared, err));
		s->sources[s->n_sources++] = cmi_shared_source(s->shared);
		return CMEND_OK;
	}
	if (later && !cli->common.cache) {
		s->later = (struct cmi_source){
			.origin = CMI_FROM_CACHE,
			.issuers_of = issuers_later,
			.ctx = s,
		};
		s->put_off = cli;
		s->sources[s->n_sources++] = &s->later;
		return CMEND_OK;
	}
	CMI_TRY(open_file(cli, path, s, err));
	if (s->store)
		s->sources[s->n_sources++] = cmi_store_source(s->store);
	return CMEND_OK;
}

/* The user's, else the system's, else none: having none is no trouble. */
static void open_preload(struct cmi_cli *cli, struct cmi_setup *s)
{
	char path[4096];
	cmend_error why = {.status = CMEND_NOT_FOUND};

	if (cmi_setup_preload_path(path, sizeof(path)))
		(void)!cmi_preload_open(path, &s->preload, &why);
	if (!s->preload && why.status == CMEND_NOT_FOUND)
		(void)!cmi_preload_open(
			CMI_DATADIR "/preload.bin", &s->preload, &why);
	if (s->preload)
		s->sources[s->n_sources++] = cmi_preload_source(s->preload);
	else if (why.status != CMEND_NOT_FOUND && !cli->common.quiet)
		fprintf(cli->err,
			"chainmend: going on without known issuers: %s\n",
			why.message);
}

/* The cache's troubles are warnings: the work goes on without it. */
static void on_event(void *ctx, const struct cmi_event *event)
{
	const struct cmi_cli *cli = ctx;

	if (strcmp(event->kind, "cache") != 0 || cli->common.quiet)
		return;
	fprintf(cli->err, "chainmend: cache%s%s%s: %s\n",
		event->subject ? " \"" : "",
		event->subject ? event->subject : "",
		event->subject ? "\"" : "",
		event->reason ? event->reason : "trouble");
}

/* There is neither a cache nor a file of known issuers to look into. */
static bool keeps_nothing(const struct cmi_cli *cli)
{
	char path[4096];

	if (cmi_setup_cache_path(cli, path, sizeof(path)) &&
		(cmi_shared_is_url(path) || access(path, F_OK) == 0))
		return false;
	if (cmi_setup_preload_path(path, sizeof(path)) &&
		access(path, F_OK) == 0)
		return false;
	return access(CMI_DATADIR "/preload.bin", F_OK) != 0;
}

static cmend_status see_offer(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	(void)cert, (void)origin;
	*(bool *)ctx = true;
	return CMEND_OK;
}

/* Not asked: the fleet's, over the network; it is asked once, later. */
static bool has_issuer_of(struct cmi_setup *s, const struct cmi_cert *child)
{
	bool has = false;

	for (size_t i = 0; i < s->n_sources && !has && !s->shared; i++)
		(void)!s->sources[i]->issuers_of(
			s->sources[i]->ctx, child, see_offer, &has, NULL);
	return has;
}

/* By the roots given, which are read already, or by the names of the system's,
 * which take longer to read than libcurl does to load. */
static bool has_anchor_of(
	const struct cmi_setup *s, const struct cmi_cert *child)
{
	struct cmi_cert *anchor;

	return s->trust ? cmi_trust_issuers(s->trust, child, &anchor, 1) > 0
			: cmi_trust_system_names_issuer(child);
}

/* libcurl takes longer to load than most of what comes before the fetch. */
static void foresee_fetch(struct cmi_setup *s, const struct cmi_cert *orphan)
{
	if (orphan && s->online && !has_anchor_of(s, orphan) &&
		!has_issuer_of(s, orphan))
		cmi_fetcher_foresee();
}

static cmend_status open_sources(struct cmi_cli *cli,
	const struct cmi_setup_options *o, struct cmi_setup *s,
	cmend_error *err)
{
	bool none = keeps_nothing(cli);

	CMI_TRY(open_pool(o->pool, s, err));
	/* Before a cache is made: that can go on beside it. */
	if (none)
		foresee_fetch(s, o->orphan);
	CMI_TRY(open_store(cli, o->cache_later, s, err));
	open_preload(cli, s);
	if (!none)
		foresee_fetch(s, o->orphan);
	return CMEND_OK;
}

cmend_status cmi_setup_open(struct cmi_cli *cli,
	const struct cmi_setup_options *o, struct cmi_setup *s,
	cmend_error *err)
{
	*s = (struct cmi_setup){
		.env = *cmi_env_system(),
		.at_s = cli->common.has_at ? cli->common.at_s
					   : cmi_now_us(NULL) / 1000000,
		.online = cli->common.online ||
			  (o->default_online && !cli->common.offline),
		.proxy = o->proxy,
	};
	/* One of the choices, where it is given. */
	(void)cmi_policy_by_name(cmi_bytes_of(cli->common.policy), &s->policy);
	s->env.event = on_event;
	s->env.ctx = cli;
	s->trust_is_system = !cli->common.roots.n;
	if (!s->trust_is_system && !o->no_trust)
		CMI_TRY(cmi_setup_trust(cli, &s->trust, err));
	CMI_TRY(open_sources(cli, o, s, err));
	return o->no_trust || s->trust ? CMEND_OK
				       : cmi_setup_trust(cli, &s->trust, err);
}

static cmend_status make_fetcher(struct cmi_setup *s, cmend_error *err)
{
	struct cmi_fetch_options fetch = {
		.allow_private = s->fetch_private,
		.target_host = s->fetch_target,
		.store = open_now(s),
		.env = &s->env,
	};
	const struct cmi_proxy *proxy = s->proxy;
	char url[CMI_NAME_MAX + 32];

	if (s->fetcher)
		return CMEND_OK;
	if (proxy) {
		snprintf(url, sizeof(url), "%s://%s",
			proxy->kind == CMI_PROXY_HTTP ? "http" : "socks5h",
			proxy->at.text);
		fetch.proxy = url;
		fetch.proxy_user = proxy->user[0] ? proxy->user : NULL;
		fetch.proxy_password = proxy->user[0] ? proxy->password : NULL;
	}
	return cmi_fetcher_new(&fetch, &s->fetcher, err);
}

/* The fetcher's supplier, made when the first one asks: most chains need
 * nothing, and then neither it nor the cache that it writes to is opened. */
static cmend_status fetch_issuers(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_setup *s = ctx;
	const struct cmi_source *aia;

	CMI_TRY(make_fetcher(s, err));
	aia = cmi_fetcher_aia_source(s->fetcher);
	return aia->issuers_of(aia->ctx, child, offer, offer_ctx, err);
}

static cmend_status fetch_more(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_setup *s = ctx;
	const struct cmi_source *aia;

	if (!s->fetcher)
		return CMEND_OK;
	aia = cmi_fetcher_aia_source(s->fetcher);
	return aia->more_of(aia->ctx, child, offer, offer_ctx, err);
}

static enum cmi_finding_id fetch_trouble(void *ctx, char *says, size_t n_says)
{
	const struct cmi_setup *s = ctx;
	const struct cmi_source *aia;

	if (!s->fetcher)
		return CMI_F_NONE;
	aia = cmi_fetcher_aia_source(s->fetcher);
	return aia->last_trouble(aia->ctx, says, n_says);
}

static unsigned fetches_of(void *ctx)
{
	const struct cmi_setup *s = ctx;
	const struct cmi_source *aia;

	if (!s->fetcher)
		return 0;
	aia = cmi_fetcher_aia_source(s->fetcher);
	return aia->fetches(aia->ctx);
}

static void add_fetching(struct cmi_setup *s)
{
	s->fetching = (struct cmi_source){
		.origin = CMI_FROM_AIA,
		.issuers_of = fetch_issuers,
		.last_trouble = fetch_trouble,
		.more_of = fetch_more,
		.fetches = fetches_of,
		.ctx = s,
		.costly = true,
	};
	s->at_fetching = s->n_sources++;
	s->sources[s->at_fetching] = &s->fetching;
}

cmend_status cmi_setup_fetch_for(struct cmi_cli *cli, struct cmi_setup *s,
	const char *target_address, cmend_error *err)
{
	char *target = NULL;

	if (!s->online)
		return CMEND_OK;
	if (target_address) {
		target = cmi_strdup(target_address);
		if (!target)
			return cmi_nomem(err);
	}
	cmi_free(s->fetch_target);
	s->fetch_target = target;
	s->fetch_private = cli->common.allow_private;
	cmi_fetcher_free(CMI_TAKE(s->fetcher));
	if (!s->fetching.ctx)
		add_fetching(s);
	/* What a fleet's cache remembers of answers is for one target, too. */
	if (s->shared)
		s->sources[s->at_fetching] =
			cmi_shared_aia_source(s->shared, &s->fetching);
	return CMEND_OK;
}

cmend_status cmi_setup_fetch_by(struct cmi_setup *s,
	struct cmi_aia_transport transport, cmend_error *err)
{
	CMI_TRY(cmi_aia_new(&transport, s->store, &s->env, &s->aia, err));
	s->sources[s->n_sources++] = cmi_aia_source(s->aia);
	return CMEND_OK;
}

static cmend_status hold_one(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	return cmi_memory_add(ctx, e->cert, err);
}

/* A fleet's cache is a connection: nothing of it can be held. */
static void leave_shared(struct cmi_setup *s)
{
	const struct cmi_source *was = cmi_shared_source(s->shared);
	size_t n = 0;

	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i] != was)
			s->sources[n++] = s->sources[i];
	s->n_sources = n;
	cmi_shared_close(CMI_TAKE(s->shared));
	cmi_emit(&s->env, "cache", NULL,
		"the shared one is not asked: a locked reader has no network",
		0);
}

cmend_status cmi_setup_hold(struct cmi_setup *s, cmend_error *err)
{
	const struct cmi_source *was;

	if (s->shared)
		leave_shared(s);
	if (!s->store)
		return CMEND_OK;
	was = cmi_store_source(s->store);
	CMI_TRY(cmi_memory_new(CMI_FROM_CACHE, &s->held, err));
	/* One that cannot be used was told of, and has nothing. */
	if (cmi_store_usable(s->store))
		CMI_TRY(cmi_store_list(s->store, hold_one, s->held, NULL, err));
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i] == was)
			s->sources[i] = cmi_memory_source(s->held);
	cmi_store_close(CMI_TAKE(s->store));
	return CMEND_OK;
}

static const char *url_of(void *ctx, const struct cmi_cert *c)
{
	return ctx ? cmi_fetcher_url_of(ctx, c) : NULL;
}

void cmi_setup_keep_cert(
	struct cmi_setup *s, struct cmi_cert *c, enum cmi_origin origin)
{
	const char *url = url_of(s->fetcher, c);

	if (s->store && origin == CMI_FROM_CACHE)
		cmi_store_touch(s->store, c);
	if (origin != CMI_FROM_AIA)
		return;
	/* Its troubles are events. */
	if (s->store)
		(void)!cmi_store_put(s->store, c, origin, url, NULL);
	if (s->shared)
		cmi_shared_put(s->shared, c, origin, url);
}

void cmi_setup_keep(struct cmi_setup *s, const struct cmi_path *path)
{
	if (s->store)
		cmi_store_keep_path(s->store, path, url_of, s->fetcher);
	for (size_t i = 1; s->shared && i + 1 < path->n; i++)
		if (path->origins[i] == CMI_FROM_AIA)
			cmi_shared_put(s->shared, path->certs[i],
				path->origins[i],
				url_of(s->fetcher, path->certs[i]));
}

void cmi_setup_dispose(struct cmi_setup *s)
{
	cmi_fetcher_settle();
	cmi_fetcher_free(s->fetcher);
	cmi_free(s->fetch_target);
	cmi_aia_free(s->aia);
	cmi_shared_close(s->shared);
	cmi_store_close(s->store);
	cmi_preload_close(s->preload);
	cmi_memory_free(s->pool);
	cmi_memory_free(s->held);
	cmi_trust_free(s->trust);
	*s = (struct cmi_setup){0};
}
