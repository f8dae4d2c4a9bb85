# SPDX-License-Identifier: Apache-2.0
"""--policy: what a path must keep beyond what TLS clients ask for.  The rules
broken here are those of RFC 5280 and of the Baseline Requirements, each in a
certificate that OpenSSL itself takes."""
from pathlib import Path

import pytest
from pki import openssl


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
