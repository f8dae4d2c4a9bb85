# SPDX-License-Identifier: Apache-2.0
"""The same handshake in every link, tunnel and file form is read the same, and
as tshark reads it where tshark can."""
import gzip
import hashlib
import shutil
import subprocess

import pytest
from clothes import DRESSES, LISTS, Blocks, amsdu, pcap, pcapng
from pki import Pki
from tape import Tape, client_context, server_context, talk

START = 1700000000.25


class Lab:
    def __init__(self, where):
        p = Pki(where)
        p.anchor, other = p.root("Form Root"), p.root("Other Root")
        ca = p.anchor.issue_ca("Form CA")
        leaf = ca.issue("web.example")
        chain = p.file("whole.pem", leaf, ca)
        self.anchor = p.anchor
        self.said = talk(server_context(chain, leaf.key),
                         client_context(other.pem), "web.example")
        self.expected = ("web.example", [leaf.sha256, ca.sha256],
                         [("client", 48)])

    def frames(self, port=50000):
        """One connection from that port on: [(time, Ethernet frame)]."""
        tape = Tape(start=START + port / 1e5)
        tape.port = port
        tape.connection(self.said)
        return tape.frames


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("forms"))


def ours(chainmend, *words):
    """{client port: (name, digests, alerts)}, and the run."""
    run = chainmend("explain", "--json", "--all", *words)
    return {int(h["client"].rsplit(":", 1)[1]): (
        h["sni"], [c["sha256"] for c in h["certificates"]],
        [(a["from"], a["code"]) for a in h["alerts"]])
        for h in run.of_kind("handshake")}, run


def theirs(path):
    """The same of tshark; None where it is not there."""
    if not shutil.which("tshark"):
        return None
    fields = ("tcp.srcport", "tcp.dstport",
              "tls.handshake.extensions_server_name",
              "tls.handshake.certificate", "tls.alert_message.desc")
    argv = ["tshark", "-n", "-r", str(path), "-o",
            "tcp.reassemble_out_of_order:TRUE", "-Y", "tls", "-T", "fields"]
    for field in fields:
        argv += ["-e", field]
    done = subprocess.run(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True)
    seen = {}
    for line in done.stdout.splitlines():
        source, target, name, certs, alert = line.split("\t")
        # A frame may hold several packets, all of one connection here.
        ports = [int(p) for p in (source + "," + target).split(",")]
        port = max(ports)
        was = seen.setdefault(port, [None, [], []])
        was[0] = name or was[0]
        was[1] += [hashlib.sha256(bytes.fromhex(c)).hexdigest()
                   for c in certs.split(",") if c]
        # Of several packets in a frame it does not say which has the alert;
        # only the client sends one here.
        if alert:
            was[2] += [("client" if str(port) in source.split(",") else
                        "server", int(code)) for code in alert.split(",")]
    return {port: tuple(v) for port, v in seen.items()}


def test_every_link_and_tunnel(chainmend, lab, tmp_path):
    blocks, names, links = Blocks(), {}, []
    readable = set()
    for i, (name, (link, dress, reads)) in enumerate(
            [*DRESSES.items(), *LISTS.items()]):
        port = 40000 + i
        # The tape counts up before it begins.
        frames = lab.frames(port - 1)
        packets = [frame[14:] for _, frame in frames]
        dressed = dress(packets) if name in LISTS else [
            dress(p) for p in packets]
        if link not in links:
            links.append(link)
            blocks.interface(link)
        for n, data in enumerate(dressed):
            blocks.packet(links.index(link), int(
                (frames[0][0] + n / 1000) * 1e6), data)
        names[port] = name
        if reads:
            readable.add(port)
    path = tmp_path / "all.pcapng"
    path.write_bytes(blocks.out)
    mine, run = ours(chainmend, "--roots", lab.anchor.pem, path)
    assert run.err == ""
    wrong = [names[port] for port in names
             if mine.get(port) != lab.expected]
    assert wrong == []
    assert set(mine) == set(names)
    other = theirs(path)
    if other is not None:
        assert [names[port] for port in sorted(readable)
                if other.get(port) != lab.expected] == []


def link_types_in_turn(frames):
    """An interface each, of two links, two time scales and an offset."""
    b = Blocks()
    b.interface(1, resolution=9)
    b.interface(101, resolution=3, offset=-1000)
    b.interface(113, resolution=0x80 + 20, offset=500)
    for i, (at, data) in enumerate(frames):
        kind = i % 3
        if kind == 0:
            b.packet(0, int(at * 1e6) * 1000, data)
        elif kind == 1:
            b.packet(1, int((at + 1000) * 1e3), data[14:])
        else:
            b.packet(2, int((at - 500) * (1 << 20)),
                     b"\0\0\0\x01\0\x06" + data[6:12] + b"\0\0\x08\0" +
                     data[14:])
    return b.out


def sections_in_turn(frames):
    """A section each, its byte order turned round every time."""
    out = b""
    for i, (at, data) in enumerate(frames):
        b = Blocks("<>"[i % 2])
        b.interface(1, resolution=6 + i % 4)
        b.packet(0, int(at * 1e6) * 10 ** (i % 4), data)
        out += b.out
    return out


def blocks_that_nobody_knows(frames):
    b = Blocks()
    b.block(0x80000001, b"local use")
    b.interface(1)
    for at, data in frames:
        b.block(0x7fffffff, b"to come")
        b.packet(0, int(at * 1e6), data, b.pack("HH", 1, 4) + b"note" +
                 b.pack("HHI", 2, 4, 0) + b.pack("HH", 0, 0))
        b.block(4, b.pack("HH", 0, 0))
        b.block(5, b.pack("III", 0, 0, 0))
    return b.out


