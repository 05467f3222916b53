"""What the log says about connections: once, when something changed, with name and cure. Pure; time is passed in."""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from ..lan.errors import BadValue, CodecMissing, OwnedElsewhere, TuyaError, WrongKey, WrongVersion
from .names import first_of
from .outages import Outages

OFFLINE_GRACE_S = 30.0  # a breaker that restarts is no drama
# What does not get better by itself is said at once; all else may be a restart of the breaker.
_SAID_AT_ONCE = (WrongKey, WrongVersion, BadValue, OwnedElsewhere, CodecMissing)
_GATHER_S = 5.0  # after a start the breakers come within seconds: one line for all of them
_NAMES_IN_A_LINE = 8
_NUMBER = re.compile(r"\d+")


class Line(NamedTuple):
    """One line for the log; an error is what the user has to see or do something about."""

    text: str
    is_error: bool = False


class _Story:
    def __init__(self, name: str, offline_since_s: Optional[float]) -> None:
        self.name = name
        self.offline_since_s = offline_since_s
        self.error: Optional[TuyaError] = None  # the last one, also when that is over
        self.said_errors: Set[str] = set()  # classes of those that were said since it was connected
        self.said_offline = False
        self.was_connected = False
        self.outages = Outages()
        self.wordings: Set[str] = set()  # of notices and errors said, numbers aside

    @property
    def reason(self) -> str:
        """What the last error says, as the end of a line."""
        if self.error is None:
            return ""
        return ": " + ". ".join(part for part in (self.error.what, self.error.cure) if part)

    def is_news(self, text: str) -> bool:
        """Whether a line is worth saying: of a breaker that flaps, only what has not been said in such words."""
        wording = _NUMBER.sub("#", text)
        is_known = wording in self.wordings
        self.wordings.add(wording)
        return not (is_known and self.outages.is_counting)


class Journal:
    """The story of every breaker of one hardware instance."""

    def __init__(self) -> None:
        self._stories: Dict[str, _Story] = {}
        self._lines: List[Line] = []
        self._connected: List[str] = []
        self._gather_until_s = 0.0

    def add(self, device_id: str, name: str, now_s: float) -> None:
        """A breaker that is served from now on."""
        self._stories[device_id] = _Story(name, offline_since_s=now_s)

    def remove(self, device_id: str) -> None:
        """A breaker that is no longer served."""
        self._stories.pop(device_id, None)
        if device_id in self._connected:
            self._connected.remove(device_id)

    def rename(self, device_id: str, name: str) -> None:
        """The user gave the breaker another name in the devices file."""
        self._stories[device_id].name = name

    def say(self, text: str, is_error: bool = False) -> None:
        """Add any other line."""
        self._lines.append(Line(text, is_error))

    def notice(self, device_id: str, text: str) -> None:
        """Add a line about a breaker that may come with each of its outages."""
        story = self._stories[device_id]
        if story.is_news(text):
            self._lines.append(Line(f"{story.name}: {text}"))

    def connected(self, device_id: str, detail: str, now_s: float) -> None:
        """The breaker answers under its key. detail: address and version."""
        story = self._stories[device_id]
        if story.said_offline or story.said_errors:
            if story.outages.end(now_s):
                self._lines.append(Line(f"{story.name}: is back ({detail})"))
        elif not story.was_connected:
            if not self._connected:
                self._gather_until_s = now_s + _GATHER_S
            self._connected.append(device_id)
        story.was_connected = True
        story.offline_since_s = None
        story.said_errors.clear()
        story.said_offline = False

    def failed(self, device_id: str, error: TuyaError, at_s: float) -> None:
        """A connection was lost or could not be made."""
        story = self._stories[device_id]
        if story.offline_since_s is None:
            story.offline_since_s = at_s
        story.error = error
        if isinstance(error, _SAID_AT_ONCE) and type(error).__name__ not in story.said_errors:
            story.said_errors.add(type(error).__name__)
            addition = story.outages.begin(story.offline_since_s, at_s)
            is_news = story.is_news(str(error))
            if addition is not None or is_news:
                story.outages.told()
                self._lines.append(Line(f"{error}{addition or ''}", is_error=True))

    def is_offline(self, device_id: str, now_s: float) -> bool:
        """Whether the breaker has been away for longer than the grace."""
        since_s = self._stories[device_id].offline_since_s
        return since_s is not None and now_s - since_s >= OFFLINE_GRACE_S

    def tick(self, now_s: float) -> None:
        """Say what has become due by the clock."""
        for device_id, story in self._stories.items():
            if self.is_offline(device_id, now_s) and not story.said_offline:
                story.said_offline = True
                addition = story.outages.begin(story.offline_since_s or now_s, now_s)
                # the reason may have been said; an outage of one that flaps is counted
                if not story.said_errors and addition is not None:
                    self._lines.append(Line(f"{story.name}: is offline{story.reason}{addition}", is_error=True))
            summary = story.outages.due(now_s)
            if summary is not None:
                if story.outages.is_counting:
                    self._lines.append(Line(f"{story.name}: {summary}{story.reason}", is_error=True))
                else:
                    self._lines.append(Line(f"{story.name}: {summary}"))
                    story.wordings.clear()
        if self._connected and (now_s >= self._gather_until_s or len(self._connected) == len(self._stories)):
            served = len(self._stories)
            connected = [self._stories[device_id].name for device_id in self._connected]
            names = first_of(connected, _NAMES_IN_A_LINE)
            count = sum(1 for story in self._stories.values() if story.offline_since_s is None)
            self._lines.append(Line(f"Connected: {names} ({count} of {served})"))
            self._connected = []

    def take(self) -> Tuple[Line, ...]:
        """Return the lines to be written and forget them."""
        lines = tuple(self._lines)
        self._lines.clear()
        return lines
