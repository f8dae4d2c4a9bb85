# SPDX-License-Identifier: Apache-2.0
"""QUIC connections made in the test: the messages of a real TLS 1.3 handshake,
sealed into packets as RFC 9000 and RFC 9001 have it, by another library than
the program's own, and put into the frames of a capture file.

    said = handshake(server_context, client_context, "web.example")
    talk = Talk(said)
    talk.usual()
    talk.write(path)
    keys.write_text(talk.keylog())
"""
import os
import ssl
import struct
import time

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import (AESGCM,
                                                         ChaCha20Poly1305)

CLIENT, SERVER = 0, 1
V1, V2, DRAFT29 = 1, 0x6b3343cf, 0xff00001d
SALTS = {V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
         V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",
         DRAFT29: "afbfec289993d24c9e9786f19c6111e04390a899"}
# suite: (digest, bytes of a key)
SUITES = {0x1301: (hashes.SHA256, 16), 0x1302: (hashes.SHA384, 32),
          0x1303: (hashes.SHA256, 32)}


class Said:
    """What the ends of one handshake said: messages, and the client's alert."""

    def __init__(self):
        self.messages = [[], []]  # by sender
        self.alert = None

    @property
    def random(self):
        return self.messages[CLIENT][0][6:38]


def handshake(server, client, name):
    said, inputs = Said(), [ssl.MemoryBIO(), ssl.MemoryBIO()]
    contexts = (client, server)

    def note(side):
        def take(_, direction, version, content, kind, data):
            if direction != "write":
                return
            if content == 22:
                said.messages[side].append(bytes(data))
            elif content == 21 and said.alert is None:
                said.alert = (side, data[1])
        return take

    for side, context in enumerate(contexts):
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context._msg_callback = note(side)
    ends = [client.wrap_bio(inputs[0], inputs[1], server_hostname=name),
            server.wrap_bio(inputs[1], inputs[0], server_side=True)]
    for turn in range(6):
        try:
            ends[turn % 2].do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            break
    for context in contexts:
        context._msg_callback = None
    return said


def _hmac(digest, key, data):
    h = hmac.HMAC(key, digest())
    h.update(data)
    return h.finalize()


def expand_label(digest, secret, label, n):
    label = b"tls13 " + label.encode()
    info = struct.pack(">HB", n, len(label)) + label + b"\0"
    return _hmac(digest, secret, info + b"\1")[:n]


def varint(v):
    for width, mark in ((1, 0), (2, 1), (4, 2), (8, 3)):
        if v < 1 << (8 * width - 2):
            return (v | mark << (8 * width - 2)).to_bytes(width, "big")
    raise ValueError(v)


def crypto(data, offset=0):
    return b"\x06" + varint(offset) + varint(len(data)) + data


def ack(largest):
    return b"\x02" + varint(largest) + varint(0) + varint(0) + varint(0)


def close(error, reason=b""):
    return (b"\x1c" + varint(error) + varint(6) + varint(len(reason)) +
            reason)


class Keys:
    def __init__(self, version, suite, secret):
        digest, n = SUITES[suite]
        before = "quicv2 " if version == V2 else "quic "
        key, self.iv, self.hp = (
            expand_label(digest, secret, before + what, size)
            for what, size in (("key", n), ("iv", 12), ("hp", n)))
        self.chacha = suite == 0x1303
        self.aead = (ChaCha20Poly1305 if self.chacha else AESGCM)(key)

    def mask(self, sample):
        if self.chacha:
            cipher = Cipher(algorithms.ChaCha20(self.hp, sample), None)
            return cipher.encryptor().update(bytes(5))
        cipher = Cipher(algorithms.AES(self.hp), modes.ECB())
        return cipher.encryptor().update(sample)

    def seal(self, head, number, width, frames):
        """head: up to where the packet number stands, its length still to be
        put; the first byte's lower bits too."""
        frames += bytes(max(0, 20 - len(frames)))
        if head[0] & 0x80:
            head += varint(width + len(frames) + 16)
        head = (bytes([head[0] | width - 1]) + head[1:] +
                number.to_bytes(8, "big")[-width:])
        nonce = bytes(a ^ b for a, b in zip(self.iv,
                                            number.to_bytes(12, "big")))
        sealed = self.aead.encrypt(nonce, frames, head)
        sample = sealed[4 - width:20 - width]
        mask = self.mask(sample)
        first = head[0] ^ mask[0] & (0x0f if head[0] & 0x80 else 0x1f)
        hidden = bytes(a ^ b for a, b in zip(head[-width:], mask[1:]))
        return bytes([first]) + head[1:-width] + hidden + sealed


