# SPDX-License-Identifier: Apache-2.0
"""explain reads captures in a child without files and sockets; a child that
dies costs the file it was at and nothing else."""
import array
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from pki import Pki
from servers import wait_until
from starving import preload
from tape import Tape, client_context, server_context, talk

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "capture"
GOOD = CORPUS / "tls-alert"


def children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(word) for word in path.read_text().split()]
    except FileNotFoundError:
        return []


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class Held:
    """explain, held up in the middle of a capture that is a pipe."""

    def __init__(self, chainmend, tmp_path, *args):
        self.fifo = tmp_path / "held.pcap"
        os.mkfifo(self.fifo)
        self.process = chainmend.popen(
            "explain", GOOD, self.fifo, GOOD, *args, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Opens once the reader does: the child has locked itself by then.
        self.writer = os.open(self.fifo, os.O_WRONLY)
        os.write(self.writer, GOOD.read_bytes()[:30])
        self.child = wait_until(lambda: children(self.process.pid),
                                "a child")[0]

    def end(self):
        os.close(self.writer)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def test_whoever_ignores_children_learns_all_the_same(chainmend):
    """SIGCHLD ignored, as some services leave it to what they start: what the
    reader found counts, and so does how it ended."""
    plain = chainmend("explain", GOOD)
    run = chainmend("explain", GOOD,
                    prefix=("env", "--ignore-signal=CHLD"))
    assert plain.status == 1 and plain.out, plain
    assert (run.status, run.out, run.err) == (
        plain.status, plain.out, plain.err), run


def test_the_reader_is_locked_in(chainmend, tmp_path):
    held = Held(chainmend, tmp_path)
    wait_until(lambda: status_of(held.child)["Seccomp"] == "2", "seccomp")
    assert status_of(held.child)["NoNewPrivs"] == "1"
    descriptors = f"/proc/{held.child}/fd"
    if os.geteuid() == 0:
        links = [os.readlink(f"{descriptors}/{n}")
                 for n in os.listdir(descriptors)]
        assert not [n for n in links if "issuers.db" in n]
    else:
        # Not even its owner may look into it: it cannot be traced either.
        with pytest.raises(PermissionError):
            os.listdir(descriptors)
    held.end()


@pytest.fixture(scope="module")
def lie(tmp_path_factory):
    return preload(tmp_path_factory.mktemp("lie"), "lie")


def test_a_reader_that_was_taken_over_gets_no_other_file(chainmend, leaf_only,
                                                         lie):
    secret = leaf_only.capture
    honest = chainmend("explain", GOOD, env={"LD_PRELOAD": lie})
    assert honest.status == 1, honest
    # The lie works: what was named is what it may have.
    named = chainmend("explain", GOOD, secret,
                      env={"LD_PRELOAD": lie, "LIE": f"f{secret}"})
    assert named.out.count("web.example") > honest.out.count("web.example")
    run = chainmend("explain", GOOD,
                    env={"LD_PRELOAD": lie, "LIE": f"f{secret}"})
    assert run.status == 3 and "web.example" not in run.out, run
    assert "Permission denied" in run.err, run


@pytest.mark.parametrize("name", ["../" + "x" * 61, "x" * 64, "a" * 63,
                                  "A" * 64, "a" * 60 + "/../"])
def test_a_reader_that_was_taken_over_names_no_file(chainmend, leaf_only, lie,
                                                    tmp_path, name):
    out = tmp_path / "deep" / "certs"
    before = set(tmp_path.rglob("*.pem"))
    run = chainmend("explain", "--export-certs", out, leaf_only.capture,
                    env={"LD_PRELOAD": lie, "LIE": f"c{name}"})
    assert run.status == 3, run
    assert set(tmp_path.rglob("*.pem")) == before, run


def test_a_dead_reader_costs_one_file(chainmend, tmp_path):
    held = Held(chainmend, tmp_path)
    wait_until(lambda: status_of(held.child)["Seccomp"] == "2", "seccomp")
    os.kill(held.child, signal.SIGKILL)
    status, out, err = held.end()
    assert status == 3
    assert err == (f'chainmend: the reader died at "{held.fifo}" (signal 9): '
                   "nothing more is said about that file; please report "
                   "this\n")
    # The first and the third are the same capture: both verdicts are there.
    assert out.count("\nfailed ") + out.startswith("failed ") == 2


PIPE = 65536
# What is said and not written yet stands in two parts of this size.
PART = 256 << 10


@pytest.fixture
def many(leaf_only, tmp_path):
    """A capture of so many refusals that its report fills every buffer; and
    all lines of that report."""
    tape = Tape(start=leaf_only.start)
    for _ in range(1500):
        tape.connection(leaf_only.said)
    leaf_only.many = tape.write(tmp_path / "many.pcap")
    return leaf_only


def filled(pipe):
    """Bytes in a pipe that nobody reads."""
    n = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, n)
    return n[0]


