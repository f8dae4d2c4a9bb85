# SPDX-License-Identifier: Apache-2.0
"""The commands that talk or serve, while memory runs out: each through one
whole request, and those that run until they are told to end through SIGTERM.
The other end always has memory.  See test_torture.py for the rest."""
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import servers
import starving
from boot_lab import NUMBER, PIN
from conftest import without_gcov
from starving import Outcome, PhoneEnd, judge, lab, starve  # noqa: F401

# A request takes ten thousand allocations and some time.
PLACES = int(os.environ.get("CMI_TORTURE_PLACES", "12"))


class Story:
    """A command in the middle of its world; the words of one run."""
    varies = None
    leaves = None  # what a sudden end may leave where it works
    told = None  # what its answer shows where the other end had no memory
    places = PLACES
    stdin = ""

    def __init__(self, lab, out):
        self.lab, self.out = lab, out

    def prefix(self):
        """Words before the command's own."""
        return []

    def before(self):
        """What must stand before it starts."""

    def during(self, process):
        """While it runs; for what is served."""

    def clear(self):
        """Away with what before() began."""

    def after(self, got):
        """What must hold, whatever it ended with."""

    def play(self, env, fds=()):
        self.env = env
        self.out.mkdir()
        self.before()
        with open(self.out / "o.db", "w+") as out, \
                open(self.out / "e.db", "w+") as err:
            process = subprocess.Popen(
                [*self.prefix(), "env", *(f"{k}={v}" for k, v in env.items()),
                 self.lab.chainmend.path, *map(str, self.words())],
                env=self.lab.chainmend.env, stdin=subprocess.PIPE, stdout=out,
                stderr=err, text=True, pass_fds=fds)
            try:
                self.during(process)
                process.communicate(self.stdin, timeout=60)
            finally:
                process.kill()
                process.wait()
                self.clear()
            out.seek(0)
            err.seek(0)
            got = Outcome(process.returncode, out.read(), err.read(),
                          self.out)
        self.after(got)
        return got

    def said(self, what):
        """What it has said so far, on either."""
        return any(re.search(what, (self.out / name).read_text())
                   for name in ("o.db", "e.db"))

    def until(self, process, true, what, deadline_s=10):
        """Waits for it, or for the end of the process.  Was it true?"""
        return servers.wait_until(
            lambda: true() or (process.poll() is not None and "ended"),
            what, deadline_s) is True


class Check(Story):
    """One server, its issuer fetched by libcurl and kept."""

    def words(self):
        return ["check", f"localhost:{self.lab.nginx.port}", "--roots",
                self.lab.anchor.pem, "--allow-private", "--json", "--at",
                self.lab.at, "--cache", self.out / "c.db"]


class CheckMany(Story):
    def words(self):
        self.lab.nginx
        return ["check", "-f", self.lab.targets, "--roots",
                self.lab.anchor.pem, "--offline", "--json", "--at",
                self.lab.at]


class CheckAllWays(CheckMany):
    def words(self):
        return [*super().words(), "--all-ways"]


class Mend(Story):
    def words(self):
        return ["mend", f"localhost:{self.lab.nginx.port}", "--roots",
                self.lab.anchor.pem, "--allow-private", "--cache",
                self.out / "c.db", "--prove", "-o", self.out / "chain.pem"]


class Look(Story):
    """watch -f, one look at each."""
    varies = r'"(time|valid_until|at|until)":"[^"]*"'

    def words(self):
        self.lab.nginx
        return ["watch", "-f", self.lab.targets, "--once", "--roots",
                self.lab.anchor.pem, "--offline", "--state",
                self.out / "state.db"]


class Phone(Story):
    varies = r"\"seconds\":[0-9.]+|[0-9a-f]{16,}|\d{4}-\d\d-\d\dT[0-9:.]+Z|[0-9.]+ ?m?s\b|:\d+"
    stdin = PIN + "\n"

    def words(self):
        p = self.lab.phones
        return ["phone", "pin", "--server", "localhost", "--connect",
                "127.0.0.1", "--http-port", p.http, "--https-port", p.https,
                "--sip-port", p.sip, "--state", self.out / "phone",
                "--anchors", self.lab.anchor.pem, "--number", NUMBER,
                "--pin-fd", "0", "--json"]


