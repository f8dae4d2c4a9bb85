# SPDX-License-Identifier: Apache-2.0
"""`serve user`, the PIN's policy and locks as a running server keeps them, the
life of certificates, and a PIN asked for on a terminal."""
import contextlib
import datetime
import hashlib
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import time

import pytest

import servers
from boot_lab import NUMBER, PIN, SIP, serve  # noqa: F401
from pki import openssl
from test_boot_soap import Client, csr, fault, issued  # noqa: F401

EVE = "sip:eve@corp.example"


@pytest.fixture
def user(chainmend, tmp_path):
    def run(verb, *more, pin=None):
        words = ["serve", "--state", tmp_path / "server", "user", verb, *more]
        if pin is not None:
            words += ["--secret-fd", "0"]
        return chainmend(*words, stdin=(pin or "") + "\n")
    return run


def listed(user):
    """{address: the rest of its line}"""
    run = user("list")
    assert run.status == 0, run
    return dict(re.split(r"\s+", line, maxsplit=1)
                for line in run.out.splitlines())


def test_every_verb(user):
    assert listed(user) == {}
    assert user("add", "--sip", SIP, "--number", NUMBER, "--extension", "100",
                "--login", "ada").status == 0
    assert user("add", "--sip", EVE).status == 0
    lines = listed(user)
    assert set(lines) == {SIP, EVE}
    assert NUMBER in lines[SIP] and "100" in lines[SIP]
    # Nobody has a PIN until one is set.
    assert "PIN" not in lines[SIP] and "0 failures" in lines[SIP]
    assert user("set-pin", "--sip", SIP, pin=PIN).status == 0
    assert user("set-password", "--sip", SIP, pin="a long one").status == 0
    assert "PIN password" in listed(user)[SIP]
    assert user("lock", "--sip", SIP).status == 0
    assert "LOCKED" in listed(user)[SIP] and "LOCKED" not in listed(user)[EVE]
    assert user("unlock", "--sip", SIP).status == 0
    assert "LOCKED" not in listed(user)[SIP]
    assert user("remove", "--sip", EVE).status == 0
    assert set(listed(user)) == {SIP}


def test_the_ledger_is_read_by_nobody_else(user, tmp_path):
    assert user("add", "--sip", SIP).status == 0
    assert (tmp_path / "server" / "server.db").stat().st_mode & 0o777 == 0o600


def test_root_leaves_it_to_whom_the_directory_belongs(user, tmp_path):
    """A service of its own user, which starts after its users are added."""
    if os.geteuid() != 0:
        pytest.skip("only root makes files for others")
    state = tmp_path / "server"
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    assert user("add", "--sip", SIP).status == 0
    for name in state.iterdir():
        assert name.stat().st_uid == 65534, name
    # What was there before stays whose it was.
    os.chown(state / "server.db", 0, 0)
    assert user("add", "--sip", EVE).status == 0
    assert (state / "server.db").stat().st_uid == 0


@pytest.mark.parametrize("verb", ["set-pin", "set-password", "lock", "unlock",
                                  "remove"])
def test_verbs_about_nobody(user, verb):
    run = user(verb, "--sip", EVE,
               pin=PIN if verb.startswith("set") else None)
    assert run.status == 3 and EVE in run.err, run
    assert user(verb).status == 2  # of whom?


def test_verbs_that_are_none(user):
    for words in (["frob"], ["add"], ["add", "--sip", "ada@corp.example"],
                  ["add", "--sip", "sip:ada"]):
        run = user(*words)
        assert run.status in (2, 3) and run.err, words
    assert user("add", "--sip", SIP).status == 0
    # One user an address, whatever its case.
    assert user("add", "--sip", SIP.upper().replace("SIP:", "sip:")
                ).status == 3
    assert len(listed(user)) == 1


