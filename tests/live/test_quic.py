# SPDX-License-Identifier: Apache-2.0
"""QUIC: what a capture of it tells with secrets and without them."""
import pytest

pytest.importorskip("cryptography", reason="no python3-cryptography here")

import quic  # noqa: E402
from quic import CLIENT, DRAFT29, SERVER, V1, V2, Talk, crypto  # noqa: E402
from tape import client_context, server_context  # noqa: E402


@pytest.fixture(scope="module")
def chains(pki, tmp_path_factory):
    at = tmp_path_factory.mktemp("quic")
    return {"leaf only": pki.leaf.pem,
            "whole": pki.file(str(at / "whole.pem"), pki.leaf,
                              pki.intermediate)}


@pytest.fixture
def said(pki, chains):
    def make(chain, roots=True, group=None):
        client = client_context(pki.anchor.pem if roots else None, tls12=False)
        if group:
            client.set_ecdh_curve(group)
        return quic.handshake(
            server_context(chains[chain], pki.leaf.key, tls12=False), client,
            "web.example")
    return make


@pytest.fixture
def explained(chainmend, pki, tmp_path):
    """The handshakes of a talk, or of frames."""
    def explain(talk, keys=True, snap=262144):
        path = quic.write(tmp_path / "quic.pcap",
                          getattr(talk, "frames", talk), snap)
        more = []
        if keys:
            (tmp_path / "keys").write_text(talk.keylog())
            more = ["--keylog", tmp_path / "keys"]
        run = chainmend("explain", "--all", "--json", "--offline", "--roots",
                        pki.anchor.pem, *more, path)
        found = run.of_kind("handshake")
        assert all(h["transport"] == "quic" for h in found), run
        return found
    return explain


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303], ids=hex)
@pytest.mark.parametrize("version", [V1, V2, DRAFT29], ids=hex)
def test_a_missing_intermediate(said, explained, pki, version, suite):
    talk = Talk(said("leaf only"), version, suite).refused()
    one, = explained(talk)
    assert one["outcome"] == "failed"
    assert one["verdict"] == "missing-intermediate"
    assert one["blame"] == "server"
    assert one["sni"] == "web.example"
    assert one["version"] == "TLS 1.3"
    assert one["cipher_id"] == f"0x{suite:04x}"
    assert [c["sha256"] for c in one["certificates"]] == [pki.leaf.sha256]
    assert [(a["code"], a["from"]) for a in one["alerts"]] == [(48, "client")]


@pytest.mark.parametrize("version", [V1, V2, DRAFT29], ids=hex)
def test_one_that_went_well(said, explained, pki, version):
    one, = explained(Talk(said("whole"), version, 0x1302).usual())
    assert one["outcome"] == "completed"
    assert one["verdict"] is None
    assert [c["sha256"] for c in one["certificates"]] == [
        pki.leaf.sha256, pki.intermediate.sha256]


def test_a_leaf_alone_that_was_taken_all_the_same(said, explained):
    one, = explained(Talk(said("leaf only", roots=False)).usual())
    assert (one["outcome"], one["verdict"]) == ("completed", None)
    missing, = [f for f in one["findings"] if f["id"] == "missing-intermediate"]
    assert missing["severity"] == "warning"
    assert "went on all the same" in missing["says"]


def test_without_secrets_it_is_dark(said, explained):
    one, = explained(Talk(said("whole")).usual(), keys=False)
    assert (one["outcome"], one["verdict"]) == ("dark", None)
    assert one["sni"] == "web.example"
    assert one["cipher_id"] == "0x1301"
    assert one["certificates"] == []
    assert not any(f["inferred"] for f in one["findings"])


def test_the_reason_in_an_initial_packet_needs_no_secrets(said, explained):
    """Some say it at each level that the other may be able to read."""
    one, = explained(Talk(said("leaf only")).refused(initial=True),
                     keys=False)
    assert one["outcome"] == "failed"
    assert [(a["code"], a["from"]) for a in one["alerts"]] == [(48, "client")]


def test_a_client_that_left_is_suspected(said, explained):
    """Its last packet cannot be read; that nothing follows is seen."""
    talk = Talk(said("leaf only")).refused().passes(5)
    one, = explained(talk, keys=False)
    assert (one["outcome"], one["verdict"]) == ("dark", "encrypted-handshake")
    assert one["findings"][0]["inferred"]
    assert one["findings"][0]["frames"] == [3]
    assert "fell silent" in one["findings"][0]["says"]
    # The capture ends at once: then nothing is known.
    talk = Talk(said("leaf only")).refused()
    one, = explained(talk, keys=False)
    assert (one["outcome"], one["verdict"]) == ("dark", None)
    # And one that goes on has no objection.
    talk = Talk(said("whole")).usual().passes(5)
    one, = explained(talk, keys=False)
    assert (one["outcome"], one["verdict"]) == ("dark", None)


