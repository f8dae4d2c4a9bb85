# SPDX-License-Identifier: Apache-2.0
"""A profile is honest to the client it stands for: the real one is run against
the same server, with the same roots, and the two must agree.

Each profile's file is taken as it is shipped; only its list of roots is
exchanged for the lab's.
"""
import re
import subprocess

import pytest
import servers
from conftest import ROOT
from pki import Pki, days_from_now

HOST = "www.web.example"
HERE = ROOT / "tests" / "live" / "clients"


class Lab(Pki):
    """Two roots that are trusted, and what can go wrong below them.  RSA, which
    the oldest client takes, too."""

    def __init__(self, directory):
        super().__init__(directory)
        old, gone = days_from_now(-900), days_from_now(-10)
        self.r1 = self.root("Lab Root R1", key="rsa", not_before=old)
        self.r0 = self.root("Lab Root R0", key="rsa", not_before=old)
        self.r2 = self.root("Lab Root R2", key="rsa", not_before=old,
                            not_after=gone)
        self.trusted = self.file("trusted.pem", self.r1, self.r2)
        self.i1 = self.r1.issue_ca("Lab Intermediate I1", key="rsa")
        self.i2 = self.i1.issue_ca("Lab Intermediate I2", key="rsa")
        self.leaf = self.below(self.i2)
        self.ie = self.r1.issue_ca("Lab Intermediate IE", key="rsa",
                                   not_before=old, not_after=gone)
        self.ie_new = self.r1.issue_ca("Lab Intermediate IE",
                                       reuse_key=self.ie)
        self.leaf_e = self.below(self.ie)
        self.cross = self.r0.issue_ca("Lab Root R1", reuse_key=self.r1)
        self.cross_gone = self.r0.issue_ca(
            "Lab Root R1", reuse_key=self.r1, not_before=old, not_after=gone)
        self.unknown = self.root("Nobody's Root", key="rsa")
        self.unknown_i = self.unknown.issue_ca("Nobody's Intermediate",
                                               key="rsa")
        self.unknown_leaf = self.below(self.unknown_i)
        self.direct = self.below(self.r1)
        self.expired = self.below(self.i2, not_before=old, not_after=gone)
        self.early = self.below(self.i2, not_before=days_from_now(5))
        self.star = self.below(self.i2, sans=["DNS:*.web.example"])
        self.star_high = self.below(self.i2, sans=["DNS:*.example"])
        self.other = self.below(self.i2, sans=["DNS:other.example"])
        self.no_san = self.i2.issue(HOST, sans=[], key="rsa")
        self.self_signed = self.make(HOST, key="rsa")
        self.client_only = self.below(self.i2, usage="clientAuth")
        self.short = self.r1.issue_ca("Lab Short", key="rsa", path_len=0)
        self.short_ca = self.short.issue_ca("Lab Too Deep", key="rsa")
        self.too_deep = self.below(self.short_ca)
        self.no_ca = self.i1.issue("No CA", key="rsa")
        self.below_no_ca = self.below(self.no_ca)
        self.old_anchor = self.below(self.r2.issue_ca(
            "Lab Intermediate I3", key="rsa"))
        self.i3 = self.old_anchor.issuer
        self.elliptic = self.below(self.i2, key="ec")
        self.ed25519 = self.below(self.i2, key="ed25519")
        self.pss = self.below(self.i2, sigopts=[
            "rsa_padding_mode:pss", "rsa_pss_saltlen:digest"])

    def below(self, issuer, **how):
        return issuer.issue(HOST, **{"key": "rsa", **how})


