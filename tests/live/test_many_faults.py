# SPDX-License-Identifier: Apache-2.0
"""What servers can do to check -f: each has its one line, in bounded time and
memory, and holds up nobody; and each fault of a chain is told as it is when one
server is asked."""
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
import servers
from hostile import SERVER_HELLO, Server, certificate, message, records, safe
from test_check import SETUPS

ESC = b"\x1b]0;owned\x07\x1b[31m"


@pytest.fixture
def serve():
    yield from servers.keep_each(Server)


@pytest.fixture
def many(chainmend, pki, tmp_path):
    def run(targets, *args, **how):
        path = tmp_path / "targets.txt"
        path.write_text("".join(f"{t}\n" for t in targets))
        return safe(chainmend("check", "-f", path, "--roots", pki.anchor.pem,
                              "--offline", "--json", *args, **how))
    return run


def hostile_name(pki):
    made = pki.make("A" * 16, sans=["DNS:" + "A" * 16])
    return made.der.replace(b"A" * 16, (ESC + b"Z" * 16)[:16])


# What is sent and whether the connection ends then, what is told of it.
FAULTS = {
    "http": (lambda p: b"HTTP/1.1 400 No\r\n\r\n", True, "speaks HTTP"),
    "ssh": (lambda p: b"SSH-2.0-" + ESC + b"\r\n", True, "speaks SSH"),
    "noise": (lambda p: ESC + b"\0\xff\xfe", True, "speaks no TLS"),
    "nothing": (lambda p: b"", True, "closed the connection at the TLS hello"),
    "silent": (lambda p: b"", False, "is silent"),
    "alert": (lambda p: b"\x15\x03\x03\x00\x02\x02\x28", True,
              "no-shared-cipher"),
    "bad-hello": (lambda p: records(message(2, b"\xff" * 40)), True,
                  "server-closed"),
    "hello-alone": (lambda p: records(SERVER_HELLO), True, "server-closed"),
    "half-a-record": (lambda p: b"\x16\x03\x03\x40\x00" + b"\0" * 99, False,
                      "server-closed"),
    "empty-records": (lambda p: b"\x16\x03\x03\x00\x00" * 50000, True,
                      "server-closed"),
    "empty-chain": (lambda p: records(SERVER_HELLO + certificate()), True,
                    "server-closed"),
    "no-certificate": (lambda p: records(SERVER_HELLO +
                                         certificate(b"\x30" * 65536)), True,
                       "malformed-certificate"),
    "hostile-name": (lambda p: records(SERVER_HELLO +
                                       certificate(hostile_name(p))), True,
                     "name-mismatch"),
    "ten-thousand": (lambda p: records(SERVER_HELLO + certificate(
        p.leaf.der, *[b"\x30\x03\x02\x01\x00"] * 10000)), True,
        "missing-intermediate"),
    "megabytes": (lambda p: records(SERVER_HELLO + certificate(
        *[p.leaf.der] * 3000)), True, "server-closed"),
}


@pytest.mark.parametrize("mode", [(), ("--handshake",)],
                         ids=["glance", "handshake"])
def test_all_faults_at_once(many, pki, serve, nginx, mode):
    """The good ones are done before those that have to be waited for, and
    what is wrong with each of the others is told of that one."""
    bad = {name: serve(answer(pki), close=close)
           for name, (answer, close, _) in FAULTS.items()}
    good = nginx(pki.file("mb.pem", pki.leaf, pki.intermediate), pki.leaf.key)
    began = time.monotonic()
    run = many([s.address for s in bad.values()] + [good.address] * 40,
               "--timeout", "4", "-j", "8", *mode, timeout=90)
    took = time.monotonic() - began
    lines = run.of_kind("endpoint")
    assert len(lines) == len(bad) + 40, run.err
    got = {line["target"]: line for line in lines}
    wrong = []
    for name, server in bad.items():
        line = got[server.address]
        said = {line.get("trouble"), line.get("verdict"),
                *(f["id"] for f in line["findings"])}
        if not any(FAULTS[name][2] in str(x) for x in said):
            wrong.append((name, said))
    assert not wrong, wrong
    assert run.status == 3 and took < 30
    order = [line["target"] for line in lines]
    waits = {bad["silent"].address, bad["half-a-record"].address}
    assert set(order[-2:]) == waits, order
    assert all(line["verdict"] is None for line in lines
               if line["target"] == good.address)


