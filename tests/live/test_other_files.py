# SPDX-License-Identifier: Apache-2.0
"""Words and files that people give in place of what was meant."""
import socket
import threading
import zipfile

import pytest

from pki import openssl


@pytest.fixture(scope="module")
def others(pki, tmp_path_factory):
    """Everything that lies beside a certificate, made by openssl."""
    d = tmp_path_factory.mktemp("others")
    leaf, key = pki.leaf.pem, pki.leaf.key
    openssl("req", "-new", "-key", key, "-subj", "/CN=x", "-out", d / "csr.pem")
    openssl("req", "-in", d / "csr.pem", "-outform", "DER", "-out",
            d / "csr.der")
    openssl("pkcs12", "-export", "-in", leaf, "-inkey", key, "-passout",
            "pass:x", "-out", d / "id.pfx")
    for form in "PEM", "DER":
        end = form.lower()
        openssl("pkey", "-in", key, "-outform", form, "-out", d / f"key.{end}")
        openssl("pkey", "-in", key, "-pubout", "-outform", form, "-out",
                d / f"pub.{end}")
        openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:x",
                "-outform", form, "-out", d / f"locked.{end}")
    openssl("genrsa", "-traditional", "-out", d / "rsa.pem", "2048")
    openssl("rsa", "-in", d / "rsa.pem", "-traditional", "-outform", "DER",
            "-out", d / "rsa.der")
    (d / "utf16.pem").write_text(leaf.read_text(), encoding="utf-16")
    (d / "mail.pem").write_text(
        "".join("> " + line for line in leaf.read_text().splitlines(True)))
    (d / "page.pem").write_text("<!DOCTYPE html><title>404</title>")
    (d / "empty.pem").write_bytes(b"")
    with zipfile.ZipFile(d / "zip.pem", "w") as z:
        z.write(leaf)
    return d


@pytest.mark.parametrize("name, says", [
    ("csr.pem", "certificate request"), ("csr.der", "certificate request"),
    ("id.pfx", "openssl pkcs12 -nokeys"), ("key.pem", "private key"),
    ("key.der", "private key"), ("locked.pem", "private key"),
    ("locked.der", "private key"), ("rsa.pem", "private key"),
    ("rsa.der", "private key"), ("pub.pem", "public key"),
    ("pub.der", "public key"), ("utf16.pem", "UTF-16"),
    ("mail.pem", "before BEGIN"), ("page.pem", "web page"),
    ("empty.pem", "it is empty"), ("zip.pem", "zip archive"),
])
def test_a_file_without_certificate_is_named_for_what_it_is(
        chainmend, others, pki, name, says):
    file = others / name
    for args in (["check", file], ["mend", file], ["show", file],
                 ["check", pki.leaf.pem, "--roots", file],
                 ["check", pki.leaf.pem, "--pool", file],
                 ["cache", "add", file]):
        run = chainmend(*args, *([] if "cache" in args else ["--offline"]))
        assert run.status == 3, run
        assert f'"{file}": no certificate: ' in run.err and says in run.err


def test_what_the_message_advises_works(chainmend, others, pki, tmp_path):
    certs = tmp_path / "certs.pem"
    openssl("pkcs12", "-nokeys", "-in", others / "id.pfx", "-passin", "pass:x",
            "-out", certs)
    run = chainmend("show", certs, "--offline", "--json")
    assert run.of_kind("endpoint")[0]["sent"][0]["sha256"] == pki.leaf.sha256


@pytest.mark.parametrize("word, status, says", [
    ("http://x.example/", 2, "write https:// or NAME:PORT"),
    ("smtp://x.example:25", 2, "--starttls smtp"),
    ("gopher://x.example", 2, "only https:// and tls://"),
    ("127.0.0.1:9/path", 3, "write https:// before it"),
    ("no-such.pem", 3, "nor is there a file of that name"),
    ("a-directory", 3, "directory of that name"),
    ("a-directory/no-such.pem", 3, "No such file or directory\n"),
    ("::1:14443", 2, "[ADDRESS]:PORT"),
])
def test_a_word_that_is_no_target(chainmend, tmp_path, word, status, says):
    (tmp_path / "a-directory").mkdir()
    for command in "check", "show", "mend":
        run = chainmend(command, word, "--offline", cwd=tmp_path)
        assert run.status == status and says in run.err, run


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_a_list_of_no_targets_is_not_all_well(chainmend, tmp_path, text):
    file = tmp_path / "targets"
    file.write_text(text)
    for more in [], ["--json"], ["--nagios"]:
        run = chainmend("check", "-f", file, *more)
        assert run.status == 3 and "there is no target in" in run.err, run
    run = chainmend("check", "-f", "-", stdin=text)
    assert run.status == 3 and '"standard input"' in run.err


