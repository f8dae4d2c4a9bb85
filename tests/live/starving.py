# SPDX-License-Identifier: Apache-2.0
"""What the torture tests share: the objects that starve a program, the world
that whole commands need around them, and what counts as a good end."""
import base64
import binascii
import difflib
import functools
import hashlib
import hmac
import os
import pty
import re
import select
import subprocess
import threading
import time
from pathlib import Path

import boot_lab
import pytest
import servers
from conftest import Chainmend
from pki import Pki
from tape import Tape, client_context, server_context

HERE = Path(__file__).resolve().parents[1]


def preload(directory, name):
    """Builds tests/torture/NAME.c as an object for LD_PRELOAD."""
    out = directory / f"{name}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o",
                    out, HERE / "torture" / f"{name}.c", "-ldl"], check=True)
    return str(out)


class Lab(Pki):
    """Certificates, captures, and servers that start when first asked for."""

    def __init__(self, directory, program, env):
        super().__init__(directory)
        self.chainmend = Chainmend(program, env)
        self.running = []
        self.anchor = self.root("Lab Root")
        self.ca1 = self.anchor.issue_ca("Lab CA 1")
        self.ca2 = self.ca1.issue_ca("Lab CA 2")
        self.leaf = self.ca2.issue("web.example")
        self.bad, self.good = self.dir / "bad.pcap", self.dir / "good.pcap"
        for path, chain in ((self.bad, [self.leaf]),
                            (self.good, [self.leaf, self.ca2, self.ca1])):
            tape = Tape()
            tape.tls(server_context(self.file(path.name + ".pem", *chain),
                                    self.leaf.key),
                     client_context(self.anchor.pem), "web.example")
            tape.write(path)
        self.at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.pool = self.file("pool.pem", self.ca1, self.ca2)
        self.targets = self.dir / "targets.txt"

    def _keep(self, server):
        self.running.append(server)
        return server

    @functools.cached_property
    def web(self):
        """Gives away the issuer of `served`."""
        web = self._keep(servers.WebServer())
        web.put("/ca2.cer", self.ca2.der)
        return web

    @functools.cached_property
    def served(self):
        return self.ca2.issue("localhost", aia=self.web.url("/ca2.cer"))

    @functools.cached_property
    def nginx(self):
        """Sends `served` and not its issuer."""
        server = servers.start_nginx(
            self.dir / "nginx",
            self.file("sent.pem", self.served, self.ca1), self.served.key)
        self.targets.write_text(f"localhost:{server.port}\n")
        return self._keep(server)

    @functools.cached_property
    def redis(self):
        return self._keep(servers.Redis(self.dir / "redis"))

    @functools.cached_property
    def phones(self):
        """A provisioning server, as test_boot.py has it."""
        self.intermediate = self.ca2
        place = self.dir / "boot"
        place.mkdir()
        own, self.leaf = self.leaf, self.ca2.issue("localhost")
        self.phones_key = self.leaf.key
        try:
            return self._keep(boot_lab.Provisioning(
                self.chainmend, self, place, [self.leaf, self.ca2, self.ca1],
                [self.ca2, self.ca1]))
        finally:
            self.leaf = own

    def stop(self):
        for server in reversed(self.running):
            server.stop()


class PhoneEnd:
    """The phone's end of a USB cable, which takes any login; boot/tether.h
    has the protocol."""
    CODE = "123456"

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.device = os.ttyname(self.slave)
        self.login, self.nonce = None, b"p" * 16
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _send(self, kind, payload):
        head = f"{kind} {len(payload)} ".encode()
        crc = binascii.crc32(head + payload)
        os.write(self.master, b"\nCMT1 %s%08x %s\n" % (
            head, crc, base64.b64encode(payload)))

    def _take(self, kind, payload):
        if kind == "HELLO":
            proof = hmac.new(self.CODE.encode(), b"phone" + payload +
                             self.nonce, hashlib.sha256).digest()
            self._send("PROVE", self.nonce + proof)
        elif kind == "SIGNIN":
            self.login = payload[32:]
            self._send("DONE", b"")

    def _serve(self):
        had = b""
        while not self.stopped.is_set():
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            had += os.read(self.master, 4096)
            *lines, had = had.split(b"\n")
            for line in lines:
                words = line.split()
                if len(words) == 5 and words[0] == b"CMT1":
                    self._take(words[1].decode(), base64.b64decode(words[4]))

    def stop(self):
        self.stopped.set()
        self.thread.join()
        os.close(self.master)
        os.close(self.slave)


class Outcome:
    def __init__(self, status, out, err, place):
        self.status = status
        self.out, self.err = (t.replace(str(place), "OUT")
                              for t in (out, err))
        # What was written, but for databases and their logs.  A name that is
        # still temporary must not be among them.
        self.files = {str(p.relative_to(place)) for p in place.rglob("*")
                      if p.is_file() and ".db" not in p.name}

    def __repr__(self):
        return (f"status {self.status}, files {sorted(self.files)}\n"
                f"--- out\n{self.out[:3000]}\n--- err\n{self.err[:2000]}")


def judge(got, normal, what, varies=None):
    """A clear line and status 3, or the same answer as ever."""
    assert got.status >= 0, f"{what}: died of signal {-got.status}: {got!r}"
    # glibc's own end, where a library's thread-local data find no room.
    if got.status == 127 and "thread-local data: ABORT" in got.err:
        return
    assert got.status in (normal.status, 3), f"{what}: {got!r}"
    # Lack of memory is no reason to read a stranger's bytes unlocked.
    assert "without a sandbox" not in got.err or \
        "without a sandbox" in normal.err, f"{what}: {got!r}"
    if got.status == 3 != normal.status:
        # A library may complain before us.
        assert "\nchainmend: " in "\n" + got.err, f"{what}: {got!r}"
        assert got.files <= normal.files, f"{what}: {got!r}"
        return
    # It may do without its cache, and says so; the answer is the same.
    # Seconds and the time a page was made are the only things that vary.
    def plain(text):
        text = re.sub(varies, "~", text) if varies else text
        return [line for line in text.splitlines() if '"summary"' not in line]
    differ = "\n".join(difflib.unified_diff(
        re.sub(r"([,{])", r"\1\n", "\n".join(plain(normal.out))).split("\n"),
        re.sub(r"([,{])", r"\1\n", "\n".join(plain(got.out))).split("\n"),
        lineterm="", n=1))
    assert not differ and got.files == normal.files, \
        f"{what}: {got.files ^ normal.files}\n{differ}\n{got!r}"


def places(total, wanted):
    """Of so many allocations the first third all, the rest evenly spread."""
    first = list(range(1, min(total, wanted // 3) + 1))
    step = max(1, total // (wanted - len(first)))
    return first + list(range(len(first) + 1, total + 1, step))


def count_of(run):
    """run(env, pass_fds) -> Outcome; also how many allocations it made, in
    the one of its processes that made most."""
    tell_read, tell_write = os.pipe()
    try:
        normal = run({"STARVE_TELL": str(tell_write)}, [tell_write])
    finally:
        os.close(tell_write)
    with os.fdopen(tell_read) as f:
        return normal, max((int(line) for line in f.read().split()),
                           default=0)


@pytest.fixture(scope="module")
def starve(tmp_path_factory):
    """The object that makes memory run out."""
    return preload(tmp_path_factory.mktemp("starve"), "starve")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, program):
    home = tmp_path_factory.mktemp("home")
    lab = Lab(tmp_path_factory.mktemp("lab"), program, {
        "PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"})
    yield lab
    lab.stop()
