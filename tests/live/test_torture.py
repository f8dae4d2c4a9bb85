# SPDX-License-Identifier: Apache-2.0
"""Whole commands without what they need: memory that runs out at each place
in turn, descriptors, disk.  Whatever happens is one clear line and status 3,
or the same answer as ever; never a crash, never an answer that only looks
fine."""
import os
import resource
import socket
import subprocess

import pytest
import starving
from conftest import without_gcov
from pki import Pki
from starving import judge, lab, starve  # noqa: F401

# Places tried in each command; the first ones all, the rest evenly spread.
PLACES = int(os.environ.get("CMI_TORTURE_PLACES", "60"))


@pytest.fixture(scope="module")
def jump(tmp_path_factory):
    """The object that makes the clock jump."""
    return starving.preload(tmp_path_factory.mktemp("jump"), "jump")


COMMANDS = {
    "show": lambda p, out: ["show", p.leaf.pem, "--roots", p.anchor.pem,
                            "--pool", p.pool, "--offline"],
    "check": lambda p, out: ["check", p.leaf.pem, "--roots", p.anchor.pem,
                             "--offline", "--json", "--at", p.at],
    "mend": lambda p, out: ["mend", p.leaf.pem, p.ca2.pem, p.ca1.pem,
                            "--roots", p.anchor.pem, "--offline",
                            "-o", out / "chain.pem"],
    "explain": lambda p, out: ["explain", "--json", "--roots", p.anchor.pem,
                               p.bad],
    "explain-html": lambda p, out: ["explain", "--roots", p.anchor.pem,
                                    "--html", out / "page.html", p.bad],
    "annotate": lambda p, out: ["explain", "--roots", p.anchor.pem,
                                "--annotate", out / "noted.pcapng", p.bad],
    "compare": lambda p, out: ["compare", "--json", "--roots", p.anchor.pem,
                               p.good, p.bad],
    "cache": lambda p, out: ["cache", "add", "--cache", out / "c.db",
                             "--roots", p.anchor.pem, p.pool],
    "dhcp": lambda p, out: ["dhcp", "encode", "--web", "web.example", "--sip",
                            "sip.example"],
    "profiles": lambda p, out: ["profiles", "--json"],
    "survey": lambda p, out: ["survey", "--roots", p.anchor.pem, "--pool",
                              p.pool, "--json"],
    "data": lambda p, out: ["data", "update", "--from", p.file(
        "list.pem", p.anchor, p.ca1, p.ca2), "-o", out / "preload.bin"],
    "run": lambda p, out: ["run", "--", "echo", "here"],
}


@pytest.fixture
def run(chainmend, tmp_path, lab):
    def go(name, how, n, **more):
        out = tmp_path / f"{name}-{how}-{n}"
        out.mkdir()
        args = [str(a) for a in COMMANDS[name](lab, out)]
        env = {**chainmend.env, **more.pop("env", {})}
        done = subprocess.run([chainmend.path, *args], env=env, text=True,
                              errors="replace", capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60, **more)
        return starving.Outcome(done.returncode, done.stdout, done.stderr,
                                out)
    return go


@without_gcov
@pytest.mark.parametrize("name", COMMANDS)
def test_memory_that_runs_out(run, starve, name):
    normal, total = starving.count_of(lambda env, fds: run(
        name, "normal", 0, env={"LD_PRELOAD": starve, **env}, pass_fds=fds))
    assert total > 20 and normal.status in (0, 1), normal
    failed = 0
    for n in starving.places(total, PLACES):
        for sticky in ({}, {"STARVE_ON": "1"}):
            got = run(name, "sticky" if sticky else "once", n,
                      env={"LD_PRELOAD": starve, "STARVE_AT": str(n),
                           **sticky})
            judge(got, normal, f"{name}: allocation {n} of {total}, {sticky}")
            failed += got.status == 3
    assert failed > 5  # the rows bite


def limit(what, n):
    return lambda: resource.setrlimit(what, (n, n))


@pytest.mark.parametrize("name", COMMANDS)
def test_descriptors_that_run_out(run, name):
    normal = run(name, "normal", 0)
    statuses = set()
    for n in range(3, 24):
        got = run(name, "few", n,
                  preexec_fn=limit(resource.RLIMIT_NOFILE, n))
        # Some are needed to be loaded at all (status 127, the loader's).
        if got.status == 127:
            continue
        judge(got, normal, f"{name}: {n} descriptors")
        statuses.add(got.status)
    assert normal.status in statuses, statuses


