/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/dhcp.h"

#define MAGIC_COOKIE 0x63825363u /* RFC 2131 section 3 */

static struct cmi_dhcp_value *value_of(struct cmi_dhcp_message *m, size_t i)
{
	switch (i) {
	case 0:
		return &m->vendor_specific;
	case 1:
		return &m->class_id;
	case 2:
		return &m->sip_servers;
	case 3:
		return &m->client_id;
	default:
		return &m->parameters_wanted;
	}
}

#define VALUES 5

void cmi_dhcp_message_init(struct cmi_dhcp_message *m)
{
	*m = (struct cmi_dhcp_message){0};
	for (size_t i = 0; i < VALUES; i++)
		cmi_buf_init(&value_of(m, i)->joined, CMI_DHCP_VALUE_MAX);
}

void cmi_dhcp_message_dispose(struct cmi_dhcp_message *m)
{
	for (size_t i = 0; i < VALUES; i++)
		cmi_buf_dispose(&value_of(m, i)->joined);
}

static struct cmi_dhcp_value *value_for(
	struct cmi_dhcp_message *m, uint8_t option)
{
	switch (option) {
	case CMI_DHCP_VENDOR_SPECIFIC:
		return &m->vendor_specific;
	case CMI_DHCP_CLASS_ID:
		return &m->class_id;
	case CMI_DHCP_CLIENT_ID:
		return &m->client_id;
	case CMI_DHCP_SIP_SERVERS:
		return &m->sip_servers;
	case CMI_DHCP_PARAMETERS_WANTED:
		return &m->parameters_wanted;
	default:
		return NULL;
	}
}

/* One field of options.  RFC 2132 sections 3.1 and 3.2: 0 pads, 255 ends. */
static void read_options(
	struct cmi_dhcp_message *m, struct cmi_cursor c, uint8_t *overload)
{
	struct cmi_dhcp_value *to;
	struct cmi_cursor value;
	uint8_t option;

	while (cmi_cursor_u8(&c, &option) && option != 255) {
		if (option == 0)
			continue;
		if (!cmi_cursor_vector(&c, 1, &value)) {
			m->truncated = true;
			return;
		}
		if (option == CMI_DHCP_OVERLOAD)
			(void)cmi_cursor_u8(&value, overload);
		else if (option == CMI_DHCP_MESSAGE_TYPE)
			(void)cmi_cursor_u8(&value, &m->message_type);
		to = value_for(m, option);
		if (!to)
			continue;
		/* RFC 3396 section 7: the pieces in the order they come. */
		to->present = true;
		cmi_buf_add_bytes(&to->joined, cmi_cursor_rest(&value));
	}
}

static bool read_addr(struct cmi_cursor *c, uint8_t out[4])
{
	for (size_t i = 0; i < 4; i++)
		if (!cmi_cursor_u8(c, &out[i]))
			return false;
	return true;
}

cmend_status cmi_dhcp_message(
	struct cmi_bytes data, struct cmi_dhcp_message *m, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data), sname, file;
	uint8_t hardware_n, hops, overload = 0, ignored = 0;
	struct cmi_bytes hardware;
	uint16_t secs;
	uint32_t cookie;

	/* RFC 2131 figure 1. */
	if (!cmi_cursor_u8(&c, &m->op) ||
		!cmi_cursor_u8(&c, &m->hardware_type) ||
		!cmi_cursor_u8(&c, &hardware_n) || !cmi_cursor_u8(&c, &hops) ||
		!cmi_cursor_u32(&c, &m->xid) || !cmi_cursor_u16(&c, &secs) ||
		!cmi_cursor_u16(&c, &m->flags) ||
		!read_addr(&c, m->client_addr) ||
		!read_addr(&c, m->your_addr) ||
		!read_addr(&c, m->server_addr) ||
		!read_addr(&c, m->relay_addr) ||
		!cmi_cursor_bytes(&c, 16, &hardware) ||
		!cmi_cursor_sub(&c, 64, &sname) ||
		!cmi_cursor_sub(&c, 128, &file) || !cmi_cursor_u32(&c, &cookie))
		return cmi_fail(err, CMEND_PARSE,
			"a DHCP message of %zu bytes has no whole fixed part",
			data.n);
	if (m->op < 1 || m->op > 2 || cookie != MAGIC_COOKIE)
		return cmi_fail(err, CMEND_PARSE,
			"op %u with cookie 0x%08x is no DHCP message", m->op,
			cookie);
	m->hardware_addr = (struct cmi_bytes){
		hardware.p, hardware_n < 16 ? hardware_n : 16};
	read_options(m, c, &overload);
	if (overload & 1)
		read_options(m, file, &ignored);
	if (overload & 2)
		read_options(m, sname, &ignored);
	for (size_t i = 0; i < VALUES; i++)
		CMI_TRY(cmi_buf_status(&value_of(m, i)->joined, err));
	return CMEND_OK;
}
