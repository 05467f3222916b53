"""Every time, size and count that the LAN client lives by, and its back-off."""

from __future__ import annotations

import collections
import random
from typing import Deque

NEVER = float("inf")  # as a time: does not come; minus that: has not been

# -- opening a connection
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 3.0  # silence (not one byte) that ends a handshake or the wait for the first answer
OPENING_LIMIT_S = 10.0  # a peer that trickles bytes may keep us this long before its first answer
LATE_S = 1.5  # a device whose answers take so long has more time for its next ones:
LATE_ANSWER_TIMEOUT_S = 10.0  # instead of ANSWER_TIMEOUT_S; also after silence in the same version
KNOWN_SILENCES = 2  # ... but after so many where it has answered before, and soon
LATE_OPENING_LIMIT_S = 30.0
FIRST_UNPROVEN_LIMIT_S = 20.0  # lives, but says nothing under its key, and the version is a guess: others' turn ...
UNPROVEN_LIMIT_S = 90.0  # ... and longer the next time: some say one thing a minute
FIRST_VERDICT_S = 4.0  # after a start: something is said by then, also while a try is still under way
FIRST_SILENCE_S = 1.0  # then a heartbeat asks whether the device is there at all
ASKED_AGAIN_S = 1.0  # after a query that was refused in words: UPDATEDPS goes at once, the query again so much later

# -- holding it
HEARTBEAT_INTERVAL_S = 9.0
HEARTBEAT_ANSWER_S = 5.0  # for the second of two: 9 + 9 + 5 s = 23 s of silence is a loss
HEARTBEAT_LEAST_ANSWER_S = 3.0  # for one that was put off
SAID_WITHIN_S = 20.0  # devices close a connection on which they hear nothing for some 30 s
UNANSWERED_HEARTBEATS = 2
QUIET_AFTER_REFRESH_S = 2.0  # a heartbeat right after UPDATEDPS makes some devices disconnect
PROBE_AFTER_S = 1.0  # after what was heard or refreshed: some devices reset when pinged within a second of a push
PROBE_ANSWER_S = 2.5  # after the first of two, and again after the second; longer where answers are known to be late
PROBE_ANSWER_MAX_S = 10.0
PROBE_INTERVAL_S = 30.0
PROBE_SILENCE_S = 5.0  # an announcement from the same address means little while the device has just answered

# -- asking
REQUEST_SPACING_S = 5.0  # between queries and refreshes of one device
REQUEST_SPACING_AFTER_ERRORS_S = 10.0
UNANSWERED_REFRESHES = 3  # then the device is only queried
REFRESH_CRASH_S = 1.0  # a close so soon after UPDATEDPS is blamed on it
REFRESH_CRASHES = 2

# -- writing
WRITE_AGE_S = 1.5  # what was asked for so long ago is not sent: nobody expects it any more
CONFIRM_QUERY_S = 1.0
CONFIRM_HEARTBEAT_S = 2.0  # its answer tells that what was sent before it has been read
CONFIRM_LIMIT_S = 3.0
LOOK_AGAIN_S = 5.0  # behind a click: whether what was shown is still so
CONFIRM_LATEST_S = 10.0  # the longest limit where answers of this device are known to take long ...
CONFIRM_LATER = 2.5  # ... which is so many times what they took
STALE_ANSWER_S = 4.0  # an answer to a query that takes back a push so shortly before may be older than that
PENDING_WRITES = 32

# -- coming back
PAUSE_MIN_S = 1.0  # between two connections to a device, always: a second one wedges real breakers
PAUSE_MAX_S = 1.5
MOVE_PAUSE_S = 1.1  # values are to be back 3 s after the announcement: 1 s for the probe, this, and the handshake
BLOCKED_RECHECK_S = 1.0  # while another device has the address
BACKOFF_FACTOR = 1.8
BACKOFF_MAX_S = 60.0
RESTART_INTERVAL_S = 10.0  # an announcement restarts the back-off no more often than this ...
RESTART_BURST = 3  # ... after so many at once
WRONG_KEY_PROOFS = 2  # in a row: one may be a handshake that was spoilt; then it is told, and waits are the longest
EVICTION_S = 30.0  # connections that live no longer than this, twice in a row: somebody takes them ...
OWN_HABIT_S = 5.0  # ... except where they live at least so long ...
OWN_HABIT_TOLERANCE_S = 1.5  # ... and always equally long: then the device itself ends them
HOME_TURN_S = 30.0  # between two tries of where it was, whatever is announced and looked for elsewhere
GUESS_LIMIT_S = 15.0  # for a version that is only announced, where another one has worked
RESTARTED_S = 120.0  # connections that live no longer than this, and it was gone before: it restarts again and again
NOT_FOUND_S = 3.5  # without an address: how long an announcement is waited for before it is said
SHORT_LIVES = 3  # so many in a row before the waits grow in spite of a connection that was up
CONTACTS_WINDOW_S = 60.0
CONTACTS = 6  # connections to a device in that time, whatever is announced
CONTACT_INTERVAL_S = 15.0  # of those that come to nothing: one in this time ...
CONTACT_BURST = 4  # ... after so many at once
ANNOUNCING_MAX_S = 25.0  # longest wait while a device announces itself, as long as it is not FRUITLESS
ANNOUNCING_S = 15.0  # it does so while its last announcement is no older than this
FRUITLESS_CONTACTS = 20  # connections in a row that came to nothing: some devices are wedged by more and more of them
PATIENCE_S = 10.0  # for what takes connections and proves nothing, where the device may be elsewhere; doubles each time
PATIENCE_MAX_S = 160.0
SILENT_TRIES = 2  # in a row, at a device that has worked: while it is connected it does not announce itself, ...
LISTENING_S = 6.0  # ... so it is given the time to say where it is now, which it does every 5 s
STRAY_S = 300.0  # for so long something that answered at a place as nobody of ours is looked for there
STRAY_TIMES = 2  # before it counts ...
CLOSED_STRAY_S = 120.0  # ... and where it only closes connections: so long, because devices that are held do that too
LOOKS = 2  # for a device at such a place, each time it is missing ...
FEW_STRAYS = 2  # ... and soon where there are no more such places than so many
CONNECT_ELSEWHERE_S = 1.0  # of the connect time, where the device is announced at a new address meanwhile
OWNER_RETRY_S = 5.0
OWNER_ANSWER_S = 0.5

