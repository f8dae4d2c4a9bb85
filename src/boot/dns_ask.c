/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/dns_ask.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* Larger ones come in parts by TCP; a few services fit many times. */
#define ANSWER_MAX   8192
#define QUESTION_MAX 512
enum { TYPE_A = 1, TYPE_AAAA = 28, TYPE_SRV = 33 };
enum { RCODE_NO_NAME = 3 };

static cmend_status begin(const struct cmi_dns_at *at,
	struct __res_state *state, cmend_error *err)
{
	memset(state, 0, sizeof(*state));
	if (res_ninit(state) != 0)
		return cmi_fail(err, CMEND_IO, "no resolver on this machine");
	state->retrans = (int)(at->wait_s ? at->wait_s : 2);
	state->retry = 2;
	if (!at->server)
		return CMEND_OK;
	state->nscount = 1;
	state->nsaddr_list[0] = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(53)};
	if (inet_pton(AF_INET, at->server, &state->nsaddr_list[0].sin_addr) ==
		1)
		return CMEND_OK;
	res_nclose(state);
	return cmi_fail(
		err, CMEND_ARG, "\"%s\" is not an IPv4 address", at->server);
}

static cmend_status no_answer(const char *name, cmend_error *err)
{
	char shown[CMI_NAME_MAX + 1];

	cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(name));
	return cmi_fail(
		err, CMEND_TIMEOUT, "DNS gives no answer about \"%s\"", shown);
}

static cmend_status check_answer(
	struct cmi_bytes answer, const char *name, cmend_error *err)
{
	char shown[CMI_NAME_MAX + 1];
	struct cmi_dns_message m;

	CMI_TRY(cmi_dns_message(answer, &m, err));
	cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(name));
	if (m.rcode == RCODE_NO_NAME)
		return cmi_fail(
			err, CMEND_NOT_FOUND, "DNS knows no \"%s\"", shown);
	if (m.rcode)
		return no_answer(name, err);
	if (!m.n_answers)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"DNS has no such record of \"%s\"", shown);
	return CMEND_OK;
}

/* Whom the resolver asks first. */
static void tapped_ends(
	const struct __res_state *state, struct cmi_tap_ends *ends)
{
	const struct sockaddr *to =
		(const struct sockaddr *)&state->nsaddr_list[0];

	if (to->sa_family != AF_INET && state->_u._ext.nsaddrs[0])
		to = (const struct sockaddr *)state->_u._ext.nsaddrs[0];
	cmi_tap_ends_to(to, ends);
}

/* Sent, and the answer's length, or -1. */
static int send_question(const struct cmi_dns_at *at, struct __res_state *state,
	const char *name, uint16_t type, uint8_t *to)
{
	uint8_t question[QUESTION_MAX];
	struct cmi_tap_ends ends;
	int asked = res_nmkquery(state, ns_o_query, name, ns_c_in, type, NULL,
		0, NULL, question, sizeof(question));
	int n;

	if (asked <= 0)
		return -1;
	if (at->tap)
		tapped_ends(state, &ends);
	cmi_tap_datagram(at->tap, &ends, true, question, (size_t)asked);
	n = res_nsend(state, question, asked, to, ANSWER_MAX);
	if (n > ANSWER_MAX)
		n = -1;
	if (n > 0)
		cmi_tap_datagram(at->tap, &ends, false, to, (size_t)n);
	return n > 0 ? n : -1;
}

static cmend_status ask(const struct cmi_dns_at *at, const char *name,
	uint16_t type, struct cmi_buf *answer, cmend_error *err)
{
	uint8_t *to = cmi_buf_reserve(answer, ANSWER_MAX);
	struct __res_state state;
	int n;

	if (!to)
		return cmi_nomem(err);
	CMI_TRY(begin(at, &state, err));
	n = send_question(at, &state, name, type, to);
	res_nclose(&state);
	if (n < 0)
		return no_answer(name, err);
	cmi_buf_used(answer, (size_t)n);
	return check_answer(cmi_buf_view(answer), name, err);
}

static int by_preference(const void *a, const void *b)
{
	const struct cmi_dns_srv *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->weight > y->weight ? -1 : x->weight < y->weight;
}

cmend_status cmi_dns_find_srv(const struct cmi_dns_at *at, const char *name,
	struct cmi_dns_srv out[CMI_DNS_SRV_MAX], size_t *n, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf answer;

	cmi_buf_init(&answer, ANSWER_MAX);
	CMI_TRY(ask(at, name, TYPE_SRV, &answer, err));
	CMI_TRY(cmi_dns_services(cmi_buf_view(&answer), out, n, err));
	if (!*n)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"DNS has no service \"%.100s\"", name);
	qsort(out, *n, sizeof(*out), by_preference);
	return CMEND_OK;
}

static cmend_status find_one(const struct cmi_dns_at *at, const char *name,
	uint16_t type, char out[CMI_DNS_ADDR_TEXT], cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf answer;
	struct cmi_dns_message m;

	cmi_buf_init(&answer, ANSWER_MAX);
	CMI_TRY(ask(at, name, type, &answer, err));
	CMI_TRY(cmi_dns_message(cmi_buf_view(&answer), &m, err));
	if (!m.n_addrs)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"DNS has no address of \"%.100s\"", name);
	inet_ntop(m.addrs[0].family == 4 ? AF_INET : AF_INET6, m.addrs[0].addr,
		out, CMI_DNS_ADDR_TEXT);
	return CMEND_OK;
}

cmend_status cmi_dns_find_addr(const struct cmi_dns_at *at, const char *name,
	char out[CMI_DNS_ADDR_TEXT], cmend_error *err)
{
	uint8_t raw[16];
	cmend_status status;

	if (inet_pton(AF_INET, name, raw) == 1 ||
		inet_pton(AF_INET6, name, raw) == 1) {
		cmi_safe_cstr(out, CMI_DNS_ADDR_TEXT, cmi_bytes_of(name));
		return CMEND_OK;
	}
	status = find_one(at, name, TYPE_A, out, err);
	if (status == CMEND_NOT_FOUND)
		status = find_one(at, name, TYPE_AAAA, out, err);
	return status;
}
