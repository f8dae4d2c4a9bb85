# SPDX-License-Identifier: Apache-2.0
"""--cache redis://: one issuer cache for a fleet, which adds no trust."""
import subprocess

import pytest

import servers


@pytest.fixture
def redis(tmp_path):
    if not servers.program("redis-server"):
        pytest.skip("no redis-server on this machine")
    server = servers.Redis(tmp_path / "redis")
    yield server
    server.stop()


def leaf_with_aia(pki, web, path):
    return pki.intermediate.issue(
        "web.example", aia=web.url(path), sans=["DNS:web.example", "IP:127.0.0.1"])


def check(chainmend, redis, server, pki, *more):
    return chainmend("check", server.address, "--json", "--roots",
                     pki.anchor.pem, "--cache", redis.url, "--online",
                     "--allow-private", *more)


def origins(run):
    path = run.of_kind("endpoint")[0]["path"]
    return [link["from"] for link in path]


def test_the_fleet_fetches_once(chainmend, redis, pki, web, s_server):
    web.put("/ca.der", pki.intermediate.der)
    leaf = leaf_with_aia(pki, web, "/ca.der")
    server = s_server(leaf.pem, leaf.key)
    runs = [check(chainmend, redis, server, pki) for _ in range(3)]
    assert all(r.of_kind("endpoint")[0]["verdict"] == "missing-intermediate"
               for r in runs), runs
    assert "anchor" in origins(runs[0]) and "anchor" in origins(runs[2])
    assert web.paths().count("/ca.der") == 1, web.paths()


def test_a_dead_url_is_asked_once(chainmend, redis, pki, web, s_server):
    leaf = leaf_with_aia(pki, web, "/gone.der")
    server = s_server(leaf.pem, leaf.key)
    for _ in range(3):
        run = check(chainmend, redis, server, pki)
        assert run.of_kind("endpoint")[0]["verdict"] == "missing-intermediate"
        assert "aia-dead" in [f["id"] for f in
                              run.of_kind("endpoint")[0]["findings"]], run
    assert web.paths().count("/gone.der") == 1, web.paths()


def test_what_is_said_of_a_dead_url_may_be_long(chainmend, redis, pki, web,
                                                s_server):
    """Redis keeps no order of fields where one is longer than 64 bytes (its
    hash-max-listpack-value), so none may be relied upon."""
    paths = [f"/gone-{i}-{'x' * 70}.der" for i in range(8)]
    for path in paths:
        leaf = leaf_with_aia(pki, web, path)
        server = s_server(leaf.pem, leaf.key)
        for _ in range(2):
            run = check(chainmend, redis, server, pki)
            assert "aia-dead" in [f["id"] for f in
                                  run.of_kind("endpoint")[0]["findings"]], run
    assert [web.paths().count(path) for path in paths] == [1] * 8


def test_poison_adds_no_trust_and_hides_nothing(chainmend, redis, pki, web,
                                                s_server):
    """Rubbish and a stranger under every key the program uses."""
    web.put("/ca.der", pki.intermediate.der)
    leaf = leaf_with_aia(pki, web, "/ca.der")
    server = s_server(leaf.pem, leaf.key)
    check(chainmend, redis, server, pki)
    keys = redis.cli("keys", "chainmend:*").split()
    assert keys, "nothing was shared"
    for key in keys:
        redis.cli("del", key)
        # The last has the right name and another key.
        twin = pki.make("Test Intermediate", ca=True)
        for cert in (pki.stranger, pki.anchor, pki.self_signed, twin):
            subprocess.run(["redis-cli", "-s", redis.socket, "-x", "hset",
                            key, cert.sha256], input=cert.der, check=True,
                           stdout=subprocess.DEVNULL)
        redis.cli("hset", key, "0" * 64, "rubbish", "bad", "no-such-finding")
    run = check(chainmend, redis, server, pki)
    assert "anchor" in origins(run), run
    assert pki.intermediate.sha256 in run.out
    # A leaf of an unknown root stays refused, its root in the cache or not.
    rogue = s_server(pki.stranger_leaf.pem, pki.stranger_leaf.key)
    refused = check(chainmend, redis, rogue, pki)
    assert refused.status == 1, refused
    assert refused.of_kind("endpoint")[0]["verdict"] in (
        "untrusted-root", "missing-intermediate"), refused


def test_without_redis_it_is_one_warning(chainmend, redis, pki, web,
                                         s_server):
    web.put("/ca.der", pki.intermediate.der)
    leaf = leaf_with_aia(pki, web, "/ca.der")
    server = s_server(leaf.pem, leaf.key)
    redis.stop()
    run = check(chainmend, redis, server, pki)
    assert "anchor" in origins(run), run
    assert run.err.count("chainmend: cache ") == 1, run
    redis.start()
