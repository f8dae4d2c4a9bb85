# SPDX-License-Identifier: Apache-2.0
"""Through proxies: real ones where they are installed, and hostile ones."""
import subprocess
import time

import pytest
import servers
from pki import LOCAL
from proxies import Hostile, Proxy


def endpoint(run):
    line, = run.of_kind("endpoint")
    return line


@pytest.fixture
def proxy():
    yield from servers.keep_each(Proxy)


@pytest.fixture
def good(pki, nginx):
    chain = pki.file("proxied.pem", pki.leaf, pki.intermediate)
    return nginx(chain, pki.leaf.key)


SCHEMES = {"http": "http", "socks": "socks5"}


@pytest.mark.parametrize("kind", SCHEMES)
def test_the_chain_comes_through(chainmend, pki, proxy, good, kind):
    p = proxy(kind)
    url = f"{SCHEMES[kind]}://127.0.0.1:{p.port}"
    run = chainmend("check", f"localhost:{good.port}", "--roots",
                    pki.anchor.pem, "--offline", "--json", "--proxy", url)
    line = endpoint(run)
    assert line["verdict"] is None and run.status == 0, run
    # The name is looked up by the proxy; ours would be an address.
    assert set(p.asked) == {f"localhost:{good.port}"}
    assert "address" not in line


@pytest.mark.parametrize("kind", SCHEMES)
def test_user_and_password(chainmend, pki, proxy, good, kind, tmp_path):
    p = proxy(kind, user="me", password="pw-of-mine")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("pw-of-mine\n")
    wrong.write_text("something\n")
    args = ("check", good.address, "--roots", pki.anchor.pem, "--offline",
            "--json", "--proxy")
    url = f"{SCHEMES[kind]}://me@127.0.0.1:{p.port}"
    run = chainmend(*args, url, "--proxy-password-file", right)
    assert run.status == 0, run
    assert "pw-of-mine" not in run.out + run.err
    run = chainmend(*args, url, "--proxy-password-file", wrong)
    assert run.status == 3 and "refuses this user" in run.err, run
    assert "something" not in run.out + run.err
    run = chainmend(*args, url.replace("me@", ""))
    assert run.status == 3 and "wants a user" in run.err, run
    run = chainmend(*args, url.replace("me@", "me:pw-of-mine@"))
    assert run.status == 2 and "command line" in run.err, run
    assert "pw-of-mine" not in run.out + run.err
    # Nobody sits at a terminal here.
    run = chainmend(*args, url, prefix=("setsid", "-w"))
    assert run.status == 2 and "password" in run.err, run


def test_starttls_through_a_proxy(chainmend, pki, proxy):
    """The greeting may come in one piece with the proxy's answer."""
    def serve(s):
        buffer = b""
        while not buffer.endswith(b"\r\n\r\n"):
            buffer += s.recv(1)
        s.sendall(b"HTTP/1.1 200 OK\r\n\r\n220 mx ESMTP\r\n")
        assert s.recv(4096).startswith(b"EHLO")
        s.sendall(b"250 mx\r\n")
        assert s.recv(4096) == b"STARTTLS\r\n"
        s.sendall(b"454 not now\r\n")
        s.recv(1)
    bad = Hostile(serve)
    run = chainmend("check", "mx.example:25", "--starttls", "smtp", "--json",
                    "--proxy", bad.http, "--offline")
    bad.stop()
    assert "offers no TLS there" in run.err and "454" in run.err, run


def endless_head(s):
    s.recv(4096)
    s.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        s.sendall(b"X-More: and more\r\n" * 50)


def says(*answers):
    def serve(s):
        for answer in answers:
            s.recv(4096)
            s.sendall(answer)
        s.close()
    return serve


