# SPDX-License-Identifier: Apache-2.0
"""watch -f TARGETS: servers whose chains change under it, kills, reloads, and
what a real Prometheus makes of it."""
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
import servers
from conftest import check_line
from proxies import Proxy
from servers import wait_until
from talks import TALKS, Server


class Monitor:
    """A running watch -f, its events and its metrics."""

    def __init__(self, chainmend, directory, targets, *more, env=None,
                 prefix=()):
        self.chainmend, self.dir = chainmend, directory
        directory.mkdir(exist_ok=True)
        self.file = directory / "targets.txt"
        self.events_file = directory / "events.ndjson"
        self.more, self.env, self.prefix = more, env or {}, prefix
        self.write(targets)
        self.start()

    def write(self, targets):
        self.file.write_text("".join(f"{t}\n" for t in targets))

    def start(self):
        self.err = self.dir / "err"
        with open(self.err, "wb") as err:
            self.process = self.chainmend.popen(
                "watch", "-f", self.file, "--state", self.dir / "state.db",
                "--events", self.events_file, "--metrics", "127.0.0.1:0",
                "--timeout", "5", *self.more, env=self.env,
                prefix=self.prefix, stdout=subprocess.DEVNULL, stderr=err)
        self.port = int(wait_until(self._told_port, "the metrics' port"))

    def _told_port(self):
        text = self.err.read_text()
        assert self.process.poll() is None, text
        found = re.search(r"metrics on port (\d+)", text)
        return found and "watching" in text and found.group(1)

    def events(self):
        if not self.events_file.exists():
            return []
        text = self.events_file.read_text()
        return [check_line(line) for line in text.splitlines(True)
                if line.endswith("\n")]

    def event(self, n):
        """Waits for the n-th event, counted from 1."""
        return wait_until(lambda: len(self.events()) >= n and
                          self.events()[n - 1], f"event {n}")

    def metrics(self):
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/metrics", timeout=10) as f:
            return f.read().decode()

    def values(self):
        return dict(line.rsplit(" ", 1) for line in
                    self.metrics().splitlines() if not line.startswith("#"))

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=20)


@pytest.fixture
def monitor(chainmend, pki, tmp_path):
    started = []

    def make(targets, *more, every="1s", name="monitor", env=None,
             prefix=()):
        started.append(Monitor(
            chainmend, tmp_path / name, targets, "--every", every, "--roots",
            pki.anchor.pem, "--offline", *more, env=env, prefix=prefix))
        return started[-1]

    yield make
    for m in started:
        m.stop(signal.SIGKILL)


def reload_nginx(server, chain_file, text):
    chain_file.write_text(text)
    server.process.send_signal(signal.SIGHUP)


def test_a_server_is_mended_and_broken_under_it(monitor, nginx, pki,
                                                tmp_path):
    chain = tmp_path / "live.pem"
    chain.write_text(pki.leaf.text)
    server = nginx(chain, pki.leaf.key)
    m = monitor([f"localhost:{server.port}"])
    name = f'target="localhost:{server.port}",profile="plain"'
    first = m.event(1)
    assert first["first"] and first["reachable"]
    assert first["verdict"] == "missing-intermediate"
    opinion, = first["profiles"]
    assert opinion["was"] is None and opinion["accepts"] is False
    values = m.values()
    state = "chainmend_chain_state{" + name + ',reason="%s"}'
    assert values[state % "missing-intermediate"] == "1"
    assert values[state % "ok"] == "0"
    ends = "chainmend_path_expiry_timestamp_seconds{" + name + "}"
    assert ends not in values  # it had no path yet

    reload_nginx(server, chain, pki.leaf.text + pki.intermediate.text)
    second = m.event(2)
    assert not second["first"] and second["verdict"] is None
    assert second["chain_changed"] and second["profiles"][0]["accepts"]
    assert second["profiles"][0]["was"] == "missing-intermediate"
    values = m.values()
    assert values[state % "ok"] == "1"
    assert values[state % "missing-intermediate"] == "0"
    end = float(values[ends])
    days = (end - time.time()) / 86400
    assert 364 < days < 366  # the leaf is made for a year

    reload_nginx(server, chain, pki.leaf.text)
    assert m.event(3)["verdict"] == "missing-intermediate"
    values = m.values()
    assert values[state % "missing-intermediate"] == "1"
    # The last path's end does not vanish with the path.
    assert float(values[ends]) == end

    server.stop()
    gone = m.event(4)
    assert not gone["reachable"] and "refused" in gone["trouble"]
    values = m.values()
    assert values[state % "unreachable"] == "1"
    assert values[state % "missing-intermediate"] == "0"
    assert values[f'chainmend_target_up{{target="localhost:{server.port}"}}'] \
        == "0"
    assert not [v for v in values.values() if float(v) < 0]
    assert m.stop() == 0
    assert [e["number"] for e in m.events()] == [1, 2, 3, 4]


