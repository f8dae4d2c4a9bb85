# SPDX-License-Identifier: Apache-2.0
"""--policy: what a path must keep beyond what TLS clients ask for.  The rules
broken here are those of RFC 5280 and of the Baseline Requirements, each in a
certificate that OpenSSL itself takes."""
from pathlib import Path

import pytest
from conftest import check_line
from pki import openssl
from tape import Tape, client_context, server_context


@pytest.fixture
def chains(pki, tmp_path):
    """Leaf and intermediate in one file, by what is odd about the leaf."""
    def chain(name, leaf):
        path = tmp_path / f"{name}.pem"
        path.write_text(leaf.pem.read_text() +
                        pki.intermediate.pem.read_text())
        openssl("verify", "-CAfile", pki.anchor.pem, "-untrusted",
                pki.intermediate.pem, leaf.pem)
        return path

    ca = pki.intermediate
    return {
        "plain": chain("plain", pki.leaf),
        # BR 7.1.4.3: a common name is one of the names.
        "other-cn": chain("other-cn", ca.issue(
            "Our web server", sans=["DNS:web.example"])),
        # BR 7.1.2.7.10: no usage of code signing beside serverAuth.
        "code-too": chain("code-too", ca.issue(
            "web.example", usage="serverAuth,codeSigning")),
        # RFC 5280 section 4.2.1.6: subjectAltName is critical where the
        # subject is empty, and here it is not empty: BR alone objects.
        "critical-names": chain("critical-names", ca.issue(
            "web.example", sans=["critical", "DNS:web.example"])),
    }


@pytest.mark.parametrize("name,refused", [
    ("plain", []), ("other-cn", ["webpki"]), ("code-too", ["webpki"]),
    ("critical-names", ["webpki"])])
@pytest.mark.parametrize("command", ["check", "show"])
def test_what_each_policy_refuses(chainmend, pki, chains, command, name,
                                  refused):
    for policy in (None, "clients", "rfc5280", "webpki"):
        more = ["--policy", policy] if policy else []
        run = chainmend(command, chains[name], "--roots", pki.anchor.pem,
                        "--offline", "--json", *more)
        line, = run.of_kind("endpoint")
        assert (line["verdict"] is not None) == (policy in refused), run
        if command == "check":
            assert run.status == (1 if policy in refused else 0), run
        if policy in refused:
            assert "Baseline Requirements 7.1" in run.out, run


def test_mend_writes_nothing_that_breaks_them(chainmend, pki, chains, tmp_path):
    out = tmp_path / "out.pem"
    args = ["mend", chains["other-cn"], "--roots", pki.anchor.pem, "--offline",
            "-o", out]
    run = chainmend(*args, "--policy", "webpki")
    assert run.status == 1 and "7.1.4.3" in run.out + run.err, run
    assert not out.exists()
    run = chainmend(*args)
    assert run.status == 0 and out.exists(), run


def test_a_profile_has_its_own(chainmend, pki, chains):
    """--policy is the plain client's; a profile's is in its file."""
    for name, more in (("browser", "policy = webpki\n"), ("tool", "")):
        assert chainmend("profiles", "add", name, pki.anchor.pem).status == 0
        ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob(f"{name}.ini")
        ini.write_text(ini.read_text() + more)
    run = chainmend("check", chains["other-cn"], "--roots", pki.anchor.pem,
                    "--offline", "--json", "--profile", "browser",
                    "--profile", "tool", "--policy", "clients")
    line, = run.of_kind("endpoint")
    got = {p["profile"]: p for p in line["profiles"]}
    assert line["verdict"] is None and got["tool"]["accepts"], run
    assert got["browser"]["why"] == "policy", run
    ini.write_text(ini.read_text() + "policy = none\n")
    run = chainmend("check", chains["plain"], "--profile", "tool")
    assert run.status == 3 and "policy = none" in run.err, run


def test_one_that_is_none(chainmend, chains):
    run = chainmend("check", chains["plain"], "--policy", "soft")
    assert run.status == 2 and "webpki" in run.err, run


# ------------------------------------------------------------ many servers

ODD = {
    # BR 7.1.4.3, as above.
    "other-cn": ("Our web server", {"sans": ["DNS:web.example"]}),
    # BR 7.1.2.7.10.
    "code-too": ("web.example", {"usage": "serverAuth,codeSigning"}),
    # RFC 5280 section 4.2.1.10: for CA certificates only.
    "constraints": ("web.example", {
        "extra": ["nameConstraints = permitted;DNS:web.example"]}),
    "plain": ("web.example", {}),
}
# Which of them a policy refuses.
REFUSED = {
    "clients": {}, "strict": {},
    "rfc5280": {"constraints": "name-constraint"},
    "webpki": {"constraints": "name-constraint", "other-cn": "policy",
               "code-too": "wrong-usage"},
}


