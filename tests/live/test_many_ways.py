# SPDX-License-Identifier: Apache-2.0
"""check -f by every way that one target can be asked by: in plain first, with
a certificate of our own, at every address of a name, through a proxy."""
import json
import select
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import real_servers
import servers
from proxies import Hostile, Proxy
from talks import TALKS, Server, lines


@pytest.fixture
def many(chainmend, pki, tmp_path):
    """many([line ...], option ...) -> the run; .got maps target to line."""
    def run(targets, *args, roots=pki.anchor.pem, **how):
        path = tmp_path / "targets.txt"
        path.write_text("".join(f"{t}\n" for t in targets))
        done = chainmend("check", "-f", path, "--roots", roots, "--offline",
                         "--json", *args, **how)
        done.got = {e["target"]: e for e in done.of_kind("endpoint")}
        return done
    return run


@pytest.fixture
def full(pki, nginx):
    chain = pki.file("ways.pem", pki.leaf, pki.intermediate)
    return nginx(chain, pki.leaf.key)


@pytest.fixture
def serve(pki):
    made = []

    def make(talk, *certs):
        certs = certs or (pki.leaf,)
        made.append(Server(talk, pki.file(f"mw{len(made)}.pem", *certs),
                           pki.leaf.key))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def proxy():
    yield from servers.keep_each(Proxy)


# ---------------------------------------------------------- in plain first

def test_each_protocol_by_its_line(many, serve):
    """One file, all protocols: what a line says about itself holds."""
    made = {p: serve(TALKS[p]) for p in TALKS}
    run = many([f"{s.address} starttls={p} # {p}" for p, s in made.items()],
               "--timeout", "5")
    assert run.status == 1 and not run.err, run
    for protocol, server in made.items():
        line = run.got[server.address]
        assert line["verdict"] == "missing-intermediate", line
        assert line["starttls"] == protocol


def test_one_protocol_for_all_and_its_port(many, serve, free_port):
    good, bad = serve(TALKS["smtp"]), free_port()
    other = serve(TALKS["imap"])
    run = many([good.address, f"127.0.0.1:{bad}",
                f"{other.address} starttls=imap"], "--starttls", "smtp")
    assert run.got[good.address]["starttls"] == "smtp"
    assert run.got[other.address]["starttls"] == "imap"
    assert "refused" in run.got[f"127.0.0.1:{bad}"]["trouble"]
    # Without a port it is the protocol's own: nobody listens there.
    run = many(["127.0.0.9", "127.0.0.8 starttls=ldap"], "--starttls", "pop3")
    assert set(run.got) == {"127.0.0.9:110", "127.0.0.8:389"}, run


def test_agrees_with_one_at_a_time(chainmend, many, pki, serve):
    """A glance, a whole handshake and check alone see the same."""
    server = serve(TALKS["smtp"], pki.leaf, pki.intermediate)
    quick = many([server.address], "--starttls", "smtp").got
    whole = many([server.address], "--starttls", "smtp", "--handshake").got
    one, = chainmend("check", server.address, "--starttls", "smtp", "--roots",
                     pki.anchor.pem, "--offline", "--json",
                     "--one-way").of_kind("endpoint")
    for key in ("sent", "path", "verdict", "target", "address", "starttls"):
        assert (quick[server.address][key] == whole[server.address][key] ==
                one[key])


@pytest.mark.parametrize("kind", [k for k in real_servers.ALL if k.starttls],
                         ids=lambda k: k.__name__)
def test_real_servers(many, pki, kind, tmp_path_factory):
    if real_servers.why_not(kind):
        pytest.skip(real_servers.why_not(kind))
    rsa = pki.anchor.issue_ca(f"{kind.__name__} CA", key="rsa")
    leaf = rsa.issue("localhost", sans=["DNS:localhost", "IP:127.0.0.1"],
                     key="rsa")
    server = kind(leaf.pem, leaf.key)
    try:
        server.start(server.leaf_lines())
        address = server.address.replace("localhost", "127.0.0.1")
        run = many([f"{address} starttls={kind.starttls}"] * 3)
        assert len(run.of_kind("endpoint")) == 3, run
        for line in run.of_kind("endpoint"):
            assert line["verdict"] == "missing-intermediate", (
                run, server.process.output())
    finally:
        server.close()


