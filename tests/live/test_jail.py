# SPDX-License-Identifier: Apache-2.0
"""explain reads captures in a child without files and sockets; a child that
dies costs the file it was at and nothing else."""
import os
import signal
import subprocess
from pathlib import Path

import pytest
from servers import wait_until

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


def test_a_dead_reader_costs_one_file(chainmend, tmp_path):
    held = Held(chainmend, tmp_path)
    wait_until(lambda: status_of(held.child)["Seccomp"] == "2", "seccomp")
    os.kill(held.child, signal.SIGKILL)
    status, out, err = held.end()
    assert status == 3
    assert err == (f'chainmend: the reader died at "{held.fifo}" (signal 9): '
                   "nothing is said about that file; please report it\n")
    # The first and the third are the same capture: both verdicts are there.
    assert out.count("\nfailed ") + out.startswith("failed ") == 2


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


@pytest.mark.parametrize("args", [[], ["--json"], ["--all"]])
def test_the_sandbox_changes_nothing_but_safety(chainmend, args):
    inside = chainmend("explain", "--require-sandbox", *args, GOOD)
    outside = chainmend("explain", "--online", *args, GOOD)
    assert inside.status == outside.status == 1
    if not args or args == ["--all"]:
        assert inside.out == outside.out


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


def test_require_sandbox_and_online_exclude_each_other(chainmend):
    run = chainmend("explain", "--require-sandbox", "--online", GOOD)
    assert run.status == 2 and "--online" in run.err
