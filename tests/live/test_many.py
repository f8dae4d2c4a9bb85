# SPDX-License-Identifier: Apache-2.0
"""check -f: many targets in one loop, streamed, resumed."""
import functools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import servers


@pytest.fixture
def full(pki, nginx):
    chain = pki.file("many.pem", pki.leaf, pki.intermediate)
    return nginx(chain, pki.leaf.key)


def targets(tmp_path, lines, name="targets.txt"):
    path = tmp_path / name
    path.write_text("".join(f"{x}\n" for x in lines))
    return path


def test_each_target_has_one_line(chainmend, pki, nginx, s_server, full,
                                  free_port, tmp_path):
    leaf_only = nginx(pki.leaf.pem, pki.leaf.key)
    only13 = s_server(pki.leaf.pem, pki.leaf.key, args=["-tls1_3"])
    closed = f"127.0.0.1:{free_port()}"
    path = targets(tmp_path, [
        "# comment", "", full.address, leaf_only.address, only13.address,
        closed, "bad host", "  " + full.address.replace("127.0.0.1",
                                                        "localhost") + " "])
    run = chainmend("check", "-f", path, "--roots", pki.anchor.pem, "--json")
    got = {e["target"]: e for e in run.of_kind("endpoint")}
    assert got[full.address]["verdict"] is None, run
    assert got[leaf_only.address]["verdict"] == "missing-intermediate"
    assert got[only13.address]["verdict"] == "missing-intermediate", run
    assert got[only13.address]["version"] == "TLS 1.3"
    assert "refused" in got[closed]["trouble"]
    assert f"localhost:{full.port}" in got
    assert len(got) == 5 and "line 7" in run.err
    assert run.status == 3
    # For people: one line each, and nobody is fine who was not looked at.
    run = chainmend("check", "-f", path, "--roots", pki.anchor.pem)
    lines = run.out.splitlines()
    assert f"not looked at  {closed} refused the connection: nothing " \
        "listens there" in lines, run
    assert sum(line.startswith("ok  ") for line in lines) == 2, run
    assert run.status == 3


def test_agrees_with_a_whole_handshake(chainmend, pki, full, tmp_path):
    path = targets(tmp_path, [full.address])
    args = ("--roots", pki.anchor.pem, "--json")
    quick, = chainmend("check", "-f", path, *args).of_kind("endpoint")
    whole, = chainmend("check", "-f", path, "--handshake",
                       *args).of_kind("endpoint")
    one, = chainmend("check", full.address, "--offline",
                     *args).of_kind("endpoint")
    for key in ("sent", "path", "verdict", "target", "address"):
        assert quick[key] == whole[key] == one[key]


def test_five_hundred_at_once(chainmend, pki, full, tmp_path):
    lines = [f"127.0.0.1:{full.port}"] * 500
    run = chainmend("check", "-f", targets(tmp_path, lines), "-j", "50",
                    "--roots", pki.anchor.pem, "--json", timeout=120)
    assert run.status == 0, run.err[:500]
    assert len(run.out.splitlines()) == 500
    assert all(json.loads(x)["verdict"] is None
               for x in run.out.splitlines())


def test_standard_input_and_text(chainmend, pki, full):
    run = chainmend("check", "-f", "-", "--roots", pki.anchor.pem,
                    stdin=full.address + "\n")
    assert run.status == 0 and run.out.startswith("ok"), run


def test_silent_ones_hold_up_nobody(chainmend, pki, full, tmp_path):
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(64)
    address = "127.0.0.1:%d" % silent.getsockname()[1]
    lines = [address] * 4 + [full.address] * 40
    run = chainmend("check", "-f", targets(tmp_path, lines), "-j", "4",
                    "--timeout", "4", "--roots", pki.anchor.pem, "--json",
                    timeout=60)
    silent.close()
    order = [e["target"] for e in run.of_kind("endpoint")]
    assert len(order) == 44 and order[-4:] == [address] * 4, order