REFUSALS = [
    (lines([(None, b"SSH-2.0-\x1b[31mx\r\n")]), "another protocol"),
    (lines([(None, b"220 mx\r\n"), (b"EHLO", b"250 mx\r\n"),
            (b"STARTTLS", b"502 no\r\n")]), "offers no TLS"),
    (lines([(None, b"220 mx\r\n"), (b"EHLO", b"250 mx\r\n"),
            (b"STARTTLS", b"220 go\r\n250 injected\r\n")]),
     "behind its go-ahead"),
    (lambda s: s.sendall(b"220-\x1b[31m\r\n" * 9000), "endless"),
    (lambda s: s.recv(1) and None, "silent: it should speak smtp"),
    (lambda s: None, "before TLS"),
]


def test_hostile_ones_hold_up_nobody(many, serve):
    """All at once with good ones; and the good ones are done first."""
    bad = [serve(lambda s, talk=talk: bool(talk(s)) and False)
           for talk, _ in REFUSALS]
    good = serve(TALKS["smtp"])
    began = time.monotonic()
    run = many([s.address for s in bad] + [good.address] * 30, "--starttls",
               "smtp", "--timeout", "3", "-j", "4", timeout=60)
    took = time.monotonic() - began
    for server, (_, says) in zip(bad, REFUSALS):
        assert says in run.got[server.address]["trouble"], run
        assert "\x1b" not in run.out
    order = [e["target"] for e in run.of_kind("endpoint")]
    assert order.count(good.address) == 30
    silent = bad[4].address
    assert order[-1] == silent, order
    assert took < 20 and run.status == 3


def drip(s):
    """A greeting without an end, a byte at a time, for as long as we listen."""
    while not select.select([s], [], [], 0.05)[0]:  # until it hangs up
        s.sendall(b"2")


def test_a_dripping_greeting_ends_at_the_time_given(many, serve):
    server = serve(drip)
    began = time.monotonic()
    run = many([server.address], "--starttls", "smtp", "--timeout", "1")
    assert time.monotonic() - began < 5
    assert "silent" in run.got[server.address]["trouble"], run


@pytest.mark.parametrize("line,says", [
    ("127.0.0.1 starttls=gopher", "smtp, imap"),
    ("127.0.0.1 colour=red", "starttls=PROTOCOL"),
    ("127.0.0.1 sni=a..b", "a part of the name"),
    ("127.0.0.1 \x1b[31m", "starttls=PROTOCOL")])
def test_lines_that_are_wrong(many, line, says):
    run = many([line])
    assert run.status == 3 and not run.got, run
    assert "line 1: " in run.err and says in run.err, run
    assert "\x1b" not in run.err and len(run.err.splitlines()) == 1


def test_a_protocol_that_is_none(many):
    run = many(["127.0.0.1"], "--starttls", "gopher")
    assert run.status == 2 and "smtp" in run.err, run


def test_another_name_for_one_line(many, pki, s_server):
    """sni= of a line asks for that name, and tells it apart."""
    other = pki.intermediate.issue("other.example")
    server = s_server(pki.leaf.pem, pki.leaf.key, chain=pki.intermediate.pem,
                      args=["-servername", "other.example", "-cert2",
                            other.pem, "-key2", other.key])
    named = f"{server.address}/other.example"
    run = many([server.address, f"{server.address} sni=other.example"])
    assert run.got[server.address]["sent"][0]["sha256"] == pki.leaf.sha256
    assert run.got[named]["sent"][0]["sha256"] == other.sha256, run
    # s_server sends that one alone; for its name it is.
    assert run.got[named]["verdict"] == "missing-intermediate"
    # And --host says what the certificate must be for.
    run = many([server.address], "--host", "nobody.example")
    assert run.got[server.address]["verdict"] == "name-mismatch", run


# ------------------------------------------------- compressed certificates

def test_a_server_that_would_compress(many, chainmend, pki, s_server):
    """RFC 8879: what comes packed where it is asked for is seen all the same.
    OpenSSL before 3.2 knows nothing of it, at neither end."""
    listed = subprocess.run(["openssl", "s_server", "-help"],
                            capture_output=True, text=True).stderr
    packs = ["-cert_comp"] if "-cert_comp" in listed else []
    server = s_server(pki.leaf.pem, pki.leaf.key, args=["-tls1_3", *packs])
    for run in (many([server.address]),
                chainmend("check", server.address, "--roots", pki.anchor.pem,
                          "--offline", "--json")):
        line, = run.of_kind("endpoint")
        assert line["verdict"] == "missing-intermediate", run
        assert [c["sha256"] for c in line["sent"]] == [pki.leaf.sha256], run


