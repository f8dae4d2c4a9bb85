# SPDX-License-Identifier: Apache-2.0
"""What servers and words can do to check: one clear line each, in bounded
time and memory, and nothing that a terminal would obey."""
import os
import select
import socket
import subprocess
import time

import pytest

import servers
from hostile import SERVER_HELLO, Server, certificate, message, records, safe
from pki import LOCAL


@pytest.fixture
def serve():
    yield from servers.keep_each(Server)


def check(chainmend, *args, **how):
    return safe(chainmend("check", *args, "--offline", "--json", **how))


def endpoint(run):
    line, = run.of_kind("endpoint")
    return line


# ---------------------------------------------------------------- the chain

def test_ten_thousand_small_certificates(chainmend, pki, serve):
    """They fit into what a handshake may have, and are still too many."""
    server = serve(records(SERVER_HELLO + certificate(
        pki.leaf.der, *[b"\x30\x03\x02\x01\x00"] * 10000)))
    start = time.monotonic()
    run = check(chainmend, server.address, "--roots", pki.anchor.pem,
                "--timeout", "5")
    assert time.monotonic() - start < 20
    assert run.status == 1 and len(endpoint(run)["sent"]) == 16, run
    assert endpoint(run)["findings"], run


@pytest.mark.parametrize("n", [1000, 10000])
def test_a_chain_of_megabytes(chainmend, pki, serve, n):
    server = serve(records(SERVER_HELLO +
                           certificate(*[pki.leaf.der] * n)))
    start = time.monotonic()
    run = check(chainmend, server.address, "--roots", pki.anchor.pem,
                "--timeout", "5")
    assert time.monotonic() - start < 20
    assert run.status in (1, 3), run
    line = endpoint(run)
    assert line["findings"] or "trouble" in line, run


def test_a_certificate_of_64_kib(chainmend, pki, tmp_path, s_server):
    """A real one, with a long comment in it: judged like any other."""
    big = pki.intermediate.issue(
        "web.example", sans=LOCAL,
        extra=["1.3.6.1.4.1.55555.1 = ASN1:UTF8String:" + "x" * 64000])
    assert len(big.der) > 64000
    server = s_server(big.pem, big.key, chain=pki.intermediate.pem)
    run = check(chainmend, server.address, "--roots", pki.anchor.pem)
    assert run.status == 0 and endpoint(run)["verdict"] is None, run


def test_64_kib_that_are_no_certificate(chainmend, pki, serve):
    server = serve(records(SERVER_HELLO + certificate(b"\x30" * 65536)))
    run = check(chainmend, server.address, "--roots", pki.anchor.pem)
    assert run.status == 1, run
    assert endpoint(run)["verdict"] == "malformed-certificate"


def test_an_empty_chain(chainmend, pki, serve):
    server = serve(records(SERVER_HELLO + certificate()))
    run = check(chainmend, server.address, "--roots", pki.anchor.pem)
    assert run.status == 1 and endpoint(run)["findings"], run


def patched(der, old, new):
    assert der.count(old) and len(old) == len(new)
    return der.replace(old, new)


HOSTILE_NAMES = [b"\xff\xfe\x80\xc3(\xa0\xa1ABCDEFGH",
                 b"\x1b]0;owned\x07\x1b[31m",
                 b"\r\nSet-Cookie: a",
                 b"\0nul\0nul\0nul\0nu"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_that_are_no_text(chainmend, pki, serve, tmp_path, name):
    """Over the wire and from a file, as text and as JSON."""
    name = (name + b"Z" * 16)[:16]
    made = pki.make("A" * 16, sans=["DNS:" + "A" * 16])
    der = patched(made.der, b"A" * 16, name)
    server = serve(records(SERVER_HELLO + certificate(der)))
    path = tmp_path / "hostile.der"
    path.write_bytes(der)
    for word in (server.address, path):
        for more in ((), ("--json",), ("--verbose",)):
            for command in ("check", "show"):
                run = safe(chainmend(command, word, "--offline", "--roots",
                                     pki.anchor.pem, *more))
                # A file that holds no certificate cannot be looked at.
                assert run.status == 1 or word is path and \
                    run.status == 3 and "not a certificate" in run.err, run


# ------------------------------------------------------------ the handshake

@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_reset_at_every_byte(chainmend, pki, nginx, version):
    """One program, one connection for each byte of the server's first
    flight: each ends in a line of its own, and the last in a verdict."""
    server = nginx(pki.leaf.pem, pki.leaf.key,
                   more=f"ssl_protocols {version};")
    relay = Cutter(server.port)
    check(chainmend, relay.address, "--one-way", "--roots", pki.anchor.pem)
    flight = relay.flight
    assert 400 < flight < 4000
    n = flight + 1
    run = check(chainmend, *[relay.address] * n, "--one-way", "--timeout",
                "10", "--roots", pki.anchor.pem, timeout=170)
    relay.stop()
    lines = run.of_kind("endpoint")
    assert len(lines) == n
    assert run.status == 3
    for line in lines:
        assert line.get("trouble") or line["findings"], line
    # All bytes came: the whole certificate, in plain or decrypted.
    assert lines[-1]["verdict"] == "missing-intermediate", lines[-1]
    # None: reset before a word was said.
    assert "reset" in lines[0]["trouble"], lines[0]


class Cutter(servers.Listener):
    """The first connection gets the answer up to where it is the client's
    turn again; the k-th behind it gets the first k bytes, from none on."""

    def __init__(self, port):
        self.server, self.k, self.flight = port, -1, 0
        super().__init__(self.take)

    def take(self, s):
        try:
            self._relay(s, self.k)
        finally:
            self.k += 1
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         b"\1\0\0\0\0\0\0\0")
            s.close()

    def _relay(self, s, left):
        with socket.create_connection(("127.0.0.1", self.server)) as up:
            up.sendall(s.recv(65536))
            while left < 0:
                ready, _, _ = select.select([s, up], [], [], 10)
                if s in ready or not ready:
                    return
                data = up.recv(65536)
                # Counted first: whoever has it may be done with us at once.
                self.flight += len(data)
                s.sendall(data)
            while left:
                up.settimeout(5)
                data = up.recv(left)
                if not data:
                    return
                s.sendall(data)
                left -= len(data)
            # What the client has must be read before the reset throws it
            # away: it answers, or waits.
            s.settimeout(0.004)
            if self.k:
                try:
                    s.recv(1)
                except TimeoutError:
                    pass


