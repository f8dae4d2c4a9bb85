# SPDX-License-Identifier: Apache-2.0
"""Profiles against what others found out: real chains and real root stores,
each judged by OpenSSL with exactly that store at that date."""
import csv
import subprocess
from pathlib import Path

import pytest
from pki import LOCAL


def unpack(tmp, shared_data, name):
    out = tmp / name.removesuffix(".zst")
    subprocess.run(["zstd", "-dqf", shared_data / "pki" / name, "-o", out],
                   check=True)
    return out


def entry(line):
    word, _, rest = line.partition("\t" if "\t" in line else " ")
    if "distrust_after=" in rest:
        d = rest.split("distrust_after=")[1]
        return f"{word} distrust-after=20{d[:2]}-{d[2:4]}-{d[4:6]}\n"
    return word + "\n"


class Stores:
    """Every root store of the shared data that verdicts name, as profiles."""

    def __init__(self, tmp, shared_data):
        self.dir = tmp / "profiles"
        self.dir.mkdir()
        subprocess.run(["tar", "--zstd", "-xf",
                        shared_data / "pki" / "stores.tar.zst", "-C", tmp],
                       check=True)
        self.tmp = tmp
        with open(tmp / "stores" / "index.tsv") as f:
            self.rows = list(csv.DictReader(f, delimiter="\t"))
        self.roots = unpack(tmp, shared_data, "pool-roots.pem.zst")
        self.made = {}

    def find(self, store):
        """mozilla_nss 2018-11-08; android 9.0.0_r3 2018-08-16."""
        words = store.split()
        for r in self.rows:
            platform = r["platform"].startswith(words[0])
            if not platform or r["date"] != words[-1]:
                continue
            if len(words) == 2 or r["label"] == words[1]:
                return r
        return None

    def profile(self, store):
        """Its name; None where the store is not among the data."""
        if store not in self.made:
            row = self.find(store)
            name = None
            if row:
                name = f"s{len(self.made)}"
                lines = (self.tmp / row["file"]).read_text().splitlines()
                (self.dir / f"{name}.txt").write_text("".join(
                    entry(x) for x in lines if x and not x.startswith("#")))
                (self.dir / f"{name}.ini").write_text(
                    f"title = {store}\nroots = {name}.txt\n"
                    "reorders = yes\nsecurity-level = 0\n" +
                    ("root-expiry = no\n" if store.startswith("android")
                     else ""))
            self.made[store] = name
        return self.made[store]


@pytest.fixture(scope="session")
def stores(tmp_path_factory, shared_data):
    return Stores(tmp_path_factory.mktemp("stores"), shared_data)


def judge(chainmend, stores, chain, date, names, *more):
    args = ["check", chain, "--at", date, "--offline", "--json", "--pool",
            stores.roots, *more]
    for name in names:
        args += ["--profile", name]
    run = chainmend(*args, env={"CHAINMEND_PROFILES": str(stores.dir)})
    line, = run.of_kind("endpoint")
    return {p["profile"]: p for p in line["profiles"]}


def agree(got, verdict, row):
    """Unknown is the honest answer where a root is not at hand."""
    if got["accepts"] is None:
        return row["error"] == "unable to get local issuer certificate"
    if got["why"] == "distrusted-root":
        return True  # block lists are more than OpenSSL looks at
    return got["accepts"] == (verdict == "ACCEPT")


def test_real_cases(chainmend, stores, shared_data):
    """Nine situations that broke the web once, 38 stores, their dates."""
    wrong, right = [], 0
    for case in sorted((shared_data / "pki" / "cases").iterdir()):
        with open(case / "verdicts.tsv") as f:
            rows = list(csv.DictReader(f, delimiter="\t"))
        for date in sorted({r["verify_date"] for r in rows}):
            want = {stores.profile(r["store"]): r for r in rows
                    if r["verify_date"] == date and stores.profile(r["store"])}
            got = judge(chainmend, stores, case / "served-chain.pem", date,
                        want)
            for name, row in want.items():
                if agree(got[name], row["openssl3_served_chain"], row):
                    right += 1
                else:
                    wrong.append((case.name, date, row["store"], row["error"],
                                  got[name]))
    assert right > 300
    assert not wrong, f"{len(wrong)} of {right + len(wrong)}\n" + "\n".join(
        map(str, wrong[:20]))


