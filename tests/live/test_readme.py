# SPDX-License-Identifier: Apache-2.0
"""Every marked example in README and the guides prints what it shows.

A fenced block behind a line `<!-- run -->` is run as one shell session, in one
scratch directory for all pages, README first: lines that begin with `$ ` are
typed, the others must come out.  `...` alone on a line stands for any lines.
Times, ports, digests and the like are compared as placeholders.

A comment `<!-- setup`, shell lines, `-->` directly above is run first, unseen
by readers: then the session has a network of its own, in which NAMES are this
machine and every port is free, and what it started ends with it.

An indented block shows commands without what they print.  A comment `<!-- try`,
a line for each command, `-->` above says what must come of it: its exit status
and a part of what it prints; or, of one that does not end by itself, `runs` and
what it prints once it is up, perhaps `|` and shell lines that are run then and
have to succeed.  `<!-- not run: WHY -->` above names what is held by other
tests.  A block of commands without any such mark fails the test.
"""
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Later pages go on in what earlier ones left.
FIRST = [ROOT / "README.md", ROOT / "docs" / "guide-server.md"]
PAGES = FIRST + [page for page in sorted((ROOT / "docs").rglob("*.md"))
                 if page not in FIRST]
BLOCK = re.compile(r"(?:^<!-- setup\n((?:(?!-->)[^\n]*\n)*)-->\n)?"
                   r"^<!-- run -->\n```\w*\n(.*?)^```$", re.M | re.S)
# Of a block that shows only what is typed.
TRY = re.compile(r"(?:^<!-- setup\n((?:(?!-->)[^\n]*\n)*)-->\n)?"
                 r"^<!-- try\n((?:(?!-->)[^\n]*\n)*)-->\n\n"
                 r"((?:    [^\n]*\n)+)", re.M)
# What a line of a page begins with when it is a command.
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )?(?:sudo|make|chainmend|\S+/chainmend|"
                     r"docker|brew|systemctl|certbot|openssl|curl|wget|split|"
                     r"ls|cat|redis-\S+|tcpdump|tshark|nginx|cc|git|apt\S*|"
                     r"tools/\S+|bench/\S+|meson|ninja|\*/\d+) ")
MARKED = re.compile(r"<!-- (?:not run: .|try\n)")
NAMES = ("www.corp.example api.corp.example web.corp.example example.org "
         "www.example.org mail.example.org ldap.example.org db.example.org "
         "gate.example queue.example")
NETWORK = """ip link set lo up && mount --bind "$1" /etc/hosts && shift &&
exec "$@"
"""
MARK = "\x1e"

PLACEHOLDERS = [
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
    (r"\b\d+(\.\d+)? (m?s|seconds|days)\b", r"N \2"),
    (r"(127\.0\.0\.\d+|\[::1\]|localhost):\d{4,5}\b", "ADDRESS"),
    (r"\b[0-9a-f]{16,}\b", "HEX"),
    (r"\b\d+(\.\d+)? (packets?|bytes)\b", r"N \2"),
    (r"\bframes? \d+( (to|and) \d+)?(, \d+)*", "FRAMES"),
    (r"target host ?name '", "target hostname '"),  # curl's old words
    (r"[ \t]+", " "),
]


def normal(line):
    for pattern, what in PLACEHOLDERS:
        line = re.sub(pattern, what, line)
    return line.strip()


def blocks():
    for page in PAGES:
        for i, match in enumerate(BLOCK.finditer(page.read_text()), 1):
            name = f"{page.relative_to(ROOT)}:{i}"
            yield pytest.param(match.group(1), match.group(2), id=name)


def steps(block):
    """[(command, [expected line, ...]), ...]"""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and line.startswith("> "):
            found[-1] = (found[-1][0] + "\n" + line[2:], [])
        else:
            assert found, f"output before the first command: {line}"
            found[-1][1].append(line)
    return found


def agrees(shown, came):
    """Do the lines that came fit those shown, `...` standing for any?"""
    if not shown:
        return not came
    if shown[0] == "...":
        return any(agrees(shown[1:], came[i:]) for i in range(len(came) + 1))
    return bool(came) and shown[0] == came[0] and agrees(shown[1:], came[1:])