def test_a_hello_in_shuffled_pieces(said, explained, pki):
    """As browsers send it: pieces out of order, twice, over two packets."""
    talk = Talk(said("leaf only"))
    data = talk.said.messages[CLIENT][0]
    step = len(data) // 7 + 1
    pieces = [crypto(data[at:at + step + 3], at)
              for at in range(0, len(data), step)]
    order = [5, 0, 3, 3, 6, 1, 4, 2]
    talk.send(CLIENT, talk.initial(
        CLIENT, b"\x01".join(pieces[i] for i in order[:4]) + bytes(300)))
    talk.send(CLIENT, talk.initial(
        CLIENT, b"\0".join(pieces[i] for i in order[4:]) + bytes(300)))
    talk.answer(piece=333)
    # The last of the flight again, and a client that has seen enough.
    talk.frames.append(talk.frames[-1])
    talk.send(CLIENT, talk.handshake(CLIENT, quic.close(0x130)))
    one, = explained(talk)
    assert one["sni"] == "web.example"
    assert one["verdict"] == "missing-intermediate"
    assert [c["sha256"] for c in one["certificates"]] == [pki.leaf.sha256]


def test_packet_numbers_in_few_bytes(said, explained):
    """RFC 9000 appendix A.3: what is left out is known from those before."""
    talk = Talk(said("whole"))
    data = talk.said.messages[CLIENT][0]
    talk.send(CLIENT, talk.initial(CLIENT, bytes(1000), 4, number=0xa82f30ea))
    talk.send(CLIENT, talk.initial(CLIENT, crypto(data[:99]), 2,
                                   number=0xa82f9b32))
    talk.send(CLIENT, talk.initial(CLIENT, crypto(data[99:], 99), 1,
                                   number=0xa82f9b31))
    talk.answer()
    one, = explained(talk)
    assert one["sni"] == "web.example"


def test_behind_a_retry(said, explained):
    talk = Talk(said("leaf only"))
    talk.hello()
    talk.send(SERVER, talk.retry())
    talk.refused()
    one, = explained(talk)
    assert one["verdict"] == "missing-intermediate"
    assert one["frames"][0] == 1


@pytest.mark.parametrize("keys", [True, False], ids=["secrets", "dark"])
def test_a_server_that_goes_on_in_another_version(said, explained, keys):
    """RFC 9368: compatible, so the client's first packet is its own."""
    talk = Talk(said("leaf only"))
    talk.hello()
    first = talk.dcid
    talk.version = V2
    talk.begin(first)
    talk.keys = [quic.Keys(V2, talk.suite, s) for s in talk.secrets]
    talk.answer()
    talk.send(CLIENT, talk.initial(CLIENT, quic.ack(0)),
              talk.handshake(CLIENT, quic.close(0x130)))
    one, = explained(talk, keys)
    assert one["cipher_id"] == "0x1301"
    assert one["verdict"] == ("missing-intermediate" if keys else None)


def test_another_connection_on_the_same_ports(said, explained):
    first = Talk(said("leaf only")).refused()
    second = Talk(said("whole")).usual()
    frames = first.frames + [(at + 60, data) for at, data in second.frames]
    found = explained(frames, keys=False)
    assert [h["outcome"] for h in found] == ["dark", "dark"]
    assert found[1]["frames"][0] == len(first.frames) + 1


def test_the_fixed_bit_may_be_turned(said, explained):
    """RFC 9287."""
    talk = Talk(said("leaf only"))
    talk.hello()
    talk.fixed = 0
    talk.answer()
    talk.send(CLIENT, talk.handshake(CLIENT, quic.close(0x130)))
    one, = explained(talk)
    assert one["verdict"] == "missing-intermediate"


def test_a_hello_that_the_snap_length_has_cut(said, explained):
    """Its connection ID is there, so the server's hello can be read: whole,
    where it holds no key of ML-KEM."""
    talk = Talk(said("whole", group="prime256v1"))
    talk.hello()
    talk.send(SERVER, talk.initial(SERVER, crypto(
        talk.said.messages[SERVER][0])))
    one, = explained(talk, snap=300)
    assert one["sni"] is None
    assert one["cipher_id"] == "0x1301"
    # Without the answer nothing proves that it was QUIC at all.
    talk.frames.pop()
    assert explained(talk, snap=300) == []


def test_what_only_looks_like_it(said, explained, tmp_path):
    talk = Talk(said("whole")).usual()
    at, data = talk.frames[0]
    spoilt = data[:-1] + bytes([data[-1] ^ 1])
    assert explained([(at, spoilt)], keys=False) == []
    # The server's packets alone cannot be opened either.
    assert explained(talk.frames[1:2], keys=False) == []
    # A spoilt packet between good ones does no harm.
    talk.frames.insert(1, (at, spoilt))
    one, = explained(talk)
    assert one["outcome"] == "completed"


def test_many_connections_at_once(said, explained):
    """Above the ceiling the oldest say what they know."""
    one = Talk(said("whole"))
    one.hello()
    frames = []
    for port in range(1024, 1024 + 1100):
        more = Talk(one.said, port=port)
        more.hello()
        frames += more.frames
    found = explained(frames, keys=False)
    assert len(found) == 1100
    assert {h["sni"] for h in found} == {"web.example"}


def test_in_text(said, chainmend, tmp_path):
    path = Talk(said("whole")).usual().write(tmp_path / "quic.pcap")
    run = chainmend("explain", "--all", path)
    assert "web.example  TLS 1.3 over QUIC" in run.out, run