# ------------------------------------------------------ client certificates

@pytest.fixture(scope="session")
def client(pki):
    ca = pki.root("Client CA of many")
    return ca, ca.issue("client 8", sans=["DNS:client8.example"],
                        usage="clientAuth")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_certificate_of_our_own(many, pki, s_server, nginx, client,
                                  version):
    """Accepted, refused and wanted, by servers that say so in different
    places: in an alert, or over HTTP behind the handshake."""
    ca, own = client
    nginx_version = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}[version]
    alerts = s_server(pki.leaf.pem, pki.leaf.key, chain=pki.intermediate.pem,
                      args=[version, "-Verify", "2", "-verify_return_error",
                            "-CAfile", ca.pem])
    web = nginx(pki.file("cc.pem", pki.leaf, pki.intermediate), pki.leaf.key,
                more=f"ssl_verify_client on; ssl_protocols {nginx_version}; "
                     f"ssl_client_certificate {ca.pem};")
    targets = [alerts.address, web.address]

    def findings(*args):
        run = many(targets, *args)
        assert set(run.got) == set(targets), run
        return run.status, [[f["id"] for f in run.got[t]["findings"]]
                            for t in targets]

    assert findings("--cert", own.pem, "--key", own.key) == (0, [[], []])
    assert findings("--cert", pki.self_signed.pem, "--key",
                    pki.self_signed.key) == (
        1, [["client-certificate-refused"]] * 2)
    assert findings("--handshake") == (
        0, [["client-certificate-wanted"]] * 2)
    # Up to the certificate nobody asks for ours, and the chain is the same.
    assert findings()[0] == 0


def test_files_that_are_no_certificate_or_key(many, pki, client, tmp_path):
    _, own = client
    for args, status, says in (
            (("--cert", tmp_path / "none.pem"), 3, "none.pem"),
            (("--cert", own.pem, "--key", pki.leaf.key), 2, "not the key"),
            (("--key", pki.leaf.key), 2, "--key")):
        run = many(["127.0.0.1:9"], *args)
        assert run.status == status and says in run.err, run
        assert len(run.err.splitlines()) == 1 and not run.out, run


# ----------------------------------------------------------- all addresses

@pytest.fixture
def balanced(pki, nginx, hosts, free_port):
    """A name with three nodes, one of which was forgotten, and one address
    where nobody listens."""
    leaf = pki.intermediate.issue("balanced.example")
    good = pki.file("balanced.pem", leaf, pki.intermediate)
    port = free_port()
    for last, chain in ((2, good), (3, leaf.pem), (4, good)):
        nginx(chain, leaf.key, port=port, host=f"127.0.0.{last}")
    return f"balanced.example:{port}", port, hosts(
        *(f"127.0.0.{last}" for last in (5, 2, 3, 4)))


def test_every_address_has_its_line(many, balanced, full):
    target, port, prefix = balanced
    run = many([target, full.address], "--all-addresses", prefix=prefix)
    got = {e.get("address"): e for e in run.of_kind("endpoint")}
    assert set(got) == {f"127.0.0.{n}:{port}" for n in (2, 3, 4, 5)} | {
        full.address}, run
    assert [got[f"127.0.0.{n}:{port}"].get("verdict") for n in (2, 3, 4)] == [
        None, "missing-intermediate", None]
    dead = got[f"127.0.0.5:{port}"]
    assert f"{target} (127.0.0.5) refused" in dead["trouble"], dead
    assert run.status == 3


def differing(run):
    return {e["address"]: f["says"] for e in run.of_kind("endpoint")
            for f in e["findings"] if f["id"] == "address-differs"}


@pytest.mark.parametrize("more", [(), ("--handshake",), ("--per-host", "50"),
                                  ("-j", "1")], ids=lambda m: " ".join(m))
def test_the_one_bad_node_is_named(many, chainmend, balanced, full, pki, more):
    """As check alone has it, word for word; the dead one is counted."""
    target, port, prefix = balanced
    run = many([full.address, target], "--all-addresses", *more, prefix=prefix)
    assert len(run.of_kind("endpoint")) == 5, run
    says = differing(run)
    assert set(says) == {f"127.0.0.3:{port}"}, run
    one = chainmend("check", target, "--all-addresses", "--roots",
                    pki.anchor.pem, "--offline", "--json", prefix=prefix)
    assert differing(one) == says, one
    assert "3 sends 1 certificate; 2 of the 4 addresses" in says[
        f"127.0.0.3:{port}"]


