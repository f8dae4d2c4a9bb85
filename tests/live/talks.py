# SPDX-License-Identifier: Apache-2.0
"""Servers that speak in plain before they turn to TLS, one talk a protocol."""
import ssl

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


class Server(servers.Listener):
    def __init__(self, talk, chain, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.talk = talk
        self.shook = 0
        super().__init__(self.take)

    def take(self, s):
        s.settimeout(10)
        with s:
            try:
                if self.talk(s):
                    self.context.wrap_socket(s, server_side=True)
                    self.shook += 1
            except AssertionError:
                pass
