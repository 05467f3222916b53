"""When and where the next connection to a device is tried, and in which version. Rules only: no socket, no clock.

Waits grow while tries fail and begin anew with what is news; a pause stands between any two connections, and no more
than six begin in a minute, whatever is announced.
"""

from __future__ import annotations

import random
from typing import List, Optional

from .. import versions
from ..device import Device
from ..errors import Busy, Mute, Refused, TuyaError, WrongKey
from ..limits import (
    ANNOUNCING_MAX_S,
    ANNOUNCING_S,
    BACKOFF_MAX_S,
    BLOCKED_RECHECK_S,
    CONTACT_INTERVAL_S,
    FEW_STRAYS,
    FRUITLESS_CONTACTS,
    GUESS_LIMIT_S,
    HOME_TURN_S,
    LISTENING_S,
    MOVE_PAUSE_S,
    NEVER,
    OWN_HABIT_S,
    PATIENCE_MAX_S,
    PATIENCE_S,
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    RESTART_BURST,
    RESTART_INTERVAL_S,
    SILENT_TRIES,
    WRONG_KEY_PROOFS,
    Backoff,
    Contacts,
    TokenBucket,
)
from ..locks.address_use import Holder, Place, Places
from . import candidates, messages
from .lives import Lives
from .session_outputs import Ended


