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

    def run(lines=GOOD, ntp=("0", "honest"), more=()):
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
{program} phone test --domain {DOMAIN} --server web.corp.example \
    --dns 127.0.0.1 --number {NUMBER} --pin-file {tmp_path}/pin \
    --anchors {state}/lab-root.pem --json {' '.join(more)}
""")
        done = subprocess.run([*namespace, "bash", script], env=clean_env,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1), (done.stderr, done.stdout,
                                           (tmp_path / "log").read_text())
        steps = {}
        for line in done.stdout.splitlines():
            entry = json.loads(line)
            steps[entry["test"]] = entry
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
