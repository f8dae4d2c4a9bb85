# SPDX-License-Identifier: Apache-2.0
"""chainmend cache: only proven issuers get in, several processes share it,
and damage is mended."""
import concurrent.futures
import contextlib
import sqlite3
import ssl
import subprocess

import pytest
from tape import Tape, client_context, server_context


def count(run):
    return len(run.of_kind("cache"))


@pytest.fixture
def cache(chainmend, tmp_path):
    """cache(verb, ...) runs with a file of its own."""
    place = tmp_path / "kept" / "issuers.db"

    def run(verb, *args):
        return chainmend("cache", verb, "--cache", place, *args)

    run.place = place
    return run


def test_an_empty_cache_lists_nothing(cache):
    run = cache("list", "--json")
    assert run.status == 0 and run.out == "" and run.err == ""
    assert not cache.place.exists()


def test_a_proven_issuer_is_kept(cache, pki):
    run = cache("add", "--roots", pki.anchor.pem, pki.intermediate.pem)
    assert run.status == 0, run
    [line] = cache("list", "--json").of_kind("cache")
    assert line["sha256"] == pki.intermediate.sha256
    assert line["from"] == "file" and line["url"] is None


@pytest.mark.parametrize("what, roots, says", [
    ("intermediate", "stranger", "not found"),
    ("anchor", "anchor", "roots are never kept"),
    ("leaf", "anchor", "no CA certificate"),
    ("stranger", "anchor", "roots are never kept"),
])
def test_what_cannot_be_proven_is_not_kept(cache, pki, what, roots, says):
    run = cache("add", "--roots", getattr(pki, roots).pem,
                getattr(pki, what).pem)
    assert run.status == 1, run
    assert says in run.err
    assert count(cache("list", "--json")) == 0


def test_export_gives_what_import_took(cache, pki, tmp_path):
    bundle = pki.file("mixed.pem", pki.anchor, pki.intermediate, pki.leaf)
    run = cache("import", "--roots", pki.anchor.pem, bundle)
    assert run.status == 0 and "1 of 3 kept" in run.out, run
    out = tmp_path / "out.pem"
    assert cache("export", "-o", out).status == 0
    assert ssl.PEM_cert_to_DER_cert(
        out.read_text().split("\n", 1)[1]) == pki.intermediate.der


def test_expired_issuers_go(cache, pki):
    cache("add", "--roots", pki.anchor.pem, pki.intermediate.pem)
    assert "0 removed" in cache("prune").out
    assert "1 would go" in cache("prune", "--dry-run", "--at",
                                 "2099-01-01").out
    assert "1 removed" in cache("prune", "--at", "2099-01-01").out
    assert count(cache("list", "--json")) == 0


def test_many_processes_at_once_lose_nothing(cache, pki):
    issuers = [pki.anchor.issue_ca(f"Shared {i}") for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda c: cache("add", "--roots",
                                             pki.anchor.pem, c.pem), issuers))
    assert [r.status for r in runs] == [0] * 8, runs
    assert count(cache("list", "--json")) == 8
    assert cache("check").status == 0


def test_check_opens_it_when_something_is_missing(chainmend, pki, tmp_path):
    home = tmp_path / "xdg"
    place = home / "chainmend" / "issuers.db"
    env = {"XDG_CACHE_HOME": home}
    whole = pki.file("whole.pem", pki.leaf, pki.intermediate)
    args = ("--roots", pki.anchor.pem, "--host", "localhost", "--offline",
            "--json")

    def check(what, *more):
        run = chainmend("check", what, *args, *more, env=env)
        [seen] = run.of_kind("endpoint")
        return run, seen

    run, seen = check(whole)
    assert seen["verdict"] is None and not place.exists(), run
    run = chainmend("cache", "add", "--roots", pki.anchor.pem,
                    pki.intermediate.pem, env=env)
    assert run.status == 0 and place.exists(), run
    run, seen = check(pki.leaf.pem)
    assert [c["from"] for c in seen["path"]] == ["sent", "cache", "anchor"]
    # What is no cache is said once it is wanted, and not before.
    for file in place.parent.iterdir():
        file.unlink()
    with contextlib.closing(sqlite3.connect(place)) as other:
        other.execute("CREATE TABLE letters (text)")
        other.commit()
    run, seen = check(whole)
    assert seen["verdict"] is None and run.err == "", run
    run, seen = check(pki.leaf.pem)
    assert seen["verdict"] == "missing-intermediate", run
    assert run.err.count("going on without kept issuers") == 1, run
    run = chainmend("check", whole, *args, "--cache", place, env=env)
    assert run.status == 3 and str(place) in run.err, run


