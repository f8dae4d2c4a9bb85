# SPDX-License-Identifier: Apache-2.0
"""Every kind of client in every situation in which other tools mislead."""
from pathlib import Path

import pytest
from pki import LOCAL, Pki, days_from_now

class Matrix(Pki):
    """The situations again with RSA keys, so that clients without elliptic
    curves have a say, and each with an address for its issuer that answers
    well, not at all, or with a page."""

    def __init__(self, directory, web):
        super().__init__(directory)
        old, new = days_from_now(-900), days_from_now(900)
        rsa = {"key": "rsa"}
        self.root = self.root_("Lab Root R1")
        self.old_root = self.root_("Lab Root R0")
        self.ended_root = self.root_("Lab Root R9", days_from_now(-10))
        self.i = self.root.issue_ca("Lab Intermediate", not_after=new, **rsa)
        self.j = self.i.issue_ca("Lab Intermediate J", not_after=new, **rsa)
        self.at_i = web.put("/i.cer", self.i.der)
        self.at_j = web.put("/j.cer", self.j.der)
        self.j = self.i.issue_ca("Lab Intermediate J", reuse_key=self.j,
                                 not_after=new, aia=self.at_i)
        self.at_j = web.put("/j.cer", self.j.der)

        def leaf(issuer, aia=None):
            return issuer.issue("web.example", sans=LOCAL, aia=aia, **rsa)
        self.leaf = leaf(self.j, self.at_j)
        self.leaf_dead = leaf(self.j, "http://127.0.0.1:9/j.cer")
        self.leaf_html = leaf(self.j, web.put("/h", b"<html>no</html>",
                                              kind="text/html"))
        self.ended = self.root.issue_ca("Lab Old", not_before=old,
                                        not_after=days_from_now(-10), **rsa)
        self.renewed = self.root.issue_ca("Lab Old", reuse_key=self.ended,
                                          not_after=new)
        self.leaf_ended = leaf(self.ended)
        self.leaf_renewed = leaf(self.ended,
                                 web.put("/new.cer", self.renewed.der))
        self.direct = leaf(self.root)
        self.cross = self.old_root.issue_ca(
            "Lab Root R1", reuse_key=self.root, not_after=new)
        self.cross_ended = self.old_root.issue_ca(
            "Lab Root R1", reuse_key=self.root, not_before=old,
            not_after=days_from_now(-10))
        self.stranger = self.root_("Nobody's Root")
        self.stranger_i = self.stranger.issue_ca("Nobody's CA", **rsa)
        self.stranger_leaf = leaf(self.stranger_i)
        self.from_ended = leaf(self.ended_root)

    def root_(self, name, not_after=None):
        return super().root(name, not_before=days_from_now(-2000),
                            not_after=not_after or days_from_now(3650),
                            key="rsa")


def always(_):
    return None


def if_fetches(why):
    """Refused for `why` by all that fetch nothing."""
    return lambda p: None if p["fetches-aia"] == "yes" else why


# What is sent, and for the facts of a client why it refuses, or None.  The
# rules are those of the files' own words (docs/profiles.md), not the code's.
MATRIX = {
    "whole": ("leaf j i", always),
    "missing": ("leaf", if_fetches("missing-intermediate")),
    "second-missing": ("leaf j", if_fetches("missing-intermediate")),
    "dead-address": ("leaf_dead", lambda p: "missing-intermediate"),
    "address-is-html": ("leaf_html", lambda p: "missing-intermediate"),
    "wrong-order": ("leaf i j", lambda p: "wrong-order"
                    if p["reorders"] == "no" else None),
    "root-sent": ("leaf j i root", always),
    "duplicate": ("leaf j j i", always),
    "stranger-behind": ("leaf j i stranger_i", always),
    # Who does not reorder looks on behind the stranger (mbed TLS's
    # x509_crt_find_parent).
    "stranger-between": ("leaf stranger_i j i", always),
    "expired-intermediate": ("leaf_ended ended",
                             lambda p: "expired-intermediate"),
    "renewed-at-its-address": ("leaf_renewed ended",
                               if_fetches("expired-intermediate")),
    "renewed-beside": ("leaf_ended ended renewed",
                       lambda p: "expired-intermediate"
                       if p["alternatives"] == "no" else None),
    "cross-sign": ("leaf j i cross", always),
    "expired-cross-sign": ("leaf j i cross_ended", always),
    "straight-from-root": ("direct", always),
    "unknown-ca": ("stranger_leaf stranger_i", lambda p: "untrusted-root"),
    "unknown-ca-root-sent": ("stranger_leaf stranger_i stranger",
                             lambda p: "untrusted-root"),
    "expired-root": ("from_ended", lambda p: None
                     if p["root-expiry"] == "no" else "expired-root"),
}

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "data" /
                  "profiles").glob("*.ini"))


@pytest.fixture(scope="session")
def matrix_web():
    import servers
    server = servers.WebServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def matrix(tmp_path_factory, matrix_web):
    return Matrix(tmp_path_factory.mktemp("matrix"), matrix_web)


@pytest.fixture(scope="session")
def clients(tmp_path_factory, matrix):
    """Every shipped client, with the lab's roots in place of its own."""
    place = tmp_path_factory.mktemp("clients")
    trusted = (matrix.root, matrix.old_root, matrix.ended_root)
    facts = {}
    for ini in SHIPPED:
        lines = ini.read_text().splitlines()
        words = dict(line.split(" = ", 1) for line in lines if " = " in line)
        name = "lab-" + ini.stem
        (place / f"{name}.ini").write_text("\n".join(
            "roots = unknown" if line.startswith("roots =") else line
            for line in lines) + "\n")
        (place / f"{name}.pem").write_text("".join(c.text for c in trusted))
        facts[name] = {"fetches-aia": "unknown", "reorders": "unknown",
                       "alternatives": "unknown", "root-expiry": "unknown",
                       **words}
    assert len(facts) >= 24
    return place, facts


@pytest.mark.parametrize("situation", MATRIX)
def test_every_client_in_every_situation(chainmend, matrix, clients,
                                         situation):
    place, facts = clients
    names, rule = MATRIX[situation]
    chain = matrix.file(situation + ".pem",
                        *(getattr(matrix, n) for n in names.split()))
    args = [a for name in facts for a in ("--profile", name)]
    run = chainmend("check", chain, *args, "--json", "--online",
                    "--allow-private", env={"CHAINMEND_PROFILES": place})
    line, = run.of_kind("endpoint")
    got = {p["profile"]: p["why"] for p in line["profiles"]}
    assert {p["profile"] for p in line["profiles"]
            if p["accepts"] is None} == set(), run
    wanted = {name: rule(words) for name, words in facts.items()}
    assert got == wanted
    assert run.status == (1 if any(wanted.values()) else 0)
