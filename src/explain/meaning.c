/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/meaning.h"

#include <string.h>

#include "explain/phrase.h"

#define MEANING_ARENA_MAX ((size_t)128 << 10)

/* RFC 8446 section 6.2, and RFC 5246 section 7.2.2. */
enum alert {
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_NO_CERTIFICATE = 41,
	ALERT_BAD_CERTIFICATE = 42,
	ALERT_UNSUPPORTED_CERTIFICATE = 43,
	ALERT_CERTIFICATE_REVOKED = 44,
	ALERT_CERTIFICATE_EXPIRED = 45,
	ALERT_CERTIFICATE_UNKNOWN = 46,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_UNKNOWN_CA = 48,
	ALERT_ACCESS_DENIED = 49,
	ALERT_DECODE_ERROR = 50,
	ALERT_DECRYPT_ERROR = 51,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INSUFFICIENT_SECURITY = 71,
	ALERT_INAPPROPRIATE_FALLBACK = 86,
	ALERT_MISSING_EXTENSION = 109,
	ALERT_UNSUPPORTED_EXTENSION = 110,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_CERTIFICATE_REQUIRED = 116,
};

void cmi_finding_frame(struct cmi_finding *f, uint64_t frame)
{
	if (!frame || f->n_frames == CMI_FINDING_FRAMES_MAX)
		return;
	for (size_t i = 0; i < f->n_frames; i++)
		if (f->frames[i] == frame)
			return;
	f->frames[f->n_frames++] = frame;
}

struct cmi_finding *cmi_meaning_add(struct cmi_meaning *m, struct cmi_finding f)
{
	if (m->n_findings == CMI_FINDINGS_MAX)
		return NULL;
	if (f.blame == CMI_BLAME_NONE)
		f.blame = cmi_finding_text(f.id)->blame;
	m->findings[m->n_findings] = f;
	return &m->findings[m->n_findings++];
}

struct cmi_finding *cmi_meaning_find(
	struct cmi_meaning *m, enum cmi_finding_id id)
{
	for (size_t i = 0; i < m->n_findings; i++)
		if (m->findings[i].id == id)
			return &m->findings[i];
	return NULL;
}

static const char *alert_name(const struct cmi_seen_alert *a)
{
	const char *name = cmi_tls_alert_name(a->code);

	return name ? name : "of an unknown kind";
}

/* "; the client answered with the fatal alert unknown_ca" */
static const char *how_it_ended(struct cmi_meaning *m)
{
	const struct cmi_behaviour *b = &m->behaviour;

	if (!b->alert && (b->ending == CMI_END_CLIENT_ALERT ||
				 b->ending == CMI_END_SERVER_ALERT))
		return "";
	switch (b->ending) {
	case CMI_END_CLIENT_ALERT:
		return cmi_phrase(&m->arena,
			"the client ended it with the alert %s (%u)",
			alert_name(b->alert), b->alert->code);
	case CMI_END_SERVER_ALERT:
		return cmi_phrase(&m->arena,
			"the server ended it with the alert %s (%u)",
			alert_name(b->alert), b->alert->code);
	case CMI_END_UNUSED:
		return "the client finished the handshake and closed without "
		       "sending a byte of data";
	case CMI_END_OPEN:
		return "the client finished the handshake, and whether it went "
		       "on is not in the capture";
	case CMI_END_CLIENT_DARK:
		if (m->c->transport == CMI_QUIC)
			return "the client fell silent behind the server's "
			       "certificate";
		return "the client ended it with an encrypted record of the "
		       "size of an alert";
	case CMI_END_SERVER_DARK:
		return "the server ended it with an encrypted record of the "
		       "size of an alert";
	case CMI_END_CLIENT_CLOSED:
		return "the client closed the connection without an alert";
	case CMI_END_SERVER_CLOSED:
		return "the server closed the connection without an alert";
	case CMI_END_USED:
		return "the client went on";
	case CMI_END_NOT_SEEN:
		break;
	}
	return "the end is not in the capture";
}

