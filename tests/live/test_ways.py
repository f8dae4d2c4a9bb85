# SPDX-License-Identifier: Apache-2.0
"""check asks in more than one way: without a name, by version, by kind of
key, at every address of a name, and with a certificate of its own."""
import subprocess

import pytest

import servers
from pki import LOCAL


def endpoint(run):
    line, = run.of_kind("endpoint")
    return line


def found(line, name):
    return [f for f in line["findings"] if f["id"] == name]


@pytest.fixture
def check(chainmend, pki):
    def run(*args, **how):
        return chainmend("check", "--roots", pki.anchor.pem, "--offline",
                         "--json", *args, **how)
    return run


def chain(pki, *certs):
    return pki.file(f"chain-{len(list(pki.dir.iterdir()))}.pem", *certs)


# ------------------------------------------------------------- other ways

def test_another_chain_without_a_name(check, pki, s_server):
    """s_server sends its second certificate to those who name a host."""
    server = s_server(
        pki.leaf.pem, pki.leaf.key,
        args=["-servername", "web.example", "-cert2", pki.leaf.pem,
              "-key2", pki.leaf.key])
    # Both the same: nothing to tell.
    line = endpoint(check(server.address, "--sni", "web.example"))
    assert not found(line, "chain-varies"), line
    server = s_server(
        pki.self_signed.pem, pki.self_signed.key,
        args=["-servername", "web.example", "-cert2", pki.leaf_direct.pem,
              "-key2", pki.leaf_direct.key])
    run = check(server.address, "--sni", "web.example")
    line = endpoint(run)
    assert line["verdict"] is None and run.status == 0, run
    finding, = found(line, "chain-varies")
    assert "without a server name" in finding["says"]
    assert finding["severity"] == "info"
    # One way only: not seen.
    line = endpoint(check(server.address, "--sni", "web.example",
                          "--one-way"))
    assert not found(line, "chain-varies")


def test_clients_without_names_are_judged_by_what_they_get(
        chainmend, pki, s_server):
    """The default certificate is another one: only those who name the host
    accept."""
    from pathlib import Path
    server = s_server(
        pki.self_signed.pem, pki.self_signed.key,
        args=["-servername", "web.example", "-cert2", pki.leaf_direct.pem,
              "-key2", pki.leaf_direct.key])
    for name, sni in (("names-host", "yes"), ("no-names", "no")):
        assert chainmend("profiles", "add", name,
                         pki.anchor.pem).status == 0
        ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob(f"{name}.ini")
        ini.write_text(ini.read_text().replace("sni = unknown",
                                               f"sni = {sni}"))
    run = chainmend("check", server.address, "--sni", "web.example",
                    "--offline", "--json", "--profile", "names-host",
                    "--profile", "no-names")
    got = {p["profile"]: p for p in endpoint(run)["profiles"]}
    assert got["names-host"]["accepts"], run
    assert got["no-names"]["why"] == "self-signed-leaf", run
    assert run.status == 1


@pytest.mark.parametrize("first", ["ec", "rsa"])
def test_two_kinds_of_key(check, pki, nginx, first):
    """nginx with both: the RSA chain lacks its intermediate, or the EC one,
    and a look with one kind alone would not show it."""
    rsa = pki.intermediate.issue("web.example", sans=LOCAL, key="rsa")
    ec = pki.leaf
    whole, bare = (ec, rsa) if first == "ec" else (rsa, ec)
    full = chain(pki, whole, pki.intermediate)
    server = nginx(full, whole.key,
                   more=f"ssl_certificate {bare.pem}; "
                        f"ssl_certificate_key {bare.key}; "
                        "ssl_ciphers ALL;")
    line = endpoint(check(server.address))
    finding, = found(line, "chain-varies")
    # OpenSSL servers prefer EC where the client takes both.
    if first == "ec":
        assert line["verdict"] is None
        assert "RSA only: 1 certificate" in finding["says"]
    else:
        assert line["verdict"] == "missing-intermediate"
        assert "RSA only: 2 certificates" in finding["says"]


def test_another_chain_for_tls12(check, pki, s_server, tmp_path):
    """A relay sends those who offer TLS 1.3 to one server, others to a
    second: as balancers with a new and an old node do."""
    import socket
    import threading
    new = s_server(pki.leaf.pem, pki.leaf.key,
                   chain=pki.intermediate.pem)
    old = s_server(pki.leaf.pem, pki.leaf.key, args=["-tls1_2"])

    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve(s):
        hello = s.recv(65536)
        # supported_versions with 0x0304 in it (RFC 8446 4.2.1).
        to = new if b"\x00\x2b" in hello and b"\x03\x04" in hello else old
        up = socket.create_connection(("127.0.0.1", to.port))
        up.sendall(hello)
        for pair in ((s, up), (up, s)):
            threading.Thread(target=pump, args=pair, daemon=True).start()
    listener = servers.Listener(serve)
    line = endpoint(check(f"localhost:{listener.port}", "-4"))
    listener.stop()
    assert line["verdict"] is None, line
    finding, = found(line, "chain-varies")
    assert "with TLS 1.2: 1 certificate," in finding["says"]


