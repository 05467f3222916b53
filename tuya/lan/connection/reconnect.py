"""When and where the next connection to a device is tried, and in which version. Rules only: no socket, no clock.

Waits grow while tries fail and begin anew with what is news; a pause stands between any two connections.
"""

from __future__ import annotations

import random
from typing import Optional

from ..device import Device
from ..errors import TuyaError, WrongKey
from ..limits import (
    BLOCKED_RECHECK_S,
    EVICTION_S,
    MOVE_PAUSE_S,
    PAUSE_MIN_S,
    RESTART_BURST,
    RESTART_INTERVAL_S,
    SHORT_LIVES,
    WRONG_KEY_PROOFS,
    Backoff,
    TokenBucket,
)
from ..locks.address_use import Holder, Place, Places
from . import candidates, messages

NEVER = float("inf")


class Tries:
    """The tries of one device. `due_s`: when next() may have an answer; `holder`: who keeps the device away."""

    def __init__(self, device: Device, places: Places, rng: random.Random) -> None:
        self._device = device
        self._places = places
        self._backoff = Backoff(rng)
        self._restarts = TokenBucket(RESTART_INTERVAL_S, RESTART_BURST)
        self._key_proofs = 0
        self._key_worked = False
        self.addresses = candidates.Addresses(device.address)
        self.versions = candidates.Versions(device.version, device.version_fixed)
        self.short_lives = 0  # connections in a row that were taken away early
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
        self._key_proofs = 0
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
        address = self.addresses.target()
        if address is None or now_s < self.due_s:
            return None
        device, places = self._device, self._places
        place = (address, device.port)
        places.want(device.device_id, device.label, place)
        announced = address == self.addresses.announced
        self.holder = places.holder(device.device_id, place, announced=announced) or places.claim(place, now_s)
        if self.holder is not None:
            self.addresses.failed(address, now_s)  # another candidate has its turn, where there is one
            self.due_s = now_s + BLOCKED_RECHECK_S
            return None
        free_s = places.closed_s(device.device_id, place) + PAUSE_MIN_S
        if now_s < free_s:
            places.unclaim(place)
            self.due_s = free_s
            return None
        places.take(device.device_id, place)
        return address

    def hurry(self, now_s: float, *, connecting: bool) -> bool:
        """An announcement: try as soon as the pause allows, unless that came too often. Returns whether it counts."""
        wanted_s = max(now_s, self._places.closed_s(self._device.device_id) + MOVE_PAUSE_S)
        if connecting:
            wanted_s = now_s + MOVE_PAUSE_S
        elif wanted_s >= self.due_s:
            return False
        if not self._restarts.take(now_s):
            return False
        self._backoff.restart()
        self.due_s = wanted_s
        return True

    def judged(self, error: TuyaError, address: str) -> TuyaError:
        """What a failure means: where two devices are expected at one address, a key that fails proves nothing."""
        rival = self._places.rival(self._device.device_id, (address, self._device.port))
        if not isinstance(error, WrongKey):
            return error
        if rival is not None:
            return messages.shared_address(self._device.label, address, rival)
        return messages.key_no_longer(self._device.label, address) if self._key_worked else error

    def opened(self, address: str, version: str) -> None:
        """The device has answered there, in this version."""
        self._key_proofs = 0
        self._key_worked = True
        self.addresses.worked(address)
        self.versions.worked(version)
        self._places.worked(self._device.device_id, self._place(address))

    def closed(self, now_s: float) -> None:
        """The connection is closed; the pause begins."""
        self._places.leave(self._device.device_id, now_s)

    def lost(self, now_s: float, lived_s: float, *, our_fault: bool) -> None:
        """A connection that was up is gone. our_fault: by what we asked, so that nobody has taken it away."""
        if not our_fault:
            self.short_lives = self.short_lives + 1 if lived_s < EVICTION_S else 0
        if self.short_lives <= SHORT_LIVES:
            self._backoff.restart()
        self.due_s = now_s + self._backoff.next_s()

    def failed(
        self, address: str, version: str, error: TuyaError, now_s: float, *, hint: str, answered: bool, proof: bool
    ) -> None:
        """A try came to nothing. answered: TCP was connected. proof: of a wrong key, and so of the version."""
        self.addresses.failed(address, now_s)
        if answered:
            self._places.disproved(self._device.device_id, self._place(address))
        self.versions.failed(version, error, hint, proof=proof)
        self._key_proofs = self._key_proofs + 1 if proof else 0
        if self._key_proofs >= WRONG_KEY_PROOFS:
            self._backoff.longest()
        self.due_s = now_s + self._backoff.next_s()

    def moved(self, now_s: float) -> None:
        """Silent where it was and announced elsewhere: the new address is next."""
        if self.addresses.announced is not None:
            self.addresses.hear(self.addresses.announced, now_s)
        self.due_s = now_s + MOVE_PAUSE_S

    def _place(self, address: str) -> Place:
        return address, self._device.port
