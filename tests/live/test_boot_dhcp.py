# SPDX-License-Identifier: Apache-2.0
"""DHCP for phones. Clients of other people's ask `serve --dhcp`; hands that were
written here from RFC 2131 say what hostile askers get, and which of several
answers a phone takes; and the lines that `dhcp encode` writes for six
servers."""
import json
import re
import sys

import pytest

import servers
from boot_lab import FQDN, in_veth, try_until

# The published vector: DHCPUtil's own output for server.fqdn.company.com.
V43 = ("010c4d532d55432d436c69656e740205687474707303177365727665722e6671646e2e"
       "636f6d70616e792e636f6d040334343305252f4365727450726f762f4365727450726f"
       "766973696f6e696e67536572766963652e737663")
V120 = "0006736572766572046671646e07636f6d70616e7903636f6d00"

COMMON = """
import json, socket, struct, sys, time

def message(op, kind, xid, ciaddr="0.0.0.0", options=b"", cookie=0x63825363):
    head = struct.pack(">BBBBIHH4s4s4s4s16s64s128sI", op, 1, 6, 0, xid, 0, 0,
                       socket.inet_aton(ciaddr), bytes(4), bytes(4), bytes(4),
                       bytes(16), bytes(64), bytes(128), cookie)
    return head + option(53, bytes([kind])) + options + b"\\xff"

def option(code, value):
    return bytes([code, len(value)]) + value

UC = option(60, b"MS-UC-Client")
"""

# At the phone's end: a whole question, and many that are not; each with what
# came back within half a second.
ASKER = COMMON + """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.9.0.9", 68))
good = message(1, 8, 7, "10.9.0.9", UC + option(55, b"+x"))
bad = {
    "discover": message(1, 1, 7, "10.9.0.9", UC),
    "request": message(1, 3, 7, "10.9.0.9", UC),
    "reply": message(2, 8, 7, "10.9.0.9", UC),
    "other class": message(1, 8, 7, "10.9.0.9", option(60, b"ms-uc-client")),
    "no class": message(1, 8, 7, "10.9.0.9"),
    "no address": message(1, 8, 7, "0.0.0.0", UC),
    "another's address": message(1, 8, 7, "10.9.0.77", UC),
    "no cookie": message(1, 8, 7, "10.9.0.9", UC, cookie=1),
    "option cut": good[:-14],
    "option too long": good[:240] + b"\\x3c\\xffMS",
    "head cut": good[:200],
    "nothing": b"",
    "noise": bytes(range(256)) * 5,
}
told = {}
for name, packet in {"first": good, **bad, "last": good}.items():
    s.sendto(packet, ("10.9.0.1", 67))
    s.settimeout(5 if name in ("first", "last") else 0.3)
    try:
        told[name] = s.recv(2000).hex()
    except TimeoutError:
        told[name] = None
print(json.dumps(told))
"""


@pytest.fixture
def asked_by(namespace, program, clean_env, pki, tmp_path):
    """asked_by(sh line with `phone`) -> (what it said, the server's log)"""
    def run(command):
        log = tmp_path / "log"
        done = in_veth(namespace, f"""
{program} serve --state {tmp_path}/s --host {FQDN} --cert {pki.leaf.pem} \
    --key {pki.leaf.key} --dhcp >{log} 2>&1 & serve=$!
trap 'kill $serve $child' EXIT
""" + try_until("ss -Hlnu 'sport = :67' | grep -q .", 300) +
                       f"{command}\n", clean_env)
        assert done.returncode == 0, (done, log.read_text())
        return done, log.read_text()
    return run


def test_hostile_questions_get_no_answer(asked_by, tmp_path):
    (tmp_path / "ask.py").write_text(ASKER)
    done, log = asked_by(f"phone {sys.executable} {tmp_path}/ask.py")
    told = json.loads(done.stdout)
    for name in ("first", "last"):
        answer = told.pop(name)
        assert "2b5a" + V43 in answer and "781a" + V120 in answer
        assert answer.startswith("02010600" + "00000007")
        assert "350105" in answer  # DHCPACK
        assert answer[32:40] == "00000000"  # yiaddr: nothing is leased
    assert {name for name, answer in told.items() if answer} == set()
    # Each left a line in the log, but the empty one that brings nothing.
    events = re.findall(r" dhcp-ignored 10\.9\.0\.9 (.*) \d+$",
                        log, re.M)
    assert len(events) >= len(told) - 1, events
    assert {"another class", "no client address", "no DHCPINFORM",
            "claims another address than it sends from"} <= set(events)


# Clients that nobody here wrote.

# What is told of an answer, as dhcpcd(8) has it: the text of a variable each.
HOOK = """#!/bin/sh
[ "$reason" = INFORM ] && env | sort >"$OUT"
exit 0
"""
DHCPCD = """
nodev
nodelay
noarp
noipv6
noipv4ll
vendorclassid {name}
{client_id}
option vendor_encapsulated_options, sip_server
require dhcp_server_identifier
script {here}/hook
env OUT={here}/answer
"""


