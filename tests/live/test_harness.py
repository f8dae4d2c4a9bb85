# SPDX-License-Identifier: Apache-2.0
"""The harness itself, with independent programs on both ends."""
import json
import ssl
import socket
import subprocess

import pytest
from conftest import check_line


def sent_by(address):
    """The leaf that a server sends, by Python's own TLS."""
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only the bytes are of interest
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        with context.wrap_socket(plain) as tls:
            return tls.getpeercert(binary_form=True)


def verified(address, roots):
    """Does curl accept it for localhost?"""
    port = address.rsplit(":", 1)[1]
    return subprocess.run(
        ["curl", "-sS", "--cacert", str(roots), f"https://localhost:{port}/"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def test_nginx_sends_the_leaf_it_was_given(pki, nginx):
    server = nginx(pki.leaf.pem, pki.leaf.key)
    assert sent_by(server.address) == pki.leaf.der
    assert not verified(server.address, pki.anchor.pem)


def test_nginx_with_the_full_chain_is_accepted(pki, nginx):
    chain = pki.file("full.pem", pki.leaf, pki.intermediate)
    assert verified(nginx(chain, pki.leaf.key).address, pki.anchor.pem)


def test_s_server_adds_no_certificate_on_its_own(pki, s_server):
    server = s_server(pki.leaf.pem, pki.leaf.key)
    assert sent_by(server.address) == pki.leaf.der
    assert not verified(server.address, pki.anchor.pem)


@pytest.mark.parametrize("name", ["expired", "not_yet", "wrong_name",
                                  "stranger_leaf", "self_signed"])
def test_each_faulty_leaf_is_refused_by_curl(pki, s_server, name):
    cert = getattr(pki, name)
    server = s_server(cert.pem, cert.key, chain=pki.intermediate.pem)
    assert not verified(server.address, pki.anchor.pem)


def test_leaf_from_the_root_needs_no_intermediate(pki, s_server):
    server = s_server(pki.leaf_direct.pem, pki.leaf_direct.key)
    assert verified(server.address, pki.anchor.pem)


def test_web_answers_what_was_put_and_remembers_who_asked(web):
    url = web.put("/a.cer", b"\x30\x00")
    got = subprocess.run(["curl", "-sS", url], stdout=subprocess.PIPE,
                         check=True).stdout
    assert got == b"\x30\x00"
    assert web.paths() == ["/a.cer"]


def test_version_is_one_line(chainmend):
    run = chainmend("--version")
    assert run.status == 0 and run.err == ""
    assert run.out.startswith("chainmend ") and run.out.count("\n") == 1


@pytest.mark.parametrize("args, says", [
    ([], "usage: chainmend COMMAND"),
    (["no-such-command"], 'no such command: "no-such-command"'),
])
def test_wrong_command_line_exits_2(chainmend, args, says):
    run = chainmend(*args)
    assert run.status == 2 and run.out == ""
    assert says in run.err


GOOD = {"v": 1, "kind": "divergence", "good_frame": 3, "bad_frame": 4,
        "verdict": "missing-intermediate", "says": "x", "remedies": []}


def test_schema_takes_a_good_line():
    assert check_line(json.dumps(GOOD)) == GOOD


@pytest.mark.parametrize("change", [
    {"v": 2}, {"kind": "nothing-we-print"}, {"good_frame": -1},
    {"verdict": "missing-intermedate"}, {"says": ""}, {"remedies": None},
])
def test_schema_refuses_a_wrong_line(change):
    with pytest.raises(AssertionError):
        check_line(json.dumps({**GOOD, **change}))


@pytest.mark.parametrize("name", sorted(GOOD))
def test_schema_refuses_a_line_that_lacks(name):
    with pytest.raises(AssertionError):
        check_line(json.dumps({k: v for k, v in GOOD.items() if k != name}))
