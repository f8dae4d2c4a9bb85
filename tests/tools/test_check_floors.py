# SPDX-License-Identifier: Apache-2.0
"""tools/check-floors: a planted fault is found.  That this tree has none is a
test of its own in tests/meson.build."""
import pytest

CLEAN = {
    "src/core/a.h": "",
    "src/core/a.c": '#include "core/a.h"\n#include <string.h>\n',
    "src/x509/b.h": '#include "core/a.h"\n',
    "src/x509/b.c": '#include "x509/b.h"\n#include <openssl/x509.h>\n',
    "src/wire/w.h": "",
    "src/chain/path.h": "",
    "src/chain/search.h": "",
    "src/cli/cmd_x.c": '#include "x509/b.h"\n#include "chain/path.h"\n',
    "include/chainmend/chainmend.h": "#include <stdint.h>\n",
}


def test_a_clean_tree_passes(tool, tree):
    run = tool("check-floors", "--root", tree(CLEAN))
    assert (run.returncode, run.stdout) == (0, "")


def test_an_empty_tree_is_no_success(tool, tmp_path):
    assert tool("check-floors", "--root", tmp_path).returncode == 1


@pytest.mark.parametrize("name, text, says", [
    ("src/core/bad.c", '#include "x509/b.h"\n',
     'src/core/bad.c:1: floor core may not include "x509/b.h"'),
    ("src/wire/bad.c", '\n#include "x509/b.h"\n',
     'src/wire/bad.c:2: floor wire may not include "x509/b.h"'),
    ("src/core/bad.c", '#include "../x509/b.h"\n',
     'floor core may not include "x509/b.h"'),
    ("src/cli/bad.c", '#include "chain/search.h"\n',
     'floor cli may not include "chain/search.h"'),
    ("src/x509/bad.c", '#include <sqlite3.h>\n',
     "<sqlite3.h> has its home in issuers/store*"),
    ("src/x509/bad.c", '  #  include <openssl/ssl.h>\n',
     "<openssl/ssl.h> has its home in"),
    ("src/core/bad.c", "#include <libxml/parser.h>\n",
     "<libxml/parser.h> stands in no table"),
    ("src/core/bad.c", '#include "nowhere.h"\n', '"nowhere.h" is not in src'),
    ("src/attic/bad.c", "", '"attic" is no floor'),
    ("include/chainmend/bad.h", "#include <openssl/ssl.h>\n",
     "public header includes <openssl/ssl.h>"),
])
def test_a_planted_fault_is_found(tool, tree, name, text, says):
    run = tool("check-floors", "--root", tree({**CLEAN, name: text}))
    assert run.returncode == 1
    assert says in run.stdout


@pytest.mark.parametrize("text", [
    '/* #include "x509/b.h" */\n', '// #include "x509/b.h"\n',
    '/*\n#include "x509/b.h"\n*/\n',
])
def test_a_comment_includes_nothing(tool, tree, text):
    run = tool("check-floors", "--root",
               tree({**CLEAN, "src/core/good.c": text}))
    assert run.returncode == 0, run.stdout


def test_the_table_of_the_architecture_page_is_drawn_from_the_sources(tool):
    run = tool("check-floors", "--table")
    assert (run.returncode, run.stdout) == (0, "")


def test_a_table_that_is_wrong_is_found_and_drawn_anew(tool, tree):
    page = ("# Architecture\n\n| floor | may include | does include |\n"
            "|---|---|---|\n| core | everything | x509 |\n\nMore.\n")
    root = tree({**CLEAN, "docs/architecture.md": page})
    run = tool("check-floors", "--root", root, "--table")
    assert run.returncode == 1 and "--table --write" in run.stdout
    run = tool("check-floors", "--root", root, "--table", "--write")
    assert run.returncode == 0
    drawn = (root / "docs" / "architecture.md").read_text()
    assert "| x509 | core | core |\n" in drawn and "everything" not in drawn
    assert drawn.endswith("\n\nMore.\n")
    assert tool("check-floors", "--root", root, "--table").returncode == 0


def test_a_page_without_a_table_is_found(tool, tree):
    root = tree({**CLEAN, "docs/architecture.md": "# Architecture\n"})
    run = tool("check-floors", "--root", root, "--table")
    assert run.returncode == 1 and "no table" in run.stdout
