"""Every command in README and docs is run as it stands, in a folder made by the README's own lines, or says why not.

What is in capitals or brackets there is filled in, and what would go on until Ctrl-C is given an end; nothing else is
changed. A command that no rule below knows fails: a rule is to be added, or the page mended.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import pytest
import yaml

from tests.mqtt.brokers import Mosquitto, mosquitto
from tests.setup import documented
from tests.setup.conftest import REPOSITORY, pin_line
from tuya.__main__ import COMMANDS
from tuya.setup.__main__ import _parser as install_parser
from tuya.setup.packages import CRYPTO_CURE

FOUND = documented.commands()
EXAMPLES = REPOSITORY / "docs" / "examples"
TIMEOUT_S = 120.0
COPIED = ("docs", "tests", "tuya", "install.sh", "plugin.py", "pyproject.toml", "README.md", ".gitignore")
NAME = "Kitchen"
KEY = "0123456789abcdef"
COLOURS = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
PRODUCTS = ("3lbgj7cu27nsmh0w", "jdj6ccklup7btq3a")  # TO-Q-SY2-JWT, which has thresholds, and TO-Q-SY1-JWT
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed here")


class Run(NamedTuple):
    """How a command is run. exits: what it may end with (docs/command-line.md: 1 is a fault of a device)."""

    shows: str = ""  # a regular expression for what is printed
    added: str = ""  # words behind it
    file: str = ""  # what FILE is
    typed: Tuple[Tuple[str, str], ...] = ()  # what it asks, as a regular expression, and the answer; at a terminal
    ended: bool = False  # by Ctrl-C, as soon as it shows that
    exits: Tuple[int, ...] = (0,)
    where: str = "plugin"  # a folder of the place; "copy": of its own, the command changes much
    of_one: str = ""  # the same, where it is told the name of one device
    without: str = ""  # a beginning that is another program's, which is not here


class NotRun(NamedTuple):
    """Why a command is not run, and what is looked at instead."""

    reason: str


BROKER = r"(?:URL|mqtt://[\w.@]+|\.\.\.)"
RULES: List[Tuple[str, Union[Run, NotRun]]] = [
    (r"cd ~/domoticz/plugins", Run(where="home")),
    (r"cd TuyaEnergy", Run(where="plugins")),
    (r"git clone ADDRESS-OF-THIS-REPOSITORY TuyaEnergy", Run(where="empty")),
    (r"git pull", Run(shows="up to date", where="plugin")),
    (r"sudo systemctl \w+ (--now )?(domoticz|tuya-mqtt)", NotRun("needs root and a service of the machine's")),
    (r"sudo apt install python3-pycryptodome", NotRun("needs root; the name is what the set-up names itself")),
    (r"tuya-cli wizard", NotRun("TuyAPI's program; what it prints is read by tests/keys/test_loose_text.py")),
    (r"bash install\.sh", Run(shows="lib/ is up to date")),
    (r"bash install\.sh --wheels wheels", Run(shows="work in a sub-interpreter", where="copy")),
    (r"bash install\.sh keys", Run(shows="is up to date", typed=(("> $", "snapshot.json"),))),
    (r"bash install\.sh keys FILE", Run(shows="is up to date", file="snapshot.json")),
    (r"bash install\.sh keys \.storage/core\.config_entries", Run(shows=r"Boiler \(.*\): added", where="copy")),
    (
        r"bash install\.sh keys --cloud",
        Run(
            shows="there is no data centre .nowhere.",
            typed=((r"Access ID.*: $", "me"), (r"Secret.*: $", "x"), (r"centre .*: $", "nowhere")),
            exits=(2,),
        ),
    ),
    (
        r"bash install\.sh demo",
        Run(shows="Boiler.*On", added="--stand-in", typed=((r"Boiler[^\n]* On ", "q"),), where="copy"),
    ),
    (r"bash install\.sh test( .*)?", NotRun("this test is a part of it; its words are parsed")),
    (r"bash install\.sh uninstall( --purge)?", Run(shows="Removed: lib/", where="copy")),
    (r"docker exec \w+ bash .*", Run(shows="lib/ is up to date", where="container", without="docker exec domoticz ")),
    (r"grep -i NAME-OR-PRODUCT-ID docs/devices\.md", Run(shows="jdj6ccklup7btq3a")),
    (r"python3 -m pip download .*-d wheels", Run(where="copy")),
    (
        r"python3 -m tuya ble (FILE|tests/data/[\w.-]+)",
        Run(shows="19 frames", file="tests/data/tongou-ble-capture.txt"),
    ),
    (r"python3 -m tuya decode FILE", Run(shows="power", file="dump.json")),
    (r"python3 -m tuya doctor( \[?NAME\]?)?", Run(shows="not well|not checked", added="--seconds 2", exits=(0, 1))),
    (r"python3 -m tuya host", Run(shows=NAME, ended=True)),
    (r"python3 -m tuya keys", Run(shows="is up to date", typed=(("> $", "snapshot.json"),))),
    (r"python3 -m tuya mqtt", Run(shows="--broker", exits=(2,))),  # where the page names the program, not the command
    (
        rf"(MQTT_PASSWORD=\.\.\. )?python3 -m tuya mqtt --broker {BROKER}",
        Run(shows="connected to the broker", ended=True),
    ),
    (rf"python3 -m tuya mqtt --broker {BROKER} --demo", Run(shows="connected to the broker", ended=True)),
    (rf"python3 -m tuya mqtt --broker {BROKER} --clean", Run()),
    (r"python3 -m tuya report( \[?NAME\]?)?", Run(shows='"dps"', added="--seconds 10")),
    (r"python3 -m tuya scan", Run(added="--seconds 1")),
    (r"python3 -m tuya set NAME 1=off", Run(shows=f"{NAME}: confirmed")),
    (
        r"python3 -m tuya set-threshold NAME over_voltage 265",
        Run(shows="over_voltage is now 265", typed=((r"\[y/N\] $", "y"),)),
    ),
    (r"simulate --fault help", Run(shows="asleep")),
    (r"(python3 -m tuya )?simulate( --json)?( --fault [\w=]+)?", Run(shows=r"jdj6ccklup7btq3a", ended=True)),
    (
        r"(python3 -m tuya )?watch( \[?NAME\]?)?( --json)?",
        Run(shows="connected.*connected", ended=True, of_one="connected"),
    ),
    (r"python3 -m tuya\.metering\.catalogue", Run()),
    (r"python3 -m tuya\.metering\.supported", Run(where="copy")),
    (r"python3 -m tuya\.setup\.release FOLDER", NotRun("fetches packages: tests/setup/test_release.py")),
    (r"python3 -m tuya\.setup\.resolve", NotRun("asks the package index: tests/setup/test_resolve.py")),
    (r"python3? -m tests\.bench\.lan_path", Run(shows=r"3\.3: ours", added="1 200")),
    (r"python3? -m tests\.bench\.energy --drawn --seed 13", Run(shows="usage", added="--help")),
    (r"python3? -m tests\.bench\.energy( .*)?", Run(shows="kettle", added="--scenario SY1 --profile kettle --days 1")),
    (r"python3? -m tests\.bench\.mqtt", NotRun("takes two minutes and a Mosquitto")),
    (r"python3? -m tests\.bench\.\w+( --\w+( [\w.,]+)?)*", Run(shows="usage", added="--help")),  # 10 to 20 minutes each
    (r"python -m pytest tests/domoticz/test_publishing_hour\.py .*", NotRun("is one of these tests")),
]


def rule_of(command: str) -> Union[Run, NotRun, None]:
    return next((rule for pattern, rule in RULES if re.fullmatch(pattern, command)), None)


class Place:
    """A home folder in which the README's block of Install was typed, with two breakers in its network."""

    def __init__(self, folder: Path, wheelhouse: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.plugins = self.home / "domoticz" / "plugins"
        self.plugin = self.plugins / "TuyaEnergy"
        self.origin = folder / "repository"
        self.broker: Optional[Mosquitto] = None
        self.wheelhouse = wheelhouse
        self._copies = 0
        programs = folder / "bin"
        for path in (self.plugins, programs, folder / "empty"):
            path.mkdir(parents=True)
        for name in ("python3", "python"):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            (programs / name).chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")},
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "TERM": "xterm",
            "COLUMNS": "120",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheelhouse),
            **{
                f"GIT_{who}_{what}": "somebody@example.org"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }

    def make_origin(self) -> None:
        """The repository as it lies here, committed, pinned to the wheels that need no network."""
        self.origin.mkdir()
        left_out = shutil.ignore_patterns("__pycache__")
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, self.origin / name, ignore=left_out)
            else:
                shutil.copy(source, self.origin)
        pins = {path.name.split("-")[0]: pin_line(path) for path in self.wheelhouse.glob("*.whl")}
        (self.origin / "requirements.txt").write_text(pins["tinytuya"] + pins["pycryptodome"])
        (self.origin / "requirements-cli.txt").write_text(pins["mdurl"])
        self.bash("git init -q . && git add -A && git commit -q -m 'as it is'", self.origin)

    def bash(self, line: str, cwd: Path, typed: Tuple[Tuple[str, str], ...] = ()) -> Tuple[int, str]:
        """Run one line; with `typed` at a terminal, where each question gets its answer, else without one.

        Returns the exit code and what it said.
        """
        mine, its = pty.openpty() if typed else os.pipe()
        process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=cwd,
            env=self.environment,
            stdin=its if typed else subprocess.DEVNULL,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        said, answers = b"", list(typed)
        until_s = time.monotonic() + TIMEOUT_S
        try:
            while select.select([mine], [], [], max(0.0, until_s - time.monotonic()))[0]:
                try:
                    data = os.read(mine, 65536)
                except OSError:  # a terminal whose other end is closed
                    data = b""
                if not data:
                    return process.wait(TIMEOUT_S), said.decode(errors="replace").replace("\r\n", "\n")
                said += data
                plain = COLOURS.sub("", said.decode(errors="replace"))
                if answers and re.search(answers[0][0], plain):
                    os.write(mine, f"{answers.pop(0)[1]}\n".encode())
            pytest.fail(f"{line}\ndid not end within {TIMEOUT_S} s\n{said.decode(errors='replace')}")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            os.close(mine)

    def until_ctrl_c(self, line: str, cwd: Path, shows: str) -> Tuple[int, str]:
        """Run one line that goes on, press Ctrl-C when it has shown that; returns the exit code and what it said."""
        with subprocess.Popen(
            ["bash", "-c", line],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            said = ""
            for text in process.stdout:
                said += text
                if re.search(shows, said, re.DOTALL):
                    break
            os.killpg(process.pid, signal.SIGINT)
            said += process.stdout.read()
        return process.returncode, said

    def folder_of(self, where: str) -> Path:
        """Where a command is typed."""
        if where == "copy":
            self._copies += 1
            copy = self.folder / f"copy{self._copies}"
            shutil.copytree(self.plugin, copy, symlinks=True)
            return copy
        folders = {"home": self.home, "plugins": self.plugins, "empty": self.folder / "empty", "plugin": self.plugin}
        if where == "container":
            inside = self.folder / "container" / "userdata" / "plugins"
            inside.mkdir(parents=True, exist_ok=True)
            if not (inside / "TuyaEnergy").exists():
                (inside / "TuyaEnergy").symlink_to(self.plugin)
            return self.folder / "container"
        return folders[where]

    def filled_in(self, command: str, rule: Run, name: str) -> str:
        """The command with everything in it that a person puts in."""
        line = command[len(rule.without) :]
        if line.split()[0] in COMMANDS:
            line = f"python3 -m tuya {line}"  # as the page says at its beginning
        values = {
            r"\[?\bNAME\b\]?": name,
            r"\bFILE\b": rule.file,
            "ADDRESS-OF-THIS-REPOSITORY": f"'{self.origin}'",
            "NAME-OR-PRODUCT-ID": "to-q-sy1",
        }
        line = line.replace("NAME-OR-PRODUCT-ID", values.pop("NAME-OR-PRODUCT-ID"))
        if "--broker" in line:
            assert self.broker is not None
            line = re.sub(
                rf"--broker {BROKER}",
                lambda found: f"--broker mqtt://{'me@' if '@' in found[0] else ''}127.0.0.1:{self.broker.port}",  # type: ignore[union-attr]
                line,
            )
        for pattern, value in values.items():
            line = re.sub(pattern, value, line)
        return f"{line} {rule.added}".strip()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Iterator[Place]:
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    made = Place(tmp_path_factory.mktemp("documented"), wheelhouse)
    made.make_origin()
    with ExitStack() as cleaning:
        exported = serve_breakers(made, cleaning)
        (made.home / "exported.json").write_text(json.dumps(exported))
        type_the_block_of_install(made)
        fill(made.plugin, exported)
        try:
            broker_folder = made.folder / "broker"
            broker_folder.mkdir()
            made.broker = cleaning.enter_context(mosquitto(broker_folder))
        except pytest.skip.Exception:
            made.broker = None
        yield made


def serve_breakers(place: Place, cleaning: ExitStack) -> List[Dict[str, object]]:
    """Start two simulated breakers; returns what an export of their keys holds."""
    simulator = subprocess.Popen(
        [sys.executable, "-m", "tuya", "simulate", "--json", "--product", *PRODUCTS, "--count", "2"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    cleaning.callback(simulator.wait)
    cleaning.callback(simulator.terminate)
    assert simulator.stdout is not None
    exported: List[Dict[str, object]] = json.loads(simulator.stdout.readline())
    exported[0]["name"] = NAME
    return exported


def fill(plugin: Path, exported: List[Dict[str, object]]) -> None:
    """What else a person has in that folder: exports, a dump, Home Assistant's file."""
    (plugin / "snapshot.json").write_text(json.dumps({"timestamp": 1, "devices": exported}))
    dump = {"product_id": "jdj6ccklup7btq3a", "dps": {"1": True, "20": 2301, "18": 435, "19": 1000}}
    (plugin / "dump.json").write_text(json.dumps(dump))
    boiler = {"device_id": "bf0123456789abcdefghij", "friendly_name": "Boiler", "host": "192.168.1.5", "local_key": KEY}
    entry = {"domain": "localtuya", "title": "localtuya", "data": {"devices": {boiler["device_id"]: boiler}}}
    (plugin / ".storage").mkdir()
    document = {"version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
    (plugin / ".storage" / "core.config_entries").write_text(json.dumps(document))


def type_the_block_of_install(place: Place) -> None:
    """Type the README's lines of Install one after another; what needs root is left out."""
    (block,) = (
        block
        for block in documented.blocks(REPOSITORY / "README.md")
        if re.search("^git clone ", block.text, re.MULTILINE)
    )
    folder = place.home
    for line in documented.lines_of(block):
        rule = rule_of(line)
        assert rule is not None, line
        if isinstance(rule, NotRun):
            continue
        # cd's effect is what the next line needs
        typed = (("> $", str(place.home / "exported.json")),) if line.endswith(" keys") else rule.typed
        marked = f"{place.filled_in(line, rule, NAME)} && printf '\\n%s' \"$PWD\""
        code, said = place.bash(marked, folder, typed)
        assert code == 0, f"{line}\n{said}"
        folder = Path(said.rsplit("\n", 1)[1])
    assert folder == place.plugin
    assert json.loads((place.plugin / "devices.json").read_text())[0]["name"] == NAME


@pytest.mark.parametrize("command", sorted(FOUND))
def test_a_documented_command_does_what_it_says(place: Place, command: str) -> None:
    rule = rule_of(command)
    assert rule is not None, f"{command!r} in {sorted(FOUND[command])} is known by no rule of this file"
    if isinstance(rule, NotRun):
        assert rule.reason
        return
    if "--broker" in command and place.broker is None:
        pytest.skip("no Mosquitto is installed (Debian's package mosquitto)")
    for name in (NAME, "") if "[NAME]" in command else (NAME,):  # square brackets: with it and without it
        line = place.filled_in(command, rule, name)
        folder = place.folder_of(rule.where)
        prepare(place, command, folder)
        shows = (rule.of_one if NAME in line else "") or rule.shows
        if rule.ended:
            code, said = place.until_ctrl_c(line, folder, shows)
        else:
            code, said = place.bash(line, folder, rule.typed)
        assert code in rule.exits, f"{line}\nended with {code}\n{said}"
        assert re.search(shows, said, re.DOTALL), f"{line}\n{said}"
        assert "Traceback" not in said
        assert KEY not in said


def prepare(place: Place, command: str, folder: Path) -> None:
    """What the sentences before a command have done."""
    if command.endswith("--wheels wheels"):
        shutil.rmtree(folder / "lib")
        shutil.copytree(place.wheelhouse, folder / "wheels")


def test_every_rule_is_of_a_command_that_is_there_or_may_be() -> None:
    """A rule that no command needs any more is taken out, except where it knows how pages may put it as well."""
    unused = [pattern for pattern, _ in RULES if not any(re.fullmatch(pattern, command) for command in FOUND)]
    assert [pattern for pattern in unused if "(" not in pattern] == []


def test_options_of_what_is_not_run_are_parsed() -> None:
    for command in FOUND:
        words = command.split()
        if words[:2] == ["bash", "install.sh"] and words[2:3] != ["keys"]:
            given = words[2:] if words[2:] and not words[2].startswith("-") else ["install", *words[2:]]
            install_parser().parse_args(given)


def test_every_option_that_a_page_names_is_known_to_a_program() -> None:
    known = set(documented.options_of(install_parser()))
    for name in COMMANDS:
        known |= documented.options_of(documented.parser_of(name))
    for page in documented.PAGES:
        for span in documented.spans(page):
            if span.startswith("-"):
                for option in documented.options_in(span):
                    assert option in known, f"{page.name}: {span}"


def test_the_package_of_the_distribution_is_named_as_the_set_up_names_it() -> None:
    named = [command for command in FOUND if command.startswith("sudo apt install")]
    assert named == [CRYPTO_CURE]


def compose_files() -> List[Tuple[str, Path, str]]:
    found = [(path.name, path.parent, path.read_text(encoding="utf-8")) for path in sorted(EXAMPLES.glob("*.yaml"))]
    for page in documented.PAGES:
        found += [(page.name, REPOSITORY, block.text) for block in documented.blocks(page) if block.language == "yaml"]
    return found


@pytest.mark.parametrize("example", compose_files(), ids=lambda example: example[0])
def test_a_compose_example_is_one(example: Tuple[str, Path, str], tmp_path: Path) -> None:
    _, folder, text = example
    document = yaml.safe_load(text)
    assert set(document) <= {"services", "volumes"}
    for service in document["services"].values():
        assert set(service) <= {"image", "network_mode", "volumes", "restart", "depends_on", "working_dir", "command"}
        assert re.fullmatch(r"[\w./-]+(:[\w.-]+)?", service["image"])
        assert service["network_mode"] == "host", "announcements reach no container on a bridge network"
        assert set(service.get("depends_on", ())) <= set(document["services"])
        for volume in service["volumes"]:
            source, target, *_ = volume.split(":")
            assert target.startswith("/")
            if source.startswith(".."):
                assert (folder / source / "install.sh").exists()
            elif not source.startswith("."):
                assert source in document["volumes"]
            elif folder == EXAMPLES:
                assert (folder / source).exists(), source
        if "command" in service:
            words = service["command"].split()
            assert words[:3] == ["python3", "-m", "tuya"]
            documented.parser_of(words[3]).parse_args(words[4:])


def test_the_configuration_of_the_broker_is_taken(tmp_path: Path) -> None:
    text = (EXAMPLES / "mosquitto.conf").read_text(encoding="utf-8")
    place = re.search(r"^listener (\d+) (\S+)$", text, re.MULTILINE)
    assert place is not None
    assert (place[1], place[2]) == ("1883", "127.0.0.1")
    lines = [line for line in text.splitlines() if not line.startswith(("listener", "persistence_location"))]
    with mosquitto(tmp_path, f"persistence_location {tmp_path}/", *(line for line in lines if "anonymous" not in line)):
        pass


def unit() -> str:
    (path,) = EXAMPLES.glob("*.service")
    return path.read_text(encoding="utf-8")


def test_the_systemd_unit_starts_what_there_is() -> None:
    start = re.search(r"^ExecStart=(.+)$", unit(), re.MULTILINE)
    assert start is not None
    words = start[1].split()
    assert words[:3] == ["/usr/bin/python3", "-m", "tuya"]
    documented.parser_of(words[3]).parse_args(words[4:])
    credential = re.search(r"^LoadCredential=(\w+):", unit(), re.MULTILINE)
    assert credential is not None
    assert f"${{CREDENTIALS_DIRECTORY}}/{credential[1]}" in words


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_the_systemd_unit_is_one_to_systemd(tmp_path: Path) -> None:
    copy = tmp_path / "tuya-mqtt.service"
    copy.write_text(re.sub("/usr/bin/python3", sys.executable, unit()))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if "tuya-mqtt" in line]
    assert about_it == []
