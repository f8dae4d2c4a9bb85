# SPDX-License-Identifier: Apache-2.0
"""The web services of device sign-in: metadata, ticket, certificate and
errors, by a client written here from the published messages alone, and the
phone against services that lie."""
import base64
import re
import subprocess
import urllib.error
import urllib.request
import ssl
import time
import uuid
import xml.etree.ElementTree as ET

import pytest

import servers
from boot_lab import (BOMB, NUMBER, PIN, SIP, XXE, drip, endless, rogue,
                      serve, whole)  # noqa: F401
from pki import openssl

NS = {"e": "http://schemas.xmlsoap.org/soap/envelope/",
      "w": "http://schemas.xmlsoap.org/wsdl/",
      "s": "http://schemas.xmlsoap.org/wsdl/soap/",
      "p": "http://schemas.xmlsoap.org/ws/2004/09/policy",
      "a": "http://www.w3.org/2005/08/addressing",
      "t": "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
      "o": "http://schemas.microsoft.com/OCS/AuthWebServices/",
      "sec": "http://docs.oasis-open.org/wss/2004/01/"
             "oasis-200401-wss-wssecurity-secext-1.0.xsd",
      "af": "urn:component:Microsoft.Rtc.WebAuthentication.2010",
      "saml": "urn:oasis:names:tc:SAML:1.0:assertion"}
ID = ("{http://docs.oasis-open.org/wss/2004/01/"
      "oasis-200401-wss-wssecurity-utility-1.0.xsd}Id")
CERTPROV = "/CertProv/CertProvisioningService.svc"
PORT = "CertProvisioningServiceWebTicketProof_SHA1"


class Client:
    """Speaks SOAP to the server, trusting the test's root."""

    def __init__(self, server):
        self.server = server
        self.base = f"https://localhost:{server.https}"
        self.context = ssl.create_default_context(
            cafile=server.pki.anchor.pem)

    def exchange(self, url, body=None, action=""):
        headers = {"Content-Type": "text/xml; charset=utf-8",
                   "SOAPAction": f'"{action}"'} if body else {}
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, context=self.context,
                                        timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.headers, e.read()

    def mex(self, url, port):
        """(location, ticket issuer) of a port."""
        status, _, body = self.exchange(url + "/mex")
        assert status == 200
        root = ET.fromstring(body)
        address = root.find(f".//w:port[@name='{port}']/s:address", NS)
        policy, = [p for p in root.iterfind("p:Policy", NS)
                   if p.get(ID) == port + "_policy"]
        issuer = policy.find(
            "p:ExactlyOne/p:All/{*}EndorsingSupportingTokens/p:Policy/"
            "{*}IssuedToken/{*}Issuer/a:Address", NS)
        return (address.get("location"),
                issuer.text if issuer is not None else None)

    def ticket(self, pin=PIN, name=NUMBER, applies_to=None):
        cert_url, issuer = self.mex(self.base + CERTPROV, PORT)
        url, _ = self.mex(issuer, "WebTicketServicePin")
        body = f"""<e:Envelope xmlns:e="{NS['e']}"><e:Header>
<x:Security xmlns:x="{NS['sec']}"><x:UsernameToken><x:Username>{name}\
</x:Username><x:Password>{pin}</x:Password></x:UsernameToken></x:Security>
</e:Header><e:Body><RequestSecurityToken xmlns="{NS['t']}"><TokenType>x\
</TokenType><p:AppliesTo xmlns:p="{NS['p']}"><a:EndpointReference
 xmlns:a="{NS['a']}"><a:Address>{applies_to or cert_url}</a:Address>\
</a:EndpointReference></p:AppliesTo></RequestSecurityToken></e:Body>\
</e:Envelope>"""
        return self.exchange(url, body.encode(), NS["t"] + "/RST/Issue")

    def assertion(self, **more):
        status, _, body = self.ticket(**more)
        assert status == 200, body
        return re.search(rb"<saml:Assertion.*</saml:Assertion>", body,
                         re.S).group(0).decode()

    def certificate(self, assertion, csr, entity=SIP[4:], request=None):
        body = f"""<e:Envelope xmlns:e="{NS['e']}"><e:Header>
<x:Security xmlns:x="{NS['sec']}">{assertion}</x:Security></e:Header><e:Body>
<GetAndPublishCert xmlns="{NS['o']}" DeviceId="{{{uuid.uuid4()}}}"
 Entity="{entity}"><t:RequestSecurityToken xmlns:t="{NS['t']}/">
<x:BinarySecurityToken xmlns:x="{NS['sec']}">{csr}</x:BinarySecurityToken>
<RequestID xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollment"
>{request or uuid.uuid4()}</RequestID></t:RequestSecurityToken>
</GetAndPublishCert></e:Body></e:Envelope>"""
        return self.exchange(self.base + CERTPROV, body.encode(),
                             NS["o"] + "GetAndPublishCert")


