# SPDX-License-Identifier: Apache-2.0
"""mend with real servers: broken, mended, probed again."""
import json
import subprocess

import pytest
from pki import LOCAL


def curl(address, roots):
    port = address.rsplit(":", 1)[1]
    return subprocess.run(
        ["curl", "-sS", "--cacert", str(roots), f"https://localhost:{port}/"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True).returncode


def openssl_verifies(chain, roots):
    """Plain openssl verify with nothing but the file's own certificates."""
    return subprocess.run(
        ["openssl", "verify", "-CAfile", str(roots), "-untrusted", str(chain),
         str(chain)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode == 0


def certificates(path):
    return path.read_text().count("BEGIN CERTIFICATE")


@pytest.fixture
def broken(pki, nginx, web):
    """nginx with a leaf whose issuer can be fetched from `web`."""
    leaf = pki.intermediate.issue(
        "web.example", sans=LOCAL,
        aia=web.put("/i.cer", pki.intermediate.der))
    return nginx(leaf.pem, leaf.key), leaf


def test_live_server_is_mended(chainmend, pki, nginx, broken, tmp_path):
    server, leaf = broken
    out = tmp_path / "fullchain.pem"
    assert curl(server.address, pki.anchor.pem) == 60
    run = chainmend("mend", server.address, "--roots", pki.anchor.pem,
                    "-o", out, "--key", leaf.key)
    assert run.status == 0, run
    assert out.read_text() == leaf.text + pki.intermediate.text
    assert "added, fetched" in run.out and "Test Intermediate" in run.out
    assert f"ssl_certificate     {out};" in run.out
    assert openssl_verifies(out, pki.anchor.pem)
    mended = nginx(out, leaf.key)
    assert curl(mended.address, pki.anchor.pem) == 0
    run = chainmend("check", mended.address, "--roots", pki.anchor.pem,
                    "--offline")
    assert run.status == 0, run


def test_deploy_check(chainmend, pki, nginx, broken, tmp_path):
    server, leaf = broken
    out = tmp_path / "fullchain.pem"
    args = ("mend", leaf.pem, "--roots", pki.anchor.pem, "-o", out,
            "--allow-private")
    run = chainmend(*args, "--deploy-check", server.address)
    assert run.status == 1 and "does not send the proven chain" in run.out, run
    mended = nginx(out, leaf.key)
    run = chainmend(*args, "--deploy-check", mended.address)
    assert run.status == 0 and "sends the proven chain" in run.out, run


def test_private_addresses_are_not_fetched_from_for_files(
        chainmend, pki, broken, web, tmp_path):
    _, leaf = broken
    out = tmp_path / "out.pem"
    run = chainmend("mend", leaf.pem, "--roots", pki.anchor.pem, "-o", out)
    assert run.status == 1 and not out.exists(), run
    assert web.paths() == []


PILES = [
    ("wrong order", ["anchor", "intermediate", "leaf"], True),
    ("root sent", ["leaf", "intermediate", "anchor"], True),
    ("stranger", ["stranger", "leaf", "intermediate"], True),
    ("twice", ["leaf", "intermediate", "leaf", "intermediate"], True),
    ("right", ["leaf", "intermediate"], False),
]


@pytest.mark.parametrize("pile", PILES, ids=lambda p: p[0])
def test_piles_become_chains(chainmend, pki, pile, tmp_path):
    _, names, changed = pile
    given = pki.file("pile.pem", *(getattr(pki, n) for n in names))
    out = tmp_path / "out.pem"
    run = chainmend("mend", given, "--roots", pki.anchor.pem, "--offline",
                    "-o", out, "--json")
    line, = run.of_kind("mend")
    assert line["proven"] and line["changed"] == changed, run
    assert out.read_text() == pki.leaf.text + pki.intermediate.text
    assert openssl_verifies(out, pki.anchor.pem)


def test_several_files_and_a_pool(chainmend, pki, tmp_path):
    run = chainmend("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
                    pki.anchor.pem, "--offline")
    assert run.status == 0, run
    assert run.out == pki.leaf.text + pki.intermediate.text
    assert "proven" in run.err
    run = chainmend("mend", pki.leaf.pem, "--pool", pki.intermediate.pem,
                    "--roots", pki.anchor.pem, "--offline", "--quiet")
    assert run.out == pki.leaf.text + pki.intermediate.text
    assert run.err == ""


def test_p7b(chainmend, pki, tmp_path):
    out = tmp_path / "chain.p7b"
    run = chainmend("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
                    pki.anchor.pem, "--offline", "--format", "p7b", "-o", out)
    assert run.status == 0, run
    shown = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-in", str(out),
         "-print_certs"], stdout=subprocess.PIPE, text=True)
    assert shown.returncode == 0
    assert shown.stdout.count("BEGIN CERTIFICATE") == 2


REFUSALS = [
    ("issuer unknown", ["leaf"], "missing-intermediate"),
    ("no such root", ["stranger_leaf", "stranger"], "untrusted-root"),
    ("expired", ["expired", "intermediate"], "expired-leaf"),
    ("self-signed", ["self_signed"], "self-signed-leaf"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda c: c[0])
def test_what_cannot_be_proven_is_not_written(chainmend, pki, case, tmp_path):
    _, names, why = case
    given = pki.file("bad.pem", *(getattr(pki, n) for n in names))
    out = tmp_path / "out.pem"
    out.write_text("the old chain")
    run = chainmend("mend", given, "--roots", pki.anchor.pem, "--offline",
                    "-o", out)
    assert run.status == 1, run
    assert why in run.err, run
    assert out.read_text() == "the old chain"
    assert sorted(p.name for p in tmp_path.iterdir()
                  if p.name.startswith("out")) == ["out.pem"]


def test_wrong_key_stops_everything(chainmend, pki, tmp_path):
    out = tmp_path / "out.pem"
    run = chainmend("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
                    pki.anchor.pem, "--offline", "-o", out, "--key",
                    pki.expired.key)
    assert run.status == 1 and "is not the key of" in run.err, run
    assert not out.exists()


def test_key_files_that_are_none(chainmend, pki, tmp_path):
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", str(pki.leaf.key), "-aes128",
                    "-passout", "pass:x", "-out", str(locked)], check=True)
    for key, says in ((locked, "encrypted"), (pki.leaf.pem, "no private key"),
                      (tmp_path / "none", "cannot")):
        run = chainmend("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
                        pki.anchor.pem, "--offline", "--key", key)
        assert run.status == 3 and says in run.err, run
        assert run.out == ""


