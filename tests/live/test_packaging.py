# SPDX-License-Identifier: Apache-2.0
"""What is shipped beside the program: units, the certbot hook, the symbols
file, the container's list of libraries."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

UNITS = sorted((ROOT / "packaging" / "systemd").glob("*.service"))
HOOK = ROOT / "packaging" / "certbot" / "chainmend-deploy-hook"


def test_make_deb_installs_what_the_packages_are_built_with():
    """So that it works on a machine that has nothing yet."""
    control = (ROOT / "debian" / "control").read_text()
    needed = re.search(r"^Build-Depends:((?:.*\n )*.*)", control, re.M).group(1)
    listed = set("\n".join(
        (ROOT / "tools" / name).read_text()
        for name in ("deps.list", "deps-deb.list")).split())
    # dpkg itself wants that one.
    wanted = {"build-essential"} | {
        "|".join(w.split()[0].split(":")[0] for w in group.split("|"))
        for group in needed.replace("debhelper-compat", "debhelper").split(",")}
    assert wanted - listed == set()


def systemd_version():
    if not shutil.which("systemd-analyze"):
        return 0
    out = subprocess.run(["systemd-analyze", "--version"], text=True,
                         stdout=subprocess.PIPE).stdout
    return int(re.search(r"\d+", out).group())


def documented_scores():
    text = (ROOT / "docs" / "guide-services.md").read_text()
    rows = re.findall(r"^\| `(chainmend-[a-z]+@?)(?:IFACE)?\.service` \|.*\| "
                      r"([\d.]+) \|$", text, re.M)
    return {name + ".service": float(score) for name, score in rows}


def test_every_unit_is_documented():
    assert set(documented_scores()) == {unit.name for unit in UNITS}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_as_tight_as_documented(unit):
    if systemd_version() < 250:
        pytest.skip("no systemd-analyze here that can judge a file")
    out = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    score = float(re.search(r"exposure level for \S+: ([\d.]+)",
                            out).group(1))
    wanted = documented_scores()[unit.name]
    # Other versions of systemd weigh a little differently.
    slack = 0 if systemd_version() == 252 else 0.5
    assert abs(score - wanted) <= slack, out[-300:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_understood(unit):
    if systemd_version() < 250:
        pytest.skip("no systemd-analyze here")
    out = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                         text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT).stdout
    # The program itself need not be installed where the tests run.
    said = [line for line in out.splitlines() if unit.stem in line and
            "is not executable" not in line]
    assert not said


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_units_command_line_is_taken(unit, chainmend):
    """Every option that a unit names is one that the command has."""
    line = re.search(r"ExecStart=/usr/bin/chainmend ((?:.*\\\n)*.*)",
                     unit.read_text()).group(1)
    command, *words = line.replace("\\\n", " ").split()
    shown = chainmend(command, "--help").out
    for word in words:
        if word.startswith("--"):
            assert word in shown, word


@pytest.fixture
def lineage(pki, tmp_path):
    """lineage(chain, key) -> a directory as certbot keeps one: live/NAME with
    links into archive/NAME."""
    def make(certs, key):
        archive = tmp_path / "archive" / "www.example"
        live = tmp_path / "live" / "www.example"
        archive.mkdir(parents=True)
        live.mkdir(parents=True)
        (archive / "fullchain1.pem").write_text(
            "".join(Path(c.pem).read_text() for c in certs))
        (archive / "privkey1.pem").write_bytes(Path(key).read_bytes())
        for name in ("fullchain", "privkey"):
            (live / f"{name}.pem").symlink_to(
                f"../../archive/www.example/{name}1.pem")
        return live
    return make


@pytest.fixture
def hook(program, clean_env, pki, tmp_path):
    """hook(live) -> (finished process, whether its command ran)"""
    def run(live, **more):
        ran = tmp_path / "reloaded"
        env = {**clean_env, **more,
               "PATH": f"{Path(program).parent}:{clean_env['PATH']}",
               "CHAINMEND_HOOK_OPTIONS": f"--offline --roots {pki.anchor.pem}"}
        if live:
            env["RENEWED_LINEAGE"] = str(live)
        done = subprocess.run(["sh", HOOK, "touch", ran], env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done, ran.exists()
    return run


def test_the_hook_takes_a_good_chain_into_service(hook, lineage, pki):
    done, ran = hook(lineage([pki.leaf, pki.intermediate], pki.leaf.key))
    assert (done.returncode, ran) == (0, True), done


def test_the_hook_keeps_a_leaf_alone_out(hook, lineage, pki):
    done, ran = hook(lineage([pki.leaf], pki.leaf.key))
    assert (done.returncode, ran) == (1, False), done
    assert "missing-intermediate" in done.stdout
    assert "not taken into service" in done.stderr


def test_the_hook_keeps_a_foreign_key_out(hook, lineage, pki):
    done, ran = hook(lineage([pki.leaf, pki.intermediate], pki.expired.key))
    assert (done.returncode, ran) == (1, False), done
    assert "key-mismatch" in done.stdout


def test_the_hook_says_who_should_call_it(hook):
    done, ran = hook(None)
    assert (done.returncode != 0, ran) == (True, False)
    assert "certbot" in done.stderr


def test_the_hook_can_be_run():
    assert os.access(HOOK, os.X_OK)


def check_symbols(*words):
    return subprocess.run([ROOT / "tools" / "check-symbols", *map(str, words)],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


@pytest.fixture
def library(program):
    build = Path(os.environ.get("CMI_BUILD", Path(program).parents[2]))
    return build / "src" / "api" / "libchainmend.so.0"


def test_the_symbols_file_names_what_the_library_exports(library):
    done = check_symbols("--library", library)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_symbol_too_few_or_too_many_is_found(library, tmp_path):
    real = (ROOT / "debian" / "libchainmend0.symbols").read_text()
    changed = tmp_path / "symbols"
    changed.write_text(real.replace(" cmend_version@", " cmend_gone@"))
    done = check_symbols("--library", library, "--symbols", changed)
    assert done.returncode == 1
    assert "cmend_version@CHAINMEND_0 is exported and not named" in done.stdout
    assert "cmend_gone@CHAINMEND_0 is named here and gone" in done.stdout
    # Adding is done for us; what is gone stays, for a person to decide.
    done = check_symbols("--library", library, "--symbols", changed, "--write")
    assert done.returncode == 1 and "not named" not in done.stdout
    assert "cmend_version@CHAINMEND_0" in changed.read_text()


def test_the_container_has_the_libraries_of_the_program(program):
    """Each library outside the C library comes with a package that the
    Dockerfile installs."""
    whole = Path(program).parent / "libchainmend-cli.so"
    needed = subprocess.run(["objdump", "-p", whole], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    names = re.findall(r"NEEDED\s+lib([a-z_]+)", needed) + ["curl"]
    assert len(names) > 8, names
    docker = (ROOT / "packaging" / "docker" / "Dockerfile").read_text()
    packages = {"ssl": "libssl", "crypto": "libssl", "sqlite": "libsqlite",
                "brotlidec": "libbrotli", "event": "libevent-2",
                "event_openssl": "libevent-openssl-2",
                "pcap": "libpcap", "z": "FROM", "c": "FROM", "util": "FROM"}
    for name in names:
        assert packages.get(name, "lib" + name) in docker, name


# What pkg-config calls a library, and what Homebrew does where that differs.
FORMULA = {"libcrypto": "openssl@3", "libssl": "openssl@3",
           "sqlite3": "sqlite", "libcurl": "curl",
           "libevent_openssl": "libevent", "libzstd": "zstd",
           "libbrotlidec": "brotli"}
# Part of the C library; for the tests; a feature that is left out.
NOT_THERE = {"threads", "cmocka", "gnutls"}


def test_the_formula_names_what_meson_wants():
    meson = (ROOT / "meson.build").read_text()
    wanted = set(re.findall(r"dependency\('([^']+)'", meson)) - NOT_THERE
    formula = (ROOT / "packaging" / "homebrew" / "chainmend.rb").read_text()
    named = set(re.findall(r'depends_on "([^"]+)"$', formula, re.M))
    assert {FORMULA.get(name, name) for name in wanted} == named
    for option in re.findall(r'"-D(\w+)=', formula):
        assert f"option('{option}'" in (ROOT / "meson_options.txt").read_text()


def test_the_formula_is_ruby():
    if not shutil.which("ruby"):
        pytest.skip("no ruby on this machine")
    subprocess.run(["ruby", "-c", ROOT / "packaging/homebrew/chainmend.rb"],
                   check=True, stdout=subprocess.DEVNULL)


def test_the_step_for_ci_stops_a_bad_chain(program, clean_env, pki, tmp_path):
    text = (ROOT / "packaging/ci/check-before-deploy.yml").read_text()
    line, = re.findall(r"- run: (chainmend .*)", text)
    (tmp_path / "key.pem").write_bytes(Path(pki.leaf.key).read_bytes())
    env = {**clean_env, "KEY_FILE": "key.pem",
           "PATH": f"{Path(program).parent}:{clean_env['PATH']}"}
    for chain, status in (([pki.leaf, pki.intermediate], 0), ([pki.leaf], 1)):
        (tmp_path / "fullchain.pem").write_text("".join(c.text for c in chain))
        # A public root is what a user would have.
        done = subprocess.run(f"{line} --roots {pki.anchor.pem}", shell=True,
                              env=env, cwd=tmp_path, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == status, done.stdout
