# SPDX-License-Identifier: Apache-2.0
"""check -f --all-ways: each target of a list asked again without a name, by
version and by kind of key, and told as check of it alone tells it."""
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

import servers
from pki import LOCAL
from proxies import Proxy

NAME = "web.example"


class Varied(servers.Listener):
    """choose(hello, number) -> file of certificates, its key, and perhaps the
    newest version; None: silence.  TLS by Python's libssl."""

    def __init__(self, choose, host="127.0.0.1"):
        self.choose, self.lock = choose, threading.Lock()
        self.number = self.now = self.peak = 0
        self.times, self.silent = [], threading.Event()
        super().__init__(self.answer, host=host, at_once=True)

    def answer(self, s):
        with self.lock:
            self.number += 1
            self.now += 1
            self.peak = max(self.peak, self.now)
            self.times.append(time.monotonic())
            number = self.number
        try:
            self.talk(s, number)
        finally:
            with self.lock:
                self.now -= 1

    def talk(self, s, number):
        s.settimeout(60)
        how = self.choose(s.recv(4096, 2), number)  # a look: MSG_PEEK
        if how is None:
            self.silent.set()
            while s.recv(4096):  # until the client is gone
                pass
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(how[0], how[1])
        if len(how) > 2:
            context.maximum_version = how[2]
        context.wrap_socket(s, server_side=True).close()


def named(hello):
    return NAME.encode() in hello


def offers_13(hello):
    """supported_versions with 0x0304 in it (RFC 8446 section 4.2.1)."""
    at = hello.find(b"\x00\x2b")
    return at >= 0 and b"\x03\x04" in hello[at + 4:at + 4 + hello[at + 3] + 1]


@pytest.fixture
def varied():
    yield from servers.keep_each(Varied)


@pytest.fixture
def full(pki):
    return pki.file("all-ways.pem", pki.leaf, pki.intermediate), pki.leaf.key


@pytest.fixture
def bare(pki):
    return pki.leaf.pem, pki.leaf.key


@pytest.fixture
def many(chainmend, pki, tmp_path):
    """many([line ...], option ...) -> the run of check -f --all-ways."""
    def run(targets, *args, ways=("--all-ways",), **how):
        path = tmp_path / "targets.txt"
        path.write_text("".join(f"{t}\n" for t in targets))
        return chainmend("check", "-f", path, *ways, "--roots",
                         pki.anchor.pem, "--offline", *args, **how)
    return run


@pytest.fixture
def agree(chainmend, pki, many):
    """The line of check -f --all-ways, which is that of check alone."""
    def run(address, *args):
        listed = many([address], "--json", *args)
        one = chainmend("check", address, "--roots", pki.anchor.pem,
                        "--offline", "--json", *args)
        line, = listed.of_kind("endpoint")
        alone, = one.of_kind("endpoint")
        for end in (line, alone):
            end.pop("at", None)
        assert line == alone and listed.status == one.status
        return line
    return run


def found(line, name):
    return [f["says"] for f in line["findings"] if f["id"] == name]


# ------------------------------------------------------------ what differs

def test_leaf_only_without_a_name(agree, many, varied, full, bare):
    server = varied(lambda hello, _: full if named(hello) else bare)
    line = agree(server.address, "--sni", NAME)
    says, = found(line, "chain-varies")
    assert "without a server name: 1 certificate, of" in says, line
    assert line["verdict"] is None and len(line["sent"]) == 2
    # One way, as ever: not seen, and one connection.
    before = server.number
    run = many([f"{server.address} sni={NAME}"], "--json", ways=())
    line, = run.of_kind("endpoint")
    assert line["findings"] == [] and server.number == before + 1
    # The name of a line is as good, and text says the same.
    run = many([f"{server.address} sni={NAME}"])
    assert run.out.startswith("ok  ") and "chain-varies" in run.out, run
    assert says in " ".join(run.out.split()) and run.status == 0
    run = many([f"{server.address} sni={NAME}"], "--quiet")
    assert len(run.out.splitlines()) == 1, run


def test_another_default_site(agree, nginx, pki, free_port):
    """A real server with two sites, the full one asked for by name."""
    port = free_port()
    chain = pki.file("sites.pem", pki.leaf, pki.intermediate)
    nginx(pki.self_signed.pem, pki.self_signed.key, port=port, more=f"""
        }} server {{ listen 127.0.0.1:{port} ssl; server_name {NAME};
        ssl_certificate {chain}; ssl_certificate_key {pki.leaf.key};""")
    line = agree(f"127.0.0.1:{port}", "--sni", NAME)
    assert line["verdict"] is None, line
    assert "without a server name" in found(line, "chain-varies")[0]