def test_as_many_at_once_as_are_asked_for(chainmend, tmp_path):
    """It begins with few; while nobody answers there are more at once, up to
    -j and no more, before the first has waited long enough to be left aside."""
    at_once, times, held = 120, [], []
    silent = socket.create_server(("127.0.0.1", 0), backlog=512)
    address = "127.0.0.1:%d" % silent.getsockname()[1]
    child = chainmend.popen(
        "check", "-f", targets(tmp_path, [address] * 300), "-j", at_once,
        "--timeout", "60", "--json", stdout=subprocess.DEVNULL)
    try:
        silent.settimeout(20)
        while len(held) < 2 * at_once:
            held.append(silent.accept()[0])
            times.append(time.monotonic())
    finally:
        child.kill()
        child.wait()
        silent.close()
        for s in held:
            s.close()
    assert times[at_once - 1] - times[0] < 0.4, times
    # Who waits for half a second takes no place: then the next come.
    assert times[at_once] - times[0] > 0.4, times


def test_resumed_after_an_interruption(chainmend, pki, full, tmp_path):
    """Nothing lost, nothing twice, also where the last line was torn."""
    lines = [f"127.0.0.{i}:{full.port}" for i in range(1, 41)]
    # Only 127.0.0.1 is listened on; the others are refused, and count too.
    path, out = targets(tmp_path, lines), tmp_path / "out.ndjson"
    args = ("check", "-f", path, "--roots", pki.anchor.pem, "--resume", out)
    first = chainmend.popen(*args, "--rate", "20")
    deadline = threading.Event()
    for _ in range(200):
        if out.exists() and out.stat().st_size or first.poll() is not None:
            break
        deadline.wait(0.05)
        if _ == 20:
            first.send_signal(signal.SIGTERM)
    first.wait(timeout=30)
    half = out.read_bytes()
    out.write_bytes(half[:-20] if half else b'{"v":1,"kind":"endp')
    run = chainmend(*args)
    got = [json.loads(x)["target"] for x in out.read_text().splitlines()]
    assert sorted(got) == sorted(lines), run
    assert run.out == ""
    # A third run has nothing left to do.
    before = out.read_bytes()
    chainmend(*args)
    assert out.read_bytes() == before


@pytest.mark.parametrize("more", [("--roots", "{root}"),
                                  ("--roots", "{root}", "--strict"),
                                  ("--roots", "{root}", "--profile", "has-it"),
                                  ("--profile", "has-it"),
                                  ("--profile", "java-17")],
                         ids=lambda m: " ".join(m))
def test_the_exit_status_is_of_the_whole_work(chainmend, pki, nginx, full,
                                              free_port, tmp_path, more):
    """With nothing left to do it is what one run would have ended with."""
    chainmend("profiles", "add", "has-it",
              pki.file("has-it.pem", pki.anchor, pki.intermediate))
    more = [word.format(root=pki.anchor.pem) for word in more]
    bad = nginx(pki.leaf.pem, pki.leaf.key)
    order = nginx(pki.file("ws.pem", pki.leaf, pki.intermediate, pki.anchor),
                  pki.leaf.key)
    soon = nginx(pki.file("sn.pem", pki.leaf, pki.intermediate), pki.leaf.key)
    quit_ = servers.Listener(lambda s: s.recv(4096) and s.sendall(
        b"\x15\x03\x03\x00\x02\x02\x28"))
    seen = set()
    for n, target in enumerate((full.address, bad.address, order.address,
                                soon.address, quit_.address,
                                f"127.0.0.1:{free_port()}")):
        path, out = targets(tmp_path, [target]), tmp_path / f"o{n}"
        args = ("check", "-f", path, "--offline", "--warn-days",
                "400" if target == soon.address else "0", *more)
        once = chainmend(*args)
        assert chainmend(*args, "--resume", out).status == once.status
        before = out.read_text()
        assert chainmend(*args, "--resume", out).status == once.status, before
        assert out.read_text() == before
        seen.add(once.status)
    quit_.stop()
    assert seen == {0, 1, 3}, seen


