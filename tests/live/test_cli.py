# SPDX-License-Identifier: Apache-2.0
"""The command line as such: help, wrong words, output that cannot go out."""
import json
import os
import subprocess

import pytest


@pytest.fixture
def commands(chainmend):
    run = chainmend("help", "--json")
    assert run.status == 0, run
    return [json.loads(line) for line in run.out.splitlines()]


def test_overview_names_every_command(chainmend, commands):
    assert commands
    overview = chainmend("--help").out
    assert overview == chainmend("help").out
    for command in commands:
        assert f"  {command['name']} " in overview


def test_help_of_each_command_starts_with_an_example(chainmend, commands):
    for command in commands:
        run = chainmend(command["name"], "--help")
        assert run.status == 0 and run.err == "", run
        first, second = run.out.splitlines()[:2]
        assert first == "examples:"
        assert "chainmend " + command["name"] in command["examples"]
        assert second.startswith("  ")
        assert run.out == chainmend("help", command["name"]).out
        for option in command["options"]:
            assert "--" + option["name"] in run.out


def test_help_fits_a_terminal_and_says_all(chainmend, commands):
    """80 columns, but for the examples and ways of use."""
    for command in commands:
        run = chainmend(command["name"], "--help")
        options = run.out.split("\noptions:\n", 1)[1]
        assert max(map(len, options.splitlines())) <= 80, command["name"]
        words = " ".join(options.split())
        for text in [o["help"] for o in command["options"]] + [
                command["notes"] or ""]:
            assert " ".join(text.split()) in words
        assert "\n\nusage: " in run.out


def unfilled(text):
    """Lines of prose that could have held the first word of the next."""
    lines = text.splitlines()
    for line, below in zip(lines, lines[1:]):
        if not line or not below or " " in (line[0], below[0]):
            continue
        gap = 2 if line.endswith(".") else 1
        if len(line) + gap + len(below.split()[0]) <= 80:
            yield line


def test_paragraphs_of_help_flow(chainmend, commands):
    assert list(unfilled("a target is NAME,\nan address\n")) == [
        "a target is NAME,"]
    for command in commands:
        said = chainmend(command["name"], "--help").out
        notes = said.split(" this text\n", 1)[1]
        assert notes.strip() or not command["notes"]
        assert list(unfilled(notes)) == [], command["name"]
        assert not [line for line in notes.splitlines()
                    if line.endswith(" ") or "   " in line.strip()]
        # What is set apart stays as it was written.
        for line in (command["notes"] or "").splitlines():
            if line.startswith(" "):
                assert line in notes.splitlines()


def test_summaries_read_as_one_list(commands):
    for command in commands:
        summary = command["summary"]
        assert summary[0].islower() and summary[-1] not in ".;", summary
        assert len(summary) <= 66 and "\n" not in summary, summary
        # "say why", not "says why" or "the reason why".
        first = summary.split()[0].rstrip(",")
        assert not first.endswith("s") and first not in ("the", "a"), summary


def test_words_that_mean_the_same_everywhere(commands):
    for command in commands:
        names = [o["name"] for o in command["options"]]
        assert len(names) == len(set(names)), command["name"]
        letters = [o["letter"] for o in command["options"] if o["letter"]]
        assert len(letters) == len(set(letters)), command["name"]
        assert {"quiet", "verbose", "color"} <= set(names)
        for option in command["options"]:
            assert option["help"].rstrip()
            assert not option["help"].removesuffix(" ...").endswith(".")


def test_each_command_refuses_an_unknown_option(chainmend, commands):
    for command in commands:
        run = chainmend(command["name"], "--no-such-option")
        assert run.status == 2 and run.out == "", run
        assert run.err.startswith("chainmend: ") and run.err.count("\n") == 1


@pytest.mark.parametrize("args", [["--help"], ["--version"],
                                  ["help", "--json"]])
def test_output_that_nobody_gets_is_no_success(program, clean_env, args):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program, *args], stdout=full, env=clean_env,
                              stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 3
    assert done.stderr == "chainmend: cannot write to standard output\n"


def test_a_closed_pipe_is_an_error_not_a_death(program, clean_env):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([program, "help", "--json"], env=clean_env,
                          stdout=writer, stderr=subprocess.PIPE, timeout=30)
    os.close(writer)
    assert done.returncode == 3


