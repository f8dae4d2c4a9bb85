/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame decoded, and nothing read beside it.
 */
#ifndef CMI_TESTS_DECODE_PACKET_H
#define CMI_TESTS_DECODE_PACKET_H

#include "test.h"

#include "capture/packet.h"
#include "forge_packets.h"

#define PAYLOAD CMI_BYTES("payload")

static struct cmi_packet decode(
	struct cmi_bytes data, size_t length, uint32_t link)
{
	/* A copy of just that size, so that a sanitizer sees any step over. */
	uint8_t *copy = malloc(data.n ? data.n : 1);
	struct cmi_frame f = {
		.data = {copy, data.n}, .length = length, .link = link};
	struct cmi_packet p;

	assert_non_null(copy);
	if (data.n)
		memcpy(copy, data.p, data.n);
	/* Nothing of it counts that decoding did not write. */
	memset(&p, 0xa5, sizeof(p));
	cmi_packet_decode(&f, &p);
	if (p.payload.n) {
		assert_true(p.payload.p >= copy &&
			    p.payload.p + p.payload.n <= copy + data.n);
		p.payload.p = data.p + (p.payload.p - copy);
	}
	free(copy);
	return p;
}

static void tcp4(struct cmi_buf *b)
{
	forge_ipv4(b, 6, 20 + 20 + 7, 0, 9, 1);
	forge_tcp(b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
}

#endif
