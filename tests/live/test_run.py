# SPDX-License-Identifier: Apache-2.0
"""chainmend run: unmodified programs complete chains, and refuse what they
refused before.  Each program is run with and without us, against the same
servers: what must be cured, and what must not."""
import os
import shutil
import signal
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

import servers
from pki import LOCAL, Pki, days_from_now

PYTHON = """
import ssl, sys, urllib.request
c = ssl.create_default_context(cafile=sys.argv[2])
print(urllib.request.urlopen(sys.argv[1], context=c).read().decode())
"""
PERL = """
use IO::Socket::SSL;
my ($url, $ca) = @ARGV;
my ($port) = $url =~ /:(\\d+)/;
my $s = IO::Socket::SSL->new(PeerHost => 'localhost', PeerPort => $port,
  SSL_ca_file => $ca, SSL_verifycn_scheme => 'http') or die $SSL_ERROR;
print $s "GET / HTTP/1.0\\r\\n\\r\\n"; print <$s>;
"""
RUBY = """
require 'net/http'
url = URI(ARGV[0])
Net::HTTP.start(url.host, url.port, use_ssl: true, ca_file: ARGV[1]) { |h|
  puts h.get('/').body }
"""
PHP = """
$c = stream_context_create(['ssl' => ['cafile' => $argv[2]]]);
$body = @file_get_contents($argv[1], false, $c);
if ($body === false) { fwrite(STDERR, error_get_last()['message']); exit(1); }
echo $body;
"""
PROGRAMS = {
    "curl": lambda url, ca: ["curl", "-sS", "--cacert", ca, url],
    "python3": lambda url, ca: ["/usr/bin/python3", "-c", PYTHON, url, ca],
    "wget": lambda url, ca: ["wget", "-q", "-O-", "--tries=1",
                             f"--ca-certificate={ca}", url],
    "git": lambda url, ca: ["git", "-c", f"http.sslCAInfo={ca}", "ls-remote",
                            url + "repo.git"],
    "openssl": lambda url, ca: [
        "openssl", "s_client", "-verify_return_error", "-CAfile", ca,
        "-verify_hostname", "localhost", "-connect",
        url.split("/")[2]],
    "perl": lambda url, ca: ["perl", "-e", PERL, url, ca],
    "ruby": lambda url, ca: ["ruby", "-e", RUBY, url, ca],
    "php": lambda url, ca: ["php", "-r", PHP, "--", url, ca],
    "aria2c": lambda url, ca: [
        "aria2c", "-q", "--no-conf", "--allow-overwrite=true", "-d", "/dev",
        "-o", "null", "--file-allocation=none", "--max-tries=1",
        f"--ca-certificate={ca}", url],
}


@pytest.fixture(params=PROGRAMS)
def client(request, chainmend):
    """client(url, roots, *options of run, plain=False) -> finished process"""
    name = request.param
    if not shutil.which(name):
        pytest.skip(f"no {name} on this machine")
    if name == "perl" and subprocess.run(
            ["perl", "-MIO::Socket::SSL", "-e1"],
            stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no IO::Socket::SSL on this machine")

    def run(url, roots, *options, plain=False, env=None):
        command = PROGRAMS[name](url, str(roots))
        if not plain:
            command = [chainmend.path, "run", *options, "--", *command]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", timeout=60,
            env={**chainmend.env, **(env or {})})

    run.name = name
    return run


@pytest.fixture(scope="module")
def module_web():
    server = servers.WebServer()
    yield server
    server.stop()


@pytest.fixture
def web(module_web):
    """The server that every certificate of the lab names; asked nothing."""
    module_web.requests.clear()
    return module_web


@pytest.fixture(scope="module")
def lab(module_web, tmp_path_factory):
    web = module_web
    p = Pki(tmp_path_factory.mktemp("lab"))
    p.anchor = p.root("Lab Root")
    p.ca1 = p.anchor.issue_ca("Lab CA 1")
    p.ca2 = p.ca1.issue_ca("Lab CA 2", aia=web.url("/ca1.cer"))
    p.evil_root = p.root("Evil Root")
    p.evil_ca = p.evil_root.issue_ca("Evil CA", aia=web.url("/evil-root.cer"))
    for path, cert in (("ca1", p.ca1), ("ca2", p.ca2), ("evil", p.evil_ca),
                       ("evil-root", p.evil_root)):
        web.put(f"/{path}.cer", cert.der)
    aia = web.url("/ca2.cer")
    p.good = p.ca2.issue("localhost", sans=LOCAL, aia=aia)
    p.dead = p.ca2.issue("localhost", sans=LOCAL, aia=web.url("/none.cer"))
    p.rogue = p.evil_ca.issue("localhost", sans=LOCAL,
                              aia=web.url("/evil.cer"))
    p.rogue_twin = p.evil_root.issue("localhost", sans=LOCAL,
                                     aia=web.url("/evil-root.cer"))
    p.expired = p.ca2.issue("localhost", sans=LOCAL, aia=aia,
                            not_before=days_from_now(-9),
                            not_after=days_from_now(-2))
    p.wrong_name = p.ca2.issue("other.example", aia=aia)
    p.wrong_use = p.ca2.issue("localhost", sans=LOCAL, aia=aia,
                              usage="clientAuth")
    p.self_signed = p.make("localhost", sans=LOCAL)
    return p