@pytest.mark.parametrize("start", [0, 4096])
def test_damage_is_mended_and_said(cache, pki, start):
    cache("add", "--roots", pki.anchor.pem, pki.intermediate.pem)
    with open(cache.place, "r+b") as f:
        f.seek(start)
        f.write(b"\xa5" * 4096)
    run = cache("check")
    assert run.status == 1 and "set aside" in run.err, run
    assert cache.place.with_name("issuers.db.damaged").exists()
    assert cache("check").status == 0
    assert cache("add", "--roots", pki.anchor.pem,
                 pki.intermediate.pem).status == 0


@pytest.mark.parametrize("content", [b"my notes", b"\0" * 100])
def test_files_of_others_are_left_alone(chainmend, tmp_path, pki, content):
    other = tmp_path / "notes.txt"
    other.write_bytes(content)
    run = chainmend("cache", "add", "--cache", other, "--roots",
                    pki.anchor.pem, pki.intermediate.pem)
    assert run.status == 3 and "no cache" in run.err, run
    assert other.read_bytes() == content


def test_a_place_that_cannot_be_made_is_told(chainmend, tmp_path, pki):
    """What is in the way, where, and what to do; the answer comes anyway."""
    (tmp_path / "file").write_text("in the way\n")
    place = tmp_path / "file" / "kept" / "issuers.db"
    why = f'cannot make directory "{tmp_path}/file'
    run = chainmend("cache", "add", "--cache", place, "--roots",
                    pki.anchor.pem, pki.intermediate.pem)
    assert run.status == 3, run
    said = run.err.splitlines()[0]
    assert why in said and "Not a directory; give it another" in said, run
    run = chainmend("show", pki.leaf.pem, "--cache", place, "--roots",
                    pki.anchor.pem, "--offline")
    assert run.status == 1 and "MISSING" in run.out, run
    assert f'cache "{place}": {why}' in run.err, run


def test_captures_are_read_without_a_place_to_keep(chainmend, tmp_path, pki):
    """As by a service whose user has no home."""
    (tmp_path / "file").write_text("in the way\n")
    capture = tmp_path / "one.pcap"
    tape = Tape()
    tape.tls(server_context(pki.leaf.pem, pki.leaf.key),
             client_context(pki.anchor.pem), "web.example")
    tape.write(capture)
    run = chainmend("explain", capture, "--roots", pki.anchor.pem, env={
        "HOME": str(tmp_path / "file"), "XDG_CACHE_HOME": ""})
    assert "missing-intermediate" in run.out and run.status == 1, run
    assert "Not a directory; give it another place" in run.err, run


def test_a_home_that_is_the_root_directory(chainmend, tmp_path, pki):
    """HOME=/ makes "//.cache", which is a directory and no host."""
    run = chainmend("cache", "add", "--cache", f"/{tmp_path}/kept/c.db",
                    "--roots", pki.anchor.pem, pki.intermediate.pem)
    assert run.status == 0 and (tmp_path / "kept" / "c.db").exists(), run


def test_what_was_of_no_use_for_so_long_goes(cache, chainmend, pki, tmp_path):
    """Of use is also what mend finds there; what is written down of it may be
    a day old, which nothing falls prey to."""
    other = pki.anchor.issue_ca("Idle CA")
    assert cache("add", "--roots", pki.anchor.pem, pki.intermediate.pem,
                 other.pem).status == 0
    with contextlib.closing(sqlite3.connect(cache.place)) as db:
        db.execute("UPDATE issuer SET first_s = first_s - 907200, "
                   "last_s = last_s - 907200")
        db.commit()
    leaf = pki.intermediate.issue("a.example")
    run = chainmend("mend", leaf.pem, "--roots", pki.anchor.pem, "--cache",
                    cache.place, "--offline", "-o", tmp_path / "out.pem")
    assert run.status == 0, run
    # Ten days and a half ago, as written down; so at least nine and a half.
    run = cache("prune", "--unused", "10", "--dry-run")
    assert "0 would go" in run.out, run
    run = cache("prune", "--unused", "9")
    assert "Idle CA" in run.out and "1 removed" in run.out, run
    [line] = cache("list", "--json").of_kind("cache")
    assert line["sha256"] == pki.intermediate.sha256


def test_wrong_words_are_told(cache, tmp_path):
    assert cache("frobnicate").status == 2
    assert cache("add").status == 2
    assert cache("add", tmp_path / "absent.pem").status == 3
    assert cache("list", "--unused", "x").status == 2


@pytest.fixture
def mended(chainmend, pki, web, tmp_path):
    """mended(cache, name, prefix=()) -> run of mend that must fetch."""
    web.put("/ca.cer", pki.intermediate.der)
    leaf = pki.intermediate.issue("web.example", aia=web.url("/ca.cer"))

    def run(cache, name, prefix=()):
        out = tmp_path / name
        done = chainmend("mend", leaf.pem, "--roots", pki.anchor.pem,
                         "--allow-private", "--cache", cache, "-o", out,
                         prefix=prefix)
        done.chain = out.read_text() if out.exists() else ""
        return done

    return run