@pytest.mark.parametrize("pin, more, taken", [
    ("4096", [], False), ("40961", [], True),
    ("4096", ["--min-pin", "4"], True), ("409", ["--min-pin", "4"], False),
    ("409618", ["--min-pin", "7"], False),
    ("409618530475039184756291", [], True),
    ("4096185304750391847562910", [], False),
    ("77777", [], False), ("91234", [], False), ("98765", [], False),
    ("15550100", [], False), ("70923", [], False), ("4096a", [], False),
    ("77777", ["--common-pins"], True),
    ("15550100", ["--common-pins"], True),
])
def test_the_policy_for_pins(user, pin, more, taken):
    user("add", "--sip", SIP, "--number", NUMBER, "--extension", "70923")
    run = user("set-pin", "--sip", SIP, *more, pin=pin)
    assert (run.status == 0) == taken, run
    assert pin not in run.out + run.err
    assert ("PIN " in listed(user)[SIP]) == taken


def test_min_pin_has_bounds(user):
    user("add", "--sip", SIP)
    for n in ("3", "25"):
        assert user("set-pin", "--sip", SIP, "--min-pin", n,
                    pin=PIN).status in (2, 3)
    assert "PIN " not in listed(user)[SIP]


def policy(user, *more):
    """What is printed of it, by name."""
    run = user("policy", *more)
    assert run.status == 0, run
    return dict(line.split() for line in run.out.splitlines())


DEFAULTS = {"min-pin": "5", "max-attempts": "auto", "pin-days": "never",
            "pin-history": "0", "common-pins": "no"}


def test_a_policy_for_all(user):
    assert policy(user) == DEFAULTS
    set_now = dict(DEFAULTS, **{"pin-days": "90", "pin-history": "3"})
    assert policy(user, "--pin-days", "90", "--pin-history", "3") == set_now
    # What is not named stays, and all of it is on record.
    set_now.update({"min-pin": "4", "max-attempts": "999",
                    "common-pins": "yes"})
    assert policy(user, "--min-pin", "4", "--max-attempts", "999",
                  "--common-pins") == set_now
    assert policy(user) == set_now
    # It holds for whoever gets a PIN ...
    user("add", "--sip", SIP)
    assert user("set-pin", "--sip", SIP, pin="1234").status == 0
    assert re.search(r"PIN ends 20\d\d-\d\d-\d\dT", listed(user)[SIP])
    # ... but for once another length is taken.
    assert user("set-pin", "--sip", SIP, "--min-pin", "6",
                pin="40961").status == 3
    assert policy(user, "--min-pin", "5", "--max-attempts", "auto",
                  "--pin-days", "never", "--pin-history", "0",
                  "--no-common-pins") == DEFAULTS
    assert user("set-pin", "--sip", SIP, pin="1234").status == 3
    assert "ends" not in listed(user)[SIP]


@pytest.mark.parametrize("words", [
    ["--pin-days", "30"],  # the same PIN could be set again
    ["--pin-days", "1000", "--pin-history", "1"], ["--pin-days", "0"],
    ["--pin-history", "21"], ["--pin-history", "-1"],
    ["--max-attempts", "0"], ["--max-attempts", "1000"],
    ["--max-attempts", "many"], ["--min-pin", "3"], ["--min-pin", "25"],
    ["--common-pins", "--no-common-pins"], ["--sip", SIP]])
def test_policies_that_cannot_be(user, words):
    run = user("policy", *words)
    assert run.status in (2, 3) and run.err and not run.out
    assert policy(user) == DEFAULTS
    # They are no options of other verbs either.
    assert user("list", "--pin-days", "30").status == 2


