# SPDX-License-Identifier: Apache-2.0
"""Signing in again with the certificate that is kept, renewing it by itself,
and a registrar that says where certificates are issued.

A life of 180 days does not pass in a test: what a phone does near a
certificate's end is tests/unit/boot/test_again.c, with a clock of its own."""
import base64
import datetime
import hashlib
import re
import socket
import ssl
import threading
import uuid

import pytest

import servers
from boot_lab import NUMBER, PIN, SIP, serve  # noqa: F401
from pki import openssl
from test_boot_soap import NS, Client, fault

WSU = ("http://docs.oasis-open.org/wss/2004/01/"
       "oasis-200401-wss-wssecurity-utility-1.0.xsd")
DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"


def again(server, *more, **kinds):
    """`phone again`: no PIN anywhere."""
    return server.chainmend(
        "phone", "again", "--server", "localhost", "--connect", "127.0.0.1",
        "--http-port", server.http, "--https-port", server.https,
        "--sip-port", server.sip, "--state", server.dir / "phone", "--json",
        *more, **kinds)


def tickets(server):
    return server.log.read_text().count("/WebTicket/WebTicketService.svc/")


def test_again_with_the_kept_certificate(serve):  # noqa: F811
    server = serve()
    first, = server.phone().lines
    asked = tickets(server)
    run = again(server)
    line, = run.lines
    assert run.status == 0 and line["signed_in"], run
    assert line["certificate"] == first["certificate"]
    assert not line["renewed"] and not line["secret_sent"]
    assert line["sip"] == SIP and line["registered_s"] > 0
    assert tickets(server) == asked  # nothing was asked of the web server

    run = again(server, "--renew")
    line, = run.lines
    assert run.status == 0 and line["renewed"], run
    assert line["certificate"] != first["certificate"]
    assert line["ticket_url"].endswith("/WebTicket/WebTicketService.svc/Cert")
    # In place: the next sign-in uses the new one.
    line, = again(server).lines
    assert not line["renewed"]
    assert line["certificate"] != first["certificate"]
    assert (server.dir / "phone" / "client.pem").stat().st_mode & 0o77 == 0


def test_again_without_a_certificate(serve):  # noqa: F811
    server = serve()
    run = again(server, "--anchors", server.pki.anchor.pem)
    assert run.status == 1 and "by PIN" in run.lines[0]["says"], run
    # With a PIN at hand that is what it does.
    run = again(server, "--number", NUMBER, "--pin-fd", "0",
                stdin=PIN + "\n")
    assert run.status == 0 and run.lines[0]["way"] == "pin", run
    assert PIN not in run.out + run.err


def test_again_after_a_restart(serve, chainmend):  # noqa: F811
    """Registrations end with the server.  A phone that goes on as before is
    challenged anew, and is in again with its certificate alone."""
    server = serve()
    assert server.phone().status == 0
    server.process.kill()
    server.process.wait(10)
    with open(server.log, "ab") as log:
        server.process = chainmend.popen(
            *server.process.args[1:], stdout=log, stderr=log)
    servers.wait_until(lambda: servers.answers(server.sip), "serve",
                       process=server.process, log=server.log)

    # What was agreed with the server before is nothing to this one.
    old = ('Authorization: TLS-DSK qop="auth", opaque="0123456789abcdef", '
           f'realm="SIP Communications Service", targetname="localhost", '
           f'crand="01234567", cnum="7", response="{"A" * 40}"\r\n')
    context = ssl.create_default_context(cafile=server.pki.anchor.pem)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.sip)) as raw, \
            context.wrap_socket(raw) as s:
        s.sendall((f"REGISTER sip:corp.example SIP/2.0\r\n"
                   f"Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\r\n"
                   f"Max-Forwards: 70\r\nFrom: <{SIP}>;tag=1\r\n"
                   f"To: <{SIP}>\r\nCall-ID: 1\r\nCSeq: 9 REGISTER\r\n"
                   f"Contact: <{SIP};transport=tls>\r\n{old}"
                   "Content-Length: 0\r\n\r\n").encode())
        answer = s.recv(65536).decode()
    assert answer.startswith("SIP/2.0 401 "), answer
    challenge, = re.findall(r"WWW-Authenticate: TLS-DSK (.*)\r\n", answer)
    assert "gssapi-data" not in challenge and "sts-uri" in challenge
    run = again(server)
    assert run.status == 0 and not run.lines[0]["secret_sent"], run