@pytest.mark.parametrize("answer,says", [
    (b"\x16\x03\x03\x00\x00" * 50000, "handshake"),
    (records(message(2, b"\xff" * 40)), "handshake"),
    (b"\x15\x03\x03\x00\x02\x02\x28", "handshake_failure"),
    (b"\x16\x03\x03\xff\xff" + b"\0" * 70000, "handshake"),
    (b"\x17\x03\x03\x00\x05hello", "speaks no TLS"),
], ids=["empty-records", "bad-hello", "alert", "record-too-long", "data"])
def test_answers_that_are_wrong(chainmend, pki, serve, answer, says):
    server = serve(answer)
    run = check(chainmend, server.address, "--timeout", "5", "--roots",
                pki.anchor.pem)
    assert run.status in (1, 3), run
    assert says in run.out + run.err, run
    assert len(run.err.splitlines()) <= 1


def test_endless_handshake_is_bounded(program, clean_env):
    """Megabytes of handshake: memory stays what it is."""
    def feed(s):
        s.recv(4096)
        s.sendall(records(SERVER_HELLO))
        while True:
            # A Certificate that says it has 16 MiB.
            s.sendall(records(b"\x0b\xff\xff\xff" + b"\0" * 15000))
    listener = servers.Listener(feed, at_once=True)
    start = time.monotonic()
    child = subprocess.Popen(
        [program, "check", listener.address, "--timeout", "5", "--offline"], env=clean_env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    listener.stop()
    assert os.waitstatus_to_exitcode(status) in (1, 3)
    assert time.monotonic() - start < 20
    if not any(k.endswith("SAN_OPTIONS") for k in clean_env):
        assert usage.ru_maxrss < 100 * 1024, usage.ru_maxrss


# ------------------------------------------------------------------- words

WORDS = ["$(id)", "`id`", "a;id", "a|id", "a&&id", "a'b", 'a"b', "a b",
         "a\tb", "x\x1b[31m", "a\x00b".replace("\x00", "\x01"), "\udcff\udcfe",
         "b\u00fccher.example", "a" * 300, "-", "host:", "host:0",
         "host:65536", "host:9x", "[::1", "[::1]x", "1.2.3.4.5:x",
         "http://web.example", "ftp://x", "..", "a..b", "%s%n%s"]


@pytest.mark.parametrize("word", WORDS)
def test_words(chainmend, word, tmp_path):
    """No word reaches a shell, a file is made by none, each gets one line."""
    run = safe(chainmend("check", "--offline", "--timeout", "3", "--", word,
                         stdin="", cwd=tmp_path))
    assert run.status in (2, 3), run
    assert len(run.err.splitlines()) == 1, run
    assert {p.name for p in tmp_path.iterdir()} == {"home"}


def test_one_bad_word_of_many(chainmend, pki, nginx):
    server = nginx(pki.file("w.pem", pki.leaf, pki.intermediate),
                   pki.leaf.key)
    run = check(chainmend, "no-such-host.invalid", server.address, "--roots",
                pki.anchor.pem, "--timeout", "5")
    assert run.status == 3, run
    assert [e.get("verdict", "x") for e in run.of_kind("endpoint")] == [
        None, None]
    assert "trouble" in run.lines[0] and "trouble" not in run.lines[1]


def test_a_silent_one_ends_in_time(chainmend):
    quiet = socket.create_server(("127.0.0.1", 0))
    start = time.monotonic()
    run = check(chainmend, "127.0.0.1:%d" % quiet.getsockname()[1],
                "--timeout", "1")
    quiet.close()
    assert time.monotonic() - start < 10
    assert run.status == 3 and "silent" in run.err, run
