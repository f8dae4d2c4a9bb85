# SPDX-License-Identifier: Apache-2.0
"""check and show against real servers: every set-up gets its own verdict."""
import datetime
import socket
import subprocess
import time

import pytest

import servers
from pki import LOCAL, days_from_now


def endpoint(run):
    lines = run.of_kind("endpoint")
    assert len(lines) == 1, run
    return lines[0]


def ids(line, severity=None):
    return [f["id"] for f in line["findings"]
            if severity is None or f["severity"] == severity]


def chain_of(pki, *names):
    return pki.file("-".join(names) + ".pem", *(getattr(pki, n) for n in names))


# set-up, certificates sent, verdict, ids that must be there, exit status
SETUPS = [
    ("good", ["leaf", "intermediate"], None, [], 0),
    ("leaf-only", ["leaf"], "missing-intermediate", [], 1),
    ("root-sent", ["leaf", "intermediate", "anchor"], None, ["root-sent"], 0),
    ("stranger", ["leaf", "intermediate", "stranger"], None,
     ["unrelated-certificate"], 0),
    ("stranger-between", ["leaf", "stranger", "intermediate"], None,
     ["unrelated-certificate"], 0),
    ("duplicate", ["leaf", "intermediate", "intermediate"], None,
     ["unneeded-certificate"], 0),
    ("straight-from-root", ["leaf_direct"], None, [], 0),
    ("expired-leaf", ["expired", "intermediate"], "expired-leaf", [], 1),
    ("not-yet", ["not_yet", "intermediate"], "not-yet-valid", [], 1),
    ("self-signed", ["self_signed"], "self-signed-leaf", [], 1),
    ("unknown-ca", ["stranger_leaf", "stranger"], "untrusted-root", [], 1),
]


@pytest.mark.parametrize("setup", SETUPS, ids=lambda s: s[0])
def test_each_setup_has_its_verdict(chainmend, pki, nginx, setup):
    _, names, verdict, wanted, status = setup
    server = nginx(chain_of(pki, *names), getattr(pki, names[0]).key)
    run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                    "--offline", "--json", "--pool", pki.intermediate.pem)
    line = endpoint(run)
    assert line["verdict"] == verdict, run
    for name in wanted:
        assert name in ids(line), run
    assert run.status == status, run
    assert [c["sha256"] for c in line["sent"]] == [
        getattr(pki, n).sha256 for n in names]


def test_name_mismatch(chainmend, pki, nginx):
    chain = chain_of(pki, "wrong_name", "intermediate")
    server = nginx(chain, pki.wrong_name.key)
    run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                    "--json", "--offline")
    assert endpoint(run)["verdict"] == "name-mismatch"
    assert run.status == 1


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_both_versions_of_tls(chainmend, pki, s_server, version):
    server = s_server(pki.leaf.pem, pki.leaf.key, args=[version])
    run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                    "--json", "--offline")
    assert endpoint(run)["verdict"] == "missing-intermediate"


def test_the_path_says_where_each_came_from(chainmend, pki, nginx, web):
    url = web.put("/i.cer", pki.intermediate.der)
    leaf = pki.intermediate.issue("web.example", sans=LOCAL, aia=url)
    server = nginx(leaf.pem, leaf.key)
    run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                    "--json")
    line = endpoint(run)
    assert line["verdict"] == "missing-intermediate"
    assert [(c["sha256"], c["from"]) for c in line["path"]] == [
        (leaf.sha256, "sent"), (pki.intermediate.sha256, "aia"),
        (pki.anchor.sha256, "anchor")]
    assert web.paths() == ["/i.cer"]
    # The second run has it from the cache: nothing is fetched again.
    run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                    "--json")
    assert [c["from"] for c in endpoint(run)["path"]] == [
        "sent", "cache", "anchor"]
    assert web.paths() == ["/i.cer"]


def test_the_cache_holds_no_trust(chainmend, pki, nginx, web):
    """An attacker's AIA answers with his own root: still refused."""
    rogue = pki.root("Rogue Root")
    evil = rogue.issue_ca("Evil CA", aia=web.put("/root.cer", rogue.der))
    leaf = evil.issue("web.example", sans=LOCAL,
                      aia=web.put("/evil.cer", evil.der))
    server = nginx(leaf.pem, leaf.key)
    for _ in range(2):
        run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                        "--json")
        assert endpoint(run)["verdict"] in ("untrusted-root",
                                            "untrusted-root-downloaded"), run
        assert run.status == 1


