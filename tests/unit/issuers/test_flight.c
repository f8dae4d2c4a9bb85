/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <pthread.h>

#include "issuers/complete.h"
#include "issuers/fetch.h"
#include "issuers/flight.h"
#include "web.h"

#define KEY "http://a/"

static struct cmi_flights *flights(void)
{
	struct cmi_flights *f = NULL;

	assert_int_equal(cmi_flights_new(&f, NULL), CMEND_OK);
	return f;
}

static enum cmi_flight join(
	struct cmi_flights *f, const char *key, int64_t ms, char out[16])
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	enum cmi_flight is;

	cmi_buf_init(&b, 4096);
	is = cmi_flight_join(f, key, ms, &b);
	snprintf(out, 16, "%s", cmi_buf_cstr(&b));
	return is;
}

static void one_leads_and_the_next_has_it(void **state)
{
	struct cmi_flights *f = flights();
	char got[16];

	(void)state;
	assert_int_equal(join(f, KEY, 0, got), CMI_FLIGHT_LEAD);
	assert_int_equal(join(f, "http://b/", 0, got), CMI_FLIGHT_LEAD);
	assert_int_equal(join(f, KEY, 20, got), CMI_FLIGHT_LATE);
	cmi_flight_land(f, KEY, CMI_BYTES("body"));
	assert_int_equal(join(f, KEY, 0, got), CMI_FLIGHT_HAVE);
	assert_string_equal(got, "body");
	cmi_flights_free(f);
}

static void nothing_to_share_makes_the_next_one_lead(void **state)
{
	struct cmi_flights *f = flights();
	char got[16];

	(void)state;
	assert_int_equal(join(f, KEY, 0, got), CMI_FLIGHT_LEAD);
	cmi_flight_land(f, KEY, (struct cmi_bytes){0});
	assert_int_equal(join(f, KEY, 0, got), CMI_FLIGHT_LEAD);
	cmi_flight_land(f, "http://unknown/", CMI_BYTES("x"));
	cmi_flight_land(NULL, KEY, CMI_BYTES("x"));
	assert_int_equal(join(NULL, KEY, 0, got), CMI_FLIGHT_LEAD);
	cmi_flights_free(f);
}

static void the_table_has_a_ceiling(void **state)
{
	struct cmi_flights *f = flights();
	char key[32], got[16];

	(void)state;
	for (unsigned i = 0; i < 3 * CMI_FLIGHTS_MAX; i++) {
		snprintf(key, sizeof(key), "http://%u/", i);
		assert_int_equal(join(f, key, 0, got), CMI_FLIGHT_LEAD);
		cmi_flight_land(f, key, CMI_BYTES("x"));
	}
	/* The newest is there, the oldest went. */
	assert_int_equal(join(f, key, 0, got), CMI_FLIGHT_HAVE);
	assert_int_equal(join(f, "http://0/", 0, got), CMI_FLIGHT_LEAD);
	cmi_flights_free(f);
}

static struct forged *root, *ca, *leaf;
static struct cmi_trust *trust;
static struct cmi_store *store;

/* One of many jobs: its own fetcher, the common store. */
static void *run_job(void *arg)
{
	const struct cmi_fetch_options o = {
		.allow_private = true, .store = store};
	struct cmi_fetcher *f = NULL;
	struct cmi_complete_result r;
	const struct cmi_source *aia;
	bool *accepted = arg;

	if (cmi_fetcher_new(&o, &f, NULL))
		return NULL;
	aia = cmi_fetcher_aia_source(f);
	if (!cmi_complete(&(struct cmi_complete_request){.leaf = leaf->c,
				  .trust = trust,
				  .at_s = FORGE_NOW,
				  .security_level = -1,
				  .sources = &aia,
				  .n_sources = 1},
		    &r, NULL)) {
		*accepted = r.accepted;
		cmi_complete_result_dispose(&r);
	}
	cmi_fetcher_free(f);
	return NULL;
}

static void jobs_at_once_make_one_request(void **state)
{
	enum { N = 12 };
	struct web *web = web_start();
	struct web_route *route;
	pthread_t threads[N];
	bool accepted[N] = {false};

	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca, .aia = web_url(web, "/ca")});
	route = web_route(web, "/ca", WEB_ANSWER, NULL, ca->c->der);
	web_run(web);
	assert_int_equal(cmi_trust_new("test", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, root->c, NULL), CMEND_OK);
	assert_int_equal(cmi_store_open(":memory:", false, NULL, &store, NULL),
		CMEND_OK);
	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_job,
					 &accepted[i]),
			0);
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		assert_true(accepted[i]);
	}
	assert_int_equal(route->hits, 1);
	web_stop(web);
	cmi_store_close(store);
	cmi_trust_free(trust);
	forge_free_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_leads_and_the_next_has_it),
		cmocka_unit_test(nothing_to_share_makes_the_next_one_lead),
		cmocka_unit_test(the_table_has_a_ceiling),
		cmocka_unit_test(jobs_at_once_make_one_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
