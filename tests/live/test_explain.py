# SPDX-License-Identifier: Apache-2.0
"""explain and compare on captures of real TLS, made in the test."""
import html.parser
import os
import random
import shutil
import subprocess

import pytest
from tape import Tape, client_context, server_context


@pytest.fixture
def tape():
    return Tape()


@pytest.fixture
def half(pki):
    """The server that forgot its intermediate."""
    return server_context(pki.leaf.pem, pki.leaf.key)


@pytest.fixture
def whole(pki):
    chain = pki.file("whole.pem", pki.leaf, pki.intermediate)
    return server_context(chain, pki.leaf.key)


def verdicts(run):
    return [h["verdict"] for h in run.of_kind("handshake")]


def test_leaf_only_is_a_missing_intermediate(
        chainmend, pki, tape, half, tmp_path):
    path = tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    run = chainmend("explain", "--json", "--roots", pki.anchor.pem, capture)
    assert run.status == 1, run
    handshake, = run.of_kind("handshake")
    assert handshake["verdict"] == "missing-intermediate"
    assert handshake["outcome"] == "failed"
    assert handshake["sni"] == "localhost"
    assert [c["sha256"] for c in handshake["certificates"]] == [
        pki.leaf.sha256]
    alert, = handshake["alerts"]
    assert (alert["from"], alert["code"]) == ("client", 48)
    assert alert["frame"] == path[-1]
    finding = handshake["findings"][0]
    assert alert["frame"] in finding["frames"]
    assert finding["blame"] == "server"
    summary, = run.of_kind("summary")
    assert (summary["handshakes"], summary["failed"]) == (1, 1)
    assert summary["packets"] == len(tape.frames)


def test_a_whole_chain_is_nothing_to_report(
        chainmend, pki, tape, whole, tmp_path):
    tape.tls(whole, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "good.pcap")
    run = chainmend("explain", "--json", "--roots", pki.anchor.pem, capture)
    assert run.status == 0, run
    assert run.of_kind("handshake") == []
    run = chainmend("explain", "--json", "--all", "--roots", pki.anchor.pem,
                    capture)
    assert run.status == 0
    handshake, = run.of_kind("handshake")
    assert handshake["outcome"] == "completed"
    assert handshake["findings"] == []