class Tether(Story):
    stdin = "a secret\n"

    def before(self):
        self.end = PhoneEnd()

    def words(self):
        return ["tether", "--device", self.end.device, "--pair",
                self.end.CODE, "--user", "ada", "--password-fd", "0",
                "--wait", "5"]

    def after(self, got):
        self.end.stop()
        # It says that the phone has it only where that is so.
        assert got.status != 0 or b"a secret" in self.end.login, got


class Demo(Story):
    varies = r"\d+\.\d\d s|:\d+|\d+ (ms|packets)"
    leaves = r"demo/phone-\d-.*"
    # Both ends are one process: the phone says what its server answered.
    told = r"NOT SO .*\n.*\bout of memory\b"
    places = min(PLACES, 3)  # each plays seven sign-ins

    def words(self):
        return ["demo", "--no-namespace", "-o", self.out / "demo"]


class Queued(Story):
    """A queue of its own, with what waits on it."""

    def queue(self):
        return ["--redis", self.lab.redis.url, "--queue", self.out.name]

    def length(self, stream):
        return int(self.lab.redis.cli(
            "xlen", f"chainmend:{{{self.out.name}}}:{stream}"))

    def others(self, *words):
        return self.lab.chainmend(*words, *self.queue())


class Submit(Queued):
    def words(self):
        return ["submit", *self.queue(), "a.example", "b.example"]

    def after(self, got):
        assert self.length("jobs") <= 2, got
        assert got.status != 0 or self.length("jobs") == 2, got


class Worker(Queued):
    """It may die of it; the job does not."""

    def before(self):
        sent = self.others("submit", "--captures", self.lab.bad)
        assert sent.status == 0, sent

    def words(self):
        return ["worker", *self.queue(), "--roots", self.lab.anchor.pem,
                "--offline", "--reclaim", "1", "--timeout", "0"]

    def during(self, process):
        self.until(process, lambda: self.length("results") == 1, "a result")
        process.send_signal(signal.SIGTERM)

    def after(self, got):
        if self.length("results") == 0:
            again = self.others("worker", "--drain", "--reclaim", "1",
                                "--timeout", "0", "--offline")
            assert again.status == 0, again
        found = self.others("results", "--jobs")
        job, = found.of_kind("job")
        assert job["state"] == "done" or "memory" in job["why"], found
        assert job["state"] != "done" or found.of_kind("handshake"), found


class Results(Queued):
    def before(self):
        Worker.before(self)
        done = self.others("worker", "--drain", "--offline", "--roots",
                           self.lab.anchor.pem)
        assert done.status == 0, done

    def words(self):
        return ["results", *self.queue(), "--follow"]

    def during(self, process):
        self.until(process, lambda: self.said('"handshake"'), "the result")
        process.send_signal(signal.SIGTERM)

    def after(self, got):
        # Printed, or still there for the next.
        assert '"handshake"' in got.out or \
            self.others("results").of_kind("handshake"), got


class Monitor(Look):
    """watch -f until SIGTERM, its first event waited for."""

    def words(self):
        words = super().words()
        words.remove("--once")
        return words

    def during(self, process):
        self.until(process, lambda: self.said('"first":true'), "an event")
        process.send_signal(signal.SIGTERM)


# Puts the packets of a capture onto lo, as Ethernet frames.
REPLAY = """
import socket, struct, sys
data = open(sys.argv[1], "rb").read()
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("lo", 0))
at = 24
while at < len(data):
    n = struct.unpack_from("<I", data, at + 8)[0]
    s.send(data[at + 16:at + 16 + n])
    at += 16 + n
"""