@pytest.fixture
def farm(pki, nginx):
    """A server for each of them: {its address: what is odd}."""
    found = {}
    for odd, (name, how) in ODD.items():
        leaf = pki.intermediate.issue(name, **how)
        openssl("verify", "-CAfile", pki.anchor.pem, "-untrusted",
                pki.intermediate.pem, leaf.pem)
        server = nginx(pki.file(f"farm-{odd}.pem", leaf, pki.intermediate),
                       leaf.key)
        found[server.address] = odd
    return found


def verdicts_of(run, farm):
    return {farm[e["target"]]: e["verdict"] for e in run.of_kind("endpoint")
            if e["verdict"]}


@pytest.mark.parametrize("more", [[], ["--handshake"]])
def test_many_are_held_to_it(chainmend, pki, farm, tmp_path, more):
    """The same for each of many servers as for one alone; each stands twice in
    the file, for the second is known by its chain."""
    path = tmp_path / "targets.txt"
    path.write_text("".join(f"{x}\n" for x in list(farm) * 2))
    for policy, refused in REFUSED.items():
        how = ["--host", "web.example", "--roots", pki.anchor.pem, "--offline",
               "--json", "--policy", policy]
        run = chainmend("check", "-f", path, *how, *more)
        assert len(run.of_kind("endpoint")) == 2 * len(ODD), run
        assert verdicts_of(run, farm) == refused, (policy, run)
        assert run.status == (1 if refused else 0), (policy, run)
        for address, odd in farm.items():
            line, = chainmend("check", address, *how).of_kind("endpoint")
            assert line["verdict"] == refused.get(odd), (policy, odd)


def test_many_without_it_are_held_to_what_clients_ask(chainmend, pki, farm,
                                                      tmp_path):
    path = tmp_path / "targets.txt"
    path.write_text("".join(f"{x}\n" for x in farm))
    run = chainmend("check", "-f", path, "--host", "web.example", "--roots",
                    pki.anchor.pem, "--offline", "--json")
    assert verdicts_of(run, farm) == {} and run.status == 0, run


