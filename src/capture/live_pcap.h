/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpcap, loaded when the first interface is opened.
 *
 * It brings eight libraries with it (D-Bus and what that needs), which takes
 * the loader a fifth of the time that most commands need to start.
 */
#ifndef CMI_CAPTURE_LIVE_PCAP_H
#define CMI_CAPTURE_LIVE_PCAP_H

#include <pcap/pcap.h>

#include "core/error.h"

/* In functions that have pcap_ in front in libpcap. */
struct cmi_pcap {
	__typeof__(pcap_activate) *activate;
	__typeof__(pcap_close) *close;
	__typeof__(pcap_compile) *compile;
	__typeof__(pcap_create) *create;
	__typeof__(pcap_datalink) *datalink;
	__typeof__(pcap_dispatch) *dispatch;
	__typeof__(pcap_freecode) *freecode;
	__typeof__(pcap_get_selectable_fd) *get_selectable_fd;
	__typeof__(pcap_geterr) *geterr;
	__typeof__(pcap_set_buffer_size) *set_buffer_size;
	__typeof__(pcap_set_snaplen) *set_snaplen;
	__typeof__(pcap_set_timeout) *set_timeout;
	__typeof__(pcap_setfilter) *setfilter;
	__typeof__(pcap_setnonblock) *setnonblock;
	__typeof__(pcap_stats) *stats;
};

/* Valid once cmi_pcap_load succeeded; never changes again. */
extern struct cmi_pcap cmi_pcap;

/* Any thread, any number of times.  CMEND_UNSUPPORTED: there is no libpcap
 * here, and why. */
cmend_status cmi_pcap_load(cmend_error *err)
	__attribute__((warn_unused_result));

#endif
