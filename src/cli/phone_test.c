/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/phone_test.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/ntp.h"
#include "boot/soap.h"
#include "capture/told.h"
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
	bool ended;
	char sent[200];  /* what we asked, without secrets */
	char says[320];  /* what we learned */
	const char *fix; /* or NULL */
	enum cmi_finding_id why;
};

enum which {
	DISCOVERY,
	NAMES,
	NAME,
	CLOCK,
	PORT80,
	CHAIN,
	METADATA,
	TICKET,
	CERTIFICATE,
	REGISTRATION,
	N_STEPS
};

struct run {
	struct cmi_phone_test *t;
	struct step steps[N_STEPS];
	struct cmi_discovered found;
	struct cmi_names names;
	bool have_names;
	struct cmi_demo_tap *tap; /* or NULL */
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

static void take_time(struct step *s)
{
	if (s->began_ms && !s->ended)
		s->took_ms = cmi_mono_ms(NULL) - s->began_ms;
	s->ended = true;
}

static void sent(struct run *r, enum which w, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void sent(struct run *r, enum which w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->steps[w].sent, sizeof(r->steps[w].sent), fmt, ap);
	va_end(ap);
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
	take_time(s);
	va_start(ap, fmt);
	vsnprintf(s->says, sizeof(s->says), fmt, ap);
	va_end(ap);
}

/* What a capture cannot show of a step, inside TLS above all, the phone says
 * in a comment on the last packet: `explain` reads it (capture/told). */
static void note(struct run *r, enum which w)
{
	const struct step *s = &r->steps[w];
	const char *why = cmi_finding_name(s->why);
	char text[640];

	if (!r->tap || (s->verdict != ODD && s->verdict != BAD))
		return;
	snprintf(text, sizeof(text), CMI_TOLD_BEGIN "%s, %s, %s: %s", s->name,
		verdict_names[s->verdict], why ? why : "-", s->says);
	cmi_demo_tap_note(r->tap, text);
}

/* The worst that DHCP's options have; a missing one if nothing came. */
static enum cmi_finding_id dhcp_trouble(const struct cmi_discovered *found)
{
	for (size_t i = 0; i < found->faults.n; i++)
		if (found->faults.faults[i].severity == CMI_UC_ERROR &&
			found->faults.faults[i].id)
			return found->faults.faults[i].id;
	if (*found->options.web)
		return CMI_F_WRONG_HOST; /* refused for its name */
	return CMI_F_DHCP_OPTION_MISSING;
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
	sent(r, DISCOVERY,
		"DHCPINFORM, class MS-UC-Client, for options 43 and 120, to %s",
		t->dhcp.to ? t->dhcp.to : "everybody");
	if (cmi_discover(&t->dhcp, t->domain, &r->found, &err) != CMEND_OK) {
		r->steps[DISCOVERY].why = dhcp_trouble(&r->found);
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

static void say_names(struct run *r, const struct cmi_names *n)
{
	const struct cmi_name_found *pool = cmi_names_registrar(n);
	const struct cmi_name_found *inner = &n->of[CMI_NAME_SIP_INTERNAL];
	const struct cmi_name_found *ntp = &n->of[CMI_NAME_NTP];
	bool by_dhcp = *r->found.options.sip != 0;

	for (size_t i = 0; i < CMI_NAME_USES; i++) {
		if (!n->of[i].foreign)
			continue;
		r->steps[NAMES].why = CMI_F_WRONG_HOST;
		end(r, NAMES, BAD,
			"let the record name a host of the SIP domain; phones "
			"must not follow it elsewhere",
			"%.100s names \"%.100s\", which is outside",
			n->of[i].name, n->of[i].target);
		return;
	}
	if (!pool && !by_dhcp)
		end(r, NAMES, ODD,
			"add SRV _sipinternaltls._tcp of the SIP domain, or "
			"option 120",
			"no registrar: neither SRV records nor sip.%.100s",
			r->t->domain);
	else if (pool && !*pool->addr)
		end(r, NAMES, ODD, "add the address of the pool to DNS",
			"registrar \"%.100s\" has no address", pool->target);
	else
		end(r, NAMES, inner->status && !by_dhcp ? ODD : GOOD,
			"add SRV _sipinternaltls._tcp: phones ask for it first",
			"registrar %.100s%s, time from %.100s",
			pool ? pool->target : r->found.options.sip,
			pool ? "" : " (by option 120 alone)",
			ntp->status ? "nowhere in the domain" : ntp->target);
}

static void look_up_names(struct run *r)
{
	cmend_error err = {0};

	begin(r, NAMES);
	if (!r->t->domain) {
		end(r, NAMES, SKIPPED, NULL, "no --domain NAME");
		return;
	}
	sent(r, NAMES,
		"SRV _sipinternaltls._tcp, _sip._tls, _ntp._udp, addresses of "
		"sipinternal, sip: all of %.60s",
		r->t->domain);
	if (cmi_names_look_up(&r->t->dns, r->t->domain, &r->names, &err) !=
		CMEND_OK) {
		end(r, NAMES, ODD, "look at the DNS servers that phones get",
			"%s", err.message);
		return;
	}
	r->have_names = true;
	say_names(r, &r->names);
}

static cmend_status resolve_as_system(struct run *r, cmend_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	const char *name = r->t->phone.server;
	int failed;

	if (r->t->dns.server)
		return cmi_dns_find_addr(&r->t->dns, name, r->address, err);
	/* The system's own way decides (it knows more than DNS) and cannot be
	 * listened to: for the capture the same is asked once more. */
	if (r->tap && cmi_dns_find_addr(&r->t->dns, name, r->address, NULL))
		r->address[0] = 0;
	failed = getaddrinfo(name, NULL, &hints, &list);
	if (failed)
		return cmi_fail(err, CMEND_NET, "cannot resolve \"%s\": %s",
			name, gai_strerror(failed));
	getnameinfo(list->ai_addr, list->ai_addrlen, r->address,
		sizeof(r->address), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	return CMEND_OK;
}

static bool resolve(struct run *r)
{
	struct cmi_phone_options *o = &r->t->phone;
	cmend_error err = {0};

	begin(r, NAME);
	if (o->net.connect_to) {
		snprintf(r->address, sizeof(r->address), "%s",
			o->net.connect_to);
		end(r, NAME, SKIPPED, NULL, "address given: %s", r->address);
		return true;
	}
	sent(r, NAME, "address of %.150s", o->server);
	if (resolve_as_system(r, &err) != CMEND_OK) {
		end(r, NAME, BAD, "add the name to the DNS that phones use",
			"%s", err.message);
		return false;
	}
	/* What was asked of a certain server is used, too. */
	if (r->t->dns.server)
		o->net.connect_to = r->address;
	end(r, NAME, GOOD, NULL, "%s is %s", o->server, r->address);
	return true;
}

static void say_clock(struct run *r, const char *from, int64_t offset_s)
{
	end(r, CLOCK, llabs(offset_s) > CLOCK_OFF_S ? BAD : GOOD,
		"set this machine's clock", "%lld s off by %.100s",
		(long long)offset_s, from);
	if (r->steps[CLOCK].verdict == BAD)
		r->steps[CLOCK].why = CMI_F_CLOCK_WRONG;
}

/* Phones ask what SRV _ntp._udp of the SIP domain names, or else
 * time.windows.com. */
static void look_at_clock(struct run *r)
{
	const struct cmi_name_found *ntp = &r->names.of[CMI_NAME_NTP];
	bool by_dns = !r->t->ntp && r->have_names && !ntp->status;
	const char *host = r->t->ntp ? r->t->ntp
			   : by_dns  ? ntp->target
				     : "time.windows.com";
	char addr[CMI_DNS_ADDR_TEXT];
	const struct cmi_ntp_question question = {.host = addr,
		.port = by_dns ? ntp->port : 0,
		.wait_ms = 2000,
		.tap = r->t->dns.tap};
	cmend_error err = {0};
	int64_t offset_s;

	begin(r, CLOCK);
	if (!r->t->ntp && !r->have_names) {
		end(r, CLOCK, SKIPPED, NULL, "no --ntp HOST, no --domain NAME");
		return;
	}
	sent(r, CLOCK, "SNTP to %.150s", host);
	if (cmi_dns_find_addr(&r->t->dns, host, addr, &err) != CMEND_OK ||
		cmi_ntp_ask(&question, &offset_s, &err) != CMEND_OK)
		end(r, CLOCK, ODD,
			"phones set their clock by SRV _ntp._udp of the SIP "
			"domain, or time.windows.com; without it certificates "
			"look not yet valid",
			"%s", err.message);
	else
		say_clock(r, host, offset_s);
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
	sent(r, PORT80, "%s to http://%.100s: the chain download (profile)",
		o->how == CMI_DOWNLOAD_SOAP ? "POST" : "GET", o->server);
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
	} map[] = {{"connect", CHAIN}, {"metadata", METADATA},
		{"ticket", TICKET}, {"certificate", CERTIFICATE},
		{"register", REGISTRATION}};

	if (strcmp(e->kind, "state") != 0)
		return;
	for (size_t i = 0; i < CMI_LEN(map); i++) {
		if (strcmp(map[i].state, e->subject) != 0)
			continue;
		if (r->last >= CHAIN && r->last < map[i].step)
			take_time(&r->steps[r->last]);
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
		{CMI_F_WRONG_HOST,
			"the web service points elsewhere: correct its base "
			"addresses, or look who answers there"},
		{CMI_F_PROTOCOL_VERSION,
			"such phones speak TLS 1.2 at most: keep it on for "
			"them"},
		{CMI_F_WEAK_SIGNATURE,
			"take a certificate signed with SHA-256"},
		{CMI_F_AIA_NOT_HTTP,
			"publish the issuer over http, or send the whole "
			"chain"},
		{CMI_F_PIN_REFUSED,
			"the number or the PIN is wrong, or no PIN is set"},
		{CMI_F_PIN_LOCKED,
			"wait an hour, or unlock the user on the server"},
		{CMI_F_CERTIFICATE_NOT_ISSUED,
			"look at the log of the web service, and at its way to "
			"the store of the user's pool"},
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

/* What the server says of itself beside the finding. */
static const char *fix_for_refusal(const struct cmi_phone_result *p)
{
	static const struct {
		const char *reason, *fix;
	} rows[] = {
		{"NonUniqueUser",
			"give each user a number or a PIN of his own; number "
			"and extension tell two of them apart"},
		{"PinNotUnique", "let one of the users choose another PIN"},
		{"PinNotSet", "set a PIN for the user"},
		{"PinExpired", "let the user set a new PIN"},
		{"PinNotEnabledForUser",
			"switch sign-in by PIN on (UsePinAuth)"},
		{"PinDoesNotMeetMinimumRequirements",
			"let the user set a PIN that meets the policy"},
		{"UserPinAccountDisabled", "enable the user's account"},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (strcmp(rows[i].reason, p->no.pin_reason) == 0)
			return rows[i].fix;
	if (strstr(p->no.reason, "data store"))
		return "look at the connection to the store of the user's pool";
	return fix_for(p->why);
}

static enum which step_of(const struct cmi_phone_result *p)
{
	switch (p->reached) {
	case CMI_PHONE_METADATA:
		return METADATA;
	case CMI_PHONE_TICKET:
		return TICKET;
	case CMI_PHONE_CERTIFICATE:
		return CERTIFICATE;
	case CMI_PHONE_REGISTER:
		return REGISTRATION;
	case CMI_PHONE_LOCATE:
	case CMI_PHONE_CHALLENGE:
	case CMI_PHONE_DOWNLOAD:
	case CMI_PHONE_CONNECT:
	case CMI_PHONE_DONE:
	case CMI_PHONE_FAILED:
		break;
	}
	return p->signed_in ? N_STEPS : CHAIN;
}

static void judge_chain(struct run *r)
{
	const struct cmi_phone_result *p = &r->result;

	if (p->issuer_from == CMI_FROM_SENT) {
		end(r, CHAIN, GOOD, NULL, "the whole chain is sent");
	} else if (p->issuer_from == CMI_FROM_ANCHOR) {
		end(r, CHAIN, GOOD, NULL, "issued by an anchor itself");
	} else {
		r->steps[CHAIN].why = CMI_F_MISSING_INTERMEDIATE;
		end(r, CHAIN, ODD, fix_for(CMI_F_MISSING_INTERMEDIATE),
			"the server does not send its issuer; it came from: %s",
			cmi_origin_name(p->issuer_from));
	}
}

static void say_sent(struct run *r, enum which stop)
{
	const char *server = r->t->phone.server;

	sent(r, CHAIN, "TLS hello to %.150s, port 443", server);
	if (stop >= METADATA)
		sent(r, METADATA,
			"GET https://%.100s" CMI_PATH_CERTPROV CMI_PATH_MEX,
			server);
	if (stop >= TICKET)
		sent(r, TICKET, "number and PIN to %.150s",
			r->result.ticket_url);
	if (stop >= CERTIFICATE)
		sent(r, CERTIFICATE,
			"GetAndPublishCert: a request for a fresh key, with "
			"the ticket");
	if (stop >= REGISTRATION)
		sent(r, REGISTRATION,
			"REGISTER by TLS-DSK with the new certificate");
}

static void judge_registration(struct run *r)
{
	const struct cmi_phone_result *p = &r->result;

	if (p->sts_elsewhere)
		end(r, REGISTRATION, ODD,
			"let option 43 and the registrar (sts-uri) name the "
			"same certificate service",
			"for %u s, but the registrar would have certificates "
			"from %.200s",
			p->registered_s, p->sts_uri);
	else
		end(r, REGISTRATION, GOOD, NULL,
			"for %u s; the registrar's signature is good",
			p->registered_s);
}

static void judge_sign_in(struct run *r)
{
	const struct cmi_phone_result *p = &r->result;
	enum which stop = step_of(p);

	say_sent(r, stop);
	if (stop > CHAIN)
		judge_chain(r);
	if (stop > METADATA)
		end(r, METADATA, p->metadata ? GOOD : ODD,
			"switch the service's metadata on", "%s",
			p->metadata ? p->ticket_url : "none (404)");
	if (stop > TICKET)
		end(r, TICKET, GOOD, NULL, "we are %s", p->sip);
	if (stop > CERTIFICATE)
		end(r, CERTIFICATE, GOOD, NULL, "%s",
			p->certificate->sha256_hex);
	if (stop > REGISTRATION)
		judge_registration(r);
	if (stop == N_STEPS)
		return;
	r->steps[stop].why = p->why;
	end(r, stop, BAD,
		p->why || p->no.id
			? fix_for_refusal(p)
			: "look whether the web service runs and whether a "
			  "firewall lets phones reach it",
		"%s%s%s", p->says, *p->diagnostics ? "; header " : "",
		p->diagnostics);
}

static cmend_status sign_in(struct run *r, cmend_error *err)
{
	struct cmi_phone_options o = r->t->phone;

	r->env = *cmi_env_system();
	r->env.event = hear;
	r->env.ctx = r;
	o.net.env = &r->env;
	o.leave = true;
	begin(r, CHAIN);
	CMI_TRY(cmi_phone_sign_in(&o, &r->result, err));
	judge_sign_in(r);
	for (int w = CHAIN; w < N_STEPS; w++)
		note(r, (enum which)w);
	return CMEND_OK;
}

static cmend_status on_the_wire(struct run *r, cmend_error *err)
{
	bool own_dir = !r->t->phone.state_dir;

	CMI_TRY(try_port80(r, err));
	note(r, PORT80);
	/* Out of the box, unless a phone's memory was given: what the
	 * download left behind must not hide that the server sends too
	 * little. */
	cmi_demo_forget(r->dir);
	if (own_dir)
		r->t->phone.state_dir = r->dir;
	return sign_in(r, err);
}

static bool find_server(struct run *r)
{
	bool found = discover(r);

	note(r, DISCOVERY);
	if (!found)
		return false;
	look_up_names(r);
	note(r, NAMES);
	found = resolve(r);
	note(r, NAME);
	if (!found)
		return false;
	look_at_clock(r);
	note(r, CLOCK);
	return true;
}

static cmend_status run_steps(struct run *r, cmend_error *err)
{
	for (size_t i = 0; i < N_STEPS; i++)
		r->steps[i].verdict = SKIPPED;
	if (!find_server(r))
		return CMEND_OK;
	snprintf(r->dir, sizeof(r->dir), "/tmp/chainmend-test-XXXXXX");
	if (!mkdtemp(r->dir))
		return cmi_fail(err, CMEND_IO, "cannot make \"%s\"", r->dir);
	return on_the_wire(r, err);
}

static cmend_status run_captured(struct run *r, cmend_error *err)
{
	struct cmi_phone_test *t = r->t;
	cmend_status status, closed;

	if (!t->capture)
		return run_steps(r, err);
	CMI_TRY(cmi_demo_tap_open(t->capture, &r->tap, err));
	t->phone.net.tap = t->dhcp.tap = t->dns.tap = cmi_demo_tap_of(r->tap);
	status = run_steps(r, err);
	closed = cmi_demo_tap_close(CMI_TAKE(r->tap), status ? NULL : err);
	return status ? status : closed;
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
		cmi_json_cstr(&j, "sent", *s->sent ? s->sent : NULL);
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
		if (*s->sent)
			fprintf(out, "%-12s sent: %s\n", "", s->sent);
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
			[NAMES] = {.name = "dns"},
			[NAME] = {.name = "name"},
			[CLOCK] = {.name = "clock"},
			[PORT80] = {.name = "port 80"},
			[CHAIN] = {.name = "chain"},
			[METADATA] = {.name = "metadata"},
			[TICKET] = {.name = "ticket"},
			[CERTIFICATE] = {.name = "certificate"},
			[REGISTRATION] = {.name = "registration"}}};
	cmend_error err = {0};
	cmend_status status = run_captured(&r, &err);
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
