/* SPDX-License-Identifier: Apache-2.0 */
#include "core/nearest.h"

#include <string.h>

/* Longer words are not looked at: no command, option or profile is. */
#define WORD_MAX 40

struct cmi_nearest cmi_nearest_to(struct cmi_bytes word)
{
	return (struct cmi_nearest){.word = word};
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters put in, left out or taken for others, and neighbours that changed
 * places, each one slip.  Both are at most WORD_MAX long. */
static unsigned slips_between(struct cmi_bytes a, struct cmi_bytes b)
{
	unsigned rows[3][WORD_MAX + 1];

	for (unsigned k = 0; k <= b.n; k++)
		rows[0][k] = k;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const unsigned *two = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned k = 1; k <= b.n; k++) {
			row[k] = above[k - 1] + (a.p[i - 1] != b.p[k - 1]);
			row[k] = least(row[k], row[k - 1] + 1);
			row[k] = least(row[k], above[k] + 1);
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] &&
				a.p[i - 2] == b.p[k - 1])
				row[k] = least(row[k], two[k - 2] + 1);
		}
	}
	return rows[a.n % 3][b.n];
}

void cmi_nearest_offer(struct cmi_nearest *n, const char *name)
{
	struct cmi_bytes other = cmi_bytes_of(name);
	unsigned slips, most = n->word.n < 4 ? 1 : n->word.n < 9 ? 2 : 3;

	if (n->word.n < 2 || n->word.n > WORD_MAX || other.n > WORD_MAX)
		return;
	slips = slips_between(n->word, other);
	/* The beginning of a name is as good as one slip. */
	if (n->word.n >= 3 && other.n > n->word.n &&
		memcmp(other.p, n->word.p, n->word.n) == 0)
		slips = 1;
	if (slips > most || (n->best && slips >= n->slips))
		return;
	n->best = name;
	n->slips = slips;
}