def test_text_names_what_is_missing(chainmend, pki, nginx):
    server = nginx(pki.leaf.pem, pki.leaf.key)
    run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                    "--offline", "--pool", pki.intermediate.pem)
    assert run.status == 1
    assert "missing-intermediate" in run.out
    assert "Test Intermediate" in run.out
    assert server.address in run.out
    assert run.err == ""


def test_files_and_keys(chainmend, pki):
    chain = chain_of(pki, "leaf", "intermediate")
    roots = ("--roots", pki.anchor.pem, "--json", "--offline")
    run = chainmend("check", chain, "--key", pki.leaf.key, *roots)
    assert (run.status, endpoint(run)["verdict"]) == (0, None), run
    run = chainmend("check", chain, "--key", pki.expired.key, *roots)
    assert run.status == 1, run
    assert "key-mismatch" in ids(endpoint(run), "error")
    assert endpoint(run)["verdict"] == "key-mismatch"
    run = chainmend("check", pki.leaf.pem, *roots)
    assert endpoint(run)["verdict"] == "missing-intermediate"
    # Judged at a time when it was not there yet, and when it is over.
    run = chainmend("check", chain, *roots, "--at", "1999-01-01")
    assert endpoint(run)["verdict"] == "not-yet-valid"
    late = days_from_now(400).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = chainmend("check", chain, *roots, "--at", late)
    assert endpoint(run)["verdict"] == "expired-leaf"


def test_file_for_a_host(chainmend, pki):
    chain = chain_of(pki, "leaf", "intermediate")
    roots = ("--roots", pki.anchor.pem, "--json", "--offline")
    run = chainmend("check", chain, *roots, "--host", "web.example")
    assert run.status == 0, run
    run = chainmend("check", chain, *roots, "--host", "evil.example")
    assert endpoint(run)["verdict"] == "name-mismatch"


