# SPDX-License-Identifier: Apache-2.0
"""The provisioning server killed at random while phones sign in, and with ten
thousand connections that say nothing."""
import contextlib
import hashlib
import http.client
import os
import random
import resource
import socket
import sqlite3
import threading
import time
import uuid

import pytest

import servers
from boot_lab import NUMBER, PIN, SIP, serve  # noqa: F401
from test_boot_soap import Client, csr, issued  # noqa: F401

KILLS = 50
PHONES = 4
OTHER = "sip:eve@corp.example"
OTHER_NUMBER = "+15550199"
GONE = (OSError, http.client.HTTPException)


class Mortal:
    """A server that is killed and comes back on the same port."""

    def __init__(self, chainmend, pki, directory):
        self.chainmend, self.pki = chainmend, pki
        self.state = directory / "server"
        self.https = servers.free_port()
        self.log = open(directory / "log", "ab")
        chain = pki.file("chain.pem", pki.leaf, pki.intermediate)
        self.args = ("serve", "--state", self.state, "--host", "localhost",
                     "--address", "127.0.0.1", "--http-port",
                     servers.free_port(), "--https-port", self.https,
                     "--sip-port", servers.free_port(),
                     "--cert", chain, "--key", pki.leaf.key, "--quiet")
        for sip, number in ((SIP, NUMBER), (OTHER, OTHER_NUMBER)):
            user = ("serve", "--state", self.state, "user")
            assert chainmend(*user, "add", "--sip", sip, "--number",
                             number).status == 0
            assert chainmend(*user, "set-pin", "--sip", sip, "--secret-fd",
                             "0", stdin=PIN + "\n").status == 0
        self.start()

    def start(self):
        self.process = self.chainmend.popen(*self.args, stdout=self.log,
                                            stderr=self.log)
        servers.wait_until(lambda: servers.answers(self.https), "serve",
                           process=self.process, log=self.log.name)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def ledger(self):
        """What is on disk, read by another hand."""
        return contextlib.closing(sqlite3.connect(self.state / "server.db"))


class Phone(threading.Thread):
    """Signs in again and again.  An answer that got lost is asked for again
    under the same request id, as a phone does."""

    def __init__(self, client, request, over):
        super().__init__()
        self.client, self.request, self.over = client, request, over
        self.held, self.asked, self.trouble = [], 0, None
        self.answers = 0

    def sign_in(self, name):
        while not self.over.is_set():
            asked = self.client.server.process
            try:
                ticket = self.client.assertion()
                self.answers += 1
                answer = self.client.certificate(ticket, self.request,
                                                 request=name)
                self.answers += 1
            except GONE:
                self.over.wait(0.05)
                continue
            if (asked is not self.client.server.process and
                    is_unknown_ticket(answer)):
                continue  # of a server that is no more: another one
            self.held.append((name, issued(answer)))
            return

    def run(self):
        try:
            while not self.over.is_set():
                self.asked += 1
                self.sign_in(str(uuid.uuid4()))
        except BaseException as e:  # told by the test
            self.trouble = e


class Guesser(threading.Thread):
    """Guesses a PIN, at most so often that nothing is locked."""

    def __init__(self, client, over):
        super().__init__()
        self.client, self.over, self.sent, self.refused = client, over, 0, 0

    def run(self):
        while self.sent < 20 and not self.over.wait(0.4):
            self.sent += 1
            try:
                status, _, _ = self.client.ticket("99887766", OTHER_NUMBER)
            except GONE:
                continue
            self.refused += status == 500


def n_held(phones):
    return sum(len(phone.held) for phone in phones)


def n_answers(phones):
    return sum(phone.answers for phone in phones)


def is_unknown_ticket(answer):
    status, _, body = answer
    return status == 500 and b"FailedAuthentication" in body


def test_a_ticket_ends_with_its_server(chainmend, pki, csr,  # noqa: F811
                                       tmp_path):
    """It is in memory only: the next one refuses it, and gives another."""
    server = Mortal(chainmend, pki, tmp_path)
    try:
        client, request = Client(server), csr("rsa:2048")
        ticket = client.assertion()
        server.kill()
        server.start()
        assert is_unknown_ticket(client.certificate(ticket, request))
        assert issued(client.certificate(client.assertion(), request))
    finally:
        server.kill()


