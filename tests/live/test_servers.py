# SPDX-License-Identifier: Apache-2.0
"""Real server software: a leaf alone is found and named, and what mend writes
and prints for that server, put in as it stands, mends it."""
import re

import pytest
import real_servers


@pytest.fixture(scope="module")
def rsa_pki(tmp_path_factory):
    """RSA, which every server here takes without being told more."""
    from pki import LOCAL, Pki, days_from_now

    class Small(Pki):
        def __init__(self, directory):
            super().__init__(directory)
            self.anchor = self.root("Server Root", key="rsa",
                                    not_after=days_from_now(3650))
            self.intermediate = self.anchor.issue_ca(
                "Server Intermediate", key="rsa")
            self.leaf = self.intermediate.issue("localhost", sans=LOCAL,
                                                key="rsa")
    return Small(tmp_path_factory.mktemp("servers"))


def printed_lines(run):
    """The configuration of mend's output, without its indent and remarks."""
    text = run.out.split("configuration:", 1)[1]
    block = re.search(r"^  \S.*\n((?:    .*\n)+)", text, re.M).group(1)
    return "".join(line[4:] + "\n" for line in block.splitlines()
                   if not line.startswith("    # then:"))


@pytest.mark.parametrize("kind", real_servers.ALL, ids=lambda k: k.__name__)
def test_found_and_mended(chainmend, rsa_pki, tmp_path, kind):
    if real_servers.why_not(kind):
        pytest.skip(real_servers.why_not(kind))
    server = kind(rsa_pki.leaf.pem, rsa_pki.leaf.key)
    target = [server.address, "-4"]
    if kind.starttls:
        target += ["--starttls", kind.starttls]
    try:
        server.start(server.leaf_lines())
        run = chainmend("check", *target, "--roots", rsa_pki.anchor.pem,
                        "--offline", "--json")
        line, = run.of_kind("endpoint")
        assert line["verdict"] == "missing-intermediate", (
            run, server.process.output())
        assert run.status == 1 and len(line["sent"]) == 1
        assert line.get("starttls") == kind.starttls
        chain = server.dir / "fullchain.pem"
        run = chainmend("mend", *target, "--roots", rsa_pki.anchor.pem,
                        "--offline", "--pool", rsa_pki.intermediate.pem,
                        "--server", kind.mend, "-o", chain)
        assert run.status == 0, run
        assert chain.read_text() == (rsa_pki.leaf.text +
                                     rsa_pki.intermediate.text)
        lines = printed_lines(run)
        assert str(chain) in lines and "privkey.pem" in lines
        server.stop()
        server.start(lines.replace("privkey.pem", str(server.key)))
        run = chainmend("check", *target, "--roots", rsa_pki.anchor.pem,
                        "--offline", "--json")
        line, = run.of_kind("endpoint")
        assert line["verdict"] is None, (run, server.process.output())
        assert run.status == 0 and len(line["sent"]) == 2
        assert not [f for f in line["findings"]
                    if f["severity"] != "info"], run
    finally:
        server.close()


def test_every_server_that_mend_knows_is_tried_or_named(chainmend):
    """A new row in mend's table needs a server here, or a reason."""
    not_here = {
        "iis": "Windows", "exim": "its configuration is generated",
        "lighttpd": "the same form as nginx's files", "caddy": "not in Debian",
        "tomcat": "a Java server of its own",
    }
    run = chainmend("mend", "--server", "no-such", "x.pem")
    tried = {k.mend for k in real_servers.ALL}
    told = run.err.split("it knows", 1)[1].split(";")[0]
    known = set(re.findall(r"[a-z0-9]+", told)) - {"and"}
    assert run.status == 2
    assert known - tried - set(not_here) == set(), run.err
    assert tried <= known
