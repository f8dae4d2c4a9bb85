/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words check, mend and show take: an endpoint to dial, or a file.  Both
 * become one thing: certificates in the order in which they are sent.
 */
#ifndef CMI_CLI_GATHER_H
#define CMI_CLI_GATHER_H

#include <arpa/inet.h>

#include "cli/cli.h"
#include "probe/examine.h"
#include "probe/starttls.h"
#include "probe/variants.h"

/* Options of these commands; the first member of their option structs. */
struct cmi_gather_options {
	const char *starttls, *sni, *host, *proxy, *proxy_password_file;
	uint64_t port, timeout_s;
	bool v4, v6;
	/* What a command sets itself. */
	const char *cert_file, *key_file; /* as in cmi_dial_options */
	bool look;
	bool variants; /* ask in other ways too, where another chain may come */
	bool old;      /* and as clients do that know no TLS 1.2 */
	struct cmi_proxy via; /* from cmi_gather_prepare */
};

/* Rows for their option tables, whose struct has the member `gather`. */
#define CMI_GATHER_ROW(type, field) offsetof(type, gather.field)
/* Of watch, too. */
#define CMI_GATHER_PROXY_ROWS(type)                                            \
	{"proxy", 0, CMI_OPT_TEXT, "URL",                                      \
		"go through http:// or socks5://[USER@]HOST:PORT",             \
		CMI_GATHER_ROW(type, proxy), 0, NULL},                         \
	{                                                                      \
		"proxy-password-file", 0, CMI_OPT_TEXT, "FILE",                \
			"its first line; without it the terminal is asked",    \
			CMI_GATHER_ROW(type, proxy_password_file), 0, NULL     \
	}
#define CMI_GATHER_FAMILY_ROWS(type)                                           \
	{"ipv4", '4', CMI_OPT_FLAG, NULL, "IPv4 addresses only",               \
		CMI_GATHER_ROW(type, v4), 0, NULL},                            \
	{                                                                      \
		"ipv6", '6', CMI_OPT_FLAG, NULL, "IPv6 addresses only",        \
			CMI_GATHER_ROW(type, v6), 0, NULL                      \
	}
#define CMI_GATHER_OPTIONS(type)                                               \
	{"starttls", 0, CMI_OPT_TEXT, "PROTOCOL",                              \
		"begin in plain: smtp, imap, pop3, ftp, ldap ...",             \
		CMI_GATHER_ROW(type, starttls), 0, CMI_STARTTLS_CHOICES},      \
		{"sni", 0, CMI_OPT_TEXT, "NAME",                               \
			"server name to ask for; \"\" asks for none",          \
			CMI_GATHER_ROW(type, sni), 0, NULL},                   \
		{"host", 0, CMI_OPT_TEXT, "NAME",                              \
			"the certificate must be for this name",               \
			CMI_GATHER_ROW(type, host), 0, NULL},                  \
		{"port", 'p', CMI_OPT_UINT, "N",                               \
			"port where the target names none",                    \
			CMI_GATHER_ROW(type, port), 65535, NULL},              \
		CMI_GATHER_PROXY_ROWS(type),                                   \
		{"timeout", 't', CMI_OPT_UINT, "SECONDS",                      \
			"for one target, name to chain (default 10)",          \
			CMI_GATHER_ROW(type, timeout_s), 3600, NULL},          \
		CMI_GATHER_FAMILY_ROWS(type)

struct cmi_gathered {
	bool live;
	char name[CMI_NAME_MAX + 12]; /* "host:port" or the file, safe text */
	char address[CMI_ENDPOINT_TEXT]; /* or "" */
	char ip[INET6_ADDRSTRLEN];       /* the address alone; or "" */
	const char *host;         /* names are checked against it; or NULL */
	struct cmi_target target; /* live */
	struct cmi_dial dial;     /* live; the outcome in it */
	struct cmi_variants *variants; /* NULL: not asked */
	struct cmi_sent sent;          /* in order, NULL where malformed */
	struct cmi_cert_list list;     /* the well-formed ones */
};

/* Once before the first: reads --proxy and its password.  Finish wipes it. */
cmend_status cmi_gather_prepare(struct cmi_gather_options *options,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_gather_finish(struct cmi_gather_options *options);
/* The one to go through, filled in by cmi_gather_prepare; or NULL. */
const struct cmi_proxy *cmi_gather_proxy(
	const struct cmi_gather_options *options);

/* Files are words with a slash, "-", and names of regular files; all else is
 * an endpoint.  CMEND_OK also when an endpoint that spoke TLS sent no chain.
 * CMEND_ARG: the word is neither.  Dispose in any case. */
cmend_status cmi_gather(const char *word,
	const struct cmi_gather_options *options, struct cmi_gathered *out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_gathered_dispose(struct cmi_gathered *g);

/* Every address of the name, each with its own outcome in dial.status and
 * dial.err.  Free with cmi_gathered_free. */
cmend_status cmi_gather_addresses(const char *word,
	const struct cmi_gather_options *options, struct cmi_gathered **out,
	size_t *n, cmend_error *err) __attribute__((warn_unused_result));
void cmi_gathered_free(struct cmi_gathered *list, size_t n);
bool cmi_gather_is_file(const char *word);
/* 4, 6, or 0 for both. */
uint8_t cmi_gather_family(const struct cmi_gather_options *options);

#endif