def program_or_skip(name):
    """Also where a user without rights does not look."""
    found = servers.program(name)
    if not found:
        pytest.skip(f"no {name} on this machine")
    return found


def dhcpcd(tmp_path, name, client_id, wait):
    """The line that runs it once: its user, locks and leases are its own, so
    that no daemon of this machine's is in its way."""
    (tmp_path / "hook").write_text(HOOK)
    (tmp_path / "hook").chmod(0o755)
    (tmp_path / "conf").write_text(DHCPCD.format(
        name=name, client_id=client_id, here=tmp_path))
    return (f"grep -v dhcpcd /etc/passwd >{tmp_path}/passwd\n"
            "phone unshare --mount sh -c 'mount -t tmpfs none /run; "
            "mount -t tmpfs none /var/lib/dhcpcd; "
            f"mount --bind {tmp_path}/passwd /etc/passwd; "
            f"exec timeout {wait} {program_or_skip('dhcpcd')} -f "
            f"{tmp_path}/conf --inform=10.9.0.9/24 -d -1 -B -4 v1' 2>&1 && "
            "r=0 || r=$?; echo ended $r")


@pytest.mark.parametrize("client_id", ["clientid", "duid", ""])
def test_a_client_of_other_peoples(asked_by, tmp_path, client_id):
    """dhcpcd takes our answer and reads the published vector from it, option
    120 by its own reading of RFC 3361."""
    done, log = asked_by(dhcpcd(tmp_path, "MS-UC-Client", client_id, 40))
    assert "ended 0" in done.stdout, (done.stdout, log)
    assert "received approval for 10.9.0.9" in done.stdout
    told = dict(line.split("=", 1) for line in
                (tmp_path / "answer").read_text().splitlines())
    assert told["new_vendor_encapsulated_options"] == V43
    assert told["new_sip_server"] == FQDN
    assert told["new_vendor_class_identifier"] == "MS-UC-Client"
    assert told["new_dhcp_server_identifier"] == "10.9.0.1"
    assert re.search(r" dhcp 10\.9\.0\.9 answered \d+$", log, re.M)


def test_a_client_of_another_class(asked_by, tmp_path):
    """Case counts; nothing comes back, and the log says why."""
    done, log = asked_by(dhcpcd(tmp_path, "ms-uc-client", "clientid", 2))
    assert "ended 124" in done.stdout and "sending INFORM" in done.stdout
    assert not (tmp_path / "answer").exists()
    assert re.search(r" dhcp-ignored 10\.9\.0\.9 another class \d+$", log,
                     re.M), log
    assert " answered " not in log


def test_a_client_without_a_class(asked_by):
    """dhcping asks as any computer does: that is another server's."""
    done, log = asked_by(
        f"phone {program_or_skip('dhcping')} -i -v -t 1 -c 10.9.0.9 -s "
        "10.9.0.1 -h 02:ca:fe:ba:be:01 2>&1 && r=0 || r=$?; echo ended $r")
    assert "ended 1" in done.stdout and "no answer" in done.stdout.lower()
    assert re.search(r" dhcp-ignored 10\.9\.0\.9 another class \d+$", log,
                     re.M), log


# At the server's end: answers of a script, in its order.
ANSWERER = COMMON + """
def name43(host):
    return option(43, option(1, b"MS-UC-Client") + option(2, b"https")
                  + option(3, host) + option(4, b"443")
                  + option(5, b"/CertProv/CertProvisioningService.svc"))

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind(("", 67))
open(sys.argv[1], "w").close()
ask, peer = s.recvfrom(2000)
xid, = struct.unpack(">I", ask[4:8])
ok = option(54, socket.inet_aton("10.9.0.1")) + UC
answers = {
    "nak": message(2, 6, xid, options=ok + name43(b"nak.company.com")),
    "other": message(2, 5, xid ^ 1, options=ok + name43(b"xid.company.com")),
    "bare": message(2, 5, xid, options=ok),
    "question": message(1, 5, xid, options=ok + name43(b"op.company.com")),
    "cut": message(2, 5, xid, options=ok + name43(b"cut.company.com"))[:270],
    "noise": b"\\x02" * 300,
    "one": message(2, 5, xid, options=ok + name43(b"one.company.com")),
    "two": message(2, 5, xid, options=ok + name43(b"two.company.com")),
    "foreign": message(2, 5, xid, options=ok + name43(b"web.evil.com")),
}
print(ask.hex(), flush=True)
for name in sys.argv[2:]:
    s.sendto(answers[name], peer)
"""


