/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/dhcp_inform.h"

#include <stdio.h>
#include <string.h>

#include "core/cursor.h"
#include "core/text.h"
#include "wire/dhcp.h"

#define OP_REQUEST 1
#define OP_REPLY   2
#define INFORM     8
#define ACK        5
#define COOKIE     0x63825363u

/* RFC 1542 section 2.1: no shorter, whoever reads it. */
#define LEAST 300

static const uint8_t zeros[192];

/* RFC 2131 section 2: the fixed part, 236 bytes, and the cookie.  `of` says
 * whose it is: a question's own fields, or the question that is answered. */
static void put_head(struct cmi_buf *out, uint8_t op,
	const struct cmi_dhcp_message *of, const uint8_t server[4])
{
	size_t n = of->hardware_addr.n;

	cmi_buf_u8(out, op);
	cmi_buf_u8(out, of->hardware_type);
	cmi_buf_u8(out, (uint8_t)n);
	cmi_buf_u8(out, 0);
	cmi_buf_be(out, 4, of->xid);
	cmi_buf_be(out, 2, 0); /* secs */
	cmi_buf_be(out, 2, of->flags);
	cmi_buf_add(out, of->client_addr, 4); /* ciaddr */
	cmi_buf_add(out, zeros, 4);  /* yiaddr: RFC 2131 section 4.3.5 */
	cmi_buf_add(out, server, 4); /* siaddr */
	cmi_buf_add(out, of->relay_addr, 4);       /* giaddr */
	cmi_buf_add_bytes(out, of->hardware_addr); /* chaddr */
	cmi_buf_add(out, zeros, 16 - n);
	cmi_buf_add(out, zeros, 192); /* sname, file */
	cmi_buf_be(out, 4, COOKIE);
}

static void put_end(struct cmi_buf *out)
{
	cmi_buf_u8(out, 255);
	if (out->n < LEAST)
		cmi_buf_add(out, zeros, LEAST - out->n);
}

/* In pieces of 255 where it is longer: RFC 3396. */
static void put_option(struct cmi_buf *out, uint8_t code, struct cmi_bytes v)
{
	do {
		size_t n = v.n > 255 ? 255 : v.n;

		cmi_buf_u8(out, code);
		cmi_buf_u8(out, (uint8_t)n);
		cmi_buf_add(out, v.p, n);
		v.p += n;
		v.n -= n;
	} while (v.n);
}

void cmi_inform_write(
	uint32_t xid, const uint8_t client[4], struct cmi_buf *out)
{
	static const uint8_t nobody[4];
	const uint8_t type = INFORM;
	static const uint8_t wanted[] = {
		CMI_DHCP_VENDOR_SPECIFIC, CMI_DHCP_SIP_SERVERS};
	struct cmi_dhcp_message ours = {
		.xid = xid, .hardware_type = 1, .hardware_addr = {zeros, 6}};

	memcpy(ours.client_addr, client, 4);
	put_head(out, OP_REQUEST, &ours, nobody);
	put_option(out, CMI_DHCP_MESSAGE_TYPE, (struct cmi_bytes){&type, 1});
	put_option(out, CMI_DHCP_CLASS_ID, CMI_BYTES(CMI_UC_CLASS));
	put_option(out, CMI_DHCP_PARAMETERS_WANTED,
		(struct cmi_bytes){wanted, sizeof(wanted)});
	put_end(out);
}

static cmend_status check_question(
	const struct cmi_dhcp_message *m, cmend_error *err)
{
	static const uint8_t none[4];

	if (m->op != OP_REQUEST || m->message_type != INFORM)
		return cmi_fail(err, CMEND_REFUSED, "no DHCPINFORM");
	if (m->truncated)
		return cmi_fail(err, CMEND_REFUSED, "an option is cut");
	if (!m->class_id.present ||
		!cmi_bytes_equal(cmi_buf_view(&m->class_id.joined),
			CMI_BYTES(CMI_UC_CLASS)))
		return cmi_fail(err, CMEND_REFUSED, "another class");
	if (memcmp(m->client_addr, none, 4) == 0)
		return cmi_fail(err, CMEND_REFUSED, "no client address");
	return CMEND_OK;
}

