# SPDX-License-Identifier: Apache-2.0
"""submit, worker and results over a real redis-server."""
import collections
import json
import os
import random
import signal
import socketserver
import struct
import subprocess
import threading
import time

import pytest

import servers
from pki import LOCAL
from proxies import Proxy
from tape import Tape, client_context, server_context


@pytest.fixture
def redis(tmp_path):
    if not servers.program("redis-server"):
        pytest.skip("no redis-server on this machine")
    server = servers.Redis(tmp_path / "redis")
    yield server
    server.stop(signal.SIGKILL)


def tiny_capture():
    """One SYN and the RST that answers it, Ethernet, pcap."""
    def packet(seconds, source, target, sport, dport, flags):
        tcp = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 5 << 4, flags,
                          1024, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6,
                         0, bytes(source), bytes(target))
        frame = b"\2" * 6 + b"\4" * 6 + b"\x08\x00" + ip + tcp
        return struct.pack("<IIII", seconds, 0, len(frame),
                           len(frame)) + frame

    a, b = (10, 0, 0, 9), (10, 0, 0, 1)
    return (struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) +
            packet(1000, a, b, 50000, 443, 0x02) +
            packet(1001, b, a, 443, 50000, 0x14))


def test_targets_and_captures_come_back_judged(chainmend, redis, pki, nginx,
                                               tmp_path):
    broken = nginx(pki.leaf.pem, pki.leaf.key)
    good = nginx(pki.file("leaf-chain.pem", pki.leaf, pki.intermediate), pki.leaf.key)
    (tmp_path / "targets").write_text(
        f"# two servers\n{broken.address}\n\n{good.address}  # mended\n"
        f"127.0.0.1:1\n")
    capture = tmp_path / "captures"
    capture.mkdir()
    (capture / "one.pcap").write_bytes(tiny_capture())
    (capture / "notes.txt").write_text("no capture\n")
    sent = chainmend("submit", "--redis", redis.url, "-f",
                     tmp_path / "targets", "--captures", capture)
    assert sent.status == 0 and "4 jobs submitted" in sent.err, sent
    worked = chainmend("worker", "--redis", redis.url, "--drain", "--all",
                       "--offline", "--roots", pki.anchor.pem)
    assert worked.status == 0, worked
    assert "3 jobs done, 1 failed" in worked.err, worked
    found = chainmend("results", "--redis", redis.url, "--jobs")
    assert found.status == 3, found  # one job could not be done
    verdicts = {line["target"]: line["verdict"]
                for line in found.of_kind("endpoint")}
    assert verdicts == {broken.address: "missing-intermediate",
                        good.address: None}
    assert len(found.of_kind("tcp")) == 1
    states = collections.Counter(j["state"] for j in found.of_kind("job"))
    assert states == {"done": 3, "failed": 1}
    failed = [j for j in found.of_kind("job") if j["state"] == "failed"][0]
    assert failed["subject"] == "127.0.0.1:1"
    assert "refused" in failed["why"]
    again = chainmend("results", "--redis", redis.url)
    assert again.status == 0 and again.out == "", again


@pytest.fixture
def clients(chainmend, pki):
    """Two kinds of client: one with our root, one with another."""
    for name, root in (("ours", pki.anchor), ("theirs", pki.stranger)):
        assert chainmend("profiles", "add", name, root.pem).status == 0


def opinions_of(line):
    return {p["profile"]: p["accepts"] for p in line["profiles"]}


def work(chainmend, redis, *how):
    worked = chainmend("worker", "--redis", redis.url, "--drain", "--all",
                       "--offline", *how)
    assert worked.status == 0, worked
    return chainmend("results", "--redis", redis.url)


