"""Domoticz and its Python, found in file systems made for the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuya.setup import find_domoticz
from tuya.setup.find_domoticz import Domoticz, find, python_of
from tuya.setup.running import Started, options_of, running


@pytest.fixture(autouse=True)
def _no_hints(monkeypatch):
    for name in ("DOMOTICZ_BIN", "DOMOTICZ_ROOT"):
        monkeypatch.delenv(name, raising=False)


def program(path: Path, content: bytes = b"#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def library(root: Path, relative: str) -> Path:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


PLUGIN = Path("/somewhere/plugin")


def test_nothing_there(tmp_path):
    assert find(PLUGIN, tmp_path) is None


def test_in_a_usual_folder_with_its_www(tmp_path):
    binary = program(tmp_path / "home/pi/domoticz/domoticz")
    (tmp_path / "home/pi/domoticz/www").mkdir()
    assert find(PLUGIN, tmp_path) == Domoticz(binary, tmp_path / "home/pi/domoticz", "usual folder")


def test_around_the_plugin_folder_before_a_usual_one(tmp_path):
    program(tmp_path / "opt/domoticz/domoticz")
    mine = program(tmp_path / "srv/dz/domoticz")
    found = find(tmp_path / "srv/dz/plugins/tuya", tmp_path)
    assert found is not None
    assert (found.binary, found.how) == (mine, "this plugin lies in its folder")


def test_named_by_a_service(tmp_path):
    binary = program(tmp_path / "srv/elsewhere/domoticz")
    unit = tmp_path / "etc/systemd/system/domoticz.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nUser=dz\nExecStart=-/srv/elsewhere/domoticz -www 8080\n")
    found = find(PLUGIN, tmp_path)
    assert found is not None
    assert (found.binary, found.how) == (binary, "service /etc/systemd/system/domoticz.service")


def test_running_process_wins_and_its_library_is_the_python(tmp_path):
    program(tmp_path / "opt/domoticz/domoticz")
    running = program(tmp_path / "srv/domoticz")
    process = tmp_path / "proc/77"
    process.mkdir(parents=True)
    (process / "comm").write_text("domoticz\n")
    (process / "cmdline").write_bytes(str(running).encode() + b"\0-www\08080\0")
    (process / "exe").symlink_to(running)
    mapped = "7f00-7f01 r-xp 0 08:01 12 /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0\n"
    (process / "maps").write_text("55-56 r-xp 0 08:01 11 /srv/domoticz\n" + mapped)
    interpreter = program(tmp_path / "usr/bin/python3.11")
    library(tmp_path, "usr/lib/libpython3.13.so")
    found = find(PLUGIN, tmp_path)
    assert found is not None
    assert (found.binary, found.pid) == (running, 77)
    loaded = python_of(found, tmp_path)
    assert loaded is not None
    assert (loaded.minor, loaded.library.name) == (11, "libpython3.11.so.1.0")
    assert loaded.interpreter in (str(interpreter), "/usr/bin/python3.11")


def test_a_process_whose_program_was_deleted_since_is_found(tmp_path):
    """An update of Domoticz that has not restarted it."""
    program(tmp_path / "opt/domoticz/domoticz")
    process = tmp_path / "proc/77"
    process.mkdir(parents=True)
    (process / "comm").write_text("domoticz\n")
    (process / "cmdline").write_bytes(b"/srv/domoticz\0-www\08080\0")
    (process / "exe").symlink_to("/srv/domoticz (deleted)")
    found = find(PLUGIN, tmp_path)
    assert found is not None
    assert (found.binary, found.pid, found.started.is_replaced) == (Path("/srv/domoticz"), 77, True)


def test_a_process_of_another_user_is_found_by_its_command_line(tmp_path):
    running = program(tmp_path / "srv/domoticz")
    process = tmp_path / "proc/78"
    process.mkdir(parents=True)
    (process / "comm").write_text("domoticz\n")
    (process / "cmdline").write_bytes(str(running).encode() + b"\0-www\08080\0-approot\0/srv/root\0")
    found = find(PLUGIN, tmp_path)
    assert found is not None
    assert (found.binary, found.pid, found.root) == (running, 78, Path("/srv/root"))
    assert not found.is_ours


def start(filesystem: Path, pid: int, binary: Path, *words: str) -> None:
    """Make it look as if a Domoticz were running."""
    process = filesystem / "proc" / str(pid)
    process.mkdir(parents=True)
    (process / "comm").write_text("domoticz\n")
    (process / "cmdline").write_bytes(b"\0".join(map(os.fsencode, (binary, *words))) + b"\0")
    (process / "exe").symlink_to(binary)
    (process / "cwd").symlink_to(filesystem / "srv")
    (process / "stat").write_text(f"{pid} (domoticz) S " + " ".join(["0"] * 18) + " 4200 0\n")


@pytest.mark.parametrize("way", ["another name", "loader"])
def test_a_domoticz_of_another_name_is_found(tmp_path, way):
    binary = program(tmp_path / "srv" / ("domoticz-beta" if way == "another name" else "domoticz"))
    loader = program(tmp_path / "lib64/ld-linux-x86-64.so.2")
    start(tmp_path, 80, binary if way == "another name" else loader, *["--", str(binary)][: 2 * (way == "loader")])
    (tmp_path / "proc/80/comm").write_text(f"{binary.name if way == 'another name' else loader.name[:15]}\n")
    found = find(PLUGIN, tmp_path)
    assert found is not None
    assert (found.binary, found.pid) == (binary, 80)


def test_another_program_that_the_loader_was_given_is_none(tmp_path):
    start(tmp_path, 80, program(tmp_path / "lib64/ld-linux-x86-64.so.2"), "/bin/cat", "file")
    (tmp_path / "proc/80/comm").write_text("ld-linux-x86-64\n")
    script = program(tmp_path / "bin/bash")
    start(tmp_path, 81, script, "/usr/bin/domoticz-watch.sh")
    (tmp_path / "proc/81/comm").write_text("domoticz-watch.\n")
    assert find(PLUGIN, tmp_path) is None


@pytest.mark.parametrize("way", ["userdata", "relative", "approot", "program", "file", "link"])
def test_of_several_the_one_that_holds_this_copy_counts(tmp_path, way):
    other = program(tmp_path / "opt/domoticz/domoticz")
    binary = program(tmp_path / "srv/dz/domoticz")
    plugin = tmp_path / ("srv/elsewhere/clone" if way == "link" else "srv/dz/plugins/TuyaEnergy")
    plugin.mkdir(parents=True)
    if way == "link":
        (tmp_path / "srv/dz/plugins").mkdir()
        (tmp_path / "srv/dz/plugins/TuyaEnergy").symlink_to(plugin)
    (tmp_path / "srv/dz.conf").write_text(f"# settings\nuserdata_path={tmp_path}/srv/dz\nlog_file=/var/log/mine.log\n")
    words = {
        "userdata": ["-approot", "/usr/share/domoticz", "-userdata", str(tmp_path / "srv/dz/")],
        "relative": ["-userdata", "dz"],
        "approot": ["-approot", str(tmp_path / "srv/dz")],
        "program": [],
        "file": ["-f", "dz.conf", "-userdata", "/not/used"],
        "link": [],
    }[way]
    start(tmp_path, 5, other, "-log", "/var/log/other.log")
    start(tmp_path, 77, binary, *words)
    found = find(plugin, tmp_path)
    assert found is not None
    assert (found.pid, found.is_ours, found.how) == (77, True, "it is running")
    assert found.started is not None
    assert found.started.log == (Path("/var/log/mine.log") if way == "file" else None)
    assert [one.pid for one in running(tmp_path) if one.pid != found.pid] == [5]


def test_one_that_does_not_run_but_holds_this_copy_comes_before_one_that_runs(tmp_path):
    other = program(tmp_path / "opt/domoticz/domoticz")
    mine = program(tmp_path / "srv/dz/domoticz")
    start(tmp_path, 5, other)
    plugin = tmp_path / "srv/dz/plugins/tuya"
    plugin.mkdir(parents=True)
    found = find(plugin, tmp_path)
    assert found is not None
    assert (found.binary, found.pid, found.is_ours) == (mine, None, True)


def test_one_in_a_root_of_its_own_is_passed_over(tmp_path):
    """A container's, a chroot's: its Python cannot be started here, even where it holds this very copy."""
    inside = tmp_path / "srv/chroot"
    binary = program(inside / "opt/domoticz/domoticz")
    plugin = inside / "opt/domoticz/plugins/TuyaEnergy"
    plugin.mkdir(parents=True)
    start(tmp_path, 5, binary)
    (tmp_path / "proc/5/root").symlink_to(inside)
    assert find(tmp_path / "elsewhere/TuyaEnergy", tmp_path) is None
    (one,) = find_domoticz.elsewhere(tmp_path)
    assert (one.pid, one.binary, one.is_elsewhere) == (5, Path("/opt/domoticz/domoticz"), True)
    assert one.holds(plugin)
    assert list(running(tmp_path)) == [one]

    native = program(tmp_path / "srv/native/domoticz")
    start(tmp_path, 7, native)
    (tmp_path / "proc/7/root").symlink_to(tmp_path)
    found = find(PLUGIN, tmp_path)
    assert found is not None
    assert (found.pid, found.binary) == (7, native)
    assert [one.pid for one in find_domoticz.elsewhere(tmp_path)] == [5]


def test_the_user_that_must_read_the_keys(tmp_path, monkeypatch):
    plugins = tmp_path / "plugins"
    plugin = plugins / "tuya"
    plugin.mkdir(parents=True)
    owners = {plugins: 11, plugin: 12}
    monkeypatch.setattr(find_domoticz, "account_of_owner", lambda path: owners[path])
    monkeypatch.setattr(find_domoticz, "account_of_process", lambda pid: {7: 13}[pid])
    running_ours = Domoticz(Path("/x"), Path("/"), "", 7, None, is_ours=True)
    running_other = Domoticz(Path("/x"), Path("/"), "", 7)
    assert find_domoticz.reader_of_keys(plugin, running_ours) == 13
    assert find_domoticz.reader_of_keys(plugin, running_other) == 11
    assert find_domoticz.reader_of_keys(plugin, None) == 11
    assert find_domoticz.reader_of_keys(plugins, None) == 11


def test_the_user_of_a_service(tmp_path):
    program(tmp_path / "srv/elsewhere/domoticz")
    plugin = tmp_path / "data/plugins/tuya"
    plugin.mkdir(parents=True)
    unit = tmp_path / "etc/systemd/system/domoticz.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"[Service]\nUser=nobody\nExecStart=/srv/elsewhere/domoticz -www 8080 -userdata {tmp_path}/data\n")
    found = find(plugin, tmp_path)
    assert found is not None
    assert (found.is_ours, found.pid) == (True, None)
    assert found.account is not None
    assert found.account.name == "nobody"


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ([], "http://127.0.0.1:8080"),
        (["-www", "8090", "-wwwbind", "::"], "http://127.0.0.1:8090"),
        (["-www", "80", "-wwwbind", "192.168.1.5", "-webroot", "home"], "http://192.168.1.5:80/home"),
        (["-www", "0"], "https://127.0.0.1:443"),
        (["-www", "0", "-sslwww", "8443", "-wwwbind", "127.0.0.2"], "https://127.0.0.2:8443"),
        (["-www", "0", "-sslwww", "0"], ""),
    ],
)
def test_where_its_web_server_answers(words, address):
    assert Started(Path("/opt/domoticz/domoticz"), options_of(words)).address == address


def test_its_files_are_found_from_any_order_of_options_and_relative_paths():
    words = (
        "domoticz -nomdns -dbase data/mine.db -log ../log/dz.txt -daemon -userdata data -dbase no.db -approot /usr/dz"
    )
    started = Started(Path("/usr/bin/domoticz"), options_of(words.split()), Path("/srv/dz"))
    assert started.database == Path("/srv/dz/data/mine.db")
    assert started.user_data == Path("/srv/dz/data")
    assert started.log == Path("/srv/dz/../log/dz.txt")
    usual = Started(Path("/usr/bin/domoticz"), options_of(["domoticz", "-log", "-approot", "/usr/dz", "-www", "0"]))
    assert (usual.log, usual.database) == (None, Path("/usr/dz/domoticz.db"))
    assert usual.startup_delay_s == 0.0
    assert Started(Path("/x"), options_of(["domoticz", "-startupdelay", "60"])).startup_delay_s == 60.0


def test_a_log_that_was_opened_before_the_current_folder_changed(tmp_path):
    log = tmp_path / "domoticz.txt"
    with log.open("w"):
        started = Started(Path("/usr/bin/domoticz"), {"-log": "domoticz.txt"}, Path("/usr"), os.getpid())
        assert started.log == log
    assert started.log == Path("/usr/domoticz.txt")


@pytest.mark.parametrize("made", ["domoticz.db", "scripts/lua/x", "scripts/dzVents/x"])
def test_the_data_folder_is_known_by_what_domoticz_makes_there(tmp_path, made):
    plugin = tmp_path / "plugins" / "TuyaEnergy"
    assert find_domoticz.data_folder_of(plugin) is None
    program(tmp_path / made)
    assert find_domoticz.data_folder_of(plugin) == tmp_path
    assert find_domoticz.data_folder_of(tmp_path / "TuyaEnergy") is None


def test_other_processes_are_not_taken_for_domoticz(tmp_path):
    process = tmp_path / "proc/79"
    process.mkdir(parents=True)
    (process / "comm").write_text("domoticz-helper\n")
    assert find(PLUGIN, tmp_path) is None


@pytest.mark.parametrize(
    ("known", "installed", "expected"),
    [
        (b"python3.12\0python3.11\0python3.9\0", ("3.13", "3.11", "3.9"), 11),  # a release older than the newest Python
        (b"python3.14\0python3.13\0", ("3.13",), 13),
        (b"nothing to see", ("3.10", "3.9"), 10),
    ],
)
def test_the_newest_library_that_the_release_knows(tmp_path, known, installed, expected):
    binary = program(tmp_path / "opt/domoticz/domoticz", known)
    for version in installed:
        library(tmp_path, f"usr/lib/x86_64-linux-gnu/libpython{version}.so")
        program(tmp_path / f"usr/bin/python{version}")
    loaded = python_of(Domoticz(binary, binary.parent, ""), tmp_path)
    assert loaded is not None
    assert (loaded.minor, loaded.interpreter) == (expected, str(tmp_path / f"usr/bin/python3.{expected}"))


def test_a_library_without_its_development_name_is_not_loadable(tmp_path):
    binary = program(tmp_path / "opt/domoticz/domoticz")
    library(tmp_path, "usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0")
    assert python_of(Domoticz(binary, binary.parent, ""), tmp_path) is None


def test_an_interpreter_beside_its_library_is_preferred(tmp_path):
    binary = program(tmp_path / "opt/domoticz/domoticz")
    library(tmp_path, "usr/local/lib/libpython3.12.so")
    program(tmp_path / "usr/bin/python3.12")
    beside = program(tmp_path / "usr/local/bin/python3.12")
    loaded = python_of(Domoticz(binary, binary.parent, ""), tmp_path)
    assert loaded is not None
    assert loaded.interpreter == str(beside)


def test_named_by_the_environment(tmp_path, monkeypatch):
    binary = program(tmp_path / "wrapped/start")
    monkeypatch.setenv("DOMOTICZ_BIN", str(binary))
    monkeypatch.setenv("DOMOTICZ_ROOT", str(tmp_path / "share"))
    assert find(PLUGIN, tmp_path) == Domoticz(binary, tmp_path / "share", "DOMOTICZ_BIN")


def test_containers_are_recognised_by_their_image(tmp_path, monkeypatch):
    program(tmp_path / "docker", b'#!/bin/sh\necho "dz domoticz/domoticz:stable"; echo "db postgres:15"\n')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_domoticz.containers() == ["dz"]


def test_without_a_container_engine_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_domoticz.containers() == []
