# SPDX-License-Identifier: Apache-2.0
"""Packets in the clothes that captures have them in: link headers, tunnels,
tunnels in tunnels, pieces, and the forms of capture files.

A dress takes an IPv4 packet and gives one frame; those of LISTS take them all,
since they put several into one frame or one into several.
"""
import itertools
import socket
import struct

MAC = bytes.fromhex("020000000001020000000002")
LOW = b"\xaa\xaa\x03\0\0\0"  # LLC and SNAP before a type
FLAGS_MORE = 0x2000


def be(fmt, *values):
    return struct.pack(">" + fmt, *values)


def le(fmt, *values):
    return struct.pack("<" + fmt, *values)


def eth(packet, kind=0x0800):
    return MAC + be("H", kind) + packet


def ip4(payload, protocol, fragment=0, ident=7):
    return be("BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64,
              protocol, 0) + bytes([198, 51, 100, 1, 198, 51, 100, 2]) + payload


def ip6(payload, following):
    ends = (socket.inet_pton(socket.AF_INET6, f"2001:db8::{n}")
            for n in (1, 2))
    return be("IHBB", 0x60000000, len(payload), following, 64) + b"".join(
        ends) + payload


def udp(payload, port, source=40000):
    return be("HHHH", source, port, 8 + len(payload), 0) + payload


def gre(payload, kind=0x0800, flags=0, more=b""):
    return be("HH", flags, kind) + more + payload


def mpls(payload, n=1):
    return b"".join(be("I", (16 + i) << 12 | (i == n - 1) << 8 | 64)
                    for i in range(n)) + payload


def vxlan(frame):
    return udp(be("II", 0x08000000, 42 << 8) + frame, 4789)


def geneve(frame, options=b""):
    return udp(be("BBHI", len(options) // 4, 0, 0x6558, 42 << 8) + options +
               frame, 6081)


def pppoe(packet):
    return be("BBHH", 0x11, 0, 1, len(packet) + 2) + b"\0\x21" + packet


def wifi(body, control=0x0108, qos=b"", more=b"", sequence=0):
    return le("HH", control, 0) + MAC + MAC[:6] + le("H", sequence << 4
                                                     ) + more + qos + body


def wifi_ip(packet, **how):
    return wifi(LOW + b"\x08\0" + packet, **how)


def radiotap(frame, present=0, fields=b""):
    return le("BBHI", 0, 0, 8 + len(fields), present) + fields + frame


def capwap(payload, native, swap=False):
    head = be("II", 2 << 19 | 1 << 9 | native << 8, 0)
    if swap:
        payload = payload[1::-1] + payload[2:]
    return udp(head + payload, 5247)


def rndis(frame):
    return le("11I", 1, 44 + len(frame), 36, len(frame), 0, 0, 0, 0, 0, 0,
              0) + frame


def usbpcap(data):
    return le("HQIHBHHBBI", 27, 1, 0, 9, 1, 1, 2, 0x81, 3, len(data)) + data


def usbmon(data, header):
    head = le("QBBBBHBBqiiII", 1, ord("C"), 3, 0x81, 2, 1, 45, 0, 1700000000,
              0, 0, len(data), len(data)) + bytes(8)
    return head.ljust(header, b"\0") + data


def ncm(frames):
    table = le("HHHH", 0x434e, 0x304d, 8 + 4 * (len(frames) + 1), 0)
    at, body = 12 + 8 + 4 * (len(frames) + 1), b""
    for frame in frames:
        table += le("HH", at + len(body), len(frame))
        body += frame
    table += bytes(4)
    return b"NCMH" + le("HHHH", 12, 0, 12 + len(table) + len(body),
                        12) + table + body


def amsdu(packets):
    out = b""
    for i, packet in enumerate(packets):
        sub = MAC + be("H", 8 + len(packet)) + LOW + b"\x08\0" + packet
        out += sub + bytes(-len(sub) % 4 if i + 1 < len(packets) else 0)
    return wifi(out, 0x0188, le("H", 0x80))


def pieces4(payload, protocol, size, ident):
    """An IPv4 datagram in fragments."""
    return [ip4(payload[at:at + size], protocol, at // 8 | (
        FLAGS_MORE if at + size < len(payload) else 0), ident)
        for at in range(0, len(payload), size)]


