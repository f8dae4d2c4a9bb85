# SPDX-License-Identifier: Apache-2.0
"""tools/check-functions: a planted fault is found.  That this tree has none is
a test of its own in tests/meson.build."""
import pytest


def function(name, lines):
    return f"int {name}(\n\tint a)\n{{\n" + "\ta++;\n" * (lines - 4) + "}\n"


def test_an_empty_tree_is_no_success(tool, tmp_path):
    assert tool("check-functions", "--root", tmp_path).returncode == 1


@pytest.mark.parametrize("lines, status", [(60, 0), (100, 0), (101, 1)])
def test_length_is_counted_from_the_signature(tool, tree, lines, status):
    root = tree({"src/core/a.c": function("long_one", lines)})
    run = tool("check-functions", "--root", root)
    assert run.returncode == status
    assert ("long_one has 101 lines" in run.stdout) == bool(status)


def test_over_sixty_is_listed_on_request(tool, tree):
    root = tree({"src/core/a.c": function("f60", 60) + function("f61", 61)})
    run = tool("check-functions", "--list", "--root", root)
    assert run.returncode == 0
    assert "f61 has 61 lines (listed)" in run.stdout
    assert "f60" not in run.stdout


def test_a_file_has_a_ceiling(tool, tree):
    text = function("f", 10) + "/* */\n" * 791
    run = tool("check-functions", "--root", tree({"src/core/a.c": text}))
    assert run.returncode == 1 and "801 lines" in run.stdout


@pytest.mark.parametrize("call, says", [
    ("strcpy(a, b);", "strcpy is banned"),
    ("x = system (a);", "system is banned"),
    ("free(a);", "free has its home in src/core/mem.c"),
    ("if (sscanf(a, b))", "sscanf is banned"),
])
def test_a_banned_call_is_found(tool, tree, call, says):
    text = function("f", 5) + f"int g(void)\n{{\n\t{call}\n}}\n"
    run = tool("check-functions", "--root", tree({"src/core/a.c": text}))
    assert run.returncode == 1
    assert f"src/core/a.c:8: {says}" in run.stdout


@pytest.mark.parametrize("line", [
    "/* strcpy(a, b) */", 'say("system(1)");', "o->free(o);", "cmi_free(o);",
    "my_system(1);", "table.random(c);",
])
def test_what_only_looks_like_one_is_not(tool, tree, line):
    text = function("f", 5) + f"int g(void)\n{{\n\t{line}\n}}\n"
    run = tool("check-functions", "--root", tree({"src/core/a.c": text}))
    assert run.returncode == 0, run.stdout


OWNED = "int g(int a)\n{{\n\tCMI_AUTO(buf_dispose) struct buf {};\n\n{}}}\n"


@pytest.mark.parametrize("declared, body, faulty", [
    ("b", "\tif (a)\n\t\treturn 1;\n\tinit(&b);\n", True),
    ("b", "\tCMI_TRY(f(a));\n\tinit(&b);\n", True),
    ("x, b", "\tinit(&x);\n\tCMI_TRY(f(a));\n\tinit(&b);\n", True),
    ("b", "\treturn 1;\n", True),
    ("b = {0}", "\tif (a)\n\t\treturn 1;\n\tinit(&b);\n", False),
    ("b", "\tinit(&b);\n\tif (a)\n\t\treturn 1;\n", False),
    ("b", "\ta++;\n\tCMI_TRY(open(&b, a));\n", False),
])
def test_an_owner_has_a_value_on_every_way_out(tool, tree, declared, body,
                                               faulty):
    text = function("f", 5) + OWNED.format(declared, body)
    run = tool("check-functions", "--root", tree({"src/core/a.c": text}))
    assert run.returncode == faulty, run.stdout
    assert ("src/core/a.c:8: b has no value" in run.stdout) == faulty
