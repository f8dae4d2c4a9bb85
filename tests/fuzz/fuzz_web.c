/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to the provisioning server, behind libevent's reader: a line
 * "p|s METHOD PATH QUERY" (p: port 80, s: port 443), then the body.  Oracle:
 * every request gets one of the known answers; port 80 never takes a secret;
 * nobody without a ticket gets a certificate; headers have one line.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/server_loop.h"
#include "core/cursor.h"
#include "core/text.h"
#include "fuzz.h"

static struct cmi_server_state state;

static void set_up(void)
{
	const struct cmi_user user = {"sip:ada@x", "+15550100", "100", "ada"};

	if (state.tickets)
		return;
	state.options.host = "web.x";
	state.options.https_port = 443;
	state.options.env = cmi_env_system();
	cmi_buf_init(&state.chain_soap, CMI_SOAP_MAX);
	cmi_buf_init(&state.chain_p7b, CMI_SOAP_MAX);
	cmi_buf_init(&state.mex_certprov, CMI_SOAP_MAX);
	cmi_buf_init(&state.mex_ticket, CMI_SOAP_MAX);
	if (cmi_tickets_new(state.options.env, &state.tickets, NULL) ||
		cmi_web_prepare(&state, NULL) ||
		cmi_ledger_open(":memory:", state.options.env,
			&state.options.ledger, NULL) ||
		cmi_ledger_add(state.options.ledger, &user, NULL))
		abort();
	cmi_ledger_set_cost(state.options.ledger, 10);
}

static void check(
	const struct cmi_web_request *r, const struct cmi_web_reply *reply)
{
	static const unsigned known[] = {200, 400, 404, 405, 500};
	bool is_known = false;

	for (size_t i = 0; i < CMI_LEN(known); i++)
		is_known |= reply->status == known[i];
	FUZZ_CHECK(is_known);
	FUZZ_CHECK(reply->type && *reply->type);
	FUZZ_CHECK(!strpbrk(reply->diagnostics, "\r\n"));
	FUZZ_CHECK(reply->status != 500 || *reply->diagnostics);
	if (!r->tls)
		FUZZ_CHECK(strncmp(r->path, "/WebTicket", 10) != 0 ||
			   reply->status == 404);
	FUZZ_CHECK(cmi_ledger_issued(state.options.ledger) == 0);
}

/* The next word of the line, as a string of its own. */
static void word(struct cmi_cursor *line, char *out, size_t n_out)
{
	struct cmi_bytes v;

	if (!cmi_cursor_until(line, ' ', &v)) {
		v = cmi_cursor_rest(line);
		(void)cmi_cursor_skip(line, v.n);
	}
	cmi_safe_cstr(out, n_out, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor at = cmi_cursor_of((struct cmi_bytes){data, size});
	char port[8], method[16], path[256], query[256];
	struct cmi_web_reply reply = {.type = "text/plain"};
	struct cmi_web_request r = {.method = method,
		.path = path,
		.query = query,
		.soap_action = ""};
	struct cmi_cursor line;
	struct cmi_bytes first;
	struct cmi_buf body;

	if (!cmi_cursor_line(&at, &first))
		return 0;
	set_up();
	line = cmi_cursor_of(first);
	word(&line, port, sizeof(port));
	word(&line, method, sizeof(method));
	word(&line, path, sizeof(path));
	word(&line, query, sizeof(query));
	r.tls = *port == 's';
	/* It may be wiped, so it is a copy. */
	cmi_buf_init(&body, CMI_SOAP_MAX);
	cmi_buf_add_bytes(&body, cmi_cursor_rest(&at));
	r.body = cmi_buf_view(&body);
	cmi_buf_init(&reply.body, CMI_SOAP_MAX);
	cmi_web_answer(&state, &r, &reply);
	check(&r, &reply);
	cmi_buf_dispose(&reply.body);
	cmi_buf_dispose(&body);
	return 0;
}
