/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/target_line.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "probe/starttls.h"

struct cmi_bytes cmi_target_line_text(struct cmi_bytes line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' &&
			(!i || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			line.n = i;
	return cmi_text_trim(line);
}

/* The next word of the line; false where there is none or it is too long. */
static bool next_word(struct cmi_bytes *left, char *out, size_t n_out)
{
	size_t n = 0;

	*left = cmi_text_trim(*left);
	while (n < left->n && left->p[n] != ' ' && left->p[n] != '\t')
		n++;
	if (!n || n >= n_out)
		return false;
	memcpy(out, left->p, n);
	out[n] = 0;
	left->p += n;
	left->n -= n;
	return true;
}

static cmend_status take_protocol(
	const char *word, struct cmi_target_line *out, cmend_error *err)
{
	char safe[80];

	out->starttls = cmi_starttls_protocol(word);
	if (out->starttls)
		return CMEND_OK;
	return cmi_fail(err, CMEND_PARSE, "\"starttls=%s\": it can be %s",
		cmi_safe_cstr(safe, sizeof(safe), cmi_bytes_of(word)),
		cmi_starttls_names());
}

static cmend_status take_option(
	const char *word, struct cmi_target_line *out, cmend_error *err)
{
	struct cmi_target name;
	cmend_error why;
	char safe[120];

	if (cmi_text_starts(cmi_bytes_of(word), "starttls="))
		return take_protocol(word + strlen("starttls="), out, err);
	if (!cmi_text_starts(cmi_bytes_of(word), "sni="))
		return cmi_fail(err, CMEND_PARSE,
			"\"%s\": behind a target there is starttls=PROTOCOL "
			"or sni=NAME",
			cmi_safe_cstr(safe, sizeof(safe), cmi_bytes_of(word)));
	if (cmi_target_parse(word + strlen("sni="), 1, &name, &why) != CMEND_OK)
		return cmi_fail(err, CMEND_PARSE, "%s", why.message);
	memcpy(out->sni, name.host, sizeof(name.host));
	return CMEND_OK;
}

cmend_status cmi_target_line_parse(struct cmi_bytes line, uint16_t port,
	const char *starttls, struct cmi_target_line *out, cmend_error *err)
{
	struct cmi_target_line t = {.starttls = starttls};
	char target[CMI_URL_MAX], word[CMI_NAME_MAX + 16];
	cmend_error why;

	if (!next_word(&line, target, sizeof(target)))
		return cmi_fail(err, CMEND_PARSE, "too long for a target");
	while (next_word(&line, word, sizeof(word)))
		CMI_TRY(take_option(word, &t, err));
	if (line.n)
		return cmi_fail(err, CMEND_PARSE, "a word is too long");
	if (!port && t.starttls)
		port = cmi_starttls_port(t.starttls);
	if (cmi_target_parse(target, port ? port : 443, &t.target, &why) !=
		CMEND_OK)
		return cmi_fail(err, CMEND_PARSE, "%s", why.message);
	*out = t;
	return CMEND_OK;
}

const char *cmi_target_name(const struct cmi_target *target, const char *sni,
	char out[CMI_TARGET_NAME])
{
	snprintf(out, CMI_TARGET_NAME, "%s%s%s", target->text,
		sni[0] ? "/" : "", sni);
	return out;
}