class Tries:
    """The tries of one device. `due_s`: when next() may have an answer; `holder`: who keeps the device away."""

    def __init__(self, device: Device, places: Places, rng: random.Random) -> None:
        self._device = device
        self._places = places
        self._backoff = Backoff(rng)
        self._restarts = TokenBucket(RESTART_INTERVAL_S, RESTART_BURST)
        self._returns = TokenBucket(RESTART_INTERVAL_S, RESTART_BURST)
        self._contacts = Contacts()
        self._key_worked = False
        self._announced_s = -NEVER
        self._leaves = TokenBucket(candidates.NEWS_AFTER_S, 1)
        self._patience_s = PATIENCE_S
        self._reached = True  # by the last try
        self.key_proofs = 0  # in a row, that the local key is wrong
        self.fruitless = 0  # connections in a row that were taken and came to nothing
        self.lives = Lives()
        self.addresses = candidates.Addresses(device.address)
        self.versions = candidates.Versions(device.version, device.version_fixed)
        self.holder: Optional[Holder] = None
        self.due_s = NEVER

    def reconfigure(self, device: Device) -> None:
        """Other settings."""
        old, self._device = self._device, device
        self._key_worked = self._key_worked and device.local_key == old.local_key
        if device.address != old.address:
            self.addresses.prefer(device.address)

    def new_versions(self) -> None:
        """What is known of the version no longer counts."""
        self.versions = candidates.Versions(self._device.version, self._device.version_fixed)

    def begin(self, now_s: float, *, possible: bool) -> None:
        """A start, or new settings: the next try comes at once, or after the pause."""
        self.holder = None
        self.key_proofs = self.fruitless = 0
        self._backoff.restart()
        self.due_s = NEVER
        if possible:
            self.due_s = max(now_s, self._places.closed_s(self._device.device_id) + self._backoff.next_s())
            self._backoff.restart()

    def end(self) -> None:
        """The device is no longer served."""
        self.due_s = NEVER
        self.holder = None
        self._places.forget(self._device.device_id)

    def next(self, now_s: float) -> Optional[str]:
        """The address to connect to now, which is then held. None while it is too early or another device has it."""
        if now_s < self.due_s:
            return None
        device, places = self._device, self._places
        if now_s - self.addresses.home_tried_s < HOME_TURN_S:
            self.addresses.look(self._strays(now_s), now_s)
        address = self.addresses.target()
        if address is None:
            return None
        place = (address, device.port)
        free_s = max(
            self._contacts.next_s(now_s),
            places.next_s(place),
            places.closed_s(device.device_id, place) + PAUSE_MIN_S,
        )
        places.want(device.device_id, device.label, place)
        announced = address == self.addresses.announced
        self.holder = places.holder(device.device_id, place, announced=announced)
        if self.holder is None and now_s < free_s:
            self.due_s = free_s
            return None
        self.holder = self.holder or places.claim(place, now_s)
        if self.holder is not None:
            self.addresses.address_failed(address, now_s, answered=True)  # another candidate has its turn, if any
            self.due_s = now_s + BLOCKED_RECHECK_S
            return None
        free_s = places.closed_s(device.device_id, place) + PAUSE_MIN_S  # a stranger may have closed his just now
        if now_s < free_s:
            places.unclaim(place)
            self.due_s = free_s
            return None
        places.take(device.device_id, place, now_s)
        self._contacts.begin(now_s)
        return address

    def _strays(self, now_s: float) -> List[str]:
        """Addresses at which it may be, by what other devices of ours have found at theirs.

        None without a proof of who answers, nor before the versions have had their turn at home.
        """
        home, known = self.addresses.home, self.versions.known or versions.order()[0]
        if home is None or not versions.TABLE[known].reports_sealed:
            return []
        if self.holder is None and self.versions.is_early_guess(home):
            return []
        return self._places.strays(self._device.device_id, self._place(home), now_s)

    @property
    def patience_s(self) -> float:
        """How long a peer that proves nothing may keep us: for ever where there is no other address to try."""
        return self._patience_s if len(self.addresses.options()) > 1 else NEVER

    def is_doubted(self, kept_s: float, now_s: float) -> bool:
        """Whether a peer that has kept us for so long, and has proved nothing, is to be left."""
        if kept_s < self._patience_s:
            return False
        return self.patience_s < NEVER or self._places.others_doubt(self._device.device_id, now_s)

    def is_look(self, address: str) -> bool:
        """Whether the device is looked for there, and neither given nor announced there."""
        return address not in self.addresses.options()

    # -- what is announced

    def heard(self, address: str, version: str, now_s: float) -> bool:
        """An announcement while nothing is connected. Returns whether it is a reason to try soon."""
        self._announced_s = now_s
        higher = self.versions.hear(version, address)
        heard = self.addresses.hear(address, now_s)
        return heard.chosen and (heard.news or higher)

    def heard_connected(self, address: str, version: str, now_s: float) -> None:
        """An announcement while a session is up: for later."""
        self._announced_s = now_s
        self.versions.hear(version, address)
        self.addresses.note(address, now_s)

    def guess_ends_s(self, address: str, version: str, now_s: float) -> float:
        """Until when a session that begins now may prove itself, in a version that is no more than announced."""
        is_guess = self.versions.worked not in (None, version)
        return now_s + GUESS_LIMIT_S if is_guess and address == self.addresses.home else NEVER

    def hurry(self, now_s: float) -> bool:
        """Try as soon as the pause allows, unless that came too often. Returns whether it changes anything."""
        wanted_s = max(now_s, self._places.closed_s(self._device.device_id) + MOVE_PAUSE_S)
        if wanted_s >= self.due_s or not self._restarts.take(now_s):
            return False
        self._backoff.restart()
        self.due_s = wanted_s
        return True

    def may_leave(self, now_s: float) -> bool:
        """Whether an announcement may cut short a connection that has proved nothing yet: seldom, it may be false."""
        return self._leaves.take(now_s)

    def moved(self, now_s: float) -> None:
        """Silent where it was and announced elsewhere: the new address is next."""
        self.addresses.moved(now_s)
        self.due_s = now_s + MOVE_PAUSE_S

    # -- what became of a try

    def judged(self, error: TuyaError, address: str, now_s: float) -> TuyaError:
        """The error of a failed try in the light of what else is known of this device and its address."""
        if isinstance(error, WrongKey):
            rival = self._places.rival(self._device.device_id, (address, self._device.port))
            if rival is not None:  # two are expected there: a key that fails proves nothing
                return messages.shared_address(self._device.label, address, rival)
            if self._key_worked:
                return messages.key_no_longer(self._device.label, address)
        if self.versions.only_unsealed(address):
            return messages.unsealed_only(self._device.label)
        lower = self.versions.lower_only(address)
        if lower is not None and self.versions.known is not None:
            return messages.lower_only(self._device.label, lower, self.versions.known)
        taken = address if self._places.another_may_be(self._device.device_id, now_s) else ""
        error = messages.with_causes(error, self._device, key_worked=self._key_worked, maybe_taken=taken)
        return messages.wedged(error, self.fruitless) if self.seems_wedged else error

    @property
    def needs_another_proof(self) -> bool:
        """Whether the key seems wrong for the first time: that may be a handshake which was spoilt on its way."""
        return 0 < self.key_proofs < WRONG_KEY_PROOFS

    @property
    def seems_wedged(self) -> bool:
        """Whether so many connections came to nothing that the device may need its power switched off and on."""
        return self.fruitless >= FRUITLESS_CONTACTS

    def session_up(self, address: str, version: str, *, proven: bool) -> None:
        """The device has answered there, in this version. proven: under its key."""
        self.key_proofs = self.fruitless = 0
        self._patience_s = PATIENCE_S
        self.addresses.address_worked(address)
        self.versions.worked = version
        if proven:
            self._key_worked = True
            self.versions.version_worked(version)
        self._places.worked(self._device.device_id, self._place(address))

    def closed(self, now_s: float) -> None:
        """The connection is closed; the pause begins."""
        self._places.leave(self._device.device_id, now_s)

    def lost(self, now_s: float, lived_s: float, *, brought: bool, our_fault: bool) -> None:
        """A connection that was up is gone; see Lives."""
        self.lives.ended(lived_s, brought=brought, our_fault=our_fault)
        if brought and lived_s >= OWN_HABIT_S:
            self._contacts.worthwhile()
        if not self.lives.pauses_grow:
            self._backoff.restart()
        self.due_s = now_s + self._backoff.next_s()

    def try_failed(
        self,
        address: str,
        version: str,
        error: TuyaError,
        now_s: float,
        *,
        answered: bool,
        strange: bool = False,
        ended: Optional[Ended] = None,
    ) -> None:
        """A try came to nothing.

        answered: TCP was connected. strange: by something that is no Tuya device, which tells nothing of versions.
        ended: what the session said, where it has ended.
        """
        proof = isinstance(error, WrongKey) and ended is not None and ended.key_disproved and not self.is_look(address)
        self.addresses.address_failed(address, now_s, answered=answered)
        if answered:
            at_home = address == (self.addresses.home or address)
            if not proof and at_home:
                self.fruitless += 1
            self._patience_s = min(2.0 * self._patience_s, PATIENCE_MAX_S)
            self._places.disproved(
                self._device.device_id,
                self._place(address),
                now_s,
                at_home=at_home,
                certain=not isinstance(error, Busy),
            )
            if not self._reached and self._returns.take(now_s):
                self._backoff.restart()  # something is there again
            if not strange or self.versions.known is None:
                self.versions.version_failed(
                    version,
                    address,
                    error,
                    now_s,
                    hint="" if ended is None else ended.hint,
                    hint_proven=ended is not None and ended.hint_proven,
                    key_disproved=proof,
                )
        else:
            self._contacts.nobody()
            if isinstance(error, Refused) and address == self.addresses.good:
                self.lives.gone()
        self._reached = answered
        self.key_proofs = self.key_proofs + 1 if proof else 0
        if self.key_proofs >= WRONG_KEY_PROOFS:
            self._backoff.longest()
        self.due_s = now_s + self._wait_s(version, now_s, silent=isinstance(error, Mute))
        if self.addresses.home not in (None, address) and self.fruitless < FRUITLESS_CONTACTS:
            # what was tried elsewhere does not put off the turn of where it was
            self.due_s = min(self.due_s, max(now_s + PAUSE_MAX_S, self.addresses.home_tried_s + HOME_TURN_S))

    def _wait_s(self, version: str, now_s: float, *, silent: bool) -> float:
        """How long to wait after a try in this version that has failed, in seconds. silent: nothing was answered."""
        address = self.addresses.target()
        strays = self._strays(now_s)
        if len(strays) <= FEW_STRAYS and self.addresses.may_look(strays, now_s):
            return LISTENING_S
        if self.fruitless < FRUITLESS_CONTACTS and address is not None and self.versions.is_first_guess(address):
            return PAUSE_MAX_S  # it stands in the wait for the next try of what has worked, and does not put that off
        announces = now_s - self._announced_s <= ANNOUNCING_S and self.fruitless < FRUITLESS_CONTACTS
        wait_s = self._backoff.next_s(ANNOUNCING_MAX_S if announces else BACKOFF_MAX_S)
        if silent and self._key_worked and self.fruitless >= SILENT_TRIES:
            wait_s = max(wait_s, LISTENING_S)
        if self.fruitless < FRUITLESS_CONTACTS and self._guesses(version):
            return min(wait_s, CONTACT_INTERVAL_S)  # a guess stands between the tries of what has worked
        return wait_s

    def _guesses(self, version: str) -> bool:
        """Whether this version was a guess beside the one that has worked, or the next one is."""
        address = self.addresses.target()
        is_guess = self.versions.is_guess
        return is_guess(version) or (address is not None and is_guess(self.versions.current(address)))

    def _place(self, address: str) -> Place:
        return address, self._device.port
