/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/cursor.h"
#include "core/text.h"

struct prefix4 {
	uint32_t net;
	unsigned bits;
	enum cmi_address_kind kind;
};

#define NET4(a, b, c, d)                                                       \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct prefix4 special4[] = {
	{NET4(0, 0, 0, 0), 8, CMI_ADDRESS_NEVER},
	{NET4(10, 0, 0, 0), 8, CMI_ADDRESS_PRIVATE},
	{NET4(100, 64, 0, 0), 10, CMI_ADDRESS_PRIVATE}, /* RFC 6598 */
	{NET4(127, 0, 0, 0), 8, CMI_ADDRESS_PRIVATE},
	{NET4(169, 254, 0, 0), 16, CMI_ADDRESS_PRIVATE}, /* RFC 3927 */
	{NET4(172, 16, 0, 0), 12, CMI_ADDRESS_PRIVATE},
	{NET4(192, 0, 0, 0), 24, CMI_ADDRESS_PRIVATE},
	{NET4(192, 0, 2, 0), 24, CMI_ADDRESS_PRIVATE}, /* RFC 5737 */
	{NET4(192, 88, 99, 0), 24, CMI_ADDRESS_PRIVATE},
	{NET4(192, 168, 0, 0), 16, CMI_ADDRESS_PRIVATE},
	{NET4(198, 18, 0, 0), 15, CMI_ADDRESS_PRIVATE}, /* RFC 2544 */
	{NET4(198, 51, 100, 0), 24, CMI_ADDRESS_PRIVATE},
	{NET4(203, 0, 113, 0), 24, CMI_ADDRESS_PRIVATE},
	{NET4(224, 0, 0, 0), 4, CMI_ADDRESS_NEVER},
	{NET4(255, 255, 255, 255), 32, CMI_ADDRESS_NEVER},
	{NET4(240, 0, 0, 0), 4, CMI_ADDRESS_PRIVATE},
};

struct prefix6 {
	uint64_t high; /* the first 64 bits; none is longer, but for ::1 */
	unsigned bits;
	enum cmi_address_kind kind;
};

/* Inside 2000::/3 only; everything outside of it is not public. */
static const struct prefix6 special6[] = {
	/* Protocols' own, RFC 2928: Teredo, benchmarks, ORCHID and others. */
	{0x2001000000000000u, 23, CMI_ADDRESS_PRIVATE},
	{0x20010db800000000u, 32, CMI_ADDRESS_PRIVATE}, /* RFC 3849 */
	{0x3fff000000000000u, 20, CMI_ADDRESS_PRIVATE}, /* RFC 9637 */
};

static enum cmi_address_kind kind4(uint32_t v)
{
	for (size_t i = 0; i < CMI_LEN(special4); i++) {
		const struct prefix4 *p = &special4[i];

		if ((v ^ p->net) >> (32 - p->bits) == 0)
			return p->kind;
	}
	return CMI_ADDRESS_PUBLIC;
}

static enum cmi_address_kind kind6(uint64_t high, uint64_t low)
{
	if (high == 0 && low >> 32 == 0xffff) /* ::ffff:0:0/96 */
		return kind4((uint32_t)low) == CMI_ADDRESS_NEVER
			       ? CMI_ADDRESS_NEVER
			       : CMI_ADDRESS_PRIVATE;
	if (high == 0)
		return low == 1 ? CMI_ADDRESS_PRIVATE : CMI_ADDRESS_NEVER;
	if (high == 0x0064ff9b00000000u && low >> 32 == 0) /* RFC 6052 */
		return kind4((uint32_t)low);
	if (high >> 56 == 0xff)
		return CMI_ADDRESS_NEVER; /* multicast */
	if (high >> 61 != 1)
		return CMI_ADDRESS_PRIVATE; /* fe80::/10, fc00::/7, the rest */
	if (high >> 48 == 0x2002)           /* 6to4: RFC 3056 */
		return kind4((uint32_t)(high >> 16));
	for (size_t i = 0; i < CMI_LEN(special6); i++)
		if ((high ^ special6[i].high) >> (64 - special6[i].bits) == 0)
			return special6[i].kind;
	return CMI_ADDRESS_PUBLIC;
}

