"""When totals are on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tuya.mqtt import keeper as keeper_module
from tuya.mqtt.keeper import COUNTED_AFTER_S, COUNTED_WH, JUMP_WH, SAVE_INTERVAL_S, Keeper
from tuya.mqtt.totals_file import TotalsError


class Book:
    """A source of totals, and the file that they are kept in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.totals: Dict[str, Dict[str, Any]] = {}
        self.said: List[str] = []
        self.keeper = Keeper(path, lambda: self.totals, self.said.append)

    def told(self, energy_wh: float, device_id: str = "a") -> None:
        self.totals[device_id] = {"total/used": [energy_wh, None, None]}
        self.keeper.told(device_id, {"total": {"used": energy_wh}})

    def kept_wh(self, device_id: str = "a") -> float:
        kept: float = json.loads(self.path.read_text())[device_id]["total/used"][0]
        return kept


@pytest.fixture(name="book")
def _book(tmp_path: Path) -> Book:
    return Book(tmp_path / "totals.json")


def test_what_is_heard_for_the_first_time_is_kept_before_it_is_published(book: Book):
    book.keeper.tick(0.0, True)
    assert not book.path.exists()
    for device_id, energy_wh in (("a", 0.0), ("b", 66_690.0)):
        book.told(energy_wh, device_id)
        book.keeper.tick(0.25, True)
        assert book.kept_wh(device_id) == energy_wh


@pytest.mark.parametrize("step_wh", [JUMP_WH, -JUMP_WH, 50_000.0])
def test_an_adopted_total_is_kept_at_once(book: Book, step_wh: float):
    book.told(70_000.0)
    book.keeper.tick(0.0, True)
    book.told(70_000.0 + step_wh)
    book.keeper.tick(0.25, True)
    assert book.kept_wh() == 70_000.0 + step_wh


def test_what_is_lost_at_any_moment_is_little(book: Book):
    """Counted at 100 W to 100 kW, killed at any moment."""
    energy_wh, now_s = 1_000.0, 0.0
    for load_w in (100.0, 3_000.0, 100_000.0):
        for _ in range(2000):
            now_s += 0.25
            energy_wh += load_w * 0.25 / 3600.0
            book.told(energy_wh)
            book.keeper.tick(now_s, True)
            lost_wh = energy_wh - book.kept_wh()
            assert lost_wh <= min(JUMP_WH, max(COUNTED_WH, load_w * COUNTED_AFTER_S / 3600.0)) + load_w / 3600.0


def test_a_standby_load_writes_once_a_minute(book: Book, monkeypatch: pytest.MonkeyPatch):
    writes: List[float] = []
    monkeypatch.setattr(keeper_module, "write_totals", lambda *_: writes.append(1.0))
    for tick in range(2400):
        book.told(1_000.0 + tick * 0.001)
        book.keeper.tick(tick * 0.25, True)
    assert len(writes) <= 1 + 600 / SAVE_INTERVAL_S


def test_who_does_not_publish_writes_at_the_usual_times_only(book: Book):
    book.keeper.tick(0.0, False)
    book.told(66_690.0)
    book.keeper.tick(1.0, False)
    assert not book.path.exists()
    book.keeper.tick(COUNTED_AFTER_S, False)
    assert book.kept_wh() == 66_690.0


def test_after_another_has_counted_all_is_kept_anew(book: Book):
    book.told(1_000.0)
    book.keeper.tick(0.0, True)
    book.path.write_text("{}")
    book.keeper.forget()
    book.told(1_000.1)
    book.keeper.tick(0.25, True)
    assert book.kept_wh() == 1_000.1


def test_a_full_disk_is_said_once_and_tried_again_not_all_the_time(book: Book, monkeypatch: pytest.MonkeyPatch):
    tries: List[float] = []

    def full(*_: Any) -> None:
        tries.append(1.0)
        raise TotalsError("No space left")

    monkeypatch.setattr(keeper_module, "write_totals", full)
    for tick in range(480):
        book.told(1_000.0 + 100.0 * tick)
        book.keeper.tick(tick * 0.25, True)
    assert book.said == ["No space left"]
    assert 2 <= len(tries) <= 2 + 120 / COUNTED_AFTER_S
    monkeypatch.undo()
    book.keeper.tick(600.0, True)
    assert book.kept_wh() == 1_000.0 + 100.0 * 479
