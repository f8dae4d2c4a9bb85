# SPDX-License-Identifier: Apache-2.0
"""The library as a stranger meets it: installed, found by pkg-config, its
header read by C and C++ compilers, the examples built against it and run."""
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import ROOT, check_line, without_gcov
from pki import LOCAL, Pki, days_from_now
from tape import Tape, client_context, server_context


def run(*args, env=None, **how):
    return subprocess.run([str(a) for a in args], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=env, **how)


@pytest.fixture(scope="module")
def installed(tmp_path_factory, program):
    """Where the library was installed; skipped without the tools."""
    for tool in ("meson", "pkg-config", "cc"):
        if not shutil.which(tool):
            pytest.skip(f"no {tool} on this machine")
    build = Path(program).parents[2]
    options = json.loads(run("meson", "introspect", "--buildoptions",
                             build).stdout)
    if {o["name"]: o["value"] for o in options}["b_sanitize"] != "none":
        pytest.skip("a sanitizer's build is not installed")
    prefix = tmp_path_factory.mktemp("root")
    done = run("meson", "install", "-C", build, "--no-rebuild", "--destdir",
               prefix)
    assert done.returncode == 0, done.stdout
    return prefix


def flags_of(installed, module):
    """What pkg-config says of it."""
    [pc] = installed.rglob("chainmend.pc")
    env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent),
           "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    done = run("pkg-config", "--cflags", "--libs", module, env=env)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()


@pytest.fixture(scope="module")
def flags(installed):
    """What pkg-config says, and the place of the shared object."""
    [lib] = installed.rglob("libchainmend.so.0")
    return flags_of(installed, "chainmend"), lib.parent


@pytest.fixture(scope="module")
def gnutls(installed):
    """pkg-config's words for the bridge; skipped where it was not built."""
    if not list(installed.rglob("chainmend-gnutls.pc")):
        pytest.skip("built without GnuTLS")
    return flags_of(installed, "chainmend-gnutls")


@pytest.fixture(scope="module")
def example(flags, tmp_path_factory):
    """example(name, *libs) -> run(*args) of that example."""
    words, lib = flags
    out = tmp_path_factory.mktemp("examples")

    def build(name, *libs):
        done = run("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o",
                   out / name, ROOT / "examples" / f"{name}.c", *words, *libs)
        assert done.returncode == 0, done.stdout
        env = {**os.environ, "LD_LIBRARY_PATH": str(lib)}
        return lambda *args: run(out / name, *args, env=env)

    return build


@pytest.fixture
def lab(web, tmp_path):
    """A PKI whose certificates name this test's own web server."""
    p = Pki(tmp_path / "lab")
    p.anchor = p.root("Lab Root")
    p.ca1 = p.anchor.issue_ca("Lab CA 1")
    p.ca2 = p.ca1.issue_ca("Lab CA 2", aia=web.url("/ca1.cer"))
    p.leaf = p.ca2.issue("localhost", sans=LOCAL, aia=web.url("/ca2.cer"))
    p.evil_root = p.root("Evil Root")
    p.evil_ca = p.evil_root.issue_ca("Evil CA", aia=web.url("/evil-root.cer"))
    p.evil = p.evil_ca.issue("localhost", sans=LOCAL,
                             aia=web.url("/evil.cer"))
    for path, cert in (("ca1", p.ca1), ("ca2", p.ca2), ("evil", p.evil_ca),
                       ("evil-root", p.evil_root)):
        web.put(f"/{path}.cer", cert.der)
    return p


def der_file(cert, tmp_path):
    path = tmp_path / "leaf.der"
    path.write_bytes(cert.der)
    return path


def exported(library):
    """{name: version} of a shared object's own symbols."""
    done = run("nm", "-D", "--defined-only", library)
    words = [line.split()[-1].replace("@@", "@").split("@")
             for line in done.stdout.splitlines()]
    return {w[0]: w[-1] for w in words}


