/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/findings.h"

#define ERR  CMI_SEVERITY_ERROR
#define WARN CMI_SEVERITY_WARNING
#define INFO CMI_SEVERITY_INFO

/* clang-format off: a table of prose reads best as it is written. */
static const struct cmi_finding_text texts[CMI_F_COUNT] = {
	[CMI_F_MISSING_INTERMEDIATE] =
		{"an intermediate certificate is missing",
			"The server sent its own certificate without the one "
			"that issued it, "
			"and this client has no copy of that issuer. The "
			"client cannot get "
			"from the server's certificate to a root it trusts, so "
			"it refuses. "
			"Clients that kept the issuer from elsewhere, or that "
			"download it, "
			"hide the fault.",
			"RFC 8446 section 4.4.2",
			"Let the server send its whole chain: its own "
			"certificate first, then "
			"each issuer up to, and without, the root. chainmend "
			"mend writes that "
			"file.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_UNTRUSTED_ROOT] =
		{"the chain ends at a root this client does not trust",
			"The certificates lead to a root that is not among the "
			"client's "
			"anchors. Sending more certificates cannot help: trust "
			"in a root must "
			"be there beforehand.",
			"RFC 5280 section 6.1.1 (d)",
			"Use a certificate whose chain ends at a root the "
			"client has, or add "
			"the root to the client by a way that is safe by "
			"itself (never over "
			"the connection it should protect).",
			ERR, CMI_BLAME_CA},
	[CMI_F_UNTRUSTED_ROOT_DOWNLOADED] = {"a root was downloaded, and that "
					     "does not make it trusted",
		"A self-signed certificate came with a chain download over a "
		"connection nobody vouches for. Whoever answers such a request "
		"can "
		"put any root there, so it is kept apart and never becomes an "
		"anchor.",
		"RFC 5280 section 6.1.1 (d)",
		"Put the root on the device by a protected way, or use a "
		"certificate "
		"below a root that it already has. If nobody should be "
		"offering this "
		"root, look for who answered the download.",
		ERR, CMI_BLAME_NETWORK},
	[CMI_F_SELF_SIGNED_LEAF] =
		{"the server's certificate is signed by itself",
			"The certificate names itself as its issuer, so no CA "
			"vouches for it "
			"and no intermediate can be missing. Only a client "
			"that was told "
			"about this very certificate can accept it.",
			"RFC 5280 section 6.1",
			"Install a certificate from a CA that the clients "
			"trust; a default or "
			"test certificate may still be configured.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_WRONG_ORDER] = {"the certificates are sent in the wrong order",
		"Each certificate should directly certify the one before it. "
		"Most "
		"clients sort them; some embedded ones do not and then miss an "
		"issuer that is there.",
		"RFC 5246 section 7.4.2",
		"Put the server's certificate first and each issuer right "
		"behind the "
		"certificate it issued.",
		WARN, CMI_BLAME_SERVER},
	[CMI_F_UNNEEDED_CERTIFICATE] = {"a certificate is sent that no path "
					"needs",
		"It belongs to the same family of CAs, or stands there twice, "
		"and this "
		"client gets to its root without it. It costs bytes in every "
		"handshake.",
		"RFC 8446 section 4.4.2",
		"Leave it out, unless other clients need it for a path of "
		"their own "
		"(a cross-certificate).",
		INFO, CMI_BLAME_SERVER},
	[CMI_F_ROOT_SENT] = {"the root is sent along",
		"A client trusts a root because it has it, not because it was "
		"sent; "
		"the copy on the wire is ignored.",
		"RFC 8446 section 4.4.2",
		"End the file at the last intermediate.", INFO,
		CMI_BLAME_SERVER},
	[CMI_F_UNRELATED_CERTIFICATE] = {"a certificate is sent that issued "
					 "nothing here",
		"It is not an issuer of the server's certificate or of any "
		"other one "
		"sent. Often it is the intermediate of an earlier certificate, "
		"left "
		"behind at a renewal.",
		"RFC 8446 section 4.4.2",
		"Replace it by the intermediate that came with the present "
		"certificate.",
		WARN, CMI_BLAME_SERVER},
	[CMI_F_EXPIRED_LEAF] = {"the server's certificate has expired",
		"Its validity had ended when the handshake took place.",
		"RFC 5280 section 4.1.2.5",
		"Renew the certificate and make the service load it.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_EXPIRED_INTERMEDIATE] =
		{"an intermediate certificate has expired",
			"The server's own certificate may still be valid; one "
			"of its issuers "
			"was not any more, which breaks every path through it.",
			"RFC 5280 section 6.1.3 (a)(2)",
			"Send the CA's current intermediate: mostly the same "
			"key and name "
			"with new dates, so the server's certificate can stay.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_EXPIRED_ROOT] = {"the root has expired",
		"The path ends at an anchor whose validity had ended. Some "
		"clients "
		"overlook that, many do not.",
		"RFC 5280 section 6.1.3 (a)(2)",
		"Give the client the CA's successor root, or use a chain to "
		"another "
		"root that it has.",
		ERR, CMI_BLAME_CA},
	[CMI_F_NOT_YET_VALID] = {"a certificate is not valid yet",
		"Its validity begins after the time of the handshake. A "
		"certificate "
		"just made meets a clock a little behind, or one was installed "
		"too "
		"early.",
		"RFC 5280 section 4.1.2.5",
		"Compare the clocks first; otherwise wait, or install the "
		"certificate "
		"that is valid now.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_CLOCK_WRONG] = {"a clock seems wrong",
		"At the capture's time everything in the chain is valid, and "
		"yet the "
		"client called a certificate expired; or the times fit no "
		"certificate "
		"at all. Devices without a battery start in the past.",
		"RFC 5280 section 4.1.2.5",
		"Check the client's date, and that it reaches a time server "
		"before "
		"the first TLS connection.",
		ERR, CMI_BLAME_CLIENT},
	[CMI_F_NAME_MISMATCH] = {"the certificate is for another name",
		"The name the client asked for is not among the certificate's "
		"subjectAltName entries. The chain may be perfect.",
		"RFC 9525 section 6",
		"Get a certificate that carries this name, or let clients use "
		"one of "
		"the names it has; check that the right virtual host answers.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_WILDCARD_UNSUPPORTED] = {"only a wildcard matches, and this "
					"client knows none",
		"The name is covered by a wildcard entry alone. This kind of "
		"client "
		"compares names letter by letter.",
		"RFC 9525 section 6.3",
		"Add the plain name to the certificate's subjectAltName.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_NOT_A_CA] = {"a certificate in the path may not issue others",
		"It lacks basicConstraints with CA:TRUE, or its keyUsage does "
		"not "
		"allow signing certificates. What it signed counts for "
		"nothing.",
		"RFC 5280 section 4.2.1.9",
		"Have the certificate issued by a CA certificate; if the CA "
		"made this "
		"one wrongly, it must make it anew.",
		ERR, CMI_BLAME_CA},
	[CMI_F_PATH_LENGTH] = {"the path is longer than a CA allows",
		"A CA certificate limits how many intermediates may follow it, "
		"and "
		"there are more.",
		"RFC 5280 section 4.2.1.9",
		"Use an issuer nearer to that CA, or have the limit raised in "
		"a new "
		"CA certificate.",
		ERR, CMI_BLAME_CA},
	[CMI_F_NAME_CONSTRAINT] = {"a CA in the path may not issue for this "
				   "name",
		"A CA certificate permits or excludes certain names, and the "
		"server's "
		"name is outside.",
		"RFC 5280 section 4.2.1.10",
		"Have the certificate issued by a CA that may serve this name.",
		ERR, CMI_BLAME_CA},
	[CMI_F_WRONG_USAGE] = {"the certificate is not meant for TLS servers",
		"An extendedKeyUsage in the path does not include serverAuth, "
		"or the "
		"keyUsage does not fit the key exchange.",
		"RFC 5280 section 4.2.1.12",
		"Have the certificate issued from a template for servers "
		"(serverAuth).",
		ERR, CMI_BLAME_CA},
	[CMI_F_POLICY] = {"a policy rule forbids the path",
		"Certificate policies that some CA made mandatory, or a "
		"critical "
		"extension the client does not know, exclude this path.",
		"RFC 5280 section 6.1.3",
		"Ask the CA for a chain without that requirement.", ERR,
		CMI_BLAME_CA},
	[CMI_F_WEAK_SIGNATURE] =
		{"a signature uses an algorithm no longer accepted",
			"A certificate in the path (not the root, whose "
			"signature nobody "
			"checks) is signed with MD5, SHA-1 or the like.",
			"RFC 9155",
			"Have it issued anew with SHA-256 or better.", ERR,
			CMI_BLAME_CA},
	[CMI_F_WEAK_KEY] = {"a key is too short",
		"A key in the path is below what this client demands (for RSA "
		"commonly 2048 bits).",
		"RFC 9325 section 4.5",
		"Make a new key and have the certificate issued for it.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_COSTLY_KEY] = {"a key takes too long to use",
		"An RSA key in the path has a public exponent of more than 64 "
		"bits: one signature costs up to some hundred times what it "
		"costs with a common one (65537), so nearly every client "
		"refuses such a key.",
		"RFC 8017 section 3.1",
		"Have the CA make a key with the exponent 65537.", ERR,
		CMI_BLAME_CA},
	[CMI_F_UNSUPPORTED_SIGNATURE] =
		{"the client cannot check this kind of signature",
			"A certificate is signed with an algorithm that the "
			"client did not "
			"list or does not know.",
			"RFC 8446 section 4.2.3",
			"Serve a certificate of a kind that the client knows "
			"as well (many "
			"servers can hold an RSA and an ECDSA one).",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_BAD_SIGNATURE] = {"a signature does not verify",
		"The issuer's name fits, its key does not: the certificate was "
		"changed, damaged, or comes from a namesake with another key.",
		"RFC 5280 section 6.1.3 (a)(1)",
		"Send the intermediate that really signed; compare the key "
		"identifiers. If bytes were changed on the way, find out by "
		"whom.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_MALFORMED_CERTIFICATE] = {"a certificate cannot be read",
		"The bytes are no well-formed certificate.",
		"RFC 5280 section 4.1",
		"Install the certificate file anew; check that the capture is "
		"whole.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_DISTRUSTED_ROOT] = {"the root is listed and blocked",
		"The client knows this root and has been told to refuse it, "
		"wholly or "
		"for certificates issued after a date.",
		NULL, "Get a certificate from another CA.", ERR, CMI_BLAME_CA},
	[CMI_F_AIA_ABSENT] =
		{"the certificate does not say where its issuer is",
			"Without a caIssuers address in authorityInfoAccess, "
			"not even a "
			"client that downloads issuers can complete the chain.",
			"RFC 5280 section 4.2.2.1",
			"Send the intermediate; for later certificates ask the "
			"CA to put an "
			"http address in.",
			INFO, CMI_BLAME_CA},
	[CMI_F_AIA_DEAD] = {"the address of the issuer does not answer",
		"The caIssuers address in the certificate was tried: the name "
		"does "
		"not resolve, nobody listens, or the answer is an error.",
		"RFC 5280 section 4.2.2.1",
		"Send the intermediate, so nobody needs the address; the CA "
		"should "
		"bring the address back.",
		WARN, CMI_BLAME_CA},
	[CMI_F_AIA_WRONG_CONTENT] = {"the address of the issuer gives "
				     "something else",
		"What comes from the caIssuers address is no certificate in a "
		"form "
		"that clients read (one DER certificate, or a certs-only CMS), "
		"or not "
		"the issuer.",
		"RFC 5280 section 4.2.2.1",
		"The CA should serve the issuer as one DER certificate of type "
		"application/pkix-cert.",
		WARN, CMI_BLAME_CA},
	[CMI_F_AIA_NOT_HTTP] = {"the address of the issuer is not plain http",
		"https would need a chain to fetch a chain, and ldap or file "
		"addresses reach only some networks. Clients skip them.",
		"RFC 5280 section 8",
		"Send the intermediate; the CA should publish it by http.",
		WARN, CMI_BLAME_CA},
	[CMI_F_AIA_REFUSED] =
		{"the address of the issuer was not followed, for safety",
			"It leads to a private address, in a circle, or to an "
			"answer that is "
			"too large or too slow. A certificate from a stranger "
			"must not make "
			"us call on inner hosts.",
			NULL,
			"Send the intermediate. --allow-private lets fetches "
			"go to private "
			"addresses where that is meant.",
			WARN, CMI_BLAME_CA},
	[CMI_F_CHAIN_DOWNLOAD_SKIPPED] = {"the client never asked for the "
					  "missing issuer",
		"It could have been downloaded: the certificate names its "
		"address, or "
		"the site offers its chain on port 80. Another way to sign in, "
		"or "
		"another client, did ask; this one went on without.",
		"RFC 5280 section 4.2.2.1",
		"Mend the server, for it is at fault first. Then make the "
		"client "
		"acquire the chain in the same way for every way to sign in.",
		ERR, CMI_BLAME_CLIENT},
	[CMI_F_CHAIN_DOWNLOAD_FAILED] =
		{"the client asked for the missing issuer and did not get it",
			"The request for the chain went unanswered, was "
			"refused, or the "
			"answer held no usable certificate.",
			"RFC 5280 section 4.2.2.1",
			"Send the intermediate, so no download is needed; then "
			"bring the "
			"download address in order.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_CHAIN_DOWNLOAD_UNTRUSTED] =
		{"the downloaded chain leads to no trusted root",
			"Certificates were downloaded and fit the server's, "
			"yet they end at a "
			"root that is not an anchor of this client.",
			"RFC 5280 section 6.1.1 (d)",
			"Use a chain below a root the client has. If the "
			"download should have "
			"brought another chain, look for who answered it.",
			ERR, CMI_BLAME_NETWORK},
	[CMI_F_PROTOCOL_VERSION] = {"the two share no protocol version",
		"The newest version of one side is older than the oldest the "
		"other "
		"side accepts. Certificates were not reached.",
		"RFC 8446 section 4.1.3",
		"Bring the older side to TLS 1.2 or later; enabling an old "
		"version is "
		"the last resort.",
		ERR, CMI_BLAME_CLIENT},
	[CMI_F_NO_SHARED_CIPHER] = {"the two share no cipher suite",
		"Nothing the client offered is acceptable to the server, or "
		"the "
		"server's kind of key fits none of the offered suites.",
		"RFC 8446 section 6.2",
		"Enable a suite that both know; check that the server has a "
		"key of a "
		"kind that the client can use.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_NO_SHARED_GROUP] = {"the two share no key exchange group",
		"Cipher suites would fit; the curves or groups do not.",
		"RFC 8446 section 4.2.7",
		"Enable a group that both know, such as secp256r1 or x25519.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_CLIENT_CERTIFICATE_WANTED] = {"the server wants a certificate "
					     "of the client",
		"The server asked for one, the client sent none, and the "
		"server ended "
		"the handshake. The server's own chain is not the reason.",
		"RFC 8446 section 4.4.2.4",
		"Give the client a certificate, or make it optional at the "
		"server.",
		ERR, CMI_BLAME_CLIENT},
	[CMI_F_CLIENT_CERTIFICATE_REFUSED] =
		{"the server refused the client's certificate",
			"The client sent one and the server did not like it: "
			"its chain, its "
			"dates, or its purpose.",
			"RFC 8446 section 4.4.2.4",
			"Look into the server's log; give the client a current "
			"certificate "
			"with its intermediates.",
			ERR, CMI_BLAME_CLIENT},
	[CMI_F_REVOKED] = {"a certificate is revoked",
		"The CA took it back, and the client knows.",
		"RFC 5280 section 6.3",
		"Get a new certificate, with a new key if the old one may be "
		"known to "
		"others.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_SERVER_CLOSED] = {"the server ended the connection",
		"It closed before the handshake was done, and not because of "
		"its own "
		"certificates.",
		"RFC 8446 section 6",
		"Look into the server's log at that time.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_CLIENT_CLOSED] = {"the client ended the connection",
		"It closed before any use was made of it, and nothing wrong is "
		"seen "
		"in the chain for a client with these anchors. It may have "
		"other "
		"anchors, or have only tried whether the port is open.",
		"RFC 8446 section 6",
		"Look into the client's log; judge again with the client's own "
		"anchors (--roots or --profile).",
		ERR, CMI_BLAME_CLIENT},
	[CMI_F_HANDSHAKE_CUT] = {"the handshake is not whole in the capture",
		"The capture begins too late, ends too early, or misses "
		"packets. What "
		"is missing may have held the reason.",
		NULL,
		"Capture again from before the connection, with whole packets "
		"(tcpdump -s 0).",
		WARN, CMI_BLAME_NETWORK},
	[CMI_F_ENCRYPTED_HANDSHAKE] = {"the certificates are encrypted",
		"From TLS 1.3 on, certificates and most alerts are encrypted; "
		"without "
		"the session's secrets only sizes and endings are seen.",
		"RFC 8446 section 2",
		"Capture again with SSLKEYLOGFILE set and use --keylog; or "
		"look at "
		"the server itself with chainmend check.",
		INFO, CMI_BLAME_NONE},
	[CMI_F_DHCP_OPTION_MISSING] =
		{"the DHCP option is missing that leads to the sign-in service",
			"The device asks for options 43 and 120 to find the "
			"chain download "
			"and the registrar, and the server did not give them.",
			"RFC 2132 section 8.4",
			"Add the options for the device's vendor class; "
			"chainmend dhcp encode "
			"prints them for each DHCP server.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_DHCP_OPTION_TRUNCATED] =
		{"a DHCP option ends inside one of its parts",
			"A part of option 43 or 120 says it is longer than "
			"what is there, so "
			"the device reads a wrong or no address.",
			"RFC 2132 section 8.4",
			"Write the option anew (chainmend dhcp encode); values "
			"above 255 "
			"bytes must be split as RFC 3396 says.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_WRONG_HOST] =
		{"the answer came from another host than was asked",
			"The name that the device was told to use is not the "
			"one that the "
			"service proves.",
			"RFC 9525 section 6",
			"Compare the host in the DHCP options with the "
			"certificate's names.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_PIN_REFUSED] = {"the PIN was refused",
		"TLS and the chain were in order; number or PIN are wrong.",
		NULL, "Check number and PIN; have a new PIN set.", ERR,
		CMI_BLAME_CLIENT},
	[CMI_F_PIN_LOCKED] = {"the PIN is locked",
		"After too many wrong tries the service takes no PIN for a "
		"while.",
		NULL, "Wait, or have the administrator unlock it.", ERR,
		CMI_BLAME_CLIENT},
	[CMI_F_REGISTRAR_UNREACHABLE] = {"the SIP registrar cannot be reached",
		"Ticket and certificate are in order; nobody answers "
		"where the phone is to register.",
		NULL,
		"Compare DHCP option 120 (or the SRV record) with the "
		"registrar's name, and let phones reach its port 5061.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_REGISTRATION_REFUSED] = {"the SIP registrar refused the phone",
		"The phone holds a certificate, but the registrar "
		"takes none, does not find this one, or refuses its "
		"user.",
		NULL,
		"See that the registrar takes certificates, that it "
		"reaches the store to which they are published, and "
		"that the user is enabled.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_REGISTRAR_UNPROVEN] = {"the SIP registrar did not prove itself",
		"Its answer bears no signature, or one that was not "
		"made with the key which both ends agreed on; whoever "
		"answered is not who shook hands.",
		NULL,
		"Look for a proxy or a gateway between phones and "
		"registrar that answers or rewrites SIP.",
		ERR, CMI_BLAME_SERVER},
	[CMI_F_CERTIFICATE_NOT_ISSUED] =
		{"the phone's certificate was not issued",
			"The ticket is in order, but the certificate service "
			"gave no certificate for it: it cannot reach the store "
			"of the user's home pool, or does not take the "
			"request.",
			NULL,
			"Look at the service's own words; for a store that "
			"cannot be reached, at the connection between the web "
			"service and the home pool, then let the phone try "
			"again.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_SEARCH_LIMIT] = {"the search for a path was ended at a ceiling",
		"So many certificates fit each other that not all paths were "
		"tried. "
		"Honest chains never come near these ceilings.",
		NULL, "Send only the certificates of one path.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_SEARCH_DEPTH] = {"the path is longer than the search goes",
		"No path within the number of certificates that a path may "
		"have was found, and longer ones were not tried. Honest "
		"chains have three or four certificates.",
		NULL, "Send only the certificates of one path.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_SEARCH_CANDIDATES] = {"too many certificates may be an issuer",
		"So many certificates may have issued each other that the "
		"search for a path was ended before it had seen them all.",
		NULL, "Send only the certificates of one path.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_SEARCH_SIGNATURES] = {"too many signatures had to be checked",
		"The search for a path was ended when it had checked as many "
		"signatures as one search may: each costs time, and whoever "
		"sends the certificates decides how many there are.",
		NULL, "Send only the certificates of one path.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_SEARCH_NAMES] = {"too many names had to be compared",
		"The certificates have so many names and name constraints "
		"that comparing each with each was ended.",
		"RFC 5280 section 4.2.1.10",
		"Use a certificate with fewer names.", ERR, CMI_BLAME_SERVER},
	[CMI_F_SEARCH_TIME] = {"the search for a path took too long",
		"The search was ended when its time was up. Honest chains "
		"take a thousandth of it, so the machine was very busy or "
		"the certificates were made to cost time.",
		NULL, "Try again; send only the certificates of one path.", ERR,
		CMI_BLAME_SERVER},
	[CMI_F_KEY_MISMATCH] =
		{"the private key is not the one of the certificate",
			"The server would be given a key and a certificate "
			"that "
			"do not belong together. Most servers refuse to start, "
			"and none can finish a handshake with it.",
			"RFC 5246 section 7.4.2",
			"Install the key that the certificate was requested "
			"with, or let the CA issue a certificate for this key.",
			ERR, CMI_BLAME_SERVER},
	[CMI_F_EXPIRES_SOON] = {"a certificate on the path ends soon",
		"After that day clients refuse, if no other path is "
		"good then. It need not be the server's own "
		"certificate: an issuer may end before it.",
		"RFC 5280 section 4.1.2.5",
		"Renew the certificate that ends; where an issuer ends "
		"first, get the newer issuer from the CA and send that.",
		WARN, CMI_BLAME_SERVER},
	[CMI_F_CHAIN_VARIES] = {"the server sends more than one chain",
		"Which one comes hangs on how the client asks: with or without "
		"a server name, by version, by the kinds of key it takes. A "
		"look with one program does not show what another one gets.",
		"RFC 6066 section 3",
		"Mend each of them. Where the other one is a default that "
		"nobody needs, let it be the same chain.",
		INFO, CMI_BLAME_SERVER},
	[CMI_F_ADDRESS_DIFFERS] = {"one address sends another chain",
		"The name has several addresses, and this one does not send "
		"what most of the others do. Clients are spread over all of "
		"them, so the fault comes and goes.",
		"RFC 8446 section 4.4.2",
		"Put the same chain on every machine behind the name, and look "
		"again with --all-addresses.",
		WARN, CMI_BLAME_SERVER},
	[CMI_F_WAY_UNANSWERED] = {"one way of asking got no answer",
		"The server sent a chain and, asked again as other clients "
		"ask, said nothing in time or took no connection. What those "
		"clients get is not known; what is said of the chain that came "
		"holds.",
		NULL,
		"Look again; where it stays so, such clients wait in vain. "
		"Servers and firewalls that count connections may have had one "
		"too many: then ask with --one-way or a lower --per-host.",
		INFO, CMI_BLAME_SERVER},
};
/* clang-format on */

const struct cmi_finding_text *cmi_finding_text(enum cmi_finding_id id)
{
	if (id <= CMI_F_NONE || id >= CMI_F_COUNT)
		return NULL;
	return &texts[id];
}

const char *cmi_severity_name(enum cmi_severity s)
{
	static const char *const names[] = {
		[CMI_SEVERITY_ERROR] = "error",
		[CMI_SEVERITY_WARNING] = "warning",
		[CMI_SEVERITY_INFO] = "info",
	};

	return names[s];
}

const char *cmi_blame_name(enum cmi_blame b)
{
	static const char *const names[] = {
		[CMI_BLAME_SERVER] = "server",
		[CMI_BLAME_CLIENT] = "client",
		[CMI_BLAME_NETWORK] = "network",
		[CMI_BLAME_CA] = "ca",
	};

	return names[b];
}

static void one_finding(struct cmi_buf *out, enum cmi_finding_id id)
{
	const struct cmi_finding_text *t = cmi_finding_text(id);
	const char *blame = cmi_blame_name(t->blame);

	cmi_buf_printf(out, "\n## %s\n\n**%c%s.** %s\n\n", cmi_finding_name(id),
		t->title[0] - 'a' + 'A', t->title + 1, t->explanation);
	cmi_buf_printf(out, "- Severity: %s\n", cmi_severity_name(t->severity));
	if (blame)
		cmi_buf_printf(out, "- Mostly to be mended by: %s\n",
			t->blame == CMI_BLAME_CA ? "CA" : blame);
	if (t->reference)
		cmi_buf_printf(out, "- See: %s\n", t->reference);
	cmi_buf_printf(out, "- Remedy: %s\n", t->remedy);
}

void cmi_findings_markdown(struct cmi_buf *out)
{
	cmi_buf_text(out,
		"# Findings\n"
		"\n"
		"Every finding has a stable id; scripts may rely on it. This "
		"page is made from the table in `src/explain/findings.c` by "
		"`tools/findings-doc`.\n"
		"\n"
		"**error**: some client refuses because of it. **warning**: "
		"some clients may, or soon will. **info**: worth knowing, "
		"harms nobody.\n");
	for (int id = 1; id < CMI_F_COUNT; id++)
		one_finding(out, (enum cmi_finding_id)id);
}
