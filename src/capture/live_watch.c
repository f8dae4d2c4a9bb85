/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/live_watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "capture/live_open.h"
#include "capture/live_pcap.h"
#include "capture/pipeline.h"
#include "capture/ring.h"
#include "capture/write.h"

/* What a client asked others belongs to its handshake for so long. */
#define STORY_US ((int64_t)60 * 1000000)

struct cmi_watch {
	pcap_t *pcap;
	struct cmi_pipeline *pipeline;
	const char *interface;
	uint32_t link;
	uint64_t packets, bytes;
	uint64_t dropped;
	struct cmi_ring ring;
	cmend_status status; /* of the callback */
	cmend_error err;
};

void cmi_watch_free(struct cmi_watch *w)
{
	if (!w)
		return;
	cmi_pipeline_free(w->pipeline);
	if (w->pcap)
		cmi_pcap.close(w->pcap);
	cmi_ring_dispose(&w->ring);
	cmi_free(w);
}
CMI_DEFINE_CLEANUP(watch_freep, struct cmi_watch, cmi_watch_free)

cmend_status cmi_watch_open(const struct cmi_watch_options *options,
	struct cmi_watch **out, cmend_error *err)
{
	CMI_AUTO(watch_freep) struct cmi_watch *w = cmi_alloc(sizeof(*w));

	if (!w)
		return cmi_nomem(err);
	w->interface = options->interface;
	CMI_TRY(cmi_pipeline_new(
		options->interface, options->capture, &w->pipeline, err));
	CMI_TRY(cmi_live_open(
		options->interface, options->filter, &w->pcap, err));
	w->link = (uint32_t)cmi_pcap.datalink(w->pcap);
	CMI_TRY(cmi_ring_init(&w->ring,
		options->ring_bytes ? options->ring_bytes
				    : CMI_WATCH_RING_BYTES,
		w->link, err));
	*out = CMI_TAKE(w);
	return CMEND_OK;
}

static void take_packet(
	u_char *ctx, const struct pcap_pkthdr *h, const u_char *data)
{
	struct cmi_watch *w = (struct cmi_watch *)(void *)ctx;
	struct cmi_frame f = {
		.data = {data, h->caplen},
		.length = h->len,
		.number = ++w->packets,
		.t_us = (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec,
		.link = w->link,
	};

	w->bytes += h->len;
	cmi_ring_add(&w->ring, &f);
	if (w->status == CMEND_OK)
		w->status = cmi_pipeline_frame(w->pipeline, &f, &w->err);
}

static cmend_status dispatch(struct cmi_watch *w, int *n, cmend_error *err)
{
	*n = cmi_pcap.dispatch(w->pcap, -1, take_packet, (u_char *)(void *)w);
	if (w->status != CMEND_OK) {
		if (err)
			*err = w->err;
		return w->status;
	}
	if (*n < 0)
		return cmi_fail(err, CMEND_IO, "cannot capture on \"%s\": %s",
			w->interface, cmi_pcap.geterr(w->pcap));
	return CMEND_OK;
}

/* Packets come up to CMI_LIVE_POLL_MS late: time follows at that distance. */
static cmend_status tick(struct cmi_watch *w, cmend_error *err)
{
	return cmi_pipeline_tick(w->pipeline,
		cmi_now_us(NULL) - 2000 * CMI_LIVE_POLL_MS, CMI_WATCH_IDLE_US,
		err);
}

cmend_status cmi_watch_step(struct cmi_watch *w, int wait_ms, cmend_error *err)
{
	struct pollfd p = {
		.fd = cmi_pcap.get_selectable_fd(w->pcap), .events = POLLIN};
	int n = 0;

	CMI_TRY(dispatch(w, &n, err));
	if (n > 0)
		return CMEND_OK;
	if (poll(&p, p.fd < 0 ? 0 : 1, wait_ms) < 0 && errno != EINTR)
		return cmi_fail(err, CMEND_IO, "cannot wait for \"%s\": %s",
			w->interface, strerror(errno));
	CMI_TRY(dispatch(w, &n, err));
	return tick(w, err);
}

cmend_status cmi_watch_end(struct cmi_watch *w, cmend_error *err)
{
	struct cmi_capture_summary summary = {0};

	return cmi_pipeline_end(w->pipeline, &summary, err);
}

struct cmi_watch_stats cmi_watch_stats(struct cmi_watch *w)
{
	struct pcap_stat kernel;

	if (cmi_pcap.stats(w->pcap, &kernel) == 0)
		w->dropped = kernel.ps_drop;
	return (struct cmi_watch_stats){
		.packets = w->packets,
		.bytes = w->bytes,
		.kernel_dropped = w->dropped,
		.given_up = cmi_pipeline_given_up(w->pipeline),
	};
}

static bool same(const struct cmi_endpoint *a, const struct cmi_endpoint *b)
{
	return a->port == b->port && cmi_endpoint_same_host(a, b);
}

/* Is the frame of this conversation, or of its client's own story? */
static bool belongs(const struct cmi_frame *f, const struct cmi_conversation *c)
{
	struct cmi_packet p;

	if (f->t_us < c->start_us - STORY_US || f->t_us > c->end_us + 1000000)
		return false;
	cmi_packet_decode(f, &p);
	if (p.kind == CMI_PACKET_TCP &&
		((same(&p.from, &c->client) && same(&p.to, &c->server)) ||
			(same(&p.from, &c->server) && same(&p.to, &c->client))))
		return true;
	if (p.kind != CMI_PACKET_TCP && p.kind != CMI_PACKET_UDP)
		return false;
	if (p.kind == CMI_PACKET_TCP && p.from.port != 80 && p.to.port != 80)
		return false;
	return cmi_endpoint_same_host(&p.from, &c->client) ||
	       cmi_endpoint_same_host(&p.to, &c->client);
}

static const char *remark_for(
	const struct cmi_watch_remark *remarks, size_t n, uint64_t frame)
{
	for (size_t i = 0; i < n; i++)
		if (remarks[i].frame == frame)
			return remarks[i].text;
	return NULL;
}

cmend_status cmi_watch_keep(struct cmi_watch *w,
	const struct cmi_conversation *c,
	const struct cmi_watch_remark *remarks, size_t n_remarks,
	const char *path, uint64_t *n_frames, cmend_error *err)
{
	struct cmi_pcapng_writer *out = NULL;
	cmend_status status = CMEND_OK, closed;
	struct cmi_frame f;
	uint64_t n = 0;
	size_t at;

	CMI_TRY(cmi_pcapng_create(
		path, (uint16_t)w->link, "chainmend " CMI_VERSION, &out, err));
	at = cmi_ring_begin(&w->ring);
	while (status == CMEND_OK && cmi_ring_next(&w->ring, &at, &f)) {
		if (!belongs(&f, c))
			continue;
		n++;
		status = cmi_pcapng_packet(out, f.t_us, f.data, f.length,
			remark_for(remarks, n_remarks, f.number), err);
	}
	closed = cmi_pcapng_close(out, status == CMEND_OK ? err : NULL);
	status = status == CMEND_OK ? closed : status;
	if (status != CMEND_OK)
		unlink(path);
	*n_frames = n;
	return status;
}