ESC = b"\x1b]0;owned\x07\x1b[31m"
HOSTILE = [
    ("endless", "http", endless_head, "without an end"),
    ("refuses", "http", says(b"HTTP/1.1 403 " + ESC + b"\r\n\r\n"), "403"),
    ("no-http", "http", says(b"SSH-2.0-" + ESC + b"\r\n"), "speaks no HTTP"),
    ("silent", "http", lambda s: None, "silent"),
    ("closes", "http", lambda s: (s.recv(4096), s.close()), "closed"),
    ("half", "http", says(b"HTTP/1.1 200 OK\r\nVia: "), "closed"),
    ("plain-behind", "http",
     says(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 no\r\n\r\n"), "speaks HTTP"),
    ("socks-4", "socks", says(b"\x00\x5a"), "no SOCKS 5"),
    ("socks-http", "socks", says(b"HTTP/1.1 400 " + ESC), "no SOCKS 5"),
    ("socks-refuses", "socks", says(b"\x05\x00", b"\x05\x02\x00\x01"),
     "rules"),
    ("socks-silent", "socks", lambda s: None, "silent"),
    ("socks-method", "socks", says(b"\x05\x09"), "not offered"),
    ("socks-cut", "socks", says(b"\x05\x00", b"\x05\x00\x00\x03\xff"),
     "closed"),
]


@pytest.mark.parametrize("case", HOSTILE, ids=lambda c: c[0])
def test_hostile_proxies(chainmend, case):
    _, kind, behave, words = case
    bad = Hostile(behave)
    start = time.monotonic()
    run = chainmend("check", "web.example", "--timeout", "1", "--json",
                    "--proxy", getattr(bad, kind))
    bad.stop()
    assert time.monotonic() - start < 20
    assert run.status == 3, run
    assert len(run.err.splitlines()) == 1 and words in run.err, run
    assert "\x1b" not in run.err + run.out and "\x07" not in run.err
    assert "web.example" in run.err or "proxy" in run.err


def test_nobody_at_the_proxy(chainmend, free_port):
    port = free_port()
    run = chainmend("check", "web.example", "--json", "--proxy",
                    f"http://127.0.0.1:{port}")
    assert run.status == 3, run
    assert f"the proxy 127.0.0.1:{port} refused" in run.err


@pytest.mark.parametrize("args", [
    ("--proxy", "ftp://x"), ("--proxy", "http://a b"),
    ("--proxy-password-file", "/dev/null"), ("--proxy", "http://x:0")])
def test_wrong_words(chainmend, args):
    run = chainmend("check", "web.example", *args)
    assert run.status == 2 and len(run.err.splitlines()) == 1, run


# --------------------------------------------------------- real proxies

@pytest.fixture
def tinyproxy(tmp_path):
    if not servers.program("tinyproxy"):
        pytest.skip("no tinyproxy on this machine")
    port = servers.free_port()
    config = tmp_path / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 20\n"
                      "MaxClients 10\nAllow 127.0.0.1\n"
                      "BasicAuth me pw-of-mine\nLogLevel Error\n")
    server = servers.Process([servers.program("tinyproxy"), "-d", "-c",
                              config], port, tmp_path / "tinyproxy.log")
    yield server
    server.stop()


@pytest.fixture
def microsocks(tmp_path):
    if not servers.program("microsocks"):
        pytest.skip("no microsocks on this machine")
    port = servers.free_port()
    server = servers.Process(
        [servers.program("microsocks"), "-i", "127.0.0.1", "-p", port,
         "-u", "me", "-P", "pw-of-mine"], port, tmp_path / "microsocks.log")
    yield server
    server.stop()


@pytest.mark.parametrize("name,scheme", [("tinyproxy", "http"),
                                         ("microsocks", "socks5")])
def test_real_proxies(chainmend, pki, good, request, tmp_path, name, scheme):
    server = request.getfixturevalue(name)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("pw-of-mine")
    wrong.write_text("another")
    args = ("check", good.address, "--roots", pki.anchor.pem, "--offline",
            "--json", "--proxy", f"{scheme}://me@{server.address}",
            "--proxy-password-file")
    run = chainmend(*args, right)
    assert run.status == 0 and endpoint(run)["verdict"] is None, run
    run = chainmend(*args, wrong)
    assert run.status == 3 and "refuses this user" in run.err, run
    # And curl agrees that the way is open.
    subprocess.run(["curl", "-sS", "--proxy",
                    f"{scheme}://me:pw-of-mine@{server.address}", "--cacert",
                    pki.anchor.pem, f"https://{good.address}/"],
                   check=True, stdout=subprocess.DEVNULL)


# ------------------------------------------------------- issuers, too

@pytest.fixture
def lone(pki, nginx, web):
    """A server that sends its leaf alone, whose issuer is on the web."""
    url = web.put("/i.cer", pki.intermediate.der)
    leaf = pki.intermediate.issue("web.example", sans=LOCAL, aia=url)
    return nginx(leaf.pem, leaf.key), url, leaf


def fetched(run):
    return [c["from"] for c in endpoint(run)["path"]] == [
        "sent", "aia", "anchor"]


@pytest.mark.parametrize("kind", SCHEMES)
@pytest.mark.parametrize("user", [None, "me"])
def test_issuers_come_through_it_too(chainmend, pki, proxy, web, lone, kind,
                                     user, tmp_path):
    server, url, _ = lone
    p = proxy(kind, user=user, password="pw-of-mine")
    word = tmp_path / "word"
    word.write_text("pw-of-mine\n")
    args = ["--roots", pki.anchor.pem, "--json", "--allow-private", "--cache",
            ":memory:", "--one-way", "--proxy",
            f"{SCHEMES[kind]}://{'me@' if user else ''}127.0.0.1:{p.port}"]
    if user:
        args += ["--proxy-password-file", word]
    run = chainmend("check", server.address, *args)
    assert fetched(run) and web.paths() == ["/i.cer"], run
    asked = url if kind == "http" else url.split("/")[2]
    assert p.asked == [server.address, asked], p.asked
    assert "pw-of-mine" not in run.out + run.err
    # And for many.
    targets = tmp_path / "targets"
    targets.write_text(server.address + "\n")
    run = chainmend("check", "-f", targets, "--online", *args)
    assert fetched(run) and p.asked[2:] == [server.address, asked], run


def test_what_leads_inside_is_not_asked_of_it(chainmend, pki, proxy, nginx,
                                              web):
    """The proxy stands inside: what a stranger's certificate names there is
    refused before it is asked, in any spelling."""
    p = proxy("http")
    for where in ("127.0.0.1", "127.1", "0x7f000001", "10.1.2.3", "[::1]",
                  "[::ffff:127.0.0.1]", "localhost", "wiki", "a.internal",
                  "A.LOCAL.", "x.localhost", "0.0.0.0"):
        url = f"http://{where}:{web.port}/i.cer"
        leaf = pki.intermediate.issue("web.example", sans=LOCAL, aia=url)
        server = nginx(leaf.pem, leaf.key)
        run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                        "--json", "--cache", ":memory:", "--one-way",
                        "--proxy", f"http://127.0.0.1:{p.port}")
        line = endpoint(run)
        assert line["verdict"] == "missing-intermediate", run
        assert "aia-refused" in [f["id"] for f in line["findings"]], (
            where, run)
        server.stop()
    assert not [x for x in p.asked if x.startswith("http://")], p.asked
    assert web.paths() == []


@pytest.mark.parametrize("name,scheme", [("tinyproxy", "http"),
                                         ("microsocks", "socks5")])
def test_issuers_through_real_proxies(chainmend, pki, lone, web, request,
                                      tmp_path, name, scheme):
    leaf = lone[2]
    through = request.getfixturevalue(name)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("pw-of-mine")
    wrong.write_text("another")
    # Nothing is answered by itself: what comes came through the proxy.
    args = ("check", leaf.pem, "--roots", pki.anchor.pem, "--json", "--allow-private", "--cache",
            ":memory:", "--proxy", f"{scheme}://me@{through.address}",
            "--proxy-password-file")
    run = chainmend(*args, right)
    assert fetched(run) and web.paths() == ["/i.cer"], run
    run = chainmend(*args, wrong)
    assert "aia-dead" in [f["id"] for f in endpoint(run)["findings"]], run
    assert web.paths() == ["/i.cer"]
    through.stop()
    run = chainmend(*args, right)
    assert "aia-dead" in [f["id"] for f in endpoint(run)["findings"]], run
    assert web.paths() == ["/i.cer"]
