#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs in a network, mount and process namespace of its own, in which / is
read-only: starts one unit's program as the unit would, and uses it.

usage: story.py WORDS.json
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import servers  # noqa: E402
import unit as units  # noqa: E402


class Service:
    """The unit's program, started, and what it tells its manager."""

    def __init__(self, w, variables):
        unit = units.read(Path(w["unit"]))
        self.dir = Path(w["directory"])
        name = Path(w["unit"]).stem.rstrip("@")
        state, cache = self.dir / "state", self.dir / "cache"
        values = {"/usr/bin/chainmend": w["program"], "%S": state,
                  "%C": cache, "%d": self.dir / "credentials", "%i": "lo",
                  "/etc/chainmend/targets.txt": self.dir / "targets.txt"}
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.dir / "notify"))
        self.notify.settimeout(servers.DEADLINE_S)
        env = {**w["env"], "HOME": "/", "NOTIFY_SOCKET":
               str(self.dir / "notify"), **variables}
        for key, root in (("StateDirectory", state),
                          ("CacheDirectory", cache)):
            for below in unit.get(key, []):
                below = root / below.replace("%i", "lo")
                below.mkdir(parents=True)
                env[key.replace("D", "_D").upper()] = str(below)
        for line in unit.get("Environment", []):
            for old, new in values.items():
                line = line.replace(old, str(new))
            key, _, value = line.partition("=")
            env[key] = value
        self.err, self.out = self.dir / "err", self.dir / "out"
        argv = [*units.capabilities(unit), w["confine"], w["calls"],
                units.families(unit), *units.command(unit, values, variables)]
        self.name, self.env = name, env
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL,
            stdout=open(self.out, "wb"), stderr=open(self.err, "wb"))

    def alive(self):
        assert self.process.poll() is None, self.err.read_text()
        return True

    def says(self, pattern, where=None):
        return servers.wait_until(
            lambda: re.search(pattern, (where or self.err).read_text()) or
            not self.alive(), pattern)

    def told(self, word):
        """Waits until the manager is told so."""
        while True:
            text = self.notify.recv(4096).decode()
            if word in text.splitlines():
                return text

    def status(self):
        return dict(re.findall(r"^(\w+):\s+(\S+)$", Path(
            f"/proc/{self.process.pid}/status").read_text(), re.M))

    def end(self, ok):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) in ok, self.err.read_text()


def curl(port, root):
    return subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "--tls-max", "1.2", "--cacert",
         root, "--resolve", f"web.example:{port}:127.0.0.1",
         f"https://web.example:{port}/"], capture_output=True).returncode


def metrics():
    with urllib.request.urlopen("http://127.0.0.1:9808/metrics",
                                timeout=20) as answer:
        return answer.read().decode()


def watch(w):
    s = Service(w, {"CHAINMEND_WATCH":
                    f"--require-sandbox --roots {w['root']}"})
    s.told("READY=1")
    # The one right that it had is given up once the socket is open.
    assert s.status()["CapEff"] == s.status()["CapPrm"] == "0" * 16
    broken = servers.start_s_server(s.dir / "broken", w["leaf"], w["key"])
    assert curl(broken.port, w["root"]) == 60
    s.says('"verdict":"missing-intermediate"', s.out)
    assert 'reason="missing-intermediate"} 1\n' in metrics()
    kept = s.dir / "state" / "chainmend-watch" / "lo" / "captures"
    servers.wait_until(lambda: list(kept.iterdir()), "a kept capture")
    s.told("WATCHDOG=1")
    s.process.send_signal(signal.SIGHUP)
    assert curl(broken.port, w["root"]) == 60
    servers.wait_until(lambda: 'reason="missing-intermediate"} 2\n' in
                       metrics(), "another")
    broken.stop()
    assert "old settings" not in s.err.read_text(), s.err.read_text()
    s.end((1,))


def monitor(w):
    broken = servers.start_s_server(Path(w["directory"]) / "broken",
                                    w["leaf"], w["key"])
    (Path(w["directory"]) / "targets.txt").write_text(
        f"localhost:{broken.port}\n")
    s = Service(w, {})
    assert s.told("READY=1")
    s.told("WATCHDOG=1")
    s.says('"kind":"change"', s.out)
    assert "chainmend_target_up" in metrics()
    state = s.dir / "state" / "chainmend-monitor" / "monitor.db"
    assert state.exists()
    s.process.send_signal(signal.SIGHUP)
    s.told("RELOADING=1")
    s.told("READY=1")
    s.end((0,))
    s.told("STOPPING=1")
    broken.stop()


def serve(w):
    credentials = Path(w["directory"]) / "credentials"
    credentials.mkdir()
    (credentials / "chain.pem").write_text(
        Path(w["leaf"]).read_text() + Path(w["chain"]).read_text())
    (credentials / "key.pem").write_bytes(Path(w["key"]).read_bytes())
    s = Service(w, {"CHAINMEND_SERVE":
                    "--host localhost --address 127.0.0.1"})
    servers.wait_until(lambda: s.alive() and servers.answers(443), "serve")
    assert curl(443, w["root"]) == 0
    assert servers.answers(80)
    state = s.dir / "state" / "chainmend-serve"
    user = [w["program"], "serve", "--state", state, "user", "list"]
    assert subprocess.run(user, env=s.env).returncode == 0
    s.end((0,))


def worker(w):
    redis = servers.Redis(Path(w["directory"]) / "redis")
    s = Service(w, {"CHAINMEND_REDIS": redis.url})
    try:
        for word in (["-f", w["targets"]], ["--captures", w["capture"]]):
            subprocess.run([w["program"], "submit", *word], env=s.env,
                           check=True, stderr=subprocess.DEVNULL)
        done = subprocess.run(
            [w["program"], "results", "--jobs", "--count", "2"], env=s.env,
            stdout=subprocess.PIPE, text=True, timeout=60)
        jobs = [json.loads(line) for line in done.stdout.splitlines()]
        jobs = [job for job in jobs if job["kind"] == "job"]
        assert [j["state"] for j in jobs] == ["failed", "done"], jobs
        assert "refused" in jobs[0]["why"], jobs
        s.end((0,))
        assert "sandbox" not in s.err.read_text(), s.err.read_text()
    finally:
        redis.stop(signal.SIGKILL)


def phonetest(w):
    """There is no server: it says so in one line, with the right status."""
    credentials = Path(w["directory"]) / "credentials"
    credentials.mkdir()
    (credentials / "pin").write_text("40961853\n")
    (credentials / "root.pem").write_bytes(Path(w["root"]).read_bytes())
    s = Service(w, {"CHAINMEND_PHONE_TEST":
                    "--domain corp.example --number +15550199"})
    assert s.process.wait(60) == 2, s.err.read_text()
    assert re.match(r"CRITICAL\b|PHONE CRITICAL\b|.*CRITICAL",
                    s.out.read_text()), s.out.read_text()


if __name__ == "__main__":
    words = json.loads(Path(sys.argv[1]).read_text())
    os.umask(0o077)
    {"chainmend-watch@": watch, "chainmend-monitor": monitor,
     "chainmend-serve": serve, "chainmend-worker": worker,
     "chainmend-phonetest": phonetest}[Path(words["unit"]).stem](words)
