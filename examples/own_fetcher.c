/* SPDX-License-Identifier: Apache-2.0 */
/* A program that brings its own way to fetch: here a directory that mirrors
 * what would come over the network, one file for the last part of each URL.
 * usage: own_fetcher ROOTS.pem LEAF.der DIRECTORY */
#include <stdio.h>
#include <string.h>

#include <chainmend/chainmend.h>

/* Blocks for as long as it likes; its time and its addresses are its own
 * business.  Each block is copied. */
static cmend_status fetch(
	void *directory, const char *url, cmend_answer *answer)
{
	char path[4096];
	uint8_t block[4096];
	cmend_status status = CMEND_OK;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", (const char *)directory,
		strrchr(url, '/') + 1);
	f = fopen(path, "rb");
	if (!f)
		return CMEND_NET;
	printf("%s from %s\n", url, path);
	while (!status && (n = fread(block, 1, sizeof(block), f)) > 0)
		status = cmend_answer_append(answer, (cmend_bytes){block, n});
	fclose(f);
	return status;
}

int main(int argc, char **argv)
{
	static uint8_t der[65536];
	cmend_fetcher fetcher = {
		sizeof(fetcher), fetch, argc > 3 ? argv[3] : NULL};
	cmend_link link = {.size = sizeof(link)};
	cmend_trust *trust = NULL;
	cmend_job *job = NULL;
	cmend_error err = {0};
	int accepted = 0;
	FILE *f;

	if (argc < 4 || !(f = fopen(argv[2], "rb"))) {
		fputs("usage: own_fetcher ROOTS.pem LEAF.der DIRECTORY\n",
			stderr);
		return 2;
	}
	cmend_bytes leaf = {der, fread(der, 1, sizeof(der), f)};
	fclose(f);
	if (cmend_trust_new(&trust, &err) ||
		cmend_trust_add_path(trust, argv[1], &err) ||
		cmend_job_new(trust, &job, &err) ||
		cmend_job_use_fetcher(job, &fetcher, &err) ||
		cmend_complete(job, leaf, NULL, 0, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 2;
	}
	accepted = cmend_job_accepted(job);
	for (size_t i = 0; cmend_path_link(job, i, &link) == CMEND_OK; i++)
		printf("%-7s %s\n", cmend_origin_text(link.origin),
			link.subject);
	printf("%s\n", accepted ? "accepted" : cmend_job_says(job));
	cmend_job_free(job);
	cmend_trust_free(trust);
	return accepted ? 0 : 1;
}