def test_nothing_is_told_twice_or_kept_back_by_a_restart(monitor, nginx, pki,
                                                         tmp_path):
    """Killed while all is still: nothing new.  Changed while it was dead: one
    event."""
    chain = tmp_path / "live.pem"
    chain.write_text(pki.leaf.text)
    server = nginx(chain, pki.leaf.key)
    m = monitor([server.address])
    m.event(1)
    m.stop(signal.SIGKILL)
    m.start()
    looks = f'chainmend_target_looks_total{{target="{server.address}"}}'
    wait_until(lambda: int(m.values()[looks]) >= 2, "two more looks")
    assert len(m.events()) == 1
    # What was true before the kill is still a series.
    assert [k for k in m.values() if 'reason="missing-intermediate"' in k]
    m.stop(signal.SIGKILL)
    reload_nginx(server, chain, pki.leaf.text + pki.intermediate.text)
    m.start()
    second = m.event(2)
    assert second["profiles"][0]["was"] == "missing-intermediate"
    assert not second["first"] and second["number"] == 2


class Flipping(servers.Listener):
    """A real TLS server on every address of 127.0.0.0/8 that sends the other
    chain, leaf only or whole, at every connection to the same address."""

    def __init__(self, pki, whole):
        self.contexts = []
        for chain in (pki.leaf.pem, whole):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(chain, pki.leaf.key)
            self.contexts.append(context)
        self.turn, self.lock = {}, threading.Lock()
        super().__init__(self.take, host="0.0.0.0", at_once=True)

    def take(self, taken):
        taken.settimeout(10)
        with self.lock:
            address = taken.getsockname()[0]
            turn = self.turn.get(address, 0)
            self.turn[address] = turn + 1
        with taken, self.contexts[turn % 2].wrap_socket(
                taken, server_side=True) as s:
            s.recv(1)


def test_killed_again_and_again_no_event_is_lost_or_repeated(monitor, pki):
    """Every look finds a change, and SIGKILL comes when it comes: the numbers
    in the file have no gap and no double, and what each event says it was
    before is what the event before it said."""
    whole = pki.file("flip.pem", pki.leaf, pki.intermediate)
    flipping = Flipping(pki, whole)
    targets = [f"127.0.0.{i}:{flipping.port}" for i in range(1, 31)]
    try:
        m = monitor(targets, "--rate", "1000", "--jobs", "8")
        for _ in range(6):
            had = len(m.events())
            wait_until(lambda: len(m.events()) >= had + 15, "more events")
            m.stop(signal.SIGKILL)
            m.start()
        had = len(m.events())
        wait_until(lambda: len(m.events()) >= had + 15, "more events")
        assert m.stop() == 0
    finally:
        flipping.stop()
    events = m.events()
    assert [e["number"] for e in events] == list(range(1, len(events) + 1))
    assert len(events) >= 100
    last = {}
    for e in events:
        assert e["reachable"], e
        opinion, = e["profiles"]
        assert opinion["was"] == last.get(e["target"]), e
        assert e["first"] == (e["target"] not in last)
        last[e["target"]] = opinion["reason"]
    assert set(last) == set(targets)


