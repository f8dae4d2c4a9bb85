# SPDX-License-Identifier: Apache-2.0
"""check -f: many targets in one loop, streamed, resumed."""
import json
import signal
import socket
import threading

import pytest


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


@pytest.mark.parametrize("args", [
    ("-f", "/no/such/file"), ("-f", "x", "y"), (), ("-f", "x", "-j", "20000"),
    ("-f", "x", "--starttls", "smtp")])
def test_refusals(chainmend, args):
    run = chainmend("check", *args)
    assert run.status in (2, 3) and len(run.err.splitlines()) == 1, run
