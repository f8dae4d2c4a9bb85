# SPDX-License-Identifier: Apache-2.0
"""Pages that name tests, tools and files of this tree name ones that exist."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What stands in one pair of backticks.
QUOTED = re.compile(r"`([^`\n]+)`")
# A file of this tree, named by its whole path.
PATH = re.compile(r"(?:tests|tools|src|bench|data|docs|packaging|examples)/\S+")
# A name with a part for which the reader puts in his own.
PLACE = re.compile(r"(?:^|[/_])(?:X|NAME|FLOOR)(?:[/.]|$)")
DEFINED = re.compile(r"^(?:static void|def) (\w+)\(", re.M)


def known_tests(root):
    """{name of a test's file: the names of its tests}"""
    found = {}
    for path in (root / "tests").rglob("*"):
        if path.suffix in (".c", ".h", ".py"):
            found[path.name] = set(DEFINED.findall(path.read_text()))
    return found


def problem(word, root, tests):
    """What is wrong with a word in backticks; None where nothing is."""
    word, _, test = word.split()[0].partition("::")
    if PLACE.search(word):
        return None
    name = word.rsplit("/", 1)[-1]
    if PATH.match(word) and not list(root.glob(word.rstrip("/"))):
        return f"there is no {word}"
    if not PATH.match(word) and name.startswith("test_"):
        if name.endswith((".py", ".c")):
            if name not in tests:
                return f"there is no {name}"
        elif not any(name in names for names in tests.values()):
            return f"there is no test {name}"
    if test and test not in tests.get(name, ()):
        return f"{name} has no {test}"
    return None


def problems(text, root):
    tests = known_tests(root)
    found = (problem(word, root, tests) for word in QUOTED.findall(text)
             if word.strip())
    return [p for p in found if p]


def promises(text):
    """[(promise, what holds it)] of a page's first table."""
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", text.split("\n## ")[0], re.M)
    return [row for row in rows if row[0] != "promise"
            and not set(row[0]) <= set("-|")]


@pytest.mark.parametrize("page", sorted(
    p.relative_to(ROOT) for p in [ROOT / "README.md", ROOT / "CONTRIBUTING.md",
                                  *(ROOT / "docs").glob("*.md")]), ids=str)
def test_what_a_page_names_is_there(page):
    assert problems((ROOT / page).read_text(), ROOT) == []


def test_every_promise_names_what_holds_it():
    rows = promises((ROOT / "docs" / "reliability.md").read_text())
    assert len(rows) >= 20
    holds = re.compile(r"`(tests/|test_|tools/|bench/)")
    assert [promise for promise, held in rows if not holds.search(held)] == []


@pytest.mark.parametrize("text, wrong", [
    ("`tests/unit/test_a.c`", []),
    ("`tests/unit/`, `tests/live/test_*.py`", []),
    ("`test_b.py::test_it` and `test_it`, `--option`, `tests`", []),
    ("`tools/check --all`", []),
    ("`test_a.c::row`", []),
    ("`tests/unit/FLOOR/test_X.c`", []),
    ("`tests/unit/test_gone.c`", ["there is no tests/unit/test_gone.c"]),
    ("`test_gone.py`", ["there is no test_gone.py"]),
    ("`test_gone`", ["there is no test test_gone"]),
    ("`test_b.py::test_gone`", ["test_b.py has no test_gone"]),
    ("`tests/live/test_b.py::test_gone`", ["test_b.py has no test_gone"]),
    ("`tools/gone --all`", ["there is no tools/gone"]),
])
def test_a_wrong_reference_is_found(tree, text, wrong):
    root = tree({"tests/unit/test_a.c": "static void row(void **state)\n{\n",
                 "tests/live/test_b.py": "def test_it():\n    pass\n",
                 "tools/check": ""})
    assert problems(text, root) == wrong


def test_promises_are_read(tree):
    text = "| promise | held by |\n|---|---|\n| a, b | `x` |\n| c | `y`, z |\n"
    assert promises(text) == [("a, b", "`x`"), ("c", "`y`, z")]


def rooms(text):
    """{floor: the words in backticks of its paragraph}"""
    part = text.split("\n## Room by room\n")[1].split("\n## ")[0]
    return {m.group(1): QUOTED.findall(m.group(2)) for m in
            re.finditer(r"^\*\*(\w+)\*\*((?:.|\n)*?)(?=\n\n|\Z)", part, re.M)}


def test_each_room_is_there():
    """Every floor has its paragraph, and every word in it is a file there."""
    found = rooms((ROOT / "docs" / "architecture.md").read_text())
    floors = {p.parent.name for p in (ROOT / "src").glob("*/meson.build")}
    assert set(found) == floors
    for floor, words in found.items():
        for word in words:
            if not re.fullmatch(r"[a-z0-9_]+", word):
                continue  # a command or a type
            files = (f"{floor}/{word}.c", f"{floor}/{word}.h",
                     f"cli/cmd_{word}.c")
            assert any((ROOT / "src" / f).exists() for f in files), (floor,
                                                                     word)
