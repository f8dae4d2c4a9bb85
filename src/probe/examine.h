/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sent chain, judged by every kind of client at once, as one item.
 *
 * The chain comes from a probe or from a file.  The verdict is that of the
 * plain client, which trusts the given roots and fetches nothing; profiles
 * stand beside it.  What we know ourselves (kept, fetched, pooled issuers)
 * serves to say what is missing, and for clients that fetch.
 */
#ifndef CMI_PROBE_EXAMINE_H
#define CMI_PROBE_EXAMINE_H

#include "core/env.h"
#include "explain/judge.h"
#include "explain/profiles.h"
#include "probe/dial.h"

/* Ways to ask a server in which it may send another chain. */
enum cmi_variant {
	CMI_VARIANT_NO_SNI,
	CMI_VARIANT_TLS12, /* nothing above */
	CMI_VARIANT_TLS10, /* nothing above 1.1 */
	CMI_VARIANT_RSA,
	CMI_VARIANT_ECDSA,
	CMI_VARIANTS
};

/* What came of asking in one of them. */
struct cmi_variant_chain {
	bool asked;
	bool refused;                 /* the server would not */
	bool unanswered;              /* it said nothing, or was not reached */
	struct cmi_cert *const *sent; /* NULL where malformed */
	size_t n_sent;                /* 0: not known */
};

struct cmi_examine_request {
	const char *target;  /* as people know it */
	const char *address; /* where it was reached; or NULL */
	const char *starttls;
	uint16_t version, cipher; /* 0: not known (a file) */
	const struct cmi_item_cert *sent;
	size_t n_sent;
	/* CMI_VARIANTS of them, for clients that ask in another way; or NULL.
	 * They must outlive the examination. */
	const struct cmi_variant_chain *variants;
	const char *host;              /* NULL: no name check */
	const struct cmi_trust *trust; /* of the plain client */
	enum cmi_policy policy;        /* its rules; profiles have their own */
	const struct cmi_profile *const *profiles;
	size_t n_profiles;
	bool profiles_only; /* the plain verdict is told and does not count */
	/* Every root at hand: for clients whose list is not public. */
	const struct cmi_trust *any_trust;
	const struct cmi_source *const *known; /* cheap first */
	size_t n_known;
	int64_t at_s;
	unsigned warn_days; /* a client that refuses so soon is a warning */
	/* Findings of the handshake itself or of the key file; they come
	 * behind those of the chain. */
	const struct cmi_finding *more;
	size_t n_more;
	const struct cmi_env *env;
};

struct cmi_examined {
	enum cmi_finding_id verdict; /* of the plain client */
	bool refused;                /* by a client that counts */
	bool warned;                 /* there is a warning */
	int64_t until_s;             /* as in cmi_item_endpoint */
};

/* The item goes to the sink, borrowed as ever. */
cmend_status cmi_examine(const struct cmi_examine_request *request,
	const struct cmi_item_sink *sink, struct cmi_examined *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* In two steps, for chains that many endpoints share: judged once, told often.
 * The object keeps the certificates; the request's strings, profiles and
 * sources must outlive it, and so must the bytes of malformed ones. */
struct cmi_examination;
cmend_status cmi_examination_new(const struct cmi_examine_request *request,
	struct cmi_examination **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Whom one telling is about. */
struct cmi_examine_where {
	const char *target;
	const char *address;           /* or NULL */
	const struct cmi_finding *own; /* of this endpoint alone; or NULL */
};
cmend_status cmi_examination_tell(struct cmi_examination *x,
	const struct cmi_examine_where *where, const struct cmi_item_sink *sink,
	struct cmi_examined *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_examination_free(struct cmi_examination *x);

/* The same for a handshake that brought no chain, or no connection at all:
 * says why, or the server's alert does.  address: or NULL. */
cmend_status cmi_examine_none(const char *target, const char *address,
	const char *says, const struct cmi_dialed *dialed, int64_t at_s,
	const struct cmi_item_sink *sink, cmend_error *err)
	__attribute__((warn_unused_result));

/* Findings that the handshake itself gives: how the server took it that a
 * client's certificate came, or none.  Appended while there is room. */
void cmi_examine_handshake(const struct cmi_dialed *dialed,
	struct cmi_finding *list, size_t *n, size_t room);

/* The certificates of a dialled endpoint, parsed; NULL where malformed.
 * Dispose with cmi_sent_dispose. */
struct cmi_sent {
	struct cmi_item_cert certs[CMI_SENT_CERTS_MAX];
	struct cmi_cert *owned[CMI_SENT_CERTS_MAX];
	size_t n;
};
cmend_status cmi_sent_take(
	const struct cmi_dialed *dialed, struct cmi_sent *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_sent_dispose(struct cmi_sent *s);

#endif
