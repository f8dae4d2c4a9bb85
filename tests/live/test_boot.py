# SPDX-License-Identifier: Apache-2.0
"""The provisioning server against clients that nobody here wrote, and the
phone against attackers and against real DHCP servers."""
import base64
import socket
import ssl
import subprocess
import threading
import time

import pytest

import servers
from boot_lab import (BOMB, FQDN, NUMBER, PIN, SIP, XXE, drip, endless,
                      endless_head, in_veth, rogue, serve, try_until, whole)  # noqa: F401
from pki import openssl

def get(url, tool):
    command = {"curl": ["curl", "-sf", url],
               "wget": ["wget", "-qO-", url]}[tool]
    return subprocess.run(command, check=True, capture_output=True,
                          timeout=30).stdout


@pytest.mark.parametrize("how", ["soap", "p7b", "scep"])
def test_sign_in_by_each_download(serve, how):
    server = serve()
    run = server.phone("--download", how)
    assert run.status == 0, run
    line, = run.lines
    assert line["signed_in"] and line["issuer_from"] == "port80"
    assert line["sip"] == SIP
    log = server.log.read_text()
    assert PIN not in log and PIN not in run.out + run.err
    # The second time the issuer is at hand, whatever the firmware.
    run = server.phone("--firmware", "broken", http=servers.free_port())
    assert run.status == 0 and run.lines[0]["issuer_from"] == "cache", run


def test_wrong_pin(serve):
    run = serve().phone(pin="99887766")
    assert run.status == 1
    assert run.lines[0]["why"] == "pin-refused"
    assert "99887766" not in run.out + run.err


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_chain_over_http(serve, pki, tool):
    if not servers.program(tool):
        pytest.skip(f"no {tool} on this machine")
    base = f"http://127.0.0.1:{serve().http}"
    p7b = get(base + "/CertProv/chain.p7b", tool)
    names = openssl("pkcs7", "-inform", "DER", "-print_certs", "-noout",
                    stdin=p7b).decode().replace(" = ", "=")  # before 3.2
    assert "subject=CN=Test Intermediate" in names
    assert "subject=CN=Test Root" not in names
    assert get(base + "/CertProv/chain.cer", tool) == pki.intermediate.der
    assert get(base + "/scep?operation=GetCACert", tool) == \
        pki.intermediate.der
    assert b"SHA-256" in get(base + "/scep?operation=GetCACaps", tool)


def test_no_secrets_on_port_80(serve):
    server = serve()
    for path in ("/WebTicket/WebTicketService.svc/Pin",
                 "/WebTicket/WebTicketService.svc/Auth"):
        done = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "x",
             f"http://127.0.0.1:{server.http}{path}"],
            capture_output=True, text=True, timeout=30)
        assert done.stdout == "404"


def pki_tool(*args, cwd):
    tool = servers.program("pki")
    if not tool:
        pytest.skip("no strongSwan pki on this machine")
    done = subprocess.run([tool, *map(str, args)], capture_output=True,
                          text=True, timeout=30, cwd=cwd)
    if "no capable fetcher" in done.stderr:
        pytest.skip("strongSwan's curl plugin is not installed")
    return done


