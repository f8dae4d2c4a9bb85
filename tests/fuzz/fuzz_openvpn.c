/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of OpenVPN's packets.  Oracle: as bytes come the verdict on how a
 * client begins leaves PART at most once, when those that were needed are
 * there, and no byte behind changes it; a piece of TLS is the end of its
 * packet, behind its number; with so many bytes cut from its end it is as
 * much shorter; and a packet cannot be read from less than its head.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/openvpn.h"

/* A reset with the longest signature has 88 bytes. */
#define BEGIN_MAX ((size_t)96)

static bool is_signature(size_t n)
{
	static const uint8_t all[] = {0, 24, 28, 40, 56, 72};

	for (size_t i = 0; i < sizeof(all); i++)
		if (n == all[i])
			return true;
	return false;
}

static void check_begin(struct cmi_bytes data)
{
	enum cmi_match match = CMI_MATCH_PART, next;
	size_t signature = 0, needed = 1, need, again;
	size_t most = data.n < BEGIN_MAX ? data.n : BEGIN_MAX;

	/* Of nothing it says no: a side that is silent begins nothing. */
	for (size_t n = 1; n <= most; n++) {
		next = cmi_openvpn_match(
			(struct cmi_bytes){data.p, n}, &need, &again);
		FUZZ_CHECK(match == CMI_MATCH_PART || next == match);
		if (next == CMI_MATCH_PART) {
			FUZZ_CHECK(need > n && need <= BEGIN_MAX);
			FUZZ_CHECK(n == 1 || need >= needed);
			needed = need;
		}
		if (next == CMI_MATCH_WHOLE) {
			FUZZ_CHECK(is_signature(again) && n >= needed);
			FUZZ_CHECK(need == 16 + again && need <= n);
			FUZZ_CHECK(match == next || n == need);
			signature = match == next ? signature : again;
			FUZZ_CHECK(again == signature);
		}
		match = next;
	}
}

static void check_piece(struct cmi_bytes packet, size_t signature)
{
	struct cmi_bytes piece, less;
	uint32_t id, again;
	const uint8_t *number;

	if (!cmi_openvpn_piece(packet, signature, &id, &piece))
		return;
	FUZZ_CHECK(piece.n + 16 + signature <= packet.n);
	FUZZ_CHECK(piece.p + piece.n == packet.p + packet.n);
	number = piece.p - 4;
	FUZZ_CHECK(
		id == ((uint32_t)number[0] << 24 | (uint32_t)number[1] << 16 |
			      (uint32_t)number[2] << 8 | number[3]));
	for (size_t cut = 1; cut <= piece.n && cut < 4; cut++) {
		packet.n--;
		FUZZ_CHECK(cmi_openvpn_piece(packet, signature, &again, &less));
		FUZZ_CHECK(again == id && less.n == piece.n - cut);
	}
	packet.n = (size_t)(number - packet.p) + 3;
	FUZZ_CHECK(!cmi_openvpn_piece(packet, signature, &again, &less));
}

static void check_packets(struct cmi_bytes data)
{
	static const size_t signatures[] = {0, 24, 28, 40, 56, 72};
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_openvpn_packet p;
	struct cmi_bytes packet;

	while (cmi_openvpn_head(cmi_cursor_rest(&c), &p)) {
		FUZZ_CHECK(c.n >= CMI_OPENVPN_HEAD);
		FUZZ_CHECK(p.length > 0 && p.length <= UINT16_MAX);
		FUZZ_CHECK(p.control == (c.p[2] == 0x20));
		if (!cmi_cursor_bytes(&c, p.length + 2, &packet))
			return;
		for (size_t i = 0; i < CMI_LEN(signatures); i++)
			check_piece(packet, signatures[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_begin((struct cmi_bytes){data, size});
	check_packets((struct cmi_bytes){data, size});
	return 0;
}
