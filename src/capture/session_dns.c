/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP (RFC 1035 section 4.2.2): messages with a length in front. */
#include "capture/session.h"

#include "wire/dns.h"

static cmend_status dns_eat(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	const struct cmi_endpoint *from = &s->info->client;
	const struct cmi_endpoint *to = &s->info->server;
	struct cmi_bytes message;

	if (!cmi_dns_tcp_message(&c, &message))
		return CMEND_OK;
	*used = c.at;
	return side == CMI_CLIENT ? cmi_datagram_dns(s->hub, CMI_TCP, from, to,
					    message, s->frame, s->t_us, err)
				  : cmi_datagram_dns(s->hub, CMI_TCP, to, from,
					    message, s->frame, s->t_us, err);
}

static cmend_status dns_gap(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	(void)side;
	(void)n;
	(void)err;
	/* The next length cannot be found again. */
	cmi_session_enter(s, NULL);
	return CMEND_OK;
}

static cmend_status dns_end(
	struct cmi_session *s, bool capture_ends, cmend_error *err)
{
	(void)s;
	(void)capture_ends;
	(void)err;
	return CMEND_OK;
}

static size_t dns_holds(const struct cmi_session *s)
{
	(void)s;
	return 0;
}

static void dns_free(struct cmi_session *s)
{
	(void)s;
}

const struct cmi_session_mode cmi_session_mode_dns = {
	.eat = dns_eat,
	.gap = dns_gap,
	.end = dns_end,
	.holds = dns_holds,
	.free = dns_free,
};