/* Take over the chain's findings, frames filled in. */
static void take_chain(struct cmi_meaning *m, bool harmless)
{
	const struct cmi_judgement *j = m->judged;

	for (size_t i = 0; j && i < j->n_findings; i++) {
		struct cmi_finding *f = cmi_meaning_add(m, j->findings[i]);
		int about = j->about[i];

		if (!f)
			return;
		if (about >= 0 && (size_t)about < m->c->tls->n_certs)
			cmi_finding_frame(f, m->c->tls->certs[about].frame);
		else if (about >= 0)
			cmi_finding_frame(f, m->c->tls->certificate_frame);
		if (harmless && f->severity == CMI_SEVERITY_ERROR)
			f->severity = CMI_SEVERITY_WARNING;
	}
}

static void put_first(struct cmi_meaning *m, struct cmi_finding *f)
{
	struct cmi_finding first = *f;

	memmove(m->findings + 1, m->findings,
		(size_t)(f - m->findings) * sizeof(*f));
	m->findings[0] = first;
}

static void fail_with(struct cmi_meaning *m, struct cmi_finding *f)
{
	put_first(m, f);
	f = &m->findings[0];
	f->severity = CMI_SEVERITY_ERROR;
	cmi_finding_frame(f, m->behaviour.frame);
	m->verdict = f->id;
	m->blame = f->blame;
	if (m->outcome != CMI_DARK)
		m->outcome = CMI_FAILED;
}

/* A verdict that is not the chain's. */
static void fail_otherwise(struct cmi_meaning *m, enum cmi_finding_id id,
	bool inferred, const char *why)
{
	struct cmi_finding *f, new = {.id = id, .inferred = inferred};
	const char *end = how_it_ended(m);

	new.says = why ? cmi_phrase(&m->arena, "%s: %s", end, why) : end;
	if (m->n_findings == CMI_FINDINGS_MAX)
		m->n_findings--;
	f = cmi_meaning_add(m, new);
	fail_with(m, f);
}

/* The client refused a chain that we refuse too.  Where the alert names a
 * finding that is there, that one is the verdict. */
static void fail_by_chain(struct cmi_meaning *m)
{
	static const enum cmi_finding_id dates[] = {CMI_F_EXPIRED_LEAF,
		CMI_F_EXPIRED_INTERMEDIATE, CMI_F_EXPIRED_ROOT,
		CMI_F_NOT_YET_VALID};
	struct cmi_finding *f = &m->findings[0], *date = NULL;
	const struct cmi_seen_alert *a = m->behaviour.alert;

	for (size_t i = 0; i < CMI_LEN(dates) && !date; i++)
		date = cmi_meaning_find(m, dates[i]);
	if (a && a->code == ALERT_CERTIFICATE_EXPIRED && date)
		f = date;
	f->says = cmi_phrase(
		&m->arena, "%s; %s", f->says ? f->says : "", how_it_ended(m));
	fail_with(m, f);
}

/* The client refused what a client with these anchors accepts. */
static void fail_against_chain(struct cmi_meaning *m)
{
	const struct cmi_seen_alert *a = m->behaviour.alert;

	switch (a ? a->code : 0) {
	case ALERT_CERTIFICATE_EXPIRED:
		fail_otherwise(m, CMI_F_CLOCK_WRONG, true,
			"by the capture's clock everything sent is valid");
		return;
	case ALERT_CERTIFICATE_REVOKED:
		fail_otherwise(m, CMI_F_REVOKED, false, NULL);
		return;
	case ALERT_UNSUPPORTED_CERTIFICATE:
		fail_otherwise(m, CMI_F_UNSUPPORTED_SIGNATURE, true, NULL);
		return;
	case ALERT_UNKNOWN_CA:
		fail_otherwise(m, CMI_F_UNTRUSTED_ROOT, true,
			"it lacks the root that ends this chain, while a "
			"client with the anchors judged for accepts it");
		return;
	default:
		fail_otherwise(m, CMI_F_CLIENT_CLOSED, true,
			"a client with the anchors judged for accepts the "
			"chain, so this one has other anchors, another clock "
			"or stricter rules");
	}
}

