/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way from a capture file to conversations.  Oracle: each record
 * names frames that are there, in order, and a second reading, which gets the
 * file byte by byte and so never has a frame at hand before its turn, gives the
 * same.
 */
#include <string.h>

#include "capture/capture.h"
#include "fuzz_memory_file.h"

struct heard {
	uint64_t n[CMI_CONV_TCP + 1];
	uint64_t last_frame; /* highest named */
	uint64_t digest;     /* of what is compared, in its order */
};

static void digest(struct heard *h, uint64_t value)
{
	h->digest = (h->digest ^ value) * 0x100000001b3u;
	h->digest ^= h->digest >> 29;
}

static void digest_end(struct heard *h, const struct cmi_endpoint *e)
{
	uint64_t half[2];

	memcpy(half, e->addr, sizeof(half));
	digest(h, half[0]);
	digest(h, half[1]);
	digest(h, (uint64_t)e->family << 16 | e->port);
}

static void digest_record(struct heard *h, const struct cmi_conversation *c)
{
	digest(h, (uint64_t)c->kind);
	digest_end(h, &c->client);
	digest_end(h, &c->server);
	digest(h, c->first_frame);
	digest(h, c->last_frame);
	digest(h, (uint64_t)c->start_us);
	digest(h, (uint64_t)c->end_us);
	for (int side = 0; side < 2; side++) {
		digest(h, (uint64_t)c->closed[side]);
		digest(h, c->closed_frame[side]);
	}
}

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct heard *h = ctx;

	(void)err;
	FUZZ_CHECK((unsigned)c->kind <= CMI_CONV_TCP);
	h->n[c->kind]++;
	digest_record(h, c);
	FUZZ_CHECK(c->first_frame >= 1);
	FUZZ_CHECK(c->first_frame <= c->last_frame);
	if (c->last_frame > h->last_frame)
		h->last_frame = c->last_frame;
	if (c->kind == CMI_CONV_TLS) {
		FUZZ_CHECK(c->tls->n_certs <= CMI_SENT_CERTS_MAX);
		FUZZ_CHECK(c->tls->n_alerts <= CMI_ALERTS_MAX);
	}
	return CMEND_OK;
}

static cmend_status read_it(const char *path,
	const struct cmi_input_source *source, struct heard *h)
{
	const struct cmi_capture_options options = {
		.sink = {take, h}, .source = source};
	struct cmi_capture_summary summary;
	cmend_status status = cmi_capture_read(path, &options, &summary, NULL);

	FUZZ_CHECK(h->last_frame <= summary.packets);
	digest(h, summary.packets);
	digest(h, summary.bytes);
	digest(h, summary.flows);
	digest(h, summary.undecoded);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard first = {0}, second = {0};
	struct fuzz_drops drops = {data, size, 1};
	const struct cmi_input_source source = {fuzz_drop, NULL, &drops};
	char path[64];
	int fd = fuzz_memory_file(data, size, path);

	FUZZ_CHECK(
		read_it(path, NULL, &first) == read_it(path, &source, &second));
	for (size_t i = 0; i < CMI_LEN(first.n); i++)
		FUZZ_CHECK(first.n[i] == second.n[i]);
	FUZZ_CHECK(first.digest == second.digest);
	close(fd);
	return 0;
}
