# SPDX-License-Identifier: Apache-2.0
"""Situations in which other tools mislead: each its own verdict and words,
and the plain verdict agrees with real clients on the same server."""
import subprocess
from pathlib import Path

import pytest
from pki import LOCAL, Pki, days_from_now


class Lab(Pki):
    """Root, two intermediates, leaf, and everything that goes wrong."""

    def __init__(self, directory):
        super().__init__(directory)
        old, new = days_from_now(-900), days_from_now(900)
        self.root = self.root_("Lab Root R1")
        self.old_root = self.root_("Lab Root R0")
        self.i1 = self.root.issue_ca("Lab Intermediate I1", not_after=new)
        self.i2 = self.i1.issue_ca("Lab Intermediate I2", not_after=new)
        self.leaf = self.i2.issue("web.example", sans=LOCAL)
        # An expired intermediate, with and without a successor.
        self.ie = self.root.issue_ca("Lab Intermediate IE", not_before=old,
                                     not_after=days_from_now(-10))
        self.ie_new = self.root.issue_ca("Lab Intermediate IE",
                                         reuse_key=self.ie, not_after=new)
        self.leaf_e = self.ie.issue("web.example", sans=LOCAL)
        # R1 cross-signed by the old root: good, and expired.
        self.cross = self.old_root.issue_ca(
            "Lab Root R1", reuse_key=self.root, not_after=new)
        self.cross_expired = self.old_root.issue_ca(
            "Lab Root R1", reuse_key=self.root, not_before=old,
            not_after=days_from_now(-10))
        self.direct = self.root.issue("web.example", sans=LOCAL)
        self.unknown = self.root_("Nobody's Root")
        self.unknown_i = self.unknown.issue_ca("Nobody's Intermediate")
        self.unknown_leaf = self.unknown_i.issue("web.example", sans=LOCAL)

    def root_(self, name):
        return super().root(name, not_before=days_from_now(-2000),
                            not_after=days_from_now(3650))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("lab"))


# name, sent, verdict, other ids, words that must be said, words that must not
SCENARIOS = [
    ("good", "leaf i2 i1", None, [], [], ["expired"]),
    ("missing", "leaf", "missing-intermediate", [],
     ["Lab Intermediate I2", "not"], []),
    ("second-missing", "leaf i2", "missing-intermediate", [],
     ["Lab Intermediate I1"], []),
    ("middle-missing", "leaf i1", "missing-intermediate", [],
     ["Lab Intermediate I2"], []),
    ("order", "leaf i1 i2", None, ["wrong-order"], [], []),
    ("root-sent", "leaf i2 i1 root", None, ["root-sent"],
     ["Lab Root R1"], []),
    ("duplicate", "leaf i2 i2 i1", None, ["unneeded-certificate"], [], []),
    ("stranger", "leaf i2 i1 unknown_i", None, ["unrelated-certificate"],
     ["Nobody's Intermediate"], []),
    ("expired-intermediate", "leaf_e ie", "expired-intermediate", [],
     ["Lab Intermediate IE"], []),
    ("reissued-beside", "leaf_e ie ie_new", None, [], [], []),
    ("cross-sign", "leaf i2 i1 cross", None, [], [], []),
    ("expired-cross-sign", "leaf i2 i1 cross_expired", None, [], [], []),
    ("unknown-ca", "unknown_leaf unknown_i", "untrusted-root", [],
     ["Nobody's Root"], []),
    ("unknown-ca-root-sent", "unknown_leaf unknown_i unknown",
     "untrusted-root", [], ["Nobody's Root"], []),
    ("straight-from-root", "direct", None, [], [], []),
]


def files(lab, scenario):
    names = scenario[1].split()
    certs = [getattr(lab, n) for n in names]
    return lab.file(scenario[0] + ".pem", *certs), certs[0].key