def test_of_two_nodes_the_longer_chain_is_the_usual(many, pki, nginx, hosts,
                                                    free_port):
    leaf = pki.intermediate.issue("balanced.example")
    port = free_port()
    nginx(leaf.pem, leaf.key, port=port, host="127.0.0.1")
    nginx(pki.file("two.pem", leaf, pki.intermediate), leaf.key, port=port,
          host="127.0.0.2")
    for order in (("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")):
        run = many([f"balanced.example:{port}"], "--all-addresses",
                   prefix=hosts(*order))
        assert set(differing(run)) == {f"127.0.0.1:{port}"}, run


def test_a_limit_to_one_host_holds_for_its_addresses(many, balanced):
    """The look-up and three more connections, half a second apart."""
    target, port, prefix = balanced
    began = time.monotonic()
    run = many([target], "--all-addresses", "--per-host", "2", prefix=prefix)
    assert time.monotonic() - began >= 1.5
    assert len(run.of_kind("endpoint")) == 4, run
    assert set(differing(run)) == {f"127.0.0.3:{port}"}, run


@pytest.mark.parametrize("resume", [False, True])
def test_broken_off_among_the_addresses_of_a_name(chainmend, pki, nginx, hosts,
                                                  tmp_path, resume):
    """A second apart, and ended behind the first: with --resume the name is
    asked anew, and whole, so that the bad node is found; else what came is
    told."""
    leaf = pki.intermediate.issue("balanced.example")
    good, path = pki.file("off.pem", leaf, pki.intermediate), tmp_path / "t"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(good, leaf.key)
    came = threading.Event()

    def take(s):
        s.settimeout(5)
        try:
            context.wrap_socket(s, server_side=True).close()
        finally:  # it hangs up at the certificate
            came.set()
    node = servers.Listener(take, host="127.0.0.2")
    addresses = [f"127.0.0.{n}" for n in (2, 3, 4, 5, 6)]
    for address in addresses[1:]:
        nginx(leaf.pem if address == "127.0.0.5" else good, leaf.key,
              port=node.port, host=address)
    prefix, port, out = hosts(*addresses), node.port, tmp_path / "results"
    path.write_text(f"balanced.example:{port}\n")
    args = ["check", "-f", path, "--all-addresses", "--roots", pki.anchor.pem,
            "--offline", "--json", *(["--resume", out] if resume else [])]
    first = subprocess.Popen(
        [*map(str, prefix), chainmend.path, *map(str, args), "--per-host",
         "1"], env=chainmend.env, stdout=subprocess.PIPE)
    assert came.wait(30)
    first.send_signal(signal.SIGTERM)
    said = first.communicate(timeout=30)[0].decode()
    assert first.returncode == 3
    if resume:
        assert said == "" and out.read_text() == ""
        chainmend(*args, prefix=prefix)
    node.stop()
    if not resume:
        told = [json.loads(line) for line in said.splitlines()]
        assert 1 <= len(told) < len(addresses), said
        return
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == len(addresses)
    assert [e["address"] for e in lines for f in e["findings"]
            if f["id"] == "address-differs"] == [f"127.0.0.5:{port}"]


def test_without_it_the_first_that_answers_counts(many, balanced):
    target, port, prefix = balanced
    run = many([target], prefix=prefix)
    assert run.got[target]["address"] == f"127.0.0.2:{port}", run
    assert run.got[target]["verdict"] is None and run.status == 0


def test_addresses_are_resumed_each_for_itself(many, balanced, full,
                                               tmp_path):
    """Of a name that was broken off in the middle the rest is asked."""
    target, port, prefix = balanced
    out = tmp_path / "out.ndjson"
    args = ("--all-addresses", "--resume", out)
    targets = [target, full.address, "no-such-name.invalid"]
    many(targets, *args, "--timeout", "5", prefix=prefix)
    whole = out.read_text().splitlines()
    assert len(whole) == 6, whole
    out.write_text("".join(f"{x}\n" for x in whole[:3]) + whole[3][:40])
    many(targets, *args, "--timeout", "5", prefix=prefix)

    def what(text):
        return sorted((e["target"], e.get("address", "")) for e in
                      map(json.loads, text))
    assert what(out.read_text().splitlines()) == what(whole)
    # And a third run has nothing left to do.
    before = out.read_bytes()
    many(targets, *args, "--timeout", "5", prefix=prefix)
    assert out.read_bytes() == before


