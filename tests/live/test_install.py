# SPDX-License-Identifier: Apache-2.0
"""Manual pages and completions, made from the tables, read by others."""
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def commands(program):
    out = subprocess.run([program, "help", "--json"], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def make(program, tmp_path):
    """make("man", "chainmend") -> the path of what tools/make-manuals made."""
    def run(*what):
        out = tmp_path / "-".join(what)
        subprocess.run([str(ROOT / "tools" / "make-manuals"), "--program",
                        program, "--prose", str(ROOT / "docs" / "man"),
                        "--date", "January 1, 2026", "--out", str(out), *what],
                       check=True)
        return out
    return run


def test_every_manual_page_is_clean_and_complete(make, commands):
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc on this machine")
    for command in [None, *commands]:
        name = "chainmend" + (f"-{command['name']}" if command else "")
        page = make("man", name)
        lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page],
                              stdout=subprocess.PIPE, text=True)
        assert lint.stdout == "" and lint.returncode == 0
        text = subprocess.run(["mandoc", "-Tutf8", page], text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        plain = re.sub(".\b", "", text)  # bold is a letter struck twice
        for option in command["options"] if command else []:
            assert "--" + option["name"] in plain, (name, option["name"])


def test_bash_completes_commands_options_and_choices(make, commands):
    script = make("bash")
    tries = [(1, "chainmend ch", "check"),
             (2, "chainmend check --off", "--offline"),
             (3, "chainmend check --color al", "always"),
             (2, "chainmend help sho", "show")]
    for index, line, wanted in tries:
        words = line.split()
        code = (f"source {script}\nCOMP_WORDS=({line})\nCOMP_CWORD={index}\n"
                f"_chainmend chainmend '{words[-1]}' '{words[-2]}'\n"
                'echo "${COMPREPLY[@]}"\n')
        out = subprocess.run(["bash", "-c", code], text=True, check=True,
                             stdout=subprocess.PIPE).stdout.split()
        assert out == [wanted], line


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_shell_takes_its_completion(make, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} on this machine")
    subprocess.run([shell, "-n", str(make(shell))], check=True)


def test_an_unknown_page_is_refused(program, tmp_path):
    done = subprocess.run(
        [str(ROOT / "tools" / "make-manuals"), "--program", program, "--prose",
         str(tmp_path), "--out", str(tmp_path / "x"), "man", "chainmend-nothing"],
        stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "no such page" in done.stderr
    assert not (tmp_path / "x").exists()
