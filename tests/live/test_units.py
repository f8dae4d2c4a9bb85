# SPDX-License-Identifier: Apache-2.0
"""The units' programs, started as the units start them where no systemd runs:
as nobody with the unit's capabilities, on a read-only system but for its own
directories, with the system calls, the address families and the memory that
the unit leaves to them; told to a manager's socket, used, and ended."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import servers
from conftest import ROOT, without_gcov
from test_fleet import tiny_capture
from test_packaging import UNITS, systemd_version

HERE = Path(__file__).resolve().parent / "units"
sys.path.insert(0, str(HERE))

import unit as units  # noqa: E402

# What is ours stays writable; all else is not.
INSIDE = """set -e
ip link set lo up
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec "$@"
"""


@pytest.fixture(scope="module")
def confine(tmp_path_factory):
    if not Path("/usr/include/seccomp.h").exists():
        pytest.skip("no libseccomp headers on this machine")
    out = tmp_path_factory.mktemp("confine") / "confine"
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-o", out,
                    HERE / "confine.c", "-lseccomp"], check=True)
    return out


@pytest.fixture(scope="module")
def known_calls():
    if systemd_version() < 250:
        pytest.skip("no systemd-analyze here")
    return units.groups()


@pytest.fixture
def alone():
    """Words before a command: nobody, with every right over a network, mounts
    and processes of its own."""
    prefix = ["unshare", "--user", "--map-user=65534", "--map-group=65534",
              "--keep-caps", "--net", "--mount", "--pid", "--fork",
              "--kill-child", "--mount-proc", "--", "sh", "-c", INSIDE, "sh"]
    tried = subprocess.run([*prefix, "/tmp", "true"], text=True,
                           stderr=subprocess.PIPE)
    if tried.returncode:
        pytest.skip("no namespaces here: " + tried.stderr.strip())
    return prefix


@without_gcov
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_does_its_work(unit, confine, known_calls, alone, program, pki,
                              tmp_path):
    needs = {"chainmend-watch@": "curl", "chainmend-worker": "redis-server",
             "chainmend-serve": "curl"}.get(unit.stem, "setpriv")
    if not servers.program(needs) or not shutil.which("setpriv"):
        pytest.skip(f"no {needs} or no setpriv on this machine")
    calls = tmp_path / "calls"
    calls.write_text("".join(f"{name}\n" for name in sorted(units.filtered(
        units.read(unit), known_calls))))
    (tmp_path / "list").write_text("127.0.0.1:1\n")
    (tmp_path / "one.pcap").write_bytes(tiny_capture())
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "LD_LIBRARY_PATH") or k.endswith("SAN_OPTIONS")}
    words = tmp_path / "words.json"
    words.write_text(json.dumps(
        {"unit": str(unit), "directory": str(tmp_path), "program": program,
         "confine": str(confine), "calls": str(calls),
         "env": {**env, "CHAINMEND_PROFILES": str(ROOT / "data/profiles")},
         "leaf": str(pki.leaf.pem), "key": str(pki.leaf.key),
         "chain": str(pki.intermediate.pem), "root": str(pki.anchor.pem),
         "targets": str(tmp_path / "list"),
         "capture": str(tmp_path / "one.pcap")}))
    done = subprocess.run(
        [*alone, tmp_path, sys.executable, HERE / "story.py", words], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=150)
    assert done.returncode == 0, done.stdout


def test_what_is_not_left_is_refused(confine, tmp_path):
    """The confinement bites: else the tests above could not fail."""
    calls = tmp_path / "calls"
    known = units.groups() if systemd_version() >= 250 else None
    if not known:
        pytest.skip("no systemd-analyze here")
    calls.write_text("".join(f"{name}\n" for name in units.calls(
        ["@system-service"], known)))
    code = ("import ctypes, errno, mmap, socket\n"
            "def refused(act):\n"
            "    try: act()\n"
            "    except OSError as e: return e.errno == errno.EPERM\n"
            "    return False\n"
            "socket.socket(socket.AF_UNIX)\n"
            "assert refused(lambda: socket.socket(socket.AF_INET))\n"
            "assert refused(lambda: mmap.mmap(-1, 4096, prot=7))\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "assert libc.chroot(b'/') == -1\n"
            "assert ctypes.get_errno() == errno.EPERM\n")
    done = subprocess.run([confine, calls, "1", sys.executable, "-c", code],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
