# SPDX-License-Identifier: Apache-2.0
"""Every failure that `serve --break` can show: `phone test` names it, and
`explain` on its capture says the same: by what the wire shows or, where that is
inside TLS, by the phone's own note in the capture."""
import json
import re
import subprocess
from pathlib import Path

import pytest

import servers
from test_page import Reader
from boot_lab import NUMBER, PIN, SIP, in_veth, try_until

ROOT = Path(__file__).resolve().parents[2]

# name: (step that tells, result, its finding, a word of what it says,
#        explain's verdict on the handshake, a finding of explain's or the
#        status of its http line, the profile's reason)
BREAKS = {
    "none": ("chain", "ok", None, "whole chain", None, None, None),
    "missing-intermediate": (
        "chain", "warning", "missing-intermediate", "port80", None,
        "missing-intermediate", None),
    "wildcard": ("chain", "failed", "wildcard-unsupported", "refused",
                 "client-closed", None, "wildcard-unsupported"),
    "wrong-name": ("chain", "failed", "name-mismatch", "refused",
                   "name-mismatch", "name-mismatch", "name-mismatch"),
    "clock": ("chain", "failed", "not-yet-valid", "refused", "not-yet-valid",
              "not-yet-valid", "not-yet-valid"),
    "expired": ("chain", "failed", "expired-leaf", "refused", "expired-leaf",
                "expired-leaf", "expired-leaf"),
    "old-root": ("chain", "failed", "untrusted-root", "refused",
                 "untrusted-root", "untrusted-root", "untrusted-root"),
    "no-port-80": ("port 80", "warning", "chain-download-failed", "refused",
                   None, None, None),
    "chain-download-off": (
        "port 80", "warning", "chain-download-failed", "switched off", None,
        500, None),
    "root-on-port-80": (
        "chain", "failed", "chain-download-untrusted", "refused",
        "missing-intermediate", "chain-download-failed",
        "missing-intermediate"),
    "pin-locked": ("ticket", "failed", "pin-locked", "UserPinAccountLocked",
                   None, None, None),
    "pin-off": ("ticket", "failed", "pin-refused", "PinNotEnabledForUser",
                None, None, None),
    "pin-expired": ("ticket", "failed", "pin-refused", "PinExpired", None,
                    None, None),
    "pin-not-set": ("ticket", "failed", "pin-refused", "PinNotSet", None,
                    None, None),
    "number-not-unique": ("ticket", "failed", "pin-refused", "NonUniqueUser",
                          None, None, None),
    "store-down": ("certificate", "failed", "certificate-not-issued",
                   "data store unavailable", None, None, None),
    "tls-1.3-only": ("chain", "failed", "protocol-version", "version",
                     "protocol-version", "protocol-version", None),
    "sha1": ("chain", "failed", "weak-signature", "refused",
             "weak-signature", "weak-signature", None),
    "aia-ldap": ("chain", "failed", "missing-intermediate", "refused",
                 "missing-intermediate", "aia-not-http",
                 "missing-intermediate"),
    "metadata-elsewhere": ("metadata", "failed", "wrong-host",
                           "other.example", None, None, None),
    "registrar-down": ("registration", "failed", "registrar-unreachable",
                       "5061", None, None, None),
    "registrar-wildcard": ("registration", "failed", "wildcard-unsupported",
                           "wildcard", None, None, None),
    "certificate-auth-off": ("registration", "failed", "registration-refused",
                             "certificate", None, None, None),
    "certificate-not-published": (
        "registration", "failed", "registration-refused", "", None, None,
        None),
    "registrar-401-always": ("registration", "failed", "registration-refused",
                             "", None, None, None),
    "user-disabled": ("registration", "failed", "registration-refused", "403",
                      None, None, None),
    "dsk-bad-signature": ("registration", "failed", "registrar-unproven",
                          "signature", None, None, None),
    "dsk-unsigned": ("registration", "failed", "registrar-unproven", "sign",
                     None, None, None),
}
# Nobody listens: the port, as the phone knows it.
REFUSED = {"no-port-80": 80, "registrar-down": 5061}
BY_DHCP = {"dhcp-no-option-43": "dhcp-option-missing",
           "dhcp-cut": "dhcp-option-truncated"}


def test_every_failure_has_a_row(chainmend, tmp_path):
    run = chainmend("serve", "--state", tmp_path, "--break", "?")
    known = [line.split()[0] for line in run.out.splitlines()]
    assert sorted(known) == sorted([*BREAKS, *BY_DHCP])
    guide = (ROOT / "docs" / "guide-phones.md").read_text()
    rows = {row[0]: row for row in
            ([cell.strip() for cell in line.strip("|").split("|")]
             for line in re.findall(r"^\| [a-z0-9.-]+ \|.*\|$", guide, re.M))}
    assert set(known) <= set(rows)
    # What the table says is what the tests below hold.
    for name, (_, _, finding, _, verdict, seen, why) in BREAKS.items():
        _, _, by_phone, by_explain, _ = rows[name]
        assert (finding or "") in by_phone, rows[name]
        shown = [v for v in (seen, why) if isinstance(v, str)]
        assert all(v in by_explain for v in shown), rows[name]
        if not shown and finding and name != "registrar-wildcard":
            assert f"{finding} (note)" in by_explain, rows[name]
        if name in REFUSED:
            assert "connection refused" in by_explain
    for name, finding in BY_DHCP.items():
        assert rows[name][2] == rows[name][3] == finding