@pytest.fixture
def serve(nginx):
    """serve(cert) -> URL of a server that sends this certificate alone."""
    # nginx's worker is another user, and pytest closes its own folder to
    # others whenever a session begins.
    www = tempfile.mkdtemp(prefix="chainmend-www-")
    os.chmod(www, 0o755)
    if shutil.which("git"):
        repo = f"{www}/repo.git"
        subprocess.run(["git", "init", "-q", "--bare", repo], check=True)
        subprocess.run(["git", "-C", repo, "update-server-info"], check=True)
        subprocess.run(["chmod", "-R", "a+rX", www], check=True)

    def start(cert):
        server = nginx(cert.pem, cert.key, more=(
            f"location /repo.git/ {{ root {www}; }}"))
        return f"https://localhost:{server.port}/"

    yield start
    shutil.rmtree(www)


def test_a_missing_intermediate_is_cured(client, lab, serve, web):
    url = serve(lab.good)
    assert client(url, lab.anchor.pem, plain=True).returncode != 0
    assert web.requests == []
    done = client(url, lab.anchor.pem, "--allow-private", "--trace")
    assert done.returncode == 0, done
    assert "chainmend: completed: " in done.stderr, done
    assert sorted(web.paths()) == ["/ca1.cer", "/ca2.cer"]
    # What was fetched was kept: the second time nothing is.
    done = client(url, lab.anchor.pem, "--offline", "--trace")
    assert done.returncode == 0, done
    assert "from cache" in done.stderr, done
    assert len(web.requests) == 2


def test_known_issuers_need_no_network(client, lab, serve, web, chainmend,
                                       tmp_path):
    known = tmp_path / "known.bin"
    bundle = lab.file("known.pem", lab.anchor, lab.ca1, lab.ca2)
    assert chainmend("data", "update", "--from", bundle, "-o",
                     known).status == 0
    done = client(serve(lab.good), lab.anchor.pem, "--offline", "--trace",
                  env={"CHAINMEND_PRELOAD": str(known)})
    assert done.returncode == 0, done
    assert "from preload" in done.stderr, done
    assert web.requests == []


def test_offline_really_is(client, lab, serve, web):
    done = client(serve(lab.good), lab.anchor.pem, "--offline",
                  "--allow-private")
    assert done.returncode != 0, done
    assert web.requests == []


def test_private_addresses_need_leave(client, lab, serve, web):
    done = client(serve(lab.good), lab.anchor.pem, "--trace")
    assert done.returncode != 0, done
    assert web.requests == []


@pytest.mark.parametrize("what", ["rogue", "rogue_twin", "expired",
                                  "wrong_name", "wrong_use", "self_signed",
                                  "dead"])
def test_what_was_refused_still_is(client, lab, serve, what):
    url = serve(getattr(lab, what))
    if what == "wrong_use" and client.name in ("wget", "git", "aria2c"):
        pytest.skip("GnuTLS as these use it does not look at the usage")
    done = client(url, lab.anchor.pem, "--allow-private")
    assert done.returncode != 0, done
    # And with the issuers in the cache it is the same.
    done = client(url, lab.anchor.pem, "--allow-private")
    assert done.returncode != 0, done


def test_a_stranger_to_the_program_stays_one(client, lab, serve):
    """The cache may hold an issuer: without its root it proves nothing."""
    url = serve(lab.good)
    assert client(url, lab.anchor.pem, "--allow-private").returncode == 0
    assert client(url, lab.evil_root.pem, "--allow-private").returncode != 0


