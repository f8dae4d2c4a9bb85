/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/phone_test.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/ntp.h"
#include "cli/demo.h"
#include "core/json.h"

/* A clock this far off makes good certificates look bad. */
#define CLOCK_OFF_S 300

enum verdict { GOOD, ODD, BAD, SKIPPED };
static const char *const verdict_names[] = {[GOOD] = "ok",
	[ODD] = "warning",
	[BAD] = "failed",
	[SKIPPED] = "skipped"};

struct step {
	const char *name;
	enum verdict verdict;
	int64_t began_ms, took_ms;
	bool timed; /* took_ms is known */
	char says[320];
	const char *fix; /* or NULL */
	enum cmi_finding_id why;
};

enum which {
	DISCOVERY,
	NAME,
	CLOCK,
	PORT80,
	CHAIN,
	TICKET,
	CERTIFICATE,
	REGISTRATION,
	N_STEPS
};

struct run {
	struct cmi_phone_test *t;
	struct step steps[N_STEPS];
	struct cmi_discovered found;
	struct cmi_phone_result result;
	struct cmi_env env; /* hears the phone's states */
	char address[INET6_ADDRSTRLEN];
	char dir[64];
	enum which last;
};

static void begin(struct run *r, enum which w)
{
	r->steps[w].began_ms = cmi_mono_ms(NULL);
	r->last = w;
}

static void stop_clock(struct step *s)
{
	if (s->began_ms && !s->timed)
		s->took_ms = cmi_mono_ms(NULL) - s->began_ms;
	s->timed = true;
}

