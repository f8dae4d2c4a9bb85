/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain as a drawing: the root above, the server's certificate below, and
 * every link between them either found or broken.
 */
#include <stdio.h>

#include "core/text.h"
#include "report/page_private.h"

/* The drawing's own units, which are CSS pixels at full width. */
#define WIDTH          720
#define LEFT           12
#define BOX            64 /* height of a certificate */
#define GAP            50 /* and between two */
#define STEM           56 /* where the links run */
#define NAME_MAX_SHOWN 44
#define LINE_MAX_SHOWN 70
/* Sent certificates on no path that are drawn; all are listed below. */
#define BESIDE_MAX 8

struct drawing {
	struct cmi_buf *out;
	const struct cmi_item_endpoint *e;
	int y;
	bool last_broken; /* the link to what stands above */
};

/* A malformed one stands for itself. */
static size_t count_beside(const struct cmi_item_endpoint *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_sent; i++)
		n += !e->sent[i].cert ||
		     !cmi_endpoint_on_path(e, e->sent[i].cert);
	return n < BESIDE_MAX ? n : BESIDE_MAX;
}

static const char *known_from(enum cmi_origin o)
{
	static const char *const words[] = {
		[CMI_FROM_SENT] = "sent",
		[CMI_FROM_CACHE] = "not sent; known from the cache",
		[CMI_FROM_PRELOAD] = "not sent; known from the preload",
		[CMI_FROM_AIA] = "not sent; fetched from the CA",
		[CMI_FROM_PORT80] = "not sent; fetched from port 80",
		[CMI_FROM_FILE] = "not sent; from the file given",
		[CMI_FROM_ANCHOR] = "trusted root",
	};

	return (size_t)o < CMI_LEN(words) ? words[o] : "not sent";
}

/* "RSA 2048 · until 2030-01-31". */
static void cert_line(char *line, size_t n, const struct cmi_cert *c)
{
	char day[CMI_TIME_TEXT];

	cmi_time_s(day, c->not_after_s);
	if (c->key_type)
		snprintf(line, n, "%s %u  \xc2\xb7  until %.10s", c->key_type,
			c->key_bits, day);
	else
		snprintf(line, n, "until %.10s", day);
}

static void box(struct drawing *d, const char *class_name, const char *name,
	const char *line, const char *chip)
{
	struct cmi_buf *out = d->out;

	cmi_buf_printf(out, "<g class=\"cert %s\"><title>", class_name);
	cmi_page_text(out, name);
	cmi_buf_text(out, " (");
	cmi_page_text(out, chip);
	cmi_buf_printf(out,
		")</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
		"rx=\"10\"/>",
		LEFT, d->y, WIDTH - 2 * LEFT, BOX);
	cmi_page_label(out, "name", LEFT + 18, d->y + 27, name, NAME_MAX_SHOWN);
	cmi_page_label(out, "sub", LEFT + 18, d->y + 48, line, LINE_MAX_SHOWN);
	cmi_page_label(out, "chip", WIDTH - LEFT - 18, d->y + 37, chip, 40);
	cmi_buf_text(out, "</g>\n");
	d->y += BOX;
}

/* Between a certificate and its issuer above. */
static void link_up(struct drawing *d, bool broken, const char *words)
{
	int from = d->y, to = d->y + GAP;

	cmi_buf_printf(d->out,
		"<g class=\"link %s\"><line x1=\"%d\" y1=\"%d\" x2=\"%d\" "
		"y2=\"%d\"/>",
		broken ? "broken" : "whole", STEM, from, STEM, to);
	if (broken)
		cmi_buf_printf(d->out,
			"<circle cx=\"%d\" cy=\"%d\" r=\"10\"/><path d=\"M%d "
			"%dl8 8m0 -8l-8 8\"/>",
			STEM, from + GAP / 2, STEM - 4, from + GAP / 2 - 4);
	cmi_page_label(
		d->out, "words", STEM + 22, from + GAP / 2 + 5, words, 80);
	cmi_buf_text(d->out, "</g>\n");
	d->y = to;
}

