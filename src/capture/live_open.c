/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/live_open.h"

#include "capture/live_pcap.h"
#include "core/limits.h"

/* Room in the kernel for what arrives while the disk is slow.  Not in
 * "immediate mode": there every packet takes a place of the largest size, and
 * 16 MiB hold sixty-four of them; here they are packed, and given out after
 * CMI_LIVE_POLL_MS. */
#define KERNEL_BUFFER (16 << 20)

static void close_pcap(pcap_t *p)
{
	if (p)
		cmi_pcap.close(p);
}
CMI_DEFINE_CLEANUP(close_pcapp, pcap_t, close_pcap)

static cmend_status fail_pcap(
	pcap_t *p, const char *interface, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot capture on \"%s\": %s",
		interface, cmi_pcap.geterr(p));
}

static cmend_status set_filter(pcap_t *p, const char *filter, cmend_error *err)
{
	struct bpf_program program;
	int r;

	if (cmi_pcap.compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return cmi_fail(err, CMEND_ARG, "capture filter \"%s\": %s",
			filter, cmi_pcap.geterr(p));
	r = cmi_pcap.setfilter(p, &program);
	cmi_pcap.freecode(&program);
	if (r < 0)
		return cmi_fail(err, CMEND_ARG, "capture filter \"%s\": %s",
			filter, cmi_pcap.geterr(p));
	return CMEND_OK;
}

cmend_status cmi_live_open(const char *interface, const char *filter,
	struct pcap **out, cmend_error *err)
{
	char says[PCAP_ERRBUF_SIZE] = "";
	CMI_AUTO(close_pcapp) pcap_t *p = NULL;
	int r;

	CMI_TRY(cmi_pcap_load(err));
	p = cmi_pcap.create(interface, says);
	if (!p)
		return cmi_fail(err, CMEND_IO, "cannot capture on \"%s\": %s",
			interface, says);
	if (cmi_pcap.set_snaplen(p, (int)CMI_PACKET_MAX) ||
		cmi_pcap.set_buffer_size(p, KERNEL_BUFFER) ||
		cmi_pcap.set_timeout(p, CMI_LIVE_POLL_MS))
		return fail_pcap(p, interface, err);
	r = cmi_pcap.activate(p);
	if (r == PCAP_ERROR_PERM_DENIED)
		return cmi_fail(err, CMEND_REFUSED,
			"no right to capture on \"%s\": run as root, or in a "
			"network namespace of your own",
			interface);
	if (r < 0 || cmi_pcap.setnonblock(p, 1, says) < 0)
		return fail_pcap(p, interface, err);
	if (filter)
		CMI_TRY(set_filter(p, filter, err));
	*out = CMI_TAKE(p);
	return CMEND_OK;
}