def test_help_and_version_are_had_as_people_ask_for_them(chainmend, commands):
    assert chainmend("-h").out == chainmend("--help").out
    for name in (command["name"] for command in commands):
        run = chainmend(name, "-h")
        assert run.status == 0 and run.out == chainmend(name, "--help").out
        run = chainmend(name, "--version")
        assert run.status == 0 and run.out == chainmend("--version").out


@pytest.mark.parametrize("args, near", [
    (["cneck"], '"check"'), (["exlpain", "x"], '"explain"'),
    (["check", "--rots", "r", "x"], '"--roots"'),
    (["mend", "--outptu", "o", "x"], '"--output"'),
    (["check", "--profile", "android-7", "x"], '"android-7.0"'),
    (["explain", "--profile", "fierfox", "/dev/null"], '"firefox"'),
    (["show", "--profile", "fierfox", "x"], '"firefox"'),
    (["worker", "--redis", "unix:///no-such", "--profile", "fierfox"],
     '"firefox"'),
    (["submit", "--redis", "unix:///no-such", "--profile", "fierfox", "x"],
     '"firefox"'),
    (["nothing-like-it"], None), (["check", "--nothing-like-it"], None),
])
def test_a_slip_of_the_finger_is_understood_and_refused(chainmend, args, near):
    run = chainmend(*args)
    assert run.status == 2 and run.out == ""
    if near:
        assert f"but there is {near};" in run.err
    else:
        assert "but there is" not in run.err


@pytest.mark.parametrize("args", [
    ["show", "--profile", "firefox", "--profile", "curl", "x.example"],
    ["show", "--profile", "all", "x.example"],
    ["show", "--profile", "firefox", "--policy", "webpki", "x.example"],
    ["submit", "--redis", "unix:///no-such", "--profile", "firefox",
     "--captures", "."],
    ["compare", "--profile", "firefox", "a", "b"],
    ["cache", "list", "--profile", "x"],
    ["watch", "--profile", "firefox", "lo"],
])
def test_a_profile_that_nobody_would_heed_is_refused(chainmend, args):
    run = chainmend(*args)
    assert run.status == 2 and "--profile" in run.err


@pytest.mark.parametrize("args, says", [
    (["check", "-4", "-6", "x.example"], "-4 and -6 exclude"),
    (["show", "-6", "-4", "x.example"], "-4 and -6 exclude"),
    (["watch", "-f", "/dev/null", "-4", "-6"], "-4 and -6 exclude"),
    (["worker", "--redis", "unix:///no-such", "-4", "-6"], "-4 and -6"),
    (["check", "--jobs", "5", "x.example"], "--jobs goes with -f"),
    (["check", "--rate", "5", "x.example"], "--rate goes with -f"),
    (["check", "--per-host", "5", "x.example"], "--per-host goes with -f"),
    (["check", "--retry", "5", "x.example"], "--retry goes with -f"),
    (["check", "--resume", "r", "x.example"], "--resume goes with -f"),
    (["check", "--handshake", "x.example"], "--handshake goes with -f"),
    (["check", "--nagios", "--json", "x.example"], "leave out --json"),
    (["explain", "--allow-private", "x.pcap"], "goes with --online"),
    (["watch", "-f", "/dev/null", "--user", "nobody"], "an interface"),
    (["watch", "-f", "/dev/null", "--require-sandbox"], "an interface"),
    (["watch", "--keep-max", "3", "lo"], "goes with --keep"),
    (["mend", "--policy", "webpki", "--profile", "firefox", "x.example"],
     "a profile has rules of its own"),
    (["phone", "--offline", "test"], "not for a phone"),
    (["phone", "--online", "pin"], "not for a phone"),
    (["phone", "--strict", "pin"], "goes with test"),
    (["phone", "--nagios", "discover"], "goes with test"),
    (["phone", "--nagios", "--json", "test"], "leave out --json"),
])
def test_what_would_have_no_effect_is_refused(chainmend, args, says):
    run = chainmend(*args)
    assert run.status == 2 and says in run.err and run.out == "", run
    assert run.err.count("\n") == 1, run
    assert not os.path.exists("r")


def closed(program, env, numbers, *args):
    return subprocess.run(
        [program, *map(str, args)], env=env, timeout=60, text=True,
        stdout=None if 1 in numbers else subprocess.PIPE,
        stderr=None if 2 in numbers else subprocess.PIPE,
        preexec_fn=lambda: [os.close(n) for n in numbers])