def pieces6(payload, following, size, ident):
    return [ip6(be("BBHI", following, 0, at | (at + size < len(payload)),
                   ident) + payload[at:at + size], 44)
            for at in range(0, len(payload), size)]


def groups(items, n):
    it = iter(items)
    return iter(lambda: list(itertools.islice(it, n)), [])


def ext6(packet):
    """IPv4 in IPv6 behind every header that may stand before it."""
    return ip6(be("BBI", 60, 0, 0x01040000) + bytes(2) +
               be("BBI", 43, 0, 0x01040000) + bytes(2) +
               be("BBI", 44, 0, 0x01040000) + bytes(2) +
               be("BBHI", 4, 0, 0, 9) + packet, 0)


# name: (link type, dress, does tshark 4.0 read it?)
DRESSES = {
    "Ethernet": (1, eth, True),
    "802.1Q": (1, lambda p: eth(be("HH", 7, 0x0800) + p, 0x8100), True),
    "QinQ": (1, lambda p: eth(be("HHHH", 7, 0x8100, 8, 0x0800) + p, 0x88a8),
             True),
    "three tags": (1, lambda p: eth(be("6H", 7, 0x8100, 8, 0x8100, 9, 0x0800
                                       ) + p, 0x9100), True),
    "SNAP": (1, lambda p: MAC + be("H", 8 + len(p)) + LOW + b"\x08\0" + p,
             True),
    "cooked": (113, lambda p: be("HHH8sH", 0, 1, 6, MAC[:6], 0x0800) + p,
               True),
    "cooked 2": (276, lambda p: be("HHIHBB8s", 0x0800, 0, 1, 1, 0, 6,
                                   MAC[:6]) + p, True),
    "BSD loopback": (0, lambda p: le("I", 2) + p, True),
    "BSD loopback, big": (0, lambda p: be("I", 2) + p, True),
    "OpenBSD loopback": (108, lambda p: be("I", 2) + p, True),
    "raw": (101, bytes, True),
    "raw IPv4": (228, bytes, True),
    "PPP": (9, lambda p: b"\xff\x03\0\x21" + p, True),
    "PPP, short": (9, lambda p: b"\x21" + p, True),
    "PPP in HDLC": (50, lambda p: b"\xff\x03\0\x21" + p, True),
    "PPPoE link": (51, pppoe, True),
    "Cisco HDLC": (104, lambda p: be("BBH", 0x0f, 0, 0x0800) + p, True),
    "frame relay": (107, lambda p: b"\x18\x41\x03\xcc" + p, True),
    "packet filter": (117, lambda p: (b"\x3d\x02\0\0em0" + bytes(54)).ljust(
        64, b"\0") + p, True),
    "Endace": (197, lambda p: bytes(8) + be("BBHHH", 2, 4, 18 + 14 + len(p),
                                            0, 14 + len(p)) + bytes(2) +
               eth(p), True),
    "MPLS link": (219, mpls, False),
    "netfilter": (239, lambda p: le("BBH", 2, 0, 0) + le(
        "HHI", 8, 1, 0) + le("HH", 4 + len(p), 9) + p, True),
    "IPoIB": (242, lambda p: bytes(40) + be("HH", 0x0800, 0) + p, True),
    "802.11": (105, wifi_ip, True),
    "802.11 QoS": (105, lambda p: wifi_ip(p, control=0x0188, qos=bytes(2)),
                   True),
    "802.11, four addresses": (105, lambda p: wifi_ip(
        p, control=0x0308, more=MAC[:6]), True),
    "radiotap": (127, lambda p: radiotap(wifi_ip(p)), True),
    "radiotap, padded": (127, lambda p: radiotap(
        wifi_ip(p, control=0x0188, qos=bytes(4)), 2, b"\x20"), True),
    "radiotap, time, padded": (127, lambda p: radiotap(
        wifi_ip(p, control=0x0188, qos=bytes(4)), 3, bytes(8) + b"\x20"),
        True),
    "PPI": (192, lambda p: le("BBHI", 0, 0, 8, 1) + eth(p), True),
    "USBPcap, RNDIS": (249, lambda p: usbpcap(rndis(eth(p))), False),
    "USBPcap, ECM": (249, lambda p: usbpcap(eth(p)), False),
    "usbmon, RNDIS": (220, lambda p: usbmon(rndis(eth(p)), 64), False),
    "usbmon, short header": (189, lambda p: usbmon(rndis(eth(p)), 48), False),
    "PPPoE": (1, lambda p: eth(pppoe(p), 0x8864), True),
    "MPLS": (1, lambda p: eth(mpls(p, 3), 0x8847), True),
    "MPLS, control word": (1, lambda p: eth(mpls(bytes(4) + eth(p)), 0x8847),
                           False),
    "MPLS, Ethernet": (1, lambda p: eth(mpls(eth(p)), 0x8847), False),
    "GRE": (101, lambda p: ip4(gre(p), 47), True),
    "GRE, all fields": (101, lambda p: ip4(gre(p, flags=0xb000,
                                               more=bytes(12)), 47), True),
    "GRE, Ethernet": (101, lambda p: ip4(gre(eth(p), 0x6558), 47), True),
    "PPTP": (101, lambda p: ip4(gre(b"\xff\x03\0\x21" + p, 0x880b, 0x3001,
                                    be("HHI", 4 + len(p), 1, 1)), 47), True),
    "ERSPAN I": (101, lambda p: ip4(gre(eth(p), 0x88be), 47), True),
    "ERSPAN II": (101, lambda p: ip4(gre(be("II", 0x10000000, 0) + eth(p),
                                         0x88be, 0x1000, bytes(4)), 47), True),
    "ERSPAN III": (101, lambda p: ip4(gre(be("III", 0x20000000, 0, 0) +
                                          eth(p), 0x22eb, 0x1000, bytes(4)),
                                      47), True),
    "GRE of Aruba": (101, lambda p: ip4(gre(wifi_ip(
        p, control=0x0188, qos=bytes(2)), 0x8200), 47), True),
    "GRE of Mikrotik": (101, lambda p: ip4(gre(
        eth(p), 0x6400, 0x2001, be("H", 14 + len(p)) + le("H", 1)), 47), True),
    "VXLAN": (101, lambda p: ip4(vxlan(eth(p)), 17), True),
    "GENEVE": (101, lambda p: ip4(geneve(eth(p), bytes(8)), 17), True),
    "IP in IP": (101, lambda p: ip4(p, 4), True),
    "IP in IPv6": (1, lambda p: eth(ip6(p, 4), 0x86dd), True),
    "IPv6 headers": (1, lambda p: eth(ext6(p), 0x86dd), True),
    "EtherIP": (101, lambda p: ip4(b"\x30\0" + eth(p), 97), True),
    "L2TP": (101, lambda p: ip4(udp(be("HHHH", 0x4002, 12 + len(p), 1, 2) +
                                    b"\xff\x03\0\x21" + p, 1701), 17), True),
    "GTP": (101, lambda p: ip4(udp(be("BBHI", 0x30, 255, len(p), 1) + p,
                                   2152), 17), True),
    "CAPWAP, 802.11": (101, lambda p: ip4(capwap(wifi_ip(p), 1, True), 17),
                       True),
    "CAPWAP, Ethernet": (101, lambda p: ip4(capwap(eth(p), 0), 17), True),
    "backbone": (1, lambda p: eth(be("I", 42) + eth(p), 0x88e7), True),
    "QinQ over PPPoE over MPLS": (1, lambda p: eth(mpls(
        bytes(4) + eth(be("HHHH", 7, 0x8100, 8, 0x8864) + pppoe(p), 0x88a8),
        2), 0x8847), False),
    "VXLAN in GRE in IPv6": (1, lambda p: eth(ip6(gre(ip4(vxlan(eth(p)), 17)),
                                                  47), 0x86dd), True),
    "GENEVE in a VLAN in 802.11": (105, lambda p: wifi(
        LOW + be("HHH", 0x8100, 7, 0x0800) + ip4(geneve(eth(p)), 17)), True),
    "VXLAN in VXLAN": (101, lambda p: ip4(vxlan(eth(ip4(vxlan(eth(p)), 17))),
                                          17), True),
}


