# SPDX-License-Identifier: Apache-2.0
"""Every marked example in README and the guides prints what it shows.

A fenced block behind a line `<!-- run -->` is run as one shell session, in one
scratch directory for all pages, README first: lines that begin with `$ ` are
typed, the others must come out.  `...` alone on a line stands for any lines.
Times, ports, digests and the like are compared as placeholders.

A comment `<!-- setup`, shell lines, `-->` directly above is run first, unseen
by readers: then the session has a network of its own, in which NAMES are this
machine and every port is free, and what it started ends with it.
"""
import os
import re
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
NAMES = "www.corp.example api.corp.example"
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


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("setup, block", blocks())
def test_example(setup, block, program, clean_env, scratch):
    build = Path(os.environ.get("CMI_BUILD", Path(program).parents[2]))
    env = {**clean_env, "SOURCE": str(ROOT),
           "PATH": str(Path(program).parent) + ":" + clean_env["PATH"] +
                   ":/usr/sbin:/sbin",  # nginx; not in a user's own
           # The library as it is in the build, not as it may be installed.
           "PKG_CONFIG_PATH": str(build / "meson-uninstalled"),
           "LD_LIBRARY_PATH": str(build / "src" / "api")}
    wanted = steps(block)
    outputs = run_session([c for c, _ in wanted], setup, env, scratch)
    assert len(outputs) == len(wanted), outputs
    for (command, shown), came in zip(wanted, outputs):
        shown, came = tidy(shown), tidy(came.splitlines())
        assert agrees(shown, came), "\n".join(
            [f"$ {command}", "--- shown", *shown, "--- came", *came])


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