@pytest.fixture
def profile(chainmend, tmp_path):
    """profile(root) -> (name, environment): a phone that trusts this root and
    knows no wildcards."""
    def make(root):
        env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
        assert chainmend("profiles", "add", "lab", root, env=env).status == 0
        ini, = (tmp_path / "config").rglob("lab.ini")
        text = re.sub(r"^wildcards = .*\n", "", ini.read_text(), flags=re.M)
        ini.write_text(text + "wildcards = no\n")
        return "lab", env
    return make


@pytest.mark.parametrize("name", BREAKS)
def test_failures_are_named(chainmend, profile, tmp_path, name):
    step, result, finding, word, verdict, seen, why = BREAKS[name]
    state, capture = tmp_path / "server", tmp_path / "t.pcapng"
    http_port, https_port = servers.free_port(), servers.free_port()
    sip_port = servers.free_port()
    chainmend("serve", "--state", state, "user", "add", "--sip", SIP,
              "--number", NUMBER)
    chainmend("serve", "--state", state, "user", "set-pin", "--sip", SIP,
              "--secret-fd", "0", stdin=PIN + "\n")
    server = chainmend.popen(
        "serve", "--state", state, "--lab", "--break", name, "--host",
        "web.corp.example", "--address", "127.0.0.1", "--http-port", http_port,
        "--https-port", https_port, "--sip-port", sip_port, "--quiet",
        stdout=subprocess.DEVNULL)
    try:
        servers.wait_until(lambda: servers.answers(https_port), "serve",
                           process=server)
        run = chainmend("phone", "test", "--server", "web.corp.example",
                        "--connect", "127.0.0.1", "--http-port", http_port,
                        "--https-port", https_port, "--sip-port", sip_port,
                        "--number", NUMBER,
                        "--anchors", state / "lab-root.pem", "--pin-fd", "0",
                        "--tls12", "--capture", capture, "--json",
                        stdin=PIN + "\n")
    finally:
        server.terminate()
        server.wait(10)
    steps = {line["test"]: line for line in run.lines}
    told = steps[step]
    assert (told["result"], told["why"]) == (result, finding), run
    assert word in told["says"]
    assert (told["fix"] is None) == (result == "ok")
    assert run.status == (1 if result == "failed" else 0)
    assert PIN not in run.out + run.err
    assert PIN.encode() not in capture.read_bytes()

    root = state / "lab-root.pem"
    run = chainmend("explain", "--json", "--all", "--roots", root, capture)
    lines = run.lines
    assert run.status == (1 if result == "failed" else 0), run
    # What phone test said, as a claim of the phone's, and no more of it.
    notes = {n["step"]: n for n in lines if n["kind"] == "note"}
    assert sorted(notes) == sorted(
        name for name, s in steps.items()
        if s["result"] in ("failed", "warning"))
    for note in notes.values():
        said = steps[note["step"]]
        assert note["finding"] == said["why"]
        assert note["result"] == said["result"] and note["frames"]
        assert note["says"] and note["says"] in said["says"]
    if name != "none":
        assert notes[step]["finding"] == finding
    # A page shows every one of them, and does not say that all is well.
    html = tmp_path / "page.html"
    chainmend("explain", "--roots", root, "--html", html, capture)
    page = Reader(html.read_text())
    assert not page.loads and not page.of("script")
    assert ("What the phone says" in page.text) == bool(notes)
    for note in notes.values():
        assert " ".join(note["says"].split()) in page.text
        assert (note["finding"] or note["result"]) in page.text
    assert ("nothing failed" in page.text) == (result != "failed")
    # Refused connections are there as such.
    if name in REFUSED:
        dead, = {t["server"] for t in lines
                 if t["kind"] == "tcp" and t["refused"]}
        assert dead == f"127.0.0.1:{REFUSED[name]}"
    # The first goes to the web server; the registrar's is like it.
    shaken = [line for line in lines if line["kind"] == "handshake"]
    assert shaken[0]["verdict"] == verdict
    # One registrar differs: judged for its name by a profile alone.
    others = "client-closed" if name == "registrar-wildcard" else verdict
    assert all(h["verdict"] == others for h in shaken[1:])
    found = [f["id"] for f in shaken[0]["findings"]]
    if isinstance(seen, str):
        assert seen in found
    elif seen:
        assert [h["status"] for h in lines if h["kind"] == "http"] == [seen]
    if not verdict and not seen:
        assert found == []
    if why:
        which, env = profile(root)
        shaken = chainmend("explain", "--json", "--all", "--profile", which,
                           capture, env=env).of_kind("handshake")
        assert [p["why"] for p in shaken[0]["profiles"]] == [why]


