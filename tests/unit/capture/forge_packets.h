/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures and packets made byte by byte, for the tests of this floor.
 */
#ifndef CMI_TESTS_FORGE_PACKETS_H
#define CMI_TESTS_FORGE_PACKETS_H

#include <fcntl.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/limits.h"

#define FORGE_T0 1700000000u

/* A number of either byte order. */
static inline void forge_int(
	struct cmi_buf *b, bool big, unsigned width, uint64_t v)
{
	if (big)
		cmi_buf_be(b, width, v);
	else
		cmi_buf_le(b, width, v);
}

static inline void forge_zeros(struct cmi_buf *b, size_t n)
{
	while (n--)
		cmi_buf_u8(b, 0);
}

/* Classic file header; magic as a number of that byte order. */
static inline void forge_pcap(
	struct cmi_buf *b, bool big, uint32_t magic, uint32_t link)
{
	forge_int(b, big, 4, magic);
	forge_int(b, big, 2, 2);
	forge_int(b, big, 2, 4);
	forge_zeros(b, 8);
	forge_int(b, big, 4, 65535);
	forge_int(b, big, 4, link);
}

/* header: 16, or more with zeros behind it. */
static inline void forge_record(struct cmi_buf *b, bool big, size_t header,
	uint32_t s, uint32_t fraction, struct cmi_bytes data)
{
	forge_int(b, big, 4, s);
	forge_int(b, big, 4, fraction);
	forge_int(b, big, 4, data.n);
	forge_int(b, big, 4, data.n);
	forge_zeros(b, header - 16);
	cmi_buf_add_bytes(b, data);
}

/* A pcapng block round its body, padded. */
static inline void forge_block(
	struct cmi_buf *b, bool big, uint32_t type, struct cmi_bytes body)
{
	size_t n = 12 + ((body.n + 3) & ~(size_t)3);

	forge_int(b, big, 4, type);
	forge_int(b, big, 4, n);
	cmi_buf_add_bytes(b, body);
	forge_zeros(b, n - 12 - body.n);
	forge_int(b, big, 4, n);
}

static inline void forge_section(struct cmi_buf *b, bool big)
{
	struct cmi_buf body;

	cmi_buf_init(&body, 64);
	forge_int(&body, big, 4, 0x1a2b3c4d);
	forge_int(&body, big, 2, 1);
	forge_int(&body, big, 2, 0);
	forge_int(&body, big, 8, UINT64_MAX);
	forge_block(b, big, 0x0a0d0d0a, cmi_buf_view(&body));
	cmi_buf_dispose(&body);
}

/* resolution < 0: no option. */
static inline void forge_interface(struct cmi_buf *b, bool big, uint16_t link,
	uint32_t snaplen, int resolution)
{
	struct cmi_buf body;

	cmi_buf_init(&body, 64);
	forge_int(&body, big, 2, link);
	forge_int(&body, big, 2, 0);
	forge_int(&body, big, 4, snaplen);
	if (resolution >= 0) {
		forge_int(&body, big, 2, 9);
		forge_int(&body, big, 2, 1);
		cmi_buf_u8(&body, (uint8_t)resolution);
		forge_zeros(&body, 3);
		forge_int(&body, big, 4, 0);
	}
	forge_block(b, big, 1, cmi_buf_view(&body));
	cmi_buf_dispose(&body);
}

static inline void forge_enhanced(struct cmi_buf *b, bool big,
	uint32_t interface, uint64_t t, struct cmi_bytes data)
{
	struct cmi_buf body;

	cmi_buf_init(&body, CMI_PACKET_MAX + 4096);
	forge_int(&body, big, 4, interface);
	forge_int(&body, big, 4, t >> 32);
	forge_int(&body, big, 4, t & UINT32_MAX);
	forge_int(&body, big, 4, data.n);
	forge_int(&body, big, 4, data.n);
	cmi_buf_add_bytes(&body, data);
	forge_block(b, big, 6, cmi_buf_view(&body));
	cmi_buf_dispose(&body);
}

static inline void forge_ethernet(struct cmi_buf *b, uint16_t type)
{
	cmi_buf_add(b, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	cmi_buf_be(b, 2, type);
}

/* total: what the header says of the length; the addresses are 10.0.0.FROM
 * and 10.0.0.TO. */
static inline void forge_ipv4(struct cmi_buf *b, uint8_t protocol,
	uint16_t total, uint16_t fragment, uint8_t from, uint8_t to)
{
	cmi_buf_be(b, 2, 0x4500);
	cmi_buf_be(b, 2, total);
	cmi_buf_be(b, 2, 7);
	cmi_buf_be(b, 2, fragment);
	cmi_buf_u8(b, 64);
	cmi_buf_u8(b, protocol);
	cmi_buf_be(b, 2, 0xdead); /* never the right checksum */
	cmi_buf_be(b, 4, 0x0a000000u + from);
	cmi_buf_be(b, 4, 0x0a000000u + to);
}

static inline void forge_ipv6(struct cmi_buf *b, uint8_t next, uint16_t length,
	uint8_t from, uint8_t to)
{
	cmi_buf_be(b, 4, 0x60000000u);
	cmi_buf_be(b, 2, length);
	cmi_buf_u8(b, next);
	cmi_buf_u8(b, 64);
	cmi_buf_be(b, 8, 0x20010db800000000u);
	cmi_buf_be(b, 8, from);
	cmi_buf_be(b, 8, 0x20010db800000000u);
	cmi_buf_be(b, 8, to);
}

static inline void forge_tcp(struct cmi_buf *b, uint16_t from, uint16_t to,
	uint32_t seq, uint32_t ack, uint8_t flags, struct cmi_bytes data)
{
	cmi_buf_be(b, 2, from);
	cmi_buf_be(b, 2, to);
	cmi_buf_be(b, 4, seq);
	cmi_buf_be(b, 4, ack);
	cmi_buf_u8(b, 0x50);
	cmi_buf_u8(b, flags);
	cmi_buf_be(b, 2, 65535);
	cmi_buf_be(b, 4, 0xbeef0000u);
	cmi_buf_add_bytes(b, data);
}

/* A whole file in a temporary place; the caller unlinks it. */
static inline void forge_file(char path[64], const struct cmi_buf *b)
{
	int fd;

	snprintf(path, 64, "/tmp/cmi-capture-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(b->failed, CMEND_OK);
	if (b->n)
		assert_int_equal(write(fd, b->p, b->n), b->n);
	close(fd);
}

#endif
