/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/tlv.h"

/* Real indefinite-length containers nest three or four deep. */
#define NESTING_MAX 16u

struct header {
	uint8_t tag;
	bool indefinite;
	size_t length;
};

static bool read_length(struct cmi_cursor *c, struct header *h)
{
	uint64_t long_form;
	uint8_t first;

	if (!cmi_cursor_u8(c, &first))
		return false;
	h->indefinite = first == 0x80;
	h->length = first;
	if (first <= 0x80)
		return true;
	if (first > 0x84 || !cmi_cursor_be(c, first & 0x7f, &long_form))
		return false;
	h->length = (size_t)long_form;
	return true;
}

static bool read_header(struct cmi_cursor *c, struct header *h)
{
	uint8_t more;

	if (!cmi_cursor_u8(c, &h->tag))
		return false;
	/* A tag above 30 takes more octets, whose value nobody here asks. */
	if ((h->tag & 0x1f) == 0x1f)
		do {
			if (!cmi_cursor_u8(c, &more))
				return false;
		} while (more & 0x80);
	if (!read_length(c, h))
		return false;
	/* Only a constructed element may be indefinite (8.1.3.2). */
	return !h->indefinite || (h->tag & 0x20);
}

/* Passes what is inside an indefinite element and its end-of-contents octets;
 * *n_inside is what lay before these. */
static bool skip_indefinite(struct cmi_cursor *c, size_t *n_inside)
{
	size_t start = c->at;
	unsigned depth = 1;
	struct header h;

	while (depth) {
		*n_inside = c->at - start;
		if (!read_header(c, &h))
			return false;
		if (h.tag == 0 && h.length == 0)
			depth--;
		else if (h.indefinite && ++depth > NESTING_MAX)
			return false;
		else if (!h.indefinite && !cmi_cursor_skip(c, h.length))
			return false;
	}
	return true;
}

bool cmi_tlv_next(struct cmi_cursor *c, struct cmi_tlv *out)
{
	struct cmi_cursor try = *c;
	struct header h;
	size_t n_inside;

	if (!read_header(&try, &h))
		return false;
	n_inside = h.length;
	out->content.p = try.p;
	if (h.indefinite ? !skip_indefinite(&try, &n_inside)
			 : !cmi_cursor_skip(&try, h.length))
		return false;
	out->content.n = n_inside;
	out->tag = h.tag;
	out->whole = (struct cmi_bytes){c->p, try.at - c->at};
	*c = try;
	return true;
}

bool cmi_tlv_expect(struct cmi_cursor *c, uint8_t tag, struct cmi_tlv *out)
{
	struct cmi_cursor try = *c;
	struct cmi_tlv tlv;

	if (!cmi_tlv_next(&try, &tlv) || tlv.tag != tag)
		return false;
	*out = tlv;
	*c = try;
	return true;
}
