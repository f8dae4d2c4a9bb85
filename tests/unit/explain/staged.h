/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations staged for the tests: a PKI made in the test, and the ways in
 * which a client and a server can behave.
 */
#ifndef CMI_TESTS_UNIT_EXPLAIN_STAGED_H
#define CMI_TESTS_UNIT_EXPLAIN_STAGED_H

#include "forge.h"

#include "explain/diagnose.h"
#include "x509/trust.h"

#define HOST "web.example"
#define AIA  "http://ca.example/int.cer"

struct world {
	struct forged *root, *other_root, *intermediate, *expired_int, *leaf,
		*leaf_no_aia, *expired_leaf, *future_leaf, *self, *stranger,
		*other_int, *other_leaf, *direct, *not_ca_leaf;
	struct cmi_trust *trust;
};

static struct world world;

static inline void make_world(void)
{
	struct world *w = &world;

	w->root = forge(&(struct forge_order){.name = "Test Root", .ca = true});
	w->other_root =
		forge(&(struct forge_order){.name = "Other Root", .ca = true});
	w->intermediate = forge(&(struct forge_order){
		.name = "Test Issuing", .issuer = w->root, .ca = true});
	w->expired_int = forge(&(struct forge_order){.name = "Test Issuing",
		.issuer = w->root,
		.same_key = w->intermediate,
		.ca = true,
		.until_s = FORGE_NOW - FORGE_DAY});
	w->stranger = forge(&(struct forge_order){
		.name = "Test Stranger", .issuer = w->root, .ca = true});
	w->other_int = forge(&(struct forge_order){
		.name = "Other Issuing", .issuer = w->other_root, .ca = true});
	w->leaf = forge(&(struct forge_order){.name = HOST,
		.issuer = w->intermediate,
		.dns = HOST,
		.aia = AIA});
	w->leaf_no_aia = forge(&(struct forge_order){
		.name = HOST, .issuer = w->intermediate, .dns = HOST});
	w->expired_leaf = forge(&(struct forge_order){.name = HOST,
		.issuer = w->intermediate,
		.dns = HOST,
		.until_s = FORGE_NOW - FORGE_DAY});
	w->future_leaf = forge(&(struct forge_order){.name = HOST,
		.issuer = w->intermediate,
		.dns = HOST,
		.from_s = FORGE_NOW + FORGE_DAY});
	w->self = forge(&(struct forge_order){.name = HOST, .dns = HOST});
	w->other_leaf = forge(&(struct forge_order){
		.name = HOST, .issuer = w->other_int, .dns = HOST});
	w->direct = forge(&(struct forge_order){
		.name = HOST, .issuer = w->root, .dns = HOST});
	w->not_ca_leaf = forge(&(struct forge_order){
		.name = HOST, .issuer = w->leaf, .dns = HOST});
	assert_int_equal(cmi_trust_new("test", &w->trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(w->trust, w->root->c, NULL), CMEND_OK);
}

static inline void free_world(void)
{
	cmi_trust_free(world.trust);
	forge_free_all();
}

/* For cmocka: of a group. */
static inline int world_setup(void **state)
{
	(void)state;
	make_world();
	return 0;
}

static inline int world_teardown(void **state)
{
	(void)state;
	free_world();
	return 0;
}

struct staged {
	struct cmi_conversation c;
	struct cmi_tls_seen tls;
};

static inline struct cmi_endpoint at(unsigned last, uint16_t port)
{
	return (struct cmi_endpoint){
		.family = 4, .addr = {192, 0, 2, (uint8_t)last}, .port = port};
}

/* A whole TLS 1.2 handshake that is used; the chain ends with NULL. */
static inline void stage(struct staged *s, struct forged *const *chain)
{
	*s = (struct staged){.c = {
				     .kind = CMI_CONV_TLS,
				     .capture = "staged.pcap",
				     .client = at(9, 50000),
				     .server = at(1, 443),
				     .start_us = FORGE_NOW * 1000000,
				     .end_us = FORGE_NOW * 1000000 + 500000,
				     .first_frame = 10,
				     .last_frame = 30,
			     }};
	s->tls = (struct cmi_tls_seen){
		.sni = CMI_BYTES(HOST),
		.client_version_max = 0x0303,
		.version = 0x0303,
		.cipher = 0xc02f,
		.has_client_hello = true,
		.has_server_hello = true,
		.has_certificate = true,
		.certificate_frame = 15,
		.client_hello_frame = 12,
		.server_hello_frame = 14,
		.client_finished = true,
		.server_finished = true,
		.client_finished_frame = 18,
		.server_finished_frame = 19,
		.app_data = {100, 1000},
		.outcome = CMI_COMPLETED,
	};
	s->c.tls = &s->tls;
	for (; *chain; chain++)
		s->tls.certs[s->tls.n_certs++] =
			(struct cmi_seen_cert){(*chain)->c->der, 15};
}

static inline void no_finish(struct staged *s)
{
	s->tls.client_finished = s->tls.server_finished = false;
	s->tls.client_finished_frame = s->tls.server_finished_frame = 0;
	s->tls.app_data[0] = s->tls.app_data[1] = 0;
	s->tls.outcome = CMI_FAILED;
}

static inline void alert(struct staged *s, enum cmi_side from, uint8_t code)
{
	no_finish(s);
	s->tls.alerts[s->tls.n_alerts++] = (struct cmi_seen_alert){
		.from = from, .level = 2, .code = code, .frame = 20};
	s->c.closed[from] = CMI_CLOSE_RST;
	s->c.closed_frame[from] = 21;
}

/* Finished on both sides, and closed without a byte. */
static inline void unused_close(struct staged *s)
{
	s->tls.app_data[0] = s->tls.app_data[1] = 0;
	s->c.closed[CMI_CLIENT] = CMI_CLOSE_FIN;
	s->c.closed_frame[CMI_CLIENT] = 22;
}

static inline void client_closes(struct staged *s)
{
	no_finish(s);
	s->tls.outcome = CMI_CUT;
	s->c.closed[CMI_CLIENT] = CMI_CLOSE_FIN;
	s->c.closed_frame[CMI_CLIENT] = 22;
}

static inline void server_closes(struct staged *s)
{
	no_finish(s);
	s->tls.outcome = CMI_CUT;
	s->c.closed[CMI_SERVER] = CMI_CLOSE_RST;
	s->c.closed_frame[CMI_SERVER] = 22;
}

/* TLS 1.3 without secrets. */
static inline void darken(struct staged *s)
{
	s->tls.version = 0x0304;
	s->tls.cipher = 0x1301;
	s->tls.has_certificate = false;
	s->tls.n_certs = 0;
	s->tls.client_finished = s->tls.server_finished = false;
	s->tls.outcome = CMI_DARK;
}

/* An HTTP answer of a client at `client`, one second before the rest. */
struct staged_http {
	struct cmi_conversation c;
	struct cmi_http_seen http;
};

static inline void stage_http(struct staged_http *h, struct cmi_endpoint client,
	const char *url, unsigned status, struct cmi_bytes body,
	const char *type)
{
	*h = (struct staged_http){
		.c = {.kind = CMI_CONV_HTTP,
			.client = client,
			.server = at(3, 80),
			.start_us = FORGE_NOW * 1000000 - 1000000,
			.end_us = FORGE_NOW * 1000000 - 900000,
			.first_frame = 2,
			.last_frame = 8},
		.http = {.method = CMI_BYTES("GET"),
			.url = cmi_bytes_of(url),
			.status = status,
			.type = cmi_bytes_of(type),
			.body = body,
			.request_frame = 5,
			.response_frame = status ? 7 : 0},
	};
	h->c.http = &h->http;
}

#endif
