/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every ceiling, with its reason.  docs/limits.md is made from this file by
 * tools/limits-doc: one define, one comment behind or before it.
 */
#ifndef CMI_CORE_LIMITS_H
#define CMI_CORE_LIMITS_H

/* No single allocation is larger: a hostile length cannot ask for more. */
#define CMI_ALLOC_MAX ((size_t)512 << 20)
/* A file read whole (bundle, profile, key log): far above real ones. */
#define CMI_FILE_MAX ((size_t)64 << 20)

/* One certificate: the TLS field allows 2^24-1; real ones are under 10 KiB. */
#define CMI_CERT_MAX ((size_t)64 << 10)
/* Certificates in one bundle, file or pool; CCADB lists about ten thousand. */
#define CMI_BUNDLE_CERTS_MAX ((size_t)50000)
/* CA certificates kept parsed by one pool: a public hierarchy has some
 * hundred in use. */
#define CMI_POOL_CERTS ((size_t)512)
/* Certificates in one handshake: real chains have under ten. */
#define CMI_SENT_CERTS_MAX ((size_t)16)
/* Bytes of one direction's handshake kept while it is open. */
#define CMI_HANDSHAKE_MAX ((size_t)256 << 10)
/* Alerts kept for one conversation; more are counted only. */
#define CMI_ALERTS_MAX ((size_t)8)

/* Path search: certificates from leaf to anchor, both counted. */
#define CMI_PATH_MAX ((size_t)20)
/* Pairs of a certificate and a possible issuer in one search: five thousand
 * CAs that cross-sign each other four times make eighty thousand. */
#define CMI_SEARCH_CANDIDATES_MAX 200000u
/* Steps up and down in one search, some tens of nanoseconds each. */
#define CMI_SEARCH_STEPS_MAX 20000u
/* Name constraint comparisons in one search; Go and webpki have the same. */
#define CMI_SEARCH_NAMES_MAX 250000u
/* Memory of one search without the certificates. */
#define CMI_SEARCH_BYTES_MAX ((size_t)16 << 20)
/* Certificates whose issuers one search asks the suppliers for. */
#define CMI_SEARCH_ASKS_MAX 1000u
/* Refusals kept of one search; more are not told. */
#define CMI_REFUSALS_MAX ((size_t)256)
/* Edges looked at to measure ways around a walk, some nanoseconds each. */
#define CMI_SEARCH_DETOUR_WORK_MAX 500000u
/* Milliseconds in one search and its verdicts together. */
#define CMI_SEARCH_MS 1000
/* Bits of an RSA public exponent: Go takes 31, BoringSSL 33, NSS 64, libcrypto
 * 64 above moduli of 3072 bits; none of CCADB's certificates has more than 32.
 * A check costs as much as the exponent is long: milliseconds, as 3072 bits. */
#define CMI_RSA_EXPONENT_BITS_MAX 64u
/* Signature checks in one search; 500 solves every known hostile mesh. */
#define CMI_SEARCH_SIGNATURES_MAX 500u
/* Good signatures from one refused path to the next: beyond that the search is
 * lost among cross-signs, whatever more it might find. */
#define CMI_SEARCH_ASTRAY_SIGNATURES_MAX 96u
/* Complete paths handed to libcrypto in one search. */
#define CMI_SEARCH_VERDICTS_MAX 200u

/* AIA: URLs tried for one certificate, as Chromium does. */
#define CMI_AIA_URLS_MAX 5u
/* AIA: body of one answer, decoded. */
#define CMI_AIA_BODY_MAX ((size_t)64 << 10)
/* AIA: certificates taken from one answer. */
#define CMI_AIA_CERTS_MAX 16u
/* AIA: steps up one chain. */
#define CMI_AIA_HOPS_MAX 5u
/* AIA: fetches in one job. */
#define CMI_AIA_FETCHES_MAX 10u
/* AIA: redirects of one fetch, each vetted again. */
#define CMI_AIA_REDIRECTS_MAX 3u
/* AIA: milliseconds for all fetches of one job together. */
#define CMI_AIA_TOTAL_MS 3000