def test_hangup_reads_the_targets_anew(monitor, nginx, pki):
    whole = pki.file("hup.pem", pki.leaf, pki.intermediate)
    one, two = nginx(whole, pki.leaf.key), nginx(whole, pki.leaf.key)
    m = monitor([one.address])
    m.event(1)
    m.write([two.address, one.address])
    m.process.send_signal(signal.SIGHUP)
    assert m.event(2)["target"] == two.address
    assert m.values()["chainmend_monitor_targets"] == "2"
    # What cannot be read changes nothing, and shows.
    m.write(["a b c"])
    m.process.send_signal(signal.SIGHUP)
    wait_until(lambda: m.values()["chainmend_monitor_reload_successful"] ==
               "0", "a refused reload")
    assert m.values()["chainmend_monitor_targets"] == "2"
    assert "line 1" in m.err.read_text()
    m.write([two.address])
    m.process.send_signal(signal.SIGHUP)
    wait_until(lambda: m.values()["chainmend_monitor_targets"] == "1",
               "one target")
    assert m.values()["chainmend_monitor_reload_successful"] == "1"
    assert not [k for k in m.values() if one.address in k]
    assert len(m.events()) == 2
    # A file of events that was moved away is made anew, as logrotate needs.
    m.events_file.rename(m.dir / "events.1")
    m.process.send_signal(signal.SIGHUP)
    wait_until(m.events_file.exists, "a new file")
    two.stop()
    # Whom a look was at when it stopped was reached, and broke off.
    wait_until(lambda: m.events() and not m.events()[-1]["reachable"],
               "an event of its absence")
    numbers = [e["number"] for e in m.events()]
    assert numbers == list(range(3, 3 + len(numbers))) and len(numbers) < 3


def test_the_service_manager_is_told(monitor, nginx, pki, tmp_path):
    whole = pki.file("notify.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        m = monitor([server.address],
                    env={"NOTIFY_SOCKET": str(tmp_path / "notify")})

        def until(word):
            while True:
                text = notify.recv(4096).decode()
                if word in text.splitlines():
                    return text
        until("READY=1")
        assert "STATUS=1 target: 0 refused" in until("WATCHDOG=1")
        until("WATCHDOG=1")  # and again
        m.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in until("RELOADING=1")
        until("READY=1")
        assert m.stop() == 0
        until("STOPPING=1")


PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: chainmend
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.fixture
def prometheus(tmp_path):
    program = servers.program("prometheus")
    if not program:
        pytest.skip("no prometheus on this machine")
    started = []

    def make(port):
        directory = tmp_path / "prometheus"
        directory.mkdir()
        config = directory / "prometheus.yml"
        config.write_text(PROMETHEUS.format(port=port))
        own = servers.free_port()
        started.append(servers.Process(
            [program, f"--config.file={config}", f"--storage.tsdb.path="
             f"{directory / 'data'}", f"--web.listen-address=127.0.0.1:{own}",
             "--log.level=warn"], own, directory / "log", cwd=directory))
        return own

    yield make
    for server in started:
        server.stop()


def ask(port, query):
    url = (f"http://127.0.0.1:{port}/api/v1/query?" +
           urllib.parse.urlencode({"query": query}))
    try:
        with urllib.request.urlopen(url, timeout=10) as f:
            answer = json.load(f)
    except OSError:  # not ready yet
        return []
    return answer["data"]["result"]


def test_a_real_prometheus_reads_it(monitor, prometheus, nginx, pki,
                                    tmp_path):
    chain = tmp_path / "live.pem"
    chain.write_text(pki.leaf.text)
    server = nginx(chain, pki.leaf.key)
    m = monitor([server.address])
    m.event(1)
    port = prometheus(m.port)
    bad = wait_until(lambda: ask(
        port, 'chainmend_chain_state{reason!="ok"} == 1'), "a first scrape",
        deadline_s=60)
    assert bad[0]["metric"]["reason"] == "missing-intermediate"
    assert bad[0]["metric"]["target"] == server.address
    reload_nginx(server, chain, pki.leaf.text + pki.intermediate.text)
    m.event(2)
    # The rule stops firing by the value, not because a series is gone.
    wait_until(lambda: not ask(
        port, 'chainmend_chain_state{reason!="ok"} == 1'), "all is well")
    over = ask(port, 'chainmend_chain_state{reason="missing-intermediate"}')
    assert over[0]["value"][1] == "0"
    days = ask(port, "(chainmend_path_expiry_timestamp_seconds - time())"
                     " / 86400")
    assert 364 < float(days[0]["value"][1]) < 366
    assert ask(port, "up")[0]["value"][1] == "1"


