/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/live_pcap.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#include "core/mem.h"

/* One interface, two names: Debian has kept an older one. */
static const char *const names[] = {"libpcap.so.0.8", "libpcap.so.1"};

struct cmi_pcap cmi_pcap;
static char trouble[200];

#define FIND(name) (*(void **)&cmi_pcap.name = dlsym(handle, "pcap_" #name))

static void load(void)
{
	void *handle = NULL;
	const char *why = NULL;

	/* Never closed: what it hands out lives as long as the process. */
	for (size_t i = 0; i < CMI_LEN(names) && !handle; i++) {
		handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		if (!handle && !why)
			why = dlerror();
	}
	if (handle && FIND(activate) && FIND(close) && FIND(compile) &&
		FIND(create) && FIND(datalink) && FIND(dispatch) &&
		FIND(freecode) && FIND(get_selectable_fd) && FIND(geterr) &&
		FIND(set_buffer_size) && FIND(set_snaplen) &&
		FIND(set_timeout) && FIND(setfilter) && FIND(setnonblock) &&
		FIND(stats))
		return;
	snprintf(trouble, sizeof(trouble), "%s",
		handle ? "libpcap is too old"
		: why  ? why
		       : "libpcap is not installed");
}

cmend_status cmi_pcap_load(cmend_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return trouble[0] ? cmi_fail(err, CMEND_UNSUPPORTED,
				    "no interface can be opened: %s", trouble)
			  : CMEND_OK;
}