def test_what_is_said_never_goes_into_a_file_in_its_place(
        program, clean_env, pki, tmp_path):
    """Closed, a standard descriptor's number is the next file's."""
    page, chain = tmp_path / "page.html", tmp_path / "chain.pem"
    leaf, roots = pki.leaf.pem, pki.anchor.pem
    for numbers in ((1,), (2,), (0, 1, 2)):
        done = closed(program, clean_env, numbers, "check", leaf, "--offline",
                      "--roots", roots, "--html", page)
        assert done.returncode == (3 if 1 in numbers else 1)
        text = page.read_text()
        assert text.startswith("<!doctype") and text.endswith("</html>\n")
        page.unlink()
        closed(program, clean_env, numbers, "mend", leaf, pki.intermediate.pem,
               "--offline", "--roots", roots, "-o", chain)
        assert set(chain.read_text().split("-----")[1::2]) == {
            "BEGIN CERTIFICATE", "END CERTIFICATE"}
        assert "chainmend:" not in chain.read_text()
        chain.unlink()


@pytest.mark.parametrize("args", [
    ["explain", "-"], ["check", "-"], ["check", "-f", "-"]])
def test_a_closed_standard_input_is_no_empty_one(program, clean_env, args):
    done = closed(program, clean_env, (0,), *args)
    assert done.returncode == 3
    assert "standard input" in done.stderr and "empty" not in done.stderr


def test_a_lost_report_of_a_capture_is_no_success(
        program, clean_env, tmp_path):
    """The child's report went into a memory file in standard output's place."""
    capture = tmp_path / "none.pcap"
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000"
                                      "0000040001000000"))
    done = closed(program, clean_env, (), "explain", capture)
    assert done.returncode == 0 and "0 handshakes" in done.stdout
    assert closed(program, clean_env, (1,), "explain", capture).returncode == 3


def test_options_of_a_program_that_is_run_are_its_own(chainmend):
    run = chainmend("run", "env", "--version")
    assert run.status == 0 and "coreutils" in run.out
    run = chainmend("run", "--offline", "sh", "-c", "echo $CHAINMEND_OFFLINE")
    assert run.status == 0 and run.out == "1\n"


def test_failures_to_show_are_listed_before_anything_is_chosen(chainmend):
    run = chainmend("serve", "--break", "?")
    assert run.status == 0 and "missing-intermediate" in run.out


def test_json_is_json_whatever_the_verb(chainmend, pki, tmp_path):
    """Reading run.lines holds every line against the schema."""
    roots, issuer = ["--roots", pki.anchor.pem], pki.intermediate
    cache = ["--cache", tmp_path / "issuers.db", "--json"]

    run = chainmend("cache", "add", issuer.pem, pki.leaf.pem, *roots, *cache)
    assert run.status == 1
    assert [(e["sha256"], e["kept"]) for e in run.of_kind("event")] == [
        (issuer.sha256, True), (pki.leaf.sha256, False)]
    run = chainmend("cache", "check", *cache)
    assert run.status == 0
    event, = run.lines
    assert (event["issuers"], event["damaged"]) == (1, False)
    run = chainmend("cache", "prune", *cache, "--at", "2100-01-01T00:00:00Z")
    event, = run.lines
    assert (event["sha256"], event["says"]) == (issuer.sha256, "expired")
    assert chainmend("cache", "list", *cache).lines == []

    run = chainmend("data", "update", "--from", pki.anchor.pem, "--from",
                    issuer.pem, "-o", tmp_path / "known.bin", "--json")
    event, = run.lines
    assert (event["issuers"], event["roots"], event["changed"]) == (1, 1, True)

    names = ["--web", "web.corp.example", "--sip", "sip.corp.example"]
    run = chainmend("dhcp", "encode", *names, "--json")
    assert run.status == 0 and len(run.lines) > 3
    for event in run.lines:
        assert event["text"] == chainmend("dhcp", "encode", *names, "--format",
                                          event["format"]).out


@pytest.mark.parametrize("args, status, says", [
    (["cache", "list", "--cache", "redis://q.example"], 2, "is no file"),
    (["cache", "list", "--cache", "none.db"], 0, 'no "none.db" yet'),
    (["dhcp", "decode", "--43", "zz"], 2, "--43: not a hex digit"),
])
def test_what_was_wrong_is_said_with_its_place(chainmend, tmp_path, args,
                                               status, says):
    run = chainmend(*args, cwd=tmp_path)
    assert run.status == status and run.out == "" and says in run.err, run