def test_a_fleet_judges_as_chosen_clients(chainmend, redis, pki, nginx,
                                          clients, tmp_path):
    whole = pki.file("fleet.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    tape = Tape()
    tape.tls(server_context(whole, pki.leaf.key), client_context(None),
             "localhost")
    capture = tape.write(tmp_path / "seen.pcap")

    def submit(*how):
        sent = chainmend("submit", "--redis", redis.url, *how)
        assert sent.status == 0 and "1 jobs submitted" in sent.err, sent

    both = ("--profile", "ours", "--profile", "theirs")
    submit(server.address)
    line, = work(chainmend, redis, *both).of_kind("endpoint")
    assert opinions_of(line) == {"ours": True, "theirs": False}
    submit("--captures", capture)
    line, = work(chainmend, redis, *both).of_kind("handshake")
    assert opinions_of(line) == {"ours": True, "theirs": False}
    # A job of a target may name its own, which count instead.
    submit("--profile", "theirs", server.address)
    line, = work(chainmend, redis, "--profile", "ours").of_kind("endpoint")
    assert opinions_of(line) == {"theirs": False}
    submit("--profile", "theirs", "--profile", "ours", server.address)
    line, = work(chainmend, redis).of_kind("endpoint")
    assert opinions_of(line) == {"ours": True, "theirs": False}
    submit(server.address)
    line, = work(chainmend, redis, "--profile", "ours").of_kind("endpoint")
    assert opinions_of(line) == {"ours": True}


def test_a_fleet_keeps_to_a_policy(chainmend, redis, pki, nginx):
    odd = pki.intermediate.issue("Our web server", sans=LOCAL)
    server = nginx(pki.file("odd.pem", odd, pki.intermediate), odd.key)
    # BR 7.1.4.3: a common name is one of the names.
    for of_job, of_worker, verdict in [
            ((), (), None), ((), ("--policy", "webpki"), "policy"),
            (("--policy", "webpki"), (), "policy"),
            (("--policy", "clients"), ("--policy", "webpki"), None)]:
        chainmend("submit", "--redis", redis.url, server.address, *of_job)
        line, = work(chainmend, redis, "--roots", pki.anchor.pem,
                     *of_worker).of_kind("endpoint")
        assert line["verdict"] == verdict, (of_job, of_worker)


def test_a_job_that_asks_for_what_is_not_there_says_so(chainmend, redis):
    jobs = [("check", "profile=fierfox", 'but there is "firefox"'),
            ("check", "policy=soft", '"policy=soft"'),
            ("check", "roots=/etc/passwd", '"roots=/etc/passwd"'),
            ("explain", "profile=firefox", "as its worker was told")]
    for kind, args, _ in jobs:
        redis.cli("xadd", "chainmend:{default}:jobs", "*", "kind", kind,
                  "subject", "127.0.0.1:1", "args", args)
    worked = chainmend("worker", "--redis", redis.url, "--drain", "--offline")
    assert "0 jobs done, 4 failed" in worked.err, worked
    found = chainmend("results", "--redis", redis.url)
    for line, (_, _, says) in zip(found.of_kind("job"), jobs, strict=True):
        assert says in line["why"], found


@pytest.mark.parametrize("kind,scheme", [("http", "http"),
                                         ("socks", "socks5")])
def test_a_fleet_goes_through_a_proxy(chainmend, redis, pki, nginx, kind,
                                      scheme):
    server = nginx(pki.file("way.pem", pki.leaf, pki.intermediate),
                   pki.leaf.key)
    proxy = Proxy(kind)
    try:
        chainmend("submit", "--redis", redis.url, f"localhost:{server.port}")
        line, = work(chainmend, redis, "--roots", pki.anchor.pem, "--proxy",
                     f"{scheme}://127.0.0.1:{proxy.port}").of_kind("endpoint")
    finally:
        proxy.stop()
    assert line["verdict"] is None, line
    assert proxy.asked == [f"localhost:{server.port}"]


def test_a_fleet_keeps_to_one_family(chainmend, redis, pki, nginx):
    server = nginx(pki.leaf.pem, pki.leaf.key)
    for family, kind in (("-4", "endpoint"), ("-6", "job")):
        chainmend("submit", "--redis", redis.url, server.address)
        found = work(chainmend, redis, "--roots", pki.anchor.pem, family)
        assert len(found.of_kind(kind)) == 1, (family, found)


def test_a_list_is_read_as_check_reads_it(chainmend, redis, pki, nginx,
                                          tmp_path):
    """starttls= and sni= are of the line; a # within a word is not a note."""
    whole = pki.file("lines.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    targets = tmp_path / "targets"
    targets.write_text(f"{server.address} sni=web.example # one\n"
                       "127.0.0.1:1 starttls=imap\n127.0.0.1:2 other=x\n")
    sent = chainmend("submit", "--redis", redis.url, "-f", targets)
    assert "3 jobs submitted" in sent.err, sent
    found = work(chainmend, redis, "--roots", pki.anchor.pem)
    line, = found.of_kind("endpoint")
    assert line["target"] == server.address + "/web.example", found
    assert line["verdict"] is None, found
    why = {j["subject"]: j["why"] for j in found.of_kind("job")}
    assert "refused" in why["127.0.0.1:1 starttls=imap"], why
    assert "other=x" in why["127.0.0.1:2 other=x"], why


def test_nothing_is_lost_or_doubled_whoever_dies(chainmend, redis, tmp_path):
    """20,000 jobs, four workers killed at random, redis killed once."""
    jobs = 20000
    captures = tmp_path / "captures"
    captures.mkdir()
    first = captures / "0.pcap"
    first.write_bytes(tiny_capture())
    for i in range(1, jobs):
        os.link(first, captures / f"{i}.pcap")
    sent = chainmend("submit", "--redis", redis.url, "--captures", captures)
    assert f"{jobs} jobs submitted" in sent.err, sent

    def worker():
        return chainmend.popen("worker", "--redis", redis.url, "--drain",
                               "--offline", "--reclaim", "1", "--timeout",
                               "0", "--quiet", stderr=subprocess.PIPE)

    def waiting():
        n = redis.cli("xlen", "chainmend:{default}:jobs")
        return int(n) if n.isdigit() else jobs

    chance = random.Random(7)
    workers = [worker() for _ in range(4)]
    try:
        for round_ in range(8):
            goal = jobs - (round_ + 1) * jobs // 10
            servers.wait_until(lambda: waiting() <= goal, "progress", 60)
            i = chance.randrange(4)
            workers[i].kill()
            workers[i].communicate()
            workers[i] = worker()
            if round_ == 4:
                redis.stop(signal.SIGKILL)
                redis.start()
        for w in workers:
            _, err = w.communicate(timeout=60)
            assert w.returncode == 0, err.decode()
    finally:
        for w in workers:
            w.kill()
            w.communicate()
    found = chainmend("results", "--redis", redis.url, "--jobs")
    seen = collections.Counter()
    for line in found.out.splitlines():
        value = json.loads(line)
        if value["kind"] == "job":
            assert value["state"] == "done", line
            seen[value["subject"]] += 1
    assert len(seen) == jobs
    assert set(seen.values()) == {1}


def test_sigterm_gives_back_what_was_not_begun(chainmend, redis, tmp_path):
    capture = tmp_path / "one.pcap"
    os.mkfifo(capture)  # a job that waits until somebody writes
    # The path is on the queue as it is; the worker opens it and waits.
    args = []
    for _ in range(3):
        args += ["--captures", capture]
    sent = chainmend("submit", "--redis", redis.url, *args)
    assert sent.status == 0, sent
    slow = chainmend.popen("worker", "--redis", redis.url, "--offline",
                           stderr=subprocess.PIPE)
    # Opening for writing succeeds once the worker reads.
    with open(capture, "wb") as f:
        slow.send_signal(signal.SIGTERM)
        f.write(tiny_capture())
    _, err = slow.communicate(timeout=20)
    assert slow.returncode == 0, err.decode()
    assert b"1 jobs done" in err
    start = time.monotonic()
    os.unlink(capture)
    capture.write_bytes(tiny_capture())
    done = chainmend("worker", "--redis", redis.url, "--drain", "--offline")
    assert "2 jobs done" in done.err, done
    assert "2 taken over" in done.err, done
    assert time.monotonic() - start < 30  # not after --reclaim's minute


def test_a_dead_reader_costs_one_job(chainmend, redis, tmp_path):
    """Captures are read by a locked child of the worker."""
    held, next_one = tmp_path / "held.pcap", tmp_path / "next.pcap"
    os.mkfifo(held)
    next_one.write_bytes(tiny_capture())
    for capture in (held, next_one):
        assert chainmend("submit", "--redis", redis.url, "--captures",
                         capture).status == 0
    worker = chainmend.popen("worker", "--redis", redis.url, "--drain",
                             "--offline", "--all", stderr=subprocess.PIPE)
    children = f"/proc/{worker.pid}/task/{worker.pid}/children"

    def locked_child():
        with open(children) as f:
            child = f.read().split()
        if not child:
            return False
        with open(f"/proc/{child[0]}/status") as f:
            return "Seccomp:\t2" in f.read() and int(child[0])

    with open(held, "wb") as f:
        f.write(tiny_capture()[:9])
        f.flush()
        child = servers.wait_until(locked_child, "a locked child")
        os.kill(child, signal.SIGKILL)
        _, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err.decode()
    found = chainmend("results", "--redis", redis.url, "--jobs")
    jobs = {j["subject"]: j for j in found.of_kind("job")}
    assert jobs[str(held)]["state"] == "failed"
    assert "the reader died" in jobs[str(held)]["why"]
    assert jobs[str(next_one)]["state"] == "done"
    assert len(found.of_kind("tcp")) == 1


def test_password_is_needed_and_never_shown(chainmend, tmp_path):
    if not servers.program("redis-server"):
        pytest.skip("no redis-server on this machine")
    port = servers.free_port()
    server = servers.Process(
        ["redis-server", "--port", port, "--bind", "127.0.0.1",
         "--requirepass", "hunter2", "--save", ""], port, tmp_path / "log",
        cwd=tmp_path)
    try:
        bad = chainmend("results", "--redis",
                        f"redis://:hunter3@127.0.0.1:{port}")
        assert bad.status == 3 and "hunter" not in bad.err, bad
        good = chainmend("results", env={
            "CHAINMEND_REDIS": f"redis://:hunter2@127.0.0.1:{port}"})
        assert good.status == 0, good
    finally:
        server.stop()


class FalseRedis(socketserver.StreamRequestHandler):
    """Greets as Redis does, and answers what is asked for with `rude`."""

    def handle(self):
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            self.wfile.write({
                b"SCRIPT": b"$40\r\n" + b"0" * 40 + b"\r\n",
                b"XREAD": self.server.rude, b"XREADGROUP": self.server.rude,
                b"XLEN": b":0\r\n"}.get(words[0], b"+OK\r\n"))


@pytest.fixture
def false_redis(tmp_path):
    path = str(tmp_path / "false.sock")
    with socketserver.ThreadingUnixStreamServer(path, FalseRedis) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        server.url = "unix://" + path
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("rude", [
    b"-ERR \x1b]0;mine now\x07\r\n", b"*1\r\n" * 100000,
    b"$-7\r\n", b"*-7\r\n", b"?\r\n", b"*2\r\n:1\r\n:2\r\n"])
def test_a_false_redis_says_nothing_to_the_terminal(chainmend, false_redis,
                                                    rude):
    false_redis.rude = rude
    run = chainmend("results", "--redis", false_redis.url)
    assert 0 <= run.status < 5, run
    assert all(c == "\n" or " " <= c <= "~" for c in run.err), repr(run.err)


def test_announced_elements_cost_nothing(chainmend, false_redis):
    """Twenty bytes took room for two thousand million, and five seconds."""
    for rude in (b"*2147483647\r\n+a\r\n@", b"*9999999\r\n" * 8):
        false_redis.rude = rude
        run = chainmend("results", "--redis", false_redis.url)
        assert run.status == 3 and "elements" in run.err, run


def test_redis_over_tls_is_verified(chainmend, pki, tmp_path):
    if not servers.program("redis-server"):
        pytest.skip("no redis-server on this machine")
    port = servers.free_port()
    server = servers.Process(
        ["redis-server", "--port", 0, "--tls-port", port, "--bind",
         "127.0.0.1", "--tls-cert-file", pki.file("leaf-chain.pem", pki.leaf, pki.intermediate), "--tls-key-file",
         pki.leaf.key, "--tls-ca-cert-file", pki.anchor.pem,
         "--tls-auth-clients", "no", "--save", ""], port, tmp_path / "log",
        cwd=tmp_path)
    try:
        url = f"rediss://127.0.0.1:{port}"
        good = chainmend("results", "--redis", url, "--redis-ca",
                         pki.anchor.pem)
        assert good.status == 0, good
        bad = chainmend("results", "--redis", url, "--redis-ca",
                        pki.expired.pem)
        assert bad.status == 3 and "certificate refused" in bad.err, bad
        named = chainmend("results", "--redis",
                          f"rediss://localhost.localdomain:{port}",
                          "--redis-ca", pki.anchor.pem)
        assert named.status == 3, named
    finally:
        server.stop()


@pytest.mark.parametrize("url", ["", "http://x", "redis://", "redis://h:0"])
def test_wrong_urls_are_one_clear_line(chainmend, url):
    run = chainmend("worker", "--redis", url or "''", "--drain")
    assert run.status == 2 and run.err.count("\n") == 1, run
