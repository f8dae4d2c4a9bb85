# SPDX-License-Identifier: Apache-2.0
"""Does a chain that we found stand alone?  Others say.

For each case of a suite that was accepted, the leaf and the intermediates of
the path found go to `openssl verify` and to `certtool --verify` (GnuTLS), with
the path's anchor as the only root and neither cache nor network.  An anchor may
be an intermediate, so openssl runs with -partial_chain.  certtool knows only
the present time; where a case is judged at another, faketime gives it that.
"""
import concurrent.futures
import datetime
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

TOOLS = ("openssl", "certtool")
WORKERS = 2
LISTS = ("trusted_certs", "untrusted_intermediates", "withheld_intermediates",
         "served_intermediates")
CN_IS_NO_NAME = ("holds name constraints against the CN, which is no name "
                 "(RFC 9525 section 2)")
# What the two refuse although the chain is good: tool, case, what it says, why.
KNOWN = [
    ("openssl", r"validity::notafter-", r"error 10 at",
     "takes a certificate for expired in the second that notAfter names; RFC "
     "5280 section 4.1.2.5 includes it"),
    ("openssl", r"^bettertls::nameconstraints::", r"error (47|48|51) at",
     CN_IS_NO_NAME),
    ("openssl", r"^pkits::", r"error (66|67|68) at",
     "holds keys and digests to its own security level"),
    ("certtool", r"^bettertls::nameconstraints::", r"signer's constraints",
     CN_IS_NO_NAME),
    ("certtool", r"validity::notafter-", r"expired",
     "takes a certificate for expired in the second that notAfter names"),
    ("certtool", r"::nc::nc-forbids-othername-noop$", r"signer's constraints",
     "refuses every constraint on otherName, also where nothing is named so"),
    ("certtool", r"^pkits::s4-3::", r"issuer is unknown",
     "compares names byte by byte; RFC 5280 section 7.1 folds case and space"),
    ("certtool", r"^pkits::.*self-issued", r"signer's constraints",
     "counts self-issued certificates (RFC 5280 section 4.2.1.9 does not)"),
    ("openssl", r"dsa-parameter-inheritance", r"",
     "cannot read a DSA key that inherits its parameters (RFC 3279 section "
     "2.3.2)"),
    ("certtool", r"dsa-parameter-inheritance", r"",
     "cannot read a DSA key that inherits its parameters"),
    ("certtool", r"", r"insecure algorithm",
     "holds keys and digests to a newer level than the case's own time"),
]


def certificates(case):
    """sha256 -> PEM of everything that the case has."""
    found = {}
    pems = [case["peer_certificate"]]
    for name in LISTS:
        pems += case.get(name) or []
    for pem in pems:
        try:
            der = ssl.PEM_cert_to_DER_cert(pem.strip())
        except ValueError:
            continue
        found[hashlib.sha256(der).hexdigest()] = pem.strip() + "\n"
    return found


def seconds(case):
    text = case.get("validation_time")
    if not text:
        return None
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(when.timestamp())


def openssl(folder, at):
    return ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile",
            folder / "anchor.pem", "-partial_chain", "-untrusted",
            folder / "chain.pem", *(["-attime", str(at)] if at else []),
            folder / "leaf.pem"]


def certtool(folder, at):
    command = ["certtool", "--verify", "--load-ca-certificate",
               folder / "anchor.pem", "--infile", folder / "chain.pem"]
    if not at:
        return command
    if not shutil.which("faketime"):
        return None
    return ["faketime", f"@{at}", *command]


def run(command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=60,
                          env={**os.environ, "TZ": "UTC", "LC_ALL": "C"})
    return done.returncode == 0, done.stdout


def known_reason(tool, case_id, says):
    for name, case, words, reason in KNOWN:
        if name == tool and re.search(case, case_id) and \
                re.search(words, says):
            return reason
    return None


def check_one(case, answer):
    """[(tool, verdict, words)], a verdict being passed, failed or skipped."""
    certs = certificates(case)
    path = [certs.get(digest) for digest in answer["chain"]]
    at = seconds(case)
    if None in path:
        return [(tool, "failed", "a certificate of the path is not the "
                 "case's own") for tool in TOOLS]
    if len(path) < 2:
        return [(tool, "skipped", "the leaf is itself the anchor")
                for tool in TOOLS]
    verdicts = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "leaf.pem").write_text(path[0])
        (folder / "chain.pem").write_text("".join(path[:-1]))
        (folder / "anchor.pem").write_text(path[-1])
        for tool, make in (("openssl", openssl), ("certtool", certtool)):
            command = make(folder, at) if shutil.which(tool) else None
            if command is None:
                verdicts.append((tool, "skipped", "not installed"))
                continue
            good, says = run(command)
            reason = None if good else known_reason(tool, case["id"], says)
            verdicts.append((tool, "passed" if good else
                             "skipped" if reason else "failed",
                             reason or says.strip()[-300:]))
    return verdicts


def check(cases, answers):
    """(passed, failed, skipped, lines about what is not passed) a tool."""
    accepted = [case for case in cases
                if answers.get(case["id"], {}).get("actual") == "SUCCESS"]
    result = {tool: [0, 0, 0, []] for tool in TOOLS}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for case, verdicts in zip(accepted, pool.map(
                lambda case: check_one(case, answers[case["id"]]), accepted)):
            for tool, verdict, words in verdicts:
                into = result[tool]
                into[("passed", "failed", "skipped").index(verdict)] += 1
                if verdict != "passed":
                    into[3].append((verdict, case["id"], words))
    return result