def count_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_resumed_after_being_killed_again_and_again(chainmend, free_port,
                                                    tmp_path):
    """SIGKILL leaves what it leaves; in the end each has one line.  Two stand
    twice in the file, and count once."""
    port = free_port()
    lines = [f"127.0.{i // 200}.{1 + i % 200}:{port}" for i in range(1200)]
    path = targets(tmp_path, lines + lines[:1] + lines[700:701])
    out = tmp_path / "out.ndjson"
    args = ("check", "-f", path, "--resume", out, "--rate", "600", "-j", "50")
    for _ in range(3):
        had = count_lines(out)
        first = chainmend.popen(*args)
        servers.wait_until(lambda: count_lines(out) > had + 100 or
                           first.poll() is not None, "more results")
        first.kill()
        first.wait()
    assert 300 <= count_lines(out) < len(lines)
    run = chainmend(*args)
    got = [json.loads(x)["target"] for x in out.read_text().splitlines()]
    assert sorted(got) == sorted(lines), run


class Picky(servers.Listener):
    """Listens on every loopback address; hangs up on the first `rude`
    connections to each port, then serves; notes when each came."""

    def __init__(self, pki, rude=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(
            pki.file("picky.pem", pki.leaf, pki.intermediate), pki.leaf.key)
        self.rude, self.times = rude, []
        super().__init__(self.take, host="0.0.0.0")

    def take(self, taken):
        self.times.append(time.monotonic())
        with taken:
            if len(self.times) > self.rude:
                taken.settimeout(5)
                self.context.wrap_socket(taken, server_side=True).close()


@pytest.fixture
def picky(pki):
    yield from servers.keep_each(functools.partial(Picky, pki))


def test_what_could_not_be_reached_is_tried_again(chainmend, pki, picky,
                                                  tmp_path):
    # A glance that is hung up on asks with a whole handshake at once, so two
    # connections are one try.
    server = picky(rude=2)
    path = targets(tmp_path, [f"localhost:{server.port}"])
    args = ("check", "-f", path, "--roots", pki.anchor.pem, "--json", "-4")
    run = chainmend(*args, "--retry", "2")
    line, = run.of_kind("endpoint")
    assert run.status == 0 and line["verdict"] is None, run
    assert server.times[2] - server.times[1] > 0.5
    rude = picky(rude=1000)
    path.write_text(f"localhost:{rude.port}\n")
    run = chainmend(*args, "--retry", "1")
    line, = run.of_kind("endpoint")
    # Closed with the hello unread is a reset.
    assert run.status == 3 and re.search("(closed|reset) the connection",
                                         line["trouble"]), run
    assert len(rude.times) == 4


def test_one_host_is_asked_so_often(chainmend, pki, picky, tmp_path):
    slow, other = picky(), picky()
    path = targets(tmp_path, [f"127.0.0.1:{slow.port}"] * 5 +
                   [f"127.0.0.{i}:{other.port}" for i in range(2, 12)])
    run = chainmend("check", "-f", path, "--roots", pki.anchor.pem, "--json",
                    "--per-host", "4")
    assert len(run.of_kind("endpoint")) == 15, run
    gaps = [b - a for a, b in zip(slow.times, slow.times[1:])]
    assert len(gaps) == 4 and min(gaps) > 0.2, gaps
    # Different hosts do not wait for each other.
    assert other.times[-1] < slow.times[2], (other.times, slow.times)


def test_results_come_while_others_are_slow(chainmend, pki, full, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = targets(tmp_path, [
            full.address, "127.0.0.1:%d" % silent.getsockname()[1]])
        child = chainmend.popen(
            "check", "-f", path, "--roots", pki.anchor.pem, "--json",
            "--timeout", "60", stdout=subprocess.PIPE, text=True)
        try:
            assert json.loads(child.stdout.readline())["target"] == \
                full.address
            assert child.poll() is None
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def test_an_issuer_is_fetched_once_for_all(chainmend, pki, nginx, web,
                                           tmp_path):
    from pki import LOCAL
    url = web.put("/i.cer", pki.intermediate.der)
    leaves = [pki.intermediate.issue("web.example", sans=LOCAL, aia=url)
              for _ in range(2)]
    lines = [nginx(x.pem, x.key).address for x in leaves] * 10
    run = chainmend("check", "-f", targets(tmp_path, lines), "--roots",
                    pki.anchor.pem, "--json", "--online", "--allow-private")
    got = run.of_kind("endpoint")
    assert len(got) == 20 and web.paths() == ["/i.cer"], run
    assert {e["verdict"] for e in got} == {"missing-intermediate"}
    assert all([c["from"] for c in e["path"]] in (
        ["sent", "aia", "anchor"], ["sent", "cache", "anchor"])
        for e in got), got[0]["path"]


def test_progress_is_told_on_a_terminal_only(chainmend, free_port, tmp_path):
    lines = [f"127.0.0.{1 + i}:{free_port()}" for i in range(40)]
    args = ("check", "-f", targets(tmp_path, lines), "--rate", "20",
            "--json")
    run = chainmend(*args)
    assert "a second" not in run.err
    main, sub = os.openpty()
    child = chainmend.popen(*args, stdout=subprocess.DEVNULL, stderr=sub)
    os.close(sub)
    text = b""
    try:
        while chunk := os.read(main, 4096):
            text += chunk
    except OSError:  # the terminal is gone with its last user
        pass
    os.close(main)
    assert child.wait(timeout=30) == 3
    assert b" of 40, " in text and b"s left" in text, text
    # A bar that fills, and as long as before at the end.
    bars = re.findall(rb"\[([#.]+)\] (\d+) of 40, \d+ a second", text)
    assert len(bars) > 2, text
    for bar, done in bars:
        assert len(bar) == 20 and bar.count(b"#") == int(done) // 2, text
    assert bars[-1] == (b"#" * 20, b"40")


@pytest.mark.parametrize("args", [
    ("-f", "/no/such/file"), ("-f", "x", "y"), (), ("-f", "x", "-j", "20000"),
    ("-f", "x", "--html", "y"),
    ("-f", "x", "--key", "y")])
def test_refusals(chainmend, args):
    run = chainmend("check", *args)
    assert run.status in (2, 3) and len(run.err.splitlines()) == 1, run


# ---------------------------------------------------------------- a plugin

DATA = re.compile(r"(?:'[^']+'|[^\s'=]+)=-?[0-9.]+[a-z%]*"
                  r"(?:;[-0-9.:~@]*){0,2}(?:;[-0-9.]*){0,2}")


def plugin(chainmend, tmp_path, pki, lines, *args):
    """(status, first line's text, {label: value}, other lines); data as the
    Monitoring Plugins guidelines have it."""
    run = chainmend("check", "-f", targets(tmp_path, lines), "--roots",
                    pki.anchor.pem, "--offline", "--nagios", *args)
    text, bar, data = run.out.splitlines()[0].partition("|")
    assert bar and "|" not in data, run
    for word in data.split():
        assert DATA.fullmatch(word), word
    values = {k: v.split(";")[0] for k, v in
              (w.split("=") for w in data.split())}
    rest = run.out.splitlines()[1:]
    assert not any("|" in line for line in rest), run
    assert run.out.endswith("\n") and len(run.out) < 8192
    return run.status, text, values, rest


def test_a_plugin_for_many(chainmend, pki, nginx, full, free_port, tmp_path):
    """The worst state first, how many there are of each, and a line for each
    that is not well."""
    bad = nginx(pki.leaf.pem, pki.leaf.key)
    dead = f"127.0.0.1:{free_port()}"
    status, text, data, rest = plugin(
        chainmend, tmp_path, pki, [full.address] * 3)
    assert status == 0 and rest == [], (text, rest)
    assert text.startswith("CHAIN OK - 3 targets; ")
    assert (data["targets"], data["critical"], data["unknown"]) == (
        "3", "0", "0")
    assert 363 <= int(data["days"]) <= 366

    status, text, data, rest = plugin(
        chainmend, tmp_path, pki, [full.address, dead])
    assert status == 3, text
    assert text.startswith("CHAIN UNKNOWN - 2 targets: 1 unknown; " + dead)
    assert len(rest) == 1 and rest[0].startswith("UNKNOWN " + dead), rest

    status, text, data, rest = plugin(
        chainmend, tmp_path, pki, [dead, bad.address, full.address],
        "--warn-days", "400")
    assert status == 2, text
    assert text.startswith(f"CHAIN CRITICAL - 3 targets: 1 critical, 1 "
                           f"unknown, 1 warning; {bad.address}: "), text
    assert [line.replace(": ", " ").split()[:2] for line in rest] == [
        ["CRITICAL", bad.address], ["UNKNOWN", dead],
        ["WARNING", full.address]]
    assert "Test Intermediate" in rest[0]
    assert (data["targets"], data["critical"], data["warning"],
            data["unknown"]) == ("3", "1", "1", "1")

    status, text, data, rest = plugin(
        chainmend, tmp_path, pki, [full.address], "--warn-days", "400")
    assert status == 1 and text.startswith("CHAIN WARNING"), text


def test_a_plugin_says_no_more_than_nagios_takes(chainmend, pki, free_port,
                                                 tmp_path):
    port = free_port()
    lines = [f"127.0.0.{i}:{port}" for i in range(1, 101)]
    status, text, data, rest = plugin(chainmend, tmp_path, pki, lines)
    assert status == 3 and "100 targets: 100 unknown" in text
    assert len(rest) == 31 and rest[-1] == "and 70 more", rest


def test_a_plugin_and_lines_that_are_none(chainmend, pki, full, tmp_path):
    status, text, _, _ = plugin(chainmend, tmp_path, pki,
                                [full.address, "a..b", "\x1b[31m"])
    assert status == 3 and "no targets" in text, text
    run = chainmend("check", "-f", "/no/such/file", "--nagios")
    assert run.status == 3 and len(run.out.splitlines()) == 1, run
    assert run.out.startswith("CHAIN UNKNOWN - ") and "/no/such" in run.out
    run = chainmend("check", "-f", "/dev/null", "--nagios")
    assert run.status == 3 and "there is no target in" in run.out, run


def test_a_plugin_that_was_broken_off_has_all_in_the_end(
        chainmend, pki, nginx, full, tmp_path):
    """With --resume results go to the file, and what it had counts."""
    bad = nginx(pki.leaf.pem, pki.leaf.key)
    out = tmp_path / "results"
    status, text, data, _ = plugin(chainmend, tmp_path, pki, [bad.address],
                                   "--resume", out)
    assert status == 2 and data["targets"] == "1"
    status, text, data, rest = plugin(
        chainmend, tmp_path, pki, [bad.address, full.address], "--resume", out)
    assert status == 2 and data["targets"] == "2", text
    assert len(out.read_text().splitlines()) == 2 and len(rest) == 1


def test_a_plugin_counts_only_the_clients_asked_for(chainmend, pki, nginx,
                                                    full, tmp_path):
    """A profile that holds the issuer is content, whatever a plain client
    would say; check alone ends with 0, so the plugin does."""
    bad = nginx(pki.leaf.pem, pki.leaf.key)
    added = chainmend("profiles", "add", "has-it",
                      pki.file("has-it.pem", pki.anchor, pki.intermediate))
    assert added.status == 0, added
    for words in (("-f", targets(tmp_path, [bad.address])), (bad.address,)):
        plain = chainmend("check", *words, "--profile", "has-it", "--offline")
        run = chainmend("check", *words, "--profile", "has-it", "--offline",
                        "--nagios")
        assert run.status == plain.status == 0, (run, plain)


def test_a_plugin_names_the_clients_that_refuse(chainmend, nginx, pki,
                                                tmp_path):
    bad = nginx(pki.leaf.pem, pki.leaf.key)
    status, text, data, rest = plugin(
        chainmend, tmp_path, pki, [bad.address], "--profile", "java-17",
        "--profile", "firefox", "--pool", pki.intermediate.pem)
    assert status == 2 and data["refused"] == "2", text
    assert f"{bad.address}: java-17 and 1 more: " in text
    # Cut where it has to be, and it shows.
    assert all(len(line) < 250 for line in rest), rest
    assert [line for line in rest if len(line) > 240] == [
        line for line in rest if line.endswith("...")]