def test_output_that_cannot_be_written(chainmend, pki, tmp_path):
    run = chainmend("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
                    pki.anchor.pem, "--offline", "-o",
                    tmp_path / "no" / "such" / "dir.pem")
    assert run.status == 3 and "no/such" in run.err, run


def test_expired_intermediate_is_replaced(chainmend, pki, nginx, web, tmp_path):
    """The one that only one peer mends by accident: re-issued by the CA."""
    from pki import days_from_now
    old = pki.anchor.issue_ca("Re-issued CA", not_before=days_from_now(-900),
                              not_after=days_from_now(-10))
    new = pki.anchor.issue_ca("Re-issued CA", reuse_key=old)
    leaf = old.issue("web.example", sans=LOCAL,
                     aia=web.put("/new.cer", new.der))
    server = nginx(pki.file("old.pem", leaf, old), leaf.key)
    assert curl(server.address, pki.anchor.pem) == 60
    out = tmp_path / "out.pem"
    run = chainmend("mend", server.address, "--roots", pki.anchor.pem, "-o",
                    out)
    assert run.status == 0, run
    assert out.read_text() == leaf.text + new.text
    assert curl(nginx(out, leaf.key).address, pki.anchor.pem) == 0


def test_server_lines(chainmend, pki, tmp_path):
    args = ("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
            pki.anchor.pem, "--offline", "-o", tmp_path / "f.pem")
    run = chainmend(*args)
    for words in ("ssl_certificate ", "SSLCertificateFile", "bind :443 ssl",
                  "smtpd_tls_chain_files", "ssl_cert = <", "certutil"):
        assert words in run.out, words
    run = chainmend(*args, "--server", "postfix")
    assert "smtpd_tls_chain_files" in run.out
    assert "nginx" not in run.out
    run = chainmend(*args, "--server", "no-such")
    assert run.status == 2, run


# --------------------------------------------------------------- tried out

