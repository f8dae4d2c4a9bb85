# SPDX-License-Identifier: Apache-2.0
"""tools/run-tests: what counts as passed, failed and skipped."""
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "tools" / "run-tests"
loader = importlib.machinery.SourceFileLoader("run_tests", str(PATH))
spec = importlib.util.spec_from_loader("run_tests", loader)
run_tests = importlib.util.module_from_spec(spec)
loader.exec_module(run_tests)

TWO_GOOD = """[==========] Running 2 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[       OK ] two
[==========] 2 test(s) run.
[  PASSED  ] 2 test(s).
"""
ONE_BAD = """[==========] Running 2 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[  ERROR   ] --- 1 != 2
[  FAILED  ] two
[==========] 2 test(s) run.
[  PASSED  ] 1 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] two

 1 FAILED TEST(S)
"""
CRASHED = "[ RUN      ] one\n[       OK ] one\n[ RUN      ] two\n"
SKIPPED = "[ RUN      ] one\n[  SKIPPED ] one\n"


@pytest.mark.parametrize("text, result, totals", [
    (TWO_GOOD, "OK", (2, 0, 0)),
    (ONE_BAD, "FAIL", (1, 1, 0)),
    (CRASHED, "FAIL", (1, 1, 0)),
    (SKIPPED, "OK", (0, 0, 1)),
    (TWO_GOOD, "FAIL", (2, 1, 0)),  # good cases, then a leak at exit
    (TWO_GOOD, "TIMEOUT", (2, 1, 0)),
    ("8 seeds, 99 inputs\n", "OK", (1, 0, 0)),
    ("", "FAIL", (0, 1, 0)),
    ("", "SKIP", (0, 0, 1)),
], ids=["good", "bad", "crash", "skipped case", "bad exit", "timeout",
        "no cmocka", "bad and silent", "skipped program"])
def test_one_program(text, result, totals):
    got = run_tests.count_program({"stderr": text, "result": result})
    assert (got.passed, got.failed, got.skipped) == totals


@pytest.mark.parametrize("passed, failed, skipped, line", [
    (3, 0, 0, "3 passed, 0 failed"),
    (3, 1, 2, "3 passed, 1 failed, 2 skipped"),
])
def test_the_closing_line(passed, failed, skipped, line):
    totals = run_tests.Totals()
    totals.passed, totals.failed, totals.skipped = passed, failed, skipped
    assert str(totals) == line


REPORT = """<testsuites><testsuite errors="1" failures="1" skipped="1" tests="5">
</testsuite></testsuites>"""


def test_a_pytest_report(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    assert str(run_tests.pytest_cases(path)) == "2 passed, 2 failed, 1 skipped"


@pytest.mark.parametrize("script, wanted", [
    ("raise SystemExit(3)", 3),
    ("import signal; signal.pause()", -1),
], ids=["ends", "has to be asked"])
def test_what_is_too_slow_is_ended(script, wanted):
    got = run_tests.ended_in_time([sys.executable, "-c", script], None, 2)
    assert got == wanted
