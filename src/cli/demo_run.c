/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/tether.h"
#include "core/file.h"
#include "issuers/memory.h"
#include "issuers/mend.h"

const char *cmi_demo_path(
	const struct cmi_demo *d, const char *name, struct cmi_buf *out)
{
	cmi_buf_init(out, 8192);
	cmi_buf_printf(out, "%s/%s", d->out, name);
	return cmi_buf_cstr(out);
}

const char *cmi_demo_capture(const struct cmi_demo *d,
	const struct cmi_demo_step *step, struct cmi_buf *out)
{
	cmi_buf_init(out, 8192);
	cmi_buf_printf(out, "%s/%s.pcapng", d->out, step->name);
	return cmi_buf_cstr(out);
}

static cmend_status write_certs(const struct cmi_demo *d, const char *name,
	struct cmi_cert *const *certs, size_t n, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf path, pem;

	cmi_buf_init(&pem, CMI_FILE_MAX);
	(void)cmi_demo_path(d, name, &path);
	CMI_TRY(cmi_bundle_write(certs, n, CMI_FORM_PEM, true, &pem, err));
	return cmi_file_write(
		cmi_buf_cstr(&path), cmi_buf_view(&pem), 0644, err);
}

static cmend_status write_files(struct cmi_demo *d, cmend_error *err)
{
	CMI_TRY(write_certs(d, "root.pem", &d->pki.root.cert, 1, err));
	CMI_TRY(write_certs(
		d, "intermediate.pem", &d->pki.intermediate.cert, 1, err));
	return write_certs(d, "leaf.pem", &d->pki.leaf.cert, 1, err);
}

static cmend_status add_user(struct cmi_demo *d, cmend_error *err)
{
	const struct cmi_user user = {
		.sip = CMI_DEMO_SIP,
		.number = CMI_DEMO_NUMBER,
		.extension = "100",
		.login = CMI_DEMO_LOGIN,
	};

	CMI_TRY(cmi_ledger_open(":memory:", &d->env, &d->ledger, err));
	CMI_TRY(cmi_ledger_add(d->ledger, &user, err));
	CMI_TRY(cmi_ledger_set_pin(d->ledger, CMI_DEMO_SIP, CMI_DEMO_PIN, err));
	return cmi_ledger_set_password(
		d->ledger, CMI_DEMO_SIP, CMI_DEMO_PASSWORD, err);
}

cmend_status cmi_demo_open(struct cmi_demo *d, cmend_error *err)
{
	CMI_TRY(cmi_file_make_dirs(d->out, err));
	CMI_TRY(cmi_demo_pki_make(&d->env, &d->pki, err));
	CMI_TRY(write_files(d, err));
	CMI_TRY(cmi_trust_new("the phone's preloaded root", &d->trust, err));
	CMI_TRY(cmi_trust_add(d->trust, d->pki.root.cert, err));
	return add_user(d, err);
}