def test_a_whole_chain_is_left_alone(client, lab, nginx, web):
    server = nginx(lab.file("full.pem", lab.good, lab.ca2, lab.ca1),
                   lab.good.key, more="location /repo.git/ { return 404; }")
    url = f"https://localhost:{server.port}/"
    done = client(url, lab.anchor.pem, "--allow-private", "--trace")
    if client.name != "git":
        assert done.returncode == 0, done
    assert "chainmend:" not in done.stderr, done
    assert web.requests == []


def test_run_keeps_status_words_and_streams(chainmend):
    run = chainmend("run", "--", "sh", "-c", "echo \"$0 $1\"; exit 7", "a b",
                    "--json")
    assert (run.status, run.out) == (7, "a b --json\n")
    assert chainmend("run", "--", "no-such-program").status == 3
    assert chainmend("run").status == 2


def test_what_starts_programs_loads_no_library(chainmend):
    """Fifty libraries would cost each start more than the program itself."""
    if not shutil.which("ldd"):
        pytest.skip("no ldd on this machine")
    done = subprocess.run(["ldd", chainmend.path], stdout=subprocess.PIPE,
                          text=True, check=True)
    assert "libcurl" not in done.stdout and "libcrypto" not in done.stdout
    # And help is the whole program's all the same.
    assert "examples" in chainmend("run", "--help").out.lower()


def test_a_static_program_is_told_of(chainmend, tmp_path):
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 5; }\n")
    built = subprocess.run(["cc", "-static", "-o", tmp_path / "a", source],
                           stderr=subprocess.DEVNULL)
    if built.returncode:
        pytest.skip("no static C library here")
    run = chainmend("run", "--", tmp_path / "a")
    assert run.status == 5 and "statically linked" in run.err


@pytest.mark.parametrize("name", ["a b", "a:b"])
def test_a_path_that_the_loader_takes_for_two(chainmend, tmp_path, name):
    shim = tmp_path / name / "libchainmend-preload.so"
    shim.parent.mkdir()
    shim.write_bytes(b"")
    run = chainmend("run", "--", "true", env={"CHAINMEND_SHIM": str(shim)})
    assert run.status == 3 and str(shim) in run.err, run
    assert "space or a colon" in run.err


# What the loader did: is the preload object there, and known to children?
SELF = """
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int look(struct dl_phdr_info *i, size_t n, void *found)
{
	(void)n;
	*(int *)found |= strstr(i->dlpi_name, "chainmend-preload") != NULL;
	return 0;
}

int main(void)
{
	int loaded = 0;

	dl_iterate_phdr(look, &loaded);
	printf("%s %s\\n", loaded ? "loaded" : "bare",
		getenv("LD_PRELOAD") ? "handed on" : "dropped");
	return 6;
}
"""
STRANGER = 65534  # nobody here
NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


