# SPDX-License-Identifier: Apache-2.0
"""Reading C as the checkers need it: which files there are, and their text
without comments and literals."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def sources(root, *folders):
    """All .c and .h files below these folders, sorted."""
    return sorted(p for folder in folders for p in (root / folder).rglob("*")
                  if p.suffix in (".c", ".h") and p.is_file())


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[-1]
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """The same lines and columns, comments and literals blanked."""
    return _TOKEN.sub(_blank, text)


def comments_off(text):
    """Comments blanked, literals kept."""
    return _TOKEN.sub(
        lambda m: m.group(0) if m.group(0)[0] in "\"'" else _blank(m), text)