/* Alerts that speak of records and messages, not of certificates. */
static bool is_about_protocol(uint8_t code)
{
	return code == ALERT_UNEXPECTED_MESSAGE ||
	       (code >= ALERT_BAD_RECORD_MAC &&
		       code <= ALERT_RECORD_OVERFLOW) ||
	       code == ALERT_ILLEGAL_PARAMETER || code == ALERT_DECODE_ERROR ||
	       code == ALERT_DECRYPT_ERROR || code == ALERT_PROTOCOL_VERSION ||
	       code == ALERT_INAPPROPRIATE_FALLBACK ||
	       code == ALERT_MISSING_EXTENSION ||
	       code == ALERT_UNSUPPORTED_EXTENSION;
}

static void certificates_not_seen(struct cmi_meaning *m)
{
	const struct cmi_seen_alert *a = m->behaviour.alert;

	if (!m->behaviour.dark) {
		fail_otherwise(m,
			m->c->tls->gap_bytes || m->c->tls->has_server_hello
				? CMI_F_HANDSHAKE_CUT
				: CMI_F_CLIENT_CLOSED,
			true, "the certificates are not in the capture");
		return;
	}
	fail_otherwise(m, CMI_F_ENCRYPTED_HANDSHAKE, true,
		a && a->code == ALERT_UNKNOWN_CA
			? "it found no path to a root that it trusts; whether "
			  "an intermediate is missing or the root is unknown "
			  "stands in the encrypted certificates"
			: "why stands in the encrypted certificates");
}

static void client_refused(struct cmi_meaning *m)
{
	const struct cmi_seen_alert *a = m->behaviour.alert;
	const struct cmi_tls_seen *t = m->c->tls;

	if (a && (a->code == ALERT_PROTOCOL_VERSION ||
			 a->code == ALERT_INAPPROPRIATE_FALLBACK)) {
		fail_otherwise(m, CMI_F_PROTOCOL_VERSION, false, NULL);
	} else if (a && is_about_protocol(a->code)) {
		fail_otherwise(m, CMI_F_CLIENT_CLOSED, false,
			"it objects to the protocol, not to the chain");
	} else if (!m->judged && a && a->code == ALERT_HANDSHAKE_FAILURE &&
		   t->has_server_hello && !t->has_certificate &&
		   !m->behaviour.dark) {
		fail_otherwise(m, CMI_F_NO_SHARED_CIPHER, true, NULL);
	} else if (!m->judged) {
		certificates_not_seen(m);
	} else if (!m->judged->accepted) {
		fail_by_chain(m);
	} else {
		fail_against_chain(m);
	}
}

/* The server asked for a certificate; how did that go? */
static bool fail_by_client_certificate(struct cmi_meaning *m, bool inferred)
{
	const struct cmi_tls_seen *t = m->c->tls;

	if (!t->client_cert_requested)
		return false;
	fail_otherwise(m,
		t->n_client_certs ? CMI_F_CLIENT_CERTIFICATE_REFUSED
				  : CMI_F_CLIENT_CERTIFICATE_WANTED,
		inferred,
		t->n_client_certs ? "it had asked for a client certificate "
				    "and got one"
				  : "it had asked for a client certificate "
				    "and got none");
	return true;
}

static bool has_ecdhe_only(const struct cmi_tls_seen *t)
{
	for (size_t i = 0; i < t->n_client_ciphers; i++) {
		const char *name = cmi_tls_cipher_name(t->client_ciphers[i]);

		if (name && strncmp(name, "TLS_ECDH", 8) != 0 &&
			strstr(name, "_WITH_"))
			return false;
	}
	return t->n_client_ciphers > 0;
}

/* Was there a ServerHello, or may there have been one in what is missing? */
static bool server_answered(const struct cmi_tls_seen *t)
{
	return t->has_server_hello || t->server_gap;
}

