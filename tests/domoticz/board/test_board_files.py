"""Installing and removing the page: several instances, foreign files, read-only folders, what a crash leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tuya.domoticz.board import PAGE_NAME, Board, BoardError, BreakerState, find_www, forget_the_dead, short_hash

SCRIPT = Path(__file__).resolve().parents[3] / "tuya" / "domoticz" / "board" / "board.js"
NO_PROCESS = 2**22 + 1  # above the largest process id of Linux


@pytest.fixture
def www(tmp_path: Path) -> Path:
    (tmp_path / "www" / "templates").mkdir(parents=True)
    (tmp_path / "shm").mkdir()
    return tmp_path / "www"


def make(www: Path, hardware_id: int = 2) -> Board:
    return Board(www, hardware_id, www.parent / "shm")


def state_name(hardware_id: int, process_id: int = os.getpid()) -> str:
    return f"state-{process_id}-{hardware_id}.json"


def names(www: Path) -> list[str]:
    return sorted(str(p.relative_to(www / "templates")) for p in (www / "templates").rglob("*") if not p.is_dir())


def test_install_publish_remove_leaves_nothing(www: Path) -> None:
    board = make(www)
    board.install()
    board.publish({"bf0123456789abcdefghij": BreakerState(1000.04)}, 1003.5, 2.0)
    assert names(www) == [
        f"{PAGE_NAME}.html",
        f"{PAGE_NAME}/board.css",
        f"{PAGE_NAME}/board.js",
        f"{PAGE_NAME}/index.json",
        f"{PAGE_NAME}/{state_name(2)}",
    ]
    assert json.loads((www / "templates" / PAGE_NAME / "index.json").read_text())["states"] == [state_name(2)]
    state = json.loads((www / "templates" / PAGE_NAME / state_name(2)).read_text())
    assert state == {
        "hardware": 2,
        "time": 1003.5,
        "interval_s": 2.0,
        "breakers": {short_hash("bf0123456789abcdefghij"): {"answered": 1000.0, "read_only": False}},
    }
    board.remove()
    board.remove()
    assert names(www) == []
    assert list((www / "templates").iterdir()) == []
    assert list((www.parent / "shm").iterdir()) == []


def test_the_page_goes_with_the_last_instance(www: Path) -> None:
    first, second = make(www, 2), make(www, 7)
    for board in (first, second):
        board.install()
        board.publish({}, 0.0, 2.0)
    first.remove()
    assert f"{PAGE_NAME}.html" in names(www)
    assert f"{PAGE_NAME}/{state_name(7)}" in names(www)
    assert json.loads((www / "templates" / PAGE_NAME / "index.json").read_text())["states"] == [state_name(7)]
    second.remove()
    assert names(www) == []


def test_a_page_of_somebody_else_is_left_alone(www: Path) -> None:
    page = www / "templates" / f"{PAGE_NAME}.html"
    page.write_text("mine")
    with pytest.raises(BoardError, match="somebody else's"):
        make(www).install()
    assert page.read_text() == "mine"


def test_no_templates_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="no folder"):
        make(tmp_path / "nowhere").install()


def test_a_folder_that_cannot_be_written_is_said(www: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(BoardError, match="Permission denied"):
        make(www).install()


def test_publish_before_install_writes_nothing(www: Path) -> None:
    make(www).publish({"x": BreakerState(1.0)}, 1.0, 2.0)
    assert names(www) == []


def test_what_a_crash_left_is_cleared_and_the_living_stay(www: Path) -> None:
    folder = www / "templates" / PAGE_NAME
    folder.mkdir()
    dead = www.parent / "shm" / f"tuya-board-{NO_PROCESS}-9.json"
    dead.write_text("{}")
    (folder / state_name(9, NO_PROCESS)).symlink_to(dead)
    (folder / state_name(5, NO_PROCESS)).write_text("{}")
    living = www.parent / "shm" / "tuya-board-1-2.json"
    living.write_text("{}")
    (folder / state_name(2, 1)).symlink_to(living)
    board = make(www)
    board.install()
    board.publish({}, 0.0, 2.0)
    assert not dead.exists()
    states = [name for name in names(www) if "state-" in name]
    assert states == sorted([f"{PAGE_NAME}/{state_name(2, 1)}", f"{PAGE_NAME}/{state_name(2)}"])
    board.remove()
    assert f"{PAGE_NAME}.html" in names(www)  # the other process still shows it


def test_without_memory_the_disk_is_written_once_a_minute(www: Path) -> None:
    board = Board(www, 2, None)
    board.install()
    link = www / "templates" / PAGE_NAME / state_name(2)
    seen = []
    for second in range(0, 181, 2):
        board.publish({}, 1000.0 + second, 2.0)
        seen.append(json.loads(link.read_text())["time"])
    assert sorted(set(seen)) == [1000.0, 1060.0, 1120.0, 1180.0]
    assert json.loads(link.read_text())["interval_s"] == 60.0


def test_the_clock_set_back_does_not_silence_the_page(www: Path) -> None:
    board = Board(www, 2, None)
    board.install()
    board.publish({}, 5000.0, 2.0)
    board.publish({}, 10.0, 2.0)
    assert json.loads((www / "templates" / PAGE_NAME / state_name(2)).read_text())["time"] == 10.0


def test_state_files_are_for_domoticz_only(www: Path) -> None:
    board = make(www)
    board.install()
    board.publish({}, 0.0, 2.0)
    (memory_file,) = (www.parent / "shm").iterdir()
    assert memory_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["domoticz", "-www", "8080", "-wwwroot", "/srv/web"], "/srv/web"),
        (["domoticz", "-www", "8080"], "/opt/domoticz/www"),
        (["domoticz", "-wwwroot"], "/opt/domoticz/www"),
    ],
)
def test_the_web_folder_of_domoticz(words: list[str], expected: str) -> None:
    assert find_www("/opt/domoticz/", words) == Path(expected)


def test_hash_is_fnv_1a_as_published() -> None:
    assert short_hash("") == "811c9dc5"
    assert short_hash("a") == "e40c292c"
    assert short_hash("foobar") == "bf9cf968"


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine: board.js is not run")
@pytest.mark.parametrize("device_id", ["bf0123456789abcdefghij", "12345678cc50e3012345", ""])
def test_page_and_plugin_hash_alike(device_id: str) -> None:
    node = shutil.which("node")
    assert node is not None
    code = (
        f"global.window={{}};require({json.dumps(str(SCRIPT))});console.log(window.TuyaBoard.shortHash({device_id!r}))"
    )
    out = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout.strip() == short_hash(device_id)


def test_files_of_killed_processes_go_and_nothing_else(www: Path) -> None:
    shm = www.parent / "shm"
    kept = shm.parent / "kept.json"
    kept.write_text("{}")
    for name in (
        f"tuya-board-{NO_PROCESS}-1.json",
        f"tuya-board-{NO_PROCESS}-2.json.new",
        f"tuya-board-{10**40}-1.json",
    ):
        (shm / name).write_text("{}")
    long_ago = shm / f"tuya-board-{os.getppid()}-3.json"  # that number is another process's now
    long_ago.write_text("{}")
    os.utime(long_ago, (0, 0))
    others = {
        f"tuya-board-{os.getpid()}-4.json",
        f"tuya-board-{NO_PROCESS}-5.json.bak",
        f"tuya-board-{NO_PROCESS}.json",
        f"another-board-{NO_PROCESS}-6.json",
    }
    for name in others:
        (shm / name).write_text("{}")
    link = shm / f"tuya-board-{NO_PROCESS}-7.json"
    link.symlink_to(kept)
    (shm / f"tuya-board-{NO_PROCESS}-8.json").mkdir()
    others |= {link.name, f"tuya-board-{NO_PROCESS}-8.json"}
    if os.geteuid() == 0:
        foreign = shm / f"tuya-board-{NO_PROCESS}-9.json"
        foreign.write_text("{}")
        os.chown(foreign, 54321, 54321)
        others.add(foreign.name)
    assert len(forget_the_dead(shm)) == 4
    assert {path.name for path in shm.iterdir()} == others
    assert kept.exists()
    assert forget_the_dead(shm / "missing") == []


def test_the_next_start_clears_the_memory_also_where_the_page_cannot_be(www: Path) -> None:
    left = www.parent / "shm" / f"tuya-board-{NO_PROCESS}-2.json"
    left.write_text("{}")
    shutil.rmtree(www / "templates")
    with pytest.raises(BoardError):
        make(www).install()
    assert not left.exists()