static int remove_entry(
	const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void cmi_demo_forget(const char *dir)
{
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void forget_phone(struct cmi_demo *d, bool keep)
{
	if (*d->phone_dir && !keep)
		cmi_demo_forget(d->phone_dir);
	*d->phone_dir = 0;
}

void cmi_demo_dispose(struct cmi_demo *d, bool keep)
{
	forget_phone(d, keep);
	cmi_cert_list_dispose(&d->sends);
	cmi_trust_free(d->trust);
	cmi_ledger_close(d->ledger);
	cmi_demo_pki_dispose(&d->pki);
}

static cmend_status new_phone(struct cmi_demo *d,
	const struct cmi_demo_step *step, bool keep, cmend_error *err)
{
	forget_phone(d, keep);
	snprintf(d->phone_dir, sizeof(d->phone_dir), "%s/phone-%u-XXXXXX",
		d->out, step->n);
	if (!mkdtemp(d->phone_dir))
		return cmi_fail(
			err, CMEND_IO, "cannot make \"%s\"", d->phone_dir);
	return CMEND_OK;
}

/* The server's own certificate goes in, the chain it should send comes out:
 * what `chainmend mend` does. */
static cmend_status mend(struct cmi_demo *d, cmend_error *err)
{
	CMI_AUTO(cmi_memory_freep) struct cmi_memory *pool = NULL;
	const struct cmi_trust *trust = d->trust;
	const struct cmi_source *source;
	struct cmi_mend_result result = {0};
	struct cmi_mend_request request = {
		.given = &d->pki.leaf.cert,
		.n_given = 1,
		.trusts = &trust,
		.n_trusts = 1,
		.at_s = cmi_now_us(&d->env) / 1000000,
		.host = CMI_DEMO_HOST,
		.n_sources = 1,
		.env = &d->env,
	};
	cmend_status status;

	CMI_TRY(cmi_memory_new(CMI_FROM_FILE, &pool, err));
	CMI_TRY(cmi_memory_add(pool, d->pki.intermediate.cert, err));
	source = cmi_memory_source(pool);
	request.sources = &source;
	status = cmi_mend(&request, &result, err);
	if (!status && !result.proven)
		status = cmi_fail(err, CMEND_INTERNAL,
			"the server's chain could not be mended");
	for (size_t i = 0; !status && i < result.chain.n; i++)
		status = cmi_cert_list_add(
			&d->sends, result.chain.certs[i], err);
	cmi_mend_result_dispose(&result);
	CMI_TRY(status);
	return write_certs(d, "mended.pem", d->sends.certs, d->sends.n, err);
}

static cmend_status choose_chain(struct cmi_demo *d,
	const struct cmi_demo_step *step, struct evp_pkey_st **key,
	cmend_error *err)
{
	cmi_cert_list_dispose(&d->sends);
	d->sends = (struct cmi_cert_list){0};
	switch (step->sends) {
	case CMI_SENDS_LEAF:
		*key = d->pki.leaf.key;
		return cmi_cert_list_add(&d->sends, d->pki.leaf.cert, err);
	case CMI_SENDS_MENDED:
		*key = d->pki.leaf.key;
		return mend(d, err);
	case CMI_SENDS_DIRECT:
		*key = d->pki.leaf_direct.key;
		return cmi_cert_list_add(
			&d->sends, d->pki.leaf_direct.cert, err);
	case CMI_SENDS_ATTACK:
		*key = d->pki.bad_leaf.key;
		return cmi_cert_list_add(&d->sends, d->pki.bad_leaf.cert, err);
	}
	return CMEND_OK;
}

static cmend_status start_server(struct cmi_demo *d,
	const struct cmi_demo_step *step, struct cmi_server **out,
	cmend_error *err)
{
	bool attack = step->sends == CMI_SENDS_ATTACK;
	struct cmi_cert *rogue[] = {
		d->pki.bad_root.cert, d->pki.bad_intermediate.cert};
	struct cmi_server_options options = {
		.address = attack ? CMI_DEMO_ATTACKER : CMI_DEMO_SERVER,
		.http_port = d->own_network ? 80 : CMI_PORT_ANY,
		.https_port = d->own_network ? 443 : CMI_PORT_ANY,
		.sip_port = d->own_network ? 5061 : CMI_PORT_ANY,
		.host = CMI_DEMO_HOST,
		.offer = attack ? rogue : &d->pki.intermediate.cert,
		.n_offer = attack ? 2 : 1,
		.issuer = d->pki.issuer.cert,
		.issuer_key = d->pki.issuer.key,
		.ledger = d->ledger,
		.tls12_only = true,
		.env = &d->env,
	};

	CMI_TRY(choose_chain(d, step, &options.key, err));
	options.chain = d->sends.certs;
	options.n_chain = d->sends.n;
	return cmi_server_start(&options, out, err);
}

/* The PC at the other end of the cable. */
struct pc {
	int fd;
	char code[7];
	int64_t deadline_ms;
	const struct cmi_env *env;
	cmend_status status;
};

static void *pc_main(void *arg)
{
	struct pc *pc = arg;
	struct cmi_tether_login login = {
		.user = CMI_DEMO_LOGIN,
		.sip = CMI_DEMO_SIP,
		.domain = "corp.example",
		.password = CMI_DEMO_PASSWORD,
	};

	pc->status = cmi_tether_send(
		pc->fd, pc->code, &login, pc->deadline_ms, pc->env, NULL);
	cmi_tether_login_dispose(&login);
	return NULL;
}

static cmend_status tether(
	struct cmi_demo *d, struct cmi_tether_login *login, cmend_error *err)
{
	struct pc pc = {
		.env = &d->env, .deadline_ms = cmi_mono_ms(&d->env) + 3000};
	cmend_status status;
	pthread_t thread;
	int phone;

	CMI_TRY(cmi_tether_make_code(&d->env, pc.code, err));
	CMI_TRY(cmi_tether_pair(&pc.fd, &phone, err));
	if (pthread_create(&thread, NULL, pc_main, &pc) != 0)
		return cmi_fail(err, CMEND_IO, "cannot start a thread");
	status = cmi_tether_receive(
		phone, pc.code, login, pc.deadline_ms, &d->env, err);
	pthread_join(thread, NULL);
	close(pc.fd);
	close(phone);
	if (!status && pc.status)
		status = cmi_fail(err, pc.status, "the PC's end failed");
	return status;
}

static cmend_status sign_in(struct cmi_demo *d,
	const struct cmi_demo_step *step, const struct cmi_server *server,
	struct cmi_tap *tap, struct cmi_phone_result *result, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf root;
	struct cmi_server_ports ports = cmi_server_ports(server);
	struct cmi_tether_login login = {0};
	bool attack = step->sends == CMI_SENDS_ATTACK;
	struct cmi_phone_options o = {
		.firmware = step->firmware,
		.way = step->way,
		.server = CMI_DEMO_HOST,
		.state_dir = d->phone_dir,
		.net =
			{
				.connect_to = attack ? CMI_DEMO_ATTACKER
						     : CMI_DEMO_SERVER,
				.source = CMI_DEMO_PHONE,
				.http_port = ports.http,
				.https_port = ports.https,
				.sip_port = ports.sip,
				.tap = tap,
				.env = &d->env,
			},
		.name = CMI_DEMO_NUMBER,
		.secret = CMI_DEMO_PIN,
		.sip = "",
		.tls12_only = true,
	};
	cmend_status status;

	(void)cmi_demo_path(d, "root.pem", &root);
	if (step->new_phone)
		o.anchors = cmi_buf_cstr(&root);
	if (step->way == CMI_WAY_USB) {
		CMI_TRY(tether(d, &login, err));
		o.name = login.user;
		o.secret = login.password;
		o.sip = login.sip;
	}
	status = cmi_phone_sign_in(&o, result, err);
	cmi_tether_login_dispose(&login);
	return status;
}

static cmend_status captured(struct cmi_demo *d,
	const struct cmi_demo_step *step, const char *capture,
	struct cmi_phone_result *result, cmend_error *err)
{
	CMI_AUTO(cmi_server_stopp) struct cmi_server *server = NULL;
	struct cmi_demo_tap *tap = NULL;
	struct cmi_live *live = NULL;
	struct cmi_live_stats stats;
	cmend_status status, after;

	CMI_TRY(start_server(d, step, &server, err));
	if (d->own_network)
		CMI_TRY(cmi_live_start("lo", capture, &live, err));
	else
		CMI_TRY(cmi_demo_tap_open(capture, &tap, err));
	status = sign_in(d, step, server, cmi_demo_tap_of(tap), result, err);
	/* Stop first: the server's own goodbyes belong into the capture. */
	cmi_server_stop(CMI_TAKE(server));
	after = live ? cmi_live_stop(live, &stats, status ? NULL : err)
		     : cmi_demo_tap_close(tap, status ? NULL : err);
	return status ? status : after;
}

cmend_status cmi_demo_run(struct cmi_demo *d, const struct cmi_demo_step *step,
	struct cmi_demo_outcome *out, cmend_error *err)
{
	int64_t begin = cmi_mono_ms(&d->env);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf path;
	struct cmi_demo_seen seen;

	*out = (struct cmi_demo_outcome){0};
	(void)cmi_demo_capture(d, step, &path);
	if (step->new_phone)
		CMI_TRY(new_phone(d, step, false, err));
	CMI_TRY(captured(d, step, cmi_buf_cstr(&path), &out->phone, err));
	CMI_TRY(cmi_demo_look(cmi_buf_cstr(&path), &seen, err));
	out->met =
		cmi_demo_step_met(
			step, &out->phone, out->says, sizeof(out->says)) &&
		cmi_demo_capture_met(step, &seen, out->says, sizeof(out->says));
	out->took_ms = cmi_mono_ms(&d->env) - begin;
	return CMEND_OK;
}
