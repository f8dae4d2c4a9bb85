# SPDX-License-Identifier: Apache-2.0
"""Real servers for the live tests, each ready when its starter returns.

Readiness is seen, not guessed: the starter connects until the server answers,
with a deadline, and a server that dies meanwhile is reported with its output.
"""
import http.server
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

DEADLINE_S = 30
# Never set: waiting for it is a short pause between two looks.
PAUSE = threading.Event()


def own_ports():
    """First and last TCP port that the kernel does not give out by itself."""
    low = 32768
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            low = int(f.read().split()[0])
    except OSError:
        pass
    first = 10000 if low > 12000 else 2000
    # Root's tests and an ordinary user's, run at once, do not meet.
    middle = (first + low) // 2
    return (middle, low - 1) if os.getuid() else (first, middle - 1)


PORTS = own_ports()
given = set()


def free_port():
    """A TCP port that nobody has and that was not given before: between here
    and the server that listens on it, a second asker would get it, too.  From
    below those that the kernel gives out: a client that is early would else
    be given that very port as its own, and be connected to itself."""
    for _ in range(1000):
        port = random.randint(*PORTS)
        if port in given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port
    raise RuntimeError("no free port")


def wait_until(true, what, deadline_s=DEADLINE_S, process=None, log=None):
    """Poll until true() is true; fails with `what` at the deadline, or as
    soon as `process`, which was to make it true, has ended; with its log."""
    end = time.monotonic() + deadline_s
    while True:
        value = true()
        if value:
            return value
        if process and process.poll() is not None:
            said = pathlib.Path(log).read_text() if log else ""
            raise RuntimeError(
                f"{what} ended with {process.returncode}: {said}")
        if time.monotonic() > end:
            raise TimeoutError(f"not within {deadline_s} s: {what}")
        PAUSE.wait(0.01)


def answers(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def program(name):
    """Where a program is; an ordinary user's PATH has no /usr/sbin."""
    return shutil.which(name, path=os.environ.get("PATH", "") +
                        ":/usr/sbin:/sbin:/usr/local/sbin")


def end_accepting(listener, thread, connections=()):
    """Wake a thread that waits in accept or reads, see it end, and only then
    let go of the sockets.  A thread that is left waiting would take the
    connections of whoever gets the same descriptor next."""
    for s in (listener, *connections):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    for s in (listener, *connections):
        s.close()


class Listener:
    """A server of a test's own on loopback: take(s) is given each connection,
    one after the other or, with at_once, on a thread each.  stop() ends it,
    and closes what take() left open."""

    def __init__(self, take, host="127.0.0.1", at_once=False, port=0):
        self._take, self._at_once = take, at_once
        self.open = []
        self.socket = socket.create_server((host, port), backlog=200)
        self.port = self.socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            self.open.append(s)
            if self._at_once:
                threading.Thread(target=self._serve, args=(s,),
                                 daemon=True).start()
            else:
                self._serve(s)

    def _serve(self, s):
        try:
            self._take(s)
        except OSError:
            pass

    def stop(self):
        end_accepting(self.socket, self.thread, self.open)


class Process:
    """A server process, stopped by stop() whatever became of it."""

    def __init__(self, command, port, log, env=None, cwd=None, stdin=None,
                 host="127.0.0.1"):
        self.command, self.port, self.log = command, port, log
        self.host = host
        self._out = open(log, "ab")
        self.process = subprocess.Popen(
            [str(c) for c in command], stdout=self._out, stderr=self._out,
            stdin=stdin or subprocess.DEVNULL, env=env, cwd=cwd)
        try:
            wait_until(self._ready, f"{command[0]} on port {port}")
        except Exception:
            self.stop()
            raise

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command[0]} ended at once:\n" +
                               self.output())
        return answers(self.port, self.host)

    def output(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._out.close()


NGINX = """
daemon off;
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        {more}
        location / {{ return 200 "here\\n"; }}
    }}
}}
"""


def start_nginx(directory, chain, key, port=None, more="",
                host="127.0.0.1"):
    """A real nginx that sends the certificates of the file `chain`."""
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = directory / "nginx.conf"
    # A namespace of one's own has no other user to become.
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(NGINX.format(dir=directory, port=port, chain=chain,
                                   key=key, more=more, host=host, user=user))
    return Process([program("nginx"), "-p", directory, "-c", config,
                    "-e", "stderr"], port, directory / "nginx.log",
                   host=host)


def start_s_server(directory, cert, key, chain=None, port=None, args=()):
    """openssl s_server: sends `cert`, then the certificates of `chain`."""
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}",
               "-cert", cert, "-key", key, "-www", "-quiet"]
    if chain:
        command += ["-cert_chain", chain]
    return Process(command + list(args), port,
                   directory / f"s_server-{port}.log")


class Redis:
    """A redis-server on a unix socket, its append-only file on."""

    def __init__(self, directory, *more):
        self.directory, self.more = directory, more
        directory.mkdir()
        self.socket = directory / "r.sock"
        self.url = f"unix://{self.socket}"
        self.start()

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *words],
                              capture_output=True, text=True)
        return done.stdout.strip()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket,
             "--appendonly", "yes", "--appendfsync", "always", "--save", "",
             "--logfile", "log",
             *self.more], cwd=self.directory)
        wait_until(lambda: self.cli("ping") == "PONG", "redis")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=20)


def keep_each(kind):
    """The body of a fixture: gives make(...) -> kind(...), and stops each."""
    made = []

    def make(*args, **how):
        made.append(kind(*args, **how))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Hold:
    """An answer held back: arrived is set once somebody waits for it."""

    def __init__(self):
        self.arrived, self.released = threading.Event(), threading.Event()


class WebServer:
    """Plain HTTP on loopback, for issuers to be fetched from.

    put() says what a path answers, hold() that the answer waits; requests
    lists what was asked for."""

    def __init__(self):
        self.answers, self.requests, self.held = {}, [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.command, self.path,
                                       dict(self.headers)))
                hold = outer.held.get(self.path)
                if hold:
                    hold.arrived.set()
                    hold.released.wait(DEADLINE_S)
                status, kind, body, headers = outer.answers.get(
                    self.path, (404, "text/plain", b"no such file\n", {}))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def put(self, path, body, kind="application/pkix-cert", status=200,
            headers=None):
        self.answers[path] = (status, kind, body, headers or {})
        return self.url(path)

    def hold(self, path):
        """The path's answer waits until .released is set, once for all."""
        self.held[path] = Hold()
        return self.held[path]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def paths(self):
        return [path for _, path, _ in self.requests]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
