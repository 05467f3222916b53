"""Which address and which protocol version the next connection tries. Pure rules: no socket, no clock of its own.

Announcements are hints: whoever is in the network can send them. A false one may cost one failed session, never the way
back to what worked before or was given, and lowers no version that has worked or was given. So that a false address and
a false version never fall into step (the real address only ever tried in the wrong version), each address has its own
turns of versions.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Set

from .. import versions
from ..errors import Busy, Mute, ProtocolViolation, TuyaError, WrongKey, WrongVersion
from ..limits import LOOKS, NEVER

NEWS_AFTER_S = 60.0  # an address that was tried, or announced, so lately is no news
BOOT_SILENCE_S = 12.0  # ... except where nothing took connections: silence of two announcements and more is a restart
HEARD_SIZE = 8  # addresses that are remembered of announcements; real devices have one
LOOKS_SIZE = 256  # more than a network has
TURNS_SIZE = 16  # addresses whose turns of versions are remembered
# What has worked is what is tried again: a device that restarts, or that somebody else holds, closes or is silent in
# the right version. But its firmware may have been updated, which nobody need have announced: the next higher versions
# have one turn each, between two tries of what has worked, after so many of those ...
SURE_AT_FIRST = 2
EARLY_GUESSES = 2  # so many versions
# ... and others have further turns after so many that were not merely closed, or after so long ...
SURE_TRIES = 4
SURE_FOR_S = 40.0
TRIES_A_GUESS = 2  # ... one in three
_OF_A_SESSION = (Busy, Mute, ProtocolViolation, WrongKey, WrongVersion)


class Heard(NamedTuple):
    """What an announcement means for the next try. chosen: its address is next. news: worth not to wait for it."""

    chosen: bool
    news: bool


class Addresses:
    """Candidates: the address that worked last, the configured one, those that were announced.

    The one that worked (else the configured one) is the home of the device: it has every second turn, whatever is
    announced. The others follow one after the other, the one first that was not tried for the longest time.
    """

    def __init__(self, configured: Optional[str]) -> None:
        self.configured = configured
        self.good: Optional[str] = None
        self.announced: Optional[str] = None  # the last one
        self._heard_s: Dict[str, float] = {}  # the last ones, the newest at the end
        self._tried_s: Dict[str, float] = {}
        self._deaf: Set[str] = set()  # no TCP connection at the last try
        self._next: Optional[str] = None
        self._owes_home = False
        self._looks: Dict[str, int] = {}  # at places where something unexpected answers, since it worked last

    @property
    def home(self) -> Optional[str]:
        """Where the device was last, or is said to be by the user."""
        return self.good or self.configured

    @property
    def home_tried_s(self) -> float:
        """When the last try there ended; minus infinity where it was not tried."""
        return -NEVER if self.home is None else self._tried_s.get(self.home, -NEVER)

    def target(self) -> Optional[str]:
        """The address to try next, None while none is known."""
        return self._next or self.home or self.announced

    def options(self) -> List[str]:
        """All addresses that may be tried."""
        found: List[str] = []
        for option in (self.good, self.configured, *reversed(list(self._heard_s))):
            if option is not None and option not in found:
                found.append(option)
        return found

    def hear(self, address: str, now_s: float) -> Heard:
        """An announcement while nothing is connected. News is what was neither tried nor announced within a minute."""
        silent_s = now_s - self._heard_s.get(address, -NEVER)
        target = self.target()
        self.note(address, now_s)
        fresh = now_s - self._turn_s(address) >= NEWS_AFTER_S
        news = fresh or silent_s >= (BOOT_SILENCE_S if address in self._deaf else NEWS_AFTER_S)
        if address != target:
            waits = (
                self._next is not None and self._next != self.home and self._turn_s(self._next) <= self._turn_s(address)
            )
            if not news or self._owes_home or waits:
                return Heard(False, news)
            self._next = address
        return Heard(True, news)

    def note(self, address: str, now_s: float) -> None:
        """An announcement to be remembered only: the device is connected."""
        self.announced = address
        self._heard_s.pop(address, None)
        if len(self._heard_s) >= HEARD_SIZE:
            # the one whose turn has been goes first, so that a flood does not wash out what was never tried
            del self._heard_s[
                next((known for known in self._heard_s if known in self._tried_s), next(iter(self._heard_s)))
            ]
        self._heard_s[address] = now_s

    def prefer(self, address: Optional[str]) -> None:
        """The user configured another address."""
        self.configured = address
        if address is not None:
            self._next = address

    def may_look(self, strays: List[str], now_s: float) -> bool:
        """Whether look() would turn to one of these.

        It does when home has failed, and the device was not announced lately, as it is where announcements are heard;
        and twice to each at most.
        """
        if self._owes_home or self.home not in self._tried_s or self.target() not in self._tried_s:
            return False
        if now_s - max(self._heard_s.values(), default=-NEVER) < NEWS_AFTER_S:
            return False
        return any(self._looks.get(stray, 0) < LOOKS for stray in strays)

    def look(self, strays: List[str], now_s: float) -> None:
        """Turn to an address at which something answers that is not the device expected there."""
        if not self.may_look(strays, now_s):
            return
        stray = min(strays, key=lambda one: self._looks.get(one, 0))
        self._looks[stray] = self._looks.get(stray, 0) + 1
        if len(self._looks) > LOOKS_SIZE:
            del self._looks[next(iter(self._looks))]
        self._next = stray

    def address_worked(self, address: str) -> None:
        """A session got up at this address."""
        self.good = address
        self._looks.clear()
        self._next = None
        self._owes_home = False
        self._tried_s.clear()
        self._deaf.clear()

    def moved(self, now_s: float) -> None:
        """Silent where it was, and announced elsewhere: the announced address is next."""
        if self.good is not None:
            self._tried_s[self.good] = now_s
        self._next = self.announced

    def address_failed(self, address: str, now_s: float, *, answered: bool) -> None:
        """A try at this address came to nothing: the next candidate has its turn. answered: TCP was connected."""
        if address not in self._tried_s and len(self._tried_s) >= TURNS_SIZE:
            forgotten = min(self._tried_s, key=lambda known: self._tried_s[known])
            del self._tried_s[forgotten]
            self._deaf.discard(forgotten)
        self._tried_s[address] = now_s
        if answered:
            self._deaf.discard(address)
        else:
            self._deaf.add(address)
        self._owes_home = self.home is not None and address != self.home
        if self._owes_home:
            self._next = self.home
            return
        others = [option for option in self.options() if option != address]
        self._next = min(others, key=self._turn_s, default=address)

    def _turn_s(self, address: str) -> float:
        return self._tried_s.get(address, -NEVER)


class _Turns:
    """What is known of the version at one address."""

    def __init__(self) -> None:
        self.announced: Set[str] = set()
        self.hint: Optional[str] = None
        self.begin()

    def begin(self) -> None:
        """There is news: what failed before does not count. The numbers are of sessions that came to nothing."""
        self.failures = 0
        self.first_s: Optional[float] = None
        self.kept = 0  # in the version that has worked, whatever came of it
        self.guessed: Set[str] = set()  # others that were tried
        self.not_closed = 0  # in the version that has worked, and not just by the peer's closing
        self.since_guess = TRIES_A_GUESS  # in the version that has worked, since another one was tried
        self.guesses = 0  # in others than the one that has worked
        self.tried_known = False
        self.doubted = False  # the version that has worked has failed for so long that others have turns


class Versions:
    """The order of tries. What is known: the version that has worked, else the one that was given.

    An announced version that is higher than the known one is tried at once (firmware updates raise versions); a lower
    one only after the known one has failed, and never where the known one has worked: that one keeps two tries of
    three, and all of them at first. What has plain reports (3.1) proves nothing and is tried only where it is known.
    """

    def __init__(self, given: Optional[str], fixed: bool) -> None:
        self._given = given
        self._fixed = fixed and given is not None
        self._proven: Optional[str] = None
        self.worked: Optional[str] = None  # last, be it proven or not
        self._refuted: Set[str] = set()  # announced, and another one has worked
        self._tried: Set[str] = set()  # failed since something has worked
        self._turns: Dict[str, _Turns] = {}

    @property
    def known(self) -> Optional[str]:
        """What has worked, or was given. None while it is only guessed."""
        return self._proven or self._given

    def current(self, address: str) -> str:
        """The version to try next at an address."""
        if self._fixed and self._given is not None:
            return self._given
        turns = self._turns.get(address) or _Turns()
        if turns.hint is not None:
            return turns.hint
        if self._proven is not None:
            return self._after_success(self._proven, turns)
        order = self._order(turns)
        if not order:
            allowed = self._allowed()
            return allowed[turns.failures % len(allowed)]
        if turns.failures < len(order):
            return order[turns.failures]
        # from here every second try is for what is known, or announced: Busy and Mute pass by themselves
        others = [version for version in self._allowed() if version != order[-1]]
        number = turns.failures - len(order)
        if number % 2 or not others:
            return order[-1]
        return others[number // 2 % len(others)]

    def _after_success(self, proven: str, turns: _Turns) -> str:
        """The version that has worked, or another one's turn."""
        announced = sorted((v for v in turns.announced if self._may(v) and v != proven), reverse=True)
        guesses = [v for v in announced if v not in self._refuted]
        if turns.doubted:
            guesses += [v for v in (*announced, *self._allowed()) if v != proven and v not in guesses]
        if not guesses and turns.kept >= SURE_AT_FIRST and turns.since_guess and len(turns.guessed) < EARLY_GUESSES:
            return next((v for v in self._allowed() if v != proven and v not in turns.guessed), proven)
        if not guesses or turns.since_guess < TRIES_A_GUESS:
            return proven
        return guesses[turns.guesses % len(guesses)]

    def _order(self, turns: _Turns) -> List[str]:
        """The first tries at an address, the known version (else the announced one) at the end; empty: neither."""
        known = self.known
        announced = sorted((v for v in turns.announced if self._may(v)), reverse=True)
        if known is None:
            return [*announced, *announced[:1]]
        higher = [v for v in announced if _above(v, known)]
        others = [v for v in announced if v != known and v not in higher]
        return [*higher[:1], known, *others[:1], known]

    def _allowed(self) -> List[str]:
        return [version for version in versions.order() if self._may(version)]

    def _may(self, version: str) -> bool:
        if self._proven is not None and version != self._proven:
            return _above(version, self._proven)
        return version == self.known or versions.TABLE[version].reports_sealed

    def is_sure(self, version: str, address: str) -> bool:
        """Whether a failure in this version says something about the key rather than about the version."""
        if version == self._proven or (self._fixed and version == self._given):
            return True
        turns = self._turns.get(address)
        return turns is not None and version in turns.announced

    def trusts_plain(self, version: str) -> bool:
        """Whether reports that are not sealed may be believed: the version was chosen, given, or has worked."""
        return version == self.known

    def is_guess(self, version: str) -> bool:
        """Whether another version has worked."""
        return self._proven is not None and version != self._proven

    def is_early_guess(self, address: str) -> bool:
        """Whether the next try at an address is one of the first in another version than the one that has worked."""
        turns = self._turns.get(address)
        return turns is not None and len(turns.guessed) < EARLY_GUESSES and self.is_guess(self.current(address))

    def is_first_guess(self, address: str) -> bool:
        """Whether it is the first of them."""
        return self.is_early_guess(address) and not self._turns[address].guessed

    def hear(self, version: str, address: str) -> bool:
        """An announced version. Returns whether it is news: higher than the known one, or the first one heard."""
        if not versions.known(version):
            return False
        turns = self._at(address)
        if version in turns.announced:
            return False
        turns.announced.add(version)
        known = self.known
        if not self._may(version) or version in self._refuted or (known is not None and not _above(version, known)):
            return False
        turns.begin()
        return True

    def only_unsealed(self, address: str) -> bool:
        """Whether all that is announced at an address is a version which is not tried, because it proves nothing."""
        announced = self._announced_but_not_tried(address)
        return bool(announced) and not any(versions.TABLE[version].reports_sealed for version in announced)

    def lower_only(self, address: str) -> Optional[str]:
        """The version announced at an address, where it is lower than the one that has worked: it is not tried."""
        return max(self._announced_but_not_tried(address), default=None)

    def _announced_but_not_tried(self, address: str) -> Set[str]:
        """All that is announced at an address; empty where one of it may be tried."""
        turns = self._turns.get(address)
        return set() if turns is None or any(map(self._may, turns.announced)) else turns.announced

    def version_worked(self, version: str) -> None:
        """A session got up in this version, proven by the local key."""
        self._proven = version
        # a mere guess that failed may be announced one day
        announced: Set[str] = set().union(*(turns.announced for turns in self._turns.values()))
        self._refuted |= self._tried & announced
        self._refuted.discard(version)
        self._tried.clear()
        for turns in self._turns.values():
            turns.begin()
            turns.hint = None

    def version_failed(
        self,
        version: str,
        address: str,
        error: TuyaError,
        now_s: float,
        *,
        hint: str,
        hint_proven: bool,
        key_disproved: bool,
    ) -> None:
        """A session in `version` came to nothing.

        hint: the version that the peer seems to speak; hint_proven: a frame sealed under our key says so, else anybody
        may have said it, and what is known comes first. key_disproved: the handshake proves that the version was right
        and the key is wrong.
        """
        turns = self._at(address)
        turns.tried_known = turns.tried_known or version == self.known
        had_hint, turns.hint = turns.hint is not None, None
        if hint and not had_hint and self._may(hint):
            known = self.known
            news = hint not in turns.announced
            turns.announced.add(hint)
            if hint_proven or (news and (known is None or (turns.tried_known and _above(hint, known)))):
                turns.hint = hint
                self._tried.add(version)
                return
        if key_disproved or not isinstance(error, _OF_A_SESSION):
            return
        self._tried.add(version)
        turns.failures += 1
        if turns.first_s is None:
            turns.first_s = now_s
        if version != self._proven:
            turns.guesses += 1
            turns.guessed.add(version)
            turns.since_guess = 0
            return
        turns.since_guess += 1
        turns.kept += not isinstance(error, WrongKey)
        if not isinstance(error, Busy):
            turns.not_closed += 1
        turns.doubted = turns.not_closed >= SURE_TRIES or now_s - turns.first_s >= SURE_FOR_S

    def _at(self, address: str) -> _Turns:
        turns = self._turns.pop(address, None) or _Turns()
        self._turns[address] = turns  # the last one used is at the end
        if len(self._turns) > TURNS_SIZE:
            # those that are only announced go first: a flood of addresses must not make old news new again at home
            untried = (known for known, others in self._turns.items() if not others.failures and others is not turns)
            del self._turns[next(untried, next(iter(self._turns)))]
        return turns


def _above(version: str, other: str) -> bool:
    """Names of versions are ordered as texts, as versions.names() does."""
    return version > other
