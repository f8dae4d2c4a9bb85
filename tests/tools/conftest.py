# SPDX-License-Identifier: Apache-2.0
"""For the tests of tools/: run one as a user would."""
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool():
    """tool("check-floors", args...) -> the finished process."""
    def run(name, *args, **how):
        path = ROOT / "tools" / name
        with open(path) as f:
            python = "python" in f.readline()
        return subprocess.run(
            ([sys.executable] if python else []) + [str(path), *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)
    return run


@pytest.fixture
def tree(tmp_path):
    """tree({"src/core/a.c": "text"}) -> a small project."""
    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path
    return make
