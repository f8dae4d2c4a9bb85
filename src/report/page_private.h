/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the parts of the HTML page; nobody else includes it.
 */
#ifndef CMI_REPORT_PAGE_PRIVATE_H
#define CMI_REPORT_PAGE_PRIVATE_H

#include "core/arena.h"
#include "report/page_groups.h"
#include "report/report.h"

/* The style sheet, light and dark, screen and paper. */
extern const char cmi_page_style[];

/* One rung as the drawing needs it; texts in the page's arena. */
struct cmi_page_step {
	const char *text[2], *note;
	uint64_t frame[2];
	uint8_t from, to;
	bool diverges, consequence;
	enum cmi_severity tone;
};

/* Escaped text; NULL writes nothing. */
void cmi_page_text(struct cmi_buf *out, const char *text);
/* The drawing of one side (0 good, 1 bad) as an <svg>; both sides of the same
 * steps have the same height, row by row. */
void cmi_page_ladder(struct cmi_buf *out, const struct cmi_page_step *steps,
	size_t n, unsigned side, const char *title);
/* An SVG <text> of that class, cut to so many characters; the whole belongs
 * into a <title> near it. */
void cmi_page_label(struct cmi_buf *out, const char *class_name, int x, int y,
	const char *text, size_t most);
/* What people call a certificate. */
const char *cmi_page_name(const struct cmi_cert *c);

/* Of one endpoint's clients. */
struct cmi_page_clients {
	size_t accept, refuse, unknown;
};
void cmi_page_count(
	const struct cmi_item_endpoint *e, struct cmi_page_clients *n);
struct cmi_page {
	struct cmi_page_options o;
	struct cmi_arena arena;
	struct cmi_page_step *steps;
	size_t n_steps, steps_cap;
	/* Parts, rendered as their items come. */
	struct cmi_buf short_, symptoms, applies, cause, resolution, workaround,
		certs, evidence, sections, index_bad, index, out;
	const char *headline, *verdict, *cause_id;
	bool is_bad, has_summary;
	struct cmi_item_summary summary;
	size_t n_sections, left_out;
	size_t n_endpoints, n_bad_endpoints, n_none_endpoints;
	struct cmi_page_clients clients;
	struct cmi_page_groups groups;
	/* What could not be read, and how many such there are. */
	struct cmi_buf losses;
	size_t n_losses;
	/* What devices say of themselves; those failed that count. */
	struct cmi_buf told;
	size_t n_told, n_told_drawn, n_told_failed;
	const char *first_target;
	const char *names[2];
};

/* An endpoint as a section, number its anchor; and its line in the index, 0
 * for one that has no section. */
void cmi_page_endpoint(
	struct cmi_buf *out, const struct cmi_item_endpoint *e, size_t number);
void cmi_page_index_row(
	struct cmi_buf *out, const struct cmi_item_endpoint *e, size_t number);
/* Its drawings, as <svg>. */
void cmi_page_chain_drawing(
	struct cmi_buf *out, const struct cmi_item_endpoint *e);
void cmi_page_expiry_drawing(
	struct cmi_buf *out, const struct cmi_item_endpoint *e);
/* One certificate as <details>. */
void cmi_page_cert(struct cmi_buf *out, const struct cmi_cert *c,
	const char *role, uint64_t frame);
/* The path as a row of boxes, and every certificate below it; absent says
 * what is to be said of one that was not sent. */
void cmi_page_chain(struct cmi_buf *out, const struct cmi_item_handshake *h);
void cmi_page_sent(struct cmi_buf *out, const struct cmi_item_cert *certs,
	size_t n, const struct cmi_path *path, bool path_has_anchor,
	const char *absent);
/* Only the certificates, without the row of boxes. */
void cmi_page_cert_list(struct cmi_buf *out, const struct cmi_item_cert *certs,
	size_t n, const struct cmi_path *path, bool path_has_anchor,
	const char *absent);
/* What a device said of itself: one row, and the section around all of them
 * (nothing where there are none). */
void cmi_page_told(struct cmi_buf *out, const struct cmi_item_told *t);
void cmi_page_told_section(
	struct cmi_buf *out, const struct cmi_buf *rows, size_t left_out);
void cmi_page_findings(
	struct cmi_buf *out, const struct cmi_finding *f, size_t n);

#endif
