# SPDX-License-Identifier: Apache-2.0
"""Plain conversations that turn to TLS.  The servers here are small, so each
is first tried with openssl s_client, which nobody here wrote."""
import subprocess

import pytest
from talks import TALKS, Server, lines


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
