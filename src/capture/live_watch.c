/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/live_watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <pcap/pcap.h>

#include "capture/live_open.h"
#include "capture/pipeline.h"
#include "capture/write.h"

/* What a client asked others belongs to its handshake for so long. */
#define STORY_US ((int64_t)60 * 1000000)

/* One packet in the ring: this head, then its bytes. */
struct kept {
	uint64_t number;
	int64_t t_us;
	uint32_t n;      /* bytes captured */
	uint32_t length; /* on the wire */
};

struct cmi_watch {
	pcap_t *pcap;
	struct cmi_pipeline *pipeline;
	const char *interface;
	uint32_t link;
	uint64_t packets, bytes;
	uint64_t dropped;
	/* The ring: packets lie whole in [tail, head) or, once wrapped, in
	 * [tail, wrap) and [0, head). */
	uint8_t *ring;
	size_t size, head, tail, wrap;
	cmend_status status; /* of the callback */
	cmend_error err;
};

void cmi_watch_free(struct cmi_watch *w)
{
	if (!w)
		return;
	cmi_pipeline_free(w->pipeline);
	if (w->pcap)
		pcap_close(w->pcap);
	cmi_free(w->ring);
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
	w->size = options->ring_bytes ? options->ring_bytes
				      : CMI_WATCH_RING_BYTES;
	w->ring = cmi_alloc(w->size);
	if (!w->ring)
		return cmi_nomem(err);
	CMI_TRY(cmi_pipeline_new(
		options->interface, options->capture, &w->pipeline, err));
	CMI_TRY(cmi_live_open(
		options->interface, options->filter, &w->pcap, err));
	w->link = (uint32_t)pcap_datalink(w->pcap);
	*out = CMI_TAKE(w);
	return CMEND_OK;
}

static struct kept head_at(const struct cmi_watch *w, size_t at)
{
	struct kept k;

	memcpy(&k, w->ring + at, sizeof(k));
	return k;
}

/* The place behind the packet at `at`, over the wrap. */
static size_t next_place(const struct cmi_watch *w, size_t at)
{
	at += sizeof(struct kept) + head_at(w, at).n;
	return w->wrap && at >= w->wrap ? 0 : at;
}

static void drop_oldest(struct cmi_watch *w)
{
	bool wrapped = w->wrap != 0;

	w->tail = next_place(w, w->tail);
	if (wrapped && w->tail == 0)
		w->wrap = 0;
	if (!w->wrap && w->tail == w->head)
		w->tail = w->head = 0;
}

/* Make room for need bytes in one piece at head; oldest packets go. */
static bool make_room(struct cmi_watch *w, size_t need)
{
	if (need >= w->size)
		return false;
	if (!w->wrap && w->size - w->head < need) {
		w->wrap = w->head;
		w->head = 0;
		if (w->wrap == 0 || w->tail == w->wrap)
			w->tail = w->wrap = 0;
	}
	/* While wrapped, head may not reach tail: equal would mean empty. */
	while (w->wrap && w->head + need >= w->tail)
		drop_oldest(w);
	return w->size - w->head >= need;
}

static void remember(struct cmi_watch *w, const struct cmi_frame *f)
{
	struct kept k = {
		f->number, f->t_us, (uint32_t)f->data.n, (uint32_t)f->length};

	if (!make_room(w, sizeof(k) + k.n))
		return;
	memcpy(w->ring + w->head, &k, sizeof(k));
	if (k.n)
		memcpy(w->ring + w->head + sizeof(k), f->data.p, k.n);
	w->head += sizeof(k) + k.n;
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
	remember(w, &f);
	if (w->status == CMEND_OK)
		w->status = cmi_pipeline_frame(w->pipeline, &f, &w->err);
}

static cmend_status dispatch(struct cmi_watch *w, int *n, cmend_error *err)
{
	*n = pcap_dispatch(w->pcap, -1, take_packet, (u_char *)(void *)w);
	if (w->status != CMEND_OK) {
		if (err)
			*err = w->err;
		return w->status;
	}
	if (*n < 0)
		return cmi_fail(err, CMEND_IO, "cannot capture on \"%s\": %s",
			w->interface, pcap_geterr(w->pcap));
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
		.fd = pcap_get_selectable_fd(w->pcap), .events = POLLIN};
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

	if (pcap_stats(w->pcap, &kernel) == 0)
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
static bool belongs(const struct cmi_watch *w, const struct kept *k,
	struct cmi_bytes data, const struct cmi_conversation *c)
{
	const struct cmi_frame f = {
		.data = data,
		.length = k->length,
		.number = k->number,
		.t_us = k->t_us,
		.link = w->link,
	};
	struct cmi_packet p;

	if (k->t_us < c->start_us - STORY_US || k->t_us > c->end_us + 1000000)
		return false;
	cmi_packet_decode(&f, &p);
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
	uint64_t n = 0;

	CMI_TRY(cmi_pcapng_create(
		path, (uint16_t)w->link, "chainmend " CMI_VERSION, &out, err));
	for (size_t at = w->tail; at != w->head && status == CMEND_OK;
		at = next_place(w, at)) {
		struct kept k = head_at(w, at);
		struct cmi_bytes data = {w->ring + at + sizeof(k), k.n};

		if (!belongs(w, &k, data, c))
			continue;
		n++;
		status = cmi_pcapng_packet(out, k.t_us, data, k.length,
			remark_for(remarks, n_remarks, k.number), err);
	}
	closed = cmi_pcapng_close(out, status == CMEND_OK ? err : NULL);
	status = status == CMEND_OK ? closed : status;
	if (status != CMEND_OK)
		unlink(path);
	*n_frames = n;
	return status;
}