def test_pins_that_do_not_come_back(user, tmp_path):
    user("add", "--sip", SIP)
    policy(user, "--pin-history", "2")
    assert user("set-pin", "--sip", SIP, pin="40961").status == 0
    assert user("set-pin", "--sip", SIP, pin="83026").status == 0
    for old in "40961", "83026":
        run = user("set-pin", "--sip", SIP, pin=old)
        assert run.status == 3 and old not in run.err and "latest 2" in run.err
    assert user("set-pin", "--sip", SIP, pin="59174").status == 0
    assert user("set-pin", "--sip", SIP, pin="40961").status == 0
    # No more is kept than is asked for, and nothing of it in clear.
    kept = b"".join(f.read_bytes()
                    for f in (tmp_path / "server").rglob("*") if f.is_file())
    assert not any(pin in kept for pin in (b"40961", b"83026", b"59174"))
    with contextlib.closing(sqlite3.connect(
            tmp_path / "server" / "server.db")) as db:
        rows = db.execute("SELECT hash, salt FROM pin_set").fetchall()
    assert len(rows) == 2
    assert [pin for h, salt in rows for pin in ("40961", "83026", "59174")
            if hashlib.scrypt(pin.encode(), salt=salt, n=1 << 14, r=8, p=1,
                              maxmem=1 << 26, dklen=32) == h] == \
        ["59174", "40961"]


def test_a_record_from_before_pins_had_an_age(user, tmp_path):
    """Its PINs are good, and their life begins now."""
    user("add", "--sip", SIP)
    assert user("set-pin", "--sip", SIP, pin=PIN).status == 0
    with contextlib.closing(sqlite3.connect(
            tmp_path / "server" / "server.db")) as db:
        db.executescript("DROP TABLE pin_set; DROP TABLE pin_policy;"
                         "PRAGMA user_version=0")
    policy(user, "--pin-days", "1", "--pin-history", "1")
    end = re.search(r"PIN ends (\S+)", listed(user)[SIP])
    left = datetime.datetime.fromisoformat(
        end.group(1).replace("Z", "+00:00")) - datetime.datetime.now(
            datetime.timezone.utc)
    assert abs(left - datetime.timedelta(days=1)) < datetime.timedelta(
        minutes=1)
    assert user("set-pin", "--sip", SIP, pin=PIN).status == 3


def test_what_is_on_disk_is_no_secret(user, tmp_path):
    user("add", "--sip", SIP, "--login", "ada")
    user("set-pin", "--sip", SIP, pin=PIN)
    user("set-password", "--sip", SIP, pin="a long password")
    kept = b"".join(f.read_bytes()
                    for f in (tmp_path / "server").rglob("*") if f.is_file())
    assert PIN.encode() not in kept and b"a long password" not in kept
    with contextlib.closing(sqlite3.connect(
            tmp_path / "server" / "server.db")) as db:
        pin_hash, pin_salt, pw_salt = db.execute(
            "SELECT pin_hash, pin_salt, pw_salt FROM user").fetchone()
    # scrypt by another hand: RFC 7914 with N = 2^14, r = 8, p = 1.
    assert pin_hash == hashlib.scrypt(PIN.encode(), salt=pin_salt, n=1 << 14,
                                      r=8, p=1, maxmem=1 << 26, dklen=32)
    assert len(pin_salt) == 16 and pin_salt != pw_salt


# Locks, as a running server keeps them: set from outside, seen at once.

@pytest.fixture
def running(serve, pki, user):  # noqa: F811
    return Client(serve(chain=[pki.leaf, pki.intermediate]))


def locked(answer):
    _, reason, pin, header = fault(answer)
    assert (pin == "UserPinAccountLocked") == ("locked" in header)
    return pin == "UserPinAccountLocked"


def change(tmp_path, what):
    with contextlib.closing(sqlite3.connect(
            tmp_path / "server" / "server.db", timeout=30)) as db:
        db.execute(f"UPDATE user SET {what} WHERE sip=?", (SIP,))
        db.commit()


def test_an_administrators_lock(running, user):
    assert running.ticket()[0] == 200
    assert user("lock", "--sip", SIP).status == 0
    assert locked(running.ticket())
    assert user("unlock", "--sip", SIP).status == 0
    assert running.ticket()[0] == 200