def declared(*headers):
    """{function: [return type, argument ...]} as the headers say."""
    found = {}
    for name in headers:
        text = (ROOT / "include" / "chainmend" / name).read_text()
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for chunk in re.findall(r"^CMEND_API(.*?);", text, re.S | re.M):
            chunk = " ".join(chunk.replace("CMEND_MUST_USE", "").split())
            match = re.match(r"(.*?)(cmend_\w+)\((.*)\)$", chunk)
            found[match.group(2)] = [
                match.group(1).strip(),
                *[a.strip() for a in
                  re.split(r",(?![^(]*\))", match.group(3))]]
    return found


def test_only_our_names_are_exported_all_with_a_version(flags):
    _, lib = flags
    names = exported(lib / "libchainmend.so.0")
    assert set(names) - {"CHAINMEND_0"} == set(
        declared("chainmend.h", "openssl.h"))
    assert set(names.values()) == {"CHAINMEND_0"} and len(names) > 70


@without_gcov
def test_the_library_cannot_do_what_it_promises_not_to(flags):
    """Print, exit, fork, read the environment, catch signals: it does not even
    know the functions."""
    _, lib = flags
    done = run("nm", "-D", "--undefined-only", lib / "libchainmend.so.0")
    needs = {line.split()[-1].split("@")[0]
             for line in done.stdout.splitlines()}
    never = re.compile(r"(secure_)?getenv|setenv|putenv|v?fork|exec\w+|"
                       r"posix_spawn\w*|system|popen|_?exit|quick_exit|abort|"
                       r"v?f?printf|__v?f?printf_chk|f?puts|f?putc(har)?|"
                       r"perror|std(in|out|err)|signal|sigaction|raise|kill|"
                       r"setlocale|umask|chdir|setuid")
    assert "memcpy" in needs
    assert [n for n in sorted(needs) if never.fullmatch(n)] == []


def test_the_bridge_exports_its_own_names_only(flags, gnutls):
    _, lib = flags
    names = exported(lib / "libchainmend-gnutls.so.0")
    assert set(names) - {"CHAINMEND_GNUTLS_0"} == set(declared("gnutls.h"))
    assert set(names.values()) == {"CHAINMEND_GNUTLS_0"}


@pytest.mark.parametrize("compiler, language", [
    ("cc", "-std=c99"), ("cc", "-std=c11"), ("c++", "-std=c++11")])
def test_the_header_stands_alone(flags, tmp_path, compiler, language):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} on this machine")
    words, _ = flags
    source = tmp_path / ("a.cc" if "++" in compiler else "a.c")
    source.write_text("#include <chainmend/chainmend.h>\n"
                      "int main(void) { return cmend_version()[0] == 0; }\n")
    done = run(compiler, language, "-Wall", "-Wextra", "-Wpedantic",
               "-Wconversion", "-Wshadow", "-Werror", "-fsyntax-only", source,
               *[w for w in words if w.startswith("-I")])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("compiler, language", [
    ("cc", "-std=c11"), ("c++", "-std=c++11")])
def test_the_bridges_headers_are_clean(flags, gnutls, tmp_path, compiler,
                                       language):
    """Those of OpenSSL and GnuTLS themselves are not ours to judge."""
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} on this machine")
    source = tmp_path / ("a.cc" if "++" in compiler else "a.c")
    source.write_text("#include <chainmend/gnutls.h>\n"
                      "#include <chainmend/openssl.h>\n"
                      "int main(void) { return cmend_version()[0] == 0; }\n")
    done = run(compiler, language, "-Wall", "-Wextra", "-Wpedantic",
               "-Wshadow", "-Werror", "-fsyntax-only", source,
               *[w for w in gnutls if w.startswith("-I")])
    assert done.returncode == 0, done.stdout


def test_openssl_client(example, lab, s_server):
    client = example("openssl_client", "-lssl", "-lcrypto")
    server = s_server(lab.leaf.pem, lab.leaf.key)
    done = client("localhost", server.port, lab.anchor.pem)
    assert done.returncode == 0 and "completed: " in done.stdout, done.stdout
    server = s_server(lab.evil.pem, lab.evil.key)
    done = client("localhost", server.port, lab.anchor.pem)
    assert done.returncode == 1 and "refused" in done.stdout, done.stdout