def reset(s):
    s.recv(1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()


def http(s):
    s.recv(4096)
    s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    s.close()


FAULTS = [
    ("resets", reset, "reset"),
    # Unread bytes would turn the close into a reset.
    ("closes", lambda s: (s.recv(65536), s.close()),
     "closed the connection"),
    ("silent", lambda s: None, "silent"),
    ("http", http, "speaks HTTP"),
    ("ssh", lambda s: s.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "speaks SSH"),
    ("smtp", lambda s: s.sendall(b"220 mx ESMTP\r\n"), "--starttls smtp"),
    ("garbage", lambda s: s.sendall(b"\x1b[31mhello\0"), "speaks no TLS"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f[0])
def test_each_fault_is_one_clear_line(chainmend, fault):
    _, behave, says = fault
    server = servers.Listener(behave)
    start = time.monotonic()
    run = chainmend("check", server.address, "--timeout", "1", "--json")
    server.stop()
    assert time.monotonic() - start < 5
    assert run.status == 3, run
    assert len(run.err.splitlines()) == 1, run
    assert says in run.err and server.address in run.err, run
    assert "\x1b" not in run.err
    assert endpoint(run)["findings"] == []


def test_endless_handshake(chainmend):
    def endless(s):
        s.recv(4096)
        while True:
            s.sendall(b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" * 4096)
    server = servers.Listener(endless)
    run = chainmend("check", server.address, "--timeout", "3", "--json")
    server.stop()
    assert run.status in (1, 3), run


@pytest.mark.parametrize("cut", range(0, 1200, 97))
def test_reset_at_many_bytes_of_the_answer(chainmend, pki, s_server, cut):
    """A relay that passes `cut` bytes of the server's answer, then resets."""
    server = s_server(pki.leaf.pem, pki.leaf.key, args=["-tls1_2"])

    def relay(s):
        up = socket.create_connection(("127.0.0.1", server.port))
        up.sendall(s.recv(65536))
        up.settimeout(1)  # then that was all of the server's turn
        got = b""
        try:
            while len(got) < cut and (more := up.recv(cut - len(got))):
                got += more
        except TimeoutError:
            pass
        s.sendall(got)
        up.close()
        reset_now(s)
    bad = servers.Listener(relay)
    run = chainmend("check", bad.address, "--timeout", "3", "--json",
                    "--offline", "--roots", pki.anchor.pem)
    bad.stop()
    assert run.status in (1, 3), run
    endpoint(run)


def reset_now(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()


def test_refused_and_unresolvable(chainmend, free_port):
    run = chainmend("check", f"127.0.0.1:{free_port()}", "--json")
    assert run.status == 3 and "refused" in run.err, run
    run = chainmend("check", "no-such-host.invalid", "--json", "--timeout",
                    "5")
    assert run.status == 3 and "does not resolve" in run.err, run


@pytest.mark.parametrize("word", ["a b", "$(id)", "host:99999", "[::1",
                                  "x\x1b[31m", "http://web.example"])
def test_words_that_are_no_target(chainmend, word):
    run = chainmend("check", word)
    assert run.status in (2, 3), run
    assert len(run.err.splitlines()) == 1 and "\x1b" not in run.err


def test_other_targets_go_on(chainmend, pki, nginx, free_port):
    server = nginx(chain_of(pki, "leaf", "intermediate"), pki.leaf.key)
    run = chainmend("check", f"127.0.0.1:{free_port()}", server.address,
                    "--roots", pki.anchor.pem, "--json", "--offline")
    assert run.status == 3
    assert [bool(e["findings"] or e.get("path")) for e in
            run.of_kind("endpoint")] == [False, True], run


def test_show_draws_what_is_missing(chainmend, pki, nginx):
    server = nginx(pki.leaf.pem, pki.leaf.key)
    run = chainmend("show", server.address, "--roots", pki.anchor.pem,
                    "--offline")
    assert run.status == 1, run
    assert "MISSING" in run.out and "Test Intermediate" in run.out
    run = chainmend("show", server.address, "--roots", pki.anchor.pem,
                    "--offline", "--pool", pki.intermediate.pem)
    assert "NOT SENT, known from: file" in run.out, run
    assert run.out.index("Test Root") < run.out.index("Test Intermediate") < \
        run.out.index("web.example")


def test_when_it_ends(chainmend, pki):
    """The intermediate ends before the leaf: that is the day to know."""
    end = days_from_now(20)
    short = pki.anchor.issue_ca("Short CA", not_after=end)
    leaf = short.issue("web.example", sans=LOCAL)
    chain = pki.file("short.pem", leaf, short)
    run = chainmend("check", chain, "--roots", pki.anchor.pem, "--json",
                    "--offline")
    until = endpoint(run)["until"]
    assert until.startswith(end.strftime("%Y-%m-%dT%H:%M:%S")), run
    assert "Short CA" in endpoint(run)["until_subject"]


def nagios(chainmend, *args):
    run = chainmend("check", *args, "--nagios")
    assert len(run.out.splitlines()) == 1 and run.err == "", run
    return run


def test_monitoring_plugin(chainmend, pki, nginx, free_port):
    roots = ("--roots", pki.anchor.pem, "--offline")
    good = nginx(chain_of(pki, "leaf", "intermediate"), pki.leaf.key)
    run = nagios(chainmend, good.address, *roots)
    assert run.status == 0 and run.out.startswith("CHAIN OK - "), run
    assert "|days=36" in run.out
    run = nagios(chainmend, good.address, *roots, "--warn-days", "400")
    assert run.status == 1 and run.out.startswith("CHAIN WARNING"), run
    bad = nginx(pki.leaf.pem, pki.leaf.key)
    run = nagios(chainmend, bad.address, *roots)
    assert run.status == 2 and "Test Intermediate" in run.out, run
    run = nagios(chainmend, f"127.0.0.1:{free_port()}", *roots)
    assert run.status == 3 and "refused" in run.out, run


def test_warning_before_the_end(chainmend, pki):
    chain = chain_of(pki, "leaf", "intermediate")
    args = ("check", chain, "--roots", pki.anchor.pem, "--offline", "--json")
    run = chainmend(*args, "--warn-days", "30")
    assert "expires-soon" not in ids(endpoint(run))
    run = chainmend(*args, "--warn-days", "400")
    assert "expires-soon" in ids(endpoint(run), "warning")
    assert run.status == 0
    assert chainmend(*args, "--warn-days", "400", "--strict").status == 1