def test_many_profiles_have_their_own(chainmend, pki, farm, tmp_path):
    """--policy is the plain client's, here as with one server."""
    assert chainmend("profiles", "add", "browser", pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob("browser.ini")
    ini.write_text(ini.read_text() + "policy = webpki\n")
    path = tmp_path / "targets.txt"
    path.write_text("".join(f"{x}\n" for x in farm))
    run = chainmend("check", "-f", path, "--host", "web.example", "--roots",
                    pki.anchor.pem, "--offline", "--json", "--profile",
                    "browser", "--policy", "rfc5280")
    assert verdicts_of(run, farm) == REFUSED["rfc5280"], run
    got = {farm[e["target"]]: e["profiles"][0].get("why")
           for e in run.of_kind("endpoint")}
    assert {k: v for k, v in got.items() if v} == REFUSED["webpki"], run


def test_monitoring_is_held_to_it(chainmend, pki, farm, tmp_path):
    path = tmp_path / "targets.txt"
    path.write_text("".join(f"{x}\n" for x in farm))
    for policy, refused in REFUSED.items():
        run = chainmend("check", "-f", path, "--host", "web.example",
                        "--roots", pki.anchor.pem, "--offline", "--nagios",
                        "--policy", policy)
        assert run.status == (2 if refused else 0), (policy, run)
        for address, odd in farm.items():
            told = any(address in x for x in run.out.splitlines()[1:])
            assert told == (odd in refused), (policy, odd, run)


# ---------------------------------------------------------------- tried out

@pytest.fixture
def twins(pki):
    """A leaf, and two certificates of its CA: one that has no key identifier,
    which RFC 5280 section 4.2.1.2 asks for in each CA, and one that has."""
    good = pki.anchor.issue_ca("Twin")
    odd = pki.anchor.issue_ca("Twin", reuse_key=good,
                              extra=["subjectKeyIdentifier = none"])
    leaf = good.issue("web.example")
    for ca in (good, odd):
        openssl("verify", "-CAfile", pki.anchor.pem, "-untrusted", ca.pem,
                leaf.pem)
    assert "Subject Key Identifier" not in openssl(
        "x509", "-in", odd.pem, "-noout", "-text").decode()
    return leaf, odd, good


@pytest.mark.parametrize("policy,right", [
    (None, "odd"), ("clients", "odd"), ("rfc5280", "good"), ("webpki", "good"),
    ("strict", "good")])
def test_the_chain_that_is_tried_out_keeps_to_it(chainmend, pki, twins,
                                                 tmp_path, policy, right):
    leaf, odd, good = twins
    out = tmp_path / "out.pem"
    run = chainmend("mend", pki.file("twins.pem", leaf, odd), "--pool",
                    good.pem, "--roots", pki.anchor.pem, "--offline",
                    "--prove", "--key", leaf.key, "-o", out, "--json",
                    *(["--policy", policy] if policy else []))
    line, = run.of_kind("mend")
    assert run.status == 0 and line["proven"], run
    assert line["prove"]["good"] and line["prove"]["finished"], run
    assert line["prove"]["verdict"] is None, run
    assert out.read_text() == leaf.text + (
        odd if right == "odd" else good).text


def test_what_breaks_it_is_not_tried_out(chainmend, pki, chains, tmp_path):
    out = tmp_path / "out.pem"
    args = ["mend", chains["code-too"], "--roots", pki.anchor.pem, "--offline",
            "--prove", "-o", out]
    run = chainmend(*args, "--policy", "webpki")
    assert run.status == 1 and "7.1.2.7.10" in run.out + run.err, run
    assert "tried out" not in run.out + run.err, run
    assert not out.exists()
    run = chainmend(*args, "--policy", "clients")
    assert run.status == 0 and "tried out" in run.out and out.exists(), run


@pytest.mark.parametrize("prove", [[], ["--prove"]])
def test_mend_holds_each_profile_to_its_own(chainmend, pki, chains, twins,
                                            tmp_path, prove):
    """A chain that a profile refuses for its policy is not proven for it; one
    that every client takes is found where there is one."""
    for name, more in (("browser", "policy = webpki\n"), ("tool", "")):
        assert chainmend("profiles", "add", name, pki.anchor.pem).status == 0
        ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob(f"{name}.ini")
        ini.write_text(ini.read_text() + more)
    out = tmp_path / "out.pem"

    def mend(file, *more):
        return chainmend("mend", file, "--offline", "-o", out, *prove, *more)

    run = mend(chains["other-cn"], "--profile", "tool", "--policy", "webpki")
    assert run.status == 2 and not out.exists(), run
    assert "of its own" in run.err, run
    run = mend(chains["other-cn"], "--profile", "tool")
    assert run.status == 0 and out.exists(), run
    out.unlink()
    run = mend(chains["other-cn"], "--profile", "browser")
    assert run.status == 1 and not out.exists(), run
    assert "7.1.4.3" in run.out + run.err, run
    leaf, odd, good = twins
    run = mend(pki.file("both.pem", leaf, odd), "--pool", good.pem,
               "--profile", "tool", "--profile", "browser")
    assert run.status == 0, run
    assert out.read_text() == leaf.text + good.text


# ---------------------------------------------------------- of other commands

@pytest.fixture
def capture(pki, tmp_path):
    """Two handshakes of one server whose certificate breaks the Baseline
    Requirements and is what this client asks for."""
    tape = Tape()
    leaf = pki.intermediate.issue("Our web server", sans=["DNS:localhost"])
    server = server_context(pki.file("odd.pem", leaf, pki.intermediate),
                            leaf.key)
    for host in (1, 2):
        tape.tls(server, client_context(pki.anchor.pem), "localhost",
                 host=host)
    return tape.write(tmp_path / "odd.pcap")


def policy_findings(run):
    return [[f["id"] for f in h["findings"] if f["id"] == "policy"]
            for h in run.of_kind("handshake")]


@pytest.mark.parametrize("words", [
    ["explain", "--all"],
    ["compare", "--good", "server=192.0.2.1", "--bad", "server=192.0.2.2"]])
def test_captures_are_held_to_it(chainmend, pki, capture, words):
    for policy in (None, "clients", "rfc5280", "webpki"):
        more = ["--policy", policy] if policy else []
        run = chainmend(*words, capture, "--json", "--roots", pki.anchor.pem,
                        *more)
        broken = [["policy"]] if policy == "webpki" else [[]]
        assert policy_findings(run) == 2 * broken, (policy, run)


def test_what_is_watched_is_held_to_it(chainmend, pki, farm, tmp_path):
    path = tmp_path / "targets.txt"
    path.write_text("".join(f"{x} sni=web.example\n" for x in farm))
    for policy, refused in REFUSED.items():
        run = chainmend("watch", "-f", path, "--once", "--state",
                        tmp_path / f"{policy}.db", "--roots", pki.anchor.pem,
                        "--offline", "--rate", "100", "--policy", policy)
        events = map(check_line, run.out.splitlines())
        got = {farm[e["target"].split("/")[0]]: e["verdict"] for e in events}
        assert set(got) == set(ODD), run
        assert {k: v for k, v in got.items() if v} == refused, (policy, run)
        assert run.status == (1 if refused else 0), (policy, run)