# name, what is sent
SCENARIOS = [
    ("good", "leaf i2 i1"),
    ("missing", "leaf"),
    ("second-missing", "leaf i2"),
    ("middle-missing", "leaf i1"),
    ("wrong-order", "leaf i1 i2"),
    ("root-sent", "leaf i2 i1 r1"),
    ("duplicate", "leaf i2 i2 i1"),
    ("stranger-last", "leaf i2 i1 unknown_i"),
    ("stranger-between", "leaf unknown_i i2 i1"),
    ("untrusted", "unknown_leaf unknown_i"),
    ("untrusted-root-sent", "unknown_leaf unknown_i unknown"),
    ("self-signed", "self_signed"),
    ("straight-from-root", "direct"),
    ("expired", "expired i2 i1"),
    ("not-yet-valid", "early i2 i1"),
    ("expired-intermediate", "leaf_e ie"),
    ("successor-behind", "leaf_e ie ie_new"),
    ("successor-before", "leaf_e ie_new ie"),
    ("cross-sign", "leaf i2 i1 cross"),
    ("expired-cross-sign", "leaf i2 i1 cross_gone"),
    ("expired-cross-sign-and-old-root", "leaf i2 i1 cross_gone r0"),
    ("anchor-expired", "old_anchor i3"),
    ("wildcard", "star i2 i1"),
    ("wildcard-too-high", "star_high i2 i1"),
    ("other-name", "other i2 i1"),
    ("name-only-in-subject", "no_san i2 i1"),
    ("client-usage", "client_only i2 i1"),
    ("path-length", "too_deep short_ca short"),
    ("not-a-ca", "below_no_ca no_ca i1"),
    ("elliptic", "elliptic i2 i1"),
    ("ed25519", "ed25519 i2 i1"),
    ("rsa-pss", "pss i2 i1"),
]


# Profile and scenario, the client's own answer, and why ours is another.
KNOWN = {
    ("firefox", "name-only-in-subject"): (
        True, "NSS takes it; the verifier that Firefox has above NSS does "
        "not"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("clients"))


class Client:
    """One real client with the lab's roots; accepts() asks it."""
    profile = None

    def __init__(self, lab, directory):
        self.lab, self.dir = lab, directory

    @classmethod
    def why_not(cls):
        return None if servers.program(cls.program) else f"no {cls.program}"

    def run(self, *command):
        return subprocess.run([str(c) for c in command],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=30)

    def accepts(self, port):
        """Whether it does, and its own words."""
        done = self.run(*self.command(port))
        assert done.returncode in (0, *self.refusal), done
        return done.returncode == 0, (done.stdout + done.stderr)[-600:]

    def stop(self):
        pass


class Openssl(Client):
    profile, program, refusal = "debian-openssl", "openssl", (1,)

    def command(self, port):
        return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                "-servername", HOST, "-verify_hostname", HOST, "-CAfile",
                self.lab.trusted, "-no-CApath", "-no-CAstore",
                "-verify_return_error", "-purpose", "sslserver"]


class Curl(Client):
    profile, program, refusal = "curl-alpine", "curl", (60,)

    def command(self, port):
        return ["curl", "-sS", "-o", "/dev/null", "--max-time", "20",
                "--cacert", self.lab.trusted, "--resolve",
                f"{HOST}:{port}:127.0.0.1", f"https://{HOST}:{port}/"]


class Gnutls(Client):
    profile, program, refusal = "debian-gnutls", "gnutls-cli", (1,)

    def command(self, port):
        return ["gnutls-cli", f"--x509cafile={self.lab.trusted}",
                f"--sni-hostname={HOST}", f"--verify-hostname={HOST}",
                "-p", port, "127.0.0.1"]


class Node(Client):
    profile, program, refusal = "node", "node", (1,)

    def command(self, port):
        return ["node", HERE / "verify.js", self.lab.trusted, port, HOST]


class Mbedtls(Client):
    profile, program, refusal = "mbedtls-one-root", "cc", (1,)

    def __init__(self, lab, directory):
        super().__init__(lab, directory)
        self.built = directory / "mbed"
        done = self.run("cc", "-o", self.built, HERE / "mbed.c", "-lmbedtls",
                        "-lmbedx509", "-lmbedcrypto")
        assert done.returncode == 0, done.stderr

    @classmethod
    def why_not(cls):
        done = subprocess.run(["cc", "-E", "-"], capture_output=True,
                              text=True, input="#include <mbedtls/ssl.h>\n")
        return "no libmbedtls-dev" if done.returncode else None

    def command(self, port):
        return [self.built, self.lab.trusted, port, HOST]


