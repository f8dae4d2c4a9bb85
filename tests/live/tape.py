# SPDX-License-Identifier: Apache-2.0
"""Captures made in the test: two real TLS endpoints talk through memory, and
what they say is put into the frames of a capture file.

    tape = Tape()
    tape.tls(server_context, client_context, "web.example")
    tape.write(path)
"""
import ssl
import struct
import time

CLIENT, SERVER = 0, 1


def server_context(chain, key, tls12=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(chain), str(key))
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def client_context(roots=None, tls12=True, keylog=None):
    """roots None: nothing is verified, as curl -k does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if roots is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(str(roots))
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if keylog:
        context.keylog_filename = str(keylog)
    return context


def talk(server, client, name, data=b"GET / HTTP/1.0\r\n\r\n"):
    """[(side, bytes)] of one connection, up to its natural end."""
    inputs = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    outputs = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    ends = [client.wrap_bio(inputs[0], outputs[0], server_hostname=name),
            server.wrap_bio(inputs[1], outputs[1], server_side=True)]
    said, done, dead = [], [False, False], False

    def carry(side):
        out = outputs[side].read()
        if out:
            said.append((side, out))
            inputs[1 - side].write(out)
        return bool(out)

    while not dead and not all(done):
        moved = False
        for side in (CLIENT, SERVER):
            try:
                if not done[side]:
                    ends[side].do_handshake()
                    done[side] = moved = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                dead = True
            moved |= carry(side)
            if dead:
                break
        if not moved:
            break
    if all(done) and data:
        ends[CLIENT].write(data)
        carry(CLIENT)
        ends[SERVER].read(len(data))
        ends[SERVER].write(b"HTTP/1.0 200 OK\r\n\r\n")
        carry(SERVER)
    return said


class Tape:
    """Frames with made-up TCP around real bytes; Ethernet, IPv4."""

    def __init__(self, start=None):
        self.frames = []
        self.time = time.time() if start is None else start
        self.port = 50000

    def _frame(self, side, flags, seq, ack, payload=b"", hosts=None):
        client, server = hosts
        source, target = (client, server) if side == CLIENT else (
            server, client)
        tcp = struct.pack(">HHIIBBHHH", source[1], target[1], seq & 0xffffffff,
                          ack & 0xffffffff, 5 << 4, flags, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000,
                         64, 6, 0) + bytes(source[0]) + bytes(target[0])
        self.frames.append((self.time, b"\x02" * 12 + b"\x08\x00" + ip + tcp +
                            payload))
        self.time += 0.001

    def connection(self, said, server_port=443, close=CLIENT, host=1):
        """One TCP connection; returns the frames in which bytes went."""
        self.port += 1
        hosts = (((192, 0, 2, 9), self.port), ((192, 0, 2, host),
                                               server_port))
        seq, numbers = [1000, 5000], []
        self._frame(CLIENT, 0x02, seq[0], 0, hosts=hosts)
        self._frame(SERVER, 0x12, seq[1], seq[0] + 1, hosts=hosts)
        seq = [1001, 5001]
        self._frame(CLIENT, 0x10, seq[0], seq[1], hosts=hosts)
        for side, data in said:
            for at in range(0, len(data), 1400):
                piece = data[at:at + 1400]
                self._frame(side, 0x18, seq[side], seq[1 - side], piece,
                            hosts)
                seq[side] += len(piece)
            numbers.append(len(self.frames))
        if close is not None:
            self._frame(close, 0x11, seq[close], seq[1 - close], hosts=hosts)
            self._frame(1 - close, 0x11, seq[1 - close], seq[close] + 1,
                        hosts=hosts)
        return numbers

    def tls(self, server, client, name, **how):
        return self.connection(talk(server, client, name), **how)

    def http(self, url_path, host, body, status=200,
             kind="application/pkix-cert"):
        ask = f"GET {url_path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        answer = (f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        return self.connection([(CLIENT, ask), (SERVER, answer)],
                               server_port=80, host=3)

    def bytes(self, snap=262144):
        out = [struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, snap, 1)]
        for at, data in self.frames:
            out += [struct.pack("<IIII", int(at), int(at % 1 * 1e6),
                                min(len(data), snap), len(data)), data[:snap]]
        return b"".join(out)

    def write(self, path, snap=262144):
        """snap: how many bytes of each frame were captured."""
        path.write_bytes(self.bytes(snap))
        return path


def around(server, client, name, said):
    """What a TLS connection says that carries all of said."""
    inputs = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    outputs = [ssl.MemoryBIO(), ssl.MemoryBIO()]
    ends = [client.wrap_bio(inputs[0], outputs[0], server_hostname=name),
            server.wrap_bio(inputs[1], outputs[1], server_side=True)]
    out = []

    def carry(side):
        data = outputs[side].read()
        if data:
            out.append((side, data))
            inputs[1 - side].write(data)

    for turn in range(8):
        try:
            ends[turn % 2].do_handshake()
        except ssl.SSLWantReadError:
            pass
        carry(turn % 2)
    for side, data in said:
        ends[side].write(data)
        carry(side)
    return out