def test_standard_input_and_several_files(
        chainmend, pki, tape, half, program, tmp_path):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    with open(capture, "rb") as stdin:
        done = subprocess.run(
            [program, "explain", "--json", "--roots", str(pki.anchor.pem),
             "-", str(capture)], stdin=stdin, stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stdout.count(b'"missing-intermediate","blame"') == 2


def test_a_client_that_verifies_nothing_goes_on(
        chainmend, pki, tape, half, tmp_path):
    tape.tls(half, client_context(None), "localhost")
    capture = tape.write(tmp_path / "careless.pcap")
    run = chainmend("explain", "--json", "--all", "--roots", pki.anchor.pem,
                    capture)
    assert run.status == 0, run
    assert verdicts(run) == [None]
    finding, = [f for f in run.of_kind("handshake")[0]["findings"]
                if f["id"] == "missing-intermediate"]
    assert finding["severity"] == "warning"
    strict = chainmend("explain", "--strict", "--all", "--roots",
                       pki.anchor.pem, capture)
    assert strict.status == 1


def test_tls_1_3_is_dark_without_secrets_and_clear_with_them(
        chainmend, pki, tape, tmp_path):
    keys = tmp_path / "keys.txt"
    server = server_context(pki.leaf.pem, pki.leaf.key, tls12=False)
    client = client_context(pki.anchor.pem, tls12=False, keylog=keys)
    tape.tls(server, client, "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    args = ("explain", "--json", "--roots", pki.anchor.pem)
    run = chainmend(*args, capture)
    assert verdicts(run) == ["encrypted-handshake"], run
    assert run.of_kind("handshake")[0]["certificates"] == []
    run = chainmend(*args, "--keylog", keys, capture)
    assert verdicts(run) == ["missing-intermediate"], run
    assert run.status == 1


def test_the_text_names_what_to_do(chainmend, pki, tape, half, tmp_path):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    run = chainmend("explain", "--roots", pki.anchor.pem, capture)
    assert "failed missing-intermediate  localhost  TLS 1.2" in run.out
    assert "do: Let the server send its whole chain" in run.out
    assert "1 handshake, 1 failed" in run.out
    assert "\x1b" not in run.out and run.err == ""
    colored = chainmend("explain", "--color", "always", "--roots",
                        pki.anchor.pem, capture)
    assert "\x1b[1;31m" in colored.out


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.open, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "action") or (
                    name == "href" and not value.startswith("#")):
                self.loads.append((tag, name, value))

    def handle_data(self, data):
        self.text += data


def test_compare_and_its_page(chainmend, pki, half, whole, tmp_path):
    good, bad = Tape(), Tape()
    good.tls(whole, client_context(pki.anchor.pem), "localhost")
    bad.tls(half, client_context(pki.anchor.pem), "localhost")
    args = ("compare", "--roots", pki.anchor.pem,
            good.write(tmp_path / "good.pcap"),
            bad.write(tmp_path / "bad.pcap"))
    page = tmp_path / "page.html"
    run = chainmend(*args, "--json", "--html", page)
    assert run.status == 1, run
    divergence, = run.of_kind("divergence")
    assert divergence["verdict"] == "missing-intermediate"
    step, = [s for s in run.of_kind("step") if s["diverges"]]
    assert step["event"] == "certificate"
    assert "2 certificates" in step["good"]
    assert "1 certificate:" in step["bad"]
    assert divergence["good_frame"] == step["good_frame"] > 0
    parsed = Page(page.read_text())
    assert parsed.loads == [] and "script" not in parsed.tags
    assert parsed.tags.count("svg") == 2
    for part in ("Symptoms", "Applies to", "Cause", "Resolution",
                 "Work-around", "Certificates", "Evidence"):
        assert part in parsed.text
    same = chainmend("compare", "--json", "--roots", pki.anchor.pem,
                     tmp_path / "good.pcap", tmp_path / "good.pcap")
    assert same.status == 0, same
    assert same.of_kind("divergence")[0]["verdict"] is None


# 30 bytes of TLS in a frame end inside of a ServerHello's random, before its
# version; 134 behind its cipher suite.
@pytest.mark.parametrize("snap", [84, 188])
def test_what_a_short_snap_length_cuts_is_nobodys_fault(
        chainmend, pki, tape, half, tmp_path, snap):
    tape.http("/issuing.cer", "pki.example", pki.intermediate.der)
    tape.tls(half, client_context(), "localhost")
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    tape.tls(server_context(pki.leaf.pem, pki.leaf.key, tls12=False),
             client_context(tls12=False), "localhost")
    capture = tape.write(tmp_path / "cut.pcap", snap)
    run = chainmend("explain", "--json", "--all", "--roots", pki.anchor.pem,
                    capture)
    good, refused, dark = sorted(run.of_kind("handshake"),
                                 key=lambda h: h["frames"])
    assert good["outcome"] in ("completed", "cut") and not good["verdict"]
    assert refused["verdict"] == "handshake-cut"
    assert refused["alerts"][0]["code"] == 48
    assert (dark["outcome"], dark["version"]) == ("dark", "TLS 1.3")
    assert {f["id"] for h in (good, refused, dark)
            for f in h["findings"]} <= {"handshake-cut",
                                        "encrypted-handshake"}, run


def test_a_fetch_counts_for_the_handshakes_that_it_came_before(
        chainmend, pki, half, tmp_path):
    """Before, between and after: of two refusals only the second had it."""
    tape = Tape()
    for _ in range(2):
        tape.tls(half, client_context(pki.anchor.pem), "localhost")
        tape.http("/issuing.cer", "pki.example", pki.intermediate.der)
    run = chainmend("explain", "--json", "--roots", pki.anchor.pem,
                    tape.write(tmp_path / "two.pcap"))
    first, second = sorted(run.of_kind("handshake"),
                           key=lambda h: h["frames"])
    first, second = ({f["id"]: f for f in h["findings"]}
                     for h in (first, second))
    assert "chain-download-failed" not in first, run
    assert "only after" in first["chain-download-skipped"]["says"]
    assert "chain-download-skipped" not in second, run
    asked = second["chain-download-failed"]["frames"][0]
    assert max(first["missing-intermediate"]["frames"]) < asked
    assert asked < min(second["missing-intermediate"]["frames"])


def test_compare_finds_the_download_that_was_skipped(
        chainmend, pki, half, tmp_path):
    good, bad = Tape(), Tape()
    good.http("/CertProv/CertProvisioningService.svc", "localhost",
              pki.intermediate.der)
    good.tls(half, client_context(None), "localhost")
    bad.tls(half, client_context(pki.anchor.pem), "localhost")
    run = chainmend("compare", "--json", "--roots", pki.anchor.pem,
                    good.write(tmp_path / "pin.pcap"),
                    bad.write(tmp_path / "usb.pcap"))
    divergence, = run.of_kind("divergence")
    assert divergence["verdict"] == "missing-intermediate"
    assert divergence["cause"] == "chain-download-skipped"
    titles = [r["title"] for r in divergence["remedies"]]
    assert titles[0] == "send the full chain"
    assert any("PIN once" in t for t in titles)
    assert "preloaded root" in titles[-1]


NOT_CAPTURES = {
    "empty": b"",
    "one byte": b"\xd4",
    "text": b"this is a letter, not a capture\n" * 100,
    "half a header": bytes.fromhex("d4c3b2a1020004000000"),
    "zeros": bytes(4096),
    "a pcapng block that lies": bytes.fromhex("0a0d0d0affffffff") + bytes(64),
    "gzip of nothing": bytes.fromhex(
        "1f8b08000000000000030300000000000000000000"),
}


@pytest.mark.parametrize("name", NOT_CAPTURES)
@pytest.mark.parametrize("command", ["explain", "compare"])
def test_what_is_no_capture_is_refused(
        chainmend, pki, tape, half, tmp_path, command, name):
    bad = tmp_path / "input"
    bad.write_bytes(NOT_CAPTURES[name])
    page = tmp_path / "page.html"
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    good = tape.write(tmp_path / "good.pcap")
    words = [bad] if command == "explain" else [good, bad]
    run = chainmend(command, "--roots", pki.anchor.pem, "--html", page,
                    *words)
    assert run.status == 3, run
    assert run.err.startswith("chainmend: ") and run.err.count("\n") == 1
    assert "input" in run.err
    assert not page.exists()


@pytest.mark.parametrize("what", ["missing", "directory", "unreadable"])
def test_what_cannot_be_opened_is_refused(chainmend, pki, tmp_path, what):
    path = tmp_path / "thing"
    if what == "directory":
        path.mkdir()
    if what == "unreadable":
        path.write_bytes(b"x")
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
    run = chainmend("explain", "--roots", pki.anchor.pem, path)
    assert run.status == 3, run
    assert run.err.count("\n") == 1 and "thing" in run.err


def test_damage_behind_is_a_note_and_the_rest_is_read(
        chainmend, pki, tape, half, tmp_path):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tmp_path / "cut.pcap"
    capture.write_bytes(tape.bytes() + b"\x01\x02\x03")
    run = chainmend("explain", "--json", "--roots", pki.anchor.pem, capture)
    assert run.status == 1, run
    assert verdicts(run) == ["missing-intermediate"]
    assert run.err.startswith("chainmend: note: ")
    assert run.of_kind("summary")[0]["damaged_places"] == 1


def test_cut_anywhere_it_never_crashes(chainmend, pki, tape, half, tmp_path):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    whole = tape.bytes()
    random.seed(1)
    for at in sorted(random.sample(range(24, len(whole)), 25)):
        capture = tmp_path / "cut.pcap"
        capture.write_bytes(whole[:at])
        run = chainmend("explain", "--json", "--all", "--roots",
                        pki.anchor.pem, capture)
        assert run.status in (0, 1, 3), (at, run)
        assert run.status == 3 or run.of_kind("summary"), (at, run)


def test_tshark_agrees(chainmend, pki, tape, half, whole, tmp_path):
    if not shutil.which("tshark"):
        pytest.skip("no tshark on this machine")
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    tape.tls(whole, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "both.pcap")
    run = chainmend("explain", "--json", "--all", "--roots", pki.anchor.pem,
                    capture)
    theirs = subprocess.run(
        ["tshark", "-r", str(capture), "-Y",
         "tls.handshake.certificate || tls.alert_message.desc", "-T",
         "fields", "-e", "frame.number", "-e",
         "tls.handshake.certificates_length", "-e",
         "tls.alert_message.desc"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    rows = [line.split("\t") for line in theirs.splitlines()]
    certificates = sorted(int(r[0]) for r in rows if r[1])
    alerts = sorted((int(r[0]), int(r[2])) for r in rows if r[2])
    ours = run.of_kind("handshake")
    assert sorted({c["frame"] for h in ours
                   for c in h["certificates"]}) == certificates
    assert sorted((a["frame"], a["code"]) for h in ours
                  for a in h["alerts"]) == alerts


def test_a_page_that_cannot_be_written_is_told(
        chainmend, pki, tape, half, tmp_path):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    run = chainmend("explain", "--roots", pki.anchor.pem, "--html",
                    tmp_path / "no" / "such" / "page.html", capture)
    assert run.status == 3, run
    assert "page.html" in run.err


def test_good_and_bad_in_one_capture(chainmend, pki, half, tmp_path):
    tape = Tape()
    tape.tls(half, client_context(None), "localhost", host=1)
    tape.tls(half, client_context(pki.anchor.pem), "localhost", host=2)
    capture = tape.write(tmp_path / "office.pcap")
    run = chainmend("compare", "--json", "--roots", pki.anchor.pem, "--good",
                    "server=192.0.2.1,port=443", "--bad", "server=192.0.2.2",
                    capture)
    assert run.status == 1, run
    good, bad = run.of_kind("handshake")
    assert good["server"] == "192.0.2.1:443"
    assert bad["server"] == "192.0.2.2:443"
    assert run.of_kind("divergence")[0]["verdict"] == "missing-intermediate"


@pytest.mark.parametrize("good,bad,empty", [
    ("server=192.0.2.1", "server=192.0.2.9", "--bad"),
    ("192.0.2.77", "server=192.0.2.2", "--good"),
    ("server=192.0.2.1", "sni=other.example", "--bad")])
def test_a_filter_that_chooses_nothing_is_told(
        chainmend, pki, half, tmp_path, good, bad, empty):
    """A slip in an address is not a capture without a fault."""
    tape = Tape()
    tape.tls(half, client_context(None), "localhost", host=1)
    tape.tls(half, client_context(pki.anchor.pem), "localhost", host=2)
    capture = tape.write(tmp_path / "office.pcap")
    run = chainmend("compare", "--roots", pki.anchor.pem, "--good", good,
                    "--bad", bad, capture)
    assert run.status == 3, run
    wrong = {"--good": good, "--bad": bad}[empty]
    assert f'{empty} "{wrong}" chooses nothing in' in run.err, run
    assert "office.pcap" in run.err and run.out == "", run


@pytest.mark.parametrize("words", [
    ["--good", "192.0.2.1"], ["--good", "x", "--bad", "y"],
    ["--good", "192.0.2.1/8", "--bad", "192.0.2.2"],
    ["--good", "port=0", "--bad", "port=1"],
    ["--good", "port=70000", "--bad", "port=1"]])
def test_wrong_filters_are_refused(
        chainmend, pki, tape, half, tmp_path, words):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    run = chainmend("compare", "--roots", pki.anchor.pem, *words, capture)
    assert run.status in (2, 3), run
    assert run.out == "" and run.err.startswith("chainmend: ")


def test_certificates_are_exported_once(
        chainmend, pki, tape, whole, tmp_path):
    tape.tls(whole, client_context(pki.anchor.pem), "localhost")
    tape.tls(whole, client_context(pki.anchor.pem), "localhost")
    out = tmp_path / "certs"
    run = chainmend("explain", "--roots", pki.anchor.pem, "--export-certs",
                    out, tape.write(tmp_path / "good.pcap"))
    assert run.status == 0, run
    assert sorted(p.name for p in out.iterdir()) == sorted(
        f"{c.sha256}.pem" for c in (pki.leaf, pki.intermediate))
    for path in out.iterdir():
        done = subprocess.run(["openssl", "x509", "-in", path, "-noout"])
        assert done.returncode == 0


def test_clients_of_a_network_have_a_profile_of_their_own(
        chainmend, pki, tape, half, tmp_path):
    tape.tls(half, client_context(pki.anchor.pem), "localhost")
    capture = tape.write(tmp_path / "bad.pcap")
    known = chainmend("profiles", "--json")
    if known.status != 0 or "android-7.1" not in known.out:
        pytest.skip("no profiles here")
    run = chainmend("explain", "--json", "--roots", pki.anchor.pem,
                    "--profile", "192.0.2.0/24=android-7.1", capture)
    handshake, = run.of_kind("handshake")
    answer, = handshake["profiles"]
    assert answer["profile"] == "android-7.1"
    assert answer["accepts"] is False
    run = chainmend("explain", "--json", "--roots", pki.anchor.pem,
                    "--profile", "10.0.0.0/8=android-7.1", capture)
    assert run.of_kind("handshake")[0]["profiles"] == []
    for wrong in ("192.0.2.7/24=android-7.1", "x=android-7.1",
                  "10.0.0.0/33=android-7.1", "10.0.0.0/8=no-such-phone"):
        run = chainmend("explain", "--roots", pki.anchor.pem, "--profile",
                        wrong, capture)
        assert run.status == 2 and "explain --help" in run.err, run
