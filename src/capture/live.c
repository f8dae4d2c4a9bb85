/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "capture/live_open.h"
#include "capture/live_pcap.h"
#include "capture/packet.h"
#include "capture/write.h"
#include "core/env.h"
#include "core/limits.h"

/* The marker goes to the discard port of the loopback address. */
#define MARKER_PORT 9
/* How long cmi_live_stop waits for its marker. */
#define MARKER_WAIT_MS 2000

struct cmi_live {
	pcap_t *pcap;
	struct cmi_pcapng_writer *writer;
	pthread_t thread;
	uint32_t link;
	uint8_t marker[24];
	char interface[64];
	uint64_t packets;
	atomic_bool stop;    /* the thread should end */
	atomic_bool arrived; /* the marker did */
	cmend_status status; /* the thread's own, read after it ended */
	cmend_error err;
	bool started;
};

static void destroy(struct cmi_live *l)
{
	if (!l)
		return;
	if (l->started) {
		atomic_store(&l->stop, true);
		pthread_join(l->thread, NULL);
	}
	if (l->pcap)
		cmi_pcap.close(l->pcap);
	if (l->writer && cmi_pcapng_close(l->writer, NULL) != CMEND_OK)
		l->writer = NULL;
	cmi_free(l);
}
CMI_DEFINE_CLEANUP(destroyp, struct cmi_live, destroy)

static cmend_status fail_pcap(
	struct cmi_live *l, const char *what, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot %s \"%s\": %s", what,
		l->interface, cmi_pcap.geterr(l->pcap));
}

/* Is it our own marker?  Every packet of it, since the loopback interface
 * shows it on its way out and in. */
static bool is_marker(struct cmi_live *l, const struct cmi_frame *frame)
{
	struct cmi_packet p;

	cmi_packet_decode(frame, &p);
	return p.kind == CMI_PACKET_UDP && p.to.port == MARKER_PORT &&
	       cmi_bytes_equal(p.payload,
		       (struct cmi_bytes){l->marker, sizeof(l->marker)});
}

static void take_packet(
	u_char *ctx, const struct pcap_pkthdr *h, const u_char *data)
{
	struct cmi_live *l = (struct cmi_live *)(void *)ctx;
	const struct cmi_frame frame = {
		.data = {data, h->caplen},
		.length = h->len,
		.link = l->link,
	};

	if (is_marker(l, &frame)) {
		atomic_store(&l->arrived, true);
		return;
	}
	if (l->status)
		return;
	l->packets++;
	l->status = cmi_pcapng_packet(l->writer,
		(int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec, frame.data,
		frame.length, NULL, &l->err);
}

static void pause_ms(long ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static void *run(void *ctx)
{
	struct cmi_live *l = ctx;
	int n;

	for (;;) {
		bool last = atomic_load(&l->stop);

		n = cmi_pcap.dispatch(
			l->pcap, -1, take_packet, (u_char *)(void *)l);
		if (n < 0 && !l->status)
			l->status = fail_pcap(l, "capture on", &l->err);
		if (n < 0 || (last && n == 0))
			return NULL;
		if (n == 0)
			pause_ms(1);
	}
}

cmend_status cmi_live_start(const char *interface, const char *path,
	struct cmi_live **out, cmend_error *err)
{
	CMI_AUTO(destroyp) struct cmi_live *l = cmi_alloc(sizeof(*l));
	int r;

	if (!l)
		return cmi_nomem(err);
	snprintf(l->interface, sizeof(l->interface), "%s", interface);
	CMI_TRY(cmi_random(NULL, l->marker, sizeof(l->marker)));
	CMI_TRY(cmi_live_open(interface, NULL, &l->pcap, err));
	l->link = (uint32_t)cmi_pcap.datalink(l->pcap);
	/* What libpcap calls Ethernet or cooked is so called in files too. */
	CMI_TRY(cmi_pcapng_create(path, (uint16_t)l->link,
		"chainmend " CMI_VERSION, &l->writer, err));
	r = pthread_create(&l->thread, NULL, run, l);
	if (r)
		return cmi_fail(err, CMEND_NOMEM, "cannot start a thread: %s",
			strerror(r));
	l->started = true;
	*out = CMI_TAKE(l);
	return CMEND_OK;
}

static bool send_marker(const struct cmi_live *l)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(MARKER_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool sent;

	if (fd < 0)
		return false;
	sent = sendto(fd, l->marker, sizeof(l->marker), 0,
		       (const struct sockaddr *)&to,
		       sizeof(to)) == sizeof(l->marker);
	close(fd);
	return sent;
}

/* Everything sent before has been seen once the marker was.  On another
 * interface than the loopback it never comes: the wait ends by itself. */
static void wait_for_marker(struct cmi_live *l)
{
	int64_t until = cmi_mono_ms(NULL) + MARKER_WAIT_MS;

	if (strcmp(l->interface, "lo") != 0 &&
		strcmp(l->interface, "any") != 0) {
		pause_ms(2L * CMI_LIVE_POLL_MS);
		return;
	}
	if (!send_marker(l))
		return;
	while (!atomic_load(&l->arrived) && cmi_mono_ms(NULL) < until)
		pause_ms(1);
}

cmend_status cmi_live_stop(
	struct cmi_live *l, struct cmi_live_stats *stats, cmend_error *err)
{
	CMI_AUTO(destroyp) struct cmi_live *own = l;
	struct pcap_stat kernel = {0};
	cmend_status status;

	wait_for_marker(own);
	atomic_store(&own->stop, true);
	pthread_join(own->thread, NULL);
	own->started = false;
	(void)cmi_pcap.stats(own->pcap, &kernel);
	if (stats)
		*stats = (struct cmi_live_stats){
			.packets = own->packets,
			.dropped = kernel.ps_drop,
		};
	status = cmi_pcapng_close(
		CMI_TAKE(own->writer), own->status ? NULL : err);
	if (own->status)
		return cmi_fail(err, own->status, "%s", own->err.message);
	return status;
}