def test_proved_with_the_real_key(chainmend, pki, broken, tmp_path):
    server, leaf = broken
    out = tmp_path / "fullchain.pem"
    run = chainmend("mend", server.address, "--roots", pki.anchor.pem,
                    "--key", leaf.key, "--prove", "-o", out)
    assert run.status == 0, run
    assert "a server on loopback sends this chain" in run.out, run
    assert "both handshakes are finished" in run.out
    assert out.read_text() == leaf.text + pki.intermediate.text


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_proved_without_the_key(chainmend, pki, tmp_path, kind):
    leaf = pki.intermediate.issue("web.example", sans=LOCAL, key=kind)
    out = tmp_path / "fullchain.pem"
    run = chainmend("mend", leaf.pem, pki.intermediate.pem, "--roots",
                    pki.anchor.pem, "--offline", "--prove", "-o", out,
                    "--json")
    line, = run.of_kind("mend")
    proof = line["prove"]
    assert proof["good"] and proof["same"] and not proof["finished"], run
    assert proof["verdict"] is None
    assert openssl_verifies(out, pki.anchor.pem)


def test_proved_with_other_kinds_of_key(chainmend, pki, tmp_path):
    key, csr, pem = (tmp_path / n for n in ("ed.key", "ed.csr", "ed.pem"))
    subprocess.run(["openssl", "req", "-new", "-newkey", "ed25519", "-nodes",
                    "-keyout", key, "-subj", "/CN=web.example", "-out", csr],
                   check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA",
                    pki.intermediate.pem, "-CAkey", pki.intermediate.key,
                    "-CAcreateserial", "-CAserial", tmp_path / "serial",
                    "-days", "30", "-out", pem], check=True,
                   stderr=subprocess.DEVNULL)
    for more, finished in ((("--key", key), True), ((), False)):
        run = chainmend("mend", pem, pki.intermediate.pem, "--roots",
                        pki.anchor.pem, "--offline", "--prove", "--json",
                        *more)
        line, = run.of_kind("mend")
        assert line["prove"]["good"], run
        assert line["prove"]["finished"] is finished


def test_every_profile_judges_what_came_over_the_wire(chainmend, pki,
                                                      tmp_path):
    from pathlib import Path
    for name in ("office", "no-curves"):
        assert chainmend("profiles", "add", name,
                         pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob("no-curves.ini")
    ini.write_text(ini.read_text().replace("elliptic = unknown",
                                           "elliptic = no"))
    out = tmp_path / "fullchain.pem"
    args = ("mend", pki.leaf.pem, pki.intermediate.pem, "--offline",
            "--prove", "--profile", "office", "-o", out)
    run = chainmend(*args)
    assert run.status == 0 and "accepts  office" in run.out, run
    out.unlink()
    # A client that can take no such key: nothing is written.
    run = chainmend(*args, "--profile", "no-curves")
    assert run.status == 1 and not out.exists(), run
    assert "refuses  no-curves: unsupported-signature" in run.err
    assert "nothing is written" in run.err


def test_the_trial_is_a_real_connection(chainmend, pki, tmp_path):
    """Where even loopback is down there is nothing to connect to."""
    args = ("mend", pki.leaf.pem, pki.intermediate.pem, "--roots",
            pki.anchor.pem, "--offline", "-o", tmp_path / "out.pem")
    prefix = ["unshare", "--user", "--map-root-user", "--net", "--"]
    if subprocess.run(prefix + ["true"]).returncode != 0:
        pytest.skip("no user namespaces here")
    assert chainmend(*args, prefix=prefix).status == 0
    (tmp_path / "out.pem").unlink()
    run = chainmend(*args, "--prove", prefix=prefix)
    assert run.status == 3 and "cannot be reached" in run.err, run
    assert not (tmp_path / "out.pem").exists()


# ---------------------------------------------------------- which software

def test_nginx_is_recognised(chainmend, pki, broken, tmp_path):
    server, _ = broken
    args = ("mend", server.address, "--roots", pki.anchor.pem, "-o",
            tmp_path / "fullchain.pem")
    run = chainmend(*args)
    assert 'the server says it is "nginx/' in run.out, run
    assert "ssl_certificate " in run.out and "SSLCertificateFile" not in \
        run.out
    line, = chainmend(*args, "--json").of_kind("mend")
    assert line["server"] == "nginx" and line["software"].startswith("nginx")
    # Told otherwise, it is believed.
    run = chainmend(*args, "--server", "apache")
    assert "SSLCertificateFile" in run.out, run
    assert "ssl_certificate " not in run.out


def test_software_that_says_nothing(chainmend, pki, s_server, tmp_path):
    server = s_server(pki.leaf.pem, pki.leaf.key)
    run = chainmend("mend", server.address, "--roots", pki.anchor.pem,
                    "--pool", pki.intermediate.pem, "--offline", "-o",
                    tmp_path / "fullchain.pem")
    assert run.status == 0, run
    assert "SSLCertificateFile" in run.out and "ssl_certificate " in run.out