def test_four_digits_lock_after_ten(running, user, tmp_path):
    assert user("set-pin", "--sip", SIP, "--min-pin", "4",
                pin="4096").status == 0
    for _ in range(10):
        assert not locked(running.ticket("9731"))
    assert locked(running.ticket("4096"))  # though it is right
    # An hour later it is forgotten, and counts from the beginning.
    change(tmp_path, "until_s = until_s - 3600")
    assert running.ticket("4096")[0] == 200
    for _ in range(9):
        assert not locked(running.ticket("9731"))
    assert running.ticket("4096")[0] == 200


def test_a_pin_that_ended(running, user, tmp_path):
    """Set while the server runs, and seen at once; a phone's test names it."""
    assert running.ticket()[0] == 200
    policy(user, "--pin-days", "30", "--pin-history", "1")
    assert running.ticket()[0] == 200
    with contextlib.closing(sqlite3.connect(
            tmp_path / "server" / "server.db", timeout=30)) as db:
        db.execute("UPDATE pin_set SET at_s = at_s - 30 * 86400")
        db.commit()
    _, reason, why, header = fault(running.ticket())
    assert why == "PinExpired" and "too old" in reason and reason in header
    # Whoever does not know the PIN is not told.
    assert fault(running.ticket("83026"))[2] == "IncorrectPin"
    assert "PIN ended" in listed(user)[SIP]
    server = running.server
    run = server.chainmend(
        "phone", "test", "--server", "localhost", "--connect", "127.0.0.1",
        "--http-port", server.http, "--https-port", server.https,
        "--sip-port", server.sip, "--anchors", server.pki.anchor.pem,
        "--number", NUMBER, "--pin-fd", "0", "--json", stdin=PIN + "\n")
    failed, = [line for line in run.lines if line.get("result") == "failed"]
    assert failed["test"] == "ticket" and "PinExpired" in str(failed), run
    assert user("set-pin", "--sip", SIP, pin="83026").status == 0
    assert running.ticket("83026")[0] == 200


def test_a_limit_that_was_set(running, user):
    policy(user, "--max-attempts", "3")
    for _ in range(3):
        assert not locked(running.ticket("83026"))
    assert locked(running.ticket())
    policy(user, "--max-attempts", "auto")
    assert locked(running.ticket())  # what is locked stays so
    user("unlock", "--sip", SIP)
    for _ in range(4):
        assert not locked(running.ticket("83026"))
    assert running.ticket()[0] == 200


def test_a_window_of_half_an_hour(running, user, tmp_path):
    user("set-pin", "--sip", SIP, "--min-pin", "4", pin="4096")
    for _ in range(9):
        assert not locked(running.ticket("9731"))
    change(tmp_path, "window_s = window_s - 1800")
    for _ in range(9):
        assert not locked(running.ticket("9731"))
    assert running.ticket("4096")[0] == 200


@pytest.mark.parametrize("pin, limit", [
    ("4096", 100), ("40961", 1000), ("409618", 5000), ("4096185", 5000)])
def test_failures_for_ever(running, user, tmp_path, pin, limit):
    assert user("set-pin", "--sip", SIP, "--min-pin", "4",
                pin=pin).status == 0
    change(tmp_path, f"global = {limit - 2}")
    wrong = "9" * (len(pin) - 1) + "7"
    assert not locked(running.ticket(wrong))
    assert running.ticket(pin)[0] == 200  # success does not reset it
    assert not locked(running.ticket(wrong))
    assert locked(running.ticket(pin))
    change(tmp_path, "until_s = 0, window_s = 0")  # no hour helps
    assert locked(running.ticket(pin))
    assert user("unlock", "--sip", SIP).status == 0
    assert running.ticket(pin)[0] == 200


# The life of certificates.

@pytest.mark.parametrize("hours, life", [(None, 4320), ("8", 8),
                                         ("8760", 8760)])