def test_libcurl(example, lab, nginx):
    client = example("libcurl", "-lcurl", "-lssl", "-lcrypto")
    for cert, status in ((lab.leaf, 0), (lab.evil, 1)):
        server = nginx(cert.pem, cert.key)
        done = client(f"https://localhost:{server.port}/", lab.anchor.pem)
        assert done.returncode == status, done.stdout


def test_event_loop(example, lab, web, tmp_path):
    client = example("event_loop")
    done = client(lab.anchor.pem, der_file(lab.leaf, tmp_path))
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [
        "wanted: " + web.url("/ca2.cer"), "wanted: " + web.url("/ca1.cer"),
        "accepted: 2 added"]
    done = client(lab.anchor.pem, der_file(lab.evil, tmp_path))
    assert done.returncode == 1 and "refused" in done.stdout, done.stdout


def test_own_fetcher(example, lab, web, tmp_path):
    client = example("own_fetcher")
    (tmp_path / "ca1.cer").write_bytes(lab.ca1.der)
    (tmp_path / "ca2.cer").write_bytes(lab.ca2.der)
    done = client(lab.anchor.pem, der_file(lab.leaf, tmp_path), tmp_path)
    assert done.returncode == 0 and "accepted" in done.stdout, done.stdout
    assert web.requests == []


def test_probe(example, lab, s_server, nginx, tmp_path):
    probe = example("probe")
    chain = lab.file("chain.pem", lab.leaf, lab.ca2, lab.ca1)
    server = nginx(chain, lab.leaf.key)
    done = probe(f"localhost:{server.port}", lab.anchor.pem)
    assert done.returncode == 0 and "nothing fails" in done.stdout, done.stdout
    server = s_server(lab.leaf.pem, lab.leaf.key)
    done = probe(f"localhost:{server.port}", lab.anchor.pem)
    assert done.returncode == 1, done.stdout
    assert ": missing-intermediate" in done.stdout.splitlines()[0]
    # The wrong anchors, and a server that says nothing of the sort.
    done = probe(f"localhost:{server.port}", lab.evil_root.pem)
    assert done.returncode == 1, done.stdout
    done = probe("localhost:1", lab.anchor.pem)
    assert done.returncode == 3 and "refused" in done.stdout, done.stdout


def test_probe_begins_in_plain(example, lab, s_server):
    """openssl s_server speaks SMTP's beginning itself, but sends no greeting
    that ends: the test's own server does, and TLS is real."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.leaf.pem, lab.leaf.key)
    listener = socket.create_server(("127.0.0.1", 0))
    said = []

    def serve():
        with listener.accept()[0] as s:
            s.settimeout(30)
            s.sendall(b"220 mail ESMTP\r\n")
            f = s.makefile("rb")
            said.append(f.readline())
            s.sendall(b"250-mail\r\n250 STARTTLS\r\n")
            said.append(f.readline())
            s.sendall(b"220 go on\r\n")
            try:
                context.wrap_socket(s, server_side=True).close()
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    done = example("probe")(f"localhost:{listener.getsockname()[1]}",
                            lab.anchor.pem, "smtp")
    thread.join(30)
    listener.close()
    assert said[1:] == [b"STARTTLS\r\n"]
    assert done.returncode == 1, done.stdout
    assert "missing-intermediate" in done.stdout, done.stdout


@pytest.fixture
def story(lab, tmp_path):
    """A refused handshake and a good one behind it, and their key log."""
    secrets = tmp_path / "secrets"
    chain = lab.file("story.pem", lab.leaf, lab.ca2, lab.ca1)
    tape = Tape()
    tape.tls(server_context(lab.leaf.pem, lab.leaf.key),
             client_context(lab.anchor.pem), "localhost")
    tape.tls(server_context(chain, lab.leaf.key, tls12=False),
             client_context(lab.anchor.pem, tls12=False, keylog=secrets),
             "localhost")
    return tape.write(tmp_path / "story.pcap"), secrets


def test_a_capture_is_read_as_the_program_reads_it(example, chainmend, lab,
                                                   story):
    """Text, NDJSON and HTML: the program's own, but for clock and speed."""
    capture, secrets = story
    read = example("read_capture")
    how = ("--all", "--roots", lab.anchor.pem, "--keylog", secrets,
           "--color", "never", capture)
    words = (lab.anchor.pem, capture, secrets)

    ours = [check_line(l) for l in read("json", *words).stdout.splitlines()]
    theirs = chainmend("explain", "--json", *how).lines
    assert theirs[-1].pop("seconds") >= 0
    # Two handshakes, what the second one carried, and the summary.
    assert ours == theirs and len(ours) == 4
    old, new = sorted((l for l in ours if l["kind"] == "handshake"),
                      key=lambda l: l["version"])
    assert old["verdict"] == "missing-intermediate"
    assert new["verdict"] is None
    assert len(new["certificates"]) == 3  # decrypted

    assert read("text", *words).stdout == chainmend("explain", *how).out

    page = capture.parent / "page.html"
    chainmend("explain", "--html", page, *how)
    made = re.compile(r" on [0-9TZ:-]+(?=\.)")
    assert made.sub("", page.read_text()) == read("html", *words).stdout
    # Without the secrets the second one is dark, to both.
    words = words[:2]
    lines = [json.loads(l) for l in read("json", *words).stdout.splitlines()]
    [dark] = [l for l in lines if l.get("outcome") == "dark"]
    assert dark["version"] == "TLS 1.3" and dark["certificates"] == []