# A ticket by certificate, asked for by a client written from the published
# profile (WS-Security X.509 token, xmldsig), with openssl's signature.

class Signer:
    def __init__(self, server):
        self.pem = server.dir / "phone" / "client.pem"
        self.client = Client(server)
        self.url, _ = self.client.mex(
            self.client.mex(self.client.base +
                            "/CertProv/CertProvisioningService.svc",
                            "CertProvisioningServiceWebTicketProof_SHA1")[1],
            "WebTicketServiceCert")
        self.der = openssl("x509", "-in", self.pem, "-outform", "DER")

    def signature(self, info):
        """r and s of the ECDSA signature, 32 bytes each (RFC 4050)."""
        der = openssl("dgst", "-sha256", "-sign", self.pem, stdin=info)
        r_len = der[3]
        r, s = der[4:4 + r_len], der[6 + r_len:]
        return b"".join(n.lstrip(b"\0").rjust(32, b"\0") for n in (r, s))

    def message(self, created=None, der=None, tamper=lambda text: text):
        at = created or datetime.datetime.now(datetime.timezone.utc)
        form = "%Y-%m-%dT%H:%M:%SZ"
        # Written in canonical form, so that what is digested is what is sent.
        stamp = (f'<u:Timestamp xmlns:u="{WSU}" u:Id="t">'
                 f"<u:Created>{at.strftime(form)}</u:Created><u:Expires>"
                 f"{(at + datetime.timedelta(minutes=2)).strftime(form)}"
                 "</u:Expires></u:Timestamp>")
        body = (f'<e:Body xmlns:e="{NS["e"]}" xmlns:u="{WSU}" u:Id="b">'
                f'<t:RequestSecurityToken xmlns:t="{NS["t"]}" '
                f'Context="{uuid.uuid4()}"><t:TokenType>x</t:TokenType>'
                f'<p:AppliesTo xmlns:p="{NS["p"]}"><a:EndpointReference '
                f'xmlns:a="{NS["a"]}"><a:Address>{self.client.base}/CertProv/'
                "CertProvisioningService.svc</a:Address>"
                "</a:EndpointReference></p:AppliesTo>"
                "</t:RequestSecurityToken></e:Body>")
        refs = "".join(
            f'<d:Reference URI="#{name}"><d:Transforms><d:Transform '
            f'Algorithm="{C14N}"></d:Transform></d:Transforms>'
            '<d:DigestMethod Algorithm="http://www.w3.org/2001/04/'
            'xmlenc#sha256"></d:DigestMethod><d:DigestValue>'
            + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            + "</d:DigestValue></d:Reference>"
            for name, text in (("t", stamp), ("b", body)))
        info = (f'<d:SignedInfo xmlns:d="{DS}"><d:CanonicalizationMethod '
                f'Algorithm="{C14N}"></d:CanonicalizationMethod>'
                '<d:SignatureMethod Algorithm="http://www.w3.org/2001/04/'
                'xmldsig-more#ecdsa-sha256"></d:SignatureMethod>'
                f"{refs}</d:SignedInfo>")
        value = base64.b64encode(self.signature(info.encode())).decode()
        token = base64.b64encode(der or self.der).decode()
        return tamper(
            f'<e:Envelope xmlns:e="{NS["e"]}"><e:Header><s:Security '
            f'xmlns:s="{NS["sec"]}">{stamp}<s:BinarySecurityToken>{token}'
            f'</s:BinarySecurityToken><d:Signature xmlns:d="{DS}">{info}'
            f"<d:SignatureValue>{value}</d:SignatureValue></d:Signature>"
            f"</s:Security></e:Header>{body}</e:Envelope>").encode()

    def ask(self, message):
        return self.client.exchange(self.url, message,
                                    NS["t"] + "/RST/Issue")


@pytest.fixture
def signer(serve, pki):  # noqa: F811
    server = serve(chain=[pki.leaf, pki.intermediate])
    assert server.phone().status == 0
    return Signer(server)


def test_a_ticket_by_certificate(signer):
    status, _, body = signer.ask(signer.message())
    assert status == 200, body
    assert b"<saml:Assertion" in body and SIP.encode() in body


