# SPDX-License-Identifier: Apache-2.0
"""Through proxies: real ones where they are installed, and hostile ones."""
import base64
import socket
import subprocess
import threading
import time

import pytest
import servers


def endpoint(run):
    line, = run.of_kind("endpoint")
    return line


class Proxy:
    """A proxy of the test's own, on loopback: HTTP CONNECT or SOCKS 5, with or
    without a password; asked lists the targets, in the words used."""

    def __init__(self, kind, user=None, password=None):
        self.kind, self.user, self.password = kind, user, password
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        servers.end_accepting(self.socket, self.thread)

    def _run(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,),
                             daemon=True).start()

    def _serve(self, s):
        try:
            up = (self._http if self.kind == "http" else self._socks)(s)
            if up:
                self._relay(s, up)
        except (OSError, AssertionError):
            s.close()

    @staticmethod
    def _relay(a, b):
        def pump(x, y):
            try:
                while data := x.recv(65536):
                    y.sendall(data)
                y.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        t = threading.Thread(target=pump, args=(b, a), daemon=True)
        t.start()
        pump(a, b)
        t.join()
        a.close()
        b.close()

    @staticmethod
    def _read(s, n):
        got = b""
        while len(got) < n:
            more = s.recv(n - len(got))
            assert more
            got += more
        return got

    def _http(self, s):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(s, 1)
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        assert method == "CONNECT" and f"Host: {target}" in lines
        self.asked.append(target)
        if self.user:
            pair = f"{self.user}:{self.password}".encode()
            want = "Basic " + base64.b64encode(pair).decode()
            if f"Proxy-Authorization: {want}" not in lines:
                s.sendall(b"HTTP/1.1 407 Who are you\r\n"
                          b"Proxy-Authenticate: Basic realm=\"x\"\r\n\r\n")
                s.close()
                return None
        host, port = target.rsplit(":", 1)
        up = socket.create_connection((host.strip("[]"), int(port)))
        s.sendall(b"HTTP/1.1 200 Connection established\r\n"
                  b"Proxy-Agent: test\r\n\r\n")
        return up

    def _socks(self, s):
        version, n = self._read(s, 2)
        assert version == 5
        ways = self._read(s, n)
        if self.user:
            if 2 not in ways:
                s.sendall(b"\x05\xff")
                return s.close()
            s.sendall(b"\x05\x02")
            assert self._read(s, 1) == b"\x01"
            user = self._read(s, self._read(s, 1)[0]).decode()
            password = self._read(s, self._read(s, 1)[0]).decode()
            good = (user, password) == (self.user, self.password)
            s.sendall(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return s.close()
        else:
            s.sendall(b"\x05\x00")
        version, command, _, kind = self._read(s, 4)
        assert (version, command) == (5, 1)
        host = (socket.inet_ntop(socket.AF_INET, self._read(s, 4))
                if kind == 1 else
                socket.inet_ntop(socket.AF_INET6, self._read(s, 16))
                if kind == 4 else
                self._read(s, self._read(s, 1)[0]).decode())
        port = int.from_bytes(self._read(s, 2), "big")
        self.asked.append(f"{host}:{port}")
        up = socket.create_connection((host, port))
        s.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        return up


@pytest.fixture
def proxy():
    made = []

    def make(*args, **how):
        made.append(Proxy(*args, **how))
        return made[-1]
    yield make
    for p in made:
        p.stop()


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


class Hostile:
    def __init__(self, behave):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.http = f"http://127.0.0.1:{self.port}"
        self.socks = f"socks5://127.0.0.1:{self.port}"
        self.behave, self.open, self.ending = behave, [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending:
            try:
                s, _ = self.socket.accept()
                self.open.append(s)
                self.behave(s)
            except (OSError, AssertionError):
                pass

    def stop(self):
        self.ending = True
        servers.end_accepting(self.socket, self.thread, self.open)


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