class Talk:
    """One connection; each datagram is a frame of the capture."""

    def __init__(self, said, version=V1, suite=0x1301, port=50112, dcid=None):
        self.said, self.version, self.suite = said, version, suite
        self.client = ((10, 0, 0, 9), port)
        self.server = ((192, 0, 2, 1), 443)
        self.frames, self.time = [], time.time() - 3600
        self.numbers = {}
        self.fixed = 0x40
        self.ids = [os.urandom(8), os.urandom(8)]  # of client, of server
        self.secrets = [os.urandom(SUITES[suite][0].digest_size)
                        for _ in range(2)]
        self.keys = [Keys(version, suite, s) for s in self.secrets]
        self.begin(dcid or os.urandom(8))
        hello = said.messages[SERVER] and said.messages[SERVER][0]
        if hello:  # the suite that the packets are sealed with
            at = 39 + hello[38]
            said.messages[SERVER][0] = (
                hello[:at] + struct.pack(">H", suite) + hello[at + 2:])

    def begin(self, dcid):
        """The connection ID that the client has chosen, or was given."""
        self.dcid = dcid
        initial = _hmac(hashes.SHA256, bytes.fromhex(SALTS[self.version]),
                        dcid)
        self.initial_keys = [
            Keys(self.version, 0x1301,
                 expand_label(hashes.SHA256, initial, f"{who} in", 32))
            for who in ("client", "server")]

    def _long(self, kind, side, to, token=b""):
        turn = 1 if self.version == V2 else 0
        head = bytes([0x80 | self.fixed | ((kind + turn) & 3) << 4]) + \
            struct.pack(">I", self.version)
        for one in (to, self.ids[side]):
            head += bytes([len(one)]) + one
        return head + (varint(len(token)) + token if kind == 0 else b"")

    def _number(self, space, side):
        n = self.numbers.get((space, side), 0)
        self.numbers[space, side] = n + 1
        return n

    def initial(self, side, frames, width=1, number=None, token=b""):
        to = self.dcid if side == CLIENT else self.ids[CLIENT]
        n = self._number("initial", side) if number is None else number
        return self.initial_keys[side].seal(
            self._long(0, side, to, token), n, width, frames)

    def handshake(self, side, frames, width=1):
        return self.keys[side].seal(
            self._long(2, side, self.ids[1 - side]),
            self._number("handshake", side), width, frames)

    def retry(self):
        new = os.urandom(8)
        self.ids[SERVER] = new
        packet = self._long(3, SERVER, self.ids[CLIENT]) + b"token" + \
            bytes(16)
        self.begin(new)
        return packet

    def short(self, side, n=60):
        return bytes([0x40]) + self.ids[1 - side] + os.urandom(n)

    def send(self, side, *packets):
        source, target = ((self.client, self.server) if side == CLIENT
                          else (self.server, self.client))
        payload = b"".join(packets)
        udp = struct.pack(">HHHH", source[1], target[1], 8 + len(payload), 0)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0x4000,
                         64, 17, 0) + bytes(source[0]) + bytes(target[0])
        self.frames.append((self.time, b"\x02" * 12 + b"\x08\x00" + ip + udp +
                            payload))
        self.time += 0.01

    def hello(self):
        data = self.said.messages[CLIENT][0]
        self.send(CLIENT, self.initial(CLIENT, crypto(data) +
                                       bytes(max(0, 1162 - len(data)))))

    def answer(self, piece=1000):
        """The server's flight: the hello, and the rest in datagrams."""
        first, *rest = self.said.messages[SERVER]
        data = b"".join(rest)
        packets = [self.initial(SERVER, ack(0) + crypto(first))]
        for at in range(0, len(data), piece):
            packets.append(self.handshake(SERVER,
                                          crypto(data[at:at + piece], at)))
            self.send(SERVER, *packets)
            packets = []

    def usual(self):
        """The whole of a connection that both ends like."""
        self.hello()
        self.answer()
        self.send(CLIENT, self.initial(CLIENT, ack(0)),
                  self.handshake(CLIENT, ack(0) + crypto(
                      self.said.messages[CLIENT][-1])),
                  self.short(CLIENT))
        self.send(SERVER, self.handshake(SERVER, ack(0)), self.short(SERVER))
        return self

    def refused(self, initial=False):
        """The client says why it does not like it, and leaves."""
        self.hello()
        self.answer()
        bye = close(0x100 + self.said.alert[1], b"TLS alert")
        packets = [self.handshake(CLIENT, ack(0) + bye)]
        if initial:
            packets.insert(0, self.initial(CLIENT, ack(0) + bye))
        self.send(CLIENT, *packets)
        return self

    def passes(self, seconds):
        """Time, until somebody else is heard."""
        self.time += seconds
        source = (10, 0, 0, 77)
        udp = struct.pack(">HHHH", 9999, 9998, 12, 0) + b"else"
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 32, 0, 0, 64, 17, 0) + \
            bytes(source) + bytes((10, 0, 0, 78))
        self.frames.append((self.time, b"\x02" * 12 + b"\x08\x00" + ip + udp))
        return self

    def keylog(self):
        return "".join(
            f"{who}_HANDSHAKE_TRAFFIC_SECRET {self.said.random.hex()} "
            f"{secret.hex()}\n"
            for who, secret in zip(("CLIENT", "SERVER"), self.secrets))

    def write(self, path, snap=262144):
        return write(path, self.frames, snap)


def write(path, frames, snap=262144):
    out = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, snap, 1)]
    for at, data in frames:
        out += [struct.pack("<IIII", int(at), int(at % 1 * 1e6),
                            min(len(data), snap), len(data)), data[:snap]]
    path.write_bytes(b"".join(out))
    return path
