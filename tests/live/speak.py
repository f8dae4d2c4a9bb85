# SPDX-License-Identifier: Apache-2.0
"""A server on all addresses that speaks a protocol up to STARTTLS, then TLS.

usage: speak.py PROTOCOL PORT CHAIN KEY
"""
import socket
import ssl
import sys

from talks import TALKS


def main(protocol, port, chain, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.create_server(("", int(port))) as listener:
        while True:
            taken, _ = listener.accept()
            with taken:
                taken.settimeout(10)
                try:
                    if TALKS[protocol](taken):
                        context.wrap_socket(taken, server_side=True).close()
                except (OSError, AssertionError):
                    pass


main(*sys.argv[1:])
