/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stable ids of all findings.  Any floor may name one; what each means,
 * its RFC section and remedy stand in explain/findings.
 */
#ifndef CMI_CORE_FINDING_ID_H
#define CMI_CORE_FINDING_ID_H

#include "core/mem.h"

/* X(enumerator, id): the order is stable, new ones come at the end. */
#define CMI_FINDINGS(X)                                                        \
	X(MISSING_INTERMEDIATE, "missing-intermediate")                        \
	X(UNTRUSTED_ROOT, "untrusted-root")                                    \
	X(UNTRUSTED_ROOT_DOWNLOADED, "untrusted-root-downloaded")              \
	X(SELF_SIGNED_LEAF, "self-signed-leaf")                                \
	X(WRONG_ORDER, "wrong-order")                                          \
	X(UNNEEDED_CERTIFICATE, "unneeded-certificate")                        \
	X(ROOT_SENT, "root-sent")                                              \
	X(UNRELATED_CERTIFICATE, "unrelated-certificate")                      \
	X(EXPIRED_LEAF, "expired-leaf")                                        \
	X(EXPIRED_INTERMEDIATE, "expired-intermediate")                        \
	X(EXPIRED_ROOT, "expired-root")                                        \
	X(NOT_YET_VALID, "not-yet-valid")                                      \
	X(CLOCK_WRONG, "clock-wrong")                                          \
	X(NAME_MISMATCH, "name-mismatch")                                      \
	X(WILDCARD_UNSUPPORTED, "wildcard-unsupported")                        \
	X(NOT_A_CA, "not-a-ca")                                                \
	X(PATH_LENGTH, "path-length")                                          \
	X(NAME_CONSTRAINT, "name-constraint")                                  \
	X(WRONG_USAGE, "wrong-usage")                                          \
	X(POLICY, "policy")                                                    \
	X(WEAK_SIGNATURE, "weak-signature")                                    \
	X(WEAK_KEY, "weak-key")                                                \
	X(UNSUPPORTED_SIGNATURE, "unsupported-signature")                      \
	X(BAD_SIGNATURE, "bad-signature")                                      \
	X(MALFORMED_CERTIFICATE, "malformed-certificate")                      \
	X(DISTRUSTED_ROOT, "distrusted-root")                                  \
	X(AIA_ABSENT, "aia-absent")                                            \
	X(AIA_DEAD, "aia-dead")                                                \
	X(AIA_WRONG_CONTENT, "aia-wrong-content")                              \
	X(AIA_NOT_HTTP, "aia-not-http")                                        \
	X(AIA_REFUSED, "aia-refused")                                          \
	X(CHAIN_DOWNLOAD_SKIPPED, "chain-download-skipped")                    \
	X(CHAIN_DOWNLOAD_FAILED, "chain-download-failed")                      \
	X(CHAIN_DOWNLOAD_UNTRUSTED, "chain-download-untrusted")                \
	X(PROTOCOL_VERSION, "protocol-version")                                \
	X(NO_SHARED_CIPHER, "no-shared-cipher")                                \
	X(NO_SHARED_GROUP, "no-shared-group")                                  \
	X(CLIENT_CERTIFICATE_WANTED, "client-certificate-wanted")              \
	X(CLIENT_CERTIFICATE_REFUSED, "client-certificate-refused")            \
	X(REVOKED, "revoked")                                                  \
	X(SERVER_CLOSED, "server-closed")                                      \
	X(CLIENT_CLOSED, "client-closed")                                      \
	X(HANDSHAKE_CUT, "handshake-cut")                                      \
	X(ENCRYPTED_HANDSHAKE, "encrypted-handshake")                          \
	X(DHCP_OPTION_MISSING, "dhcp-option-missing")                          \
	X(DHCP_OPTION_TRUNCATED, "dhcp-option-truncated")                      \
	X(WRONG_HOST, "wrong-host")                                            \
	X(PIN_REFUSED, "pin-refused")                                          \
	X(PIN_LOCKED, "pin-locked")                                            \
	X(REGISTRAR_UNREACHABLE, "registrar-unreachable")                      \
	X(REGISTRATION_REFUSED, "registration-refused")                        \
	X(REGISTRAR_UNPROVEN, "registrar-unproven")                            \
	X(SEARCH_LIMIT, "search-limit")                                        \
	X(KEY_MISMATCH, "key-mismatch")                                        \
	X(EXPIRES_SOON, "expires-soon")                                        \
	X(CHAIN_VARIES, "chain-varies")                                        \
	X(ADDRESS_DIFFERS, "address-differs")                                  \
	X(CERTIFICATE_NOT_ISSUED, "certificate-not-issued")                    \
	X(COSTLY_KEY, "costly-key")                                            \
	X(SEARCH_DEPTH, "search-limit-depth")                                  \
	X(SEARCH_CANDIDATES, "search-limit-candidates")                        \
	X(SEARCH_SIGNATURES, "search-limit-signatures")                        \
	X(SEARCH_NAMES, "search-limit-names")                                  \
	X(SEARCH_TIME, "search-limit-time")                                    \
	X(WAY_UNANSWERED, "way-unanswered")

enum cmi_finding_id {
	CMI_F_NONE = 0,
#define CMI_FINDING_ENUM(name, id) CMI_F_##name,
	CMI_FINDINGS(CMI_FINDING_ENUM)
#undef CMI_FINDING_ENUM
		CMI_F_COUNT
};

/* "missing-intermediate"; NULL for CMI_F_NONE. */
const char *cmi_finding_name(enum cmi_finding_id id);
/* CMI_F_NONE where there is none by that name. */
enum cmi_finding_id cmi_finding_by_name(struct cmi_bytes name);

#endif