def lint(metrics):
    done = subprocess.run([servers.program("promtool"), "check", "metrics"],
                          input=metrics, text=True, capture_output=True,
                          timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr.strip() and not done.stdout.strip()


def test_promtool_finds_nothing_to_say(monitor, nginx, pki):
    if not servers.program("promtool"):
        pytest.skip("no promtool on this machine")
    whole = pki.file("promtool.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    m = monitor([server.address, f"127.0.0.1:{servers.free_port()}"])
    m.event(2)
    lint(m.metrics())


def test_promtool_nor_to_those_of_addresses(monitor, nodes):
    if not servers.program("promtool"):
        pytest.skip("no promtool on this machine")
    nodes.put(2, nodes.whole)
    nodes.put(3, nodes.half)
    m = monitor([nodes.target, f"127.0.0.1:{servers.free_port()}"],
                "--all-addresses", prefix=nodes.name(2, 3, 4))
    m.event(5)
    text = m.metrics()
    assert text.count(f'address="{nodes.at(4)}"') > 2
    lint(text)


def test_fetches_are_counted_and_one_serves_all(monitor, nginx, pki, web,
                                                chainmend, tmp_path):
    from pki import LOCAL
    leaf = pki.intermediate.issue("web.example", sans=LOCAL,
                                  aia=web.put("/i.cer", pki.intermediate.der))
    server = nginx(leaf.pem, leaf.key)
    directory = tmp_path / "online"
    m = Monitor(chainmend, directory,
                [f"127.0.0.1:{server.port}", f"localhost:{server.port}"],
                "--every", "1h", "--roots", pki.anchor.pem, "--allow-private")
    try:
        m.event(2)
        assert m.values()['chainmend_fetches_total{result="had"}'] == "1"
        assert m.values()['chainmend_fetches_total{result="failed"}'] == "0"
        assert web.paths() == ["/i.cer"]
        assert {e["verdict"] for e in m.events()} == {"missing-intermediate"}
        # Not due again for an hour, also after a restart.
        m.stop(signal.SIGKILL)
        m.start()
        assert m.values()['chainmend_looks_total{result="chain"}'] == "0"
    finally:
        m.stop(signal.SIGKILL)


def test_once_answers_as_check_does(chainmend, nginx, pki, tmp_path):
    whole = pki.file("once.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    broken = nginx(pki.leaf.pem, pki.leaf.key)
    file = tmp_path / "t"
    args = ("watch", "-f", file, "--once", "--state", tmp_path / "s.db",
            "--roots", pki.anchor.pem, "--offline")
    file.write_text(server.address)
    run = chainmend(*args)
    assert run.status == 0, run
    event, = run.of_kind("change")
    assert event["first"] and event["verdict"] is None
    run = chainmend(*args)
    assert run.status == 0 and run.out == "", run
    # An end that comes near is a change.
    run = chainmend(*args, "--warn-days", "400")
    event, = run.of_kind("change")
    assert event["expires_soon"] and not event["first"]
    file.write_text(f"{server.address}\n{broken.address}\n")
    run = chainmend(*args, "--warn-days", "400")
    assert run.status == 1 and len(run.of_kind("change")) == 1, run


# ----------------------------------------------------------- all addresses

class Nodes:
    """balanced.example, and what stands at each of its addresses."""

    def __init__(self, pki, nginx, hosts, port, directory):
        self.leaf = pki.intermediate.issue("balanced.example")
        self.half = self.leaf.text
        self.whole = self.leaf.text + pki.intermediate.text
        self.nginx, self.hosts, self.port = nginx, hosts, port
        self.dir, self.servers = directory, {}
        self.target = f"balanced.example:{port}"

    def at(self, last):
        return f"127.0.0.{last}:{self.port}"

    def put(self, last, chain):
        """Serve this chain there from now on."""
        file = self.dir / f"node{last}.pem"
        if last in self.servers:
            reload_nginx(self.servers[last], file, chain)
            return
        file.write_text(chain)
        self.servers[last] = self.nginx(
            file, self.leaf.key, port=self.port, host=f"127.0.0.{last}")

    def name(self, *lasts):
        """The addresses that the name has from now on."""
        return self.hosts(*(f"127.0.0.{last}" for last in lasts))

    def state(self, reason, last=None, profile="plain"):
        at = f'address="{self.at(last)}",' if last else ""
        return (f'chainmend_chain_state{{target="{self.target}",{at}'
                f'profile="{profile}",reason="{reason}"}}')


@pytest.fixture
def nodes(pki, nginx, hosts, free_port, tmp_path):
    return Nodes(pki, nginx, hosts, free_port(), tmp_path)


def test_each_address_is_watched_for_itself(monitor, nodes):
    nodes.put(2, nodes.whole)
    nodes.put(3, nodes.half)
    m = monitor([nodes.target], "--all-addresses", prefix=nodes.name(2, 3))
    m.event(3)
    name, second, third = m.events()
    assert name["first"] and name["reachable"] and "address" not in name
    assert name["addresses"] == name["came"] == [nodes.at(2), nodes.at(3)]
    assert name["gone"] == [] and "verdict" not in name
    assert (second["address"], second["verdict"]) == (nodes.at(2), None)
    assert (third["address"], third["verdict"]) == (
        nodes.at(3), "missing-intermediate")
    assert second["first"] and third["first"] and third["target"] == \
        nodes.target
    values = m.values()
    broken = "missing-intermediate"
    # Of the whole it is the worst; what stands beside has its own series.
    assert values[nodes.state(broken)] == values[nodes.state(broken, 3)] == "1"
    assert values[nodes.state("ok", 2)] == "1"
    assert nodes.state(broken, 2) not in values
    finding = (f'chainmend_finding{{target="{nodes.target}",address="%s",'
               'finding="address-differs"}')
    assert values[finding % nodes.at(3)] == "1"
    assert finding % nodes.at(2) not in values

    nodes.put(3, nodes.whole)
    event = m.event(4)
    assert event["address"] == nodes.at(3) and event["chain_changed"]
    assert event["verdict"] is None and not event["first"]
    assert event["profiles"][0]["was"] == broken
    values = m.values()
    assert values[nodes.state("ok")] == values[nodes.state("ok", 3)] == "1"
    assert values[nodes.state(broken)] == values[nodes.state(broken, 3)] == "0"
    assert values[finding % nodes.at(3)] == "0"

    # One goes, and one comes where nobody listens.
    nodes.name(4, 3)
    name, fourth = m.event(5), m.event(6)
    assert "address" not in name and name["reachable"] and not name["first"]
    assert name["addresses"] == [nodes.at(3), nodes.at(4)]
    assert (name["came"], name["gone"]) == ([nodes.at(4)], [nodes.at(2)])
    assert (fourth["address"], fourth["first"]) == (nodes.at(4), True)
    assert not fourth["reachable"] and "refused" in fourth["trouble"]
    values = m.values()
    assert not [k for k in values if nodes.at(2) in k]
    assert values[nodes.state("unreachable", 4)] == "1"
    assert values[nodes.state("ok")] == "1"
    up = f'chainmend_target_up{{target="{nodes.target}"%s}}'
    assert values[up % ""] == "1"
    assert values[up % f',address="{nodes.at(4)}"'] == "0"
    assert m.stop() == 0
    assert [e["number"] for e in m.events()] == [1, 2, 3, 4, 5, 6]


def test_addresses_outlive_a_kill(monitor, nodes):
    nodes.put(2, nodes.whole)
    nodes.put(3, nodes.half)
    m = monitor([nodes.target], "--all-addresses", prefix=nodes.name(2, 3))
    m.event(3)
    looks = f'chainmend_target_looks_total{{target="{nodes.target}"}}'

    def again():
        m.stop(signal.SIGKILL)
        m.start()

    def look_twice():
        before = int(m.values()[looks])
        wait_until(lambda: int(m.values()[looks]) >= before + 2, "two looks")

    again()
    assert m.values()[nodes.state("missing-intermediate", 3)] == "1"
    look_twice()
    assert len(m.events()) == 3
    # What changed while it was dead is one event.
    m.stop(signal.SIGKILL)
    nodes.put(3, nodes.whole)
    nodes.name(3)
    m.start()
    gone, third = m.event(4), m.event(5)
    assert (gone["came"], gone["gone"]) == ([], [nodes.at(2)])
    assert third["address"] == nodes.at(3) and not third["first"]
    assert third["profiles"][0]["was"] == "missing-intermediate"
    again()
    look_twice()
    # A name that is not found has the addresses that it had.
    nodes.name()
    away = m.event(6)
    assert not away["reachable"] and "does not resolve" in away["trouble"]
    assert away["addresses"] == away["gone"] == away["came"] == []
    values = m.values()
    assert values[nodes.state("unreachable", 3)] == "1"
    assert values[nodes.state("unreachable")] == "1"
    nodes.name(3)
    back = m.event(7)
    assert back["reachable"] and back["came"] == back["gone"] == []
    assert m.values()[nodes.state("ok", 3)] == "1"
    # And a new reading of the targets knows them all.
    m.process.send_signal(signal.SIGHUP)
    wait_until(lambda: m.err.read_text().count("watching 1 target") >= 2,
               "the reload")
    assert m.values()[nodes.state("ok", 3)] == "1"
    look_twice()
    assert len(m.events()) == 7


# As the first version made it.
OLD_STATE = """
CREATE TABLE target(name TEXT PRIMARY KEY, up INTEGER NOT NULL,
 trouble TEXT NOT NULL, verdict TEXT NOT NULL, chain BLOB,
 leaf_end_s INTEGER NOT NULL, until_s INTEGER NOT NULL, soon INTEGER NOT NULL,
 findings TEXT NOT NULL, past_findings TEXT NOT NULL, last_s INTEGER NOT NULL)
 WITHOUT ROWID;
CREATE TABLE opinion(target TEXT NOT NULL, profile TEXT NOT NULL,
 reason TEXT NOT NULL, past TEXT NOT NULL, until_s INTEGER NOT NULL,
 PRIMARY KEY(target, profile)) WITHOUT ROWID;
CREATE TABLE event(number INTEGER PRIMARY KEY AUTOINCREMENT, line BLOB NOT NULL);
PRAGMA application_id = 0x636d6d6f; PRAGMA user_version = 1;
"""


def test_a_state_from_before_is_read(chainmend, nodes, pki, tmp_path):
    nodes.put(2, nodes.whole)
    nodes.put(3, nodes.half)
    state, file = tmp_path / "old.db", tmp_path / "t"
    file.write_text(nodes.target)
    with sqlite3.connect(state) as db:
        db.executescript(OLD_STATE)
        db.execute("INSERT INTO target VALUES(?,1,'','ok',?,1,1,0,'','',1)",
                   (nodes.target, b"x" * 32))
        db.execute("INSERT INTO opinion VALUES(?,'plain','ok','ok',1)",
                   (nodes.target,))
    db.close()
    prefix = nodes.name(3, 2)
    args = ("watch", "-f", file, "--once", "--state", state, "--roots",
            pki.anchor.pem, "--offline")
    run = chainmend(*args, "--all-addresses", prefix=prefix)
    name, second, third = run.of_kind("change")
    assert not name["first"] and name["came"] == [nodes.at(2), nodes.at(3)]
    assert second["first"] and third["verdict"] == "missing-intermediate"
    assert run.status == 1, run
    # Without it, as ever, and with it again.
    nodes.servers.pop(3).stop()
    nodes.put(3, nodes.whole)
    run = chainmend(*args, prefix=prefix)
    event, = run.of_kind("change")
    assert event["profiles"][0]["was"] == "missing-intermediate"
    assert run.status == 0 and "addresses" not in event, run
    run = chainmend(*args, "--all-addresses", prefix=prefix)
    event, = run.of_kind("change")
    assert event["address"] == nodes.at(3) and run.status == 0, run
    nodes.name(2, 5)
    run = chainmend(*args, "--all-addresses", prefix=prefix)
    name, fifth = run.of_kind("change")
    assert (name["came"], name["gone"]) == ([nodes.at(5)], [nodes.at(3)])
    # One that is not reached is not seen, as check has it.
    assert run.status == 3 and fifth["address"] == nodes.at(5), run


def test_an_address_has_no_others(chainmend, nginx, pki, tmp_path):
    server = nginx(pki.leaf.pem, pki.leaf.key)
    file = tmp_path / "t"
    file.write_text(server.address)
    run = chainmend("watch", "-f", file, "--once", "--state", tmp_path / "s",
                    "--roots", pki.anchor.pem, "--offline",
                    "--all-addresses")
    event, = run.of_kind("change")
    assert event["verdict"] == "missing-intermediate", run
    assert "addresses" not in event, run


@pytest.mark.parametrize("kind,scheme", [("http", "http"),
                                         ("socks", "socks5")])
def test_through_a_proxy(chainmend, nginx, pki, tmp_path, kind, scheme):
    """Names are looked up by the proxy, plain protocols begin behind it, and
    one that does not answer is told."""
    server = nginx(pki.file("way.pem", pki.leaf, pki.intermediate),
                   pki.leaf.key)
    mail = Server(TALKS["smtp"], pki.leaf.pem, pki.leaf.key)
    proxy = Proxy(kind, user="me", password="pw-of-mine")
    password, file = tmp_path / "password", tmp_path / "t"
    password.write_text("pw-of-mine\n")
    targets = [f"localhost:{server.port}", mail.address]
    file.write_text(f"{targets[0]}\n{targets[1]} starttls=smtp\n")
    try:
        args = ("watch", "-f", file, "--once", "--state", tmp_path / "s.db",
                "--roots", pki.anchor.pem, "--offline", "--proxy")
        run = chainmend(*args, f"{scheme}://me@127.0.0.1:{proxy.port}",
                        "--proxy-password-file", password)
        got = {e["target"]: e for e in run.of_kind("change")}
        assert got[targets[0]]["verdict"] is None, run
        assert got[targets[1]]["verdict"] == "missing-intermediate"
        assert sorted(proxy.asked) == sorted(targets)
    finally:
        mail.stop()
        proxy.stop()
    run = chainmend(*args, f"{scheme}://127.0.0.1:{proxy.port}")
    assert run.status == 3, run
    assert not any(e["reachable"] for e in run.of_kind("change")), run


def test_with_a_certificate_of_our_own(chainmend, nginx, pki, tmp_path):
    """Wanted, refused, taken: the first is a warning, the second a fault."""
    ca = pki.root("Client CA of watch")
    own = ca.issue("client 9", sans=["DNS:client9.example"],
                   usage="clientAuth")
    server = nginx(pki.file("own.pem", pki.leaf, pki.intermediate),
                   pki.leaf.key, more="ssl_verify_client on; "
                   f"ssl_client_certificate {ca.pem};")
    file = tmp_path / "t"
    file.write_text(server.address)

    def look(n, *args):
        run = chainmend("watch", "-f", file, "--once", "--state",
                        tmp_path / f"{n}.db", "--roots", pki.anchor.pem,
                        "--offline", *args)
        event, = run.of_kind("change")
        return run.status, event["verdict"], event["reachable"]

    assert look(1, "--cert", own.pem, "--key", own.key) == (0, None, True)
    assert look(2) == (0, None, True)
    stranger = pki.self_signed
    assert look(3, "--cert", stranger.pem, "--key", stranger.key) == (
        1, "client-certificate-refused", True)


def test_silent_servers_hold_up_nobody_and_not_the_end(monitor, nginx, pki):
    whole = pki.file("silent.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    with socket.create_server(("0.0.0.0", 0)) as silent:
        port = silent.getsockname()[1]
        m = monitor([f"127.0.1.{i}:{port}" for i in range(1, 5)] +
                    [server.address], "--rate", "100")
        assert m.event(1)["target"] == server.address
        began = time.monotonic()
        assert m.stop() == 0
        assert time.monotonic() - began < 4  # the time of a look is 5 s


def test_neighbours_on_one_host_take_turns(monitor, nginx, pki):
    """Due every second, and a second apart: none may starve."""
    whole = pki.file("turns.pem", pki.leaf, pki.intermediate)
    all_ = [nginx(whole, pki.leaf.key).address for _ in range(3)]
    m = monitor(all_)
    looks = [f'chainmend_target_looks_total{{target="{a}"}}' for a in all_]
    wait_until(lambda: all(int(m.values()[x]) >= 2 for x in looks), "turns")
    counts = [int(m.values()[x]) for x in looks]
    assert max(counts) - min(counts) <= 1, counts


@pytest.mark.parametrize("words,says", [
    ((), "an interface or -f"),
    (("-f", "{t}", "lo"), "one of the two"),
    (("-f", "{t}", "--every", "soon"), "90s"),
    (("-f", "{t}", "--filter", "tcp"), "go with an interface"),
    (("--every", "6h", "lo"), "go with -f"),
    (("--allow-private", "lo"), "go with -f"),
    (("--all-addresses", "lo"), "go with -f"),
    (("--proxy", "http://127.0.0.1:1", "lo"), "go with -f"),
    (("-f", "{t}", "--proxy", "gopher://127.0.0.1"), "http://"),
    (("-f", "{t}", "--proxy-password-file", "{t}"), "goes with --proxy"),
    (("-f", "{t}", "--key", "{t}"), "--key goes with --cert"),
    (("-f", "{t}", "--cert", "{t}"), "certificate"),
    (("-f", "/no/such/file"), "/no/such/file"),
    (("-f", "{bad}"), "line 1"),
    (("-f", "{t}", "--metrics", "nonsense"), "nonsense"),
    (("-f", "{t}", "--state", "/proc/none/s.db"), "/proc/none"),
])
def test_what_is_wrong_is_said(chainmend, tmp_path, words, says):
    (tmp_path / "t").write_text("127.0.0.1:1\n")
    (tmp_path / "bad").write_text("a;b\n")
    words = [w.format(t=tmp_path / "t", bad=tmp_path / "bad") for w in words]
    if "-f" in words and "--state" not in words:
        words += ["--state", str(tmp_path / "s.db")]
    run = chainmend("watch", *words)
    assert run.status in (2, 3), run
    assert says in run.err and len(run.err.splitlines()) == 1, run


def test_a_second_monitor_is_refused(monitor, chainmend, nginx, pki):
    whole = pki.file("second.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    m = monitor([server.address])
    run = chainmend("watch", "-f", m.file, "--once", "--state",
                    m.dir / "state.db")
    assert run.status == 3 and "another monitor" in run.err, run


def test_a_full_disk_keeps_events_waiting(monitor, nginx, pki, tmp_path):
    whole = pki.file("full.pem", pki.leaf, pki.intermediate)
    server = nginx(whole, pki.leaf.key)
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    directory = tmp_path / "monitor"
    directory.mkdir()
    (directory / "events.ndjson").symlink_to("/dev/full")
    m = monitor([server.address])
    wait_until(lambda: m.values()["chainmend_monitor_events_waiting"] == "1",
               "an event that waits")
    assert "events wait" in m.err.read_text()
    m.events_file.unlink()
    m.process.send_signal(signal.SIGHUP)
    assert m.event(1)["number"] == 1
    wait_until(lambda: m.values()["chainmend_monitor_events_waiting"] == "0",
               "it is out")