/* AIA: seconds before a URL that gave nothing is asked again: at first ... */
#define CMI_AIA_BACKOFF_FIRST_S 60
/* ... doubling up to a day, so that a dead host costs next to nothing. */
#define CMI_AIA_BACKOFF_MAX_S 86400
/* ... but not as long where nothing answered: that may be our own network. */
#define CMI_AIA_BACKOFF_UNREACHED_MAX_S 600

/* AIA: answers held for other jobs of the process, and for how long. */
#define CMI_FLIGHTS_MAX 64u
/* AIA: milliseconds; long enough for a burst of jobs, short of stale. */
#define CMI_FLIGHT_HOLD_MS 30000

/* Chains that an OpenSSL program's completer remembers, by leaf: a client
 * talks to few servers at a time. */
#define CMI_RECENT_CHAINS_MAX ((size_t)64)

/* Kept issuers: wait for another process's write, milliseconds. */
#define CMI_STORE_BUSY_MS 1000
/* Kept issuers: the last use that is written down may be older than the real
 * one by so many seconds; who only reads then writes once a day. */
#define CMI_STORE_TOUCH_S 86400
/* Kept issuers: a file that is not older than that at its maker's end is not
 * synced: what it holds was fetched just now, and can be again. */
#define CMI_STORE_NEW_MS 3000
/* Kept issuers: pages of 4 KiB in the file; all of CCADB takes a tenth. */
#define CMI_STORE_PAGES_MAX 65536
/* Kept issuers: candidates with one name taken from one look-up. */
#define CMI_STORE_CANDIDATES_MAX 256u
/* Kept issuers: parsed certificates held in memory. */
#define CMI_STORE_PARSED_MAX 512u

/* Public lists: one download, unpacked; CCADB's report has 20 MiB. */
#define CMI_LIST_MAX ((size_t)64 << 20)
/* Public lists: milliseconds for one download, on a slow line. */
#define CMI_LIST_TOTAL_MS 900000
/* Public lists: milliseconds without a byte. */
#define CMI_LIST_SILENCE_MS 30000
/* Public lists: redirects of one download, all of them on https. */
#define CMI_LIST_REDIRECTS_MAX 5
/* Public lists: one field of a report; PEM takes a third more than DER. */
#define CMI_LIST_FIELD_MAX ((size_t)128 << 10)
/* Public lists: an ETag or a date with its NUL; longer ones are not kept. */
#define CMI_LIST_TAG 1024
/* Known issuers: the mapped file; ten thousand take about 15 MiB. */
#define CMI_PRELOAD_MAX ((size_t)256 << 20)

/* HTTP header block; common servers stop at 8 to 64 KiB. */
#define CMI_HTTP_HEAD_MAX ((size_t)64 << 10)
/* URL as long as browsers accept without doubt. */
#define CMI_URL_MAX ((size_t)2048)
/* DNS name in text, RFC 1035 section 2.3.4. */
#define CMI_NAME_MAX ((size_t)255)

/* Captures: one packet, as libpcap's own ceiling. */
#define CMI_PACKET_MAX ((size_t)262144)
/* Captures: flows with handshake state open at once. */
#define CMI_FLOWS_MAX ((size_t)65536)
/* Captures: out-of-order segments kept for one direction. */
#define CMI_SEGMENTS_MAX 64u
/* Captures: TLS connections inside of one whose secrets are at hand: a proxy
 * that is spoken to by TLS, and one behind it. */
#define CMI_TLS_NESTED_MAX 2
/* Captures: bytes kept for all open handshakes together. */
#define CMI_FLOW_BYTES_MAX ((size_t)48 << 20)
/* Captures: headers one inside another (link, VLAN tags, tunnels, extension
 * headers); the deepest seen in the field, 802.11 in a tunnel, has twelve. */