def test_real_chains(chainmend, stores, shared_data):
    """Every eighth of the 401 real chains against the stores at its date."""
    chains = shared_data / "pki" / "chains"
    by_chain = {}
    with open(chains / "verdicts.tsv") as f:
        for r in csv.DictReader(f, delimiter="\t"):
            if stores.profile(r["store"]):
                by_chain.setdefault(r["chain"], []).append(r)
    wrong, right = [], 0
    for chain in sorted(by_chain)[::8]:
        rows = by_chain[chain]
        names = {stores.profile(r["store"]): r for r in rows}
        got = judge(chainmend, stores, chains / "pem" / f"{chain}.pem",
                    rows[0]["verify_date"], names)
        for name, row in names.items():
            if agree(got[name], row["openssl3"], row):
                right += 1
            else:
                wrong.append((chain, row["verify_date"], row["store"],
                              row["error"], got[name]))
    assert right > 200
    assert not wrong, f"{len(wrong)} of {right + len(wrong)}\n" + "\n".join(
        map(str, wrong[:20]))


def test_profiles_list_and_show(chainmend):
    run = chainmend("profiles", "--json")
    lines = run.of_kind("profile")
    names = [p["profile"] for p in lines]
    for name in ("firefox", "chrome", "windows", "apple", "android-7.0",
                 "android-7.1", "android-10", "android-14", "java-8",
                 "java-17", "debian-openssl", "debian-gnutls", "curl-alpine",
                 "mbedtls-one-root", "lync-phone-edition", "polycom-ucs",
                 "yealink-v83", "firmware-2012", "firmware-2016",
                 "firmware-2020"):
        assert name in names
    for p in lines:
        assert p["sources"], p
        assert p["roots"] or not p["roots_public"], p
    run = chainmend("profiles", "lync-phone-edition")
    assert "not publicly known" in run.out
    run = chainmend("profiles", "no-such")
    assert run.status == 2 and "no profile" in run.err


def test_document_is_made_from_the_files(chainmend):
    from conftest import ROOT
    run = chainmend("profiles", "--markdown",
                    env={"CHAINMEND_PROFILES": str(ROOT / "data/profiles")})
    assert run.out == (ROOT / "docs" / "profiles.md").read_text()


def test_own_profile(chainmend, pki, tmp_path):
    run = chainmend("profiles", "add", "my-phone", pki.anchor.pem, "--title",
                    "My phone", "--date", "2026-11-01")
    assert run.status == 0, run
    chain = pki.file("full.pem", pki.leaf, pki.intermediate)
    run = chainmend("check", chain, "--profile", "my-phone", "--offline",
                    "--json")
    profile, = run.of_kind("endpoint")[0]["profiles"]
    assert run.status == 0 and profile["accepts"], run
    run = chainmend("check", pki.leaf.pem, "--profile", "my-phone",
                    "--offline", "--json", "--pool", pki.intermediate.pem)
    profile, = run.of_kind("endpoint")[0]["profiles"]
    assert run.status == 1 and profile["why"] == "missing-intermediate", run
    assert "Test Intermediate" in profile["help"]
    # By digests alone: the root is found where it is at hand.
    digests = tmp_path / "list.txt"
    digests.write_text(pki.anchor.sha256 + "\n")
    run = chainmend("profiles", "add", "by-digest", digests)
    assert run.status == 0, run
    for pool, accepts in ((pki.anchor.pem, True), (pki.stranger.pem, None)):
        run = chainmend("check", chain, "--profile", "by-digest", "--offline",
                        "--json", "--pool", pool)
        profile, = run.of_kind("endpoint")[0]["profiles"]
        assert profile["accepts"] == accepts, run


def test_roots_in_a_pem_beside_the_list(chainmend, pki, tmp_path):
    """A list by digest, and a .pem that has what it names: no pool, no store
    and nobody's system knows this root."""
    there = tmp_path / "clients"
    there.mkdir()
    (there / "gate.ini").write_text(
        "title = A gate\nsource = its maker\nroots = gate.txt\n"
        "fetches-aia = no\n")
    (there / "gate.txt").write_text(pki.anchor.sha256 + "\n")
    env = {"CHAINMEND_PROFILES": str(there)}
    chain = pki.file("gate-chain.pem", pki.leaf, pki.intermediate)

    def opinion():
        run = chainmend("check", chain, "--profile", "gate", "--offline",
                        "--json", env=env)
        profile, = run.of_kind("endpoint")[0]["profiles"]
        shown, = chainmend("profiles", "gate", "--json",
                           env=env).of_kind("profile")
        return profile["accepts"], shown["roots"], shown["roots_absent"]

    assert opinion() == (None, 1, 1)
    # A stranger in the .pem is no root of it: the list decides.
    pem = there / "gate.pem"
    pem.write_bytes(Path(pki.stranger.pem).read_bytes())
    assert opinion() == (None, 1, 1)
    run = chainmend("profiles", "gate", env=env)
    assert "beyond the list: 1 in gate.pem" in run.out, run
    pem.write_bytes(Path(pki.anchor.pem).read_bytes())
    assert opinion() == (True, 1, 0)
    # And what is wrong with a chain is told as for any client.
    run = chainmend("check", pki.leaf.pem, "--profile", "gate", "--offline",
                    "--json", env=env)
    profile, = run.of_kind("endpoint")[0]["profiles"]
    assert run.status == 1 and profile["why"] == "missing-intermediate", run