@pytest.mark.parametrize("name", ["mend", "explain-html", "annotate",
                                  "cache"])
def test_files_that_may_not_grow(run, name):
    """What a full disk does to every write of the command."""
    normal = run(name, "normal", 0)
    for n in (0, 1, 100, 700):
        got = run(name, "full", n,
                  preexec_fn=limit(resource.RLIMIT_FSIZE, n))
        assert got.status == 3, f"{n}: {got!r}"
        assert "chainmend: " in got.err and got.files == set(), got
    # Large enough for what is asked for, whatever becomes of the cache.
    got = run(name, "roomy", 0,
              preexec_fn=limit(resource.RLIMIT_FSIZE, 1 << 20))
    judge(got, normal, "1 MiB")


READ_ONLY = """mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" &&
shift && exec "$@"
"""


@pytest.mark.parametrize("name", ["mend", "explain-html", "annotate",
                                  "cache", "export"])
def test_files_on_a_read_only_disk(chainmend, lab, tmp_path, name):
    """Root, too, may not write there, so the test holds for every user."""
    out = tmp_path / "out"
    out.mkdir()
    args = (COMMANDS[name](lab, out) if name in COMMANDS else
            ["explain", lab.bad, "--export-certs", out / "certs"])
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "--", "sh",
              "-c", READ_ONLY, "sh", out]
    tried = subprocess.run([*prefix, "touch", out / "x"], text=True,
                           stderr=subprocess.PIPE)
    if "Read-only file system" not in tried.stderr:
        pytest.skip("no mount namespace here: " + tried.stderr.strip())
    run = chainmend(*args, prefix=prefix)
    assert run.status == 3, run
    assert "Read-only file system" in run.err or name == "cache", run
    assert "chainmend: " in run.err and not list(out.iterdir()), run


@pytest.mark.parametrize("name", COMMANDS)
def test_output_that_nobody_takes(chainmend, lab, tmp_path, name):
    args = [str(a) for a in COMMANDS[name](lab, tmp_path)]
    with open("/dev/full", "w") as full:
        done = subprocess.run([chainmend.path, *args], env=chainmend.env,
                              stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=60)
    if name == "cache":  # has nothing to say where all is well
        assert done.returncode in (0, 3), done
        return
    if name == "run":  # the program's own words and status
        assert done.returncode == 1 and "write error" in done.stderr, done
        return
    assert done.returncode == 3 and "cannot write" in done.stderr, done


# Certificates of the lab hold for a year: 30 days back they do not yet.
@pytest.mark.parametrize("name", ["explain", "compare", "annotate", "check",
                                  "dhcp", "profiles"])
def test_a_clock_that_jumps_changes_no_verdict(run, jump, name):
    """Captures are judged at the packet's time, files at --at."""
    normal = run(name, "normal", 0)
    got = run(name, "jump", 0, env={"LD_PRELOAD": jump,
                                    "JUMP_S": str(900 * 86400)})
    judge(got, normal, name)
    assert got.status == normal.status


def test_waits_end_whatever_the_clock_says(chainmend, jump):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        run = chainmend("check", f"127.0.0.1:{silent.getsockname()[1]}",
                        "--timeout", "1", "--offline", timeout=30,
                        env={"LD_PRELOAD": jump, "JUMP_S": "86400"})
    assert run.status == 3 and "is silent" in run.err, run


def test_a_refusal_is_forgotten_though_the_clock_went_back(
        chainmend, lab, web, tmp_path, jump):
    """A dead address is left alone for a while.  When the clock goes back by
    years, that while must not become years."""
    p = Pki(tmp_path / "pki")
    root = p.root("Root")
    ca = root.issue_ca("CA")
    leaf = ca.issue("web.example", aia=web.url("/ca.cer"))
    args = ("check", leaf.pem, "--roots", root.pem, "--allow-private",
            "--json", "--at", lab.at)
    assert chainmend(*args).status == 1 and web.paths() == ["/ca.cer"]
    web.put("/ca.cer", ca.der)
    run = chainmend(*args, env={"LD_PRELOAD": jump, "JUMP_ONCE": "1",
                                "JUMP_S": str(-900 * 86400)})
    assert web.paths() == ["/ca.cer"] * 2, run
    line, = run.of_kind("endpoint")
    assert "aia" in [c["from"] for c in line["path"]], run
