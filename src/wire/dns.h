/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages (RFC 1035): the question, and the addresses answered.
 *
 * A pure parser.  Names are followed through compression pointers, which may
 * only point backwards and only so often, and come as lower-case text in the
 * struct itself; nothing points into the input.
 */
#ifndef CMI_WIRE_DNS_H
#define CMI_WIRE_DNS_H

#include "core/cursor.h"
#include "core/limits.h"

#define CMI_DNS_ADDRS_MAX 8 /* as a conversation record keeps */
/* Text of a name: each byte may need four ("\ddd"), and a NUL. */
#define CMI_DNS_NAME_TEXT (4 * CMI_NAME_MAX + 1)

struct cmi_dns_addr {
	uint8_t family; /* 4 or 6 */
	uint8_t addr[16];
};

struct cmi_dns_message {
	uint16_t id;
	bool response;
	bool truncated;
	uint8_t opcode, rcode;
	uint16_t n_questions, n_answers;
	char name[CMI_DNS_NAME_TEXT]; /* of the first question */
	uint16_t type, class;
	struct cmi_dns_addr addrs[CMI_DNS_ADDRS_MAX];
	size_t n_addrs;
	bool damaged; /* an answer breaks the grammar; what is before it counts
		       */
};

/* CMEND_PARSE with the offset where header or question break the grammar;
 * *out is then half written, and good for nothing. */
cmend_status cmi_dns_message(struct cmi_bytes data, struct cmi_dns_message *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* A service (RFC 2782) in an answer. */
#define CMI_DNS_SRV_MAX 8
struct cmi_dns_srv {
	uint16_t priority, weight, port;
	char target[CMI_DNS_NAME_TEXT]; /* "" for the root: no such service */
};
/* Those of the answer section, the first CMI_DNS_SRV_MAX of them.  CMEND_PARSE
 * where any record of it breaks the grammar. */
cmend_status cmi_dns_services(struct cmi_bytes data,
	struct cmi_dns_srv out[CMI_DNS_SRV_MAX], size_t *n, cmend_error *err)
	__attribute__((warn_unused_result));

/* One message of the TCP form (RFC 1035 section 4.2.2); false while bytes are
 * missing. */
bool cmi_dns_tcp_message(struct cmi_cursor *c, struct cmi_bytes *out);

#endif