def test_how_long_certificates_live(serve, pki, csr, hours, life,  # noqa: F811
                                    tmp_path):
    more = ["--hours", hours] if hours else []
    client = Client(serve([pki.leaf, pki.intermediate], None, *more))
    before = datetime.datetime.now(datetime.timezone.utc)
    (tmp_path / "c.der").write_bytes(
        issued(client.certificate(client.assertion(), csr())))
    end = openssl("x509", "-in", tmp_path / "c.der", "-inform", "DER",
                  "-noout", "-enddate").decode().strip().split("=")[1]
    lives = datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y GMT").replace(
        tzinfo=datetime.timezone.utc) - before
    assert abs(lives - datetime.timedelta(hours=life)) < \
        datetime.timedelta(minutes=1)


@pytest.mark.parametrize("hours", ["7", "8761", "0x8", "-8"])
def test_lives_that_are_not_given(chainmend, pki, tmp_path, hours):
    run = chainmend("serve", "--state", tmp_path / "s", "--host", "localhost",
                    "--cert", pki.leaf.pem, "--key", pki.leaf.key,
                    "--hours", hours)
    assert run.status == 2, run


# A PIN from a terminal: nothing of it is shown.

def test_a_pin_is_asked_for_and_not_shown(serve):  # noqa: F811
    server = serve()
    child, terminal = pty.fork()
    if child == 0:
        os.execve(server.chainmend.path, [
            server.chainmend.path, "phone", "pin", "--server", "localhost",
            "--connect", "127.0.0.1", "--http-port", str(server.http),
            "--https-port", str(server.https), "--sip-port", str(server.sip),
            "--state", str(server.dir / "phone"), "--anchors",
            str(server.pki.anchor.pem), "--number", NUMBER],
            server.chainmend.env)
    shown = b""
    asked = False
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break  # the other end is closed
            if not piece:
                break
            shown += piece
            if b"PIN: " in shown and not asked:
                asked = True
                os.write(terminal, PIN.encode() + b"\n")
    finally:
        if time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    assert asked and os.waitstatus_to_exitcode(status) == 0, shown
    assert b"signed in as " + SIP.encode() in shown
    assert PIN.encode() not in shown
    # It is no part of the command line either.
    assert server.chainmend("phone", "pin", "--server", "x", "--number", "1",
                            "--pin", PIN).status == 2


@pytest.mark.parametrize("name, status, word", [
    ("none", 0, "OK"), ("missing-intermediate", 1, "WARNING"),
    ("expired", 2, "CRITICAL")])
def test_for_a_monitoring_system(chainmend, user, tmp_path, name, status,
                                 word):
    user("add", "--sip", SIP, "--number", NUMBER)
    user("set-pin", "--sip", SIP, pin=PIN)
    http, https, sip = (servers.free_port() for _ in range(3))
    ports = ["--http-port", http, "--https-port", https, "--sip-port", sip]
    server = chainmend.popen(
        "serve", "--state", tmp_path / "server", "--lab", "--break", name,
        "--host", "web.corp.example", "--address", "127.0.0.1", *ports,
        "--quiet", stdout=subprocess.DEVNULL)
    try:
        servers.wait_until(lambda: servers.answers(https), "serve",
                           process=server)
        run = chainmend(
            "phone", "test", "--server", "web.corp.example", "--connect",
            "127.0.0.1", *ports, "--number", NUMBER, "--anchors",
            tmp_path / "server" / "lab-root.pem", "--pin-fd", "0", "--nagios",
            stdin=PIN + "\n")
    finally:
        server.terminate()
        server.wait(10)
    line, = run.out.splitlines()
    assert run.status == status and line.startswith(f"PHONE {word} - "), run
    said, numbers = line.split("|")
    values = dict(re.findall(r"'([a-z0-9 ]+)'=(\d+\.\d{3})s", numbers))
    assert {"port 80", "chain"} <= set(values)
    assert PIN not in run.out + run.err