@pytest.fixture
def own_rights(chainmend):
    """own_rights(mode, owner, group) -> a program that says what the loader
    did, and whether its file gives it other rights is up to them."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a file set-user-ID for somebody else")
    # Where others than root can go, too.
    folder = Path(tempfile.mkdtemp(prefix="chainmend-suid-"))
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        folder.rmdir()
        pytest.skip("set-user-ID means nothing here: mounted nosuid")
    folder.chmod(0o755)

    def make(mode=0o755, owner=0, group=0):
        source, path = folder / "self.c", folder / "self"
        source.write_text(SELF)
        subprocess.run(["cc", "-o", path, source], check=True)
        os.chown(path, owner, group)
        path.chmod(mode)
        return path

    yield make
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode,owner,group,why", [
    (0o755, 0, 0, None),
    (0o4755, STRANGER, 0, "is setuid"),
    (0o4755, 0, 0, None),                  # of whoever starts it
    (0o2755, 0, STRANGER, "is setgid"),
    (0o2745, 0, STRANGER, None),           # mandatory locks, once
    (0o2755, 0, 0, None),
    (0o6755, STRANGER, STRANGER, "is setuid"),
])
def test_other_rights_are_told_of(chainmend, own_rights, mode, owner, group,
                                  why):
    """The loader is the judge: told of is what it does not preload into."""
    path = own_rights(mode, owner, group)
    run = chainmend("run", "--", path)
    assert run.status == 6, run
    assert run.out == ("bare dropped\n" if why else "loaded handed on\n")
    if why:
        assert run.err == f"chainmend: {path} {run.err.split(' ', 2)[2]}"
        assert run.err.count("\n") == 1 and why in run.err, run
        assert "preloads nothing into it" in run.err, run
        assert chainmend("run", "-q", "--", path).err == ""
    else:
        assert run.err == "", run


def test_rights_that_the_system_does_not_give(chainmend, own_rights, tmp_path):
    """No new privileges, a mount without set-user-ID, a script: the file's
    bits mean nothing, and the preload works."""
    path = own_rights(0o4755, STRANGER)
    run = chainmend("run", "--", path, prefix=["setpriv", "--no-new-privs"])
    assert (run.out, run.err) == ("loaded handed on\n", ""), run
    script = path.parent / "script"
    script.write_text(f"#!/bin/sh\nexec {own_rights()}\n")
    os.chown(script, STRANGER, 0)
    script.chmod(0o4755)
    run = chainmend("run", "--", script)
    assert (run.out, run.err) == ("loaded handed on\n", ""), run


def test_a_mount_without_such_rights(chainmend, own_rights, tmp_path):
    path, mount = own_rights(0o4755, STRANGER), tmp_path / "mount"
    mount.mkdir()
    inside = ["unshare", "--mount", "sh", "-c",
              'mount -t tmpfs -o nosuid none "$0" && cp -p "$1" "$0/self" '
              '&& shift && exec "$@"', mount, path]
    if subprocess.run([*inside, "true"],
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("nothing can be mounted here")
    run = chainmend("run", "--", mount / "self", prefix=inside)
    assert (run.out, run.err) == ("loaded handed on\n", ""), run


def test_capabilities_are_told_of(chainmend, own_rights):
    path = own_rights()
    try:
        os.setxattr(path, "security.capability", NET_RAW)
    except OSError as e:
        pytest.skip(f"no file capabilities here: {e}")
    run = chainmend("run", "--", path)
    assert (run.out, run.err) == ("loaded handed on\n", ""), run
    stranger = ["setpriv", "--reuid", STRANGER, "--regid", STRANGER,
                "--clear-groups", "--"]
    if subprocess.run([*map(str, stranger), "test", "-x", chainmend.path],
                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("the program stands where others than root cannot go")
    run = chainmend("run", "--", path, prefix=stranger)
    assert run.out == "bare dropped\n" and run.status == 6, run
    assert "has file capabilities" in run.err, run
    os.removexattr(path, "security.capability")
    run = chainmend("run", "--", path, prefix=stranger)
    assert (run.out, run.err) == ("loaded handed on\n", ""), run


FORKS = """
import os, ssl, sys, threading, urllib.error, urllib.request

def get(what):
    c = ssl.create_default_context(cafile=sys.argv[2])
    try:
        good = urllib.request.urlopen(sys.argv[1], context=c, timeout=30)
        print(what, good.read().decode().strip(), flush=True)
    except urllib.error.URLError as e:
        print(what, "refused" if "unable to get local issuer" in str(e) else e,
              flush=True)

def fork_and_get():
    pid = os.fork()
    if pid == 0:
        get("child")
        os._exit(0)
    os.waitpid(pid, 0)
"""


@pytest.fixture
def forks(chainmend, lab, serve):
    """forks(url, body) -> the script under chainmend run, in the background;
    killed at the end whatever became of it."""
    started = []

    def start(cert, body):
        script = lab.dir / f"forks-{len(started)}.py"
        script.write_text(FORKS + body)
        started.append(chainmend.popen(
            "run", "--allow-private", "--", "/usr/bin/python3", script,
            serve(cert), lab.anchor.pem, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()


def test_a_child_of_fork_completes(forks, lab):
    """The engine made in a parent is of no use to its children: they make
    their own."""
    process = forks(lab.good, "get('parent'); fork_and_get(); get('parent')")
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == ["parent here", "child here", "parent here"]
    assert process.returncode == 0


def test_a_fork_while_a_thread_waits_inside(forks, lab, web):
    """One thread waits in us for an answer that is held back, and another
    forks.  The child cannot use what that thread holds, so it does without;
    it does not hang, and the thread gets its answer in the end."""
    cert = lab.ca2.issue("localhost", sans=LOCAL, aia=web.url("/held.cer"))
    web.put("/held.cer", lab.ca2.der)
    hold = web.hold("/held.cer")
    process = forks(cert, """
thread = threading.Thread(target=get, args=["thread"])
thread.start()
sys.stdin.readline()
fork_and_get()
thread.join()
get("parent")
""")
    try:
        assert hold.arrived.wait(30), "nobody asked"
        process.stdin.write("fork\n")
        process.stdin.flush()
        assert process.stdout.readline() == "child refused\n"
    finally:
        hold.released.set()
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == ["thread here", "parent here"]
    assert process.returncode == 0
