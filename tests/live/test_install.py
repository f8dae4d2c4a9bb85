# SPDX-License-Identifier: Apache-2.0
"""Manual pages and completions, made from the tables, read by others."""
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
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
        assert (ROOT / "docs" / "man" / f"{name}.mdoc").exists(), name
        lint = subprocess.run(["mandoc", "-Tlint", page],
                              stdout=subprocess.PIPE, text=True).stdout
        # Whether other pages are installed here is not the page's fault.
        said = [line for line in lint.splitlines()
                if "referenced manual not found" not in line and
                "mandoc.db" not in line]
        assert not said, "\n".join(said)
        for section in ("DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
            assert f"\n.Sh {section}\n" in page.read_text(), (name, section)
        text = subprocess.run(["mandoc", "-Tutf8", page], text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        plain = re.sub(".\b", "", text)  # bold is a letter struck twice
        for option in command["options"] if command else []:
            assert "--" + option["name"] in plain, (name, option["name"])


def commands_shown():
    """(where, words) of each chainmend command that a text shows."""
    shown = re.compile(r"^(?:    |\.Dl |\$ )?(?:\S+ run -- |sudo |env \S+ )?"
                       r"chainmend ([a-z].*)$", re.M)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
                 *sorted((ROOT / "docs" / "man").glob("*.mdoc"))]:
        for match in shown.finditer(path.read_text()):
            yield path.name, match.group(1)


def without_shell(text):
    """The words of the first command of a line."""
    # A variable stands for a number, or for a part of a name; of a command
    # that goes on, its first line is looked at.
    text = re.sub(r"\$\w+", "1", text.rstrip("\\"))
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set("|;&<>"):
            break
        words.append(word)
    return words


def test_every_command_shown_is_one_that_the_program_takes(chainmend,
                                                           commands):
    """--help behind it: everything before has been parsed by then."""
    names = {command["name"] for command in commands}
    examples = [(f"{c['name']} --help", line.split("chainmend ", 1)[1])
                for c in commands for line in c["examples"].splitlines()
                if line.strip().startswith("chainmend ")]
    tried = 0
    for where, text in [*commands_shown(), *examples]:
        words = without_shell(text)
        if words[0] not in names:
            continue
        end = words.index("--") if "--" in words else len(words)
        run = chainmend(*words[:end], "--help")
        assert run.status == 0, (where, run)
        tried += 1
    assert tried > 40


def test_html_has_an_index_of_all_pages(make, tmp_path):
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc on this machine")
    pages, out = tmp_path / "pages", tmp_path / "html"
    pages.mkdir()
    for name in ("chainmend", "chainmend-check"):
        make("man", name).rename(pages / f"{name}.1")
    subprocess.run([ROOT / "tools" / "make-html", "--pages", pages, "--out",
                    out], check=True, stdout=subprocess.PIPE)
    index = (out / "index.html").read_text()
    assert re.findall(r'href="(\S+\.1\.html)"', index) == [
        "chainmend-check.1.html", "chainmend.1.html"]
    assert "accept a server" in index
    check = (out / "chainmend-check.1.html").read_text()
    assert 'href="chainmend.1.html"' in check
    assert "EXAMPLES" in check


def test_bash_completes_commands_options_and_choices(make, commands):
    script = make("bash")
    tries = [(1, "chainmend ch", "check"),
             (2, "chainmend check --off", "--offline"),
             (3, "chainmend check --color al", "always"),
             (3, "chainmend mend --starttls siev", "sieve"),
             (2, "chainmend cache pr", "prune"),
             (2, "chainmend help sho", "show")]
    for index, line, wanted in tries:
        words = line.split()
        code = (f"source {script}\nCOMP_WORDS=({line})\nCOMP_CWORD={index}\n"
                f"_chainmend chainmend '{words[-1]}' '{words[-2]}'\n"
                'echo "${COMPREPLY[@]}"\n')
        out = subprocess.run(["bash", "-c", code], text=True, check=True,
                             stdout=subprocess.PIPE).stdout.split()
        assert out == [wanted], line


def test_every_protocol_of_starttls_is_offered(chainmend, commands):
    """What completes is what the program says that it knows."""
    run = chainmend("check", "--starttls", "nonsense", "x.example")
    known = re.search(r"it knows ([\w, -]+);", run.err).group(1).split(", ")
    assert "smtp" in known and len(known) > 5
    offered = {command["name"]: option["choices"].split("|")
               for command in commands for option in command["options"]
               if option["name"] == "starttls"}
    assert offered == dict.fromkeys(["check", "mend", "show"], known)


# What is typed, and the whole line that completing its last word makes.
LINES = [("chainmend che", "chainmend check"),
         ("chainmend check --off", "chainmend check --offline"),
         ("chainmend check --color al", "chainmend check --color always"),
         ("chainmend show --starttls siev", "chainmend show --starttls sieve"),
         ("chainmend cache pr", "chainmend cache prune"),
         ("chainmend data st", "chainmend data status"),
         ("chainmend mend --key privk", "chainmend mend --key privkey.pem"),
         ("chainmend help sho", "chainmend help show")]


def test_fish_completes(make, clean_env, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("no fish on this machine")
    (tmp_path / "privkey.pem").touch()
    script = make("fish")
    for line, wanted in LINES:
        # `help` is fish's own word list; the rest is ours.
        if line.startswith("chainmend help"):
            continue
        out = subprocess.run(
            ["fish", "--no-config", "-c",
             f"source {script}; complete -C '{line}'"], check=True, text=True,
            cwd=tmp_path, env=clean_env, stdout=subprocess.PIPE).stdout
        words = [found.split("\t")[0] for found in out.splitlines()]
        assert wanted.split()[-1] in words, (line, words)


class Terminal:
    """A shell at a terminal of its own; reads with a deadline."""

    def __init__(self, command, env, cwd):
        self.process, self.fd = pty.fork()
        if not self.process:
            os.chdir(cwd)
            os.execvpe(command[0], command, env)
        self.text = ""

    def say(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern, deadline_s=60):
        end = time.monotonic() + deadline_s
        while not (found := re.search(pattern, self.text)):
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            assert ready, f"no {pattern!r} in time in: {self.text!r}"
            self.text += os.read(self.fd, 65536).decode(errors="replace")
        self.text = self.text[found.end():]
        return found

    def close(self):
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.fd)


def test_zsh_completes(make, clean_env, tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("no zsh on this machine")
    (tmp_path / "privkey.pem").touch()
    functions = tmp_path / "functions"
    functions.mkdir()
    shutil.copy(make("zsh"), functions / "_chainmend")
    shell = Terminal(["zsh", "-f", "-i"], clean_env, tmp_path)
    try:
        shell.say(f"fpath=({functions} $fpath); autoload -Uz compinit; "
                  "compinit -u -D; chainmend() { print -r -- \"<$*>\" }; "
                  "print rea''dy\r")
        shell.wait_for("ready")
        for line, wanted in LINES:
            shell.say(line + "\t\r")
            got = shell.wait_for(r"<([^>\n]*)>").group(1)
            assert "chainmend " + got.strip() == wanted, line
    finally:
        shell.close()


def test_an_unknown_page_is_refused(program, tmp_path):
    done = subprocess.run(
        [str(ROOT / "tools" / "make-manuals"), "--program", program, "--prose",
         str(tmp_path), "--out", str(tmp_path / "x"), "man", "chainmend-nothing"],
        stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "no such page" in done.stderr
    assert not (tmp_path / "x").exists()