def test_one_address_is_tried_again_alone(many, balanced, pki):
    target, port, prefix = balanced
    began = time.monotonic()
    run = many([target], "--all-addresses", "--retry", "1", prefix=prefix)
    assert time.monotonic() - began > 0.9
    assert len(run.of_kind("endpoint")) == 4, run


# ----------------------------------------------------------------- proxies

SCHEMES = {"http": "http", "socks": "socks5"}


@pytest.mark.parametrize("kind", SCHEMES)
def test_all_of_them_through_a_proxy(many, pki, proxy, full, serve, kind,
                                     free_port):
    p = proxy(kind)
    mx = serve(TALKS["smtp"])
    names = [f"localhost:{full.port}", full.address]
    run = many(names * 3 + [f"{mx.address} starttls=smtp"], "--proxy",
               f"{SCHEMES[kind]}://127.0.0.1:{p.port}", "-j", "3")
    assert len(run.of_kind("endpoint")) == 7, run
    for name in names:
        assert run.got[name]["verdict"] is None, run
        assert "address" not in run.got[name]
    assert run.got[mx.address]["verdict"] == "missing-intermediate", run
    # Names are looked up by the proxy.
    assert set(p.asked) == {*names, mx.address}


@pytest.mark.parametrize("kind", SCHEMES)
def test_the_proxy_wants_a_password(many, proxy, full, tmp_path, kind):
    p = proxy(kind, user="me", password="pw-of-mine")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("pw-of-mine\n")
    wrong.write_text("something\n")
    url = f"{SCHEMES[kind]}://me@127.0.0.1:{p.port}"
    args = ("--proxy", url, "--proxy-password-file")
    run = many([full.address], *args, right)
    assert run.got[full.address]["verdict"] is None, run
    run = many([full.address], *args, wrong)
    assert "refuses this user" in run.got[full.address]["trouble"], run
    assert "pw-of-mine" not in run.out + run.err


def says(*answers):
    def behave(s):
        for answer in answers:
            s.recv(4096)
            s.sendall(answer)
        s.close()
    return behave


ESC = b"\x1b]0;owned\x07"
HOSTILE = [
    ("http", says(b"HTTP/1.1 403 " + ESC + b"\r\n\r\n"), "403"),
    ("http", says(b"SSH-2.0-" + ESC + b"\r\n"), "speaks no HTTP"),
    ("http", lambda s: None, "should speak HTTP first"),
    ("http", says(b"HTTP/1.1 200 OK\r\nVia: "), "closed the connection"),
    ("http", says(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 no\r\n\r\n"),
     "speaks HTTP"),
    ("socks", says(b"\x05\x00", b"\x05\x02\x00\x01"), "rules"),
    ("socks", lambda s: None, "should speak SOCKS first"),
]


@pytest.mark.parametrize("kind,behave,words", HOSTILE)
def test_hostile_proxies(many, kind, behave, words):
    bad = Hostile(behave)
    try:
        run = many(["web.example"], "--timeout", "2", "--proxy",
                   getattr(bad, kind))
    finally:
        bad.stop()
    assert words in run.got["web.example:443"]["trouble"], run
    assert run.status == 3 and "\x1b" not in run.out + run.err


def test_a_proxy_that_is_not_there(many, free_port):
    url = f"http://127.0.0.1:{free_port()}"
    run = many(["web.example"], "--proxy", url)
    assert "the proxy 127.0.0.1" in run.got["web.example:443"]["trouble"], run
    run = many(["web.example"], "--proxy", "http://no-such-name.invalid:1",
               "--timeout", "5")
    assert run.status == 3 and "does not resolve" in run.err, run


# ------------------------------------------------------------------- names

def test_a_name_server_that_is_silent_ends_at_the_time_given(
        many, namespace, tmp_path):
    """The resolver's own patience is longer than --timeout."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\n")
    prefix = ["unshare", "--user", "--map-root-user", "--net", "--mount",
              "--", "sh", "-c",
              f'ip link set lo up && mount --bind "{path}" /etc/resolv.conf '
              '&& exec "$@"', "sh", "python3", "-c",
              "import os, socket, sys\n"
              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "s.bind(('127.0.0.1', 53))\n"
              "os.set_inheritable(s.fileno(), True)\n"
              "os.execvp(sys.argv[1], sys.argv[1:])\n"]
    began = time.monotonic()
    run = many(["nowhere.example"], "--timeout", "2", prefix=prefix)
    assert time.monotonic() - began < 6, run
    assert "in time" in run.got["nowhere.example:443"]["trouble"], run
    assert run.status == 3
