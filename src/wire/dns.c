/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/dns.h"

#include <string.h>

/* Pointers followed in one name: more than labels fit into it. */
#define POINTERS_MAX 64

struct name_text {
	char *p;
	size_t n;
	size_t wire; /* bytes the name has when written out */
};

static void put_char(struct name_text *t, uint8_t ch)
{
	static const char digit[] = "0123456789";

	if (ch >= 'A' && ch <= 'Z')
		ch |= 32;
	if (ch > ' ' && ch < 127 && ch != '.' && ch != '\\') {
		t->p[t->n++] = (char)ch;
		return;
	}
	/* RFC 1035 section 5.1: \DDD. */
	t->p[t->n++] = '\\';
	t->p[t->n++] = digit[ch / 100];
	t->p[t->n++] = digit[ch / 10 % 10];
	t->p[t->n++] = digit[ch % 10];
}

static bool put_label(struct name_text *t, struct cmi_cursor label)
{
	uint8_t ch;

	t->wire += label.n + 1;
	if (t->wire > CMI_NAME_MAX)
		return false;
	if (t->n)
		t->p[t->n++] = '.';
	while (cmi_cursor_u8(&label, &ch))
		put_char(t, ch);
	return true;
}

/* RFC 1035 section 4.1.4.  The cursor moves behind the name as it stands; out
 * may be NULL where only that is wanted. */
static bool read_name(struct cmi_bytes whole, struct cmi_cursor *c, char *out)
{
	char scratch[CMI_DNS_NAME_TEXT];
	struct name_text t = {out ? out : scratch, 0, 0};
	struct cmi_cursor at = *c, label;
	unsigned pointers = 0;
	size_t lowest = c->at;
	uint8_t length, low;

	for (;;) {
		if (!cmi_cursor_u8(&at, &length))
			return false;
		if (length == 0)
			break;
		if (length < 0x40) {
			if (!cmi_cursor_sub(&at, length, &label) ||
				!put_label(&t, label))
				return false;
			continue;
		}
		if (length < 0xc0 || !cmi_cursor_u8(&at, &low))
			return false;
		if (pointers++ == 0)
			*c = at;
		/* Only backwards, so that every chain of them ends. */
		size_t to = (size_t)(length & 0x3f) << 8 | low;
		if (to >= lowest || pointers > POINTERS_MAX)
			return false;
		lowest = to;
		at = cmi_cursor_of(whole);
		if (!cmi_cursor_skip(&at, to))
			return false;
	}
	if (pointers == 0)
		*c = at;
	t.p[t.n] = 0;
	return true;
}

static void take_addr(
	struct cmi_dns_message *m, uint8_t family, struct cmi_cursor data)
{
	struct cmi_dns_addr a = {.family = family};
	size_t n = family == 4 ? 4 : 16;

	if (data.n != n || m->n_addrs == CMI_DNS_ADDRS_MAX)
		return;
	for (size_t i = 0; i < n; i++)
		(void)cmi_cursor_u8(&data, &a.addr[i]);
	m->addrs[m->n_addrs++] = a;
}

static bool read_record(
	struct cmi_bytes whole, struct cmi_cursor *c, struct cmi_dns_message *m)
{
	struct cmi_cursor data;
	uint16_t type, class;
	uint32_t ttl;

	if (!read_name(whole, c, NULL) || !cmi_cursor_u16(c, &type) ||
		!cmi_cursor_u16(c, &class) || !cmi_cursor_u32(c, &ttl) ||
		!cmi_cursor_vector(c, 2, &data))
		return false;
	/* The top bit of the class is mDNS's cache flush (RFC 6762). */
	if ((class & 0x7fff) == 1 && (type == 1 || type == 28))
		take_addr(m, type == 1 ? 4 : 6, data);
	return true;
}