def test_endless_ones_are_bounded(program, clean_env, tmp_path):
    """Forty that never end, all in flight: what each may cost is bounded."""
    def feed(s):
        try:
            s.recv(4096)
            s.sendall(records(SERVER_HELLO))
            while True:
                s.sendall(records(b"\x0b\xff\xff\xff" + b"\0" * 15000))
        except OSError:
            s.close()

    def accept():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=feed, args=(s,), daemon=True).start()
    listener = socket.create_server(("0.0.0.0", 0), backlog=128)
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    targets = tmp_path / "targets"
    targets.write_text("".join(f"127.0.0.{i}:{port}\n" for i in range(2, 42)))
    began = time.monotonic()
    with open(tmp_path / "out", "wb") as out:
        child = subprocess.Popen(
            [program, "check", "-f", targets, "-j", "40", "--offline",
             "--timeout", "20", "--json"], env=clean_env, stdout=out,
            stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    servers.end_accepting(listener, thread)
    assert os.waitstatus_to_exitcode(status) in (1, 3)
    assert len((tmp_path / "out").read_text().splitlines()) == 40
    assert time.monotonic() - began < 60
    if not any(k.endswith("SAN_OPTIONS") for k in clean_env):
        assert usage.ru_maxrss < 150 * 1024, usage.ru_maxrss


class Cutter:
    """Passes on so many bytes of the server's answer as the address says that
    it was asked at (127.1.HIGH.LOW), then resets or ends the connection."""

    def __init__(self, port, resets):
        self.port, self.resets = port, resets
        self.socket = socket.create_server(("0.0.0.0", 0), backlog=256)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def target(self, n):
        return f"127.1.{n >> 8}.{n & 255}:{self.socket.getsockname()[1]}"

    def _run(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,),
                             daemon=True).start()

    def _serve(self, s):
        _, _, high, low = s.getsockname()[0].split(".")
        left = int(high) * 256 + int(low)
        try:
            with socket.create_connection(("127.0.0.1", self.port)) as up:
                up.settimeout(10)
                up.sendall(s.recv(65536))
                while left:
                    data = up.recv(left)
                    if not data:
                        break
                    s.sendall(data)
                    left -= len(data)
        except OSError:
            pass
        if self.resets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         b"\1\0\0\0\0\0\0\0")
        s.close()

    def stop(self):
        servers.end_accepting(self.socket, self.thread)


@pytest.mark.parametrize("resets", [True, False], ids=["reset", "end"])
def test_cut_at_every_byte(many, pki, nginx, resets):
    """In either way of asking, up to where the certificate is whole."""
    server = nginx(pki.leaf.pem, pki.leaf.key, more="ssl_protocols TLSv1.2;")
    cutter = Cutter(server.port, resets)
    enough = len(pki.leaf.der) + 200
    targets = [cutter.target(n) for n in range(enough)]
    try:
        run = many(targets, "-j", "100", "--timeout", "20", timeout=150)
    finally:
        cutter.stop()
    got = {line["target"]: line for line in run.of_kind("endpoint")}
    assert sorted(got) == sorted(targets), run.err
    assert run.status == 3
    for line in got.values():
        assert line.get("trouble") or line["findings"], line
    assert "trouble" in got[targets[0]]
    whole = [i for i, t in enumerate(targets)
             if got[t].get("verdict") == "missing-intermediate"]
    assert not whole or whole[0] > len(pki.leaf.der)
    # From the byte that made it whole on; a reset may take back what came.
    if not resets:
        assert whole and whole == list(range(whole[0], enough)), whole[:9]


# ------------------------------------------------------------------ chains