def network(directory):
    """What to run a command under so that it has a network of its own."""
    hosts = directory / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {NAMES}\n")
    under = ["unshare", "--user", "--map-root-user", "--net", "--mount",
             "--pid", "--fork", "--kill-child", "--mount-proc", "--",
             "sh", "-c", NETWORK, "sh", str(hosts)]
    if subprocess.run([*under, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("the kernel gives us no network of our own")
    return under


def run_session(commands, setup, env, cwd):
    """What each command printed, standard error included."""
    under = network(cwd) if setup else []
    script = "".join(f"{c}\n__status=$?; printf '\\n{MARK}\\n'; "
                     "(exit $__status)\n" for c in commands)
    if setup:
        log = cwd / "setup.log"
        script = f"{{ {setup}\n}} >{log} 2>&1 || cat {log}\n{script}"
    with subprocess.Popen(
            [*under, "bash", "-c", script], env=env, cwd=cwd, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True) as session:
        try:
            said = session.communicate(timeout=120)[0]
        finally:
            try:
                os.killpg(session.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    return said.split(MARK + "\n")[:len(commands)]


def tidy(lines):
    lines = [normal(line) for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def tries():
    for page in PAGES:
        for i, match in enumerate(TRY.finditer(page.read_text()), 1):
            name = f"{page.relative_to(ROOT)}:try {i}"
            yield pytest.param(*match.groups(), id=name)


def commands_of(block):
    """Its commands, one each, whatever lines they take."""
    lines = "".join(line[4:] + "\n" for line in block.splitlines())
    return lines.replace("\\\n", "").splitlines()


def trying(command, wanted):
    """Shell lines that do what the mark says, and then print a status."""
    way, _, text = wanted.partition(" ")
    if way != "runs":
        return command
    text, _, then = text.partition("| ")
    text = shlex.quote(text.strip())
    return f"""{{ {command}
}} > running.out 2>&1 & pid=$!
until grep -qe {text} running.out || [ -z {text} ] || ! kill -0 $pid
do sleep 0.05; done
{{ {then or 'true'}
}} && echo then: good
# A shell of its own, or the command itself?
test "$(cat /proc/$pid/comm)" != bash || below=$(cat /proc/$pid/task/$pid/children)
kill ${{below:-$pid}}; wait $pid; cat running.out"""


@pytest.fixture
def page_env(program, clean_env):
    build = Path(os.environ.get("CMI_BUILD", Path(program).parents[2]))
    return {**clean_env, "SOURCE": str(ROOT),
            "PATH": str(Path(program).parent) + ":" + clean_env["PATH"] +
                    ":/usr/sbin:/sbin",  # nginx; not in a user's own
            # The library as it is in the build, not as it may be installed.
            "PKG_CONFIG_PATH": str(build / "meson-uninstalled"),
            "LD_LIBRARY_PATH": str(build / "src" / "api")}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("setup, block", blocks())
def test_example(setup, block, page_env, scratch):
    wanted = steps(block)
    outputs = run_session([c for c, _ in wanted], setup, page_env, scratch)
    assert len(outputs) == len(wanted), outputs
    for (command, shown), came in zip(wanted, outputs):
        shown, came = tidy(shown), tidy(came.splitlines())
        assert agrees(shown, came), "\n".join(
            [f"$ {command}", "--- shown", *shown, "--- came", *came])


@pytest.mark.parametrize("setup, marks, block", tries())
def test_what_is_only_typed(setup, marks, block, page_env, scratch):
    commands, marks = commands_of(block), marks.splitlines()
    assert len(commands) == len(marks), (commands, marks)
    typed = [trying(c, m) + "\necho \"status $?\"" for c, m in
             zip(commands, marks)]
    outputs = run_session(typed, setup or "true", page_env, scratch)
    assert len(outputs) == len(commands), outputs
    for command, mark, came in zip(commands, marks, outputs):
        way, _, text = mark.partition(" ")
        text, _, then = text.partition("| ")
        said, _, status = came.strip().rpartition("status ")
        what = f"$ {command}\n--- {mark}\n{came}"
        assert text.strip() in said, what
        assert way == "runs" or status == way, what
        assert way != "runs" or "then: good" in said, what


def unmarked(text):
    """The blocks of commands in a page that no mark says anything about."""
    text = BLOCK.sub("", text)
    found = []
    for block in re.finditer(r"(?:^|\n\n)((?:.+\n)*?)((?:    .+\n)+)", text):
        # The lines right above are the mark, if there is one.
        above = text[:block.start(2)].rstrip().rsplit("<!-- ", 1)
        marked = len(above) == 2 and above[1].endswith("-->") and \
            MARKED.match("<!-- " + above[1])
        lines = [line[4:] for line in block.group(2).splitlines()]
        if not marked and any(COMMAND.match(line) for line in lines):
            found.append(lines)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_escapes(page):
    assert unmarked(page.read_text()) == []


@pytest.mark.parametrize("text, n", [
    ("Do:\n\n    chainmend check a\n", 1),
    ("Do:\n\n    X=1 chainmend check a\n", 1),
    ("Do:\n\n    make it\n\nand\n\n    cc a.c\n", 2),
    ("<!-- try\n0 ok\n-->\n\n    chainmend check a\n", 0),
    ("<!-- not run: `x` does -->\n\n    chainmend check a\n", 0),
    ("<!-- setup\n:\n-->\n\n    chainmend check a\n", 1),
    ("<!-- run -->\n```\n$ chainmend\n    ls -l\n```\n", 0),
    ("A list:\n\n    int a;\n", 0),
])
def test_what_escapes_is_found(text, n):
    assert len(unmarked(text)) == n


@pytest.mark.parametrize("shown, came, fits", [
    (["a"], ["a"], True), (["a"], ["b"], False), (["a"], [], False),
    ([], ["a"], False), (["..."], ["a", "b"], True), (["..."], [], True),
    (["a", "...", "d"], ["a", "b", "c", "d"], True),
    (["a", "...", "d"], ["a", "b", "c"], False),
    (["...", "d"], ["d", "d", "e"], False),
])
def test_any_lines(shown, came, fits):
    assert agrees(shown, came) == fits


def test_readme_has_examples():
    assert len(BLOCK.findall(PAGES[0].read_text())) >= 4