#define CMI_LAYERS_MAX 24u
/* Comments written into one capture; nobody reads more. */
#define CMI_REMARKS_MAX ((size_t)100000)
/* Captures merged by time: each has a read buffer. */
#define CMI_MERGE_MAX ((size_t)32)
/* Captures: one IP datagram put together, RFC 791 section 3.1. */
#define CMI_DATAGRAM_MAX ((size_t)65536)
/* Captures: datagrams in pieces kept at once, each as large as the above. */
#define CMI_DATAGRAMS_MAX ((size_t)64)
/* Captures: connections known at once; one without payload costs about a
 * hundred bytes.  Above it the oldest idle one goes. */
#define CMI_CONNECTIONS_MAX ((size_t)131072)
/* Captures: ended connections still remembered, so that a late duplicate is
 * not taken for a new one. */
#define CMI_ENDED_MAX ((size_t)4096)
/* Captures: connections that were reset and may still have bytes under way. */
#define CMI_RESET_MAX ((size_t)256)
/* Captures: the read buffer; larger gained nothing, smaller cost time. */
#define CMI_INPUT_BUFFER ((size_t)512 << 10)
/* Captures: one block of a pcapng file that must be seen whole (secrets). */
#define CMI_BLOCK_MAX ((size_t)16 << 20)
/* Captures: interfaces of one pcapng section. */
#define CMI_INTERFACES_MAX ((size_t)4096)
/* Captures: notes about damage given out; more are counted only. */
#define CMI_NOTES_MAX 100u
/* Captures: HTTP requests of one connection waiting for their answers; a load
 * generator's pipeline has a thousand. */
#define CMI_HTTP_WAITING_MAX ((size_t)1024)
/* Captures: DTLS associations known at once; the oldest goes first. */
#define CMI_DTLS_MAX ((size_t)1024)
/* Captures: QUIC connections, likewise. */
#define CMI_QUIC_MAX ((size_t)1024)
/* Captures: pieces with holes between them in which the handshake of a QUIC
 * connection may come; browsers shuffle a ClientHello into some twenty. */
#define CMI_QUIC_RANGES_MAX ((size_t)64)
/* Captures: a QUIC client that has fallen silent for so long behind the
 * server's certificate has left. */
#define CMI_QUIC_LEFT_US ((int64_t)2000000)
/* Captures: DTLS messages that a fragment may be ahead of the one that is due;
 * the longest flight has six. */
#define CMI_DTLS_AHEAD_MAX 16u
/* Captures: DNS questions waiting for their answers. */
#define CMI_DNS_WAITING_MAX ((size_t)256)
/* Captures: secrets of one key log; a browser's day has some thousands. */
#define CMI_SECRETS_MAX ((size_t)1 << 20)
/* Watching: the latest packets, kept to be written around a failure. */
#define CMI_WATCH_RING_BYTES ((size_t)16 << 20)
/* Watching: a handshake silent for so long is over. */
#define CMI_WATCH_IDLE_US ((int64_t)60 * 1000000)
/* Live: in the time after which a talk over datagrams is idle, they are looked
 * through so many times. */
#define CMI_IDLE_LOOKS 8
/* Watching: frames of one failure that get a remark. */
#define CMI_WATCH_REMARKS_MAX 32

/* Many targets: those that wait to be tried again or for their host's turn;
 * each takes half a kilobyte.  Above it no more are read. */
#define CMI_CHECK_WAITING_MAX ((size_t)10000)
/* Many targets: with --all-addresses and --per-host, addresses that wait beside
 * those: 31 more for each name that may be looked up at once. */
#define CMI_CHECK_ADDRESSES_MAX ((size_t)310000)
/* Many targets: with --all-ways, those of which the first chain came and the
 * other ways are not back; each takes some ten kilobytes.  Above it no more are
 * read. */
#define CMI_CHECK_HELD_MAX ((size_t)10000)
/* Many targets: lines of a monitoring plugin about single targets; Nagios cuts
 * what a plugin says at 8 KiB. */