def test_rsa_full_and_ecdsa_leaf_only(agree, pki, nginx):
    """nginx with both kinds; libssl's servers prefer EC."""
    rsa = pki.intermediate.issue(NAME, sans=LOCAL, key="rsa")
    server = nginx(pki.file("rsa-full.pem", rsa, pki.intermediate), rsa.key,
                   more=f"ssl_certificate {pki.leaf.pem}; "
                        f"ssl_certificate_key {pki.leaf.key}; "
                        "ssl_ciphers ALL;")
    line = agree(server.address)
    assert line["verdict"] == "missing-intermediate", line
    says, = found(line, "chain-varies")
    assert "RSA only: 2 certificates" in says


def test_another_chain_for_tls12(agree, varied, full, bare):
    server = varied(lambda hello, _: full if offers_13(hello) else
                    (*bare, ssl.TLSVersion.TLSv1_2))
    line = agree(server.address, "--sni", NAME)
    assert line["verdict"] is None and line["version"] == "TLS 1.3", line
    says, = found(line, "chain-varies")
    assert "with TLS 1.2: 1 certificate," in says


def test_the_same_in_each_way(agree, varied, full):
    server = varied(lambda *_: full)
    line = agree(server.address, "--sni", NAME)
    assert line["findings"] == []
    # Twice: first, nameless, TLS 1.2, and RSA only, which it has not.
    assert server.number == 8