def curl(port, roots):
    return subprocess.run(
        ["curl", "-sS", "--cacert", roots, f"https://localhost:{port}/"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def gnutls(port, roots):
    return subprocess.run(
        ["gnutls-cli", f"--x509cafile={roots}", "-p", str(port), "localhost"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, timeout=20).returncode == 0


def s_client(port, roots):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{port}", "-CAfile",
         roots, "-verify_return_error", "-verify_hostname", "localhost"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, timeout=20).returncode == 0


def python(port, roots):
    import socket
    import ssl
    context = ssl.create_default_context(cafile=str(roots))
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            with context.wrap_socket(s, server_hostname="localhost"):
                return True
    except ssl.SSLError:
        return False


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s[0])
def test_verdict_words_and_real_clients(chainmend, lab, nginx, scenario):
    name, _, verdict, ids, said, unsaid = scenario
    server = nginx(*files(lab, scenario))
    args = ("check", f"localhost:{server.port}", "-4", "--roots",
            lab.root.pem, "--offline")
    if "missing" in name:
        args += ("--pool", lab.i1.pem, "--pool", lab.i2.pem)
    run = chainmend(*args, "--json")
    line, = run.of_kind("endpoint")
    assert line["verdict"] == verdict, run
    for wanted in ids:
        assert wanted in [f["id"] for f in line["findings"]], run
    errors = [f for f in line["findings"] if f["severity"] == "error"]
    assert bool(errors) == bool(verdict), run
    text = chainmend(*args)
    assert text.status == run.status == (1 if verdict else 0)
    for word in said:
        assert word in text.out, text
    for word in unsaid:
        assert word not in text.out, text
    for client in (curl, gnutls, s_client, python):
        if client == gnutls and name == "reissued-beside":
            continue  # does not go back: see test_gnutls_does_not_go_back
        assert client(server.port, lab.root.pem) == (verdict is None), (
            client.__name__, run)


def test_gnutls_does_not_go_back(chainmend, lab, nginx):
    """An expired issuer before its successor: GnuTLS refuses where OpenSSL
    goes back and finds the other one; the profiles say so too."""
    certs = [lab.leaf_e, lab.ie, lab.ie_new]
    server = nginx(lab.file("back.pem", *certs), lab.leaf_e.key)
    assert curl(server.port, lab.root.pem)
    assert not gnutls(server.port, lab.root.pem)
    for name, back in (("goes-back", "yes"), ("does-not", "no")):
        assert chainmend("profiles", "add", name,
                         lab.root.pem).status == 0
        ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob(f"{name}.ini")
        ini.write_text(ini.read_text().replace(
            "alternatives = unknown", f"alternatives = {back}"))
    run = chainmend("check", f"localhost:{server.port}", "-4", "--offline",
                    "--profile", "goes-back", "--profile", "does-not",
                    "--json")
    got = {p["profile"]: p for p in run.of_kind("endpoint")[0]["profiles"]}
    assert got["goes-back"]["accepts"], run
    assert got["does-not"]["why"] == "expired-intermediate", run


def test_unneeded_expired_cross_sign_is_no_alarm(chainmend, lab):
    """check_ssl_cert calls it critical; nobody refuses."""
    chain = lab.file("x.pem", lab.leaf, lab.i2, lab.i1, lab.cross_expired)
    run = chainmend("check", chain, "--roots", lab.root.pem, "--offline",
                    "--json", "--strict")
    line, = run.of_kind("endpoint")
    assert line["verdict"] is None
    assert not [f for f in line["findings"]
                if f["severity"] != "info"], run
    assert run.status == 0


def test_reissued_issuer_is_offered_for_an_expired_one(chainmend, lab, web):
    leaf = lab.ie.issue("web.example", sans=LOCAL,
                        aia=web.put("/ie.cer", lab.ie_new.der))
    chain = lab.file("e.pem", leaf, lab.ie)
    run = chainmend("check", chain, "--roots", lab.root.pem, "--json",
                    "--allow-private")
    line, = run.of_kind("endpoint")
    assert line["verdict"] == "expired-intermediate"
    assert [c["from"] for c in line["path"]] == ["sent", "aia", "anchor"]
    assert line["path"][1]["sha256"] == lab.ie_new.sha256


AIA = [
    ("dead", lambda web, lab: "http://127.0.0.1:9/i.cer", "aia-dead"),
    ("html", lambda web, lab: web.put("/h", b"<html>gone</html>",
                                      kind="text/html"), "aia-wrong-content"),
    ("not-found", lambda web, lab: web.url("/none"), "aia-dead"),
    ("https", lambda web, lab: "https://127.0.0.1/i.cer", "aia-not-http"),
    ("another-ca", lambda web, lab: web.put("/x", lab.unknown.der),
     "aia-wrong-content"),
    ("absent", lambda web, lab: None, "aia-absent"),
]


@pytest.mark.parametrize("case", AIA, ids=lambda c: c[0])
def test_what_is_wrong_with_the_address(chainmend, lab, web, case):
    _, url, wanted = case
    leaf = lab.i2.issue("web.example", sans=LOCAL, aia=url(web, lab))
    run = chainmend("check", leaf.pem, "--roots", lab.root.pem, "--json",
                    "--allow-private")
    line, = run.of_kind("endpoint")
    assert line["verdict"] == "missing-intermediate"
    assert wanted in [f["id"] for f in line["findings"]], run


def test_old_clients_and_the_cross_sign(chainmend, lab):
    """A client that has only the old root needs the cross-sign; mend makes
    one chain for both."""
    both = lab.file("both.pem", lab.root, lab.old_root)
    chain = lab.file("without.pem", lab.leaf, lab.i2, lab.i1)
    assert chainmend("profiles", "add", "old", lab.old_root.pem).status == 0
    assert chainmend("profiles", "add", "new", lab.root.pem).status == 0
    run = chainmend("check", chain, "--profile", "old", "--profile", "new",
                    "--json", "--offline", "--pool", lab.cross.pem)
    got = {p["profile"]: p for p in run.of_kind("endpoint")[0]["profiles"]}
    assert got["new"]["accepts"] and not got["old"]["accepts"], run
    assert "Lab Root R1" in got["old"]["help"], run
    out = lab.dir / "mended.pem"
    run = chainmend("mend", chain, "--profile", "old", "--profile", "new",
                    "--offline", "--pool", lab.cross.pem, "-o", out)
    assert run.status == 0, run
    assert out.read_text() == "".join(
        c.text for c in (lab.leaf, lab.i2, lab.i1, lab.cross))
    run = chainmend("check", out, "--profile", "old", "--profile", "new",
                    "--offline")
    assert run.status == 0, run