#define CMI_PLUGIN_LINES_MAX ((size_t)30)
/* Many targets: milliseconds before the first new try; it doubles. */
#define CMI_CHECK_RETRY_MS 1000

/* Monitoring: targets of one process; each costs some kilobytes of metrics at
 * every scrape. */
#define CMI_MONITOR_TARGETS_MAX ((size_t)10000)
/* Monitoring: looks at once, a thread each; they mostly wait. */
#define CMI_MONITOR_JOBS_MAX 64u
/* Monitoring: milliseconds between two looks at one host. */
#define CMI_MONITOR_HOST_GAP_MS 1000
/* Monitoring: seconds before a target that was not reached is tried again; it
 * doubles up to the ordinary time. */
#define CMI_MONITOR_RETRY_S 60
/* Monitoring: events that wait because their file cannot be written; then the
 * looks wait too. */
#define CMI_MONITOR_PENDING_MAX 10000u
/* Monitoring: the text of one scrape. */
#define CMI_MONITOR_METRICS_MAX ((size_t)128 << 20)

/* Device sign-in: one SOAP message. */
#define CMI_SOAP_MAX ((size_t)256 << 10)
/* Device sign-in: memory for one message as a tree; text arrives in small
 * pieces, so several times the message. */
#define CMI_XML_MEMORY_MAX ((size_t)16 << 20)
/* Device sign-in: elements and pieces of text in one message. */
#define CMI_XML_NODES_MAX 20000u
/* Device sign-in: elements one inside another; real messages have ten. */
#define CMI_XML_DEPTH_MAX 32u
/* Device sign-in: certificates in one chain download. */
#define CMI_DOWNLOAD_CERTS_MAX 16u
/* Device sign-in: bytes of one chain download, as one AIA answer. */
#define CMI_DOWNLOAD_MAX ((size_t)64 << 10)
/* Device sign-in: requests that wait for a thread of the server; whoever comes
 * then is told so at once.  At one hash in 60 ms two threads need half a
 * minute for them, about as long as a phone waits. */
#define CMI_SERVE_QUEUE_MAX ((size_t)1024)
/* Device sign-in: milliseconds from a connection's begin to its first whole
 * request (on the SIP port: to its registration), the TLS handshake included.
 * A phone needs one, or some where thousands come at once. */
#define CMI_SERVE_FIRST_MS 30000
/* Device sign-in: tickets that one server remembers, some 500 bytes each;
 * above it the oldest goes.  A phone uses its own within seconds. */
#define CMI_TICKETS_MAX ((size_t)16384)
/* Device sign-in: tickets of one user, so that nobody crowds out the others;
 * above it the user's oldest goes.  One account for 500 phones has room. */
#define CMI_TICKETS_USER_MAX ((size_t)1024)
/* Device sign-in: signed requests remembered against a second use; above it
 * others are refused until the first are too old to be used anyway. */
#define CMI_TICKETS_ONCE_MAX ((size_t)16384)
/* Device sign-in: seconds a ticket lives, and a signed request is remembered.
 */
#define CMI_TICKET_LIFE_S 600
/* Device sign-in: one wait on the network, milliseconds. */
#define CMI_BOOT_WAIT_MS 5000

/* Probe: bytes of a proxy's answer to CONNECT; real ones are a few lines. */
#define CMI_PROXY_HEAD_MAX ((size_t)16 << 10)
/* Probe: bytes read of an HTTP answer, for its Server line and status. */
#define CMI_LOOK_MAX ((size_t)16 << 10)
/* Probe: milliseconds for what a server says after the handshake. */
#define CMI_LOOK_MS 2000
/* Probe: handshakes with one server at a time. */
#define CMI_DIALS_AT_ONCE 8
/* Device sign-in: start line and fields of one SIP message; a certificate
 * chain in one of them takes ten KiB. */