def test_clients_are_judged_by_what_they_get(chainmend, many, varied, full,
                                             pki):
    """As alone: one that names no host gets another chain; and two hosts that
    share both chains are not taken for one where that chain fits only one."""
    other = pki.anchor.issue("b.example")
    both = pki.intermediate.issue("a.example", sans=[
        "DNS:a.example", "DNS:b.example", *LOCAL])
    chain = pki.file("both.pem", both, pki.intermediate), both.key
    server = varied(lambda hello, _: chain if b".example" in hello else
                    (other.pem, other.key))
    assert chainmend("profiles", "add", "no-names",
                     pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob("no-names.ini")
    ini.write_text(ini.read_text().replace("sni = unknown", "sni = no"))
    run = many([f"{server.address} sni={h}.example" for h in "abba"],
               "--json", "--profile", "no-names")
    got = [(e["target"][-9], e["profiles"][0]["accepts"])
           for e in run.of_kind("endpoint")]
    assert sorted(got) == [("a", False)] * 2 + [("b", True)] * 2, run


# ------------------------------------------------------- what goes wrong

def test_one_that_hangs_in_the_second_way(agree, many, varied, full):
    """A remark; the chain that came is told, and in time."""
    server = varied(lambda hello, _: full if named(hello) else None)
    began = time.monotonic()
    line = agree(server.address, "--sni", NAME, "--timeout", "3")
    assert time.monotonic() - began < 2 * 3 + 6
    says, = found(line, "way-unanswered")
    assert "without a server name" in says and "in time" in says
    assert line["verdict"] is None and "trouble" not in line
    # Not even with --strict is it a fault.
    run = many([server.address], "--sni", NAME, "--timeout", "1", "--strict")
    assert run.status == 0, run


def test_a_client_whose_way_hangs(agree, chainmend, varied, full, pki):
    """Not judged by it, and not told that it was not tried."""
    server = varied(lambda hello, _: full if offers_13(hello) else None)
    assert chainmend("profiles", "add", "older", pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob("older.ini")
    ini.write_text(ini.read_text() + "tls-max = 1.2\n")
    line = agree(server.address, "--sni", NAME, "--timeout", "1",
                 "--profile", "older")
    older, = line["profiles"]
    assert older["accepts"] and "gave no answer" in older["says"], line
    assert "TLS 1.2" in found(line, "way-unanswered")[0]


def test_all_ways_together_take_the_time_of_one(many, varied, full):
    """Three hang that begin a second apart, the first of them at 1 s: over at
    3 s, and not at 5."""
    server = varied(lambda _, number: full if number == 1 else None)
    began = time.monotonic()
    run = many([server.address], "--sni", NAME, "--timeout", "2",
               "--per-host", "1", "--json")
    assert 3 <= time.monotonic() - began < 4.7
    line, = run.of_kind("endpoint")
    assert len(found(line, "way-unanswered")) == 3, run
    assert run.status == 0


def test_hanging_ways_hold_up_nobody(many, varied, full):
    server = varied(lambda hello, _: full if named(hello) else None)
    good = varied(lambda *_: full)
    began = time.monotonic()
    run = many([server.address] * 4 + [good.address] * 20, "--sni", NAME,
               "--timeout", "4", "-j", "2", "--json", timeout=60)
    took = time.monotonic() - began
    order = [e["target"] for e in run.of_kind("endpoint")]
    assert order[:20] == [good.address] * 20 and len(order) == 24, order
    # The chain that came first is the same; what else came is not.
    for line in run.of_kind("endpoint"):
        assert len(found(line, "way-unanswered")) == (
            line["target"] == server.address), line
    assert took < 15 and run.status == 0


def once_deaf(number_of_it, certs):
    """SMTP; this connection is closed before TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certs)
    seen = []

    def talk(s):
        seen.append(s)
        if len(seen) == number_of_it:
            s.close()
            return
        s.sendall(b"220 mx\r\n")
        while line := s.recv(200):
            if line.startswith(b"STARTTLS"):
                s.sendall(b"220 go\r\n")
                context.wrap_socket(s, server_side=True).close()
                return
            s.sendall(b"250-mx\r\n250 STARTTLS\r\n")
    return servers.Listener(talk)


@pytest.mark.parametrize("retries", [0, 1])
def test_a_way_that_did_not_get_through(many, full, retries):
    """In plain first, and tried again as a target would be."""
    server = once_deaf(2, full)
    run = many([f"{server.address} starttls=smtp sni={NAME}"], "--json",
               *(["--retry", "1"] if retries else []))
    server.stop()
    line, = run.of_kind("endpoint")
    assert line["verdict"] is None and line["starttls"] == "smtp", run
    said = found(line, "way-unanswered")
    assert len(said) == 1 - retries and run.status == 0
    assert all("could not be asked" in s for s in said), said


def test_what_makes_no_sense(many, chainmend):
    run = many(["127.0.0.1:9"], "--one-way")
    assert run.status == 2 and "opposites" in run.err and not run.out, run
    assert "--all-ways" in chainmend("check", "--help").out


def test_one_that_is_not_there_is_asked_once(many, free_port):
    run = many([f"127.0.0.1:{free_port()}"], "--json")
    line, = run.of_kind("endpoint")
    assert "refused" in line["trouble"] and run.status == 3, run


# -------------------------------------------------------- with other options

def test_a_limit_to_one_host(many, varied, full):
    """The first and three ways, a second apart."""
    server = varied(lambda *_: full)
    run = many([server.address], "--sni", NAME, "--per-host", "1", "--json")
    assert run.status == 0 and len(server.times) == 4, run
    gaps = [b - a for a, b in zip(server.times, server.times[1:])]
    assert min(gaps) > 0.8, gaps


def test_a_rate(many, varied, full):
    server = varied(lambda *_: full)
    began = time.monotonic()
    many([server.address] * 3, "--sni", NAME, "--rate", "5", "--json")
    assert server.number == 12 and time.monotonic() - began > 1.9


@pytest.mark.parametrize("resume", [False, True])
def test_broken_off_among_the_ways(chainmend, pki, varied, full, tmp_path,
                                   resume):
    """With --resume it is asked anew, and whole; else what came is told."""
    server = varied(lambda hello, _: full if named(hello) else None)
    path, out = tmp_path / "t", tmp_path / "results"
    path.write_text(f"{server.address}\n")
    args = ["check", "-f", path, "--all-ways", "--sni", NAME, "--roots",
            pki.anchor.pem, "--offline", "--json", "--timeout", "2",
            *(["--resume", out] if resume else [])]
    first = subprocess.Popen(
        [chainmend.path, *map(str, args), "--per-host", "1"],
        env=chainmend.env, stdout=subprocess.PIPE)
    assert server.silent.wait(30)
    first.send_signal(signal.SIGTERM)
    said = first.communicate(timeout=30)[0].decode()
    assert first.returncode == 3 and server.number == 2
    if not resume:
        line = json.loads(said)
        assert line["verdict"] is None
        assert len(found(line, "way-unanswered")) == 1, line
        return
    assert said == "" and out.read_text() == ""
    assert chainmend(*args).status == 0
    line, = map(json.loads, out.read_text().splitlines())
    assert len(found(line, "way-unanswered")) == 1, line
    # And a third run has nothing left to do.
    before = server.number
    assert chainmend(*args).status == 0
    assert server.number == before


def test_every_address_in_every_way(many, varied, full, bare, pki, hosts):
    leaf = pki.intermediate.issue("balanced.example")
    whole = pki.file("bal.pem", leaf, pki.intermediate), leaf.key
    short = leaf.pem, leaf.key

    def by_name(hello, _):
        return whole if b"balanced.example" in hello else short
    odd = varied(by_name, "127.0.0.2")
    port = odd.port
    good = servers.start_nginx
    directory = Path(pki.dir) / "even"
    even = good(directory, *whole, port=port, host="127.0.0.3")
    try:
        run = many([f"balanced.example:{port}"], "--all-addresses", "--json",
                   prefix=hosts("127.0.0.2", "127.0.0.3"))
    finally:
        even.stop()
    got = {e["address"]: found(e, "chain-varies")
           for e in run.of_kind("endpoint")}
    assert got.keys() == {f"127.0.0.2:{port}", f"127.0.0.3:{port}"}, run
    assert "without a server name" in got[f"127.0.0.2:{port}"][0]
    assert got[f"127.0.0.3:{port}"] == [] and run.status == 0


def test_a_name_is_asked_at_one_address(many, varied, full, hosts, free_port):
    """Where the first address takes no connection, all ways go to the one
    that did."""
    server = varied(lambda *_: full, "127.0.0.4")
    run = many([f"balanced.example:{server.port}"], "--host", NAME, "--json",
               prefix=hosts("127.0.0.9", "127.0.0.4"))
    line, = run.of_kind("endpoint")
    assert line["findings"] == [] and server.number == 4, run


def test_other_ways_go_to_the_machine_that_answered(many, varied, full, bare,
                                                    hosts):
    """One that takes no second connection, and another behind the same name
    with another chain, which is nobody's second answer."""
    def once(*_):
        server.socket.shutdown(socket.SHUT_RDWR)
        server.socket.close()
        return full
    server = varied(once, "127.0.0.2")
    other = servers.Listener(
        lambda s: Varied.talk(other, s, 0), "127.0.0.3", True, server.port)
    other.choose = lambda *_: bare
    run = many([f"balanced.example:{server.port}"], "--host", NAME, "--json",
               prefix=hosts("127.0.0.2", "127.0.0.3"))
    other.stop()
    line, = run.of_kind("endpoint")
    assert found(line, "chain-varies") == [], line
    assert len(found(line, "way-unanswered")) == 3 and run.status == 0


@pytest.mark.parametrize("kind", ["http", "socks"])
def test_through_a_proxy(many, varied, full, bare, kind):
    server = varied(lambda hello, _: full if named(hello) else bare)
    proxy = Proxy(kind)
    try:
        run = many([server.address], "--sni", NAME, "--json", "--proxy",
                   f"{'http' if kind == 'http' else 'socks5'}://"
                   f"127.0.0.1:{proxy.port}")
    finally:
        proxy.stop()
    line, = run.of_kind("endpoint")
    assert len(found(line, "chain-varies")) == 1, run
    assert proxy.asked == [server.address] * 4


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_with_a_certificate_of_our_own(many, pki, s_server, version):
    ca = pki.root(f"Client CA of ways {version}")
    own = ca.issue("client", usage="clientAuth")
    server = s_server(pki.leaf.pem, pki.leaf.key, chain=pki.intermediate.pem,
                      args=[version, "-Verify", "2", "-verify_return_error",
                            "-CAfile", ca.pem])
    for args, says in ((("--cert", own.pem, "--key", own.key), []),
                       ((), ["client-certificate-wanted"])):
        run = many([server.address], "--sni", NAME, "--json", *args)
        line, = run.of_kind("endpoint")
        assert [f["id"] for f in line["findings"]] == says, run
        assert run.status == 0


def test_on_a_page_and_for_a_monitor(many, varied, full, bare, tmp_path):
    server = varied(lambda hello, _: full if named(hello) else bare)
    page = tmp_path / "page.html"
    run = many([server.address] * 2, "--sni", NAME, "--html", page)
    assert run.status == 0 and page.read_text().count("another chain to") >= 2
    run = many([server.address] * 2, "--sni", NAME, "--nagios")
    assert run.status == 0 and "OK" in run.out, run


def peak_kib(chainmend, args):
    process = subprocess.Popen([chainmend.path, *map(str, args)],
                               env=chainmend.env, stdout=subprocess.PIPE)
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status  # it is waited for
    process.stdout.close()
    return out.decode().splitlines(), used.ru_maxrss


def test_three_hundred_on_one_server(chainmend, pki, varied, full, bare,
                                     tmp_path):
    server = varied(lambda hello, _: full if named(hello) else bare)
    path = tmp_path / "t"
    path.write_text(f"{server.address}\n" * 300)
    args = ["check", "-f", path, "--sni", NAME, "--roots", pki.anchor.pem,
            "--offline", "--json", "-j", "50", "--handshake"]
    _, one_kib = peak_kib(chainmend, args)
    server.number = server.peak = 0
    began = time.monotonic()
    lines, all_kib = peak_kib(chainmend, [*args, "--all-ways"])
    assert time.monotonic() - began < 100
    assert len(lines) == 300 and server.number == 1200
    for line in map(json.loads, lines):
        assert len(found(line, "chain-varies")) == 1, line
        assert not found(line, "way-unanswered")
    # Not all ways of all targets at once; those that take half a second are
    # counted as slow and no longer against --jobs.
    assert server.peak <= 150, server.peak
    assert all_kib < one_kib + 20 * 1024, (one_kib, all_kib)