def test_a_chain_is_drawn_as_one_client_sees_it(chainmend, pki, tmp_path):
    for name, root in (("ours", pki.anchor), ("theirs", pki.stranger)):
        assert chainmend("profiles", "add", name, root.pem).status == 0
    whole = pki.file("drawn.pem", pki.leaf, pki.intermediate)

    def show(chain, profile, *more):
        return chainmend("show", chain, "--profile", profile, "--offline",
                         *more)

    run = show(whole, "ours")
    assert run.status == 0 and "  ours: accepts\n" in run.out, run
    assert "trusted root" in run.out and run.out.count("[sent") == 2, run
    # The same chain, the same roots at hand, and another client.
    run = show(whole, "theirs", "--roots", pki.anchor.pem)
    assert run.status == 1 and "  theirs: refuses: " in run.out, run
    assert "trusted root" not in run.out, run
    run = show(pki.file("to-root.pem", pki.leaf, pki.intermediate, pki.anchor),
               "theirs")
    assert run.status == 1, run
    assert "? theirs does not trust this root" in run.out, run
    run = show(pki.leaf.pem, "ours", "--pool", pki.intermediate.pem)
    assert run.status == 1, run
    assert "  ours: refuses: missing-intermediate" in run.out, run
    assert "NOT SENT, known from: file" in run.out, run
    run = show(whole, "theirs", "--json")
    line, = run.of_kind("endpoint")
    opinion, = line["profiles"]
    assert opinion["profile"] == "theirs" and opinion["accepts"] is False, run


@pytest.mark.parametrize("name,content", [
    ("../escape", "x"), ("UPPER", "x"), (".hidden", "x"), ("ok", "no root"),
    ("ok", ""), ("ok", "zz" * 32)])
def test_profiles_that_cannot_be_added(chainmend, tmp_path, name, content):
    roots = tmp_path / "r.txt"
    roots.write_text(content)
    run = chainmend("profiles", "add", name, roots)
    assert run.status in (2, 3), run
    assert not list(tmp_path.rglob("escape*"))


def test_who_can_repair_itself(chainmend, pki, web):
    """Leaf only: the client that fetches accepts, where there is an address
    that answers; the one that keeps nothing and fetches nothing does not."""
    own(chainmend, pki, "fetcher", {"fetches-aia": "yes"})
    own(chainmend, pki, "plain", {"fetches-aia": "no"})
    good = pki.intermediate.issue("web.example", sans=LOCAL,
                                  aia=web.put("/i.cer", pki.intermediate.der))
    html = pki.intermediate.issue("web.example", sans=LOCAL, aia=web.put(
        "/h.cer", b"<html>gone</html>", kind="text/html"))
    dead = pki.intermediate.issue("web.example", sans=LOCAL,
                                  aia="http://127.0.0.1:9/i.cer")
    none = pki.leaf
    for leaf, accepts in ((good, True), (html, False), (dead, False),
                          (none, False)):
        run = chainmend("check", leaf.pem, "--profile", "fetcher",
                        "--profile", "plain", "--json", "--allow-private",
                        "--cache", ":memory:")
        got = {p["profile"]: p["accepts"]
               for p in run.of_kind("endpoint")[0]["profiles"]}
        assert got == {"fetcher": accepts, "plain": False}, run


def test_wildcards_and_old_phones(chainmend, pki):
    star = pki.intermediate.issue("star", sans=["DNS:*.web.example"])
    chain = pki.file("star.pem", star, pki.intermediate)
    run = chainmend("check", chain, "--host", "www.web.example", "--profile",
                    "lync-phone-edition", "--roots", pki.anchor.pem, "--json",
                    "--offline")
    line, = run.of_kind("endpoint")
    assert line["verdict"] is None
    assert line["profiles"][0]["accepts"] is False
    assert line["profiles"][0]["why"] in ("wildcard-unsupported",
                                          "name-mismatch"), run
    # With a plain name all is well, but whether it has the root is not known.
    chain = pki.file("one.pem", pki.leaf, pki.intermediate)
    run = chainmend("check", chain, "--host", "web.example", "--profile",
                    "lync-phone-edition", "--roots", pki.anchor.pem, "--json",
                    "--offline")
    assert run.of_kind("endpoint")[0]["profiles"][0]["accepts"] is None, run