static void server_refused_hello(struct cmi_meaning *m)
{
	const struct cmi_tls_seen *t = m->c->tls;

	if (t->hello_retry || (has_ecdhe_only(t) && t->n_client_groups == 1))
		fail_otherwise(m, CMI_F_NO_SHARED_GROUP, true, NULL);
	else
		fail_otherwise(m, CMI_F_NO_SHARED_CIPHER, true,
			"nothing that the client offered suits it");
}

static void server_alert(struct cmi_meaning *m)
{
	const struct cmi_tls_seen *t = m->c->tls;
	uint8_t code = m->behaviour.alert->code;

	switch (code) {
	case ALERT_PROTOCOL_VERSION:
	case ALERT_INAPPROPRIATE_FALLBACK:
		fail_otherwise(m, CMI_F_PROTOCOL_VERSION, false, NULL);
		return;
	case ALERT_INSUFFICIENT_SECURITY:
		fail_otherwise(m, CMI_F_NO_SHARED_CIPHER, false, NULL);
		return;
	case ALERT_CERTIFICATE_REQUIRED:
		fail_otherwise(m, CMI_F_CLIENT_CERTIFICATE_WANTED, false, NULL);
		return;
	case ALERT_UNRECOGNIZED_NAME:
		fail_otherwise(m, CMI_F_NAME_MISMATCH, false,
			"it serves no such name");
		return;
	case ALERT_HANDSHAKE_FAILURE:
		if (fail_by_client_certificate(m, true))
			return;
		if (t->hello_retry || !server_answered(t)) {
			server_refused_hello(m);
			return;
		}
		break;
	case ALERT_NO_CERTIFICATE:
	case ALERT_BAD_CERTIFICATE:
	case ALERT_UNSUPPORTED_CERTIFICATE:
	case ALERT_CERTIFICATE_REVOKED:
	case ALERT_CERTIFICATE_EXPIRED:
	case ALERT_CERTIFICATE_UNKNOWN:
	case ALERT_UNKNOWN_CA:
	case ALERT_ACCESS_DENIED:
		if (fail_by_client_certificate(m, false))
			return;
		break;
	default:
		break;
	}
	fail_otherwise(m, CMI_F_SERVER_CLOSED, false, NULL);
}

static void client_closed(struct cmi_meaning *m)
{
	const struct cmi_tls_seen *t = m->c->tls;

	if (m->judged || m->behaviour.dark) {
		client_refused(m);
		return;
	}
	m->outcome = CMI_CUT;
	cmi_meaning_add(
		m, (struct cmi_finding){
			   .id = server_answered(t) ? CMI_F_HANDSHAKE_CUT
						    : CMI_F_CLIENT_CLOSED,
			   .severity = CMI_SEVERITY_WARNING,
			   .says = how_it_ended(m),
			   .frames = {m->behaviour.frame},
			   .n_frames = m->behaviour.frame != 0,
		   });
}

static void not_seen(struct cmi_meaning *m)
{
	m->outcome = m->behaviour.dark && m->outcome == CMI_DARK ? CMI_DARK
								 : CMI_CUT;
	if (m->outcome == CMI_CUT)
		cmi_meaning_add(m,
			(struct cmi_finding){
				.id = CMI_F_HANDSHAKE_CUT,
				.severity = CMI_SEVERITY_WARNING,
				.says = m->c->tls->gap_bytes
						? "bytes of the handshake are "
						  "missing from the capture"
						: "the capture ends before "
						  "the handshake does",
			});
}

static void server_closed(struct cmi_meaning *m)
{
	const struct cmi_tls_seen *t = m->c->tls;

	/* Closing after a client's silent dislike is common: the chain is
	 * the better witness where the client never went on after it. */
	if (m->judged && !m->judged->accepted && !t->client_finished)
		fail_by_chain(m);
	else if (t->server_gap && !m->judged)
		not_seen(m); /* it may have been the end of a good talk */
	else if (!fail_by_client_certificate(m, true))
		fail_otherwise(m, CMI_F_SERVER_CLOSED, false,
			t->has_server_hello ? NULL
					    : "it did not answer with TLS");
}