def simple_packets(frames):
    b = Blocks()
    b.interface(1)
    for _, data in frames:
        b.simple(data)
    return b.out


def old_packets(frames):
    b = Blocks(">")
    b.interface(1)
    for at, data in frames:
        b.old_packet(0, int(at * 1e6), data)
    return b.out


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def halves(pack):
    """Packed in two parts, one behind the other."""
    def made(frames):
        data = pcapng(frames, 1)
        return pack(data[:len(data) // 2]) + pack(data[len(data) // 2:])
    return made


FORMS = {
    "little": lambda f: pcap(f, 1),
    "big": lambda f: pcap(f, 1, ">"),
    "nanoseconds, little": lambda f: pcap(f, 1, magic=0xa1b23c4d),
    "nanoseconds, big": lambda f: pcap(f, 1, ">", 0xa1b23c4d),
    "modified": lambda f: pcap(f, 1, magic=0xa1b2cd34, extra=8),
    "modified, big": lambda f: pcap(f, 1, ">", 0xa1b2cd34, 8),
    "modified, older": lambda f: pcap(f, 1, extra=8),
    "Ixia, software": lambda f: pcap(f, 1, magic=0x1c0001ab,
                                     after=bytes(4)),
    "Ixia, hardware, big": lambda f: pcap(f, 1, ">", 0x1c0001ac,
                                          after=bytes(4)),
    "AIX": lambda f: pcap(f, 6, ">", version=(2, 2)),
    "version 2.3": lambda f: pcap(f, 1, version=(2, 3)),
    "frame check sequence named": lambda f: pcap(
        [(t, d + b"\xde\xad\xbe\xef") for t, d in f], 1 | 0x24000000),
    "pcapng, little": lambda f: pcapng(f, 1),
    "pcapng, big": lambda f: pcapng(f, 1, ">"),
    "links in turn": link_types_in_turn,
    "sections in turn": sections_in_turn,
    "unknown blocks": blocks_that_nobody_knows,
    "simple packets": simple_packets,
    "obsolete packets": old_packets,
    "gzip": lambda f: gzip.compress(pcap(f, 1)),
    "gzip in two members": halves(gzip.compress),
    "zstd": lambda f: zstd(pcap(f, 1)),
    "zstd in two frames": halves(zstd),
}
@pytest.mark.parametrize("name", FORMS)
def test_every_file_form(chainmend, lab, tmp_path, name):
    if "zstd" in name and not shutil.which("zstd"):
        pytest.skip("no zstd on this machine")
    path = tmp_path / "form"
    path.write_bytes(FORMS[name](lab.frames()))
    mine, run = ours(chainmend, "--roots", lab.anchor.pem, path)
    assert run.err == ""
    assert mine == {50001: lab.expected}
    line, = run.of_kind("handshake")
    if "simple" not in name:
        assert line["start"].startswith("2023-11-14T22:13:20."), line["start"]
    other = theirs(path)
    if other is not None:
        assert other == {50001: lab.expected}


def test_simple_packets_cut_by_the_interface(chainmend, lab, tmp_path):
    """Only the first interface's snap length says how much is there."""
    b = Blocks()
    b.interface(1, snaplen=300)
    for _, data in lab.frames():
        b.simple(data, 300)
    path = tmp_path / "cut.pcapng"
    path.write_bytes(b.out)
    mine, run = ours(chainmend, path)
    assert run.err == ""
    name, certs, alerts = mine[50001]
    assert (name, certs, alerts) == ("web.example", [], [("client", 48)])


def test_two_halves_of_one_talk(chainmend, lab, tmp_path):
    """Each direction in a file of its own, in different forms."""
    frames = lab.frames()
    port = (50001).to_bytes(2, "big")
    one = [f for f in frames if f[1][34:36] == port]
    two = [f for f in frames if f[1][34:36] != port]
    paths = [tmp_path / "client.pcap", tmp_path / "server.pcapng"]
    paths[0].write_bytes(pcap(one, 1, ">", 0xa1b23c4d))
    paths[1].write_bytes(gzip.compress(pcapng(
        [(t, d[14:]) for t, d in two], 101)))
    mine, run = ours(chainmend, "--roots", lab.anchor.pem, "--merge",
                     *reversed(paths))
    assert run.err == ""
    assert mine == {50001: lab.expected}
    assert run.of_kind("summary")[0]["packets"] == len(frames)


def test_as_it_is_written(chainmend, lab, tmp_path):
    """A file that grows, in each form a piece at a time."""
    forms = {"pcap": pcap(lab.frames(), 1), "ng": pcapng(lab.frames(), 1),
             "gz": gzip.compress(pcapng(lab.frames(), 1))}
    for name, data in forms.items():
        path = tmp_path / name
        path.write_bytes(data[:10])
        process = chainmend.popen(
            "explain", "--follow", "--json", "--roots", lab.anchor.pem, path,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with open(path, "ab", buffering=0) as file:
            for at in range(10, len(data), 700):
                file.write(data[at:at + 700])
        line = process.stdout.readline()
        assert '"verdict":' in line and "web.example" in line, name
        process.terminate()
        process.communicate(timeout=30)


def test_a_frame_that_holds_two_connections(chainmend, lab, tmp_path):
    """Two talks side by side, their packets in the same Wi-Fi frames."""
    one, two = lab.frames(41000), lab.frames(42000)
    frames = [(a[0], amsdu([a[1][14:], b[1][14:]]))
              for a, b in zip(one, two)]
    path = tmp_path / "two.pcap"
    path.write_bytes(pcap(frames, 105))
    mine, _ = ours(chainmend, path)
    assert mine == {41001: lab.expected, 42001: lab.expected}
