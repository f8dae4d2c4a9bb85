# SPDX-License-Identifier: Apache-2.0
"""A provisioning server that runs, and a port 80 or 443 in other hands, for
the tests of device sign-in."""
import http.server
import ssl
import subprocess
import threading

import pytest

import servers

PIN = "40961853"
NUMBER = "+15550100"
SIP = "sip:ada@corp.example"


class Provisioning:
    """A running `chainmend serve` and how to reach it."""

    def __init__(self, chainmend, pki, directory, chain, offer, *more):
        state = directory / "server"
        user = ["serve", "--state", state, "user"]
        assert chainmend(*user, "add", "--sip", SIP, "--number", NUMBER,
                         "--login", "ada").status == 0
        assert chainmend(*user, "set-pin", "--sip", SIP, "--secret-fd", "0",
                         stdin=PIN + "\n").status == 0
        self.http, self.https = servers.free_port(), servers.free_port()
        self.sip = servers.free_port()
        self.log = directory / "serve.log"
        self.chainmend, self.pki, self.dir = chainmend, pki, directory
        with open(self.log, "ab") as log:
            self.process = chainmend.popen(
                "serve", "--state", state, "--host", "localhost",
                "--address", "127.0.0.1", "--http-port", self.http,
                "--https-port", self.https, "--sip-port", self.sip,
                "--cert", pki.file("serve.pem", *chain),
                "--key", pki.leaf.key,
                "--offer", pki.file("offer.pem", *offer), *more,
                stdout=log, stderr=log)
        try:
            servers.wait_until(lambda: servers.answers(self.https), "serve",
                               process=self.process, log=self.log)
        except Exception:
            self.stop()
            raise

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def phone(self, *more, http=None, pin=PIN, state="phone", way="pin"):
        return self.chainmend(
            "phone", way, "--server", "localhost", "--connect", "127.0.0.1",
            "--http-port", http or self.http, "--https-port", self.https,
            "--sip-port", self.sip,
            "--state", self.dir / state, "--anchors", self.pki.anchor.pem,
            "--number", NUMBER, "--pin-fd", "0", "--json", *more,
            stdin=pin + "\n")


@pytest.fixture
def serve(chainmend, pki, tmp_path):
    started = []

    def make(chain=None, offer=None, *more):
        started.append(Provisioning(
            chainmend, pki, tmp_path, chain or [pki.leaf],
            offer or [pki.intermediate], *more))
        return started[-1]

    yield make
    for server in started:
        server.stop()


class Rogue(http.server.BaseHTTPRequestHandler):
    """Port 80 in the hands of somebody else."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append(self.rfile.read(length))
        self.server.asked.append(self.path)
        try:
            self.server.answer(self)
        except OSError:
            pass

    do_GET = do_POST


def whole(body, kind="text/xml", status=200):
    def answer(request):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
    return answer


def endless(request):
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"A" * 65536)


def endless_head(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        request.wfile.write(b"X-A: " + b"a" * 1000 + b"\r\n")


def drip(request):
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not request.server.stopping.wait(0.05):
        request.wfile.write(b"X")
        request.wfile.flush()


XXE = (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM '
       b'"file:///etc/passwd">]><a>&x;</a>')
BOMB = (b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>')


@pytest.fixture
def rogue():
    made = []

    def make(answer, cert=None, key=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rogue)
        server.daemon_threads = True
        server.answer, server.seen, server.asked = answer, [], []
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            server.socket = context.wrap_socket(server.socket,
                                                server_side=True)
        server.stopping = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.append(server)
        return server

    yield make
    for server in made:
        server.stopping.set()
        server.shutdown()
        server.server_close()


# Two ends of a veth pair in namespaces of their own.

VETH = r"""
set -e
ip link set lo up
unshare -n sleep 100 & child=$!
trap 'kill $child' EXIT
while [ "$(readlink /proc/$child/ns/net)" = "$(readlink /proc/self/ns/net)" ]
do :; done
ip link add v0 type veth peer name v1
ip link set v1 netns $child
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
nsenter -t $child -n ip addr add 10.9.0.9/24 dev v1
nsenter -t $child -n ip link set v1 up
nsenter -t $child -n ip route add default via 10.9.0.1
phone() { nsenter -t $child -n "$@"; }
"""

FQDN = "server.fqdn.company.com"


def in_veth(namespace, script, env, timeout=60):
    """Run sh lines at the server's end; `phone COMMAND` is the other end."""
    return subprocess.run([*namespace, "sh", "-c", VETH + script],
                          capture_output=True, text=True, timeout=timeout,
                          env=env)


def try_until(command, n=50):
    """sh: run until it succeeds, so that a server may come up meanwhile."""
    return (f"i=0; until {command}; do i=$((i+1)); [ $i -lt {n} ] || exit 9; "
            "sleep 0.1; done\n")