def _fragments(packets, cut, wrap, backwards=False):
    out = []
    for ident, packet in enumerate(packets):
        parts = [wrap(part) for part in cut(packet, ident)]
        out += parts[::-1] if backwards else parts
    return out


LISTS = {
    "VXLAN in fragments": (1, lambda ps: _fragments(
        ps, lambda p, i: pieces4(vxlan(eth(p)), 17, 256, i), eth), True),
    "VXLAN in fragments, backwards": (1, lambda ps: _fragments(
        ps, lambda p, i: pieces4(vxlan(eth(p)), 17, 256, i), eth, True), True),
    "IPv6 in fragments": (1, lambda ps: _fragments(
        ps, lambda p, i: pieces6(p, 4, 128, i), lambda f: eth(f, 0x86dd)),
        True),
    "IPv6 in fragments, backwards": (1, lambda ps: _fragments(
        ps, lambda p, i: pieces6(p, 4, 128, i), lambda f: eth(f, 0x86dd),
        True), True),
    "A-MSDU": (105, lambda ps: [amsdu(g) for g in groups(ps, 3)], True),
    "A-MSDU in radiotap": (127, lambda ps: [
        radiotap(amsdu(g)) for g in groups(ps, 2)], True),
    "A-MSDU in Aruba's GRE": (101, lambda ps: [
        ip4(gre(amsdu(g), 0x8210), 47) for g in groups(ps, 2)], True),
    "USBPcap, several of RNDIS": (249, lambda ps: [usbpcap(b"".join(
        rndis(eth(p)) for p in g)) for g in groups(ps, 3)], False),
    "USBPcap, several of NCM": (249, lambda ps: [usbpcap(ncm(
        [eth(p) for p in g])) for g in groups(ps, 3)], True),
    "usbmon, several of EEM": (220, lambda ps: [usbmon(b"".join(
        le("H", 18 + len(p)) + eth(p) + b"\xde\xad\xbe\xef" for p in g), 64)
        for g in groups(ps, 3)], False),
}