def test_a_capture_that_is_none(example, lab, tmp_path):
    (tmp_path / "x").write_text("no capture")
    done = example("read_capture")("text", lab.anchor.pem, tmp_path / "x")
    assert done.returncode == 3 and "no pcap" in done.stdout, done.stdout


def test_pkg_config_knows_the_version(flags, installed):
    [pc] = installed.rglob("chainmend.pc")
    assert "Version: 0.1.0" in pc.read_text()


@pytest.fixture(scope="module")
def gnutls_client(gnutls, flags, tmp_path_factory):
    """The GnuTLS example, built; run with the words given."""
    _, lib = flags
    program = tmp_path_factory.mktemp("gnutls") / "gnutls_client"
    done = run("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o",
               program, ROOT / "examples" / "gnutls_client.c", *gnutls)
    assert done.returncode == 0, done.stdout
    env = {**os.environ, "LD_LIBRARY_PATH": str(lib)}
    return lambda *args: run(program, *args, env=env)


@pytest.fixture(params=["nginx", "s_server"])
def tls_server(request):
    """A server of either kind that sends the leaf alone: its port."""
    start = request.getfixturevalue(request.param)
    return lambda cert: start(cert.pem, cert.key).port


def test_gnutls_client_completes(gnutls_client, lab, tls_server, web):
    done = gnutls_client("localhost", tls_server(lab.leaf), lab.anchor.pem)
    assert done.returncode == 0, done.stdout
    good, explained = done.stdout.splitlines()
    assert good == "accepted: a good chain"
    assert explained.startswith("completed: ")
    assert web.url("/ca1.cer") in explained and "Lab CA 2" in explained
    assert sorted(web.paths()) == ["/ca1.cer", "/ca2.cer"]


def test_gnutls_client_leaves_whole_chains_alone(gnutls_client, lab, nginx,
                                                 web):
    chain = lab.file("whole.pem", lab.leaf, lab.ca2, lab.ca1)
    server = nginx(chain, lab.leaf.key)
    done = gnutls_client("localhost", server.port, lab.anchor.pem)
    assert done.stdout.splitlines() == ["accepted: a good chain", ""]
    assert web.requests == []


