/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_lines.h"

#include "core/cursor.h"
#include "core/limits.h"

#define READ_AHEAD ((size_t)64 << 10)

void cmi_lines_init(struct cmi_lines *l)
{
	*l = (struct cmi_lines){0};
	cmi_buf_init(&l->text, CMI_FILE_MAX);
}

void cmi_lines_dispose(struct cmi_lines *l)
{
	cmi_buf_dispose(&l->text);
}

void cmi_lines_restart(struct cmi_lines *l)
{
	cmi_buf_clear(&l->text);
	l->at = 0;
}

bool cmi_lines_next(struct cmi_lines *l, FILE *f, struct cmi_bytes *line)
{
	for (;;) {
		struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&l->text));
		size_t got = 0;
		uint8_t *room;

		(void)cmi_cursor_skip(&c, l->at);
		if (cmi_cursor_line(&c, line)) {
			line->n = c.at - l->at;
			l->at = c.at;
			return true;
		}
		cmi_buf_consume(&l->text, l->at);
		l->at = 0;
		room = cmi_buf_reserve(&l->text, READ_AHEAD);
		if (room)
			got = fread(room, 1, READ_AHEAD, f);
		if (!got) {
			*line = cmi_buf_view(&l->text);
			l->at = line->n;
			return line->n > 0;
		}
		cmi_buf_used(&l->text, got);
	}
}
