# SPDX-License-Identifier: Apache-2.0
"""watch INTERFACE: real handshakes in a namespace of the test's own."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from conftest import check_line


@pytest.fixture(scope="module")
def seen(program, namespace, pki, tmp_path_factory):
    """The directory in which watch_story.py wrote what it saw."""
    if not servers.program("curl"):
        pytest.skip("no curl on this machine")
    directory = tmp_path_factory.mktemp("watch")
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "LD_LIBRARY_PATH") or k.endswith("SAN_OPTIONS")}
    env["HOME"] = str(directory)
    done = subprocess.run(
        [*namespace, sys.executable,
         str(Path(__file__).with_name("watch_story.py")), program,
         str(directory), str(pki.leaf.pem), str(pki.leaf.key),
         str(pki.intermediate.pem), str(pki.anchor.pem)],
        capture_output=True, text=True, timeout=120, env=env)
    err = directory / "watch.err"
    assert done.returncode == 0, done.stderr + (
        err.read_text() if err.exists() else "")
    return directory


def test_each_failure_is_one_line_as_it_happens(seen):
    lines = [check_line(line)
             for line in (seen / "watch.ndjson").read_text().splitlines()]
    # Without a name: the test asking whether a server is up.
    shakes = [line for line in lines
              if line["kind"] == "handshake" and line["sni"]]
    assert [s["verdict"] for s in shakes] == ["missing-intermediate"] * 4
    assert all(s["outcome"] == "failed" for s in shakes)
    assert all(s["alerts"][0]["description"] == "unknown_ca" for s in shakes)
    assert lines[-1]["kind"] == "summary"
    assert lines[-1]["handshakes"] >= 5 and lines[-1]["failed"] >= 4
    assert (seen / "status").read_text() == "1"


def test_kept_captures_are_bounded_and_explained_by_us_and_tshark(seen,
                                                                  chainmend):
    kept = sorted((seen / "keep").iterdir())
    assert len(kept) == 2, kept
    for capture in kept:
        assert capture.name.endswith("-missing-intermediate.pcapng")
        run = chainmend("explain", "--json", capture)
        assert run.status == 1, run
        assert len(run.of_kind("handshake")) == 1
        if not servers.program("tshark"):
            pytest.skip("no tshark on this machine")
        comments = subprocess.run(
            ["tshark", "-r", capture, "-T", "fields", "-e",
             "frame.comment"], capture_output=True, text=True).stdout
        assert "chainmend: missing-intermediate" in comments


def test_metrics_name_every_reason_from_the_start(seen):
    text = (seen / "metrics.txt").read_text()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines()
                  if not line.startswith("#"))
    name = "chainmend_watch_failures_total"
    assert values[name + '{reason="missing-intermediate"}'] == "4"
    assert values[name + '{reason="expired-leaf"}'] == "0"
    assert values['chainmend_watch_handshakes_total{outcome="completed"}'] \
        == "1"
    assert values["chainmend_watch_kernel_dropped_total"] == "0"
    families = {line.split()[2] for line in text.splitlines()
                if line.startswith("# TYPE")}
    assert families == {key.split("{")[0] for key in values}


def test_without_rights_it_is_one_clear_line(chainmend):
    if os.geteuid() == 0:
        pytest.skip("run as root, who has every right")
    run = chainmend("watch", "lo")
    assert run.status == 3 and "no right to capture" in run.err, run


@pytest.mark.parametrize("words,says", [
    (["nosuchif0"], "nosuchif0"),
    (["--metrics", "nonsense", "lo"], "nonsense"),
    (["--filter", "tcp portt 443", "lo"], "tcp portt 443"),
])
def test_what_is_wrong_is_said(program, namespace, clean_env, words, says):
    done = subprocess.run([*namespace, program, "watch", *words],
                          capture_output=True, text=True, timeout=30,
                          env=clean_env)
    assert done.returncode in (2, 3)
    assert says in done.stderr and "chainmend:" in done.stderr