def test_no_ticket_without_the_key_and_the_moment(signer, pki):
    hour = datetime.timedelta(hours=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    bad = [signer.message(created=now - hour),
           signer.message(created=now + hour),
           # Another's certificate, and one that was never issued here.
           signer.message(der=pki.leaf.der),
           signer.message(tamper=lambda t: t.replace("/CertProv/", "/X/")),
           signer.message(tamper=lambda t: t.replace("<u:Created>",
                                                     "<u:Created> ")),
           signer.message(tamper=lambda t: re.sub(
               "<d:Signature .*</d:Signature>", "", t)),
           signer.message(tamper=lambda t: t.replace(
               "<e:Body ", "<e:Body><x/></e:Body><e:Body "))]
    for message in bad:
        number, reason, _, _ = fault(signer.ask(message))
        assert number in (28020, 28903), reason
    # One that is good is good once.
    message = signer.message()
    assert signer.ask(message)[0] == 200
    number, reason, _, _ = fault(signer.ask(message))
    assert number == 28020 and "before" in reason


# A registrar that says where certificates are issued (sts-uri).

def by_registrar(server, sip, *more):
    return server.chainmend(
        "phone", "pin", "--registrar", "localhost", "--connect", "127.0.0.1",
        "--http-port", server.http, "--https-port", server.https,
        "--sip-port", sip, "--state", server.dir / "phone",
        "--anchors", server.pki.anchor.pem, "--number", NUMBER,
        "--pin-fd", "0", "--json", *more, stdin=PIN + "\n")


def test_only_the_registrar_is_known(serve):  # noqa: F811
    server = serve()
    run = by_registrar(server, server.sip)
    line, = run.lines
    assert run.status == 0 and line["signed_in"], run
    assert line["sts_uri"] == (f"https://localhost:{server.https}"
                               "/CertProv/CertProvisioningService.svc")
    assert line["sip"] == SIP


class Registrar:
    """Challenges with a certificate service of the test's choice."""

    def __init__(self, pki, sts):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(
            pki.file("sip.pem", pki.leaf, pki.intermediate), pki.leaf.key)
        self.sts, self.seen = sts, b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            raw, _ = self.socket.accept()
            with self.context.wrap_socket(raw, server_side=True) as s:
                while b"\r\n\r\n" not in self.seen:
                    self.seen += s.recv(65536)
                asked = self.seen.decode()
                keep = "".join(
                    line + "\r\n" for line in asked.split("\r\n")
                    if line.split(":")[0] in ("Via", "From", "To", "Call-ID",
                                              "CSeq"))
                s.sendall((f"SIP/2.0 401 Unauthorized\r\n{keep}"
                           'WWW-Authenticate: TLS-DSK realm="x", '
                           f'targetname="localhost", version=4{self.sts}\r\n'
                           "Content-Length: 0\r\n\r\n").encode())
                self.seen += s.recv(65536)
        except OSError:
            pass

    def stop(self):
        self.socket.close()
        self.thread.join(10)


@pytest.mark.parametrize("sts, why", [
    (', sts-uri="https://evil.test/CertProv/x.svc"', "wrong-host"),
    (', sts-uri="http://localhost/CertProv/x.svc"', "wrong-host"),
    (', sts-uri="https://localhost.evil.test/x"', "wrong-host"),
    (', sts-uri="https://localhost:0/x"', "wrong-host"),
    (', sts-uri="https://localhost"', "wrong-host"),
    (', sts-uri="' + "https://localhost/" + "a" * 5000 + '"',
     "registration-refused"),
    ("", "registration-refused"),
])
def test_a_registrar_that_sends_us_elsewhere(serve, pki, sts,  # noqa: F811
                                             why):
    server, liar = serve(), Registrar(pki, sts)
    try:
        run = by_registrar(server, liar.port, "--wait", "10")
    finally:
        liar.stop()
    line, = run.lines
    assert run.status == 1 and line["why"] == why, run
    assert line["reached"] == "challenge" and not line["secret_sent"]
    # Nobody else was asked anything, and who we are was not said.
    assert "/WebTicket" not in server.log.read_text()
    assert NUMBER.encode() not in liar.seen and PIN.encode() not in liar.seen


def test_the_registrar_must_prove_its_name(serve, pki):  # noqa: F811
    server = serve()
    evil = pki.root("Evil Root")
    run = by_registrar(server, server.sip, "--anchors", evil.pem)
    line, = run.lines
    assert run.status == 1 and line["reached"] == "challenge", run
    assert not line["secret_sent"] and line["sts_uri"] is None