#define CMI_SIP_HEAD_MAX ((size_t)64 << 10)
/* Device sign-in: one SIP field with what is folded into it. */
#define CMI_SIP_LINE_MAX ((size_t)48 << 10)
/* Device sign-in: fields of one SIP message; real ones have twenty. */
#define CMI_SIP_FIELDS_MAX ((size_t)64)
/* Device sign-in: parameters of one SIP authentication field. */
#define CMI_SIP_PARAMS_MAX ((size_t)24)
/* Device sign-in: body of one SIP message; a REGISTER has none. */
#define CMI_SIP_BODY_MAX ((size_t)64 << 10)
/* Device sign-in: users whose registrations one server keeps. */
#define CMI_SIP_USERS_MAX ((size_t)65536)
/* Device sign-in: devices of one user that are registered at once. */
#define CMI_SIP_CONTACTS_MAX ((size_t)8)
/* Device sign-in: SIP connections of one server thread; each has two TLS
 * states while it signs in. */
#define CMI_SIP_CONNECTIONS_MAX ((size_t)16384)
/* Device sign-in: steps of one TLS handshake inside SIP; it needs three. */
#define CMI_DSK_STEPS_MAX 6u
/* Device sign-in: bytes of one such step. */
#define CMI_DSK_STEP_MAX ((size_t)32 << 10)

/* Fleet: one answer of the queue server, and one batch sent to it. */
#define CMI_FLEET_REPLY_MAX ((size_t)64 << 20)
/* Fleet: one exchange with the queue server, milliseconds. */
#define CMI_FLEET_WAIT_MS 10000
/* Fleet: one job's result; larger ones are cut and say so. */
#define CMI_FLEET_RESULT_MAX ((size_t)4 << 20)
/* Shared cache: one exchange, milliseconds; it must not slow a handshake. */
#define CMI_SHARED_WAIT_MS 500
/* Shared cache: certificates looked at for one name or URL. */
#define CMI_SHARED_CERTS_MAX 16
/* Shared cache: seconds a fetched issuer stays; a month, as CAs renew. */
#define CMI_SHARED_GOOD_S 2592000
/* Shared cache: seconds a failed fetch is not tried again by the fleet. */
#define CMI_SHARED_BAD_S 600
/* Fleet: jobs taken by one worker at a time. */
#define CMI_FLEET_BATCH_MAX 500u

/* 2017-01-01: since then no public CA may have signed with SHA-1, and clients
 * refuse it (Baseline Requirements 7.1.3).  What is judged at an earlier time
 * is judged as it was then. */
#define CMI_SHA1_SUNSET_S ((int64_t)1483228800)

/* Library: milliseconds of one probe. */
#define CMI_PROBE_MS_MAX 3600000u
/* Library: chains of which a completer keeps a note: the handshakes of one
 * moment, and some to spare. */
#define CMI_COMPLETER_NOTES_MAX 64

/* Sandbox: a path as the child asks for it; the kernel's own PATH_MAX. */
#define CMI_JAIL_PATH_MAX ((size_t)4096)

/* Sandbox: what the child has said and the parent not written yet, in two
 * parts of this size. */
#define CMI_JAIL_SAID_PART ((size_t)256 << 10)
/* Sandbox: what is kept of the files that a reader is done with: its counts,
 * and the table of a page. */
#define CMI_JAIL_KEPT_HEAD_MAX ((size_t)1 << 20)
/* Sandbox: and the sections of that page; as large as a page may be. */
#define CMI_JAIL_KEPT_MAX ((size_t)256 << 20)
/* Sandbox: deaths of readers that a page tells of; more are counted. */
#define CMI_JAIL_LOSSES_MAX 16u

/* Sandbox: captures that one reader of a worker explains before it is
 * replaced, so that it learns what was kept meanwhile and no leak matters. */
#define CMI_READER_CAPTURES_MAX 1000u

/* Sandbox: one certificate as PEM, as the child gives it to be written: four
 * thirds of the largest in DER, and its lines. */
#define CMI_JAIL_CERT_MAX ((size_t)128 << 10)

#endif