/* The address's halves; IPv4 as its mapped form. */
static bool halves(const struct sockaddr *a, uint64_t *high, uint64_t *low)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	struct cmi_cursor c;

	if (a->sa_family == AF_INET) {
		memcpy(&in4, a, sizeof(in4));
		*high = 0;
		*low = (uint64_t)0xffff << 32 | ntohl(in4.sin_addr.s_addr);
		return true;
	}
	if (a->sa_family != AF_INET6)
		return false;
	memcpy(&in6, a, sizeof(in6));
	c = cmi_cursor_of((struct cmi_bytes){in6.sin6_addr.s6_addr, 16});
	return cmi_cursor_u64(&c, high) && cmi_cursor_u64(&c, low);
}

enum cmi_address_kind cmi_address_kind(const struct sockaddr *a, size_t n)
{
	uint64_t high, low;

	if (n < (a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					  : sizeof(struct sockaddr_in)) ||
		!halves(a, &high, &low))
		return CMI_ADDRESS_NEVER;
	return a->sa_family == AF_INET ? kind4((uint32_t)low)
				       : kind6(high, low);
}

bool cmi_address_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	uint64_t ah, al, bh, bl;

	return halves(a, &ah, &al) && halves(b, &bh, &bl) && ah == bh &&
	       al == bl;
}

const char *cmi_address_text(const struct sockaddr *a, char *out, size_t n_out)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	const char *text = NULL;

	if (a->sa_family == AF_INET) {
		memcpy(&in4, a, sizeof(in4));
		text = inet_ntop(AF_INET, &in4.sin_addr, out, n_out);
	} else if (a->sa_family == AF_INET6) {
		memcpy(&in6, a, sizeof(in6));
		text = inet_ntop(AF_INET6, &in6.sin6_addr, out, n_out);
	}
	if (!text)
		snprintf(out, n_out, "an unknown kind of address");
	return out;
}

/* As the URL Standard has it ("ends in a number"): what is written so is an
 * address or a fault, never a name. */
static bool ends_in_number(struct cmi_bytes name)
{
	const uint8_t *dot = memrchr(name.p, '.', name.n);
	size_t skip = dot ? (size_t)(dot - name.p) + 1 : 0, digits = 0;
	struct cmi_bytes last = {name.p + skip, name.n - skip};

	if (cmi_text_starts(last, "0x") || cmi_text_starts(last, "0X"))
		return true;
	while (digits < last.n && last.p[digits] >= '0' &&
		last.p[digits] <= '9')
		digits++;
	return digits == last.n;
}

/* A name that is looked up in public DNS, or may be. */
static bool is_public_name(struct cmi_bytes name)
{
	static const char *const special[] = {
		".localhost",
		".local",
		".internal",
		".home.arpa",
		".invalid",
		".test",
		".onion",
	};

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (!name.n || !memchr(name.p, '.', name.n) || ends_in_number(name))
		return false;
	for (size_t i = 0; i < CMI_LEN(special); i++) {
		struct cmi_bytes end = cmi_bytes_of(special[i]), tail = name;

		if (name.n <= end.n)
			continue;
		tail.p += name.n - end.n;
		tail.n = end.n;
		if (cmi_text_equal_nocase(tail, end))
			return false;
	}
	return true;
}

enum cmi_address_kind cmi_address_kind_of_host(const char *host)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	enum cmi_address_kind kind;
	char literal[INET6_ADDRSTRLEN + 2];
	size_t n = strlen(host);

	if (n > 2 && host[0] == '[' && host[n - 1] == ']' &&
		n < sizeof(literal)) {
		memcpy(literal, host + 1, n - 2);
		literal[n - 2] = 0;
		host = literal;
	}
	if (getaddrinfo(host, NULL, &hints, &found) != 0 || !found)
		return is_public_name(cmi_bytes_of(host)) ? CMI_ADDRESS_PUBLIC
							  : CMI_ADDRESS_PRIVATE;
	kind = cmi_address_kind(found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return kind;
}