def test_scep_by_strongswan(serve, pki, tmp_path):
    server = serve(offer=[pki.intermediate, pki.anchor])
    done = pki_tool("--scepca", "--url", f"http://127.0.0.1:{server.http}/scep",
                    "--caout", "ca.der", "--force", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = {f.read_bytes() for f in tmp_path.glob("ca*.der")}
    assert pki.anchor.der in got and pki.intermediate.der in got


def test_est_by_strongswan(serve, pki, tmp_path):
    server = serve(chain=[pki.leaf, pki.intermediate],
                   offer=[pki.intermediate, pki.anchor])
    done = pki_tool("--estca", "--url", f"https://localhost:{server.https}",
                    "--cacert", pki.anchor.pem, "--caout", "ca.der",
                    "--force", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = {f.read_bytes() for f in tmp_path.glob("ca*.der")}
    assert pki.anchor.der in got and pki.intermediate.der in got


def test_est_by_curl(serve, pki):
    server = serve(chain=[pki.leaf, pki.intermediate])
    done = subprocess.run(
        ["curl", "-sf", "--cacert", pki.anchor.pem,
         f"https://localhost:{server.https}/.well-known/est/cacerts"],
        capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    names = openssl("pkcs7", "-inform", "DER", "-print_certs", "-noout",
                    stdin=base64.b64decode(done.stdout)).decode()
    assert "Test Intermediate" in names


@pytest.mark.parametrize("name, answer", [
    ("xxe", whole(XXE)), ("bomb", whole(BOMB)), ("nothing", whole(b"")),
    ("page", whole(b"<html>hello</html>", "text/html")),
    ("oversize", whole(b"A" * (1 << 20))), ("endless", endless),
    ("endless-head", endless_head), ("drip", drip),
    ("close", lambda request: request.connection.close()),
])
def test_hostile_port_80(serve, rogue, name, answer):
    server, bad = serve(), rogue(answer)
    began = time.monotonic()
    run = server.phone("--wait", "2", http=bad.server_port)
    assert time.monotonic() - began < 20
    assert run.status == 1, run
    line, = run.lines
    assert not line["signed_in"] and not line["secret_sent"]
    assert line["reached"] == "connect"
    assert all(PIN.encode() not in body for body in bad.seen)
    assert "/WebTicket" not in server.log.read_text()


def test_rogue_chain(serve, rogue, pki, tmp_path):
    evil = pki.root("Evil Root")
    chain = pki.p7b("evil.p7b", evil, evil.issue_ca("Evil Issuing"))
    server, bad = serve(), rogue(whole(chain.read_bytes()))
    run = server.phone(http=bad.server_port)
    assert run.status == 1
    line, = run.lines
    assert line["why"] == "chain-download-untrusted", line
    assert line["quarantined"] == 1 and not line["secret_sent"]
    kept = list((tmp_path / "phone" / "quarantine").iterdir())
    assert [k.read_bytes() for k in kept] == [evil.der]
    anchors = (tmp_path / "phone" / "anchors.pem").read_text()
    assert anchors.count("BEGIN CERTIFICATE") == 1


@pytest.mark.parametrize("cert", ["expired", "wrong_name", "self_signed",
                                  "stranger_leaf", "not_yet"])
def test_a_wrong_server_gets_no_pin(chainmend, pki, s_server, tmp_path, cert):
    c = getattr(pki, cert)
    server = s_server(c.pem, c.key, pki.intermediate.pem)
    (tmp_path / "pin").write_text(PIN)
    run = chainmend("phone", "pin", "--server", "localhost", "--connect",
                    "127.0.0.1", "--https-port", server.port, "--http-port",
                    servers.free_port(), "--state", tmp_path / "p",
                    "--anchors", pki.anchor.pem, "--number", NUMBER,
                    "--pin-file", tmp_path / "pin", "--json")
    assert run.status == 1, run
    assert not run.lines[0]["secret_sent"]
    assert PIN not in server.output()


def test_old_tls_gets_no_pin(chainmend, pki, s_server, tmp_path):
    server = s_server(pki.leaf.pem, pki.leaf.key, pki.intermediate.pem,
                      args=["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
    (tmp_path / "pin").write_text(PIN)
    run = chainmend("phone", "pin", "--server", "localhost", "--connect",
                    "127.0.0.1", "--https-port", server.port, "--state",
                    tmp_path / "p", "--anchors", pki.anchor.pem, "--number",
                    NUMBER, "--pin-file", tmp_path / "pin", "--json")
    assert run.status == 1 and not run.lines[0]["secret_sent"], run


def test_slow_clients_stop_nobody(serve):
    server = serve()
    idle = []
    for i in range(200):
        s = socket.create_connection(("127.0.0.1", server.https))
        if i % 2:
            s.sendall(b"\x16\x03\x01\x02")  # the beginning of a hello
        idle.append(s)
    began = time.monotonic()
    run = server.phone()
    assert run.status == 0, run
    assert time.monotonic() - began < 10
    for s in idle:
        s.close()


def test_old_xml_tricks_at_the_server(serve, pki):
    server = serve(chain=[pki.leaf, pki.intermediate])
    context = ssl.create_default_context(cafile=pki.anchor.pem)
    for body in (XXE, BOMB, b"", b"<", b"A" * (300 << 10)):
        with socket.create_connection(("127.0.0.1", server.https)) as raw, \
                context.wrap_socket(raw, server_hostname="localhost") as s:
            head = (b"POST /WebTicket/WebTicketService.svc/Pin HTTP/1.1\r\n"
                    b"Host: localhost\r\nContent-Type: text/xml\r\n"
                    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
                    % len(body))
            try:
                s.sendall(head + body)
            except OSError:
                assert len(body) > 256 << 10  # closed before it came whole
                continue
            answer = s.recv(65536)
        assert answer.split()[1] in (b"500", b"413"), answer[:200]
        assert b"root:" not in answer
    assert server.phone().status == 0


# DHCP: two ends of a veth pair in namespaces of their own.

def discover(program):
    return (f"phone {program} phone discover --domain company.com "
            "--wait 1")


def test_dhcp_from_dnsmasq(namespace, program, chainmend, clean_env, tmp_path):
    if not servers.program("dnsmasq"):
        pytest.skip("no dnsmasq on this machine")
    lines = chainmend("dhcp", "encode", "--web", FQDN, "--sip", FQDN,
                      "--format", "dnsmasq").out
    conf = tmp_path / "dnsmasq.conf"
    conf.write_text("port=0\ninterface=v0\nbind-interfaces\nuser=root\n"
                    "dhcp-range=10.9.0.100,10.9.0.110\n"
                    f"dhcp-leasefile={tmp_path}/leases\n" + lines)
    done = in_veth(namespace, f"""
{servers.program("dnsmasq")} -d --conf-file={conf} >{tmp_path}/log 2>&1 &
trap 'kill $! $child' EXIT
""" + try_until(discover(program)), clean_env)
    assert done.returncode == 0, done.stderr
    assert f"url https://{FQDN}:443/CertProv" in done.stdout
    assert f"sip {FQDN}" in done.stdout
    assert "answered by 10.9.0.1" in done.stdout


def test_dhcp_from_kea(namespace, program, chainmend, clean_env, tmp_path):
    kea = servers.program("kea-dhcp4")
    if not kea:
        pytest.skip("no kea-dhcp4 on this machine")
    lines = chainmend("dhcp", "encode", "--web", FQDN, "--sip", FQDN,
                      "--format", "kea").out
    conf = tmp_path / "kea.json"
    conf.write_text("""{ "Dhcp4": {
"interfaces-config": { "interfaces": ["v0"] },
"lease-database": { "type": "memfile", "persist": false },
"subnet4": [ { "id": 1, "subnet": "10.9.0.0/24",
  "pools": [ { "pool": "10.9.0.100 - 10.9.0.110" } ] } ],
""" + lines + "} }\n")
    env = {**clean_env, "KEA_PIDFILE_DIR": str(tmp_path),
           "KEA_LOCKFILE_DIR": "none"}
    done = in_veth(namespace, f"""
{kea} -c {conf} >{tmp_path}/log 2>&1 &
trap 'kill $! $child' EXIT
""" + try_until(discover(program)), env)
    if done.returncode and "Permission" in (tmp_path / "log").read_text():
        pytest.skip("kea cannot run in a namespace here")
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    assert f"url https://{FQDN}:443/CertProv" in done.stdout
    assert f"sip {FQDN}" in done.stdout


def test_dhcp_of_ours_and_a_rogue_name(namespace, program, clean_env, pki,
                                       tmp_path):
    serve = (f"{program} serve --state {tmp_path}/s --host web.example "
             f"--cert {pki.leaf.pem} --key {pki.leaf.key} --dhcp "
             f">{tmp_path}/log 2>&1 & trap 'kill $! $child' EXIT\n")
    ask = f"phone {program} phone discover --wait 1 --domain "
    done = in_veth(namespace, serve + try_until(ask + "example") +
                   f"{ask} corp.test && exit 8; echo refused $?\n",
                   clean_env)
    assert done.returncode == 0, done.stderr
    assert "url https://web.example:443/CertProv" in done.stdout
    assert "refused 1" in done.stdout
    assert "not in the domain" in done.stderr



# Trust on first use.

def pins(tmp_path):
    return {f.name: f.read_bytes()
            for f in (tmp_path / "phone" / "pinned").glob("*")}


def test_first_use_must_be_asked_for(serve, pki, tmp_path):
    stranger = pki.root("Other Root")
    server = serve(offer=[pki.intermediate, pki.anchor])
    run = server.phone("--anchors", stranger.pem)
    assert run.status == 1 and not run.lines[0]["secret_sent"]
    assert not pins(tmp_path)
    run = server.phone("--anchors", stranger.pem, "--first-use")
    line, = run.lines
    assert run.status == 0 and line["pinned"] == pki.anchor.sha256, run
    assert pins(tmp_path) == {"localhost.der": pki.anchor.der}
    # It is no anchor, and needs no asking any more.
    assert (tmp_path / "phone" / "anchors.pem").read_text().count(
        "BEGIN CERTIFICATE") == 1
    run = server.phone("--anchors", stranger.pem)
    assert run.status == 0 and run.lines[0]["pinned"] == pki.anchor.sha256


def test_a_pinned_root_is_not_replaced(serve, pki, rogue, tmp_path):
    mallory = pki.root("Mallory")
    chain = pki.p7b("mallory.p7b", mallory)
    stranger = pki.root("Other Root")
    server = serve(offer=[pki.intermediate, pki.anchor])
    (tmp_path / "phone" / "pinned").mkdir(parents=True)
    (tmp_path / "phone" / "pinned" / "localhost.der").write_bytes(mallory.der)
    for http in (None, rogue(whole(chain.read_bytes())).server_port):
        run = server.phone("--anchors", stranger.pem, "--first-use", http=http)
        assert run.status == 1 and not run.lines[0]["secret_sent"], run
        assert pins(tmp_path) == {"localhost.der": mallory.der}


def test_a_pin_is_for_one_name(serve, pki, tmp_path):
    stranger = pki.root("Other Root")
    server = serve(offer=[pki.intermediate, pki.anchor])
    (tmp_path / "phone" / "pinned").mkdir(parents=True)
    (tmp_path / "phone" / "pinned" / "other.example.der").write_bytes(
        pki.anchor.der)
    run = server.phone("--anchors", stranger.pem)
    assert run.status == 1 and not run.lines[0]["secret_sent"], run


# Nobody is stalled, and nothing leaks where the path is cut.

def test_stripped_intermediates(serve, tmp_path):
    """The server's chain is cut to its leaf and port 80 is away."""
    run = serve().phone(http=servers.free_port())
    line, = run.lines
    assert run.status == 1 and not line["secret_sent"]
    assert line["reached"] == "connect"
    assert not list((tmp_path / "phone" / "quarantine").iterdir())


def dripping(server, pki, stop):
    """A client that sends a head, then a body, a byte at a time."""
    context = ssl.create_default_context(cafile=pki.anchor.pem)
    raw = socket.create_connection(("127.0.0.1", server.https))
    with raw, context.wrap_socket(raw, server_hostname="localhost") as s:
        s.sendall(b"POST /WebTicket/WebTicketService.svc/Pin HTTP/1.1\r\n"
                  b"Host: localhost\r\nContent-Length: 200000\r\n\r\n")
        while not stop.wait(0.05):
            s.sendall(b"<")


def test_dripping_clients_stop_nobody(serve, pki):
    server = serve(chain=[pki.leaf, pki.intermediate])
    stop = threading.Event()
    clients = [threading.Thread(target=dripping, args=(server, pki, stop))
               for _ in range(50)]
    for client in clients:
        client.start()
    try:
        began = time.monotonic()
        for _ in range(3):
            assert server.phone().status == 0
        assert time.monotonic() - began < 30
    finally:
        stop.set()
        for client in clients:
            client.join(10)
