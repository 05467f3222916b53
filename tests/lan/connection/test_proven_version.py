"""A version that has worked is kept through bad times of the device, and one that was raised is found: virtual time."""

from __future__ import annotations

from typing import Iterable, List, Tuple

import pytest

from tests.lan.connection.virtual import World
from tuya.lan.events import Connected

VERSIONS = ["3.2", "3.3", "3.4", "3.5"]


class Watched(World):
    """Notes in which version each connection is tried.

    bad: what becomes of the next ones. held: somebody else has the device. Other versions are not understood.
    """

    def __init__(self, version: str) -> None:
        super().__init__(version, version_fixed=False)
        self.tried: List[Tuple[float, str]] = []
        self.bad: List[str] = []
        self.held = False
        self.accepted = self._accepted
        self.rewrite = self._rewritten
        self._fault = ""

    def _accepted(self) -> None:
        self.tried.append((self.now_s, self.link._attempt.version))
        self._fault = self.bad.pop(0) if self.bad else ""
        if self.held or self._fault == "reset":
            self.hang_up()

    def _rewritten(self, frame: bytes) -> Iterable[bytes]:
        if self._fault == "half":
            self.later(0.1, self.hang_up)
            return [frame[: len(frame) // 2]]
        wrong = self.link._attempt.version != self.breaker.version
        return [] if wrong or self._fault == "mute" else [frame]

    def found(self, seconds: float, announces: bool) -> float:
        """Let time pass until it is connected again; return how long that took."""
        began_s, known = self.now_s, len(self.of(Connected))
        next_s = self.now_s
        while len(self.of(Connected)) == known:
            assert self.now_s - began_s < seconds, self.tried
            if announces and self.now_s >= next_s:
                self.link.announced("10.0.0.5", self.breaker.version, self.now_s)
                next_s += 5.0
            self.run(0.5)
        return self.now_s - began_s


def proven(version: str) -> Watched:
    world = Watched(version)
    world.link.start(world.now_s)
    world.found(120.0, announces=False)
    world.run(120.0)
    assert world.of(Connected)[-1].version == version
    world.tried.clear()
    return world


def kept_to(version: str, world: Watched) -> None:
    """What has worked comes first and last and between any two others; each higher one once at most, no lower one."""
    tried = [tried for _, tried in world.tried]
    assert tried[:2] == [version] * len(tried[:2])
    assert tried[-1] == version
    others = [other for other in tried if other != version]
    assert len(set(others)) == len(others)
    assert all(other > version for other in others)
    assert not any(before != version != after for before, after in zip(tried, tried[1:]))


@pytest.mark.parametrize("announces", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("held_s", [10.0, 27.0, 45.0])
def test_held_by_somebody_else_for_a_while(version, held_s, announces):
    world = proven(version)
    world.held = True
    world.hang_up()
    for second in range(int(held_s)):
        if announces and not second % 5:
            world.link.announced("10.0.0.5", version, world.now_s)
        world.run(1.0)
    world.held = False
    assert world.found(60.0, announces) <= 30.0
    kept_to(version, world)


@pytest.mark.parametrize("announces", [True, False])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bad", [["reset", "half", "mute"], ["mute", "half", "reset"], ["mute", "mute", "mute"]])
def test_three_broken_openings_after_a_restart(version, bad, announces):
    world = proven(version)
    world.bad = list(bad)
    world.hang_up()
    assert world.found(120.0, announces) <= 45.0
    kept_to(version, world)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bad", ["reset", "mute"])
def test_an_hour_of_no_use_gives_others_a_third_of_the_tries(version, bad):
    world = proven(version)
    world.bad = [bad] * 10_000
    world.hang_up()
    world.run(3600.0)
    tried = [tried for _, tried in world.tried]
    assert tried.count(version) * 3 >= len(tried) * 2 - 2
    above = {other for other in ("3.3", "3.4", "3.5") if other > version}
    assert set(tried) == {version} | above


@pytest.mark.parametrize(("old", "new"), [("3.2", "3.3"), ("3.3", "3.4"), ("3.3", "3.5"), ("3.4", "3.5")])
@pytest.mark.parametrize("closes", [True, False])
def test_a_raised_version_that_nobody_announces_is_found(old, new, closes):
    world = proven(old)
    world.breaker.version = new
    world.hang_up()
    if closes:
        held = world.accepted

        def accepted() -> None:
            held()
            if world.link._attempt.version != new:
                world.hang_up()

        world.accepted = accepted
    # silence is waited for, in the version that has worked with patience
    next_one = (old, new) != ("3.3", "3.5")
    assert world.found(200.0, announces=False) <= (
        (8.0 if next_one else 25.0) if closes else (25.0 if next_one else 50.0)
    )
    assert world.of(Connected)[-1].version == new


@pytest.mark.parametrize(("old", "new"), [("3.2", "3.3"), ("3.3", "3.4"), ("3.3", "3.5"), ("3.4", "3.5")])
@pytest.mark.parametrize("bad", [[], ["reset"]])
def test_a_raised_version_that_is_announced_is_found_at_once(old, new, bad):
    world = proven(old)
    world.breaker.version = new
    world.bad = list(bad)
    world.hang_up()
    assert world.found(60.0, announces=True) <= (30.0 if bad else 5.0)
    assert world.tried[0][1] == new
