/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document model: what a report consists of, one item after the other.
 *
 * explain/ and probe/ make items, report/ writes each as text, NDJSON or HTML
 * and never looks behind it.  Items and all they point to are borrowed: valid
 * only during the sink's call.  Every char pointer is safe text (it went
 * through cmi_safe_text) and still has to be escaped for its medium.
 */
#ifndef CMI_EXPLAIN_ITEM_H
#define CMI_EXPLAIN_ITEM_H

#include "chain/path.h"
#include "explain/findings.h"
#include "wire/conversation.h"

/* Frames named as evidence for one finding. */
#define CMI_FINDING_FRAMES_MAX 8

struct cmi_finding {
	enum cmi_finding_id id;
	enum cmi_severity severity;
	enum cmi_blame blame;
	bool inferred;       /* follows from likelihood, not from proof */
	const char *subject; /* the certificate, host or URL; or NULL */
	const char *says;    /* one sentence without a full stop */
	const char *remedy;  /* NULL: the table's */
	uint64_t frames[CMI_FINDING_FRAMES_MAX];
	size_t n_frames;
};

struct cmi_item_cert {
	const struct cmi_cert *cert; /* NULL: malformed */
	struct cmi_bytes der;        /* as sent */
	uint64_t frame;              /* 0: none */
};

/* How one kind of client takes it. */
struct cmi_item_profile {
	const char *profile;
	const char *title; /* for people; or NULL */
	bool accepts;
	bool unknown; /* not enough is known of it; accepts is false */
	enum cmi_finding_id why;   /* CMI_F_NONE where it accepts */
	const char *says;          /* or NULL */
	const char *help;          /* what would make it accept; or NULL */
	int64_t until_s;           /* it accepts up to then; 0: not known */
	const char *until_subject; /* whose end that is; or NULL */
};

/* Which of two captures something belongs to; BOTH also where there is only
 * one. */
enum cmi_step_side { CMI_STEP_BOTH, CMI_STEP_GOOD, CMI_STEP_BAD };
const char *cmi_step_side_name(enum cmi_step_side s);

/* One TLS handshake with its meaning. */
struct cmi_item_handshake {
	const struct cmi_conversation *c; /* kind CMI_CONV_TLS */
	enum cmi_outcome outcome;         /* after looking at behaviour too:
					   * may differ from c->tls->outcome */
	const char *sni;                  /* or NULL */
	const struct cmi_item_cert *certs;
	size_t n_certs;
	const struct cmi_item_cert *client_certs;
	size_t n_client_certs;
	enum cmi_finding_id verdict;        /* CMI_F_NONE: nothing failed */
	enum cmi_blame blame;               /* of the verdict */
	const struct cmi_finding *findings; /* the verdict's first */
	size_t n_findings;
	const struct cmi_item_profile *profiles;
	size_t n_profiles;
	/* The best path for the judged client; NULL: none was looked for. */
	const struct cmi_path *path;
	bool path_has_anchor;
	enum cmi_step_side side; /* in a comparison */
};

/* What an HTTP answer brought. */
enum cmi_carries {
	CMI_CARRIES_NOTHING,
	CMI_CARRIES_ISSUER, /* by an AIA caIssuers URL, .cer, .p7c ... */
	CMI_CARRIES_CHAIN,  /* a device's chain download */
	CMI_CARRIES_OCSP,
	CMI_CARRIES_CRL,
};
/* "issuer", "chain", "ocsp", "crl"; NULL for nothing. */
const char *cmi_carries_name(enum cmi_carries c);

struct cmi_item_http {
	const struct cmi_conversation *c; /* kind CMI_CONV_HTTP */
	const char *method, *url, *type;  /* or NULL */
	enum cmi_carries carries;
	bool asked_for_issuer; /* by its address or type */
	bool chain_address;    /* a device's chain download, by address */
	struct cmi_cert *const *certs;
	size_t n_certs;
};

struct cmi_item_dns {
	const struct cmi_conversation *c;
	const char *name;
};

/* DHCP and bare TCP records need no more than themselves. */
struct cmi_item_other {
	const struct cmi_conversation *c;
};

/* A device's own word about one of its steps. */
struct cmi_item_told {
	const struct cmi_conversation *c; /* kind CMI_CONV_TOLD */
	const char *step, *result, *says;
	enum cmi_step_side side; /* in a comparison */
};