@pytest.fixture
def client(serve, pki):  # noqa: F811
    return Client(serve(chain=[pki.leaf, pki.intermediate]))


@pytest.fixture
def csr(tmp_path):
    def make(*new):
        return base64.b64encode(openssl(
            "req", "-new", "-newkey", *(new or ("rsa:2048",)), "-nodes",
            "-keyout", tmp_path / "k", "-subj", "/CN=x", "-outform",
            "DER")).decode()
    return make


def fault(answer):
    """(id, reason, PIN's reason, header) of a fault."""
    status, headers, body = answer
    assert status == 500, body
    assert headers["Content-Type"] == "text/xml; charset=utf-8"
    detail = ET.fromstring(body).find(
        "e:Body/e:Fault/detail/af:OCSDiagnosticsFault/af:Ms-Diagnostics-Fault",
        NS)
    pin = detail.find(".//af:Value", NS)
    return (int(detail.find("af:ErrorId", NS).text),
            detail.find("af:Reason", NS).text,
            pin.text if pin is not None else None,
            headers["X-Ms-diagnostics"])


def info(answer):
    """(id, reason) of an ErrorInfo."""
    status, headers, body = answer
    assert status == 200, body
    found = ET.fromstring(body).find(
        "e:Body/o:GetAndPublishCertResponse/o:ErrorInfo", NS)
    number = int(found.find("o:ErrorId", NS).text)
    assert headers["X-Ms-diagnostics"].startswith(f'{number};"localhost";')
    return number, found.find("o:Reason", NS).text


def issued(answer):
    status, _, body = answer
    assert status == 200, body
    token = ET.fromstring(body).find(
        "e:Body/o:GetAndPublishCertResponse//sec:BinarySecurityToken", NS)
    return base64.b64decode(token.text)


def test_another_client_signs_in(client, csr):
    cert = issued(client.certificate(client.assertion(), csr()))
    text = openssl("x509", "-inform", "DER", "-noout", "-text",
                   stdin=cert).decode()
    assert f"URI:{SIP}" in text and "Client Authentication" in text


def test_wrong_pins_look_alike(client):
    wrong = fault(client.ticket(pin="99887766"))
    assert wrong == fault(client.ticket(name="+15559999"))
    number, reason, pin, header = wrong
    assert pin == "IncorrectPin"
    assert re.fullmatch(rf'{number};"localhost";"[^"]+";"FailedAuthentication"',
                        header)
    assert "99887766" not in reason + header


def test_a_lock_is_told(client):
    for _ in range(25):
        fault(client.ticket(pin="99887766"))
    assert fault(client.ticket())[2] == "UserPinAccountLocked"


def test_a_ticket_is_good_once(client, csr):
    ticket, request = client.assertion(), csr()
    issued(client.certificate(ticket, request))
    number, reason, _, header = fault(client.certificate(ticket, request))
    assert number == 28020 and "used before" in reason
    assert header.startswith('28020;"localhost";')


def test_the_same_request_gets_the_same_certificate(client, csr):
    ticket, request, name = client.assertion(), csr(), uuid.uuid4()
    first = issued(client.certificate(ticket, request, request=name))
    assert issued(client.certificate(ticket, request, request=name)) == first


def test_tickets_that_are_not_ours(client, csr):
    good, request = client.assertion(), csr()
    forged = re.sub(r'AssertionID="[^"]*"',
                    f'AssertionID="SamlSecurityToken-{uuid.uuid4()}"', good)
    elsewhere = client.assertion(applies_to="https://other.example/x")
    for ticket in ("", forged, elsewhere):
        assert fault(client.certificate(ticket, request))[0] == 28020


def test_what_the_service_refuses_is_error_info(client, csr):
    for entity, request in (
            ("eve@corp.example", csr()), (SIP[4:], "AAAA"),
            (SIP[4:], csr("rsa:1024"))):
        number, reason = info(client.certificate(
            client.assertion(), request, entity=entity))
        assert number == 28907 and reason


def test_messages_without_what_they_need(client):
    empty = f'<e:Envelope xmlns:e="{NS["e"]}"><e:Body/></e:Envelope>'
    bare = (f'<e:Envelope xmlns:e="{NS["e"]}"><e:Header/><e:Body>'
            f'<RequestSecurityToken xmlns="{NS["t"]}"/></e:Body>'
            '</e:Envelope>')
    ticket = client.base + "/WebTicket/WebTicketService.svc/Pin"
    for body in (empty, bare):
        for url in (ticket, client.base + CERTPROV):
            assert fault(client.exchange(url, body.encode()))[0] >= 28900
    assert client.assertion()


