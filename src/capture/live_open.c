/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/live_open.h"

#include <pcap/pcap.h>

#include "core/limits.h"

/* Room in the kernel for what arrives while the disk is slow.  Not in
 * "immediate mode": there every packet takes a place of the largest size, and
 * 16 MiB hold sixty-four of them; here they are packed, and given out after
 * CMI_LIVE_POLL_MS. */
#define KERNEL_BUFFER (16 << 20)

static void close_pcap(pcap_t *p)
{
	if (p)
		pcap_close(p);
}
CMI_DEFINE_CLEANUP(close_pcapp, pcap_t, close_pcap)

static cmend_status fail_pcap(
	pcap_t *p, const char *interface, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot capture on \"%s\": %s",
		interface, pcap_geterr(p));
}

static cmend_status set_filter(pcap_t *p, const char *filter, cmend_error *err)
{
	struct bpf_program program;
	int r;

	if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return cmi_fail(err, CMEND_ARG, "capture filter \"%s\": %s",
			filter, pcap_geterr(p));
	r = pcap_setfilter(p, &program);
	pcap_freecode(&program);
	if (r < 0)
		return cmi_fail(err, CMEND_ARG, "capture filter \"%s\": %s",
			filter, pcap_geterr(p));
	return CMEND_OK;
}

cmend_status cmi_live_open(const char *interface, const char *filter,
	struct pcap **out, cmend_error *err)
{
	char says[PCAP_ERRBUF_SIZE] = "";
	CMI_AUTO(close_pcapp) pcap_t *p = pcap_create(interface, says);
	int r;

	if (!p)
		return cmi_fail(err, CMEND_IO, "cannot capture on \"%s\": %s",
			interface, says);
	if (pcap_set_snaplen(p, (int)CMI_PACKET_MAX) ||
		pcap_set_buffer_size(p, KERNEL_BUFFER) ||
		pcap_set_timeout(p, CMI_LIVE_POLL_MS))
		return fail_pcap(p, interface, err);
	r = pcap_activate(p);
	if (r == PCAP_ERROR_PERM_DENIED)
		return cmi_fail(err, CMEND_REFUSED,
			"no right to capture on \"%s\": run as root, or in a "
			"network namespace of your own",
			interface);
	if (r < 0 || pcap_setnonblock(p, 1, says) < 0)
		return fail_pcap(p, interface, err);
	if (filter)
		CMI_TRY(set_filter(p, filter, err));
	*out = CMI_TAKE(p);
	return CMEND_OK;
}
