/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when the first thing is fetched.
 *
 * It brings some thirty libraries with it, which takes the loader longer than
 * most of what this program does; and most of the time nothing is fetched.
 */
#ifndef CMI_ISSUERS_FETCH_CURL_H
#define CMI_ISSUERS_FETCH_CURL_H

#include <curl/curl.h>

#include "core/error.h"

/* CURLOPT_PROTOCOLS is deprecated since 7.85, its successor not in 7.81. */
#define CMI_CURL_NAMED_PROTOCOLS 0x075500
/* Of a handle: no protocol but this one, here and behind a redirect. */
#if LIBCURL_VERSION_NUM >= CMI_CURL_NAMED_PROTOCOLS
#define CMI_CURL_ONLY(handle, PROTOCOL)                                        \
	cmi_curl.easy_setopt(handle, CURLOPT_PROTOCOLS_STR, #PROTOCOL);        \
	cmi_curl.easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, #PROTOCOL)
#else
#define CMI_CURL_ONLY(handle, PROTOCOL)                                        \
	cmi_curl.easy_setopt(handle, CURLOPT_PROTOCOLS, CURLPROTO_##PROTOCOL); \
	cmi_curl.easy_setopt(                                                  \
		handle, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_##PROTOCOL)
#endif

/* In functions that have curl_ in front in libcurl. */
struct cmi_curl {
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_reset) *easy_reset;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_free) *free;
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_url) *url;
	__typeof__(curl_url_cleanup) *url_cleanup;
	__typeof__(curl_url_get) *url_get;
	__typeof__(curl_url_set) *url_set;
	__typeof__(curl_version_info) *version_info;
};

/* Valid once cmi_curl_load succeeded; never changes again. */
extern struct cmi_curl cmi_curl;

/* Any thread, any number of times.  CMEND_UNSUPPORTED: there is no libcurl
 * here, and why. */
cmend_status cmi_curl_load(cmend_error *err)
	__attribute__((warn_unused_result));

/* It will probably be wanted: load it in a thread, beside other work.  Whoever
 * wants it then waits for the rest.  cmi_curl_settle must come before exit(3),
 * which takes from under it what libcurl makes use of; both are for one thread,
 * that of main. */
void cmi_curl_foresee(void);
void cmi_curl_settle(void);

#endif