def test_many_fetch_at_once_into_one_cache(cache, mended, pki, web):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        runs = list(pool.map(lambda i: mended(cache.place, f"{i}.pem"),
                             range(6)))
    assert [r.status for r in runs] == [0] * 6, runs
    assert {r.chain.count("BEGIN CERT") for r in runs} == {2}
    [line] = cache("list", "--json").of_kind("cache")
    assert line["sha256"] == pki.intermediate.sha256
    assert line["from"] == "aia" and line["url"] == web.url("/ca.cer")
    asked = len(web.requests)
    assert mended(cache.place, "again.pem").status == 0
    assert len(web.requests) == asked, "it was kept and fetched all the same"


@pytest.fixture
def loads(tmp_path):
    """loads(run, library): does run(prefix) load it?"""
    def loaded(run, library):
        trace = tmp_path / f"trace-{len(list(tmp_path.glob('trace-*')))}"
        trace.mkdir()
        run(("env", "LD_DEBUG=files", f"LD_DEBUG_OUTPUT={trace / 'ld'}"))
        said = "".join(f.read_text(errors="replace")
                       for f in trace.iterdir())
        assert "libcrypto" in said
        return library in said

    return loaded


def test_what_is_kept_loads_nothing_to_fetch_with(cache, mended, loads):
    """libcurl and its thirty libraries: for the first time, not for the
    second."""
    def again(prefix):
        run = mended(cache.place, "chain.pem", prefix=prefix)
        assert run.status == 0 and run.chain.count("BEGIN CERT") == 2, run

    assert loads(again, "libcurl")
    assert not loads(again, "libcurl")


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("what", ["from the root", "no address", "whole",
                                  "in the pool"])
def test_who_lacks_nothing_opens_nothing(chainmend, pki, web, loads, tmp_path,
                                         what, there):
    """No libcurl, and no cache is made or opened (one that is none would be
    told of), where nothing is missing."""
    url = web.url("/never.cer")
    ca = pki.intermediate
    words = {
        "from the root": [pki.anchor.issue("a.example", aia=url).pem],
        "no address": [pki.anchor.issue("a.example").pem],
        "whole": [pki.file("all.pem", ca.issue("a.example", aia=url), ca)],
        "in the pool": [ca.issue("a.example", aia=url).pem, "--pool", ca.pem],
    }[what]
    place = tmp_path / "xdg" / "chainmend" / "issuers.db"
    if there:
        place.parent.mkdir(parents=True)
        place.write_text("no cache" * 1000)

    def mend(prefix):
        run = chainmend("mend", *words, "--roots", pki.anchor.pem,
                        "--allow-private", "-o", tmp_path / "out.pem",
                        prefix=prefix, env={"XDG_CACHE_HOME": tmp_path / "xdg"})
        assert run.status == 0, run
        if what != "in the pool":
            assert "kept issuers" not in run.err, run

    assert not loads(mend, "libcurl")
    assert not web.requests
    if what != "in the pool":
        assert place.exists() == there


def test_a_lock_that_another_holds(cache, mended, pki):
    """Somebody writes for longer than we wait: the answer is the same, only
    nothing is kept, and who asked for the cache itself is told."""
    other_ca = pki.anchor.issue_ca("Other CA")
    assert cache("add", "--roots", pki.anchor.pem, other_ca.pem).status == 0
    with contextlib.closing(sqlite3.connect(cache.place)) as other:
        other.execute("BEGIN EXCLUSIVE")
        run = mended(cache.place, "busy.pem")
        assert run.status == 0 and run.chain.count("BEGIN CERT") == 2, run
        run = cache("add", "--roots", pki.anchor.pem, pki.intermediate.pem)
        assert run.status == 3 and "locked" in run.err, run
        assert "kept in" not in run.out, run
        other.execute("ROLLBACK")
    assert count(cache("list", "--json")) == 1


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(kib) -> (folder, prefix): what runs behind the prefix has a
    file system of that size there."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(kib):
        prefix = ["unshare", "--user", "--map-root-user", "--mount", "--",
                  "sh", "-c", f"mount -t tmpfs -o size={kib}k none {folder} "
                  '&& exec "$@"', "sh"]
        tried = subprocess.run(prefix + ["true"], stderr=subprocess.PIPE,
                               text=True)
        if tried.returncode:
            pytest.skip("no mount namespace here: " + tried.stderr.strip())
        return folder, prefix

    return make


@pytest.mark.parametrize("kib", [4, 8, 16, 32, 64])
def test_a_full_disk_fails_nothing(mended, small_disk, kib):
    """Whatever part of the cache still fits: the chain is mended, and it is
    one warning at most."""
    folder, prefix = small_disk(kib)
    run = mended(folder / "issuers.db", "out.pem", prefix)
    assert run.status == 0 and run.chain.count("BEGIN CERT") == 2, run
    warnings = [line for line in run.err.splitlines() if "cache" in line or
                "issuers" in line]
    assert len(warnings) <= 1, run
    if kib <= 16:
        assert warnings, run