class Nss(Client):
    """Firefox has a verifier of its own above NSS; this is the one below."""
    profile, program, refusal = "firefox", "tstclnt", (1, 254)

    def __init__(self, lab, directory):
        super().__init__(lab, directory)
        self.db = f"sql:{directory}"
        for command in (
                ["certutil", "-N", "-d", self.db, "--empty-password"],
                ["certutil", "-A", "-d", self.db, "-n", "r1", "-t", "C,,",
                 "-a", "-i", lab.r1.pem],
                ["certutil", "-A", "-d", self.db, "-n", "r2", "-t", "C,,",
                 "-a", "-i", lab.r2.pem]):
            done = self.run(*command)
            assert done.returncode == 0, done.stderr

    def command(self, port):
        request = self.dir / "request"
        request.write_text("GET / HTTP/1.0\r\n\r\n")
        return ["tstclnt", "-h", "127.0.0.1", "-a", HOST, "-p", port, "-d",
                self.db, "-A", request]


class Java(Client):
    profile, program = "java-17", "java"

    def __init__(self, lab, directory):
        super().__init__(lab, directory)
        done = self.run("javac", "-d", directory, HERE / "Verify.java")
        assert done.returncode == 0, done.stderr
        self.process = subprocess.Popen(
            ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp",
             directory, "Verify", lab.trusted], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    @classmethod
    def why_not(cls):
        for needed in ("java", "javac"):
            if not servers.program(needed):
                return f"no {needed}"
        version = subprocess.run(["java", "-version"], capture_output=True,
                                 text=True).stderr
        found = re.search(r'version "(\d+)', version)
        return None if found and int(found.group(1)) >= 17 else "no Java 17"

    def accepts(self, port):
        self.process.stdin.write(f"{port} {HOST}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer[:2] in ("ye", "no"), answer
        return answer == "yes", answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


CLIENTS = [Openssl, Curl, Gnutls, Node, Mbedtls, Nss, Java]


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda c: c.__name__)
def client(request, lab, tmp_path_factory):
    why = request.param.why_not()
    if why:
        pytest.skip(f"{why} on this machine")
    made = request.param(lab, tmp_path_factory.mktemp(request.param.__name__))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def all_servers(lab, tmp_path_factory):
    """One nginx for each scenario: the name of it and its port."""
    if not servers.program("nginx"):
        pytest.skip("no nginx on this machine")
    where, ports, started = tmp_path_factory.mktemp("scenarios"), {}, []
    try:
        for name, sent in SCENARIOS:
            certs = [getattr(lab, n) for n in sent.split()]
            chain = lab.file(f"{name}.pem", *certs)
            started.append(servers.start_nginx(where / name, chain,
                                               certs[0].key))
            ports[name] = started[-1].port
        yield ports
    finally:
        for server in started:
            server.stop()


def with_lab_roots(lab, directory, profile):
    """The profile as it is shipped, the list of roots exchanged."""
    text = (ROOT / "data" / "profiles" / f"{profile}.ini").read_text()
    text = re.sub(r"^roots = .*$", "roots = lab.txt", text, flags=re.M)
    assert "lab.txt" in text
    (directory / f"{profile}.ini").write_text(text)
    (directory / "lab.txt").write_text(
        "".join(f"{r.sha256}\n" for r in (lab.r1, lab.r2)))


def test_profile_agrees_with_the_client(chainmend, lab, client, all_servers,
                                        tmp_path):
    with_lab_roots(lab, tmp_path, client.profile)
    wrong, accepted = [], 0
    for name, port in all_servers.items():
        run = chainmend(
            "check", f"127.0.0.1:{port}", "--sni", HOST, "--host", HOST,
            "--profile", client.profile, "--pool", lab.trusted, "--offline",
            "--json", env={"CHAINMEND_PROFILES": str(tmp_path)})
        line, = run.of_kind("endpoint")
        ours, = line["profiles"]
        theirs, words = client.accepts(port)
        accepted += theirs
        known = KNOWN.get((client.profile, name))
        if known and ours["accepts"] != theirs == known[0]:
            continue
        if ours["accepts"] != theirs:
            wrong.append(f"{name}: {client.profile} says {ours['accepts']} "
                         f"({ours['why']}), the client {theirs}: {words}")
    assert not wrong, f"{len(wrong)} of {len(all_servers)}\n" + \
        "\n".join(wrong)
    # The lab is no trap: some chains are taken, and some are not.
    assert 3 < accepted < len(all_servers) - 5