def test_each_setup_is_told_as_when_it_is_asked_alone(chainmend, many, pki,
                                                      nginx):
    """Every chain of test_check in one file, judged by every profile: what is
    kept of one chain is not told of another."""
    servers_of = {}
    for name, names, *_ in SETUPS:
        chain = pki.file(f"mf-{name}.pem", *(getattr(pki, n) for n in names))
        servers_of[name] = nginx(chain, getattr(pki, names[0]).key)
    args = ("--pool", pki.intermediate.pem, "--profile", "all", "--warn-days",
            "3000")
    run = many([s.address for s in servers_of.values()] * 2, *args)
    got = {}
    for line in run.of_kind("endpoint"):
        got.setdefault(line["target"], []).append(line)
    alone = chainmend("check", *[s.address for s in servers_of.values()],
                      "--one-way", "--roots", pki.anchor.pem, "--offline",
                      "--json", *args)
    names = {s.address: name for name, s in servers_of.items()}
    assert len(alone.of_kind("endpoint")) == len(SETUPS)
    for line in alone.of_kind("endpoint"):
        one = names[line["target"]]
        for other in got[line["target"]]:
            for key in ("verdict", "sent", "path", "until", "address"):
                assert other.get(key) == line.get(key), (one, key)
            assert [f["id"] for f in other["findings"]] == [
                f["id"] for f in line["findings"]], one
            # How far a client's versions go is seen in a whole handshake.
            assert [(p["profile"], p["accepts"], p["why"])
                    for p in other["profiles"]] == [
                (p["profile"], p["accepts"], p["why"])
                for p in line["profiles"]], one
        assert len(got[line["target"]]) == 2
    # The file holds them to the same: one refuses, and the status says so.
    assert run.status == alone.status == 1


# -------------------------------------------------------------------- pace

def test_connections_in_a_second(many, pki):
    """--rate bounds all of them together."""
    times = []

    def accept():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            times.append(time.monotonic())
            s.close()
    listener = socket.create_server(("0.0.0.0", 0), backlog=128)
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    many([f"127.0.1.{i}:{port}" for i in range(1, 41)], "--rate", "20",
         "--handshake")
    servers.end_accepting(listener, thread)
    assert len(times) == 40
    busiest = max(sum(t <= u < t + 1 for u in times) for t in times)
    # A tenth of a second is the grain of the clock that lets them go.
    assert busiest <= 23, busiest
    assert times[-1] - times[0] > 1.5


# -------------------------------------------------------------------- IPv6

class Six:
    """A TLS server at ::1."""

    def __init__(self, chain, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.socket = socket.create_server(("::1", 0),
                                           family=socket.AF_INET6)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            try:
                s.settimeout(10)
                self.context.wrap_socket(s, server_side=True).close()
            except OSError:
                s.close()

    def stop(self):
        servers.end_accepting(self.socket, self.thread)


def test_both_families(chainmend, many, pki, nginx, hosts):
    """An address in brackets; and a name that leads to another server in each
    family, of which -4 and -6 choose one, alone and in a file."""
    try:
        six = Six(pki.leaf.pem, pki.leaf.key)
    except OSError as e:
        pytest.skip(f"no IPv6 on loopback: {e}")
    nginx(pki.file("four.pem", pki.leaf, pki.intermediate), pki.leaf.key,
          port=six.port, host="127.0.0.2")
    name, prefix = f"balanced.example:{six.port}", hosts("127.0.0.2", "::1")
    literal = f"[::1]:{six.port}"
    args = ("--roots", pki.anchor.pem, "--offline", "--json", "--one-way",
            "--host", "web.example")
    want = {"-4": (f"127.0.0.2:{six.port}", None),
            "-6": (literal, "missing-intermediate")}
    try:
        for run in (chainmend("check", literal, *args),
                    many([literal], "--host", "web.example")):
            line, = run.of_kind("endpoint")
            assert (line["address"], line["verdict"]) == want["-6"], run
            assert line["target"] == literal
        for family, answer in want.items():
            for run in (chainmend("check", name, family, *args,
                                  prefix=prefix),
                        many([name], family, "--host", "web.example",
                             prefix=prefix)):
                line, = run.of_kind("endpoint")
                assert (line["address"], line["verdict"]) == answer, run
    finally:
        six.stop()
    # Where one family has nobody, the other is asked.
    for run in (chainmend("check", name, *args, prefix=prefix),
                many([name], "--host", "web.example", prefix=prefix)):
        line, = run.of_kind("endpoint")
        assert line["address"] == want["-4"][0] and not re.search(
            "refused", str(line.get("trouble"))), run
