/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to a registrar, one after another as a stream brings them.  Oracle:
 * nobody is registered who has not proved a certificate; every answer can be
 * read, is a refusal, and answers the dialog that asked.
 */
#include <string.h>

#include "boot/keys.h"
#include "boot/sip_registrar.h"
#include "fuzz.h"
#include "wire/sip.h"

static struct cmi_registrar *registrar;

static void prepare(void)
{
	static struct cmi_cert *cert;
	struct evp_pkey_st *key = NULL;
	struct cmi_ledger *ledger = NULL;
	struct cmi_issue issue = {.common_name = "pool.corp.example",
		.path_len = -1,
		.not_before_s = 0,
		.not_after_s = 4102444800};
	struct cmi_registrar_options o = {.host = "pool.corp.example",
		.web = "web.corp.example",
		.web_port = 443,
		.chain = &cert,
		.n_chain = 1,
		.offer_ntlm = true};

	FUZZ_CHECK(cmi_key_make(CMI_KEY_EC_P256, &key, NULL) == CMEND_OK);
	issue.key = key;
	FUZZ_CHECK(cmi_issue_cert(&issue, &cert, NULL) == CMEND_OK);
	FUZZ_CHECK(
		cmi_ledger_open(":memory:", NULL, &ledger, NULL) == CMEND_OK);
	o.key = key;
	o.ledger = ledger;
	FUZZ_CHECK(cmi_registrar_new(&o, &registrar, NULL) == CMEND_OK);
}

static void check_answer(struct cmi_bytes asked, struct cmi_bytes text)
{
	struct cmi_sip_basics was, is;
	struct cmi_sip request, answer;

	FUZZ_CHECK(cmi_sip_read(asked, &request, NULL) == CMEND_OK);
	FUZZ_CHECK(cmi_sip_read(text, &answer, NULL) == CMEND_OK);
	FUZZ_CHECK(answer.response && answer.status >= 400);
	if (cmi_sip_basics(&request, &was, NULL) != CMEND_OK) {
		FUZZ_CHECK(answer.status == 400);
		return;
	}
	FUZZ_CHECK(cmi_sip_basics(&answer, &is, NULL) == CMEND_OK);
	FUZZ_CHECK(was.cseq == is.cseq && is.to_tag.n &&
		   cmi_bytes_equal(was.call_id, is.call_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_sip_peer *peer = NULL;
	struct cmi_sip_framer f = {0};
	struct cmi_buf out;

	if (!registrar)
		prepare();
	FUZZ_CHECK(cmi_sip_peer_new(registrar, "192.0.2.9", &peer, NULL) ==
		   CMEND_OK);
	cmi_buf_init(&out, CMI_SIP_HEAD_MAX * 2);
	while (cmi_sip_frame(&f, (struct cmi_bytes){data, size}, NULL) ==
			CMEND_OK &&
		f.n) {
		struct cmi_bytes message = {data + f.lead, f.n};

		cmi_buf_clear(&out);
		if (cmi_sip_peer_take(peer, message, &out, NULL) != CMEND_OK)
			break;
		if (out.n)
			check_answer(message, cmi_buf_view(&out));
		data += f.lead + f.n;
		size -= f.lead + f.n;
		f = (struct cmi_sip_framer){0};
	}
	FUZZ_CHECK(!cmi_sip_peer_known(peer));
	FUZZ_CHECK(cmi_registrar_count(registrar) == 0);
	cmi_sip_peer_free(peer);
	cmi_buf_dispose(&out);
	return 0;
}
