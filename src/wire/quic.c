/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/quic.h"

#define DRAFT 0xff000000u

#define LABELS "quic key", "quic iv", "quic hp"

/* RFC 9001 and RFC 9369; draft-ietf-quic-tls-22, -23 and -29; Google's T050 and
 * T051 as Wireshark knows them. */
static const uint8_t salt_1[CMI_QUIC_SALT_N] = {0x38, 0x76, 0x2c, 0xf7, 0xf5,
	0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
	0xbb, 0x7f, 0x0a};
static const uint8_t salt_2[CMI_QUIC_SALT_N] = {0x0d, 0xed, 0xe3, 0xde, 0xf7,
	0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
	0xbd, 0x2e, 0xd9};
static const uint8_t salt_draft_22[CMI_QUIC_SALT_N] = {0x7f, 0xbc, 0xdb, 0x0e,
	0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd,
	0x7a, 0x02, 0x64, 0x4a};
static const uint8_t salt_draft_23[CMI_QUIC_SALT_N] = {0xc3, 0xee, 0xf7, 0x12,
	0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65,
	0xbe, 0xf9, 0xf5, 0x02};
static const uint8_t salt_draft_29[CMI_QUIC_SALT_N] = {0xaf, 0xbf, 0xec, 0x28,
	0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
	0x43, 0x90, 0xa8, 0x99};
static const uint8_t salt_t050[CMI_QUIC_SALT_N] = {0x7f, 0xf5, 0x79, 0xe5, 0xac,
	0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60,
	0x48, 0x83, 0x10};
static const uint8_t salt_t051[CMI_QUIC_SALT_N] = {0x7a, 0x4e, 0xde, 0xf4, 0xe7,
	0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda,
	0x6e, 0x03, 0x3d};

static const struct cmi_quic_version versions[] = {
	{1, 1, salt_1, LABELS, 0, 6},
	{0x6b3343cf, 0x6b3343cf, salt_2, "quicv2 key", "quicv2 iv", "quicv2 hp",
		3, 6},
	{DRAFT + 33, DRAFT + 34, salt_1, LABELS, 0, 6},
	{DRAFT + 29, DRAFT + 32, salt_draft_29, LABELS, 0, 6},
	{DRAFT + 23, DRAFT + 28, salt_draft_23, LABELS, 0, 6},
	{DRAFT + 22, DRAFT + 22, salt_draft_22, LABELS, 0, 6},
	/* mvfst's own numbers for drafts */
	{0xfaceb001, 0xfaceb001, salt_draft_22, LABELS, 0, 6},
	{0xfaceb002, 0xfaceb002, salt_draft_23, LABELS, 0, 6},
	{0xfaceb00e, 0xfaceb00e, salt_draft_23, LABELS, 0, 6},
	{0x54303530, 0x54303530, salt_t050, LABELS, 0, 8},
	{0x54303531, 0x54303531, salt_t051, LABELS, 0, 8},
};

const struct cmi_quic_version *cmi_quic_version(uint32_t number)
{
	for (size_t i = 0; i < CMI_LEN(versions); i++)
		if (number >= versions[i].first && number <= versions[i].last)
			return &versions[i];
	return NULL;
}

bool cmi_quic_varint(struct cmi_cursor *c, uint64_t *out)
{
	static const uint64_t masks[] = {UINT8_MAX >> 2, UINT16_MAX >> 2,
		UINT32_MAX >> 2, UINT64_MAX >> 2};
	uint8_t first;
	uint64_t v;

	if (!cmi_cursor_peek(c, 0, &first) ||
		!cmi_cursor_be(c, 1u << (first >> 6), &v))
		return false;
	*out = v & masks[first >> 6];
	return true;
}

/* A length, and as many bytes. */
static bool take_counted(struct cmi_cursor *c, struct cmi_bytes *out)
{
	uint64_t n;

	return cmi_quic_varint(c, &n) && n <= c->n &&
	       cmi_cursor_bytes(c, (size_t)n, out);
}

static bool take_id(struct cmi_cursor *c, struct cmi_bytes *out)
{
	uint8_t n;

	return cmi_cursor_u8(c, &n) && n <= CMI_QUIC_ID_MAX &&
	       cmi_cursor_bytes(c, n, out);
}

/* The "fixed bit" is not looked at: RFC 9287 lets either end turn it. */
bool cmi_quic_packet(struct cmi_cursor *c, struct cmi_quic_packet *out)
{
	struct cmi_cursor in = *c;
	struct cmi_bytes token;
	uint32_t version;
	uint64_t length;
	uint8_t first;

	if (!cmi_cursor_u8(&in, &first) || !(first & 0x80) ||
		!cmi_cursor_u32(&in, &version))
		return false;
	out->version = cmi_quic_version(version);
	if (!out->version || !take_id(&in, &out->dcid) ||
		!take_id(&in, &out->scid))
		return false;
	out->kind =
		(enum cmi_quic_kind)(((first >> 4) + out->version->turn) & 3);
	out->number_at = 0;
	length = in.n;
	if (out->kind == CMI_QUIC_INITIAL && !take_counted(&in, &token))
		return false;
	if (out->kind != CMI_QUIC_RETRY) {
		if (!cmi_quic_varint(&in, &length))
			return false;
		out->number_at = in.at - c->at;
	}
	out->cut = length > in.n;
	if (!cmi_cursor_skip(&in, out->cut ? in.n : (size_t)length))
		return false;
	return cmi_cursor_bytes(c, in.at - c->at, &out->whole);
}

static bool skip_varints(struct cmi_cursor *c, uint64_t n)
{
	uint64_t v;

	while (n-- > 0)
		if (!cmi_quic_varint(c, &v))
			return false;
	return true;
}

/* Section 19.3: the largest, the delay, how many more ranges, and the first;
 * with counts of marks at the end.  What is more than there are bytes ends at
 * the first that is missing. */
static bool skip_ack(struct cmi_cursor *c, bool marks)
{
	uint64_t ranges;

	return skip_varints(c, 2) && cmi_quic_varint(c, &ranges) &&
	       ranges <= c->n && skip_varints(c, 1 + 2 * ranges) &&
	       skip_varints(c, marks ? 3 : 0);
}

static bool take_close(struct cmi_cursor *c, struct cmi_quic_frame *out)
{
	uint64_t about;

	return cmi_quic_varint(c, &out->error) &&
	       (out->type == CMI_QUIC_CLOSE_APPLICATION ||
		       cmi_quic_varint(c, &about)) &&
	       take_counted(c, &out->data);
}

bool cmi_quic_frame(struct cmi_cursor *c, const struct cmi_quic_version *v,
	struct cmi_quic_frame *out)
{
	struct cmi_bytes token;

	while (cmi_quic_varint(c, &out->type)) {
		if (out->type == v->crypto) {
			out->type = CMI_QUIC_CRYPTO;
			return cmi_quic_varint(c, &out->offset) &&
			       take_counted(c, &out->data);
		}
		switch (out->type) {
		case 0x00: /* PADDING */
		case 0x01: /* PING */
			break;
		case 0x02: /* ACK */
		case 0x03:
			if (!skip_ack(c, out->type == 0x03))
				return false;
			break;
		case 0x07: /* NEW_TOKEN */
			if (!take_counted(c, &token))
				return false;
			break;
		case CMI_QUIC_CLOSE:
		case CMI_QUIC_CLOSE_APPLICATION:
			return take_close(c, out);
		default:
			return false;
		}
	}
	return false;
}
