/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetcher of the tests finds under a URL. */
#ifndef CMI_TESTS_API_WEB_H
#define CMI_TESTS_API_WEB_H

#include "forge.h"

#include <chainmend/chainmend.h>

struct web_page {
	const char *url;
	const struct forged *gives;
};

static inline cmend_status web_answer(const struct web_page *web, size_t n,
	const char *url, cmend_answer *answer)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(web[i].url, url) == 0)
			return cmend_answer_append(
				answer, (cmend_bytes){web[i].gives->c->der.p,
						web[i].gives->c->der.n});
	return CMEND_NET;
}

#endif
