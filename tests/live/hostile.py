# SPDX-License-Identifier: Apache-2.0
"""Servers that send what no server should, and what must come of it."""
import socket

import servers


def safe(run):
    """Only text, whole lines, no control characters but the line feed."""
    for text in (run.out, run.err):
        assert not [c for c in text if ord(c) < 0x20 and c != "\n"], run
        assert "\x7f" not in text and "\ufffd" not in text, run
    return run


def vector(width, data):
    return len(data).to_bytes(width, "big") + data


def message(kind, body):
    return bytes([kind]) + vector(3, body)


def records(data):
    return b"".join(b"\x16\x03\x03" + vector(2, data[i:i + 16000])
                    for i in range(0, len(data), 16000))


# RFC 5246 section 7.4.1.3: TLS 1.2, ECDHE-ECDSA with AES-128-GCM.
SERVER_HELLO = message(2, b"\x03\x03" + bytes(range(32)) + b"\x00" +
                       b"\xc0\x2b\x00")


def certificate(*ders):
    return message(11, vector(3, b"".join(vector(3, d) for d in ders)))


class Server(servers.Listener):
    """Sends `answer` to each hello, then keeps the connection open: whoever
    waits for more waits for its own deadline."""

    def __init__(self, answer, close=True):
        self.answer, self.close = answer, close
        super().__init__(self.take, at_once=True)

    def take(self, s):
        s.recv(65536)
        s.sendall(self.answer)
        if self.close:
            s.shutdown(socket.SHUT_WR)