def test_the_phone_prints_the_servers_words(serve, pki):  # noqa: F811
    run = serve(chain=[pki.leaf, pki.intermediate]).phone(pin="99887766")
    line, = run.lines
    assert run.status == 1 and line["why"] == "pin-refused"
    assert line["pin_reason"] == "IncorrectPin"
    assert line["error_id"] == 28901
    assert line["diagnostics"].startswith('28901;"localhost";')


# Services that lie.

def metadata(location, issuer="https://localhost/WebTicket/t.svc"):
    return f"""<w:definitions xmlns:w="{NS['w']}" xmlns:p="{NS['p']}"
 xmlns:a="{NS['a']}" xmlns:s="{NS['s']}" xmlns:u="{ID[1:-3]}">
<p:Policy u:Id="{PORT}_policy"><p:ExactlyOne><p:All>
<EndorsingSupportingTokens><p:Policy><IssuedToken><Issuer><a:Address>{issuer}\
</a:Address></Issuer></IssuedToken></p:Policy></EndorsingSupportingTokens>
</p:All></p:ExactlyOne></p:Policy><w:service><w:port name="{PORT}">
<s:address location="{location}"/></w:port><w:port name="WebTicketServicePin">
<s:address location="{location}"/></w:port></w:service>
</w:definitions>""".encode()


HOME = "https://localhost" + CERTPROV
LIES = {
    "foreign-host": (whole(metadata("https://evil.example/x")), "wrong-host"),
    "foreign-issuer": (whole(metadata(HOME, "https://evil.example/x")),
                       "wrong-host"),
    "plain-http": (whole(metadata("http://localhost/x")), None),
    "another-port": (whole(metadata("https://localhost:1/x")), None),
    "user-trick": (whole(metadata("https://localhost@evil.example/x")),
                   "wrong-host"),
    "no-issuer": (whole(metadata(HOME, "")), None),
    "bomb": (whole(BOMB), None), "xxe": (whole(XXE), None),
    "huge": (whole(b"<a>" + b"A" * (1 << 20) + b"</a>"), None),
    "page": (whole(b"<html><p>hello</html>", "text/html"), None),
    "moved": (whole(b"", status=302), None),
    "endless": (endless, None), "drip": (drip, None),
}


@pytest.mark.parametrize("name", LIES)
def test_hostile_metadata(chainmend, pki, rogue, tmp_path,  # noqa: F811
                          name):
    answer, why = LIES[name]
    chain = pki.file("chain.pem", pki.leaf, pki.intermediate)
    bad = rogue(answer, chain, pki.leaf.key)
    began = time.monotonic()
    run = chainmend(
        "phone", "pin", "--server", "localhost", "--connect", "127.0.0.1",
        "--https-port", bad.server_port, "--http-port", servers.free_port(),
        "--state", tmp_path / "p", "--anchors", pki.anchor.pem, "--number",
        NUMBER, "--pin-fd", "0", "--wait", "3", "--json", stdin=PIN + "\n")
    assert time.monotonic() - began < 20
    assert run.status == 1, run
    line, = run.lines
    assert line["reached"] == "metadata" and line["why"] == why, line
    assert not line["secret_sent"]
    assert all(PIN.encode() not in body for body in bad.seen)
    assert all(path.endswith("/mex") for path in bad.asked)


def test_without_metadata_the_profile(chainmend, pki, rogue,  # noqa: F811
                                      tmp_path):
    chain = pki.file("chain.pem", pki.leaf, pki.intermediate)
    bad = rogue(whole(b"", status=404), chain, pki.leaf.key)
    run = chainmend(
        "phone", "pin", "--server", "localhost", "--connect", "127.0.0.1",
        "--https-port", bad.server_port, "--http-port", servers.free_port(),
        "--state", tmp_path / "p", "--anchors", pki.anchor.pem, "--number",
        NUMBER, "--pin-fd", "0", "--json", stdin=PIN + "\n")
    assert run.status == 1 and run.lines[0]["reached"] == "ticket", run
    assert bad.asked == [CERTPROV + "/mex",
                         "/WebTicket/WebTicketService.svc/Pin"]


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_metadata_by_others(client, pki, tool):
    if not servers.program(tool):
        pytest.skip(f"no {tool} on this machine")
    url = client.base + CERTPROV + "/mex"
    command = {"curl": ["curl", "-sf", "--cacert", pki.anchor.pem, url],
               "wget": ["wget", "-qO-", f"--ca-certificate={pki.anchor.pem}",
                        url]}[tool]
    got = subprocess.run(command, capture_output=True, timeout=30, check=True)
    assert PORT.encode() in got.stdout
