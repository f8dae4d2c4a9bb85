# SPDX-License-Identifier: Apache-2.0
"""What several benchmarks share: a network of their own, and a judgement of
whether the memory of a process stays flat."""
import os
import re
import subprocess
import sys
from pathlib import Path


def inside_namespace(name):
    """Runs this file again with a network of its own; no return."""
    if os.environ.get("CMI_BENCH_INSIDE"):
        return
    command = ["unshare", "--user", "--map-root-user", "--net", "--"]
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode:
        print(f"{name}: skipped: no user namespaces here")
        sys.exit(0)
    os.environ["CMI_BENCH_INSIDE"] = "1"
    os.execvp("unshare", [*command, sys.executable, *sys.argv])


def ip(*words):
    subprocess.run(["ip", "link", *words], check=True)


def rss_mib(pid):
    """Resident memory; 0 of one that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found.group(1)) / 1024 if found else 0.0


def children(pid):
    """The processes that a process has started itself."""
    try:
        return [int(child) for child in Path(
            f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def rise(points):
    """By how much the straight line through [(time, value), ...] rises from
    the first to the last of them, by least squares."""
    if len(points) < 2:
        return 0.0
    mean_t = sum(t for t, _ in points) / len(points)
    mean_v = sum(v for _, v in points) / len(points)
    over = sum((t - mean_t) ** 2 for t, _ in points)
    slope = sum((t - mean_t) * (v - mean_v) for t, v in points) / over
    return slope * (points[-1][0] - points[0][0])


def warm(points, part=1 / 3):
    """The points behind the first part of the time that they span."""
    if not points:
        return []
    begin = points[0][0] + part * (points[-1][0] - points[0][0])
    return [p for p in points if p[0] >= begin]