def test_a_client_for_which_the_server_is_too_new(chainmend, pki, s_server):
    """Not guessed from the version: the server is asked."""
    from pathlib import Path
    assert chainmend("profiles", "add", "older", pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob("older.ini")
    ini.write_text(ini.read_text() + "tls-max = 1.2\n")
    for args, accepts in ((["-tls1_3"], False), ([], True)):
        server = s_server(pki.leaf_direct.pem, pki.leaf_direct.key, args=args)
        run = chainmend("check", server.address, "--offline", "--json",
                        "--profile", "older")
        profile, = endpoint(run)["profiles"]
        assert profile["accepts"] is accepts, run
        assert profile["why"] == (None if accepts else "protocol-version")


@pytest.mark.parametrize("oldest,accepts", [("1.2", False), ("1.1", True)])
def test_a_server_that_is_too_old_for_a_client(chainmend, pki, s_server,
                                               oldest, accepts):
    """The best that the server has is TLS 1.1."""
    from pathlib import Path
    assert chainmend("profiles", "add", "newer", pki.anchor.pem).status == 0
    ini, = Path(chainmend.env["XDG_CONFIG_HOME"]).rglob("newer.ini")
    ini.write_text(ini.read_text() + f"tls-min = {oldest}\n")
    server = s_server(pki.leaf_direct.pem, pki.leaf_direct.key,
                      args=["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
    run = chainmend("check", server.address, "--offline", "--json",
                    "--profile", "newer")
    profile, = endpoint(run)["profiles"]
    assert profile["accepts"] is accepts, run
    assert profile["why"] == (None if accepts else "protocol-version")


# ----------------------------------------------------------- all addresses

def test_the_one_bad_node_is_named(check, chainmend, pki, nginx, hosts,
                                   free_port):
    leaf = pki.intermediate.issue("balanced.example")
    good = chain(pki, leaf, pki.intermediate)
    port = free_port()
    nginx(good, leaf.key, port=port, host="127.0.0.2")
    nginx(leaf.pem, leaf.key, port=port, host="127.0.0.3")
    nginx(good, leaf.key, port=port, host="127.0.0.4")
    prefix = hosts("127.0.0.2", "127.0.0.3", "127.0.0.4")
    run = check(f"balanced.example:{port}", "--all-addresses", prefix=prefix)
    lines = {e["address"].split(":")[0]: e for e in run.of_kind("endpoint")}
    assert sorted(lines) == ["127.0.0.2", "127.0.0.3", "127.0.0.4"], run
    assert [lines[a]["verdict"] for a in sorted(lines)] == [
        None, "missing-intermediate", None]
    finding, = found(lines["127.0.0.3"], "address-differs")
    assert "127.0.0.3 sends 1 certificate" in finding["says"]
    assert "2 of the 3 addresses" in finding["says"]
    assert not found(lines["127.0.0.2"], "address-differs")
    assert run.status == 1
    text = chainmend("check", f"balanced.example:{port}", "--all-addresses",
                     "--roots", pki.anchor.pem, "--offline", prefix=prefix)
    assert "address-differs" in text.out and "127.0.0.3" in text.out


def test_an_address_where_nobody_listens(check, pki, nginx, hosts, free_port):
    leaf = pki.intermediate.issue("balanced.example")
    port = free_port()
    nginx(chain(pki, leaf, pki.intermediate), leaf.key, port=port,
          host="127.0.0.2")
    run = check(f"balanced.example:{port}", "--all-addresses",
                prefix=hosts("127.0.0.2", "127.0.0.5"))
    assert run.status == 3, run
    assert "127.0.0.5" in run.err and "refused" in run.err, run
    assert len(run.err.splitlines()) == 1
    good, bad = sorted(run.of_kind("endpoint"),
                       key=lambda e: "trouble" in e)
    assert good["verdict"] is None and "127.0.0.5" in bad["trouble"]


def test_all_addresses_the_same(check, pki, nginx, hosts, free_port):
    leaf = pki.intermediate.issue("balanced.example")
    good = chain(pki, leaf, pki.intermediate)
    port = free_port()
    for address in ("127.0.0.2", "127.0.0.3"):
        nginx(good, leaf.key, port=port, host=address)
    run = check(f"balanced.example:{port}", "--all-addresses",
                prefix=hosts("127.0.0.2", "127.0.0.3", "127.0.0.2"))
    assert run.status == 0, run
    assert len(run.lines) == 2, run
    assert not any(found(e, "address-differs") for e in run.lines)


def test_no_address_at_all(check):
    run = check("no-such-host.invalid", "--all-addresses", "--timeout", "5")
    assert run.status == 3 and "does not resolve" in run.err, run


# ------------------------------------------------------ client certificates

@pytest.fixture(scope="session")
def client(pki):
    """A certificate for clients, of another CA than the server's."""
    ca = pki.root("Client CA")
    return ca, ca.issue("client 7", sans=["DNS:client7.example"],
                        usage="clientAuth")


def both_versions(test):
    return pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])(test)


@both_versions
def test_s_server_wants_a_certificate(check, pki, s_server, client, version):
    ca, own = client
    server = s_server(pki.leaf.pem, pki.leaf.key, chain=pki.intermediate.pem,
                      args=[version, "-Verify", "2", "-verify_return_error",
                            "-CAfile", ca.pem])
    run = check(server.address)
    line = endpoint(run)
    finding, = found(line, "client-certificate-wanted")
    assert finding["severity"] == "warning" and "--cert" in finding["remedy"]
    # The chain itself is judged, and it is good.
    assert line["verdict"] is None and run.status == 0, run
    assert [c["sha256"] for c in line["sent"]] == [
        pki.leaf.sha256, pki.intermediate.sha256]
    run = check(server.address, "--cert", own.pem, "--key", own.key)
    assert endpoint(run)["findings"] == [] and run.status == 0, run
    # One of a CA that the server does not know.
    run = check(server.address, "--cert", pki.self_signed.pem, "--key",
                pki.self_signed.key)
    finding, = found(endpoint(run), "client-certificate-refused")
    assert finding["severity"] == "error" and run.status == 1, run


def test_s_server_asks_and_does_not_insist(check, pki, s_server, client):
    server = s_server(pki.leaf.pem, pki.leaf.key, chain=pki.intermediate.pem,
                      args=["-verify", "2", "-CAfile", client[0].pem])
    run = check(server.address)
    assert endpoint(run)["findings"] == [] and run.status == 0, run


@both_versions
def test_nginx_wants_a_certificate(check, pki, nginx, client, version):
    """nginx ends the handshake well and complains over HTTP."""
    ca, own = client
    protocol = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}[version]
    server = nginx(chain(pki, pki.leaf, pki.intermediate), pki.leaf.key,
                   more=f"ssl_verify_client on; ssl_protocols {protocol}; "
                        f"ssl_client_certificate {ca.pem};")
    run = check(server.address)
    assert found(endpoint(run), "client-certificate-wanted"), run
    assert run.status == 0
    assert check(server.address, "--strict").status == 1
    run = check(server.address, "--cert", own.pem, "--key", own.key)
    assert endpoint(run)["findings"] == [], run
    run = check(server.address, "--cert", pki.stranger_leaf.pem, "--key",
                pki.stranger_leaf.key)
    assert found(endpoint(run), "client-certificate-refused"), run
    assert run.status == 1