class Watch(Story):
    """An interface until SIGTERM, one failed handshake over it."""
    varies = r'"start":"[^"]*"'

    def before(self):
        """A process that holds a network namespace of the story's own."""
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", "--", "sh",
             "-c", "ip link set lo up && echo up && exec sleep 600"],
            stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "up\n":
            self.clear()
            pytest.skip("no user namespaces here")

    def clear(self):
        self.holder.kill()
        self.holder.communicate()

    def after(self, got):
        got.files = {re.sub(r"\d{8}T\d{6}Z", "TIME", f) for f in got.files}

    def prefix(self):
        return ["nsenter", "-t", str(self.holder.pid), "-U", "-n",
                "--preserve-credentials", "--"]

    def words(self):
        return ["watch", "--roots", self.lab.anchor.pem, "--keep",
                self.out / "keep", "lo"]

    def during(self, process):
        if self.until(process, lambda: self.said("watching lo"), "a watch"):
            subprocess.run([*self.prefix(), "/usr/bin/python3", "-c", REPLAY,
                            self.lab.bad], check=True)
            self.until(process, lambda: self.said('"handshake"'),
                       "the handshake")
        process.send_signal(signal.SIGTERM)


class Serve(Story):
    """A phone signs in; where the server lived through it, the next can."""
    varies = r"(http|https|sip) \d+"

    def before(self):
        p = self.lab.phones
        shutil.copytree(p.dir / "server", self.out / "state.db")
        self.ports = [servers.free_port() for _ in range(3)]

    def words(self):
        p = self.lab.phones
        http, https, sip = self.ports
        return ["serve", "--state", self.out / "state.db", "--host",
                "localhost", "--address", "127.0.0.1", "--http-port", http,
                "--https-port", https, "--sip-port", sip, "--cert",
                self.lab.dir / "serve.pem", "--key", self.lab.phones_key,
                "--offer", self.lab.dir / "offer.pem"]

    def sign_in(self, n):
        http, https, sip = self.ports
        return self.lab.chainmend(
            "phone", "pin", "--server", "localhost", "--connect",
            "127.0.0.1", "--http-port", http, "--https-port", https,
            "--sip-port", sip, "--state", f"{self.out}-phone-{n}",
            "--anchors", self.lab.anchor.pem, "--number", NUMBER, "--wait",
            "3", "--pin-fd", "0", stdin=PIN + "\n").status

    def during(self, process):
        if self.until(process, lambda: servers.answers(self.ports[1]),
                      "a port"):
            first = self.sign_in(1)
            self.signed_in = first == 0 or self.sign_in(2) == 0
        else:
            self.signed_in = False
        self.lived = process.poll() is None
        process.send_signal(signal.SIGTERM)

    def after(self, got):
        assert self.signed_in or not self.lived or "STARVE_ON" in self.env, got


STORIES = {s.__name__.lower(): s for s in (
    Check, CheckMany, CheckAllWays, Mend, Look, Phone, Tether, Demo, Submit,
    Worker, Results, Monitor, Watch, Serve)}


@without_gcov
@pytest.mark.parametrize("name", STORIES)
def test_memory_that_runs_out(lab, starve, tmp_path, name):  # noqa: F811
    story = STORIES[name]

    def play(where, env, fds=()):
        return story(lab, tmp_path / where).play(
            {"LD_PRELOAD": starve, **env}, fds)

    normal, total = starving.count_of(
        lambda env, fds: play(f"{name}-normal", env, fds))
    assert total > 20 and normal.status in (0, 1), normal

    def torture(n, how, more):
        what = f"{name}: allocation {n} of {total}, {how}"
        try:
            got = play(f"{name}-{how}-{n}", {"STARVE_AT": str(n), **more})
        except Exception as e:
            raise AssertionError(what) from e
        if story.leaves:
            got.files = {f for f in got.files
                         if not re.match(story.leaves, f)}
        if story.told and got.status == 1 and re.search(story.told, got.out):
            return True
        judge(got, normal, what, story.varies)
        return got.status == 3

    # Most of the time is waiting for the other end.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(torture, n, *how)
                for n in starving.places(total, story.places)
                for how in (("once", {}), ("sticky", {"STARVE_ON": "1"}))]
        failed = sum(r.result() for r in runs)
    assert failed > 3  # the rows bite


def test_every_command_is_tortured():
    """Here or in test_torture.py."""
    lines = (starving.HERE.parent / "src/cli/commands.def").read_text()
    words = (Path(__file__).read_text() +
             Path(__file__).with_name("test_torture.py").read_text())
    for command in re.findall(r"^COMMAND\((\w+)\)", lines, re.M):
        assert re.search(rf'\["{command}"', words), command