/* One rung of two ladders side by side. */
struct cmi_item_step {
	enum cmi_step_side side;
	const char *event;   /* stable word: "dhcp", "name", "connect",
			      * "request", "answer", "client-hello" ... */
	const char *text[2]; /* what happened, good and bad; NULL: nothing */
	const char *note;    /* why it matters; or NULL */
	/* Who did it to whom: 0 the client, 1 the server, 2 the place that
	 * issuers or chains come from, 3 the network's own services. */
	uint8_t from, to;
	uint64_t frame[2];      /* good, bad; 0: none */
	bool diverges;          /* here the two part */
	bool consequence;       /* follows from the parting */
	enum cmi_severity tone; /* how the step should look */
};

struct cmi_remedy {
	const char *title;
	const char *says;
	enum cmi_blame who; /* has to do it */
	bool workaround;    /* helps for now, or only some */
};

struct cmi_item_divergence {
	bool parted; /* else the two did the same, or nothing failed */
	bool bad_failed;
	const char *good_name, *bad_name; /* captures, as given; or NULL */
	uint64_t good_frame, bad_frame;   /* 0: nothing there */
	enum cmi_finding_id verdict;      /* of the bad one */
	enum cmi_finding_id cause;        /* behind the verdict; or NONE */
	bool inferred;                    /* the verdict is */
	const char *says;
	const char *const *consequences;
	size_t n_consequences;
	const struct cmi_remedy *remedies; /* best first */
	size_t n_remedies;
};

struct cmi_item_endpoint {
	const char *target;  /* as the user knows it, "host:port" */
	const char *address; /* where it was reached; or NULL */
	const char *starttls;
	uint16_t version, cipher;
	const struct cmi_item_cert *sent;
	size_t n_sent;
	const struct cmi_path *path; /* or NULL */
	bool path_has_anchor;
	enum cmi_finding_id verdict;
	const struct cmi_finding *findings;
	size_t n_findings;
	const struct cmi_item_profile *profiles;
	size_t n_profiles;
	int64_t at_us;
	const char *trouble; /* no chain could be had: why; or NULL */
	/* The first day on which a client that accepts now will no longer do
	 * so: the client, and the certificate that ends; 0: not known. */
	int64_t until_s;
	const char *until_profile; /* or NULL: the plain client */
	const char *until_subject;
};

struct cmi_item_summary {
	uint64_t packets, bytes, handshakes, failed, dark, cut, given_up;
	uint64_t notes; /* places where a capture was damaged */
	double seconds; /* the work took; < 0: not measured */
};

enum cmi_item_kind {
	CMI_ITEM_HANDSHAKE,
	CMI_ITEM_HTTP,
	CMI_ITEM_DNS,
	CMI_ITEM_DHCP,
	CMI_ITEM_TCP,
	CMI_ITEM_TOLD,
	CMI_ITEM_STEP,
	CMI_ITEM_DIVERGENCE,
	CMI_ITEM_ENDPOINT,
	CMI_ITEM_SUMMARY,
};
/* The "kind" of the NDJSON line. */
const char *cmi_item_kind_name(enum cmi_item_kind k);

struct cmi_item {
	enum cmi_item_kind kind;
	union {
		const struct cmi_item_handshake *handshake;
		const struct cmi_item_http *http;
		const struct cmi_item_dns *dns;
		const struct cmi_item_other *other;
		const struct cmi_item_told *told;
		const struct cmi_item_step *step;
		const struct cmi_item_divergence *divergence;
		const struct cmi_item_endpoint *endpoint;
		const struct cmi_item_summary *summary;
	};
};

struct cmi_item_sink {
	cmend_status (*take)(
		void *ctx, const struct cmi_item *item, cmend_error *err);
	void *ctx;
};

/* A certificate's place among those sent, from 1; 0: not sent. */
size_t cmi_endpoint_sent_place(
	const struct cmi_item_endpoint *e, const struct cmi_cert *c);
bool cmi_endpoint_on_path(
	const struct cmi_item_endpoint *e, const struct cmi_cert *c);

/* What else of a handshake is worth a word, such as "ocsp-stapled": the next
 * one from *at on; NULL: no more. */
const char *cmi_item_noted(const struct cmi_tls_seen *t, size_t *at);

#endif