static void path_cert(struct drawing *d, size_t i)
{
	const struct cmi_path *path = d->e->path;
	const struct cmi_cert *c = path->certs[i];
	bool anchor = d->e->path_has_anchor && i + 1 == path->n;
	size_t place = cmi_endpoint_sent_place(d->e, c);
	char line[160], chip[60];
	bool expired = c->not_after_s * 1000000 < d->e->at_us;

	cert_line(line, sizeof(line), c);
	if (anchor)
		snprintf(chip, sizeof(chip), "trusted root%s",
			place ? ", sent for nothing" : "");
	else if (place)
		snprintf(chip, sizeof(chip), "%ssent, number %zu",
			expired ? "expired; " : "", place);
	else
		snprintf(
			chip, sizeof(chip), "%s", known_from(path->origins[i]));
	box(d,
		anchor    ? "anchor"
		: expired ? "bad"
		: place   ? "sent"
			  : "missing",
		cmi_page_name(c), line, chip);
}

/* Can a client that has only what is sent go from here to the issuer? */
static void link_to(struct drawing *d, size_t upper)
{
	const struct cmi_path *path = d->e->path;
	bool anchor = d->e->path_has_anchor && upper + 1 == path->n;
	bool there =
		anchor || cmi_endpoint_sent_place(d->e, path->certs[upper]);

	link_up(d, !there,
		there ? "issued by"
		      : "missing: a client that has no copy of the issuer "
			"stops here");
}

static void path_boxes(struct drawing *d)
{
	const struct cmi_path *path = d->e->path;
	const struct cmi_cert *top = path->certs[path->n - 1];

	if (!d->e->path_has_anchor) {
		box(d, "missing",
			top->self_issued ? "a root that this client trusts"
					 : top->issuer,
			top->self_issued ? "this one is not among them"
					 : "nobody sent or knows it",
			"not found");
		link_up(d, true, "the path ends here");
	}
	for (size_t i = path->n; i-- > 0;) {
		path_cert(d, i);
		if (i)
			/* Drawn downwards: the link of the one below. */
			link_to(d, i);
	}
}

static void beside(struct drawing *d, size_t n)
{
	char line[160];

	if (!n)
		return;
	d->y += 34;
	cmi_page_label(d->out, "words", LEFT + 4, d->y - 10,
		"sent as well, and on no path", 60);
	for (size_t i = 0; n && i < d->e->n_sent; i++) {
		const struct cmi_cert *c = d->e->sent[i].cert;
		char chip[60];

		if (c && cmi_endpoint_on_path(d->e, c))
			continue;
		snprintf(chip, sizeof(chip), "sent, number %zu", i + 1);
		if (c)
			cert_line(line, sizeof(line), c);
		else if (d->e->sent[i].der.n)
			snprintf(line, sizeof(line), "%zu bytes",
				d->e->sent[i].der.n);
		else
			line[0] = 0;
		box(d, "beside",
			c ? cmi_page_name(c) : "a malformed certificate", line,
			chip);
		d->y += 10;
		n--;
	}
}

void cmi_page_chain_drawing(
	struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	struct drawing d = {.out = out, .e = e, .y = 6};
	size_t n = e->path ? e->path->n : 0, n_beside = count_beside(e);
	int height = 12;

	if (n && !e->path_has_anchor)
		n++;
	if (n)
		height += (int)n * (BOX + GAP) - GAP;
	if (n_beside)
		height += 34 + (int)n_beside * (BOX + 10);
	cmi_buf_printf(out,
		"<svg class=\"chain\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" role=\"img\"><title>The chain of ",
		WIDTH, height, WIDTH, height);
	cmi_page_text(out, e->target);
	cmi_buf_text(out, ", root above, server below</title>\n");
	if (n)
		path_boxes(&d);
	beside(&d, n_beside);
	cmi_buf_text(out, "</svg>\n");
}
