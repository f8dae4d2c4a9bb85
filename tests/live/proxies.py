# SPDX-License-Identifier: Apache-2.0
"""Proxies of the tests' own, on loopback: good ones and hostile ones."""
import base64
import contextlib
import socket
import threading

import servers


class Proxy(servers.Listener):
    """A proxy of the test's own, on loopback: HTTP CONNECT or SOCKS 5, with or
    without a password; asked lists the targets, in the words used."""

    def __init__(self, kind, user=None, password=None):
        self.kind, self.user, self.password = kind, user, password
        self.asked = []
        super().__init__(self.take, at_once=True)

    def take(self, s):
        try:
            up = (self._http if self.kind == "http" else self._socks)(s)
            if up:
                self._relay(s, up)
        except (OSError, AssertionError):
            s.close()

    @staticmethod
    def _relay(a, b):
        def pump(x, y):
            with contextlib.suppress(OSError):
                while data := x.recv(65536):
                    y.sendall(data)
            # Also when x left with a reset: else y waits for it.
            with contextlib.suppress(OSError):
                y.shutdown(socket.SHUT_WR)
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
        if method == "GET":
            assert target.startswith("http://")
        else:
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
        if method == "GET":
            host, path = target.removeprefix("http://").split("/", 1)
            name, port = host.rsplit(":", 1)
            up = socket.create_connection((name.strip("[]"), int(port)))
            up.sendall(f"GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
                       .encode())
            return up
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


class Hostile(servers.Listener):
    def __init__(self, behave):
        super().__init__(behave)
        self.http = f"http://127.0.0.1:{self.port}"
        self.socks = f"socks5://127.0.0.1:{self.port}"