def test_gnutls_client_refuses_as_before(gnutls_client, lab, tls_server, web):
    """Each for its own reason; none is accepted for what was fetched."""
    old = lab.ca2.issue("localhost", sans=LOCAL, not_before=days_from_now(-60),
                        not_after=days_from_now(-30),
                        aia=web.url("/ca2.cer"))
    other = lab.ca2.issue("other.example", sans=["DNS:other.example"],
                          aia=web.url("/ca2.cer"))
    for cert, roots, says in (
            (old, lab.anchor, "expired"),
            (other, lab.anchor, "name in the certificate does not match"),
            (lab.evil, lab.anchor, "issuer is unknown"),
            (lab.leaf, lab.evil_root, "issuer is unknown")):
        done = gnutls_client("localhost", tls_server(cert), roots.pem)
        assert done.returncode == 1, done.stdout
        assert done.stdout.startswith("refused: "), done.stdout
        assert says in done.stdout, (says, done.stdout)
    # The rogue was really looked at: its CA and its root were fetched.
    assert {"/evil.cer", "/evil-root.cer"} <= set(web.paths())


def test_gnutls_never_trusts_what_is_known(gnutls_client, chainmend, lab,
                                           s_server, web, tmp_path):
    """The rogue's CA and root in the file of known certificates: no trust."""
    known = tmp_path / "known.bin"
    bundle = lab.file("all.pem", lab.evil_root, lab.evil_ca, lab.anchor,
                      lab.ca1, lab.ca2)
    assert chainmend("data", "update", "--from", bundle, "-o",
                     known).status == 0
    server = s_server(lab.evil.pem, lab.evil.key)
    done = gnutls_client("localhost", server.port, lab.anchor.pem, known)
    assert done.returncode == 1 and "issuer is unknown" in done.stdout
    server = s_server(lab.leaf.pem, lab.leaf.key)
    before = len(web.requests)
    done = gnutls_client("localhost", server.port, lab.anchor.pem, known)
    assert done.returncode == 0 and "from preload" in done.stdout, done.stdout
    assert len(web.requests) == before


# ---- Manual pages ---------------------------------------------------------

PAGES = sorted((ROOT / "docs" / "man").glob("*.3"))


def functions_of(page):
    """{function: [return type, argument ...]} of a page's synopsis."""
    found, kind, name = {}, None, None
    for line in page.read_text().splitlines():
        macro, _, rest = line.partition(" ")
        rest = rest.strip('"')
        if macro == ".Ft":
            kind = rest
        elif macro == ".Fo":
            name = rest
            found[name] = [kind]
        elif macro == ".Fa" and name:
            found[name].append(rest)
        elif macro == ".Fc":
            name = None
    return found


def test_each_public_function_is_documented_as_it_is_declared():
    told = {}
    for page in PAGES:
        for name, words in functions_of(page).items():
            assert name not in told, f"{page.name}: {name} twice"
            told[name] = words
        names = re.findall(r"(?m)^\.Nm (\S+)", page.read_text())
        assert page.stem == "chainmend" or names[0] in functions_of(page)
        assert set(names) == set(functions_of(page)), page.name
    real = declared("chainmend.h", "openssl.h", "gnutls.h")
    assert told.keys() == real.keys()
    for name, words in real.items():
        assert told[name] == words, name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_is_clean_and_its_examples_compile(page, flags, tmp_path,
                                                  request):
    words, _ = flags
    if "chainmend/gnutls.h" in page.read_text():
        words = request.getfixturevalue("gnutls")
    if shutil.which("mandoc"):
        said = [l for l in run("mandoc", "-Tlint", page).stdout.splitlines()
                if "referenced manual not found" not in l and
                "mandoc.db" not in l]
        assert said == []
    examples = page.read_text().split("\n.Sh EXAMPLES\n")[1]
    found = re.findall(r"(?ms)^\.Bd -literal -offset indent\n(.*?)^\.Ed$",
                       examples)
    assert found
    for number, text in enumerate(found):
        source = tmp_path / f"example-{number}.c"
        source.write_text(re.sub(r"(?m)^\\&", "", text).replace("\\e", "\\"))
        done = run("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic",
                   "-Werror", "-c", "-o", tmp_path / "x.o", source,
                   *[w for w in words if w.startswith("-I")])
        assert done.returncode == 0, done.stdout


def test_pages_are_installed_with_a_link_for_each_function(installed, gnutls):
    [folder] = installed.rglob("man3")
    for page in PAGES:
        assert (folder / page.name).read_text() == page.read_text()
        for name in functions_of(page):
            assert (folder / f"{name}.3").exists() or page.stem == "chainmend"