/* Finished and never used: clients that look at the chain only afterwards
 * refuse it like that; so do those that only wanted to try. */
static void unused(struct cmi_meaning *m)
{
	if (m->judged && !m->judged->accepted && !m->helped)
		fail_by_chain(m);
	else if (m->behaviour.dark)
		cmi_meaning_add(
			m, (struct cmi_finding){
				   .id = CMI_F_ENCRYPTED_HANDSHAKE,
				   .severity = CMI_SEVERITY_WARNING,
				   .inferred = true,
				   .says = cmi_phrase(&m->arena,
					   "%s, as clients do that refuse a "
					   "chain after the handshake; the "
					   "certificates are encrypted",
					   how_it_ended(m)),
				   .frames = {m->behaviour.frame},
				   .n_frames = m->behaviour.frame != 0,
			   });
}

/* Went on, or nobody knows. */
static void went_on(struct cmi_meaning *m)
{
	struct cmi_finding *f;
	const char *how = "this client went on all the same: it has more at "
			  "hand than was judged for, or does not verify";

	if (!m->judged || m->judged->accepted || m->n_findings == 0)
		return;
	if (m->behaviour.ending == CMI_END_OPEN)
		how = how_it_ended(m);
	else if (m->c->tls->srtp)
		how = "this handshake gives keys to SRTP, whose clients hold a "
		      "certificate to the fingerprint that came with the call "
		      "(RFC 8827)";
	f = &m->findings[0];
	f->says = cmi_phrase(&m->arena, "%s; %s", f->says ? f->says : "", how);
	if (m->c->tls->srtp)
		f->remedy = "Nothing, where clients hold it to the fingerprint "
			    "of the call; else a certificate from a CA that "
			    "they trust.";
}

/* What an encrypted handshake leaves to be said. */
static void note_dark(struct cmi_meaning *m)
{
	if (!m->behaviour.dark ||
		cmi_meaning_find(m, CMI_F_ENCRYPTED_HANDSHAKE))
		return;
	cmi_meaning_add(m, (struct cmi_finding){
				   .id = CMI_F_ENCRYPTED_HANDSHAKE,
				   .severity = CMI_SEVERITY_INFO,
				   .says = "the certificates are encrypted, "
					   "and no secrets are at hand",
			   });
}

void cmi_meaning_init(struct cmi_meaning *m, const struct cmi_conversation *c,
	const struct cmi_judgement *judged, bool helped)
{
	m->c = c;
	m->judged = judged;
	m->helped = helped;
	m->behaviour = cmi_behaviour_of(c);
	m->outcome = c->tls->outcome;
	m->verdict = CMI_F_NONE;
	m->blame = CMI_BLAME_NONE;
	m->n_findings = 0;
	cmi_arena_init(&m->arena, MEANING_ARENA_MAX);
	m->arena.block = 960; /* a sentence or two, and often none */
	take_chain(m, helped || m->behaviour.ending == CMI_END_USED ||
			      m->behaviour.ending == CMI_END_OPEN ||
			      m->behaviour.ending == CMI_END_NOT_SEEN);
	switch (m->behaviour.ending) {
	case CMI_END_USED:
	case CMI_END_OPEN:
		went_on(m);
		break;
	case CMI_END_UNUSED:
		unused(m);
		break;
	case CMI_END_CLIENT_ALERT:
	case CMI_END_CLIENT_DARK:
		client_refused(m);
		break;
	case CMI_END_SERVER_ALERT:
		server_alert(m);
		break;
	case CMI_END_SERVER_DARK:
		fail_otherwise(m, CMI_F_SERVER_CLOSED, true, NULL);
		break;
	case CMI_END_CLIENT_CLOSED:
		client_closed(m);
		break;
	case CMI_END_SERVER_CLOSED:
		server_closed(m);
		break;
	case CMI_END_NOT_SEEN:
		not_seen(m);
		break;
	}
	note_dark(m);
}

void cmi_meaning_dispose(struct cmi_meaning *m)
{
	cmi_arena_dispose(&m->arena);
}
