# SPDX-License-Identifier: Apache-2.0
"""DNS that is slow, wrong or absent: each name that is looked up, a target's
or an issuer's, costs its time and no more, and the line says what was wrong."""
import subprocess
import sys
import time

import pytest

# A name server on port 53 of the session's own network.  ask[2:4] are the
# flags of the question (RFC 1035 section 4.1.1); 0x8180 answers it.
SERVER = r"""
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("up", flush=True)
def answer(ask, flags, answers=b"", n=0):
    end = 12 + ask[12:].index(0) + 5
    return ask[:2] + flags + b"\0\1" + n.to_bytes(2, "big") + bytes(4) + \
        ask[12:end] + answers
A = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
ways = {
    "slow": lambda ask: None,
    "nobody": lambda ask: answer(ask, b"\x81\x83"),
    "fails": lambda ask: answer(ask, b"\x81\x82"),
    "empty": lambda ask: answer(ask, b"\x81\x80"),
    "cut": lambda ask: ask[:11],
    "random": lambda ask: ask[:2] + bytes(range(256)),
    "loop": lambda ask: answer(ask, b"\x81\x80", b"\xc0\x0c\0\5\0\1\0\0\0\x3c"
                               b"\0\2\xc0\x0c", 1),
    "other-id": lambda ask: answer(b"\0\0" + ask[2:], b"\x81\x80",
                                   A + b"\x7f\0\0\1", 1),
    "wrong": lambda ask: answer(ask, b"\x81\x80", A + b"\x7f\0\0\x63", 1),
}
while True:
    ask, peer = s.recvfrom(4096)
    said = ways[sys.argv[1]](ask)
    if said:
        s.sendto(said, peer)
"""
SESSION = r"""
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
if [ "$2" != absent ]; then
	: > "$1/dns.out"
	"$3" "$1/dns.py" "$2" > "$1/dns.out" &
	trap "kill $!" EXIT
	until grep -q up "$1/dns.out"; do kill -0 $! || exit 99; sleep 0.02; done
fi
shift 3
"$@"
"""
WAYS = ["slow", "nobody", "fails", "empty", "cut", "random", "loop",
        "other-id", "absent"]


@pytest.fixture
def asking(chainmend, namespace, tmp_path):
    """asking(way, words...) -> a run with such a name server, and seconds."""
    (tmp_path / "dns.py").write_text(SERVER)
    (tmp_path / "resolv.conf").write_text(
        "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    script = tmp_path / "session"
    script.write_text(SESSION)
    mounts = [*namespace, "unshare", "--mount", "--", "bash", script,
              tmp_path]

    def go(way, *words):
        began = time.monotonic()
        run = chainmend(*words, prefix=[*mounts, way, sys.executable])
        return run, time.monotonic() - began

    tried = subprocess.run([*map(str, mounts), "absent", "-", "true"],
                           stderr=subprocess.PIPE, text=True)
    if tried.returncode:
        pytest.skip("no mount namespace here: " + tried.stderr.strip())
    return go


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("way", WAYS)
def test_a_targets_name(asking, tmp_path, way, many):
    (tmp_path / "targets").write_text("www.corp.test\n")
    words = ["-f", tmp_path / "targets"] if many else ["www.corp.test"]
    run, took = asking(way, "check", *words, "--timeout", "3", "--offline",
                       "--json")
    assert run.status == 3 and took < 15, (run, took)
    line, = run.of_kind("endpoint")
    assert "resolve" in line["trouble"], run
    # Of many, each trouble is with its result.
    assert len(run.err.splitlines()) == (not many), run


def test_a_targets_wrong_address(asking):
    run, _ = asking("wrong", "check", "www.corp.test", "--timeout", "3",
                    "--offline", "--json")
    line, = run.of_kind("endpoint")
    assert run.status == 3 and "refused" in line["trouble"], run


@pytest.mark.parametrize("way", WAYS)
def test_an_issuers_name(asking, pki, way):
    """Where the issuer cannot be found the verdict is had all the same."""
    leaf = pki.intermediate.issue("web.example",
                                  aia="http://ca.corp.test/ca.cer")
    run, took = asking(way, "check", leaf.pem, "--roots", pki.anchor.pem,
                       "--json")
    assert run.status == 1 and took < 30, (run, took)
    line, = run.of_kind("endpoint")
    assert line["verdict"] == "missing-intermediate", run
    assert "aia-dead" in [f["id"] for f in line["findings"]], run