@pytest.mark.parametrize("order, taken", [
    (["one"], "one"),
    # The first with a name wins, whatever comes later.
    (["bare", "one", "two"], "one"),
    (["two", "one"], "two"),
    # What is no answer to the question is passed over.
    (["nak", "other", "question", "noise", "one"], "one"),
    (["bare"], None), (["nak", "other", "question"], None),
])
def test_the_first_answer_with_a_name(namespace, program, clean_env, tmp_path,
                                      order, taken):
    (tmp_path / "answer.py").write_text(ANSWERER)
    ready = tmp_path / "ready"
    done = in_veth(namespace, f"""
{sys.executable} {tmp_path}/answer.py {ready} {" ".join(order)} \
    >{tmp_path}/asked 2>&1 & server=$!
trap 'kill $child $server || :' EXIT
""" + try_until(f"[ -e {ready} ]", 300) +
                   f"phone {program} phone discover --domain company.com "
                   "--wait 2 && r=0 || r=$?; echo ended $r\n", clean_env)
    assert done.returncode == 0, (done, (tmp_path / "asked").read_text())
    if taken:
        assert f"url https://{taken}.company.com:443/CertProv" in done.stdout
        assert "ended 0" in done.stdout
    else:
        assert "url" not in done.stdout and "ended 3" in done.stdout, done
    # And the question itself: an INFORM with our class that wants 43 and 120.
    asked = (tmp_path / "asked").read_text()
    assert "3c0c" + b"MS-UC-Client".hex() in asked and "37022b78" in asked
    assert asked.startswith("01010600") and "350108" in asked


def test_a_foreign_name_stops_a_sign_in(namespace, program, clean_env, pki,
                                        tmp_path):
    """Nothing is sent to a host that DHCP names outside the domain."""
    (tmp_path / "answer.py").write_text(ANSWERER)
    (tmp_path / "pin").write_text("40961853\n")
    ready = tmp_path / "ready"
    done = in_veth(namespace, f"""
{sys.executable} {tmp_path}/answer.py {ready} foreign >{tmp_path}/asked 2>&1 &
server=$!
trap 'kill $child $server || :' EXIT
""" + try_until(f"[ -e {ready} ]", 300) +
                   f"phone {program} phone pin --domain company.com --wait 2 "
                   f"--state {tmp_path}/p --anchors {pki.anchor.pem} --number "
                   f"1 --pin-file {tmp_path}/pin --connect 10.9.0.1 --verbose "
                   "&& r=0 || r=$?; echo ended $r\n", clean_env)
    assert done.returncode == 0, done
    assert "ended 3" in done.stdout
    assert "web.evil.com" in done.stderr and "not in the domain" in done.stderr
    assert "connect" not in done.stderr and "40961853" not in done.stderr


# What is written for each DHCP server holds the published bytes, and only them.

def colons(text):
    return ":".join(re.findall("..", text))


def dots(text):
    return ".".join(re.findall(".{1,4}", text))


@pytest.mark.parametrize("server, form", [
    ("raw", str), ("isc", colons), ("kea", str), ("dnsmasq", colons),
    ("cisco", dots), ("mikrotik", str)])
def test_lines_for_a_server(chainmend, server, form):
    text = chainmend("dhcp", "encode", "--web", FQDN, "--sip", FQDN,
                     "--format", server).out
    digits = re.findall(r"\b(?:0x)?([0-9a-f.:]{20,})\b", text)
    assert digits == [form(V43), form(V120)]
    if server not in ("raw", "cisco", "mikrotik"):
        assert "MS-UC-Client" in text  # only phones get it
    # And back again, by the other verb.
    back = chainmend("dhcp", "decode", "--43", digits[0].replace(
        ":", "").replace(".", ""), "--120", V120)
    assert back.status == 0 and FQDN in back.out, back


def test_lines_for_windows(chainmend):
    text = chainmend("dhcp", "encode", "--web", FQDN, "--sip", FQDN,
                     "--format", "netsh").out
    values = dict(re.findall(
        r'set optionvalue (\d+) Binary (?:vendor=MSUCClient )?"([0-9a-f]+)"',
        text))
    assert bytes.fromhex(values["1"]) == b"MS-UC-Client"
    assert bytes.fromhex(values["2"]) == b"https"
    assert bytes.fromhex(values["3"]) == FQDN.encode()
    assert bytes.fromhex(values["4"]) == b"443"
    assert bytes.fromhex(values["5"]) == \
        b"/CertProv/CertProvisioningService.svc"
    assert values["120"] == V120


@pytest.mark.parametrize("option, value, word", [
    ("--43", V43[:180 - 2], "runs past the end"),
    # A name of 24 characters is one too many: 182 digits, of which 180 stay.
    ("--43", V43.replace(b"server.fqdn.company.com".hex(),
                         b"servers.fqdn.company.com".hex()).replace(
                             "0317", "0318")[:180], "cisco ios"),
    ("--43", V43.replace(b"server.fqdn.company.com".hex(),
                         b"10.1.2.3".hex()).replace("0317", "0308"),
     "address"),
    ("--43", V43.replace(b"MS-UC-Client".hex(), b"ms-uc-client".hex()),
     "class"),
    ("--43", V43[:V43.index("0525")], "path"),
    ("--43", "zz", "hex"), ("--120", "01c0a80001", "address"),
])
def test_faults_are_named(chainmend, option, value, word):
    run = chainmend("dhcp", "decode", option, value)
    assert run.status != 0, run
    assert word in (run.out + run.err).lower(), run