cmend_status cmi_dns_message(
	struct cmi_bytes data, struct cmi_dns_message *m, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint16_t flags, authority, additional;

	/* Not the name's room, which is most of it. */
	m->name[0] = 0;
	m->type = m->class = 0;
	m->n_addrs = 0;
	m->damaged = false;
	if (!cmi_cursor_u16(&c, &m->id) || !cmi_cursor_u16(&c, &flags) ||
		!cmi_cursor_u16(&c, &m->n_questions) ||
		!cmi_cursor_u16(&c, &m->n_answers) ||
		!cmi_cursor_u16(&c, &authority) ||
		!cmi_cursor_u16(&c, &additional))
		return cmi_fail(err, CMEND_PARSE,
			"a DNS message of %zu bytes has no whole header",
			data.n);
	m->response = flags >> 15;
	m->opcode = flags >> 11 & 15;
	m->truncated = flags >> 9 & 1;
	m->rcode = flags & 15;
	for (unsigned i = 0; i < m->n_questions; i++) {
		uint16_t type, class;
		size_t at = c.at;

		if (!read_name(data, &c, i == 0 ? m->name : NULL) ||
			!cmi_cursor_u16(&c, &type) ||
			!cmi_cursor_u16(&c, &class))
			return cmi_fail(err, CMEND_PARSE,
				"broken DNS question at offset %zu", at);
		if (i == 0) {
			m->type = type;
			m->class = class;
		}
	}
	for (unsigned i = 0; i < m->n_answers && !m->damaged; i++)
		m->damaged = !read_record(data, &c, m);
	return CMEND_OK;
}

static bool read_service(struct cmi_bytes whole, struct cmi_cursor *c,
	struct cmi_dns_srv *out, bool *is)
{
	struct cmi_dns_srv s = {0};
	struct cmi_cursor data, at;
	uint16_t type, class;

	if (!read_name(whole, c, NULL) || !cmi_cursor_u16(c, &type) ||
		!cmi_cursor_u16(c, &class) || !cmi_cursor_skip(c, 4) ||
		!cmi_cursor_vector(c, 2, &data))
		return false;
	*is = type == 33 && class == 1;
	if (!*is)
		return true;
	/* The name may point back, so it is read in the whole message. */
	at = cmi_cursor_of(whole);
	if (!cmi_cursor_skip(&at, c->at - data.n) ||
		!cmi_cursor_u16(&at, &s.priority) ||
		!cmi_cursor_u16(&at, &s.weight) ||
		!cmi_cursor_u16(&at, &s.port) ||
		!read_name(whole, &at, s.target) || at.at != c->at)
		return false;
	*out = s;
	return true;
}

cmend_status cmi_dns_services(struct cmi_bytes data,
	struct cmi_dns_srv out[CMI_DNS_SRV_MAX], size_t *n, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint16_t questions, answers;
	size_t found = 0;

	if (!cmi_cursor_skip(&c, 4) || !cmi_cursor_u16(&c, &questions) ||
		!cmi_cursor_u16(&c, &answers) || !cmi_cursor_skip(&c, 4))
		return cmi_fail(err, CMEND_PARSE,
			"a DNS message of %zu bytes has no whole header",
			data.n);
	for (unsigned i = 0; i < questions; i++)
		if (!read_name(data, &c, NULL) || !cmi_cursor_skip(&c, 4))
			return cmi_fail(err, CMEND_PARSE,
				"broken DNS question at offset %zu", c.at);
	for (unsigned i = 0; i < answers && found < CMI_DNS_SRV_MAX; i++) {
		size_t at = c.at;
		bool is;

		if (!read_service(data, &c, &out[found], &is))
			return cmi_fail(err, CMEND_PARSE,
				"broken DNS record at offset %zu", at);
		found += is;
	}
	*n = found;
	return CMEND_OK;
}

bool cmi_dns_tcp_message(struct cmi_cursor *c, struct cmi_bytes *out)
{
	struct cmi_cursor message;

	if (!cmi_cursor_vector(c, 2, &message))
		return false;
	*out = cmi_cursor_rest(&message);
	return true;
}