def own(chainmend, pki, name, facts):
    """A profile that trusts the anchor, and these facts of it."""
    assert chainmend("profiles", "add", name, pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob(f"{name}.ini")
    text = ini.read_text()
    for key, value in facts.items():
        line = f"{key} = unknown"
        text = (text.replace(line, f"{key} = {value}") if line in text
                else f"{text}{key} = {value}\n")
    ini.write_text(text)


def opinions(chainmend, chain, names, *args):
    words = [w for n in names for w in ("--profile", n)]
    run = chainmend("check", chain, *words, "--offline", "--json", *args)
    line, = run.of_kind("endpoint")
    return {p["profile"]: p for p in line["profiles"]}, run


def test_a_name_in_the_subject_alone(chainmend, pki):
    for word in ("yes", "no", "unknown"):
        own(chainmend, pki, word, {"subject-names": word})
    bare = pki.intermediate.issue("old.example", sans=[])
    chain = pki.file("bare-name.pem", bare, pki.intermediate)
    names = ("yes", "no", "unknown")
    got, run = opinions(chainmend, chain, names, "--host", "old.example")
    assert [got[n]["accepts"] for n in names] == [True, False, None], run
    assert got["no"]["why"] == "name-mismatch", run
    assert "in its subject only" in got["no"]["says"]
    assert "not publicly known" in got["unknown"]["says"]
    assert run.status == 1
    # Another name is another name, and beside a DNS name the subject's is
    # none.
    got, _ = opinions(chainmend, chain, names, "--host", "new.example")
    assert [got[n]["accepts"] for n in names] == [False] * 3
    both = pki.intermediate.issue("old.example", sans=["DNS:new.example"])
    chain = pki.file("both-names.pem", both, pki.intermediate)
    got, _ = opinions(chainmend, chain, names, "--host", "old.example")
    assert [got[n]["accepts"] for n in names] == [False] * 3
    # The plain client never looks there.
    run = chainmend("check", pki.file("b.pem", bare, pki.intermediate),
                    "--roots", pki.anchor.pem, "--host", "old.example",
                    "--offline", "--json")
    assert run.of_kind("endpoint")[0]["verdict"] == "name-mismatch", run


def test_a_clock_that_is_wrong_at_first(chainmend, pki):
    """It accepts, and what must come before is told; and where its first time
    is within the chain's own, there is nothing to tell."""
    from datetime import datetime, timedelta, timezone
    now = datetime.now(timezone.utc)
    recent = (now - timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name, facts in (
            ("kept", {"keeps-clock": "yes", "clock-starts": "2001-01-01"}),
            ("lost", {"keeps-clock": "no"}),
            ("epoch", {"keeps-clock": "no", "clock-starts": "2016-01-01"}),
            ("recent", {"keeps-clock": "no", "clock-starts": recent})):
        own(chainmend, pki, name, facts)
    chain = pki.file("clock.pem", pki.leaf, pki.intermediate)
    names = ("kept", "lost", "epoch", "recent")
    got, run = opinions(chainmend, chain, names)
    assert all(got[n]["accepts"] for n in names) and run.status == 0, run
    for name, words in (("lost", "its clock is wrong"),
                        ("epoch", "stands at 2016-01-01")):
        assert words in got[name]["says"], got
        assert "NTP" in got[name]["help"]
    assert "not-yet-valid" in got["epoch"]["says"]
    for name in ("kept", "recent"):
        assert "says" not in got[name] and "help" not in got[name], got
    # In words, too.
    text = chainmend("check", chain, "--profile", "epoch", "--profile",
                     "kept", "--offline").out
    assert "epoch  give it the time first" in text, text
    # One that refuses anyway has nothing said of its clock.
    got, _ = opinions(chainmend, pki.leaf.pem, names)
    assert got["epoch"]["why"] == "missing-intermediate"
    assert "clock" not in got["epoch"]["says"]


def test_survey(chainmend, pki, tmp_path):
    run = chainmend("survey", "--json")
    rows = run.of_kind("survey")
    assert run.status == 0 and len(rows) >= 3
    assert all(len(r["sha256"]) == 64 and r["last"] for r in rows)
    assert chainmend("profiles", "add", "mine", pki.anchor.pem).status == 0
    pool = pki.file("pool.pem", pki.intermediate, pki.stranger, pki.leaf)
    run = chainmend("survey", "--profile", "mine", "--pool", pool)
    assert "Test Intermediate" in run.out and "1 issuer\n" in run.out, run
    run = chainmend("survey", "--profile", "mine", "--pool", pool, "--at",
                    "2199-01-01")
    assert "0 issuers" in run.out, run
    assert chainmend("survey", "--profile", "no-such").status == 2
