/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way from a capture file to conversations.  Oracle: each record
 * names frames that are there, in order, and a second reading gives as many
 * of each kind.
 */
#include "capture/capture.h"
#include "fuzz_memory_file.h"

struct heard {
	uint64_t n[CMI_CONV_TCP + 1];
	uint64_t last_frame; /* highest named */
};

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct heard *h = ctx;

	(void)err;
	FUZZ_CHECK((unsigned)c->kind <= CMI_CONV_TCP);
	h->n[c->kind]++;
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

static cmend_status read_it(const char *path, struct heard *h)
{
	const struct cmi_capture_options options = {.sink = {take, h}};
	struct cmi_capture_summary summary;
	cmend_status status = cmi_capture_read(path, &options, &summary, NULL);

	FUZZ_CHECK(h->last_frame <= summary.packets);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard first = {0}, second = {0};
	char path[64];
	int fd = fuzz_memory_file(data, size, path);

	FUZZ_CHECK(read_it(path, &first) == read_it(path, &second));
	for (size_t i = 0; i < CMI_LEN(first.n); i++)
		FUZZ_CHECK(first.n[i] == second.n[i]);
	close(fd);
	return 0;
}
