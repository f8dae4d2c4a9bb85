# SPDX-License-Identifier: Apache-2.0
"""What every live test shares: the built program, a clean environment, a
PKI, real servers, and the schema that each line of NDJSON must meet.

    def test_leaf_only_is_found(chainmend, pki, nginx):
        server = nginx(pki.leaf.pem, pki.leaf.key)
        run = chainmend("check", server.address, "--roots", pki.anchor.pem,
                        "--json")
        assert run.status == 1
        assert run.of_kind("endpoint")[0]["verdict"] == "missing-intermediate"
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import servers  # noqa: E402
from pki import StandardPki  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
# What could lead a TLS library to other roots, or a fetch to a proxy.
LEAKS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "SSLKEYLOGFILE",
         "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "OPENSSL_CONF",
         "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
for _name in LEAKS:
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# Set by tools/run-cover.  gcov's own code is in the program then: it knows
# functions that we do not, says so where it may open no file, and crashes
# short of memory.
without_gcov = pytest.mark.skipif("CMI_COVERAGE" in os.environ,
                                  reason="gcov's own code is in the way")

SCHEMA = json.loads((ROOT / "docs" / "schema.json").read_text())
_validator = jsonschema.Draft7Validator(SCHEMA)


def check_line(line):
    """One NDJSON line as an object; fails where it breaks the schema."""
    value = json.loads(line)
    problems = sorted(_validator.iter_errors(value), key=str)
    assert not problems, "\n".join(
        f"{'/'.join(map(str, p.absolute_path))}: {p.message}"
        for p in problems[:5]) + f"\nin: {line}"
    return value


class Run:
    """One finished run of the program."""

    def __init__(self, args, done):
        self.args = args
        self.status = done.returncode
        self.out, self.err = done.stdout, done.stderr

    def __repr__(self):
        return (f"chainmend {' '.join(self.args)}\nstatus {self.status}\n"
                f"--- out\n{self.out}--- err\n{self.err}")

    @property
    def lines(self):
        """Standard output as NDJSON, every line held against the schema."""
        return [check_line(line) for line in self.out.splitlines()]

    def of_kind(self, kind):
        return [line for line in self.lines if line["kind"] == kind]


class Chainmend:
    """Runs the built program with a clean environment."""

    def __init__(self, path, env):
        self.path, self.env = path, env

    def __call__(self, *args, stdin=None, timeout=60, env=None, cwd=None,
                 prefix=()):
        """env: what to add (or, with None as value, to take away); prefix: a
        command to run it under.  Dies after `timeout` seconds."""
        args = [str(a) for a in args]
        full = {**self.env, **(env or {})}
        full = {k: v for k, v in full.items() if v is not None}
        done = subprocess.run(
            [*map(str, prefix), self.path, *args], input=stdin, text=True,
            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=timeout, env=full, cwd=cwd,
            **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        return Run(args, done)

    def popen(self, *args, env=None, prefix=(), **how):
        """The program in the background; the caller stops it."""
        return subprocess.Popen([*prefix, self.path, *map(str, args)],
                                env={**self.env, **(env or {})}, **how)


@pytest.fixture(scope="session")
def program():
    """Path of the program under test."""
    path = Path(os.environ.get("CHAINMEND",
                               ROOT / "build" / "src" / "cli" / "chainmend"))
    assert path.exists(), f"{path}: build first, or set CHAINMEND"
    return str(path.resolve())


@pytest.fixture
def clean_env(tmp_path):
    """An environment with a home of its own and nothing that leaks in."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "LD_LIBRARY_PATH") or k.endswith("SAN_OPTIONS")}
    env.update(HOME=str(home), XDG_CACHE_HOME=str(home / "cache"),
               XDG_CONFIG_HOME=str(home / "config"),
               XDG_DATA_HOME=str(home / "data"), TMPDIR=str(tmp_path),
               LC_ALL="C.UTF-8", TZ="UTC", TERM="dumb")
    return env


@pytest.fixture
def chainmend(program, clean_env):
    return Chainmend(program, clean_env)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """See StandardPki: anchor, intermediate, leaf, leaf_direct, expired ..."""
    return StandardPki(tmp_path_factory.mktemp("pki"))


def _factory(start, needs, tmp_path):
    if not servers.program(needs):
        pytest.skip(f"no {needs} on this machine")
    started = []

    def make(*args, **how):
        directory = tmp_path / f"{needs}-{len(started)}"
        started.append(start(directory, *args, **how))
        return started[-1]

    yield make
    for server in started:
        server.stop()


@pytest.fixture
def nginx(tmp_path):
    """nginx(chain_file, key_file, more="directives") -> a running server."""
    yield from _factory(servers.start_nginx, "nginx", tmp_path)


@pytest.fixture
def s_server(tmp_path):
    """s_server(cert, key, chain=None, args=[...]) -> a running server."""
    yield from _factory(servers.start_s_server, "openssl", tmp_path)


@pytest.fixture
def web():
    """A plain HTTP server on loopback; see servers.WebServer."""
    server = servers.WebServer()
    yield server
    server.stop()


@pytest.fixture
def free_port():
    """free_port() -> a TCP port on loopback that nobody has."""
    return servers.free_port


@pytest.fixture(scope="session")
def shared_data():
    """Real captures and certificates beside the project; see its README."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("../shared/data is not here")
    return path


@pytest.fixture(scope="session")
def namespace():
    """Words to put before a command: it then runs in a network namespace of
    its own, as its root, with the loopback interface up."""
    prefix = ["unshare", "--user", "--map-root-user", "--net", "--", "sh",
              "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run(prefix + ["true"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
    if tried.returncode != 0:
        pytest.skip("no user namespaces here: " + tried.stderr.strip())
    return prefix


@pytest.fixture
def hosts(tmp_path):
    """hosts("127.0.0.2", ...) -> words to run a command under, for which
    balanced.example has these addresses."""
    def make(*addresses):
        path = tmp_path / "hosts"
        path.write_text("127.0.0.1 localhost\n" + "".join(
            f"{a} balanced.example\n" for a in addresses))
        prefix = ["unshare", "--user", "--map-root-user", "--mount", "--",
                  "sh", "-c",
                  f'mount --bind "{path}" /etc/hosts && exec "$@"', "sh"]
        tried = subprocess.run(prefix + ["true"], stderr=subprocess.PIPE,
                               text=True)
        if tried.returncode != 0:
            pytest.skip("no mount namespaces here: " + tried.stderr.strip())
        return prefix
    return make