# ------------------------------------------------------------------ files

def pcap(frames, link, order="<", magic=0xa1b2c3d4, extra=0, version=(2, 4),
         after=b""):
    """extra: bytes that each record has behind the usual four numbers."""
    nano = magic in (0xa1b23c4d, 0x1c0001ac)
    out = struct.pack(order + "IHHiIII", magic, *version, 0, 0, 262144,
                      link) + after
    for at, data in frames:
        part = at % 1 * (1e9 if nano else 1e6)
        out += struct.pack(order + "IIII", int(at), int(part), len(data),
                           len(data)) + bytes(extra) + data
    return out


class Blocks:
    """A pcapng file, block by block."""

    def __init__(self, order="<"):
        self.order, self.out = order, b""
        self.section(order)

    def pack(self, fmt, *values):
        return struct.pack(self.order + fmt, *values)

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        n = self.pack("I", 12 + len(body))
        self.out += self.pack("I", kind) + n + body + n

    def section(self, order):
        self.order = order
        self.block(0x0a0d0d0a, self.pack("IHHq", 0x1a2b3c4d, 1, 0, -1))

    def interface(self, link, snaplen=0, resolution=None, offset=None):
        options = b""
        if resolution is not None:
            options += self.pack("HHBxxx", 9, 1, resolution)
        if offset is not None:
            options += self.pack("HHq", 14, 8, offset)
        if options:
            options += self.pack("HH", 0, 0)
        self.block(1, self.pack("HHI", link, 0, snaplen) + options)

    def packet(self, interface, units, data, options=b""):
        self.block(6, self.pack("IIIII", interface, units >> 32,
                                units & 0xffffffff, len(data), len(data)) +
                   data + bytes(-len(data) % 4) + options)

    def simple(self, data, snaplen=None):
        self.block(3, self.pack("I", len(data)) + data[:snaplen])

    def old_packet(self, interface, units, data):
        self.block(2, self.pack("HHIIII", interface, 0xffff, units >> 32,
                                units & 0xffffffff, len(data), len(data)) +
                   data)


def pcapng(frames, link, order="<"):
    b = Blocks(order)
    b.interface(link)
    for at, data in frames:
        b.packet(0, int(at * 1e6), data)
    return b.out