def test_a_directory_is_no_list_of_targets(chainmend, tmp_path):
    run = chainmend("check", "-f", tmp_path)
    assert run.status == 3 and "is a directory" in run.err


@pytest.mark.parametrize("order", ["il", "ril", "rli"])
def test_a_file_that_begins_with_an_issuer_fails(chainmend, pki, tmp_path,
                                                 order):
    """openssl s_server and nginx refuse it, too: the key is another's."""
    certs = {"i": pki.intermediate, "l": pki.leaf, "r": pki.anchor}
    file, mended = tmp_path / "chain.pem", tmp_path / "mended.pem"
    file.write_text("".join(certs[c].text for c in order))
    trust = ["--offline", "--roots", pki.anchor.pem]
    run = chainmend("check", file, *trust, "--json")
    assert run.status == 1
    endpoint, = run.of_kind("endpoint")
    assert "until" not in endpoint or endpoint["until"] is None
    ids = [(f["id"], f["severity"]) for f in endpoint["findings"]]
    assert ids.count(("wrong-order", "error")) == 1
    assert not {"unrelated-certificate", "unneeded-certificate"} & {
        name for name, _ in ids}
    # What it advises mends it.
    assert chainmend("mend", file, *trust, "-o", mended).status == 0
    assert chainmend("check", mended, *trust, "--strict").status == 0


def test_who_asks_for_another_name_reads_the_names_there_are(chainmend, pki):
    run = chainmend("check", pki.leaf.pem, pki.stranger.pem, "--offline",
                    "--host", "other.example", "--roots", pki.anchor.pem,
                    "--pool", pki.intermediate.pem)
    assert run.status == 1
    words = " ".join(run.out.split())
    assert 'the certificate is for "' in words
    assert "the certificate names no host" in words


def test_an_intermediate_among_the_roots_is_remarked(chainmend, pki):
    """certbot's chain.pem is no list of roots: nothing would be missing."""
    args = ["check", pki.leaf.pem, "--offline", "--roots"]
    run = chainmend(*args, pki.intermediate.pem)
    assert run.status == 0
    assert "no root: a server that does not send it looks whole" in run.err
    assert chainmend(*args, pki.intermediate.pem, "-q").err == ""
    run = chainmend(*args, pki.anchor.pem)
    assert run.status == 1 and run.err == ""


def test_who_cannot_be_mended_is_told_what_to_do(chainmend, pki):
    trust = ["--offline", "--roots", pki.anchor.pem]
    for file, advice in ((pki.leaf.pem, "--pool"),
                         (pki.expired.pem, "Renew"),
                         (pki.stranger.pem, "--roots")):
        run = chainmend("mend", file, *([] if file == pki.leaf.pem else
                                        [pki.intermediate.pem]), *trust)
        assert run.status == 1 and run.out == "", run
        says, do = run.err.splitlines()
        assert says.startswith("chainmend: no chain could be proven")
        assert do.startswith("  do: ") and advice in do, run


@pytest.fixture
def alerting():
    """A server that answers each hello with one fatal alert."""
    listeners = []

    def start(code):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65536)
                    peer.sendall(bytes([21, 3, 1, 0, 2, 2, code]))

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("code, host, verdict, advice", [
    (112, "127.0.0.1", "wrong-host", "No server name was sent"),
    (112, "localhost", "wrong-host", "virtual host"),
    (40, "127.0.0.1", "no-shared-cipher", "No server name was sent"),
    (40, "localhost", "no-shared-cipher", "suite that both know"),
    (70, "127.0.0.1", "protocol-version", "version"),
])
def test_a_refusal_for_want_of_a_name(chainmend, alerting, code, host, verdict,
                                      advice):
    """RFC 6066 section 3: no name is sent for an address."""
    run = chainmend("check", f"{host}:{alerting(code)}", "-4", "--json")
    assert run.status == 1
    endpoint, = run.of_kind("endpoint")
    assert endpoint["verdict"] == verdict
    assert advice in endpoint["findings"][0]["remedy"]
