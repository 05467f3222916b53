"""One device: its entry, its profile and what is known of it now. Pure; time is passed in."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from ..lan.device import Polling
from ..lan.errors import TuyaError
from ..lan.events import Connected, Dps, DpValue, Status
from ..metering import thresholds
from ..metering.energy import Circuit, EnergyBook
from ..metering.profile import Profile, match
from ..metering.reading import Channel, Reading
from ..metering.stale_current import StaleCurrents
from .asked import Asked
from .commands import CommandRefused, as_written
from .data_points import DataPoints
from .devices_file import DeviceEntry
from .hand_over import HandOver
from .once import Once
from .quantity_watch import QuantityWatch
from .readings import is_open, merged
from .switch_watch import SwitchWatch
from .untold import UntoldCircuits

NO_PROFILE = "none"
REFRESH_INTERVALS_S = (5.0, 10.0)  # never less than 5 s between refreshes; readings older than 10 s look frozen
# Finding the profile takes over 1 ms: at once for so many frames with new data points, else no more often than this.
FREE_MATCHES = 64
LOOK_AGAIN_S = 1.0
UNREPORTED_S = 180.0  # it is queried every 30 s: six questions without one data point
STOOD_STILL_S = 30.0  # a device is given up after 23 s of silence, one that is known to be slow after 28 s
TOO_MUCH = "it reports more data points, or longer ones, than any known device: the rest is left out"

ShownWh = Callable[[Sequence[Channel]], Mapping[Circuit, float]]


class Terms(NamedTuple):
    """On which terms a front end serves its devices.

    may_switch: writes are allowed, as far as the entry allows them too. interval_s: how often values are shown.
    """

    may_switch: bool = True
    interval_s: float = 5.0


_TERMS = Terms()


def _nothing_shown(_channels: Sequence[Channel]) -> Mapping[Circuit, float]:
    return {}


class KnownDevice:
    """What one device is, and everything that it has reported so far.

    profile: of the entry alone, where it is known already (finding it takes over a millisecond).
    shown_wh: asked with the profile's channels when the totals begin: what the front end shows of each circuit.
    saved: EnergyBook.saved() of an earlier run. known_at_s: when these two were last known; None: never.
    """

    def __init__(
        self,
        entry: DeviceEntry,
        profile: Optional[Profile] = None,
        terms: Terms = _TERMS,
        shown_wh: ShownWh = _nothing_shown,
        saved: Optional[Mapping[str, object]] = None,
        known_at_s: Optional[float] = None,
    ) -> None:
        self.entry = entry
        self.terms = terms
        self.profile = profile if profile is not None else match(entry.raw, {})
        self.reading: Optional[Reading] = None  # all that is known; None before a profile was found
        self._told: Optional[Reading] = None  # of that, what it told itself
        self._untold = UntoldCircuits()
        self._stale = StaleCurrents()
        self.is_connected = False
        self.has_full_answer = False  # since it was connected
        self.connected_at_s = 0.0
        self.connection: Optional[Connected] = None  # the last one, also when it is lost
        self.heard_at_s: Optional[float] = None
        self.reported_at_s: Optional[float] = None  # data points came last in this session; heartbeats are none
        self.measured_at_s = float("-inf")  # what it measures came last; an answer alone is no reading
        self.error: Optional[TuyaError] = None  # why it is not connected
        self.asked = Asked()
        self.switches = SwitchWatch()
        self._quantities = QuantityWatch()
        self._announced_product = ""
        self._points = DataPoints()
        self._matched_at_s = float("-inf")
        self._free_matches = FREE_MATCHES
        self._is_match_due = False
        self._shown_wh = shown_wh
        self._saved: Mapping[str, object] = saved or {}
        self._book: Optional[EnergyBook] = None
        self._book_layout: object = None
        self.hand_over = HandOver(known_at_s)
        self._is_unknown_said = False
        self._notices = Once()
        self._is_silence_said = False
        self._doubts = Once()

    @property
    def device_id(self) -> str:
        """Its Tuya device id."""
        return self.entry.device_id

    @property
    def product_id(self) -> str:
        """Its product: of the entry, else as the device itself announced it; may be empty."""
        return self.entry.product_id or self._announced_product

    @property
    def dps(self) -> Dict[int, DpValue]:
        """The last value of each data point."""
        return self._points.values

    @property
    def is_recognised(self) -> bool:
        """Whether it is known what its data points mean."""
        return self.profile.matched_by != NO_PROFILE

    @property
    def polling(self) -> Polling:
        """How the LAN client is to ask this device."""
        low_s, high_s = REFRESH_INTERVALS_S
        return Polling(
            refresh_dps=self.profile.refresh_dps,
            refresh_interval_s=min(max(self.terms.interval_s, low_s), high_s),
            query_dps=self.profile.query_dps,
            # such a query has the shape of a write: with switching refused it names nothing that can be written
            later_dps=self.profile.later_dps if self.may_switch else (),
            falling_dps=tuple(dp for dp, control in self.profile.controls.items() if control.role == "countdown"),
        )

    # -- what happens to it

    def reconfigure(self, entry: DeviceEntry) -> None:
        """Take another entry of the devices file for the same device; totals and what is known go on."""
        self.entry = entry
        self._match(self._matched_at_s)
        self.reading = self._told = None
        self._is_unknown_said = False
        self._doubts = Once()

    def announced(self, product_id: str) -> bool:
        """Note that the device named its product itself; return whether the polling changed.

        It counts where no file names a product: as for a device that is given by its id on the command line.
        """
        if not product_id or self.entry.product_id or product_id == self._announced_product:
            return False
        self._announced_product = product_id
        before = self.profile
        self._match(self._matched_at_s)
        self.reading = self._told = None
        return _asks_differently(before, self.profile)

    def connected(self, event: Connected) -> None:
        """Note that a session is up."""
        self.is_connected = True
        self.connected_at_s = event.at_s
        self.connection = event
        self.has_full_answer = False
        self.reported_at_s = None
        self.error = None
        self.switches.connected()
        self._quantities.connected(event.at_s)

    def lost(self, error: TuyaError, at_s: float) -> None:
        """Note that the session is gone; what is known stays."""
        self.failed(error)
        self.is_connected = False
        if self._book is not None:
            self._book.lost(at_s)

    def failed(self, error: TuyaError) -> None:
        """Note why it cannot be connected."""
        self.error = error

    def heard(self, at_s: float) -> None:
        """Note that it said anything. After more silence than a connection outlives we stood still ourselves.

        A process that was stopped, or a machine that was paused, finds what was said meanwhile without its date: no
        energy is counted for that time.
        """
        if self._book is not None and self.heard_at_s is not None and at_s - self.heard_at_s > STOOD_STILL_S:
            self._book.lost(at_s)
        self.heard_at_s = at_s

    def answered(self, at_s: float) -> None:
        """Note an answer without data points: power counts up to here."""
        if self._book is not None:
            self._book.answered(at_s)

    def report(self, event: Status) -> bool:
        """Take one frame's data points; return whether the device is to be asked differently from now on.

        A device that was idle at the start may be recognised by its first load, without any new data point.
        """
        if self._points.take(event.dps) or not self.is_recognised:
            self._is_match_due = True
        self.has_full_answer = self.has_full_answer or event.full
        if event.dps:
            self.reported_at_s = event.at_s
            self._is_silence_said = False
        self.asked.report(event, self.dps)
        before = self.profile
        if self._is_match_due and (self._free_matches > 0 or event.at_s - self._matched_at_s >= LOOK_AGAIN_S):
            self._free_matches -= 1
            self._match(event.at_s)
        if not self.is_recognised:
            return False
        self.switches.report(event.dps, self.profile.switch_dps, event.full, event.at_s)
        part = self._part(event)
        if part.power_w or part.voltage_v or part.current_a or part.energy_kwh or part.returned_kwh:
            self.measured_at_s = event.at_s
        whole: Optional[Reading] = None
        if self.profile.layout != self._book_layout:
            whole = self.profile.decode(self.dps, None, self._stale)
            self._quantities.begin(whole, event.at_s)
        self._quantities.report(part, event.full, event.at_s)
        self._open_book(event.at_s).report(part, event.at_s, event.full)
        if event.full or self.profile.layout != before.layout or self._told is None:
            self._told = whole if whole is not None else self.profile.decode(self.dps, None, self._stale)
        else:
            self._told = merged(self._told, part)
        self.reading = self._told
        if len(self.profile.channels) > 1:
            self.reading = self._untold.completed(self._told, self.profile.channels, event.at_s)
        self.switches.power(part.power_w, self._is_open and len(self.profile.channels) == 1, event.at_s)
        return _asks_differently(before, self.profile)

    def _part(self, event: Status) -> Reading:
        """Return what a frame told, and what of before it has made comparable: W by the A that came after it."""
        told = frozenset(event.dps)
        self._stale.begin(event.at_s, told)
        part = self.profile.decode(self.dps, told, self._stale)
        return self.profile.decode(self.dps, told | self._stale.settled, self._stale) if self._stale.settled else part

    def _match(self, at_s: float) -> None:
        self._matched_at_s = at_s
        self._is_match_due = False
        described: Mapping[str, Any] = self.entry.raw
        if self._announced_product and not self.entry.product_id:
            described = {**described, "product_id": self._announced_product}
        layout = self.profile.layout
        self.profile = match(described, self.dps)
        if self.profile.layout != layout:
            self._stale = StaleCurrents()

    def _open_book(self, at_s: float) -> EnergyBook:
        """Return the totals; they begin with what is shown, and go on when the profile becomes another one."""
        if self._book is None or self._book_layout != self.profile.layout:
            shown_wh = dict(self._shown_wh(self.profile.channels))
            if self._book is not None:
                shown_wh.update(self._book.totals_wh(at_s))
                self._saved = self._book.saved()
            self._book = EnergyBook(
                shown_wh=shown_wh,
                saved=self._saved,
                power_max_age_s=self.profile.power_max_age_s,
                step_kwh=dict(self.profile.counter_step_kwh),
                channels=self.profile.channels,
            )
            self._book_layout = self.profile.layout
            self.hand_over.count_on(self._book, at_s)
        return self._book

    # -- what it leaves out

    def quantity_ages_s(self, at_s: float) -> Dict[str, float]:
        """Return for each of QUANTITIES for how many seconds this session has gone without it, where it told it before.

        QUANTITIES: of quantity_watch.py. Of several circuits that of the one that is silent for longest. What an open
        relay left at 0 does not age.
        """
        return self._quantities.ages_s(at_s, self.reading if self._is_open else None)

    @property
    def pushed_only(self) -> Set[str]:
        """Those of QUANTITIES that no answer to a full query has ever held: they come when they change, and rarely."""
        return self._quantities.pushed_only

    def unusable_ages_s(self, at_s: float) -> Dict[str, float]:
        """Return for each of QUANTITIES that was told, and that its data points do not give any more, how long so.

        None while the relay is open, which may take its meter's power.
        """
        return {} if self._is_open else self._quantities.unusable_ages_s(self.profile.decode(self.dps), at_s)

    @property
    def lacks_power(self) -> bool:
        """Whether it is to report power, and never has: then nothing is counted."""
        return self.is_recognised and self.profile.reports_power and not self._quantities.has_power

    @property
    def has_counter(self) -> bool:
        """Whether it has told kWh that it counts itself: those go on without its power."""
        return self.reading is not None and bool(self.reading.energy_kwh or self.reading.returned_kwh)

    @property
    def counter_stood_wh(self) -> float:
        """What has flowed by its power while its counter stood still, and its kWh with it; 0 where that is in order."""
        return self._book.stood_wh() if self._book is not None else 0.0

    @property
    def _is_open(self) -> bool:
        return self.reading is not None and is_open(self.reading, self.profile.switch_dps)

    # -- what is worth a line in the log

    def is_unknown_now(self) -> bool:
        """Whether it has just become clear that nothing is known about this kind of device; true only once."""
        if self.is_recognised or not self.has_full_answer or self._is_unknown_said:
            return False
        self._is_unknown_said = True
        return True

    def is_silent_now(self, at_s: float) -> bool:
        """Whether it has just become UNREPORTED_S that it answers heartbeats and reports nothing; true only once."""
        since_s = self.connected_at_s if self.reported_at_s is None else self.reported_at_s
        # one that answers no query, and tells by itself what changes, has nothing to tell
        tells_changes_only = self.reported_at_s is not None and not self.has_full_answer
        if not self.is_connected or tells_changes_only or self._is_silence_said or at_s - since_s < UNREPORTED_S:
            return False
        self._is_silence_said = True
        return True

    def new_doubts(self) -> List[str]:
        """Return what metering corrected or left out in the last report and has not been said yet."""
        return self._doubts.new(self.profile.doubts(self.dps, self._stale))

    def notices(self) -> List[str]:
        """Return what else is worth a line since the last call: of its totals, and what it reports too much or not."""
        found = [*(self._book.notices() if self._book is not None else ()), *self.hand_over.notices()]
        return found + self._notices.new([*self._untold.notices(), *([TOO_MUCH] if self._points.is_full else ())])

    # -- totals

    def totals_wh(self, at_s: float) -> Mapping[Circuit, float]:
        """Return the Wh of each circuit that is known; none of them ever falls."""
        return self._book.totals_wh(at_s) if self._book is not None else {}

    def saved_energy(self) -> Optional[Mapping[str, object]]:
        """Return the state of the totals that must survive a restart; None while nothing is known."""
        return self._book.saved() if self._book is not None else None

    # -- commands

    @property
    def may_switch(self) -> bool:
        """Whether writing is allowed; both the front end's setting and the file's can refuse it."""
        return self.terms.may_switch and self.entry.wishes.switch != "refused"

    def check_may_switch(self) -> None:
        """Raise CommandRefused where writing is not allowed."""
        if not self.may_switch:
            raise CommandRefused(self.entry.shown_name, "switching is refused by the settings")

    def command(self, dps: Dps, now_s: float) -> Dict[int, DpValue]:
        """Return the data points to write for a command; what they bring about is ours for a while.

        Raises CommandRefused: switching is not allowed, or these are no controls of it.
        """
        self.check_may_switch()
        written = as_written(self.entry.shown_name, dps, self.profile)
        self.asked.begin(written, now_s)
        self.switches.commanded(written)
        return written

    def threshold_command(self, name: object, value: object, trips: object = None) -> Dict[int, DpValue]:
        """Return the data point to write for another protection threshold; trips: see thresholds.plan.

        Raises CommandRefused: writing is not allowed, the profile does not bound this threshold, or it was not read.
        """
        self.check_may_switch()
        if not isinstance(name, str) or not isinstance(value, int) or isinstance(value, bool):
            raise CommandRefused(self.entry.shown_name, "a threshold is a name and a whole number")
        try:
            change = thresholds.plan(
                self.profile.layout, self.dps, name, value, trips if isinstance(trips, bool) else None
            )
        except thresholds.ThresholdRefused as refusal:
            raise CommandRefused(self.entry.shown_name, str(refusal)) from None
        return {change.dp: change.value}

    def command_ended(self, dps: Dps, error: Optional[TuyaError], at_s: float) -> None:
        """A write was confirmed (None), or not: what happens to these data points then is not our doing."""
        self.asked.ended(dps, error, at_s)
        if error is None:
            self.switches.confirmed(dps, self.profile.switch_dps, at_s)

    def is_asked(self, dp: int, value: Optional[DpValue], at_s: float) -> bool:
        """Whether a command of ours asked for this value of this data point a short while ago.

        value: True and False mean on and off, in whatever words the device has them.
        """
        control = self.profile.controls.get(dp)
        if isinstance(value, bool) and control is not None and control.kind == "bool":
            value = control.spelled[value]
        return self.asked.is_ours(dp, value, at_s)


def _asks_differently(before: Profile, after: Profile) -> bool:
    return (before.refresh_dps, before.query_dps, before.later_dps) != (
        after.refresh_dps,
        after.query_dps,
        after.later_dps,
    )
