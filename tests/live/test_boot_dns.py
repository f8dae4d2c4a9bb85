# SPDX-License-Identifier: Apache-2.0
"""`phone test` on a network of its own: names from a real dnsmasq, the time
from a server of this test's, and a whole sign-in on ports 80 and 443."""
import json
import subprocess
import sys

import pytest

import servers
from boot_lab import NUMBER, PIN, SIP

DOMAIN = "corp.example"
GOOD = ("host-record=web.corp.example,127.0.0.1\n"
        "host-record=pool.corp.example,127.0.0.1\n"
        "host-record=time.corp.example,127.0.0.1\n"
        "srv-host=_sipinternaltls._tcp.corp.example,pool.corp.example,5061\n"
        "srv-host=_ntp._udp.corp.example,time.corp.example,123\n")

# SNTP as RFC 4330 has it: version 4, server, stratum 2, our question's
# transmit time echoed, ours behind it.
NTP = """
import socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 123))
while True:
    ask, peer = s.recvfrom(512)
    now = int(time.time()) + 2208988800 + int(sys.argv[1])
    stamp = struct.pack(">II", now & 0xffffffff, 0)
    head = bytes([0x24, 2, 6, 0xec]) + bytes(12) + stamp
    echo = ask[40:48] if sys.argv[2] == "honest" else bytes(8)
    s.sendto(head + echo + stamp + stamp, peer)
"""