def test_notes_in_a_comparison(chainmend, tmp_path):
    """Each side's own, in text, JSON and on the page."""
    said = {}
    for name, state in ("good", "none"), ("bad", "pin-locked"):
        http, https, sip = (servers.free_port() for _ in range(3))
        ports = ["--http-port", http, "--https-port", https, "--sip-port",
                 sip]
        where = tmp_path / name
        user = ("serve", "--state", where, "user")
        chainmend(*user, "add", "--sip", SIP, "--number", NUMBER)
        chainmend(*user, "set-pin", "--sip", SIP, "--secret-fd", "0",
                  stdin=PIN + "\n")
        server = chainmend.popen(
            "serve", "--state", where, "--lab", "--break", state, "--host",
            "web.corp.example", "--address", "127.0.0.1", *ports, "--quiet",
            stdout=subprocess.DEVNULL)
        try:
            servers.wait_until(lambda: servers.answers(https), "serve",
                               process=server)
            said[name] = chainmend(
                "phone", "test", "--server", "web.corp.example", "--connect",
                "127.0.0.1", *ports, "--number", NUMBER, "--anchors",
                where / "lab-root.pem", "--pin-fd", "0", "--capture",
                tmp_path / f"{name}.pcapng", "--json", stdin=PIN + "\n").lines
        finally:
            server.terminate()
            server.wait(10)
    words = ("compare", tmp_path / "good.pcapng", tmp_path / "bad.pcapng")
    expected = [(side, s["test"], s["why"]) for side in ("good", "bad")
                for s in said[side] if s["result"] in ("failed", "warning")]
    assert ("bad", "ticket", "pin-locked") in expected
    run = chainmend(*words, "--json", "--html", tmp_path / "page.html")
    assert sorted((n["side"], n["step"], n["finding"])
                  for n in run.of_kind("note")) == sorted(expected)
    text = chainmend(*words).out
    page = Reader((tmp_path / "page.html").read_text()).text
    for note in run.of_kind("note"):
        assert f"the {note['side']} phone says of \"{note['step']}\"" in text
        assert note["says"] in text and note["says"] in page
        assert f"{note['step']} in the {note['side']} one" in page


@pytest.mark.parametrize("name", BY_DHCP)
def test_failures_of_dhcp(chainmend, namespace, program, clean_env, tmp_path,
                          name):
    (tmp_path / "pin").write_text(PIN + "\n")
    capture = tmp_path / "dhcp.pcapng"
    test = (f"phone {program} phone test --domain corp.example --number 1 "
            f"--pin-file {tmp_path}/pin --wait 2 --json --capture {capture}")
    done = in_veth(namespace, f"""
{program} serve --state {tmp_path}/s --lab --break {name} \
    --host web.corp.example --dhcp >{tmp_path}/log 2>&1 & serve=$!
trap 'kill $serve $child' EXIT
""" + try_until("ss -Hlnu 'sport = :67' | grep -q .", 300) +
                   f"{test} && exit 8\n[ $? = 1 ] || exit 7\n", clean_env)
    assert done.returncode == 0, (done, (tmp_path / "log").read_text())
    steps = {s["test"]: s for s in map(json.loads, done.stdout.splitlines())}
    assert steps["discovery"]["result"] == "failed"
    assert steps["discovery"]["why"] == BY_DHCP[name]
    assert "option 43" in steps["discovery"]["says"]
    run = chainmend("explain", "--json", "--all", capture)
    asked, told = run.of_kind("dhcp")
    # The packets of this very phone, with its address and the server's.
    assert asked["message_type"] == 8 and asked["class"] == "MS-UC-Client"
    assert asked["client"].startswith("10.9.0.9:")
    assert told["message_type"] == 5 and told["server"] == "10.9.0.1:67"
    assert BY_DHCP[name] in json.dumps(told), told
    note, = run.of_kind("note")
    assert note["finding"] == BY_DHCP[name] and run.status == 1
    tshark = servers.program("tshark")
    if tshark:
        read = subprocess.run(
            [tshark, "-r", capture, "-T", "fields", "-e", "dhcp.type", "-e",
             "dhcp.option.vendor_class_id", "-e", "udp.checksum.status", "-o",
             "udp.check_checksum:TRUE", "-Y", "dhcp"],
            capture_output=True, text=True, check=True, timeout=60).stdout
        assert [line.split("\t") for line in read.splitlines()] == [
            ["1", "MS-UC-Client", "1"], ["2", "MS-UC-Client", "1"]]
