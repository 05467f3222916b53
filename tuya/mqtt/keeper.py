"""When the kWh totals are written: hardly anything is published that would be gone after a power cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from .totals_file import TotalsError, write_totals

SAVE_INTERVAL_S = 60.0
# A total that differs so much from the written one is written before it is published (it was heard of, or adopted) ...
JUMP_WH = 100.0
# ... and one that has counted so much after so long: a heavy load writes more often, a standby load wears out no card.
COUNTED_WH, COUNTED_AFTER_S = 10.0, 10.0

Totals = Mapping[str, Mapping[str, Any]]  # circuit -> {"used": Wh, "returned": Wh}, as in a snapshot


class Keeper:
    """path: None for nothing kept. saved: what is to be written. say: takes a line for the log, where it fails."""

    def __init__(
        self, path: Optional[Path], saved: Callable[[], Mapping[str, Mapping[str, Any]]], say: Callable[[str], None]
    ) -> None:
        self._path = path
        self._saved = saved
        self._say = say
        self._said = ""
        self._newest: Dict[str, Totals] = {}
        self._kept: Dict[str, Totals] = {}  # as the file has them, as far as we know
        self._most_wh = 0.0  # by which a total differs from the kept one
        self._kept_s: Optional[float] = None

    def told(self, device_id: str, totals_wh: Optional[Totals]) -> None:
        """Take the totals of a device as they will be published; None or nothing where there is no news."""
        if totals_wh and self._path is not None:
            self._newest[device_id] = totals_wh
            self._most_wh = max(self._most_wh, _difference_wh(self._kept.get(device_id, {}), totals_wh))

    def forget(self) -> None:
        """Another process writes the file: what it holds is not known."""
        self._kept.clear()
        self._newest.clear()
        self._most_wh = 0.0

    def tick(self, now_s: float, publishes: bool) -> None:
        """Write where it is due. publishes: what was told is published next."""
        if self._kept_s is None:
            self._kept_s = now_s
        since_s = now_s - self._kept_s
        is_due = since_s >= SAVE_INTERVAL_S or (self._most_wh >= COUNTED_WH and since_s >= COUNTED_AFTER_S)
        has_jumped = publishes and self._most_wh >= JUMP_WH and not self._said
        if is_due or has_jumped:
            self.keep(now_s)

    def keep(self, now_s: float) -> None:
        """Write now. What fails is said once, and tried again at the next time."""
        self._kept_s = now_s
        if self._path is None:
            return
        try:
            write_totals(self._path, self._saved())
        except TotalsError as error:
            if str(error) != self._said:
                self._said = str(error)
                self._say(self._said)
            return
        self._said = ""
        self._kept.update(self._newest)
        self._most_wh = 0.0


def _difference_wh(kept: Totals, fresh: Totals) -> float:
    most_wh = 0.0
    for circuit, ways in fresh.items():
        before = kept.get(circuit) or {}
        for way, energy_wh in ways.items():
            if energy_wh is not None:
                most_wh = max(most_wh, abs(energy_wh - before[way]) if before.get(way) is not None else JUMP_WH)
    return most_wh
