/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items written down: text for people, NDJSON for programs, HTML for both
 * and for the archive.  All three read the same items.
 */
#ifndef CMI_REPORT_REPORT_H
#define CMI_REPORT_REPORT_H

#include <stdio.h>

#include "core/cursor.h"
#include "explain/item.h"

struct cmi_report_style {
	bool color;
	bool verbose; /* explanations of findings in full, certificates too */
	bool quiet;   /* one line a handshake */
	bool ways;    /* quiet: and what other ways of asking brought */
};

/* Append one item as text; nothing for kinds that text leaves out. */
void cmi_report_text(struct cmi_buf *out, const struct cmi_item *item,
	const struct cmi_report_style *style);
/* Append one item as one line of JSON with its line feed. */
void cmi_report_json(struct cmi_buf *out, const struct cmi_item *item);

/* What was written before and comes again hundreds of times in one capture:
 * the beginnings of lines, and what is said of a certificate.  Zeroed at
 * first.  Longer texts than these are written anew. */
#define CMI_JSON_NAMES 256
struct cmi_json_names {
	uint8_t sha256[CMI_SHA256_LEN];
	size_t n; /* 0: none */
	char text[472];
};
struct cmi_json_head {
	size_t n; /* 0: none */
	char text[512];
	char capture[256]; /* whose name stands in it */
};
struct cmi_json_kept {
	struct cmi_json_names names[CMI_JSON_NAMES];
	struct cmi_json_head head[CMI_ITEM_SUMMARY + 1]; /* by kind */
};
/* As cmi_report_json; kept may be NULL. */
void cmi_report_json_again(struct cmi_buf *out, const struct cmi_item *item,
	struct cmi_json_kept *kept);

/* A page that collects items and is written whole at the end. */
struct cmi_page;
struct cmi_page_options {
	const char *command;      /* "explain", "compare": chooses the shape */
	const char *title;        /* or NULL: made from what was found */
	const char *const *names; /* captures or targets looked at */
	size_t n_names;
	int64_t made_at_s; /* printed in the footer; 0: left out */
};
cmend_status cmi_page_new(const struct cmi_page_options *options,
	struct cmi_page **out, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_page_take(struct cmi_page *p, const struct cmi_item *item,
	cmend_error *err) __attribute__((warn_unused_result));
/* Something that could not be read: a page of captures says so.  NULL: it is
 * counted. */
#define CMI_PAGE_LOSSES_MAX 16u
void cmi_page_loss(struct cmi_page *p, const char *says);

/* What a page of captures holds so far, for another one to go on with: what is
 * small, appended to head, and its sections, a view that later ones only add
 * to.  And into a new page, from bytes that nobody vouches for: CMEND_PARSE
 * where they are not such. */
void cmi_page_save(const struct cmi_page *p, struct cmi_buf *head,
	struct cmi_bytes *sections);
cmend_status cmi_page_load(struct cmi_page *p, struct cmi_cursor *head,
	struct cmi_bytes sections, cmend_error *err)
	__attribute__((warn_unused_result));
/* The finished page; a view valid until cmi_page_free. */
cmend_status cmi_page_finish(struct cmi_page *p, struct cmi_bytes *html,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_page_free(struct cmi_page *p);

/* Memory that whole items may be written into, instead of a stream. */
struct cmi_report_place {
	/* Room for *n bytes; NULL: none now, write to the stream. */
	uint8_t *(*room)(void *ctx, size_t *n);
	void (*used)(void *ctx, size_t n);
	void *ctx;
};

/* A sink that writes each item to a stream at once and, if wanted, collects
 * it for a page too. */
struct cmi_report {
	FILE *out; /* NULL: nothing as it comes */
	bool json; /* else text */
	struct cmi_report_style style;
	struct cmi_page *page;         /* NULL: none; borrowed */
	struct cmi_report_place place; /* .room NULL: none */
	struct cmi_buf line;           /* zeroed by the caller's initialiser */
	struct cmi_json_kept *kept;    /* NULL until the first line of JSON */
};
void cmi_report_init(struct cmi_report *r, FILE *out, bool json);
struct cmi_item_sink cmi_report_sink(struct cmi_report *r);
void cmi_report_dispose(struct cmi_report *r);

#endif
