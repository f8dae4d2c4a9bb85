# SPDX-License-Identifier: Apache-2.0
"""TLS behind what comes before it: STARTTLS in every protocol that has it,
proxies, each also without waiting for answers and a byte at a time; and a
retry of the hello, read with its secrets."""
import shutil
import ssl
import subprocess

import pytest
from pki import Pki
from tape import (CLIENT, SERVER, Tape, around, client_context,
                  server_context, talk)


def c(data):
    return (CLIENT, data)


def s(data):
    return (SERVER, data)


# RFC 4511 section 4.14: an extended request and its response.
LDAP_ASK = (b"0\x1d\x02\x01\x01w\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037")
LDAP_YES = b"0\x0c\x02\x01\x01x\x07\x0a\x01\0\x04\0\x04\0"
MYSQL_HELLO = b"\x0a8.0.33\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf" \
    b"\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"
MYSQL_ASK = b"\x20\0\0\x01\x8d\xae\xff\x19\0\0\0\x01\xff" + bytes(23)
RDP_ASK = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x01\0\0\0"
RDP_YES = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\0\x08\0\x01\0\0\0"
CONNECT = b"CONNECT web.example:443 HTTP/1.1\r\nHost: web.example:443\r\n"

# name: (label, port, what is said before)
TALKS = {
    "directly": (None, 443, []),
    "SIP, its TLS port": (None, 5061, []),
    "SMTP": ("smtp", 25, [
        s(b"220 mx.example ESMTP\r\n"), c(b"EHLO me\r\n"),
        s(b"250-mx.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
        c(b"STARTTLS\r\n"), s(b"220 2.0.0 go ahead\r\n")]),
    "SMTP, another AUTH tried first": ("smtp", 587, [
        s(b"220 mx.example ESMTP\r\n"), c(b"EHLO me\r\n"),
        s(b"250-mx.example\r\n250 STARTTLS\r\n"), c(b"AUTH LOGIN\r\n"),
        s(b"530 5.7.0 Must issue a STARTTLS command first\r\n"),
        c(b"STARTTLS\r\n"), s(b"220 go\r\n")]),
    "LMTP": ("smtp", 24, [
        s(b"220 mx LMTP\r\n"), c(b"LHLO me\r\n"),
        s(b"250-mx\r\n250 STARTTLS\r\n"), c(b"STARTTLS\r\n"),
        s(b"220 go\r\n")]),
    "IMAP": ("imap", 143, [
        s(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
        c(b"a1 STARTTLS\r\n"), s(b"a1 OK begin\r\n")]),
    "POP3": ("pop3", 110, [
        s(b"+OK ready\r\n"), c(b"STLS\r\n"), s(b"+OK begin\r\n")]),
    "FTP": ("ftp", 21, [
        s(b"220-one\r\n220 two\r\n"), c(b"AUTH TLS\r\n"),
        s(b"234 proceed\r\n")]),
    "NNTP": ("nntp", 119, [
        s(b"200 news ready\r\n"), c(b"STARTTLS\r\n"), s(b"382 go\r\n")]),
    "sieve": ("sieve", 4190, [
        s(b'"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK\r\n'),
        c(b"STARTTLS\r\n"), s(b"OK begin\r\n")]),
    "LDAP": ("ldap", 389, [c(LDAP_ASK), s(LDAP_YES)]),
    "XMPP": ("xmpp", 5222, [
        c(b"<?xml version='1.0'?><stream:stream to='x' version='1.0' "
          b"xmlns='jabber:client'>"),
        s(b"<stream:stream from='x'><stream:features><starttls xmlns="
          b"'urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
        c(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        s(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")]),
    "PostgreSQL": ("postgres", 5432, [
        c(b"\0\0\0\x08\x04\xd2\x16\x2f"), s(b"S")]),
    "PostgreSQL, GSSAPI asked for first": ("postgres", 5432, [
        c(b"\0\0\0\x08\x04\xd2\x16\x30"), s(b"N"),
        c(b"\0\0\0\x08\x04\xd2\x16\x2f"), s(b"S")]),
    "MySQL": ("mysql", 3306, [
        s(len(MYSQL_HELLO).to_bytes(3, "little") + b"\0" + MYSQL_HELLO),
        c(MYSQL_ASK)]),
    "RDP": ("rdp", 3389, [c(RDP_ASK), s(RDP_YES)]),
    "CONNECT": ("connect", 3128, [
        c(CONNECT + b"\r\n"), s(b"HTTP/1.1 200 Connection established\r\n"
                                b"\r\n")]),
    "CONNECT, a password asked for first": ("connect", 8080, [
        c(CONNECT + b"\r\n"),
        s(b"HTTP/1.1 407 Proxy Authentication Required\r\n"
          b"Proxy-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nno\n"),
        c(CONNECT + b"Proxy-Authorization: Basic bWU6bWU=\r\n\r\n"),
        s(b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n")]),
    "SOCKS 4": ("socks4", 1080, [
        c(b"\x04\x01\x01\xbb\xc0\0\x02\x01me\0"), s(b"\0\x5a" + bytes(6))]),
    "SOCKS 4a": ("socks4", 1080, [
        c(b"\x04\x01\x01\xbb\0\0\0\x01me\0web.example\0"),
        s(b"\0\x5a" + bytes(6))]),
    "SOCKS 5": ("socks5", 1080, [
        c(b"\x05\x01\0"), s(b"\x05\0"),
        c(b"\x05\x01\0\x03\x0bweb.example\x01\xbb"),
        s(b"\x05\0\0\x01" + bytes(6))]),
    "SOCKS 5 with a password": ("socks5", 1080, [
        c(b"\x05\x02\0\x02"), s(b"\x05\x02"), c(b"\x01\x02me\x02me"),
        s(b"\x01\0"), c(b"\x05\x01\0\x01\xc0\0\x02\x01\x01\xbb"),
        s(b"\x05\0\0\x04" + bytes(18))]),
    "a balancer's line": ("other", 8443, [
        c(b"PROXY TCP4 192.0.2.9 192.0.2.1 50000 443\r\n")]),
}


def joined(said):
    """Neighbours of the same side in one piece."""
    out = []
    for side, data in said:
        if out and out[-1][0] == side:
            out[-1] = (side, out[-1][1] + data)
        else:
            out.append((side, data))
    return out


def impatient(before, tls):
    """The client says all at once, its hello too; then the server does."""
    ask = b"".join(d for side, d in before if side == CLIENT)
    answer = b"".join(d for side, d in before if side == SERVER)
    return joined([(CLIENT, ask), tls[0], (SERVER, answer), *tls[1:]])


def byte_by_byte(said):
    return [(side, data[i:i + 1]) for side, data in said
            for i in range(len(data))]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    p = Pki(tmp_path_factory.mktemp("talks"))
    p.anchor, p.other = p.root("Talk Root"), p.root("Other Root")
    ca = p.anchor.issue_ca("Talk CA")
    p.leaf = ca.issue("web.example")
    p.chain = p.file("whole.pem", p.leaf, ca)
    p.said = talk(server_context(p.chain, p.leaf.key),
                  client_context(p.other.pem), "web.example")
    p.sent = [p.leaf.sha256, ca.sha256]
    return p


@pytest.mark.parametrize("how", ["in turn", "impatient", "byte by byte"])
def test_whatever_comes_before(chainmend, lab, tmp_path, how):
    tape, rows = Tape(start=1700000000), {}
    for name, (label, port, before) in TALKS.items():
        said = [*before, *lab.said]
        # Only who asks first can be impatient.
        if how == "impatient" and before and before[0][0] == CLIENT:
            said = impatient(before, lab.said)
        if how == "byte by byte":
            said = byte_by_byte(said)
        tape.connection(said, server_port=port)
        rows[tape.port] = (name, label)
    run = chainmend("explain", "--json", "--all", "--roots", lab.anchor.pem,
                    tape.write(tmp_path / "talks.pcap"))
    seen = {int(h["client"].rsplit(":", 1)[1]): h
            for h in run.of_kind("handshake")}
    assert run.err == ""
    for port, (name, label) in rows.items():
        h = seen.pop(port, None)
        assert h, name
        assert h.get("starttls") == label, name
        assert h["sni"] == "web.example", name
        assert [c["sha256"] for c in h["certificates"]] == lab.sent, name
        assert [(a["from"], a["code"]) for a in h["alerts"]] == [
            ("client", 48)], name
    assert seen == {}


def test_a_hello_that_is_asked_for_again(chainmend, lab, tmp_path):
    """RFC 8446 section 4.1.4: the server wants another group."""
    keys = tmp_path / "keys.txt"
    server = server_context(lab.chain, lab.leaf.key, tls12=False)
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    server.set_ecdh_curve("secp384r1")
    said = talk(server, client_context(lab.other.pem, tls12=False,
                                       keylog=keys), "web.example")
    # The random that makes a ServerHello a request, or this tests nothing.
    assert bytes.fromhex("cf21ad74e59a6111") in said[1][1]
    tape = Tape(start=1700000000)
    tape.connection(said)
    capture = tape.write(tmp_path / "retry.pcap")
    run = chainmend("explain", "--json", "--all", "--roots", lab.anchor.pem,
                    "--keylog", keys, capture)
    h, = run.of_kind("handshake")
    assert (h["sni"], h["version"]) == ("web.example", "TLS 1.3")
    assert h["noted"] == ["hello-retry", "decrypted"]
    assert [c["sha256"] for c in h["certificates"]] == lab.sent
    assert [(a["from"], a["code"]) for a in h["alerts"]] == [("client", 48)]
    if shutil.which("tshark"):
        done = subprocess.run(
            ["tshark", "-r", str(capture), "-o", f"tls.keylog_file:{keys}",
             "-Y", "tls.alert_message.desc == 48", "-T", "fields", "-e",
             "frame.number"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        assert done.stdout.split() == [str(h["alerts"][0]["frame"])]


YES = (SERVER, b"HTTP/1.1 200 Connection established\r\n\r\n")
ASK = (CLIENT, CONNECT + b"\r\n")


@pytest.fixture(params=[True, False], ids=["TLS 1.2", "TLS 1.3"])
def sealed(request, lab, tmp_path):
    """Puts bytes into a TLS connection whose secrets are kept."""
    lab.keys = tmp_path / "keys.txt"

    def seal(said, name="outer.example"):
        return around(
            server_context(lab.chain, lab.leaf.key, tls12=request.param),
            client_context(tls12=request.param, keylog=lab.keys), name, said)
    return seal


def explain(chainmend, lab, tmp_path, said, *more):
    tape = Tape(start=1700000000)
    tape.connection(said)
    capture = tape.write(tmp_path / "inside.pcap")
    return capture, chainmend("explain", "--json", "--all", "--roots",
                              lab.anchor.pem, capture, *more)


def test_tls_to_a_proxy_that_is_spoken_to_by_tls(chainmend, lab, sealed,
                                                 tmp_path):
    inner = talk(server_context(lab.chain, lab.leaf.key),
                 client_context(lab.other.pem), "web.example")
    said = sealed([ASK, YES] + inner)
    _, run = explain(chainmend, lab, tmp_path, said, "--keylog", lab.keys)
    outer, h = run.of_kind("handshake")
    assert (outer["sni"], outer.get("starttls")) == ("outer.example", None)
    assert (h["sni"], h["starttls"]) == ("web.example", "connect")
    assert [c["sha256"] for c in h["certificates"]] == lab.sent
    assert [(a["from"], a["code"]) for a in h["alerts"]] == [("client", 48)]
    assert h["outcome"] == "failed"
    # Without the secrets nobody knows of it.
    _, run = explain(chainmend, lab, tmp_path, said)
    h, = run.of_kind("handshake")
    assert h["sni"] == "outer.example"


def test_it_is_not_looked_into_for_ever(chainmend, lab, sealed, tmp_path):
    said = talk(server_context(lab.chain, lab.leaf.key), client_context(),
                "level3.example")
    for n in (2, 1, 0):
        said = sealed([ASK, YES] + said, f"level{n}.example")
    _, run = explain(chainmend, lab, tmp_path, said, "--keylog", lab.keys)
    assert sorted(h["sni"] for h in run.of_kind("handshake")) == [
        "level0.example", "level1.example", "level2.example"]


def test_http_inside_of_tls(chainmend, lab, sealed, tmp_path):
    body = lab.leaf.der
    said = sealed([
        (CLIENT, b"POST /.well-known/est/simpleenroll HTTP/1.1\r\n"
         b"Host: ca.example\r\nContent-Length: 4\r\n\r\nabcd"),
        (SERVER, b"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-cert\r\n"
         b"Content-Length: %d\r\n\r\n" % len(body)),
        (SERVER, body[:700]), (SERVER, body[700:])])
    capture, run = explain(chainmend, lab, tmp_path, said, "--keylog",
                           lab.keys)
    h, = run.of_kind("handshake")
    assert h["sni"] == "outer.example" and h["verdict"] is None
    line, = run.of_kind("http")
    url = "https://ca.example/.well-known/est/simpleenroll"
    assert (line["method"], line["url"], line["status"]) == (
        "POST", url, 200)
    assert [x["sha256"] for x in line["certificates"]] == [lab.leaf.sha256]
    if shutil.which("tshark"):
        done = subprocess.run(
            ["tshark", "-r", str(capture), "-o", f"tls.keylog_file:{lab.keys}",
             "-Y", "http.request", "-T", "fields", "-e",
             "http.request.full_uri", "-e", "frame.number"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert done.stdout.split() == [url, str(line["frames"][0])]