def test_certificate_and_key_in_one_file(check, pki, s_server, client,
                                         tmp_path):
    ca, own = client
    both = tmp_path / "both.pem"
    both.write_text(own.text + own.key.read_text())
    server = s_server(pki.leaf.pem, pki.leaf.key, chain=pki.intermediate.pem,
                      args=["-Verify", "2", "-verify_return_error",
                            "-CAfile", ca.pem])
    run = check(server.address, "--cert", both)
    assert endpoint(run)["findings"] == [], run


def test_files_that_are_no_certificate_or_key(check, pki, s_server, client,
                                              tmp_path):
    _, own = client
    server = s_server(pki.leaf.pem, pki.leaf.key)
    sealed = tmp_path / "sealed.key"
    subprocess.run(["openssl", "ec", "-aes256", "-passout", "pass:secret",
                    "-in", own.key, "-out", sealed], check=True,
                   stderr=subprocess.DEVNULL)
    der, key_der = tmp_path / "own.der", tmp_path / "key.der"
    der.write_bytes(own.der)
    subprocess.run(["openssl", "pkey", "-in", own.key, "-outform", "DER",
                    "-out", key_der], check=True)
    for args, status, says in (
            (("--cert", tmp_path / "none.pem"), 3, "none.pem"),
            (("--cert", own.key, "--key", own.key), 3, "it is a private key"),
            (("--cert", own.pem, "--key", sealed), 3, "encrypted"),
            (("--cert", own.pem), 3, "--key FILE"),
            (("--cert", own.pem, "--key", pki.leaf.pem), 3, "no private key"),
            (("--cert", der, "--key", own.key), 3, "openssl x509 -in"),
            (("--cert", own.pem, "--key", key_der), 3, "openssl pkey -in"),
            (("--cert", own.pem, "--key", pki.leaf.key), 2, "not the key")):
        run = check(server.address, *args)
        assert run.status == status and says in run.err, run
        assert len(run.err.splitlines()) == 1, run
