/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of targets of watch -f.  Oracle: names are unique and safe to
 * print, every target is one that check would take, and a list written out
 * from what was read is read as the same list.
 */
#include "fuzz.h"

#include <string.h>

#include "cli/monitor_targets.h"
#include "core/buf.h"

static const char *const profiles[] = {"plain"};

static void check_target(
	const struct cmi_watch_list *l, const struct cmi_watched *w)
{
	struct cmi_target t;

	FUZZ_CHECK(cmi_watch_list_find(l, w->name) == w);
	for (const char *c = w->name; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c < 0x7f);
	FUZZ_CHECK(cmi_target_parse(w->target.text, 1, &t, NULL) == CMEND_OK);
	FUZZ_CHECK(t.port == w->target.port &&
		   strcmp(t.host, w->target.host) == 0);
	FUZZ_CHECK(w->host && w->n_opinions == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_watch_list l, again;
	struct cmi_buf out;

	if (cmi_watch_list_parse((struct cmi_bytes){data, size}, "fuzz",
		    profiles, 1, &l, NULL) != CMEND_OK)
		return 0;
	cmi_buf_init(&out, (size_t)16 << 20);
	for (size_t i = 0; i < l.n; i++) {
		const struct cmi_watched *w = l.targets[i];

		check_target(&l, w);
		cmi_buf_printf(&out, "%s", w->target.text);
		if (w->starttls)
			cmi_buf_printf(&out, " starttls=%s", w->starttls);
		if (w->sni[0])
			cmi_buf_printf(&out, " sni=%s", w->sni);
		cmi_buf_text(&out, "\n");
	}
	FUZZ_CHECK(cmi_watch_list_parse(cmi_buf_view(&out), "again", profiles,
			   1, &again, NULL) == CMEND_OK);
	FUZZ_CHECK(again.n == l.n);
	for (size_t i = 0; i < l.n; i++)
		FUZZ_CHECK(strcmp(again.targets[i]->name, l.targets[i]->name) ==
			   0);
	cmi_watch_list_dispose(&again);
	cmi_watch_list_dispose(&l);
	cmi_buf_dispose(&out);
	return 0;
}
