/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cursor.h"

#include <string.h>

bool cmi_cursor_until(struct cmi_cursor *c, uint8_t stop, struct cmi_bytes *out)
{
	const uint8_t *hit = c->n ? memchr(c->p, stop, c->n) : NULL;
	size_t n;

	if (!hit)
		return false;
	n = (size_t)(hit - c->p);
	*out = (struct cmi_bytes){c->p, n};
	return cmi_cursor_skip(c, n + 1);
}

bool cmi_cursor_line(struct cmi_cursor *c, struct cmi_bytes *out)
{
	struct cmi_bytes line;

	if (!cmi_cursor_until(c, '\n', &line))
		return false;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	*out = line;
	return true;
}

bool cmi_cursor_peek(const struct cmi_cursor *c, size_t ahead, uint8_t *out)
{
	if (ahead >= c->n)
		return false;
	*out = c->p[ahead];
	return true;
}