def test_killed_while_phones_sign_in(chainmend, pki, csr,  # noqa: F811
                                     tmp_path):
    server = Mortal(chainmend, pki, tmp_path)
    client, over = Client(server), threading.Event()
    phones = [Phone(client, csr("rsa:2048"), over) for _ in range(PHONES)]
    guesser = Guesser(client, over)
    rnd = random.Random(20261129)
    for thread in (*phones, guesser):
        thread.start()
    try:
        for i in range(KILLS):
            # A slow machine must get somewhere, too.
            if i % 5 == 4:
                so_far = n_held(phones)
                servers.wait_until(lambda: n_held(phones) > so_far,
                                   "a sign-in", 60)
            # The moment of the crash: so many answers later, with the other
            # phones anywhere in their work; or at once.
            until = n_answers(phones) + rnd.randrange(5)
            servers.wait_until(lambda: n_answers(phones) >= until, "answers",
                               60)
            server.kill()
            server.start()
        servers.wait_until(lambda: guesser.refused, "a refusal", 60)
    finally:
        over.set()
        for thread in (*phones, guesser):
            thread.join(60)
        server.kill()
    assert not any(thread.is_alive() for thread in (*phones, guesser))
    for phone in phones:
        assert phone.trouble is None, phone.trouble
    held = [h for phone in phones for h in phone.held]
    assert len(held) >= 10, len(held)
    with server.ledger() as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = db.execute("SELECT request, sha256, der FROM issued").fetchall()
        by_request = {request: der for request, _, der in rows}
        assert len(by_request) == len(rows), "one request, two certificates"
        for request, digest, der in rows:
            assert hashlib.sha256(der).digest() == digest
        for request, der in held:
            assert by_request[request] == der
        # Nothing is on record that nobody asked for.
        assert len(rows) <= sum(phone.asked for phone in phones)
        failures, until = db.execute(
            "SELECT global, until_s FROM user WHERE sip=?",
            (OTHER,)).fetchone()
    assert guesser.refused <= failures <= guesser.sent
    assert guesser.refused >= 1 and until == 0


def test_a_lock_outlives_a_crash(chainmend, pki, tmp_path):
    server = Mortal(chainmend, pki, tmp_path)
    client = Client(server)
    try:
        for i in range(25):
            if i in (7, 19):
                server.kill()
                server.start()
            assert client.ticket("99887766")[0] == 500
        server.kill()
        server.start()
        status, headers, _ = client.ticket()
        assert status == 500 and "locked" in headers["X-Ms-diagnostics"]
        assert client.ticket(name=OTHER_NUMBER)[0] == 200
    finally:
        server.kill()


@pytest.mark.parametrize("port", ["https", "sip", "http"])
def test_ten_thousand_idle_connections(serve, port):  # noqa: F811
    wanted = 10000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted + 1000:
        pytest.skip(f"at most {hard} open files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # The phone needs all three ports: its chain comes from port 80.
    server = serve()
    beginning = {"https": b"\x16\x03\x01\x02", "sip": b"\x16\x03\x01\x02",
                 "http": b"GET /CertProv/ch"}[port]
    idle = []
    try:
        for i in range(wanted):
            s = socket.create_connection(
                ("127.0.0.1", getattr(server, port)), 30)
            if i % 2:
                s.sendall(beginning)
            idle.append(s)
        began = time.monotonic()
        run = server.phone("--wait", "30")
        took = time.monotonic() - began
        assert run.status == 0, run
        assert run.lines[0]["issuer_from"] == "port80"
        assert took < 20
        # They were there all the while: none was thrown out for room.
        fds = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        assert fds > wanted / 2, fds
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_connections_than_descriptors(chainmend, pki, tmp_path):
    """The server runs out of descriptors, does not spin, and goes on when
    there are some again."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    server = Mortal(chainmend, pki, tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    # It raised its own soft limit; take both down from outside.
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (200, 200))
    client = Client(server)
    idle = []
    try:
        for _ in range(400):
            idle.append(socket.create_connection(
                ("127.0.0.1", server.https), 30))

        def used():
            words = open(f"/proc/{server.process.pid}/stat").read().split(
                ")")[1].split()
            return int(words[11]) + int(words[12])

        fds = f"/proc/{server.process.pid}/fd"
        servers.wait_until(lambda: len(os.listdir(fds)) >= 199, "no files left")
        # What it uses while we use a second: a loop that spins would take as
        # much as we do, on however busy a machine.
        start, began = used(), time.process_time()
        while time.process_time() < began + 1:
            hashlib.sha256(bytes(1 << 16)).digest()
        share = (used() - start) / os.sysconf("SC_CLK_TCK")
        assert share < 0.08, share
        for s in idle:
            s.close()
        idle = []
        assert client.ticket()[0] == 200
    finally:
        for s in idle:
            s.close()
        server.kill()
