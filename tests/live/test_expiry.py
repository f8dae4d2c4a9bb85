# SPDX-License-Identifier: Apache-2.0
"""The last second at which each client accepts, and whose end that is: right
to the second, and where one path takes over from another."""
import datetime

import pytest
from pki import LOCAL, Pki, days_from_now


def second(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    p = Pki(tmp_path_factory.mktemp("expiry"))
    old = days_from_now(-1000)
    p.in20, p.in50, p.in90 = (days_from_now(n) for n in (20, 50, 90))
    p.in400, p.in900 = days_from_now(400), days_from_now(900)
    p.root = p.make("Root", ca=True, not_before=old, not_after=p.in900)
    p.brief_root = p.make("Brief Root", ca=True, not_before=old,
                          not_after=p.in50)
    p.issuer = p.root.issue_ca("Issuer", not_after=p.in90)
    p.leaf = p.issuer.issue("web.example", sans=LOCAL, not_after=p.in400)
    p.early = p.issuer.issue("web.example", sans=LOCAL, not_after=p.in20)
    # The same issuer, signed again for longer: the path changes.
    p.issuer_again = p.root.issue_ca("Issuer", reuse_key=p.issuer,
                                     not_after=p.in900)
    # The root as an issuer below another root, which ends first.
    p.cross = p.brief_root.issue_ca("Root", reuse_key=p.root,
                                    not_after=p.in20)
    return p


def check(chainmend, made, certs, *args, roots=None, name="c.pem"):
    chain = made.file(name, *certs)
    run = chainmend("check", chain, "--roots", roots or made.root.pem,
                    "--offline", "--json", *args)
    line, = run.of_kind("endpoint")
    return line


CASES = [
    ("issuer-ends-first", lambda p: (p.leaf, p.issuer), "in90", "CN=Issuer"),
    ("leaf-ends-first", lambda p: (p.early, p.issuer), "in20",
     "CN=web.example"),
    ("another-issuer-goes-on", lambda p: (p.leaf, p.issuer, p.issuer_again),
     "in400", "CN=web.example"),
    ("in-the-other-order", lambda p: (p.leaf, p.issuer_again, p.issuer),
     "in400", "CN=web.example"),
    ("cross-sign-is-not-needed", lambda p: (p.leaf, p.issuer, p.cross),
     "in90", "CN=Issuer"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_the_last_good_second(chainmend, made, case):
    name, certs, end, subject = case
    end = getattr(made, end)
    line = check(chainmend, made, certs(made))
    assert (line["until"], line["until_subject"]) == (stamp(end), subject)
    # At that second it is accepted, and one later it is not.
    line = check(chainmend, made, certs(made), "--at", second(end))
    assert line["verdict"] is None, line
    after = end + datetime.timedelta(seconds=1)
    line = check(chainmend, made, certs(made), "--at", second(after))
    assert line["verdict"] in ("expired-leaf", "expired-intermediate"), line


def test_a_root_that_ends_counts_where_the_client_looks(chainmend, made):
    from pathlib import Path
    certs = (made.leaf, made.issuer_again, made.cross)
    for name, looks in (("looks", "yes"), ("does-not", "no")):
        assert chainmend("profiles", "add", name,
                         made.brief_root.pem).status == 0
        ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob(f"{name}.ini")
        ini.write_text(ini.read_text().replace("root-expiry = unknown",
                                               f"root-expiry = {looks}"))
    run = chainmend("check", made.file("r.pem", *certs), "--offline",
                    "--json", "--profile", "looks", "--profile", "does-not")
    line, = run.of_kind("endpoint")
    got = {p["profile"]: (p["until"], p["until_subject"])
           for p in line["profiles"]}
    # Both go by the cross-sign, which ends before either root.
    assert got == {n: (stamp(made.in20), "CN=Root")
                   for n in ("looks", "does-not")}
    direct = made.brief_root.issue("web.example", sans=LOCAL,
                                   not_after=made.in400)
    run = chainmend("check", direct.pem, "--offline", "--json", "--profile",
                    "looks", "--profile", "does-not")
    line, = run.of_kind("endpoint")
    got = {p["profile"]: (p["until"], p["until_subject"])
           for p in line["profiles"]}
    assert got == {"looks": (stamp(made.in50), "CN=Brief Root"),
                   "does-not": (stamp(made.in400), "CN=web.example")}
    # The earliest of them is the day to plan by.
    assert line["until"] == stamp(made.in50)
    assert line["until_profile"] == "looks"
    assert line["until_subject"] == "CN=Brief Root"


def test_every_certificate_of_the_path_has_its_day(chainmend, made):
    line = check(chainmend, made, (made.leaf, made.issuer))
    assert [(c["subject"], c["not_after"]) for c in line["path"]] == [
        ("CN=web.example", stamp(made.in400)),
        ("CN=Issuer", stamp(made.in90)), ("CN=Root", stamp(made.in900))]


@pytest.mark.parametrize("days,warns", [(89, False), (91, True)])
def test_the_warning_begins_that_many_days_before(chainmend, made, days,
                                                  warns):
    line = check(chainmend, made, (made.leaf, made.issuer), "--warn-days",
                 days)
    found = [f for f in line["findings"] if f["id"] == "expires-soon"]
    assert bool(found) is warns, line
    if warns:
        assert "Issuer" in found[0]["says"]


def test_the_boundary_of_the_warning(chainmend, made):
    """Exactly that many days are left: not yet; one second fewer: yes."""
    at = made.in90 - datetime.timedelta(days=30)
    for late, warns in ((0, False), (1, True)):
        line = check(chainmend, made, (made.leaf, made.issuer),
                     "--warn-days", "30", "--at",
                     second(at + datetime.timedelta(seconds=late)))
        assert warns == any(f["id"] == "expires-soon"
                            for f in line["findings"]), line
