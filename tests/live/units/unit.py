# SPDX-License-Identifier: Apache-2.0
"""A systemd unit without systemd: what it runs, and what it leaves to it."""
import re
import shlex
import socket
import subprocess


def read(path):
    """{key: [value, ...]} of the [Service] part."""
    text = path.read_text().replace("\\\n", " ")
    part = re.search(r"^\[Service\]\n((?:(?!\[).*\n)*)", text, re.M).group(1)
    found = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", part, re.M):
        found.setdefault(key, []).append(" ".join(value.split()))
    return found


def groups():
    """{"@name": its words} of all sets of system calls that systemd knows."""
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"],
                          check=True, text=True, stdout=subprocess.PIPE).stdout
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # systemd 255, asked or not
    found, name = {}, None
    for line in text.splitlines():
        if line.startswith("@"):
            name = line.strip()
            found[name] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            if name:
                found[name].append(line.strip())
        elif line.startswith("#"):
            name = None
    return found


def calls(words, known):
    """The system calls that words, sets among them, stand for."""
    found = set()
    for word in words:
        found |= calls(known[word], known) if word[0] == "@" else {word}
    return found


def filtered(unit, known):
    """What SystemCallFilter= leaves, line by line as systemd.exec(5) says:
    the first line says whether calls are allowed or refused, later ones add
    and take away.  Some calls are always allowed (the set @default)."""
    left = None
    for line in unit["SystemCallFilter"]:
        words = calls(line.lstrip("~").split(), known)
        if left is None:
            assert not line.startswith("~"), "a list of what is refused"
            left = words | calls(["@default"], known)
        elif line.startswith("~"):
            left -= words
        else:
            left |= words
    return left


def families(unit):
    """RestrictAddressFamilies= as numbers with commas."""
    words = unit["RestrictAddressFamilies"][0].split()
    return ",".join(str(int(getattr(socket, word))) for word in words)


def command(unit, values, variables):
    """ExecStart= with %X and paths replaced, variables put in as systemd
    does: $NAME that stands alone is split at white space."""
    line = unit["ExecStart"][0]
    for old, new in values.items():
        line = line.replace(old, str(new))
    words = []
    for word in shlex.split(line):
        if word.startswith("$"):
            words += shlex.split(variables.get(word[1:], ""))
        else:
            words.append(word)
    return words


def capabilities(unit):
    """For setpriv: what is in the bounding set, and given to the program."""
    def names(key):
        return [name.removeprefix("CAP_").lower()
                for name in unit.get(key, [""])[0].split()]
    bound, given = names("CapabilityBoundingSet"), names("AmbientCapabilities")
    assert set(given) <= set(bound)

    def words(kept):
        return ",".join(["-all", *(f"+{name}" for name in kept)])
    return ["setpriv", "--bounding-set", words(bound), "--inh-caps",
            words(given), "--ambient-caps", words(given)] + (
                ["--no-new-privs"] if unit["NoNewPrivileges"] == ["yes"]
                else [])
