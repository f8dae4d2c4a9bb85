/* SPDX-License-Identifier: Apache-2.0 */
/* Ask an endpoint for its chain and say who will refuse it, and why.
 * usage: probe TARGET ROOTS.pem [STARTTLS] */
#include <stdio.h>

#include <chainmend/chainmend.h>

static cmend_status tell(void *refused, const cmend_result *result)
{
	cmend_handshake h = {.size = sizeof(h)};
	cmend_finding f = {.size = sizeof(f)};
	cmend_client c = {.size = sizeof(c)};
	size_t at = 0;

	if (cmend_result_handshake(result, &h))
		return CMEND_OK;
	printf("%s at %s: %s\n", h.name, h.server,
		h.verdict ? h.verdict : "nothing fails");
	while (cmend_finding_next(result, &at, &f) == CMEND_OK)
		printf("  %s: %s\n", f.severity, f.says);
	for (at = 0; cmend_client_next(result, &at, &c) == CMEND_OK;)
		printf("  %s %s\n", c.profile,
			c.accepts   ? "accepts"
			: c.unknown ? "is not known well enough"
				    : c.why);
	*(int *)refused = h.verdict != NULL;
	return CMEND_OK;
}

int main(int argc, char **argv)
{
	cmend_probe_options probe = {.size = sizeof(probe),
		.target = argc > 1 ? argv[1] : NULL,
		.starttls = argc > 3 ? argv[3] : NULL};
	cmend_diagnosis_options how = {.size = sizeof(how), .found = tell};
	cmend_conversation *talk = NULL;
	cmend_diagnosis *diagnosis = NULL;
	cmend_trust *trust = NULL;
	cmend_error err = {0};
	int refused = 0;
	cmend_status status;

	if (argc < 3) {
		fputs("usage: probe TARGET ROOTS.pem [STARTTLS]\n", stderr);
		return 2;
	}
	if (cmend_trust_new(&trust, &err) ||
		cmend_trust_add_path(trust, argv[2], &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 2;
	}
	how.trust = trust;
	how.ctx = &refused;
	status = cmend_diagnosis_new(&how, &diagnosis, &err);
	if (!status)
		status = cmend_probe(&probe, &talk, &err);
	if (!status)
		status = cmend_diagnose(diagnosis, talk, &err);
	if (status)
		fprintf(stderr, "%s\n", err.message);
	cmend_conversation_free(talk);
	cmend_diagnosis_free(diagnosis);
	cmend_trust_free(trust);
	return status ? 3 : refused;
}
