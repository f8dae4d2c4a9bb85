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
