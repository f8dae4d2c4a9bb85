# SPDX-License-Identifier: Apache-2.0
"""chainmend data: lists by https from a server of this test's own, over real
TLS: had, unchanged, cut, wrong certificate, no list, too large."""
import contextlib
import http.server
import json
import os
import pty
import re
import shutil
import ssl
import subprocess
import threading
import time
from email.utils import formatdate

import pytest

from conftest import ROOT
from pki import LOCAL, Pki
from servers import PAUSE

BIG = 80 << 20  # above the ceiling of docs/limits.md, "Public lists"


class ListServer:
    """https on loopback; each path is one way to answer."""

    def __init__(self, cert, key):
        self.content, self.etag, self.asked = b"", '"one"', []
        self.modified = formatdate(1_700_000_000, usegmt=True)
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                getattr(outer, "answer_" + self.path.strip("/"))(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket,
                                                 server_side=True)
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def url(self, path, host="localhost"):
        return f"https://{host}:{self.port}/{path}"

    def begin(self, to, length, kind="text/csv", status=200, **headers):
        to.send_response(status)
        to.send_header("Content-Type", kind)
        to.send_header("Content-Length", str(length))
        for name, value in headers.items():
            to.send_header(name.replace("_", "-"), value)
        to.end_headers()

    def answer_list(self, to):
        same = (to.headers.get("If-None-Match") == self.etag or
                (not self.etag and
                 to.headers.get("If-Modified-Since") == self.modified))
        tags = {"Last_Modified": self.modified}
        if self.etag:
            tags["ETag"] = self.etag
        if same:
            to.send_response(304)
            to.end_headers()
            return
        self.begin(to, len(self.content), **tags)
        to.wfile.write(self.content)

    def answer_cut(self, to):
        self.begin(to, len(self.content), ETag=self.etag)
        to.wfile.write(self.content[:len(self.content) // 2])
        to.close_connection = True

    def answer_cutquietly(self, to):
        """No length in front: only the list itself can tell."""
        self.answer_dropped(to)
        with contextlib.suppress(OSError):  # who has read the end may go
            to.connection.unwrap()

    def answer_dropped(self, to):
        """Nor does TLS say that this is the end: newer libcurl minds."""
        to.send_response(200)
        to.send_header("Connection", "close")
        to.end_headers()
        to.wfile.write(self.content[:len(self.content) - 40])

    def answer_html(self, to):
        page = b"<!DOCTYPE html><title>Maintenance</title>"
        self.begin(to, len(page), "text/html")
        to.wfile.write(page)

    def answer_gone(self, to):
        self.begin(to, 0, status=404)

    def answer_plain(self, to):
        self.begin(to, 0, status=302, Location="http://localhost:1/list")

    def answer_moved(self, to):
        self.begin(to, 0, status=301, Location=self.url("list"))

    def answer_large(self, to):
        self.begin(to, BIG)

    def answer_endless(self, to):
        to.send_response(200)
        to.send_header("Connection", "close")
        to.end_headers()
        for _ in range(BIG >> 20):
            to.wfile.write(b"#" * (1 << 20))

    def answer_hang(self, to):
        """Half of it, and then nothing until the test is over."""
        self.begin(to, len(self.content))
        to.wfile.write(self.content[:len(self.content) // 2])
        to.wfile.flush()
        self.over.wait(60)

    def answer_slow(self, to):
        """More than a second for the first half."""
        self.begin(to, len(self.content))
        half = len(self.content) // 2
        for at in range(0, half, half // 8):
            to.wfile.write(self.content[at:min(at + half // 8, half)])
            PAUSE.wait(0.3)
        to.wfile.write(self.content[half:])

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def csv_of(*certs):
    """As the CCADB writes its report of all certificates."""
    rows = ["SHA-256 Fingerprint,X.509 Certificate (PEM)"]
    rows += [f'{c.sha256.upper()},"{c.pem.read_text().strip()}"'
             for c in certs]
    return ("\n".join(rows) + "\n").encode()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    p = Pki(tmp_path_factory.mktemp("lists"))
    p.anchor = p.root("List Server Root")
    p.server = p.anchor.issue("localhost", sans=LOCAL)
    p.other = p.anchor.issue("other.example", sans=["DNS:other.example"])
    p.root1, p.root2 = p.root("Public Root 1"), p.root("Public Root 2")
    p.ca1 = p.root1.issue_ca("Public CA 1")
    p.ca2 = p.ca1.issue_ca("Public CA 2")
    p.ca3, p.ca4 = (p.ca2.issue_ca(f"Public CA {n}") for n in (3, 4))
    p.leaf = p.ca2.issue("localhost", sans=LOCAL)
    return p


@pytest.fixture
def lists(lab):
    server = ListServer(lab.server.pem, lab.server.key)
    server.content = csv_of(lab.root1, lab.ca1, lab.ca2)
    yield server
    server.stop()


@pytest.fixture
def update(chainmend, lab, lists, tmp_path):
    """update(path, *args) -> a finished run of data update from there."""
    out = tmp_path / "known.bin"

    def go(path="list", *args, roots=lab.anchor.pem, **how):
        url = path if "://" in path else lists.url(path)
        return chainmend("data", "update", "--url", url, "--roots", roots,
                         "-o", out, *args, **how)

    go.out = out
    return go


def status_of(chainmend, out):
    run = chainmend("data", "status", "-o", out, "--json")
    assert run.status == 0, run
    return run.of_kind("cache")[0]


def test_a_list_is_had_over_https(update, chainmend, lists):
    done = update()
    assert done.status == 0 and done.err == "", done
    assert "of 3 certificates, issuers with a proven parent: 2, roots: 1;" \
        in done.out, done
    told = status_of(chainmend, update.out)
    assert (told["issuers"], told["roots"], told["damaged"]) == (2, 1, 0)
    assert told["made_from"] == lists.url("list")
    assert told["age_days"] == 0
    text = chainmend("data", "status", "-o", update.out)
    assert "2 issuers, 1 root, 0" in text.out and "0 days ago" in text.out
    [(_, headers)] = lists.asked
    assert headers["User-Agent"] == "chainmend"
    assert not {"If-None-Match", "Cookie", "Authorization"} & set(headers)


@pytest.mark.parametrize("etag", ['"one"', ""], ids=["etag", "date"])
def test_what_has_not_changed_is_not_had_again(update, chainmend, lists, etag):
    lists.etag = etag
    assert update().status == 0
    os.utime(update.out, (1_700_000_000, 1_700_000_000))
    before = status_of(chainmend, update.out)
    content = update.out.read_bytes()
    done = update()
    assert done.status == 0 and "nothing newer" in done.out, done
    assert update.out.read_bytes() == content
    after = status_of(chainmend, update.out)
    assert after["made"] == before["made"]
    assert after["checked"] > before["checked"]
    # By force, and from elsewhere, all of it comes.
    assert "written to" in update("list", "--force").out
    assert "written to" in update("moved").out
    # And when it did change.
    assert update().status == 0
    lists.etag, lists.modified = '"two"', formatdate(1_800_000_000,
                                                     usegmt=True)
    assert "written to" in update().out


@pytest.mark.parametrize("path, says", [
    ("cut", "broke off after"), ("cutquietly", "quote is never closed"),
    ("dropped", "broke off after|quote is never closed"),
    ("html", "web page"), ("gone", "answers 404"),
    ("plain", "leads to where nothing is taken from"),
    ("large", "larger than is taken"), ("endless", "larger than is taken"),
    ("http://localhost:1/list", "no https URL"),
    ("https://localhost:1/list", "cannot be had")])
def test_a_failed_download_leaves_the_old_file(update, lists, path, says):
    assert update().status == 0
    before = update.out.read_bytes()
    done = update(path, timeout=120)
    assert done.status == 3 and re.search(says, done.err), done
    assert "stays as it was" in done.err and done.out == ""
    assert update.out.read_bytes() == before
    assert [p.name for p in update.out.parent.glob("known.bin*")] == [
        "known.bin"]


def test_a_server_that_hangs_ends_in_time(update):
    begun = time.monotonic()
    done = update("hang", "--timeout", 2)
    assert done.status == 3 and "too slow" in done.err, done
    assert time.monotonic() - begun < 40
    assert not update.out.exists()


def test_a_list_that_shrank_is_taken_by_force_only(update, chainmend, lists,
                                                   lab):
    lists.content = csv_of(lab.root1, lab.ca1, lab.ca2, lab.ca3, lab.ca4)
    assert update().status == 0
    lists.content, lists.etag = csv_of(lab.root1, lab.ca1), '"less"'
    done = update()
    assert done.status == 3 and "--force takes it" in done.err, done
    assert status_of(chainmend, update.out)["issuers"] == 4
    assert update("list", "--force").status == 0
    assert status_of(chainmend, update.out)["issuers"] == 1


def test_the_server_must_be_the_one_that_was_named(update, lab, lists):
    """Unknown root; a certificate for another name; roots that are none."""
    done = update(roots=lab.root1.pem)
    assert done.status == 3 and "not accepted" in done.err, done
    assert not update.out.exists()
    done = update(roots="/nowhere.pem")
    assert done.status == 3 and "roots cannot be read" in done.err, done
    other = ListServer(lab.other.pem, lab.other.key)
    try:
        done = update(other.url("list"))
        assert done.status == 3 and "not accepted" in done.err, done
        assert other.asked == []
    finally:
        other.stop()
    assert not update.out.exists()


def test_the_system_roots_serve_without_an_option(chainmend, lists, tmp_path):
    done = chainmend("data", "update", "--url", lists.url("list"), "-o",
                     tmp_path / "x")
    assert done.status == 3 and "not accepted" in done.err, done


def test_progress_is_shown_on_a_terminal_only(update, lists, lab, chainmend):
    lists.content = csv_of(*[lab.root1, lab.ca1, lab.ca2] * 40)
    ours, theirs = pty.openpty()
    run = subprocess.run(
        [chainmend.path, "data", "update", "--url", lists.url("slow"),
         "--roots", str(lab.anchor.pem), "-o", str(update.out)],
        stderr=theirs, stdout=subprocess.DEVNULL, env=chainmend.env,
        timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert run.returncode == 0 and " MB" in shown, shown
    done = update("slow")
    assert done.status == 0 and done.err == "", done


def test_nothing_at_hand_says_what_to_do(chainmend, tmp_path):
    done = chainmend("data", "status", "-o", tmp_path / "none")
    assert done.status == 3 and "chainmend data update" in done.err, done
    done = chainmend("data", "update", "--from", "x", "--url", "https://x/")
    assert done.status == 2, done


def test_known_roots_serve_profiles(update, chainmend, lists, lab, nginx,
                                    tmp_path):
    """A profile's root that the system lacks is found among the known ones;
    while it is not, the answer is that nobody can tell."""
    lists.content = csv_of(lab.root1, lab.ca1, lab.ca2)
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    (profiles / "device.ini").write_text(
        "title = A device\ndate = 2026-01-01\nsource = a test\n"
        "roots = device.roots\n")
    (profiles / "device.roots").write_text(
        f"{lab.root1.sha256}\n{lab.root2.sha256}\n")
    env = {"CHAINMEND_PROFILES": str(profiles),
           "CHAINMEND_PRELOAD": str(update.out)}
    chain = lab.file("chain.pem", lab.leaf, lab.ca2, lab.ca1)
    server = nginx(chain, lab.leaf.key)

    def judged():
        run = chainmend("check", server.address, "--host", "localhost",
                        "--profile", "device", "--offline", "--json",
                        "--roots", lab.anchor.pem, env=env)
        [end] = run.of_kind("endpoint")
        [device] = [p for p in end["profiles"] if p["profile"] == "device"]
        [listed] = chainmend("profiles", "device", "--json",
                             env=env).of_kind("profile")
        return device, listed["roots_absent"]

    device, absent = judged()
    assert absent == 2 and not device["accepts"]
    assert "2 of its 2 roots are not at hand" in device["says"]
    assert update().status == 0
    device, absent = judged()
    assert absent == 1 and device["accepts"], device


def test_explain_says_which_roots_are_not_at_hand(chainmend, tmp_path):
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    (profiles / "device.ini").write_text("title = A\nroots = device.roots\n")
    (profiles / "device.roots").write_text("ab" * 32 + "\n")
    capture = ROOT / "tests" / "fuzz" / "corpus" / "capture" / "pcapng"
    env = {"CHAINMEND_PROFILES": str(profiles)}
    done = chainmend("explain", "--profile", "device", capture, env=env)
    assert done.err.count("1 root of \"device\" is not at hand") == 1, done
    assert "chainmend data update" in done.err
    done = chainmend("explain", "--quiet", "--profile", "device", capture,
                     env=env)
    assert done.err == "", done


def test_the_real_report(update, chainmend, lists, shared_data):
    """All of the CCADB's certificates in one report, by https."""
    report = shared_data / "pki" / "ccadb-pems-to-2025-06.csv.zst"
    if not report.exists() or not shutil.which("zstd"):
        pytest.skip("no report, or no zstd to unpack it")
    lists.content = subprocess.run(["zstd", "-dc", str(report)], check=True,
                                   stdout=subprocess.PIPE).stdout
    done = update(timeout=170)
    assert done.status == 0, done
    told = status_of(chainmend, update.out)
    assert told["issuers"] > 5000 and told["roots"] > 500, told
    assert told["damaged"] == 0
    # Profiles' roots: nearly all are in the report.
    env = {"CHAINMEND_PRELOAD": str(update.out)}

    def absent(env):
        run = chainmend("profiles", "all", "--json", env=env)
        return {p["profile"]: (p["roots"], p["roots_absent"])
                for p in map(json.loads, run.out.splitlines())}

    before, after = absent({}), absent(env)
    assert before.keys() == after.keys() and len(after) >= 20
    assert sum(a for _, a in after.values()) * 10 < sum(
        a for _, a in before.values())