# -- sizes
MAX_PAYLOAD_BYTES = 64 * 1024  # real frames stay below 1.5 kB, answers of 30 kB are reported; more is noise
MAX_SENT_BYTES = 8 * 1024
READ_BYTES = 4 * 1024  # per recv: at most 2 ms of work for one device before the others have their turn
MAX_GARBAGE_BYTES = 64 * 1024  # since the last good frame: then the peer is not a Tuya device
MAX_FRAMES = 2000  # of one connection ...
MAX_BYTES = 128 * 1024  # and bytes, whatever they are: an answer of 30 kB each 5 s and pushes are far less ...
FRAMES_WITHIN_S = 5.0  # ... in this time: breakers push once a second
MAX_BAD_FRAMES = 64  # that fail their check, in a row
MAX_UNREADABLE_FRAMES = 3  # good check, payload of another key, in a row on a connection that worked
MAX_DPS = 512  # distinct data points that one frame may bring
LATE_LOOP_S = 1.0
GATHER_S = 0.001  # how long a busy loop lets messages gather; 2 ms saved nothing more and doubled their age


class Backoff:
    """Waits between connections: 1.0-1.5 s, then 1.8 times longer each time, up to 60 s."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._wait_s = 0.0

    def next_s(self, longest_s: float = BACKOFF_MAX_S) -> float:
        """Length of the wait that begins now, in seconds; it grows no further than to `longest_s`."""
        if self._wait_s <= 0.0:
            self._wait_s = self._rng.uniform(PAUSE_MIN_S, PAUSE_MAX_S)
        elif self._wait_s < longest_s:
            self._wait_s = min(self._wait_s * BACKOFF_FACTOR, longest_s)
        return self._wait_s

    def restart(self) -> None:
        """The next wait is the shortest one again."""
        self._wait_s = 0.0

    def longest(self) -> None:
        """The next wait is the longest one (a wrong key does not get right by trying)."""
        self._wait_s = BACKOFF_MAX_S


class TokenBucket:
    """Lets `burst` things through at once and then one in `interval_s`; all times are the caller's."""

    def __init__(self, interval_s: float, burst: int) -> None:
        self._interval_s = interval_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at_s = 0.0

    def take(self, now_s: float) -> bool:
        """Whether one more may pass at `now_s` (then it is counted)."""
        passed_s = max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._tokens = min(self._burst, self._tokens + passed_s / self._interval_s)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """What was taken last shall not count."""
        self._tokens = min(self._burst, self._tokens + 1.0)

    def next_s(self, now_s: float) -> float:
        """When one may pass, `now_s` if at once."""
        tokens = min(self._burst, self._tokens + max(0.0, now_s - self._at_s) / self._interval_s)
        return now_s + max(0.0, 1.0 - tokens) * self._interval_s


class Window:
    """When the last contacts began: there are to be no more than 6 in any minute."""

    def __init__(self) -> None:
        self.begun_s: Deque[float] = collections.deque(maxlen=CONTACTS)

    def next_s(self) -> float:
        """When the next one may begin; minus infinity where at any time."""
        return self.begun_s[0] + CONTACTS_WINDOW_S if len(self.begun_s) == CONTACTS else -NEVER


class Contacts:
    """How often a device may be contacted: 6 times in any minute, and less often where it comes to nothing."""

    def __init__(self) -> None:
        self._window = Window()
        self._tokens = TokenBucket(CONTACT_INTERVAL_S, CONTACT_BURST)

    def next_s(self, now_s: float) -> float:
        """When the next connection may begin, `now_s` if at once."""
        return max(self._window.next_s(), self._tokens.next_s(now_s))

    def begin(self, now_s: float) -> None:
        """A connection begins."""
        self._window.begun_s.append(now_s)
        self._tokens.take(now_s)

    def nobody(self) -> None:
        """The one that was begun last has reached nobody: it does not count at all."""
        if self._window.begun_s:
            self._window.begun_s.pop()
        self._tokens.give_back()

    def worthwhile(self) -> None:
        """The one that was begun last has brought values for a while."""
        self._tokens.give_back()
