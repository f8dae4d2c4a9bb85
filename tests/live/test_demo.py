# SPDX-License-Identifier: Apache-2.0
"""The demo's seven steps, asserted; and tshark's word on every capture."""
import hashlib
import os
import re
import subprocess

import pytest

import servers

# step: (phone, way, firmware, signed in, why, issuer from, downloaded)
STEPS = {
    1: ("new", "usb", "broken", False, "missing-intermediate", None, False),
    2: ("new", "pin", "broken", True, None, "cache", True),
    3: ("same", "usb", "broken", True, None, "cache", False),
    4: ("new", "usb", "fixed", True, None, "port80", True),
    5: ("new", "usb", "broken", True, None, "sent", False),
    6: ("new", "usb", "broken", True, None, "anchor", False),
    7: ("new", "pin", "fixed", False, "chain-download-untrusted", None, True),
}
PIN = b"40961853"


def check_steps(run, out):
    steps = {line["step"]: line for line in run.of_kind("signin")}
    assert sorted(steps) == sorted(STEPS)
    for n, want in STEPS.items():
        got = steps[n]
        assert got["met"], (n, got)
        assert ("new" if got["new_phone"] else "same", got["way"],
                got["firmware"], got["signed_in"], got["why"],
                got["issuer_from"], got["downloaded"]) == want, n
    assert not steps[1]["secret_sent"] and not steps[7]["secret_sent"]
    assert steps[7]["quarantined"] >= 1
    assert sum(s["seconds"] for s in steps.values()) < 20
    part = run.of_kind("divergence")
    assert len(part) == 1
    assert part[0]["verdict"] == "missing-intermediate"
    assert "chain-download-skipped" in str(part[0])
    for path in out.glob("*.pcapng"):
        assert PIN not in path.read_bytes()
    return steps


@pytest.fixture(scope="module")
def demo(tmp_path_factory, program):
    """One run of the demo, as whoever runs the tests."""
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run([program, "demo", "--out", str(out), "--json"],
                          capture_output=True, text=True, timeout=60)
    from conftest import Run
    run = Run(["demo"], done)
    assert run.status == 0, run
    return out, run


def test_the_table(demo):
    out, run = demo
    check_steps(run, out)


def test_the_page(demo):
    out, _ = demo
    page = out / "story.html"
    if not page.exists():
        pytest.skip("no page in this build")
    html = page.read_text()
    assert "chain-download-skipped" in html and "<svg" in html
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", html)


def test_without_namespaces(chainmend, tmp_path):
    out = tmp_path / "demo"
    run = chainmend("demo", "--out", out, "--json", "--no-namespace")
    assert run.status == 0, run
    assert "no network namespace" in run.err or not run.err
    check_steps(run, out)


def test_as_an_ordinary_user(program, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    if not servers.program("setpriv"):
        pytest.skip("no setpriv on this machine")
    out = tmp_path_factory.mktemp("nobody")
    become = ["setpriv", "--reuid", "65534", "--regid", "65534",
              "--clear-groups"]
    os.chown(out, 65534, 65534)
    for path in [out, *out.parents]:
        # pytest keeps its directories to itself.
        if str(path).startswith("/tmp/") and path.stat().st_uid == 0:
            path.chmod(path.stat().st_mode | 0o011)
    if subprocess.run([*become, "test", "-x", program]).returncode:
        pytest.skip("an ordinary user cannot reach the program")
    done = subprocess.run(
        [*become, program, "demo", "--out", str(out), "--json"],
        capture_output=True, text=True, timeout=60, cwd=out)
    from conftest import Run
    run = Run(["demo"], done)
    assert run.status == 0, run
    check_steps(run, out)


def test_twice_in_a_row(chainmend, tmp_path):
    for _ in range(2):
        run = chainmend("demo", "--out", tmp_path / "demo", "--quiet")
        assert run.status == 0, run
    assert not list((tmp_path / "demo").glob("phone-*"))


def tshark(capture, display, *fields):
    """One list of field values a matching frame."""
    command = ["tshark", "-r", str(capture), "-Y", display, "-T", "fields",
               "-E", "occurrence=a", "-E", "aggregator=,"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def by_tshark(capture):
    hellos = tshark(capture, "tls.handshake.type == 1", "frame.number")
    digests = []
    for (certs,) in tshark(capture, "tls.handshake.certificate",
                           "tls.handshake.certificate"):
        digests += [hashlib.sha256(bytes.fromhex(c.replace(":", "")))
                    .hexdigest() for c in certs.split(",")]
    alerts = [(int(f), int(level), int(code)) for f, level, code in tshark(
        capture, "tls.alert_message.desc", "frame.number",
        "tls.alert_message.level", "tls.alert_message.desc")]
    return [int(f) for (f,) in hellos], digests, alerts


@pytest.mark.parametrize("step", sorted(STEPS))
def test_tshark_agrees(demo, chainmend, step):
    if not servers.program("tshark"):
        pytest.skip("no tshark on this machine")
    out, _ = demo
    capture, = out.glob(f"step-{step}-*.pcapng")
    run = chainmend("explain", "--all", "--json", "--roots", out / "root.pem",
                    capture)
    assert run.status in (0, 1), run
    handshakes = run.of_kind("handshake")
    hellos, digests, alerts = by_tshark(capture)
    assert len(handshakes) == len(hellos)
    for frame, handshake in zip(hellos, handshakes):
        assert handshake["frames"][0] <= frame <= handshake["frames"][1]
    assert [c["sha256"] for h in handshakes
            for c in h["certificates"]] == digests
    assert [(a["frame"], 2 if a["level"] == "fatal" else 1, a["code"])
            for h in handshakes for a in h["alerts"]] == alerts
    failed = [h for h in handshakes if h["outcome"] == "failed"]
    assert len(failed) == (0 if STEPS[step][3] else 1)
