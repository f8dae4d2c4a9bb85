# SPDX-License-Identifier: Apache-2.0
"""Plain conversations that turn to TLS.  The servers here are small, so each
is first tried with openssl s_client, which nobody here wrote."""
import socket
import ssl
import subprocess
import threading

import pytest

import servers


def lines(script):
    """A server that says and waits for lines: (expect or None, answer)."""
    def talk(s):
        f = s.makefile("rb")
        for expect, answer in script:
            if expect is not None:
                line = f.readline()
                while line and not line.startswith(expect):
                    line = f.readline()
                if not line:
                    return False
            s.sendall(answer)
        return True
    return talk


def ldap(s):
    assert b"1.3.6.1.4.1.1466.20037" in s.recv(4096)
    s.sendall(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")
    return True


def postgres(s):
    assert s.recv(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    s.sendall(b"S")
    return True


def mysql(s):
    body = (b"\x0a8.0.0\0" + b"\1\0\0\0" + b"12345678\0" + b"\xff\xff" +
            b"\x21\x02\0\xff\xff\x15" + b"\0" * 10 + b"123456789012\0" +
            b"mysql_native_password\0")
    s.sendall(len(body).to_bytes(3, "little") + b"\0" + body)
    got = b""
    while len(got) < 36:
        got += s.recv(36 - len(got))
    assert got[:4] == b"\x20\0\0\1"
    return True


def xmpp(s):
    got = b""
    while b"<stream:stream" not in got or not got.endswith(b">"):
        got += s.recv(4096)
    s.sendall(b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
              b"xmlns:stream='http://etherx.jabber.org/streams' id='1' "
              b"version='1.0'><stream:features><starttls "
              b"xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>"
              b"</starttls></stream:features>")
    got = b""
    while b"<starttls" not in got:
        got += s.recv(4096)
    s.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    return True


TALKS = {
    "smtp": lines([(None, b"220-mx\r\n220 mx ESMTP\r\n"),
                   (b"EHLO", b"250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
                   (b"STARTTLS", b"220 go\r\n")]),
    "imap": lines([(None, b"* OK here\r\n"),
                   (b"a1 STARTTLS", b"a1 OK go\r\n")]),
    "pop3": lines([(None, b"+OK here\r\n"), (b"STLS", b"+OK go\r\n")]),
    "ftp": lines([(None, b"220-hello\r\n220 ready\r\n"),
                  (b"AUTH TLS", b"234 go\r\n")]),
    "nntp": lines([(None, b"200 here\r\n"), (b"STARTTLS", b"382 go\r\n")]),
    "sieve": lines([(None, b"\"STARTTLS\"\r\nOK here\r\n"),
                    (b"STARTTLS", b"OK go\r\n")]),
    "ldap": ldap, "postgres": postgres, "mysql": mysql, "xmpp": xmpp,
    "xmpp-server": xmpp, "sip": lambda s: True,
}


class Server:
    def __init__(self, talk, chain, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(8)
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.talk = talk
        self.shook = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            s.settimeout(10)
            try:
                if self.talk(s):
                    self.context.wrap_socket(s, server_side=True)
                    self.shook += 1
            except (OSError, AssertionError):
                pass
            s.close()

    def stop(self):
        servers.end_accepting(self.socket, self.thread)


@pytest.fixture
def serve(pki):
    made = []

    def make(talk, *certs):
        certs = certs or (pki.leaf,)
        made.append(Server(talk, pki.file("st.pem", *certs), pki.leaf.key))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.mark.parametrize("protocol", sorted(TALKS))
def test_each_protocol(chainmend, pki, serve, protocol):
    server = serve(TALKS[protocol])
    run = chainmend("check", server.address, "--starttls", protocol,
                    "--roots", pki.anchor.pem, "--json", "--offline",
                    "--timeout", "5", "--one-way")
    line, = run.of_kind("endpoint")
    assert line["verdict"] == "missing-intermediate", run
    assert line["starttls"] == protocol
    server.stop()  # the handshake has ended on its side, too
    assert server.shook == 1


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "ftp", "ldap", "nntp",
                                      "postgres", "mysql", "xmpp"])
def test_the_servers_here_are_right(pki, serve, protocol):
    if protocol in ("smtp", "imap", "nntp"):
        pytest.skip("s_client looks at capabilities that are not sent here")
    server = serve(TALKS[protocol])
    done = subprocess.run(
        ["openssl", "s_client", "-connect", server.address, "-starttls",
         protocol, "-xmpphost", "x"][:6 + 2 * (protocol == "xmpp")],
        input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=20)
    assert b"BEGIN CERTIFICATE" in done.stdout


REFUSALS = [
    ("smtp", lines([(None, b"220 mx\r\n"), (b"EHLO", b"250 mx\r\n"),
                    (b"STARTTLS", b"502 no\r\n")]), "offers no TLS"),
    ("smtp", lines([(None, b"SSH-2.0-x\r\n")]), "another protocol"),
    ("imap", lines([(None, b"* OK\r\n"), (b"a1", b"a1 BAD no\r\n")]),
     "offers no TLS"),
    ("ftp", lines([(None, b"220 x\r\n"), (b"AUTH", b"530 no\r\n")]),
     "offers no TLS"),
    ("postgres", lambda s: s.recv(8) and s.sendall(b"N"), "offers no TLS"),
    ("postgres", lambda s: s.recv(8) and s.sendall(b"E"), "no PostgreSQL"),
    ("ldap", lambda s: s.recv(99) and s.sendall(
        b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"),
     "offers no TLS"),
    ("mysql", lambda s: s.sendall(b"\x05\0\0\0\x0a8.0\0"), "no MySQL"),
    ("smtp", lines([(None, b"220 mx\r\n"), (b"EHLO", b"250 mx\r\n"),
                    (b"STARTTLS", b"220 go\r\n250 injected\r\n")]),
     "behind its go-ahead"),
    ("smtp", lambda s: s.sendall(b"220-\x1b[31m\r\n" * 9000), "endless"),
    ("smtp", lambda s: s.recv(1) and None, "silent"),
    ("smtp", lambda s: None, "closed the connection"),
]


@pytest.mark.parametrize("case", REFUSALS,
                         ids=[f"{i}-{c[0]}" for i, c in enumerate(REFUSALS)])
def test_refusals_are_one_clear_line(chainmend, serve, case):
    protocol, talk, says = case
    server = serve(lambda s: bool(talk(s)) and False)
    run = chainmend("check", server.address, "--starttls", protocol,
                    "--timeout", "2")
    assert run.status == 3, run
    assert says in run.err and len(run.err.splitlines()) == 1, run
    assert "\x1b" not in run.err and server.shook == 0


def test_unknown_protocol(chainmend):
    run = chainmend("check", "127.0.0.1", "--starttls", "gopher")
    assert run.status == 2 and "smtp" in run.err, run
