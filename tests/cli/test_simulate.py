"""python3 -m tuya simulate, as a process: what it prints, how it ends, what it takes from stdin."""

import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tinytuya

from tests.cli import in_process
from tuya.simulator import FAULTS

ROOT = Path(__file__).resolve().parents[2]


def start(*words, stdin=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, "-m", "tuya", "simulate", *words],
        cwd=ROOT,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def document(process):
    """The one line of JSON on stdout."""
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


@pytest.fixture
def simulate():
    started = []

    def run(*words, **options):
        started.append(start(*words, **options))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def device(entry):
    return tinytuya.Device(
        entry["id"],
        entry["ip"],
        entry["key"],
        port=entry["port"],
        version=float(entry["version"]),
        connection_timeout=3,
        connection_retry_limit=1,
    )


def status(entry):
    return device(entry).status()["dps"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_document_when_all_listen_and_a_clean_end(simulate, number):
    process = simulate("--version", "3.3", "--count", "3", "--noise", "0", "--load", "230")
    entries = document(process)
    assert [entry["name"] for entry in entries] == ["Smart breaker 1", "Smart breaker 2", "Smart breaker 3"]
    assert all(status(entry)["18"] == 1000 for entry in entries)
    code, rest, complaints = end(process, number)
    assert (code, rest, complaints) == (0, "", "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((entries[0]["ip"], entries[0]["port"]), timeout=1)


def test_products_and_versions_are_dealt_out(simulate):
    process = simulate("--product", "jdj6ccklup7btq3a", "kmnzgh4yn8pa0lqh", "--version", "3.3", "3.1", "--count", "4")
    entries = document(process)
    assert [(entry["product_id"][:3], entry["version"]) for entry in entries] == [("jdj", "3.3"), ("kmn", "3.1")] * 2
    assert "16" in status(entries[1])
    end(process)


def test_commands_from_stdin_are_carried_out_and_answered_on_stderr(simulate):
    process = simulate("--version", "3.3", "--noise", "0")
    (entry,) = document(process)
    for line, said in (
        ("1 load 460", "Smart breaker 1: load 460"),
        ("1 relay off", "Smart breaker 1: relay off"),
        ("1 explode", "not done: WHICH COMMAND"),
        ("1 relay on", "Smart breaker 1: relay on"),
        ("1 fault hide dps=[19]", "Smart breaker 1: fault hide"),
    ):
        process.stdin.write(line + "\n")
        process.stdin.flush()
        assert process.stderr.readline().startswith(said)
    dps = status(entry)
    assert dps["18"] == 2000
    assert "19" not in dps
    assert end(process)[:2] == (0, "")


def test_faults_from_the_start(simulate):
    process = simulate("--version", "3.3", "--noise", "0", "--fault", "hide=18,19", "--fault", "refresh=error")
    (entry,) = document(process)
    assert {"1", "20"} <= set(status(entry)) <= {str(dp) for dp in range(100)} - {"18", "19"}
    assert end(process)[0] == 0


def test_a_fault_from_the_start_that_changes_what_is_printed(simulate):
    process = simulate("--version", "3.3", "--fault", "version=3.5,dark_s=0", "--fault", "new_key=0123456789abcdef")
    (entry,) = document(process)
    assert (entry["version"], entry["key"]) == ("3.5", "0123456789abcdef")
    end_s = time.monotonic() + 5.0
    while "dps" not in (answer := device(entry).status()):  # it was dark for a moment
        assert time.monotonic() < end_s, answer
    assert answer["dps"]["1"] is True
    end(process)


def test_the_list_of_faults():
    done = subprocess.run(
        [sys.executable, "-m", "tuya", "simulate", "--fault", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    described = {line.split(":")[0].split(" ")[2] for line in done.stdout.splitlines() if re.match(r"  \w", line)}
    assert described == set(FAULTS)


def on_a_terminal(*words):
    """What `simulate` prints where stdout is a terminal, until it has said how to end it or printed a line of JSON."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tuya", "simulate", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=slave
    )
    os.close(slave)
    said = b""
    try:
        while not said.endswith((b"Ctrl-C ends.\r\n", b"]\r\n")):
            said += os.read(master, 65536)
    finally:
        process.terminate()
        assert process.wait(10) == 0
        os.close(master)
    return said.decode().replace("\r\n", "\n")


def test_a_table_for_people_on_a_terminal():
    said = on_a_terminal("--count", "3", "--version", "3.3", "3.5")
    lines = said.splitlines()
    for number, version in enumerate(("3.3", "3.5", "3.3"), start=1):
        assert re.fullmatch(rf"Smart breaker {number}  bf\w{{18}}  {version}  127\.0\.0\.1:\d+", lines[number - 1])
    assert "devices.json" in said
    assert max(map(len, lines)) <= 100
    assert not any("{" in line for line in lines)


def test_json_on_a_terminal_where_it_is_asked_for():
    (entry,) = json.loads(on_a_terminal("--json"))
    assert len(entry["key"]) == 16


def cpu_s(process):
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads CPU time from /proc")
@pytest.mark.parametrize("kind", ["closed pipe", "/dev/null"])
def test_the_end_of_stdin_ends_nothing_and_costs_nothing(simulate, kind):
    process = simulate(stdin=subprocess.PIPE if kind == "closed pipe" else subprocess.DEVNULL)
    (entry,) = document(process)
    if process.stdin is not None:
        process.stdin.close()
        process.stdin = None

    def used_in_a_second():
        before = cpu_s(process)
        time.sleep(1.0)
        return cpu_s(process) - before

    # one that turned in circles would use half a second and more each time, also beside busy neighbours
    assert min(used_in_a_second() for _ in range(3)) <= 0.1
    assert process.poll() is None
    assert status(entry)["1"] is True
    assert end(process)[0] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--product", "nothing"], "no simulated product nothing: one of jdj6ccklup7btq3a"),
        (["--host", "0.0.0.0"], "0.0.0.0 is not a loopback address"),  # noqa: S104 (must be refused)
        (["--host", "localhost"], "'localhost' does not appear to be an IPv4 or IPv6 address"),
        (["--count", "0"], "--count is 1 to 500"),
        *(([f"--load={load}"], "a load is at most 1000000 W") for load in ("1e308", "nan", "inf", "-1e7")),
        *(([f"--noise={noise}"], "noise is 0 (exact) to 100") for noise in ("nan", "-1", "1e9")),
        (["--version", "2.0"], "invalid choice: '2.0'"),
        (["--port", "65535", "--count", "2"], "--port"),
        (["--port", "-1"], "--port"),
        (["--fault", "explode"], "no fault 'explode': one of asleep, "),
        (["--fault", "latency=long"], "fault latency: delay_s is a number, not 'long'"),
        (["--fault", "latency=1,much=2"], "takes no 'much': delay_s, spread_s"),
        (["--fault", "new_key=short"], "a local key has 16 characters, not 5"),
        (["--fault", "move=0,host=192.168.1.5"], "not a loopback address"),
    ],
)
def test_wrong_use(words, complaint):
    code, lines, err = in_process.run("simulate", *words)
    assert (code, lines) == (2, [])
    assert complaint in err
    assert "Traceback" not in err


def test_a_port_in_use(simulate):
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = simulate("--port", str(server.getsockname()[1]))
        out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (1, "")
    assert "cannot listen" in err
    assert "Choose another --port" in err


def test_help_names_every_fault_and_product():
    done = subprocess.run(
        [sys.executable, "-m", "tuya", "simulate", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for word in ("device22", "half_open (once)", "policy=refuse (refuse|evict|wedge|allow)", "TO-Q-SY1-JWT", "WHICH"):
        assert word in done.stdout


def test_the_limit_of_open_files_is_enough_for_many(simulate):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = simulate("--count", "100", "--version", "3.3")
    assert len(document(process)) == 100 <= soft
    assert end(process)[0] == 0