def die_in_the_middle(process):
    """Kill the reader while it waits because nobody reads its report."""
    wait_until(lambda: filled(process.stdout) == PIPE, "a full pipe")
    child = wait_until(lambda: children(process.pid), "a child")[0]
    wait_until(lambda: status_of(child)["State"].startswith("S"),
               "a child that waits")
    os.kill(child, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def first_frames(path, n):
    """The beginning of a classic capture."""
    data = path.read_bytes()
    at = 24
    for _ in range(n):
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
    return data[:at]


def without_times(text):
    return re.sub(r'"seconds":[0-9.]+', "", text)


@pytest.mark.parametrize("words", [["--json"], ["--json", "--all"], []])
def test_nothing_that_was_read_is_lost(chainmend, many, tmp_path, words):
    args = ["explain", "--roots", many.anchor.pem, *words]
    process = chainmend.popen(*args, many.many, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    status, out, err = die_in_the_middle(process)
    said = re.fullmatch(
        r'chainmend: the reader died at frame (\d+) of "(.*)" \(signal 9\): '
        r"only what stands before it is reported; please report this\n", err)
    assert status == 3 and said, err
    # As if the capture had ended there: also what was still waiting for
    # evidence to come, nothing twice, nothing cut.
    part = tmp_path / "part"
    part.mkdir()
    shorter = part / "many.pcap"
    shorter.write_bytes(first_frames(many.many, int(said[1]) - 1))
    expected = chainmend(*args, shorter)
    assert expected.status == 1
    assert without_times(out) == without_times(
        expected.out.replace(str(shorter), str(many.many)))
    assert len(out) > 2 * PART


def test_what_was_said_of_a_stream_is_not_lost(chainmend, many):
    args = ["explain", "--json", "--roots", many.anchor.pem]
    whole = chainmend(*args, many.many).out.replace(str(many.many), "-")
    with open(many.many, "rb") as capture:
        process = chainmend.popen(*args, "-", stdin=capture, text=True,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        status, out, err = die_in_the_middle(process)
    assert status == 3
    assert err == ('chainmend: the reader died at "-" (signal 9): nothing '
                   "more is said about that file; please report this\n")
    assert out.endswith("\n") and whole.startswith(out)
    # Both parts, each but for the room that a next item may need.
    assert len(out) >= 2 * (PART - (16 << 10))


def test_a_page_of_what_was_read(chainmend, many, tmp_path):
    page = tmp_path / "page.html"
    process = chainmend.popen(
        "explain", "--json", "--roots", many.anchor.pem, "--html", page,
        many.many, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    status, out, _ = die_in_the_middle(process)
    assert status == 3 and '"kind":"summary"' in out
    assert page.read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("after", [[], [GOOD]])
def test_a_page_keeps_the_captures_before(chainmend, leaf_only, tmp_path,
                                          after):
    page = tmp_path / "page.html"
    fifo = tmp_path / "held.pcap"
    os.mkfifo(fifo)
    process = chainmend.popen(
        "explain", "--json", "--roots", leaf_only.anchor.pem, "--html", page,
        leaf_only.capture, GOOD, fifo, *after, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    writer = os.open(fifo, os.O_WRONLY)
    os.write(writer, GOOD.read_bytes()[:30])
    child = wait_until(lambda: children(process.pid), "a child")[0]
    os.kill(child, signal.SIGKILL)
    os.close(writer)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3 and "held.pcap" in err
    lines = [json.loads(line) for line in out.splitlines()]
    n = 2 + len(after)
    assert [x["kind"] for x in lines] == ["handshake"] * n + ["summary"]
    assert (lines[-1]["handshakes"], lines[-1]["failed"]) == (n, n)
    text = page.read_text()
    assert text.rstrip().endswith("</html>")
    assert len(re.findall(r'<section id="h\d+"', text)) == n
    assert f"{n} of {n} TLS handshakes failed" in text
    # Those that are alike are one kind, before the death and behind it.
    table = text[text.index('aria-label="kinds"'):]
    table = table[:table.index("</nav>")]
    assert table.count("<tr><th") == 3
    assert sum(int(x) for x in re.findall(
        r'<td class="num">(\d+)</td>', table)) == n
    # And the page says what it does not have.
    assert "Not all was read" in text
    assert text.count("the reader died at") == 1


def test_a_capture_that_is_none_costs_itself(chainmend, leaf_only, tmp_path):
    page = tmp_path / "page.html"
    (tmp_path / "none.pcap").write_text("nothing that was ever captured")
    run = chainmend("explain", "--json", "--html", page, leaf_only.capture,
                    tmp_path / "none.pcap", GOOD)
    assert run.status == 3 and run.err.count("none.pcap") == 1
    assert [x["kind"] for x in run.lines] == ["handshake"] * 2 + ["summary"]
    text = page.read_text()
    assert "Not all was read" in text and "none.pcap" in text
    # Of one alone there is nothing to say.
    run = chainmend("explain", "--json", tmp_path / "none.pcap")
    assert run.status == 3 and run.out == ""


def test_no_page_of_a_reader_that_died(chainmend, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    held = Held(chainmend, tmp_path, "--html", page)
    wait_until(lambda: status_of(held.child)["Seccomp"] == "2", "seccomp")
    os.kill(held.process.pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{held.child}").exists() or
               status_of(held.child)["State"].startswith("Z"),
               "the child's end with its parent's")
    held.end()
    assert page.read_text() == "old"


def test_kept_issuers_serve_inside(chainmend, pki, tmp_path):
    cache = tmp_path / "issuers.db"
    assert chainmend("cache", "add", "--cache", cache,
                     "--roots", pki.anchor.pem,
                     pki.intermediate.pem).status == 0
    run = chainmend("explain", "--require-sandbox", "--cache", cache, GOOD)
    assert run.status == 1 and "cache" not in run.err


def test_a_page_is_written_from_inside(chainmend, tmp_path):
    page = tmp_path / "page.html"
    run = chainmend("explain", "--require-sandbox", "--html", page, GOOD)
    assert run.status == 1
    assert page.read_text().rstrip().endswith("</html>")
    assert [p.name for p in tmp_path.iterdir()
            if p.name.startswith("page")] == ["page.html"]


def test_a_page_that_cannot_be_written_is_said(chainmend, tmp_path):
    run = chainmend("explain", "--html", tmp_path / "no" / "page.html", GOOD)
    assert run.status == 3 and "page.html" in run.err


def test_standard_input_is_read_inside(chainmend, program, clean_env):
    with open(GOOD, "rb") as capture:
        done = subprocess.run([program, "explain", "--require-sandbox", "-"],
                              stdin=capture, stdout=subprocess.PIPE,
                              env=clean_env, text=True, timeout=30)
    assert done.returncode == 1 and "failed" in done.stdout


@pytest.fixture
def leaf_only(tmp_path, web):
    """A capture of a client that refuses a leaf which came alone, and the
    PKI behind it; the leaf names this test's own web server."""
    p = Pki(tmp_path / "lab")
    p.anchor = p.root("Lab Root")
    p.ca = p.anchor.issue_ca("Lab CA")
    p.leaf = p.ca.issue("web.example", aia=web.url("/ca.cer"))
    web.put("/ca.cer", p.ca.der)
    tape = Tape()
    p.start = tape.time
    p.said = talk(server_context(p.leaf.pem, p.leaf.key),
                  client_context(p.anchor.pem), "web.example")
    tape.connection(p.said)
    p.capture = tmp_path / "leaf-only.pcap"
    tape.write(p.capture)
    return p


def test_an_issuer_is_fetched_by_another_child(chainmend, leaf_only, web):
    args = ("explain", "--require-sandbox", "--json",
            "--roots", leaf_only.anchor.pem, leaf_only.capture)
    line, = chainmend(*args).of_kind("handshake")
    assert line["verdict"] == "missing-intermediate"
    assert web.paths() == []
    run = chainmend(*args, "--online", "--allow-private")
    line, = run.of_kind("handshake")
    # Fetched to say what was missing: the client's verdict stays.
    assert line["verdict"] == "missing-intermediate" and run.status == 1
    assert web.paths() == ["/ca.cer"]
    assert "Lab CA" in json.dumps(line["findings"])


def test_private_addresses_are_refused_there_too(chainmend, leaf_only, web):
    run = chainmend("explain", "--require-sandbox", "--online",
                    "--roots", leaf_only.anchor.pem, leaf_only.capture)
    assert run.status == 1 and web.paths() == []


def test_reader_and_fetcher_are_apart(chainmend, tmp_path):
    """Two children, each locked in its own role (see test_sandbox.c)."""
    held = Held(chainmend, tmp_path, "--online")
    both = wait_until(lambda: len(children(held.process.pid)) == 2 and
                      children(held.process.pid), "two children")
    for child in both:
        wait_until(lambda: status_of(child)["Seccomp"] == "2", "seccomp")
    status, out, err = held.end()
    assert status == 1 and "2 handshakes, 2 failed" in out, err


def test_certificates_are_written_from_inside(chainmend, leaf_only,
                                              tmp_path):
    out = tmp_path / "certs"
    args = ("explain", "--require-sandbox", "--export-certs", out,
            leaf_only.capture)
    assert chainmend(*args).status == 1
    name = out / f"{leaf_only.leaf.sha256}.pem"
    assert [p.name for p in out.iterdir()] == [name.name]
    assert "BEGIN CERTIFICATE" in name.read_text()
    # What is there already is left alone.
    name.write_text("mine")
    assert chainmend(*args).status == 1 and name.read_text() == "mine"


def test_a_directory_that_is_none_is_said(chainmend, leaf_only, tmp_path):
    (tmp_path / "file").write_text("")
    run = chainmend("explain", "--export-certs", tmp_path / "file",
                    leaf_only.capture)
    assert run.status == 3
    assert f'"{tmp_path}/file/{leaf_only.leaf.sha256}.pem"' in run.err


def test_a_copy_is_written_from_inside(chainmend, leaf_only, tmp_path):
    out = tmp_path / "out" / "noted.pcapng"
    args = ("explain", "--require-sandbox", "--annotate", out,
            leaf_only.capture)
    run = chainmend(*args)
    assert run.status == 3 and "noted.pcapng" in run.err
    out.parent.mkdir()
    assert chainmend(*args).status == 1
    assert [p.name for p in out.parent.iterdir()] == ["noted.pcapng"]
    done = subprocess.run(
        ["tshark", "-r", out, "-Y", "frame.comment", "-T", "fields", "-e",
         "frame.comment"], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True)
    assert "chainmend: missing-intermediate" in done.stdout


def test_no_copy_of_a_reader_that_died(chainmend, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    fifo = tmp_path / "one.pcap"
    os.mkfifo(fifo)
    process = chainmend.popen("explain", fifo, "--annotate", out / "n.pcapng",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = os.open(fifo, os.O_WRONLY)
    child = wait_until(lambda: children(process.pid), "a child")[0]
    os.kill(child, signal.SIGKILL)
    os.close(writer)
    process.communicate(timeout=30)
    assert process.returncode == 3 and list(out.iterdir()) == []


def test_merged_captures_are_one_job(chainmend, leaf_only, tmp_path):
    held = Held(chainmend, tmp_path, "--merge", "--require-sandbox")
    os.kill(held.child, signal.SIGKILL)
    status, out, err = held.end()
    assert status == 3 and "died" in err and "failed" not in out
    run = chainmend("explain", "--merge", "--require-sandbox", "--json",
                    GOOD, leaf_only.capture)
    assert run.status == 1 and len(run.of_kind("handshake")) == 2


def test_an_interrupt_ends_the_waiting_not_the_report(chainmend, leaf_only):
    process = chainmend.popen(
        "explain", "--follow", "--require-sandbox", "--json",
        leaf_only.capture, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)
    first = process.stdout.readline()
    assert json.loads(first)["kind"] == "handshake"
    # To the parent alone, as kill does; a terminal tells both.
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert json.loads(out.splitlines()[-1])["kind"] == "summary"


def test_compare_reads_inside(chainmend, leaf_only, tmp_path):
    page = tmp_path / "page.html"
    run = chainmend("compare", "--require-sandbox", "--html", page,
                    "--roots", leaf_only.anchor.pem, leaf_only.capture, GOOD)
    assert run.status == 1, run
    assert page.read_text().rstrip().endswith("</html>")
    fifo = tmp_path / "held.pcap"
    os.mkfifo(fifo)
    process = chainmend.popen("compare", leaf_only.capture, fifo, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = os.open(fifo, os.O_WRONLY)
    child = wait_until(lambda: children(process.pid), "a child")[0]
    wait_until(lambda: status_of(child)["Seccomp"] == "2", "seccomp")
    os.kill(child, signal.SIGKILL)
    os.close(writer)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3 and "held.pcap" in err and out == ""