static void end(struct run *r, enum which w, enum verdict v, const char *fix,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void end(struct run *r, enum which w, enum verdict v, const char *fix,
	const char *fmt, ...)
{
	struct step *s = &r->steps[w];
	va_list ap;

	s->verdict = v;
	s->fix = v == GOOD ? NULL : fix;
	stop_clock(s);
	va_start(ap, fmt);
	vsnprintf(s->says, sizeof(s->says), fmt, ap);
	va_end(ap);
}

static bool discover(struct run *r)
{
	struct cmi_phone_test *t = r->t;
	cmend_error err = {0};

	begin(r, DISCOVERY);
	if (t->phone.server) {
		end(r, DISCOVERY, SKIPPED, NULL, "server given: %s",
			t->phone.server);
		return true;
	}
	if (cmi_discover(&t->dhcp, t->domain, &r->found, &err) != CMEND_OK) {
		r->steps[DISCOVERY].why = CMI_F_DHCP_OPTION_MISSING;
		end(r, DISCOVERY, BAD,
			"set options 43 and 120 for class MS-UC-Client: "
			"chainmend dhcp encode writes the lines, dhcp decode "
			"judges what is there",
			"%s", err.message);
		return false;
	}
	t->phone.server = r->found.options.web;
	if (!t->phone.registrar && *r->found.options.sip)
		t->phone.registrar = r->found.options.sip;
	end(r, DISCOVERY, r->found.faults.n ? ODD : GOOD,
		"chainmend dhcp decode says what is odd",
		"%s answers: https://%s:%s, sip %s", r->found.server,
		r->found.options.web, r->found.options.port,
		r->found.options.sip);
	return true;
}

static bool resolve(struct run *r)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	const struct cmi_phone_options *o = &r->t->phone;
	int failed;

	begin(r, NAME);
	if (o->net.connect_to) {
		snprintf(r->address, sizeof(r->address), "%s",
			o->net.connect_to);
		end(r, NAME, SKIPPED, NULL, "address given: %s", r->address);
		return true;
	}
	failed = getaddrinfo(o->server, NULL, &hints, &list);
	if (failed) {
		end(r, NAME, BAD, "add the name to the DNS that phones use",
			"cannot resolve \"%s\": %s", o->server,
			gai_strerror(failed));
		return false;
	}
	getnameinfo(list->ai_addr, list->ai_addrlen, r->address,
		sizeof(r->address), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	end(r, NAME, GOOD, NULL, "%s is %s", o->server, r->address);
	return true;
}

static void look_at_clock(struct run *r)
{
	cmend_error err = {0};
	int64_t offset_s;

	begin(r, CLOCK);
	if (!r->t->ntp) {
		end(r, CLOCK, SKIPPED, NULL, "no --ntp HOST");
		return;
	}
	if (cmi_ntp_ask(r->t->ntp, 0, 2000, NULL, &offset_s, &err) !=
		CMEND_OK) {
		end(r, CLOCK, ODD,
			"phones set their clock by SRV _ntp._udp of the SIP "
			"domain; without it certificates look not yet valid",
			"%s", err.message);
		return;
	}
	end(r, CLOCK, llabs(offset_s) > CLOCK_OFF_S ? BAD : GOOD,
		"set this machine's clock", "%lld s off", (long long)offset_s);
	if (r->steps[CLOCK].verdict == BAD)
		r->steps[CLOCK].why = CMI_F_CLOCK_WRONG;
}

/* The download by itself, so that it is judged even where nobody needs it. */
static cmend_status try_port80(struct run *r, cmend_error *err)
{
	const struct cmi_phone_options *o = &r->t->phone;
	struct cmi_stores stores;
	struct cmi_acquire a = {.how = o->how,
		.stores = &stores,
		.net = &o->net,
		.host = o->server,
		.at_s = o->at_s};
	cmend_error why = {0};

	begin(r, PORT80);
	CMI_TRY(cmi_stores_open(r->dir, NULL, &stores, err));
	if (o->anchors && cmi_stores_install(&stores, o->anchors, err)) {
		cmi_stores_dispose(&stores);
		return err->status;
	}
	if (cmi_acquire_download(&a, &why) != CMEND_OK) {
		r->steps[PORT80].why = CMI_F_CHAIN_DOWNLOAD_FAILED;
		end(r, PORT80, ODD,
			"open port 80 to the server and switch its chain "
			"download on; phones that lack the issuer need it",
			"%s", why.message);
	} else if (!a.usable.n) {
		r->steps[PORT80].why = CMI_F_CHAIN_DOWNLOAD_UNTRUSTED;
		end(r, PORT80, ODD,
			"offer the intermediates there, not the root; a root "
			"from port 80 is never trusted",
			"%s", a.download_says);
	} else {
		end(r, PORT80, GOOD, NULL, "%s", a.download_says);
	}
	cmi_acquire_dispose(&a);
	cmi_stores_dispose(&stores);
	return CMEND_OK;
}

static void hear(void *ctx, const struct cmi_event *e)
{
	struct run *r = ctx;
	static const struct {
		const char *state;
		enum which step;
	} map[] = {{"connect", CHAIN}, {"ticket", TICKET},
		{"certificate", CERTIFICATE}, {"register", REGISTRATION}};

	if (strcmp(e->kind, "state") != 0)
		return;
	for (size_t i = 0; i < CMI_LEN(map); i++) {
		if (strcmp(map[i].state, e->subject) != 0)
			continue;
		if (r->last >= CHAIN && r->last < map[i].step)
			stop_clock(&r->steps[r->last]);
		begin(r, map[i].step);
	}
}

static const char *fix_for(enum cmi_finding_id why)
{
	static const struct {
		enum cmi_finding_id why;
		const char *fix;
	} rows[] = {
		{CMI_F_MISSING_INTERMEDIATE,
			"let the server send its whole chain: chainmend mend "
			"writes it"},
		{CMI_F_CHAIN_DOWNLOAD_UNTRUSTED,
			"somebody answers port 80 with a chain of another "
			"root: look at the quarantine"},
		{CMI_F_UNTRUSTED_ROOT,
			"install the root in the phone, or take a certificate "
			"of a CA that it knows"},
		{CMI_F_WILDCARD_UNSUPPORTED,
			"such phones know no wildcards: put the exact names "
			"into the certificate"},
		{CMI_F_NAME_MISMATCH,
			"put the name that phones use into the certificate"},
		{CMI_F_EXPIRED_LEAF, "renew the server's certificate"},
		{CMI_F_EXPIRED_INTERMEDIATE,
			"replace the intermediate: chainmend mend finds a "
			"newer one"},
		{CMI_F_NOT_YET_VALID, "look at the clocks of both ends"},
		{CMI_F_PIN_REFUSED,
			"the number or the PIN is wrong, or no PIN is set"},
		{CMI_F_PIN_LOCKED,
			"wait an hour, or unlock the user on the server"},
		{CMI_F_REGISTRAR_UNREACHABLE,
			"compare DHCP option 120 or SRV _sipinternaltls._tcp "
			"with the registrar's name; open its port 5061"},
		{CMI_F_REGISTRATION_REFUSED,
			"let the registrar take certificates, reach the store "
			"that they are published to, and enable the user"},
		{CMI_F_REGISTRAR_UNPROVEN,
			"look for a proxy between phones and registrar that "
			"answers or rewrites SIP"},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (rows[i].why == why)
			return rows[i].fix;
	return NULL;
}

static void judge_sign_in(struct run *r)
{
	const struct cmi_phone_result *p = &r->result;
	enum which stop = p->reached == CMI_PHONE_TICKET        ? TICKET
			  : p->reached == CMI_PHONE_CERTIFICATE ? CERTIFICATE
			  : p->reached == CMI_PHONE_REGISTER    ? REGISTRATION
								: CHAIN;

	if (p->signed_in)
		stop = N_STEPS;
	if (stop > CHAIN && p->issuer_from == CMI_FROM_SENT)
		end(r, CHAIN, GOOD, NULL, "the whole chain is sent");
	else if (stop > CHAIN && p->issuer_from == CMI_FROM_ANCHOR)
		end(r, CHAIN, GOOD, NULL, "issued by an anchor itself");
	else if (stop > CHAIN) {
		r->steps[CHAIN].why = CMI_F_MISSING_INTERMEDIATE;
		end(r, CHAIN, ODD, fix_for(CMI_F_MISSING_INTERMEDIATE),
			"the server does not send its issuer; it came from: %s",
			cmi_origin_name(p->issuer_from));
	}
	if (stop > TICKET)
		end(r, TICKET, GOOD, NULL, "we are %s", p->sip);
	if (stop > CERTIFICATE)
		end(r, CERTIFICATE, GOOD, NULL, "%s",
			p->certificate->sha256_hex);
	if (stop > REGISTRATION)
		end(r, REGISTRATION, GOOD, NULL,
			"for %u s; the registrar's signature is good",
			p->registered_s);
	if (stop == N_STEPS)
		return;
	r->steps[stop].why = p->why;
	end(r, stop, BAD,
		p->why ? fix_for(p->why)
		       : "look whether the web service runs and whether a "
			 "firewall lets phones reach it",
		"%s", p->says);
}

static cmend_status sign_in(struct run *r, cmend_error *err)
{
	struct cmi_phone_options o = r->t->phone;
	struct cmi_demo_tap *tap = NULL;
	cmend_status status, closed;

	r->env = *cmi_env_system();
	r->env.event = hear;
	r->env.ctx = r;
	o.net.env = &r->env;
	o.leave = true;
	if (r->t->capture) {
		CMI_TRY(cmi_demo_tap_open(
			r->t->capture, r->address, &tap, err));
		o.net.tap = cmi_demo_tap_of(tap);
	}
	r->last = N_STEPS;
	begin(r, CHAIN);
	status = cmi_phone_sign_in(&o, &r->result, err);
	closed = tap ? cmi_demo_tap_close(tap, status ? NULL : err) : CMEND_OK;
	if (!status)
		judge_sign_in(r);
	return status ? status : closed;
}

static cmend_status run_steps(struct run *r, cmend_error *err)
{
	bool own_dir = !r->t->phone.state_dir;

	for (size_t i = 0; i < N_STEPS; i++)
		r->steps[i].verdict = SKIPPED;
	if (!discover(r) || !resolve(r))
		return CMEND_OK;
	look_at_clock(r);
	snprintf(r->dir, sizeof(r->dir), "/tmp/chainmend-test-XXXXXX");
	if (!mkdtemp(r->dir))
		return cmi_fail(err, CMEND_IO, "cannot make \"%s\"", r->dir);
	CMI_TRY(try_port80(r, err));
	/* Out of the box, unless a phone's memory was given: what the
	 * download left behind must not hide that the server sends too
	 * little. */
	cmi_demo_forget(r->dir);
	if (own_dir)
		r->t->phone.state_dir = r->dir;
	return sign_in(r, err);
}

static enum verdict worst(const struct run *r)
{
	enum verdict w = GOOD;

	for (size_t i = 0; i < N_STEPS; i++)
		if (r->steps[i].verdict != SKIPPED && r->steps[i].verdict > w)
			w = r->steps[i].verdict;
	return w;
}

static void tell_json(struct run *r)
{
	for (size_t i = 0; i < N_STEPS; i++) {
		const struct step *s = &r->steps[i];
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
		struct cmi_json j;

		cmi_buf_init(&line, 65536);
		cmi_json_begin(&j, &line, "signin");
		cmi_json_cstr(&j, "test", s->name);
		cmi_json_cstr(&j, "result", verdict_names[s->verdict]);
		cmi_json_real(&j, "seconds", (double)s->took_ms / 1000, 3);
		cmi_json_cstr(&j, "why", cmi_finding_name(s->why));
		cmi_json_cstr(&j, "says", *s->says ? s->says : NULL);
		cmi_json_cstr(&j, "fix", s->fix);
		cmi_json_end_object(&j);
		fprintf(r->t->cli->out, "%s\n", cmi_buf_cstr(&line));
	}
}

static void tell(struct run *r)
{
	static const char *const colors[] = {[GOOD] = "\033[32m",
		[ODD] = "\033[33m",
		[BAD] = "\033[31m",
		[SKIPPED] = ""};
	bool color = r->t->cli->use_color;
	FILE *out = r->t->cli->out;

	for (size_t i = 0; i < N_STEPS; i++) {
		const struct step *s = &r->steps[i];

		fprintf(out, "%-12s %s%-8s%s %6.2f s  %s\n", s->name,
			color ? colors[s->verdict] : "",
			verdict_names[s->verdict], color ? "\033[0m" : "",
			(double)s->took_ms / 1000, s->says);
		if (s->fix)
			fprintf(out, "%-12s do: %s\n", "", s->fix);
	}
}

static void tell_nagios(struct run *r, enum verdict w)
{
	static const char *const words[] = {
		[GOOD] = "OK", [ODD] = "WARNING", [BAD] = "CRITICAL"};
	FILE *out = r->t->cli->out;
	const struct step *shown = NULL;

	for (size_t i = 0; i < N_STEPS; i++)
		if (r->steps[i].verdict == w && (w != GOOD || !shown))
			shown = shown ? shown : &r->steps[i];
	fprintf(out, "PHONE %s - %s |", words[w],
		w == GOOD ? "signed in" : shown->says);
	for (size_t i = 0; i < N_STEPS; i++)
		if (r->steps[i].verdict != SKIPPED)
			fprintf(out, " '%s'=%.3fs", r->steps[i].name,
				(double)r->steps[i].took_ms / 1000);
	fputc('\n', out);
}

int cmi_phone_test_run(struct cmi_phone_test *t)
{
	struct run r = {.t = t,
		.steps = {[DISCOVERY] = {.name = "discovery"},
			[NAME] = {.name = "name"},
			[CLOCK] = {.name = "clock"},
			[PORT80] = {.name = "port 80"},
			[CHAIN] = {.name = "chain"},
			[TICKET] = {.name = "ticket"},
			[CERTIFICATE] = {.name = "certificate"},
			[REGISTRATION] = {.name = "registration"}}};
	cmend_error err = {0};
	cmend_status status = run_steps(&r, &err);
	enum verdict w = worst(&r);

	cmi_phone_result_dispose(&r.result);
	if (*r.dir)
		cmi_demo_forget(r.dir);
	if (status) {
		(void)cmi_cli_fail(t->cli, &err);
		return CMI_EXIT_CANNOT; /* UNKNOWN for a plugin, too */
	}
	if (t->nagios) {
		tell_nagios(&r, w);
		return w == GOOD ? 0 : w == ODD ? 1 : 2;
	}
	if (t->cli->common.json)
		tell_json(&r);
	else
		tell(&r);
	return w == BAD || (w == ODD && t->cli->common.strict) ? CMI_EXIT_FAILS
							       : CMI_EXIT_OK;
}
