/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/socks.h"

#include "core/cursor.h"

enum { CONNECT = 1, IPV4 = 1, NAME = 3, IPV6 = 4 };

/* A text up to and with its zero byte. */
static bool take_text(struct cmi_cursor *c)
{
	struct cmi_bytes text;

	return cmi_cursor_until(c, 0, &text);
}

/* Command, port, address, user; 4a: an address 0.0.0.x, and a name. */
static enum cmi_match asked4(struct cmi_cursor *c)
{
	uint32_t address;
	uint8_t command;

	if (!cmi_cursor_u8(c, &command))
		return CMI_MATCH_PART;
	if (command != CONNECT)
		return CMI_MATCH_NONE;
	if (!cmi_cursor_skip(c, 2) || !cmi_cursor_u32(c, &address) ||
		!take_text(c) || (address && address <= 0xff && !take_text(c)))
		return CMI_MATCH_PART;
	return CMI_MATCH_WHOLE;
}

/* Lengths of one byte, each before so many bytes. */
static bool skip_lengths(struct cmi_cursor *c, size_t times)
{
	uint8_t n;

	for (size_t i = 0; i < times; i++)
		if (!cmi_cursor_u8(c, &n) || !cmi_cursor_skip(c, n))
			return false;
	return true;
}

static enum cmi_match asked5(struct cmi_cursor *c)
{
	uint8_t methods, version, command, zero, type, n = 0;

	if (!cmi_cursor_u8(c, &methods))
		return CMI_MATCH_PART;
	if (!methods)
		return CMI_MATCH_NONE;
	if (!cmi_cursor_skip(c, methods) || !cmi_cursor_u8(c, &version))
		return CMI_MATCH_PART;
	/* RFC 1929: user and password, which have a version of their own. */
	if (version == 1 &&
		(!skip_lengths(c, 2) || !cmi_cursor_u8(c, &version)))
		return CMI_MATCH_PART;
	if (version != 5)
		return CMI_MATCH_NONE;
	if (!cmi_cursor_u8(c, &command))
		return CMI_MATCH_PART;
	if (command != CONNECT)
		return CMI_MATCH_NONE;
	if (!cmi_cursor_u8(c, &zero) || !cmi_cursor_u8(c, &type))
		return CMI_MATCH_PART;
	if (zero || (type != IPV4 && type != NAME && type != IPV6))
		return CMI_MATCH_NONE;
	if (type == NAME && !cmi_cursor_u8(c, &n))
		return CMI_MATCH_PART;
	n = type == NAME ? n : type == IPV4 ? 4 : 16;
	return cmi_cursor_skip(c, (size_t)n + 2) ? CMI_MATCH_WHOLE
						 : CMI_MATCH_PART;
}

enum cmi_match cmi_socks_asked(struct cmi_bytes data, size_t *end)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	enum cmi_match match;
	uint8_t version;

	if (!cmi_cursor_u8(&c, &version))
		return CMI_MATCH_PART;
	match = version == 4   ? asked4(&c)
		: version == 5 ? asked5(&c)
			       : CMI_MATCH_NONE;
	*end = c.at;
	return match;
}