@pytest.fixture
def town(namespace, program, chainmend, clean_env, tmp_path):
    """town(dns lines, ntp arguments, test's arguments) -> {step: line}"""
    dnsmasq = servers.program("dnsmasq")
    if not dnsmasq:
        pytest.skip("no dnsmasq on this machine")
    state = tmp_path / "server"
    for words in (["add", "--sip", SIP, "--number", NUMBER],
                  ["set-pin", "--sip", SIP, "--secret-fd", "0"]):
        assert chainmend("serve", "--state", state, "user", *words,
                         stdin=PIN + "\n").status == 0
    (tmp_path / "ntp.py").write_text(NTP)
    (tmp_path / "pin").write_text(PIN + "\n")

    def run(lines=GOOD, ntp=("0", "honest"), more=(), way="test",
            ends=(0, 1)):
        server = "--server web.corp.example" if way == "test" else ""
        conf = tmp_path / "dnsmasq.conf"
        conf.write_text("no-resolv\nno-hosts\nlisten-address=127.0.0.1\n"
                        "bind-interfaces\nuser=root\nno-poll\n"
                        "local=/example/\nlocal=/com/\n" + lines)
        script = tmp_path / "run.sh"
        jobs = [f"{program} serve --state {state} --lab --host "
                f"web.corp.example --quiet"]
        if lines:
            jobs.append(f"{dnsmasq} -d --conf-file={conf}")
        if ntp:
            jobs.append(f"{sys.executable} {tmp_path}/ntp.py {' '.join(ntp)}")
        script.write_text("".join(f"{job} >>{tmp_path}/log 2>&1 &\n"
                                  for job in jobs) + f"""
trap 'kill $(jobs -p)' EXIT
ready() {{ ss -Hlnt 'sport = :443' | grep -q .; }}
names() {{ [ -z "{lines[:1]}" ] || ss -Hlnu 'sport = :53' | grep -q .; }}
time_is() {{ [ -z "{ntp and 1 or ''}" ] || ss -Hlnu 'sport = :123' | grep -q .; }}
i=0
until ready && names && time_is; do
    i=$((i+1)); [ $i -lt 300 ] || exit 99; sleep 0.1
done
{program} phone {way} --domain {DOMAIN} {server} \
    --dns 127.0.0.1 --number {NUMBER} --pin-file {tmp_path}/pin \
    --anchors {state}/lab-root.pem --json {' '.join(more)}
""")
        done = subprocess.run([*namespace, "bash", script], env=clean_env,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode in ends, (done.stderr, done.stdout,
                                           (tmp_path / "log").read_text())
        steps = {}
        for line in done.stdout.splitlines():
            entry = json.loads(line)
            steps[entry.get("test", way)] = entry
        assert PIN not in done.stdout + done.stderr
        return steps

    return run


def test_a_sound_town(town):
    steps = town()
    good = [name for name, s in steps.items() if s["result"] == "ok"]
    assert good == ["dns", "name", "clock", "port 80", "chain", "metadata",
                    "ticket", "certificate", "registration"], steps
    assert "pool.corp.example" in steps["dns"]["says"]
    assert "time.corp.example" in steps["clock"]["says"]
    assert steps["name"]["says"].endswith("127.0.0.1")
    assert all(s["sent"] for s in steps.values() if s["result"] == "ok")


ONLY_A_REGISTRAR = (
    "host-record=web.corp.example,127.0.0.1\n"
    "srv-host=_sipinternaltls._tcp.corp.example,web.corp.example,5061\n")


def test_nothing_but_a_service_record(town):
    """No DHCP here: the registrar that DNS names says where certificates are
    issued, and there the phone goes."""
    line = town(ONLY_A_REGISTRAR, way="pin", ntp=None,
                more=("--connect", "127.0.0.1", "--wait", "5"))["pin"]
    assert line["signed_in"] and line["sip"] == SIP, line
    assert line["sts_uri"].startswith("https://web.corp.example")
    assert line["secret_sent"]


def test_a_service_record_that_leads_elsewhere(town):
    """A name outside the domain is nobody to ask."""
    lines = ONLY_A_REGISTRAR.replace(",web.corp.example,5061",
                                     ",web.evil.example,5061")
    assert town(lines, way="pin", ntp=None, ends=(3,),
                more=("--connect", "127.0.0.1", "--wait", "1")) == {}


def test_the_capture_has_names_and_time(town, chainmend, tmp_path):
    """What was asked by UDP is in the capture, too, as it was on the wire."""
    capture = tmp_path / "town.pcapng"
    steps = town(more=("--tls12", "--capture", str(capture)))
    assert steps["clock"]["result"] == "ok"
    run = chainmend("explain", "--json", "--all", "--roots",
                    tmp_path / "server" / "lab-root.pem", capture)
    asked = {(d["name"], d["type"]) for d in run.of_kind("dns")}
    assert {(f"_sipinternaltls._tcp.{DOMAIN}", 33),
            (f"_ntp._udp.{DOMAIN}", 33), (f"web.{DOMAIN}", 1)} <= asked, asked
    assert [h["outcome"] for h in run.of_kind("handshake")] == \
        ["completed"] * 2
    tshark = servers.program("tshark")
    if not tshark:
        return

    def fields(what, *names):
        read = subprocess.run(
            [tshark, "-r", capture, "-Y", what, "-T", "fields",
             "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
             *(word for name in names for word in ("-e", name))],
            capture_output=True, text=True, check=True, timeout=60).stdout
        return [line.split("\t") for line in read.splitlines()]

    # 3: client, 4: server; both checksums good.
    assert fields("ntp", "ntp.flags.mode", "udp.checksum.status",
                  "udp.dstport") == [["3", "1", "123"],
                                     ["4", "1", fields(
                                         "ntp", "udp.srcport")[0][0]]]
    names = fields("dns.flags.response == 1", "dns.qry.name", "dns.flags.rcode")
    assert [f"time.{DOMAIN}", "0"] in names
    assert [f"_sip._tls.{DOMAIN}", "3"] in names or \
        [f"_sip._tls.{DOMAIN}", "0"] in names
    assert not fields("_ws.malformed or tcp.checksum.status == 0 or "
                      "udp.checksum.status == 0", "frame.number")


SIX = """
set -e
{program} serve --state {state} --lab --break {name} --host web.corp.example \\
    --address ::1 --quiet >{here}/log 2>&1 & serve=$!
trap 'kill $serve' EXIT
i=0
until ss -Hlnt 'sport = :443' | grep -q .; do
    i=$((i+1)); [ $i -lt 300 ] || exit 99; sleep 0.1
done
{program} phone test --server web.corp.example --connect ::1 --number {number} \\
    --pin-file {here}/pin --anchors {state}/lab-root.pem --tls12 --json \\
    --capture {here}/six.pcapng || [ $? = 1 ]
"""


@pytest.mark.parametrize("name", ["none", "no-port-80"])
def test_the_capture_over_ipv6(namespace, program, chainmend, clean_env,
                               tmp_path, name):
    """A whole sign-in over IPv6; its packets, judged by others' eyes."""
    state, capture = tmp_path / "server", tmp_path / "six.pcapng"
    (tmp_path / "pin").write_text(PIN + "\n")
    for words in (["add", "--sip", SIP, "--number", NUMBER],
                  ["set-pin", "--sip", SIP, "--secret-fd", "0"]):
        assert chainmend("serve", "--state", state, "user", *words,
                         stdin=PIN + "\n").status == 0
    done = subprocess.run(
        [*namespace, "sh", "-c", SIX.format(
            program=program, state=state, name=name, here=tmp_path,
            number=NUMBER)],
        env=clean_env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done, (tmp_path / "log").read_text())
    steps = {s["test"]: s["result"]
             for s in map(json.loads, done.stdout.splitlines())}
    assert steps["registration"] == "ok", steps
    assert steps["port 80"] == ("ok" if name == "none" else "warning")
    run = chainmend("explain", "--json", "--all", "--roots",
                    state / "lab-root.pem", capture)
    shaken = run.of_kind("handshake")
    assert [(h["server"], h["outcome"]) for h in shaken] == \
        [("[::1]:443", "completed"), ("[::1]:5061", "completed")]
    assert {t["server"] for t in run.of_kind("tcp") if t["refused"]} == \
        (set() if name == "none" else {"[::1]:80"})
    tshark, capinfos = servers.program("tshark"), servers.program("capinfos")
    if not tshark or not capinfos:
        pytest.skip("no tshark or no capinfos on this machine")

    def frames(what, *fields):
        return [line.split("\t") for line in subprocess.run(
            [tshark, "-r", capture, "-Y", what, "-T", "fields",
             "-o", "tcp.check_checksum:TRUE",
             *(word for f in fields for word in ("-e", f))],
            capture_output=True, text=True, check=True,
            timeout=60).stdout.splitlines()]

    every = frames("frame", "ipv6.src", "ipv6.dst", "tcp.checksum.status",
                   "ipv6.plen")
    # 1: the sum is good, by the pseudo-header of RFC 8200 section 8.1.
    assert {tuple(f[:3]) for f in every} == {("::1", "::1", "1")}
    assert not frames("ip or _ws.malformed or tcp.analysis.ack_lost_segment "
                      "or tcp.analysis.lost_segment or "
                      "tcp.analysis.retransmission", "frame.number")
    assert {f[0] for f in frames("tls.handshake.type == 11", "tcp.srcport")} \
        == {"443", "5061"}
    refused = frames("tcp.flags.reset == 1 and tcp.seq == 1", "tcp.srcport")
    assert refused == ([] if name == "none" else [["80"]])
    table = dict(line.split(":", 1) for line in subprocess.run(
        [capinfos, "-cEd", "-M", capture], capture_output=True, text=True,
        check=True, timeout=60).stdout.splitlines() if ":" in line)
    assert table["File encapsulation"].strip() == "rawip"
    assert int(table["Number of packets"].split()[0]) == len(every)
    # Every packet's own length, and forty bytes of header for each.
    assert int(table["Data size"].split()[0]) == \
        sum(40 + int(f[3]) for f in every)


def test_no_service_records(town):
    steps = town("host-record=web.corp.example,127.0.0.1\n")
    assert steps["dns"]["result"] == "warning"
    assert "no registrar" in steps["dns"]["says"]
    # Nobody in the domain, and time.windows.com is not to be had here.
    assert steps["clock"]["result"] == "warning"
    assert steps["certificate"]["result"] == "ok"


def test_a_registrar_elsewhere(town):
    steps = town(GOOD.replace(",pool.corp.example,5061",
                              ",pool.evil.example,5061"))
    assert steps["dns"]["result"] == "failed"
    assert steps["dns"]["why"] == "wrong-host"


def test_a_registrar_without_address(town):
    steps = town(GOOD.replace("host-record=pool", "host-record=loop"))
    assert steps["dns"]["result"] == "warning"
    assert "has no address" in steps["dns"]["says"]


def test_only_the_plain_name(town):
    steps = town(GOOD.replace("_sipinternaltls._tcp", "_x._tcp") +
                 "host-record=sip.corp.example,127.0.0.1\n")
    assert steps["dns"]["result"] == "warning"
    assert "sip.corp.example" in steps["dns"]["says"]


def test_no_dns_server(town):
    steps = town("")
    assert steps["dns"]["result"] == "warning"
    assert steps["name"]["result"] == "failed"


@pytest.mark.parametrize("offset", ["86400", "-86400"])
def test_a_clock_a_day_off(town, offset):
    steps = town(ntp=(offset, "honest"))
    assert steps["clock"]["result"] == "failed"
    assert steps["clock"]["why"] == "clock-wrong"
    assert offset[:4] in steps["clock"]["says"] or \
        str(int(offset) - 1)[:4] in steps["clock"]["says"]


def test_time_from_somebody_else(town):
    steps = town(ntp=("0", "liar"))
    assert steps["clock"]["result"] == "warning"
    assert "not ours" in steps["clock"]["says"]


def test_no_time_server(town):
    steps = town(ntp=None)
    assert steps["clock"]["result"] == "warning"
