/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/fetch_curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/mem.h"

/* By the name of its interface, which has stood since 2006. */
#define LIBCURL "libcurl.so.4"

struct cmi_curl cmi_curl;
static char trouble[200];
static bool starved; /* that is the trouble */

/* Not by the macros that libcurl's header lays over some of them. */
#define FIND(name) (*(void **)&cmi_curl.name = dlsym(handle, "curl_" #name))

/* An older one than the header would pass over options that it does not
 * know, the limits on protocols among them. */
static bool knows_our_options(void)
{
	const curl_version_info_data *v =
		cmi_curl.version_info(CURLVERSION_NOW);

	return LIBCURL_VERSION_NUM < CMI_CURL_NAMED_PROTOCOLS ||
	       v->version_num >= CMI_CURL_NAMED_PROTOCOLS;
}

static void load(void)
{
	const char *why;
	void *handle;

	/* Never closed: its threads and tables live as long as the process. */
	errno = 0;
	handle = dlopen(LIBCURL, RTLD_LAZY | RTLD_LOCAL);
	starved = !handle && errno == ENOMEM;
	why = handle ? NULL : dlerror();
	if (handle && FIND(easy_cleanup) && FIND(easy_getinfo) &&
		FIND(easy_init) && FIND(easy_perform) && FIND(easy_reset) &&
		FIND(easy_setopt) && FIND(easy_strerror) && FIND(free) &&
		FIND(global_init) && FIND(slist_append) &&
		FIND(slist_free_all) && FIND(url) && FIND(url_cleanup) &&
		FIND(url_get) && FIND(url_set) && FIND(version_info) &&
		knows_our_options())
		cmi_curl.global_init(CURL_GLOBAL_DEFAULT);
	else
		snprintf(trouble, sizeof(trouble), "%s",
			why ? why : LIBCURL " is too old");
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Of the thread that asks for it ahead of time. */
static pthread_t aside;
static bool loads_aside;

static void *load_aside(void *unused)
{
	(void)unused;
	pthread_once(&once, load);
	return NULL;
}

void cmi_curl_foresee(void)
{
	sigset_t all, before;

	if (loads_aside)
		return;
	/* Signals are the other threads' business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	loads_aside = pthread_create(&aside, NULL, load_aside, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void cmi_curl_settle(void)
{
	if (loads_aside)
		pthread_join(aside, NULL);
	loads_aside = false;
}

cmend_status cmi_curl_load(cmend_error *err)
{
	pthread_once(&once, load);
	if (starved)
		return cmi_nomem(err);
	return trouble[0] ? cmi_fail(err, CMEND_UNSUPPORTED,
				    "nothing can be fetched: %s", trouble)
			  : CMEND_OK;
}