static cmend_status put_answer(const struct cmi_dhcp_message *m,
	const uint8_t server[4], const struct cmi_uc_options *o,
	struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf v43, v120;
	const uint8_t type = ACK;

	cmi_buf_init(&v43, 1024);
	cmi_buf_init(&v120, 1024);
	CMI_TRY(cmi_uc_encode(o, &v43, &v120, err));
	/* RFC 2131 table 3: the asker's own addresses and flags. */
	put_head(out, OP_REPLY, m, server);
	put_option(out, CMI_DHCP_MESSAGE_TYPE, (struct cmi_bytes){&type, 1});
	put_option(out, 54, (struct cmi_bytes){server, 4});
	put_option(out, CMI_DHCP_CLASS_ID, CMI_BYTES(CMI_UC_CLASS));
	if (o->lab == CMI_UC_CUT_43)
		v43.n -= CMI_LEN("CertProvisioning");
	if (o->lab != CMI_UC_NO_43)
		put_option(out, CMI_DHCP_VENDOR_SPECIFIC, cmi_buf_view(&v43));
	put_option(out, CMI_DHCP_SIP_SERVERS, cmi_buf_view(&v120));
	/* RFC 6842 section 3: back to whom it belongs. */
	if (m->client_id.present)
		put_option(out, CMI_DHCP_CLIENT_ID,
			cmi_buf_view(&m->client_id.joined));
	put_end(out);
	return cmi_buf_status(out, err);
}

cmend_status cmi_inform_answer(struct cmi_bytes question,
	const uint8_t server[4], const struct cmi_uc_options *o,
	struct cmi_buf *out, uint8_t client[4], cmend_error *err)
{
	struct cmi_dhcp_message m;
	cmend_status status;

	cmi_dhcp_message_init(&m);
	status = cmi_dhcp_message(question, &m, err);
	if (status)
		status = CMEND_REFUSED;
	if (!status)
		status = check_question(&m, err);
	if (!status)
		status = put_answer(&m, server, o, out, err);
	if (!status)
		memcpy(client, m.client_addr, 4);
	cmi_dhcp_message_dispose(&m);
	return status;
}

static cmend_status take_answer(const struct cmi_dhcp_message *m, uint32_t xid,
	struct cmi_uc_options *o, struct cmi_uc_faults *faults,
	cmend_error *err)
{
	if (m->op != OP_REPLY || m->message_type != ACK || m->xid != xid)
		return cmi_fail(
			err, CMEND_NOT_FOUND, "not the answer to our question");
	if (!m->vendor_specific.present && !m->sip_servers.present)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"an answer with neither option 43 nor 120");
	if (m->vendor_specific.present)
		cmi_uc_decode43(
			cmi_buf_view(&m->vendor_specific.joined), o, faults);
	if (m->sip_servers.present)
		cmi_uc_decode120(
			cmi_buf_view(&m->sip_servers.joined), o, faults);
	if (!*o->web && !*o->sip)
		return cmi_fail(
			err, CMEND_NOT_FOUND, "an answer without any name");
	return CMEND_OK;
}

cmend_status cmi_inform_read(struct cmi_bytes answer, uint32_t xid,
	struct cmi_uc_options *o, struct cmi_uc_faults *faults,
	cmend_error *err)
{
	struct cmi_dhcp_message m;
	cmend_status status;

	*o = (struct cmi_uc_options){0};
	*faults = (struct cmi_uc_faults){0};
	cmi_dhcp_message_init(&m);
	status = cmi_dhcp_message(answer, &m, err);
	if (!status)
		status = take_answer(&m, xid, o, faults, err);
	cmi_dhcp_message_dispose(&m);
	return status == CMEND_PARSE ? CMEND_NOT_FOUND : status;
}
