# SPDX-License-Identifier: Apache-2.0
"""survey: whose certificates a client accepts, from a pool or from what data
update got, and what it says without either."""
import pytest
from pki import days_from_now


@pytest.fixture
def buyer(chainmend, pki):
    assert chainmend("profiles", "add", "mine", pki.anchor.pem).status == 0
    return chainmend


def issuers(run):
    return [line for line in run.of_kind("survey") if "issuer" in line]


def test_issuers_as_json(buyer, pki):
    pool = pki.file("survey.pem", pki.intermediate, pki.stranger, pki.leaf)
    run = buyer("survey", "--profile", "mine", "--pool", pool, "--json")
    line, = issuers(run)
    assert run.status == 0 and run.err == "", run
    assert line["profile"] == "mine"
    assert line["issuer"] == "CN=Test Intermediate"
    assert line["sha256"] == pki.intermediate.sha256
    assert line["until"].startswith(
        days_from_now(2000).strftime("%Y-%m-%d")[:7])


def test_at_another_time(buyer, pki):
    pool = pki.file("survey.pem", pki.intermediate)
    late = days_from_now(2001).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = buyer("survey", "--profile", "mine", "--pool", pool, "--json",
                "--at", late)
    assert run.status == 0 and issuers(run) == [], run


def test_without_a_pool_it_says_how_to_get_one(buyer):
    run = buyer("survey", "--profile", "mine", "--json")
    assert run.status == 0, run
    assert "chainmend data update" in run.err
    assert len(run.err.splitlines()) == 1
    # The shipped table answers all the same.
    rows = run.of_kind("survey")
    assert len(rows) >= 3 and issuers(run) == []
    run = buyer("survey")
    assert "section 6.1.7" in run.out and "data update" in run.err
