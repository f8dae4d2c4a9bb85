/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/setup.h"

#include <stdlib.h>
#include <string.h>

bool cmi_setup_cache_path(const struct cmi_cli *cli, char *out, size_t n_out)
{
	const char *named = cli->common.cache;
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (!named)
		named = getenv("CHAINMEND_CACHE");
	if (named && *named)
		n = snprintf(out, n_out, "%s", named);
	else if (cache && *cache == '/')
		n = snprintf(out, n_out, "%s/chainmend/issuers.db", cache);
	else if (home && *home == '/')
		n = snprintf(
			out, n_out, "%s/.cache/chainmend/issuers.db", home);
	else
		return false;
	return n > 0 && (size_t)n < n_out;
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
	if (!roots->n)
		CMI_TRY(cmi_trust_add_system(t, err));
	*out = CMI_TAKE(t);
	return CMEND_OK;
}

static cmend_status pool_issuers(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_file_pool *p = ctx;

	(void)err;
	for (size_t i = 0; i < p->bundle.list.n; i++)
		if (cmi_cert_names_issuer(child, p->bundle.list.certs[i]))
			CMI_TRY(offer(offer_ctx, p->bundle.list.certs[i],
				CMI_FROM_FILE));
	return CMEND_OK;
}

static cmend_status open_pool(
	const struct cmi_cli_list *files, struct cmi_setup *s, cmend_error *err)
{
	s->pool.source = (struct cmi_source){
		.origin = CMI_FROM_FILE,
		.issuers_of = pool_issuers,
		.ctx = &s->pool,
	};
	for (size_t i = 0; files && i < files->n; i++)
		CMI_TRY(cmi_bundle_read_file(files->items[i],
			CMI_BUNDLE_CERTS_MAX, &s->pool.bundle, err));
	if (s->pool.bundle.list.n)
		s->sources[s->n_sources++] = &s->pool.source;
	return CMEND_OK;
}

static cmend_status open_store(
	struct cmi_cli *cli, struct cmi_setup *s, cmend_error *err)
{
	char path[4096];
	cmend_error why;
	cmend_status status;

	if (!cmi_setup_cache_path(cli, path, sizeof(path)))
		return CMEND_OK;
	status = cmi_store_open(path, false, NULL, &s->store, &why);
	if (status == CMEND_OK) {
		s->sources[s->n_sources++] = cmi_store_source(s->store);
		return CMEND_OK;
	}
	if (cli->common.cache)
		return cmi_fail(err, status, "%s", why.message);
	if (!cli->common.quiet)
		fprintf(cli->err,
			"chainmend: going on without kept issuers: %s\n",
			why.message);
	return CMEND_OK;
}

static cmend_status open_fetcher(struct cmi_cli *cli,
	const struct cmi_setup_options *o, struct cmi_setup *s,
	cmend_error *err)
{
	struct cmi_fetch_options fetch = {
		.allow_private = cli->common.allow_private,
		.target_host = o->target_host,
		.store = s->store,
	};

	s->online = cli->common.online ||
		    (o->default_online && !cli->common.offline);
	if (!s->online)
		return CMEND_OK;
	CMI_TRY(cmi_fetcher_new(&fetch, &s->fetcher, err));
	s->sources[s->n_sources++] = cmi_fetcher_aia_source(s->fetcher);
	return CMEND_OK;
}

cmend_status cmi_setup_open(struct cmi_cli *cli,
	const struct cmi_setup_options *o, struct cmi_setup *s,
	cmend_error *err)
{
	*s = (struct cmi_setup){
		.at_s = cli->common.has_at ? cli->common.at_s
					   : cmi_now_us(NULL) / 1000000,
	};
	CMI_TRY(cmi_setup_trust(cli, &s->trust, err));
	CMI_TRY(open_pool(o->pool, s, err));
	CMI_TRY(open_store(cli, s, err));
	return open_fetcher(cli, o, s, err);
}

static const char *url_of(void *ctx, const struct cmi_cert *c)
{
	return ctx ? cmi_fetcher_url_of(ctx, c) : NULL;
}

void cmi_setup_keep(
	struct cmi_setup *s, const struct cmi_complete_result *result)
{
	if (s->store && result->accepted)
		cmi_store_keep_path(
			s->store, &result->path, url_of, s->fetcher);
}

void cmi_setup_dispose(struct cmi_setup *s)
{
	cmi_fetcher_free(s->fetcher);
	cmi_store_close(s->store);
	cmi_bundle_dispose(&s->pool.bundle);
	cmi_trust_free(s->trust);
	*s = (struct cmi_setup){0};
}
