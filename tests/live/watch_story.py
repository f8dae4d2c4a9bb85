#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs inside a network namespace: watch lo while curl fails and succeeds.

usage: watch_story.py PROGRAM DIRECTORY LEAF KEY CHAIN ROOT
Writes what it saw to DIRECTORY: watch.ndjson, watch.err, metrics.txt, keep/.
"""
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import servers


def wait_for_text(path, pattern):
    return servers.wait_until(
        lambda: path.exists() and re.search(pattern, path.read_text()),
        f"{pattern} in {path}")


def told(path):
    """Failures of curl told so far; other connections only wake servers."""
    return path.read_text().count('"verdict":"missing-intermediate"')


def curl(port, root):
    return subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "--tls-max", "1.2", "--cacert",
         root, "--resolve", f"web.example:{port}:127.0.0.1",
         f"https://web.example:{port}/"], capture_output=True).returncode


def main(program, directory, leaf, key, chain, root):
    directory = Path(directory)
    out, err = directory / "watch.ndjson", directory / "watch.err"
    watch = subprocess.Popen(
        [program, "watch", "--require-sandbox", "--roots", root, "--policy",
         "webpki", "--keep", directory / "keep",
         "--keep-max", "2", "--metrics", "127.0.0.1:0", "lo"],
        stdout=open(out, "wb"), stderr=open(err, "wb"))
    try:
        wait_for_text(err, "watching lo")
        status = Path(f"/proc/{watch.pid}/status").read_text()
        assert "Seccomp:\t2" in status, status
        port = wait_for_text(err, r"metrics on port (\d+)").group(1)
        broken = servers.start_s_server(directory / "broken", leaf, key)
        mended = servers.start_s_server(directory / "mended", leaf, key,
                                        chain=chain)
        statuses = [curl(mended.port, root)]
        statuses += [curl(broken.port, root) for _ in range(3)]
        assert statuses == [0, 60, 60, 60], statuses
        servers.wait_until(lambda: told(out) == 3, "three failures")
        watch.send_signal(signal.SIGHUP)
        # The reload is over when a later failure is told again.
        assert curl(broken.port, root) == 60
        servers.wait_until(lambda: told(out) == 4, "a fourth")
        # Roots and cache could be opened anew, locked in as it is.
        assert "old settings" not in err.read_text(), err.read_text()
        assert "cache" not in err.read_text(), err.read_text()
        with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/metrics", timeout=10) as f:
            (directory / "metrics.txt").write_bytes(f.read())
        broken.stop()
        mended.stop()
        watch.send_signal(signal.SIGTERM)
        status = watch.wait(timeout=15)
        (directory / "status").write_text(str(status))
    finally:
        watch.kill()
        watch.wait()


if __name__ == "__main__":
    start = time.monotonic()
    main(*sys.argv[1:])
    print(f"{time.monotonic() - start:.1f} s")
