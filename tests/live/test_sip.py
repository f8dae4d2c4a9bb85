# SPDX-License-Identifier: Apache-2.0
"""The SIP registrar against clients that nobody here wrote, the phone against
registrars that are not what they should be.

TLS-DSK has an independent client here: TLS by Python's ssl module, the keys by
RFC 5246's PRF over its key log, signatures by hmac.  Nothing of chainmend's own
takes part in it.
"""
import base64
import hmac
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

import servers
from boot_lab import NUMBER, PIN, SIP, Provisioning
from pki import openssl

REALM = "SIP Communications Service"


@pytest.fixture
def serve(chainmend, pki, tmp_path):
    started = []

    def make(*more):
        started.append(Provisioning(chainmend, pki, tmp_path,
                                    [pki.leaf, pki.intermediate],
                                    [pki.intermediate], *more))
        servers.wait_until(lambda: servers.answers(started[-1].sip), "sip")
        return started[-1]

    yield make
    for server in started:
        server.stop()


# A stranger.

def challenges(text):
    return [line for line in text.splitlines()
            if line.startswith("WWW-Authenticate: ")]


@pytest.mark.parametrize("more,schemes", [
    ((), ["TLS-DSK"]),
    (("--offer-schemes", "ntlm"), ["NTLM", "TLS-DSK"]),
    (("--offer-schemes", "both"), ["NTLM", "Kerberos", "TLS-DSK"]),
    (("--tls12",), ["TLS-DSK"]),
])
def test_sipsak_gets_one_challenge_per_scheme(serve, pki, more, schemes):
    if not servers.program("sipsak"):
        pytest.skip("no sipsak on this machine")
    server = serve(*more)
    done = subprocess.run(
        ["sipsak", "-U", "-i", "-H", "127.0.0.1", "-E", "tls", "-s",
         "sip:ada@localhost", "-r", str(server.sip),
         f"--tls-ca-cert={pki.anchor.pem}", "-x", "7200", "-vvv"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    out = done.stdout.decode(errors="replace")
    if "unknown option" in out or "not compiled" in out:
        pytest.skip("this sipsak is built without TLS")
    # It verified the chain and the name, and it knows Digest alone.
    assert "couldn't find authentication method Digest in the 40[1|7]" in \
        out, out
    lines = challenges(out)
    assert [line.split()[1] for line in lines] == schemes
    assert lines[-1] == (
        f'WWW-Authenticate: TLS-DSK realm="{REALM}", targetname="localhost", '
        f'version=4, sts-uri="https://localhost:{server.https}'
        '/CertProv/CertProvisioningService.svc"')


# A client of our own making, in Python alone.

class Message:
    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.start, self.body = lines[0], body
        self.fields = [(name.lower(), value.strip()) for name, _, value in
                       (line.partition(":") for line in lines[1:])]

    def __repr__(self):
        return "\n".join([self.start, *(f"{n}: {v}" for n, v in self.fields)])

    @property
    def status(self):
        return int(self.start.split()[1])

    def all(self, name):
        return [value for n, value in self.fields if n == name]

    def auth(self, name):
        for value in self.all(name):
            scheme, _, rest = value.partition(" ")
            if scheme == "TLS-DSK":
                return {k: q or t for k, q, t in re.findall(
                    r'([\w-]+)=(?:"([^"]*)"|([^",\s]+))', rest)}
        return None


class Wire:
    """SIP over TLS, one request at a time."""

    def __init__(self, port, pki):
        context = ssl.create_default_context(cafile=str(pki.anchor.pem))
        self.raw = socket.create_connection(("127.0.0.1", port), 10)
        self.tls = context.wrap_socket(self.raw, server_hostname="localhost")
        self.left = b""

    def close(self):
        self.tls.close()

    def read(self):
        while b"\r\n\r\n" not in self.left:
            piece = self.tls.recv(65536)
            if not piece:
                raise EOFError
            self.left += piece
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        n = int(re.search(rb"Content-Length: (\d+)", head)[1])
        while len(self.left) < n:
            self.left += self.tls.recv(65536)
        body, self.left = self.left[:n], self.left[n:]
        return Message(head, body)

    def send(self, text):
        self.tls.sendall(text.encode() if isinstance(text, str) else text)


class Phone:
    """One dialog."""

    def __init__(self, wire, sip=SIP, to=None):
        self.wire, self.sip, self.to = wire, sip, to or sip
        self.call_id, self.tag = os.urandom(8).hex(), os.urandom(4).hex()
        self.cseq, self.opaque, self.keys, self.cnum = 0, None, None, 0
        self.contact = "sip:127.0.0.1:5061;transport=tls"

    def register(self, auth=None, expires=7200, contacts=None, method="REGISTER"):
        self.cseq += 1
        contacts = [f"<{self.contact}>"] if contacts is None else contacts
        self.wire.send("\r\n".join([
            f"{method} sip:corp.example SIP/2.0",
            f"Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{os.urandom(4).hex()}",
            "Max-Forwards: 70", f"From: <{self.sip}>;tag={self.tag}",
            f"To: <{self.to}>", f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}", f"Expires: {expires}",
            *(f"Contact: {c}" for c in contacts),
            *([f"Authorization: TLS-DSK {auth}"] if auth else []),
            "Content-Length: 0", "", ""]))
        return self.wire.read()

    def handshake(self, pem, key, directory, version=None):
        """The steps of TLS inside SIP; True when both ends are done."""
        log = directory / f"keys-{os.urandom(4).hex()}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # The outside was verified; this is about keys.
        context.verify_mode = ssl.CERT_NONE
        context.keylog_filename = str(log)
        context.minimum_version = context.maximum_version = (
            version or ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("AES128-SHA:ECDHE-RSA-AES128-SHA:"
                            "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
        context.load_cert_chain(pem, key)
        take, give = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = context.wrap_bio(take, give)
        came, steps, done = b"", 0, False
        while not done:
            try:
                inner.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            step = give.read()
            if not step:
                break
            opaque = f', opaque="{self.opaque}"' if self.opaque else ""
            answer = self.register(
                f'qop="auth", realm="{REALM}", targetname="localhost"{opaque}'
                f', gssapi-data="{base64.b64encode(step).decode()}", version=4')
            steps += 1
            assert answer.status == 401, answer
            got = answer.auth("www-authenticate")
            if "gssapi-data" not in got:
                return False
            self.opaque = got["opaque"]
            piece = base64.b64decode(got["gssapi-data"])
            came += piece
            take.write(piece)
        assert steps == 2
        self.keys = keys_of(log.read_text(), came, context.maximum_version)
        return True

    def signed(self, expires=7200, contacts=None, key=None, cnum=None,
               crand=None, tamper=False, method="REGISTER"):
        """A signed request and its answer; the answer's signature holds."""
        self.cnum = cnum if cnum is not None else self.cnum + 1
        crand = crand or os.urandom(4).hex()
        text = "".join(f"<{v}>" for v in (
            "TLS-DSK", crand, self.cnum, REALM, "localhost", self.call_id,
            self.cseq + 1, method, self.sip, self.tag, self.to, "", "", "",
            expires))
        mac = hmac.new(key or self.keys[0], text.encode(), "sha1").hexdigest()
        answer = self.register(
            f'qop="auth", opaque="{self.opaque}", realm="{REALM}", '
            f'targetname="localhost", crand="{crand}", cnum="{self.cnum}", '
            f'response="{mac.upper()}"',
            expires=expires + 1 if tamper else expires, contacts=contacts,
            method=method)
        got = answer.auth("authentication-info")
        if answer.status != 401:
            self.check(answer, got, method)
        return answer

    def check(self, answer, got, method):
        to = answer.all("to")[0]
        given = answer.all("expires")
        text = "".join(f"<{v}>" for v in (
            "TLS-DSK", got["srand"], got["snum"], REALM, "localhost",
            self.call_id, self.cseq, method, self.sip, self.tag, self.to,
            to.split(";tag=")[1], "", "", given[0] if given else "",
            answer.status))
        mac = hmac.new(self.keys[1], text.encode(), "sha1").hexdigest()
        assert got["rspauth"] == mac.upper()


def p_hash(digest, secret, seed, n):
    out, a = b"", seed
    while len(out) < n:
        a = hmac.new(secret, a, digest).digest()
        out += hmac.new(secret, a + seed, digest).digest()
    return out[:n]


def keys_of(log, server_flight, version):
    """RFC 5246 section 5, RFC 2246 section 5."""
    client_random, master = re.search(
        r"CLIENT_RANDOM (\w+) (\w+)", log).groups()
    # Record header 5, handshake header 4, version 2, then 32 bytes.
    assert server_flight[0] == 22 and server_flight[5] == 2
    seed = (b"client EAP encryption" + bytes.fromhex(client_random) +
            server_flight[11:43])
    master = bytes.fromhex(master)
    if version == ssl.TLSVersion.TLSv1:
        half = len(master) // 2
        parts = (p_hash("md5", master[:half], seed, 128),
                 p_hash("sha1", master[half:], seed, 128))
        material = bytes(a ^ b for a, b in zip(*parts))
    else:
        material = p_hash("sha256", master, seed, 128)
    return material[64:96], material[96:128]


@pytest.fixture
def holder(serve, tmp_path):
    """A server, and the certificate that one of our phones got from it."""
    def make(*more):
        server = serve(*more)
        run = server.phone()
        assert run.status == 0, run
        pem = tmp_path / "phone" / "client.pem"
        assert b"PRIVATE KEY" in pem.read_bytes()
        return server, pem
    return make


@pytest.fixture
def dial(pki):
    open_wires = []

    def make(server):
        open_wires.append(Wire(server.sip, pki))
        return open_wires[-1]

    yield make
    for wire in open_wires:
        wire.close()


def test_an_independent_client_registers(holder, dial, tmp_path):
    server, pem = holder()
    phone = Phone(dial(server))
    assert phone.register().status == 401
    assert phone.handshake(pem, None, tmp_path)
    answer = phone.signed()
    assert answer.status == 200, answer
    assert answer.all("expires") == ["7200"]
    # The phone that fetched the certificate is registered, too.
    mine = [c for c in answer.all("contact") if phone.contact in c]
    assert len(mine) == 1 and int(mine[0].split("expires=")[1]) <= 7200
    # The next one counts on.
    again = phone.signed()
    assert again.status == 200
    assert int(again.auth("authentication-info")["snum"]) == 2
    gone = phone.signed(expires=0)
    assert gone.status == 200
    assert not [c for c in gone.all("contact") if phone.contact in c]


OLD = ssl.TLSVersion.TLSv1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
def test_old_phones_are_refused(holder, dial, tmp_path):
    server, pem = holder()
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        Phone(dial(server)).handshake(pem, None, tmp_path, OLD)
    run = server.phone("--legacy-dsk")
    assert run.status == 1
    assert run.lines[0]["why"] == "registration-refused", run


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
def test_old_phones_by_the_switch(holder, dial, tmp_path):
    server, pem = holder("--legacy-dsk")
    phone = Phone(dial(server))
    assert phone.handshake(pem, None, tmp_path, OLD)
    assert phone.signed().status == 200


def test_our_old_phone(chainmend, tmp_path):
    """RSA key exchange wants a registrar with an RSA key: the lab's."""
    state = tmp_path / "server"
    user = ["serve", "--state", state, "user"]
    assert chainmend(*user, "add", "--sip", SIP, "--number",
                     NUMBER).status == 0
    assert chainmend(*user, "set-pin", "--sip", SIP, "--secret-fd", "0",
                     stdin=PIN + "\n").status == 0
    web, sip = servers.free_port(), servers.free_port()
    server = chainmend.popen(
        "serve", "--state", state, "--lab", "--legacy-dsk", "--host",
        "localhost", "--address", "127.0.0.1", "--http-port",
        servers.free_port(), "--https-port", web, "--sip-port", sip, "--quiet",
        stdout=subprocess.DEVNULL)
    try:
        servers.wait_until(lambda: (state / "lab-root.pem").exists() and
                           servers.answers(sip), "serve",
                           process=server)
        run = chainmend(
            "phone", "pin", "--legacy-dsk", "--server", "localhost",
            "--connect", "127.0.0.1", "--https-port", web, "--sip-port", sip,
            "--state", tmp_path / "phone", "--anchors",
            state / "lab-root.pem", "--number", NUMBER, "--pin-fd", "0",
            "--json", stdin=PIN + "\n")
    finally:
        server.terminate()
        server.wait(10)
    assert run.status == 0 and run.lines[0]["registered_s"] == 7200, run


def test_what_is_signed_badly_is_refused(holder, dial, tmp_path):
    server, pem = holder()
    cases = {
        "wrong key": dict(key=b"x" * 32),
        "changed on the way": dict(tamper=True),
        "no hex": dict(crand="0878f41g"),
        "long crand": dict(crand="0878f41b0"),
        "negative": dict(cnum=-1),
        "too large": dict(cnum=1 << 32),
    }
    for name, how in cases.items():
        phone = Phone(dial(server))
        assert phone.handshake(pem, None, tmp_path)
        answer = phone.signed(**how)
        assert answer.status == 401, (name, answer)
        assert not answer.all("contact"), name
        # That association is gone.
        assert phone.signed(cnum=9).status == 401, name
    # With the server's key in place of the client's.
    phone = Phone(dial(server))
    assert phone.handshake(pem, None, tmp_path)
    assert phone.signed(key=phone.keys[1]).status == 401


def test_a_replay_is_refused(holder, dial, tmp_path):
    server, pem = holder()
    phone = Phone(dial(server))
    assert phone.handshake(pem, None, tmp_path)
    assert phone.signed(cnum=5).status == 200
    for cnum in (5, 4, 1, 0):
        assert phone.signed(cnum=cnum).status == 401
    assert phone.signed(cnum=6).status == 200
    # Another connection has another association.
    other = Phone(dial(server))
    other.opaque, other.keys = phone.opaque, phone.keys
    assert other.signed(cnum=7).status == 401


def test_only_published_certificates_of_that_user(holder, dial, pki, tmp_path,
                                                  chainmend):
    server, pem = holder()
    with pytest.raises(ssl.SSLError, match="(?i)bad certificate|bad_cert"):
        # A good certificate of the enterprise CA, never published.
        Phone(dial(server)).handshake(pki.leaf.pem, pki.leaf.key, tmp_path)
    for phone in (Phone(dial(server), "sip:eve@corp.example"),
                  Phone(dial(server), SIP, "sip:eve@corp.example"),
                  Phone(dial(server), "sip:eve@corp.example", SIP)):
        assert phone.handshake(pem, None, tmp_path)
        assert phone.signed().status == 403
    phone = Phone(dial(server))
    assert phone.handshake(pem, None, tmp_path)
    assert phone.signed().status == 200
    state = tmp_path / "server"
    assert chainmend("serve", "--state", state, "user", "remove", "--sip",
                     SIP).status == 0
    assert phone.signed().status == 403


def test_requests_that_are_refused(holder, dial, tmp_path):
    server, pem = holder()
    phone = Phone(dial(server))
    assert phone.register(method="INVITE").status == 405
    assert phone.register("realm=\"a").status == 400
    assert phone.register('gssapi-data="AAAA", opaque="0"').status == 401
    assert phone.register('gssapi-data="%%%%"').status == 401
    assert phone.register('gssapi-data="R0VUIC8="').status == 401
    assert phone.handshake(pem, None, tmp_path)
    assert phone.signed(expires=30).status == 423
    assert phone.signed(contacts=["*"]).status == 400
    assert phone.signed(contacts=["<sip:a b>"]).status == 400
    many = [f"<sip:127.0.0.1:{n}>" for n in range(1, 10)]
    assert phone.signed(contacts=many).status == 400
    assert phone.signed(contacts=["*"], expires=0).status == 200
    answer = phone.signed(contacts=[", ".join(many[:8])])
    assert answer.status == 200 and len(answer.all("contact")) == 8
    # A ninth takes the place of the one that ends first.
    phone.signed(contacts=many[3:4], expires=100)
    answer = phone.signed(contacts=many[8:])
    assert answer.status == 200 and len(answer.all("contact")) == 8
    assert many[8] in str(answer) and many[3] not in str(answer)


def test_a_device_takes_its_own_place(holder, dial, tmp_path):
    server, pem = holder()
    phone = Phone(dial(server))
    assert phone.handshake(pem, None, tmp_path)
    phone.signed(contacts=["*"], expires=0)
    for port in range(1, 20):
        answer = phone.signed(contacts=[
            f'<sip:127.0.0.1:{port}>;+sip.instance="<urn:uuid:1>"'])
        assert answer.status == 200
    contact, = answer.all("contact")
    assert "127.0.0.1:19>" in contact


def test_streams_that_are_not_sip(serve, dial):
    server = serve()
    for text in ("GET / HTTP/1.1\r\n\r\n", "REGISTER sip:x SIP/2.0\r\n\r\n",
                 "REGISTER sip:x SIP/2.0\r\nX: " + "y" * 70000,
                 "REGISTER sip:x SIP/2.0\r\nl: 99999999\r\n\r\n"):
        wire = dial(server)
        wire.send(text)
        with pytest.raises((EOFError, ssl.SSLError, OSError)):
            wire.read()
    wire = dial(server)
    wire.send("\r\n\r\n")
    assert wire.tls.recv(10) == b"\r\n"
    # One who never gets anywhere is shown the door.
    phone = Phone(wire)
    with pytest.raises((EOFError, ssl.SSLError, OSError)):
        for _ in range(100):
            assert phone.register().status == 401


def test_many_quiet_connections_stop_nobody(holder, dial):
    server, _ = holder()
    quiet = [socket.create_connection(("127.0.0.1", server.sip))
             for _ in range(500)]
    for sock in quiet[::2]:
        sock.sendall(b"\x16\x03\x01")
    begin = time.monotonic()
    run = server.phone()
    assert run.status == 0, run
    assert time.monotonic() - begin < 10
    for sock in quiet:
        sock.close()


def test_our_phone_takes_its_own_place(holder, dial, tmp_path):
    server, pem = holder()
    assert server.phone().status == 0  # the same phone, from another port
    assert server.phone(state="another").status == 0
    phone = Phone(dial(server))
    assert phone.handshake(pem, None, tmp_path)
    answer = phone.signed(contacts=[])
    assert answer.status == 200 and len(answer.all("contact")) == 2, answer


def test_a_registrar_with_a_name_of_its_own(serve, pki, tmp_path):
    pool = pki.intermediate.issue("pool", sans=["DNS:pool.example"])
    server = serve("--registrar", "pool.example", "--sip-cert",
                   pki.file("pool.pem", pool, pki.intermediate), "--sip-key",
                   pool.key)
    run = server.phone("--registrar", "pool.example")
    assert run.status == 0, run
    # By the web server's name it is not to be had.
    run = server.phone()
    assert run.lines[0]["why"] == "name-mismatch", run


# The phone against registrars.

class Registrar:
    """TLS on one port, and an answer for each request."""

    def __init__(self, chain, key, answers):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.answers, self.heard = answers, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            raw, _ = self.listener.accept()
            raw.settimeout(20)
            with self.context.wrap_socket(raw, server_side=True) as tls:
                for answer in self.answers:
                    self.serve(tls, answer)
        except (OSError, EOFError):
            pass

    def serve(self, tls, answer):
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            piece = tls.recv(65536)
            if not piece:
                raise EOFError
            data += piece
        text = data.decode()
        self.heard.append(text)
        copied = "".join(
            line + "\r\n" for line in text.split("\r\n")
            if re.match(r"(Via|From|To|Call-ID|CSeq):", line))
        tls.sendall(answer.replace("COPIED", copied).encode())

    def stop(self):
        servers.end_accepting(self.listener, self.thread)


OK = "SIP/2.0 200 OK\r\nCOPIEDExpires: 7200\r\nContent-Length: 0\r\n\r\n"
DSK = ('WWW-Authenticate: TLS-DSK realm="r", targetname="localhost", '
       'version=%s\r\n')
CHALLENGE = "SIP/2.0 401 No\r\nCOPIED" + DSK % 4 + "Content-Length: 0\r\n\r\n"
STEP = ("SIP/2.0 401 No\r\nCOPIEDWWW-Authenticate: TLS-DSK opaque=\"a\", "
        "gssapi-data=\"%s\"\r\nContent-Length: 0\r\n\r\n")
REFUSALS = {
    "accepts anybody": ([OK], "registrar-unproven"),
    "accepts in the middle": ([CHALLENGE, OK], "registration-refused"),
    "forbids": (["SIP/2.0 403 No\r\nCOPIEDContent-Length: 0\r\n\r\n"],
                "registration-refused"),
    "old version": ([CHALLENGE.replace("version=4", "version=2")],
                    "registration-refused"),
    "version no number": ([CHALLENGE.replace("version=4", "version=x")],
                          "registration-refused"),
    "other scheme": ([CHALLENGE.replace("TLS-DSK", "Digest")],
                     "registration-refused"),
    "no TLS inside": ([CHALLENGE, STEP % "R0VUIC8="], "registration-refused"),
    "no base64 inside": ([CHALLENGE, STEP % "%%%%"], "registration-refused"),
    "alert inside": ([CHALLENGE, STEP % "FQMDAAICKA=="],
                     "registration-refused"),
    "no length": (["SIP/2.0 401 No\r\nCOPIED\r\n"], "registration-refused"),
    "endless head": (["SIP/2.0 401 No\r\nCOPIED" + "X: y\r\n" * 20000],
                     "registration-refused"),
    "somebody else's answer": (
        ["SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"],
        "registrar-unreachable"),
    "closes": ([], "registrar-unreachable"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_registrar_that_is_none(serve, pki, name):
    answers, why = REFUSALS[name]
    server = serve()
    registrar = Registrar(
        pki.file("registrar.pem", pki.leaf, pki.intermediate), pki.leaf.key,
        answers)
    run = server.phone("--sip-port", registrar.port, "--wait", "3")
    registrar.stop()
    assert run.status == 1, run
    line, = run.lines
    assert (line["signed_in"], line["reached"], line["why"]) == (
        False, "register", why), run
    heard = "".join(registrar.heard)
    assert PIN not in heard and "PRIVATE" not in heard
    assert line["display"].startswith("Unable to contact Registrar")


@pytest.mark.parametrize("which", ["name", "root"])
def test_a_registrar_of_another_name_or_root(serve, pki, tmp_path, which):
    server = serve()
    if which == "root":
        key, pem = tmp_path / "rogue.key", tmp_path / "rogue.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                pem, "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-days", "2")
    else:
        key, pem = pki.leaf.key, pki.file("r.pem", pki.leaf, pki.intermediate)
    registrar = Registrar(pem, key, [])
    more = ("--registrar", "pool.other.example") if which == "name" else ()
    run = server.phone("--sip-port", registrar.port, *more)
    registrar.stop()
    assert run.status == 1 and run.lines[0]["reached"] == "register", run
    assert run.lines[0]["why"] == (
        "name-mismatch" if which == "name" else "self-signed-leaf"), run
    assert not registrar.heard
