/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/text.h"
#include "report/page_private.h"

/* Geometry in the drawing's own units, which are CSS pixels at full width. */
#define WIDTH    520
#define TOP      40
#define ROW      44
#define X_FRAME  40
#define X_CLIENT 78
#define X_SERVER 262
#define X_ISSUER 446
/* Characters that fit on one label line, and in the drawing's full width. */
#define LABEL_MAX 66
#define BOLD_MAX  56

static int lane(uint8_t role)
{
	static const int x[] = {X_CLIENT, X_SERVER, X_ISSUER, X_ISSUER};

	return x[role & 3];
}

static bool uses_issuers(const struct cmi_page_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lane(steps[i].from) == X_ISSUER ||
			lane(steps[i].to) == X_ISSUER)
			return true;
	return false;
}

static void role_box(struct cmi_buf *out, int x, int height, const char *name)
{
	cmi_buf_printf(out,
		"<g class=\"role\"><rect x=\"%d\" y=\"2\" width=\"104\" "
		"height=\"24\" rx=\"6\"/><text x=\"%d\" y=\"18\">%s</text></g>"
		"<line class=\"lane\" x1=\"%d\" y1=\"26\" x2=\"%d\" y2=\"%d\"/>"
		"\n",
		x - 52, x, name, x, x, height);
}

/* A label cut to what fits; the whole stands in the rung's title. */
void cmi_page_label(struct cmi_buf *out, const char *class_name, int x, int y,
	const char *text, size_t most)
{
	struct cmi_bytes in = cmi_bytes_of(text);
	size_t n = 0, shown = 0, step;

	while (n < in.n && shown < most) {
		step = cmi_utf8_length(in.p + n, in.n - n);
		n += step ? step : 1;
		shown++;
	}
	cmi_buf_printf(
		out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class_name, x, y);
	if (n < in.n) {
		cmi_xml_text(out, (struct cmi_bytes){in.p, n > 3 ? n - 3 : n});
		cmi_buf_text(out, "\xe2\x80\xa6");
	} else {
		cmi_xml_text(out, in);
	}
	cmi_buf_text(out, "</text>");
}

static const char *role_name(uint8_t role)
{
	static const char *const names[] = {
		"client", "server", "issuers", "network"};

	return names[role & 3];
}

static void arrow(struct cmi_buf *out, int from, int to, int y)
{
	int tip = to > from ? to - 8 : to + 8;

	cmi_buf_printf(out,
		"<path class=\"arrow\" d=\"M%d %dH%d\"/>"
		"<path class=\"tip\" d=\"M%d %dL%d %dL%d %dZ\"/>",
		from, y, tip, to, y, tip, y - 5, tip, y + 5);
}

static void band(struct cmi_buf *out, int y, bool label_it)
{
	cmi_buf_printf(out,
		"<rect class=\"band\" x=\"2\" y=\"%d\" width=\"%d\" "
		"height=\"%d\" rx=\"6\"/>",
		y, WIDTH - 4, ROW - 2);
	if (label_it)
		cmi_buf_printf(out,
			"<text class=\"bandtext\" x=\"%d\" y=\"%d\" "
			"text-anchor=\"end\">here they part</text>",
			WIDTH - 10, y + 15);
}

/* Where this side does nothing and the other does something. */
static void ghost(struct cmi_buf *out, const struct cmi_page_step *s, int y)
{
	int a = lane(s->from), b = lane(s->to);

	if (s->diverges)
		band(out, y, true);
	cmi_buf_printf(out,
		"<g><title>not here</title><path class=\"ghost\" "
		"d=\"M%d %dH%d\"/><text class=\"ghosttext halo\" x=\"%d\" "
		"y=\"%d\">%s</text></g>\n",
		a < b ? a : b, y + 30, a < b ? b : a, (a < b ? a : b) + 10,
		y + 22, s->diverges ? "does not happen here" : "\xe2\x80\x94");
}

/* Steps of one side only stand out; errors do always. */
static const char *class_of(const struct cmi_page_step *s, unsigned side)
{
	bool alone = !s->text[!side];

	if (s->tone == CMI_SEVERITY_ERROR)
		return " err";
	if (alone && side == 0 && (s->diverges || s->consequence))
		return " only";
	return alone && side == 1 && s->diverges ? " err" : "";
}

static void rung(struct cmi_buf *out, const struct cmi_page_step *s,
	unsigned side, int y)
{
	int from = lane(s->from), to = lane(s->to);
	const char *class_name = class_of(s, side);

	if (s->diverges)
		band(out, y, true);
	cmi_buf_printf(out,
		"<g class=\"rung%s\" tabindex=\"0\" role=\"img\" "
		"aria-label=\"",
		class_name);
	if (s->frame[side])
		cmi_buf_printf(out, "frame %llu, ",
			(unsigned long long)s->frame[side]);
	cmi_buf_printf(out, "%s to %s: ", role_name(s->from), role_name(s->to));
	cmi_page_text(out, s->text[side]);
	cmi_buf_text(out, "\"><title>");
	cmi_page_text(out, s->text[side]);
	if (s->frame[side])
		cmi_buf_printf(out, " (frame %llu)",
			(unsigned long long)s->frame[side]);
	cmi_buf_printf(out,
		"</title><rect class=\"hit\" x=\"4\" y=\"%d\" width=\"%d\" "
		"height=\"%d\" rx=\"5\"/>",
		y + 2, WIDTH - 8, ROW - 6);
	if (s->frame[side])
		cmi_buf_printf(out,
			"<text class=\"frame\" x=\"%d\" y=\"%d\">%llu</text>",
			X_FRAME, y + 34, (unsigned long long)s->frame[side]);
	arrow(out, from, to, y + 30);
	cmi_page_label(out, "label halo", (from < to ? from : to) + 10, y + 20,
		s->text[side], *class_name ? BOLD_MAX : LABEL_MAX);
	cmi_buf_text(out, "</g>\n");
}

void cmi_page_ladder(struct cmi_buf *out, const struct cmi_page_step *steps,
	size_t n, unsigned side, const char *title)
{
	int height = TOP + (int)n * ROW + 6;
	bool issuers = uses_issuers(steps, n);

	cmi_buf_printf(out,
		"<svg viewBox=\"0 0 %d %d\" role=\"group\" "
		"aria-labelledby=\"lt%u ld%u\"><title id=\"lt%u\">",
		WIDTH, height, side, side, side);
	cmi_page_text(out, title);
	cmi_buf_printf(out,
		"</title><desc id=\"ld%u\">Who sent what to whom, from top to "
		"bottom; the same steps stand as a table below.</desc>\n",
		side);
	role_box(out, X_CLIENT, height, "client");
	role_box(out, X_SERVER, height, "server");
	if (issuers)
		role_box(out, X_ISSUER, height, "port 80, DNS");
	cmi_buf_printf(out,
		"<text class=\"frame\" x=\"%d\" y=\"36\">frame"
		"</text>\n",
		X_FRAME - 16);
	for (size_t i = 0; i < n; i++) {
		int y = TOP + (int)i * ROW;

		if (steps[i].text[side])
			rung(out, &steps[i], side, y);
		else
			ghost(out, &steps[i], y);
	}
	cmi_buf_text(out, "</svg>\n");
}
