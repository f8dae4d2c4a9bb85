# SPDX-License-Identifier: Apache-2.0
"""The runner of outside suites reads every field that a case may have."""
import datetime
import json
import os
import ssl
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def judge(program, pki, tmp_path):
    """judge(**fields) -> SUCCESS or FAILURE of a case that would be accepted
    but for those fields."""
    build = Path(os.environ.get("CMI_BUILD", Path(program).parents[2]))
    runner = build / "tests" / "conformance" / "run-suite"

    def run(*options, **fields):
        case = {
            "id": "own::case", "validation_kind": "SERVER",
            "trusted_certs": [pki.anchor.pem.read_text()],
            "untrusted_intermediates": [pki.intermediate.pem.read_text()],
            "peer_certificate": pki.leaf.pem.read_text(),
            "validation_time": None, "signature_algorithms": [],
            "key_usage": [], "extended_key_usage": [],
            "expected_peer_name": {"kind": "IP", "value": "127.0.0.1"},
            "expected_peer_names": [], "max_chain_depth": None, "crls": [],
            **fields}
        suite = tmp_path / "suite.json"
        suite.write_text(json.dumps({"version": 1, "testcases": [case]}))
        done = subprocess.run([runner, *options, suite], text=True,
                              stdout=subprocess.PIPE, check=True, timeout=60)
        [line] = done.stdout.splitlines()
        return json.loads(line)["actual"]

    return run


def ends(pki, shift, zone="+00:00"):
    """The second in which the leaf ends, moved; in another zone's words."""
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", pki.leaf.pem],
        stdout=subprocess.PIPE, text=True, check=True)
    at = ssl.cert_time_to_seconds(done.stdout.strip().partition("=")[2])
    hours = int(zone[:3])
    when = datetime.datetime.fromtimestamp(at + shift + 3600 * hours,
                                           datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S")


def test_a_plain_case_is_accepted(judge):
    assert judge() == "SUCCESS"


@pytest.mark.parametrize("fields, wanted", [
    ({"key_usage": ["digitalSignature"]}, "SUCCESS"),
    ({"key_usage": ["keyCertSign"]}, "FAILURE"),
    ({"extended_key_usage": ["serverAuth"]}, "SUCCESS"),
    ({"extended_key_usage": ["codeSigning"]}, "FAILURE"),
    ({"signature_algorithms": ["ECDSA_WITH_SHA256", "RSA_WITH_SHA256"]},
     "SUCCESS"),
    ({"signature_algorithms": ["ED25519"]}, "FAILURE"),
    ({"max_chain_depth": 1}, "SUCCESS"),
    ({"max_chain_depth": 0}, "FAILURE"),
    ({"validation_kind": "CLIENT"}, "SUCCESS"),
    ({"expected_peer_name": None}, "SUCCESS"),
    ({"expected_peer_name": {"kind": "DNS", "value": "no.example"}},
     "FAILURE"),
    ({"expected_peer_name": {"kind": "RFC822", "value": "a@no.example"}},
     "FAILURE"),
    ({"expected_peer_names": [{"kind": "DNS", "value": "no.example"}]},
     "FAILURE"),
    ({"untrusted_intermediates": []}, "FAILURE"),
    ({"untrusted_intermediates": ["rubbish"]}, "FAILURE"),
    ({"trusted_certs": []}, "FAILURE"),
    ({"crls": ["rubbish"]}, "FAILURE"),
    ({"peer_certificate": "rubbish"}, "FAILURE"),
    ({"policy": {"initial_policy_set": ["2.5.29.32.0"]}}, "SUCCESS"),
    ({"policy": {"initial_policy_set": ["2.5.29.32.0"], "explicit": True}},
     "FAILURE"),
])
def test_each_field_is_read(judge, fields, wanted):
    assert judge(**fields) == wanted


@pytest.mark.parametrize("shift, tail, wanted", [
    (0, "+00:00", "SUCCESS"),
    (0, ".500000+00:00", "SUCCESS"),
    (0, "Z", "SUCCESS"),
    (1, "+00:00", "FAILURE"),
    (0, "+02:00", "SUCCESS"),
    (1, "+02:00", "FAILURE"),
    (0, "-05:00", "SUCCESS"),
    (1, "-05:00", "FAILURE"),
])
def test_times_in_every_form(judge, pki, shift, tail, wanted):
    zone = tail if tail[0] in "+-" else "+00:00"
    assert judge(validation_time=ends(pki, shift, zone) + tail) == wanted


def test_the_kind_of_validation_is_the_purpose(judge, pki):
    leaf = pki.intermediate.issue("client", sans=["IP:127.0.0.1"],
                                  usage="clientAuth").pem.read_text()
    assert judge(peer_certificate=leaf) == "FAILURE"
    assert judge(peer_certificate=leaf, validation_kind="CLIENT") == "SUCCESS"
    assert judge(peer_certificate=leaf,
                 extended_key_usage=["anyExtendedKeyUsage"]) == "SUCCESS"


def test_withheld_intermediates_come_from_the_cache(judge):
    for how in ("all", "first", "last"):
        assert judge("--withhold", how) == "SUCCESS"
