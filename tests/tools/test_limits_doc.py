# SPDX-License-Identifier: Apache-2.0
"""tools/limits-doc: the page is up to date, and no limit lacks its reason."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_define_is_on_the_page(tool, tmp_path):
    out = tmp_path / "limits.md"
    assert tool("limits-doc", "--out", out).returncode == 0
    header = (ROOT / "src" / "core" / "limits.h").read_text()
    page = out.read_text()
    names = re.findall(r"^#define (CMI_\w+)[ \t]+\S", header, re.M)
    assert names
    assert [n for n in names if f"| `{n}` |" not in page] == []


@pytest.mark.parametrize("text, row", [
    ("/* Why. */\n#define CMI_A ((size_t)256 << 10)\n",
     "| `CMI_A` | 256 KiB | Why. |"),
    ("/* Over\n * lines. */\n#define CMI_B_MS 3000\n",
     "| `CMI_B_MS` | 3000 ms | Over lines. |"),
    ("#define CMI_C 16u /* behind */\n", "| `CMI_C` | 16 | behind |"),
    ("/* a|b */\n#define CMI_D (CMI_C * 2)\n",
     "| `CMI_D` | `CMI_C * 2` | a\\|b |"),
])
def test_one_limit(tool, tmp_path, text, row):
    header, out = tmp_path / "limits.h", tmp_path / "limits.md"
    header.write_text(text)
    run = tool("limits-doc", "--header", header, "--out", out)
    assert run.returncode == 0, run.stdout
    assert out.read_text().splitlines()[-1] == row


@pytest.mark.parametrize("text, says", [
    ("#define CMI_A 1\n", "no reason given for CMI_A"),
    ("/* for A */\n#define CMI_A 1\n#define CMI_B 2\n",
     "no reason given for CMI_B"),
    ("", "no limits found"),
])
def test_refusals(tool, tmp_path, text, says):
    header = tmp_path / "limits.h"
    header.write_text(text)
    run = tool("limits-doc", "--header", header, "--out", tmp_path / "out")
    assert run.returncode == 1 and says in run.stdout
    assert not (tmp_path / "out").exists()


def test_an_old_page_is_found(tool, tmp_path):
    out = tmp_path / "limits.md"
    out.write_text("old\n")
    run = tool("limits-doc", "--check", "--out", out)
    assert run.returncode == 1 and "not up to date" in run.stdout
    assert out.read_text() == "old\n"
