"""One running hardware instance: LAN client, publisher, devices file, creation of units, board page, memory.

All methods but `_sink` and `_say` run on the plugin's thread. Knows no protocol and no meaning of a data point.
"""

from __future__ import annotations

import time
from typing import Callable, List, Optional

from ..boot_clock import boot_clock_s
from ..devices.commands import CommandRefused
from ..devices.devices_file import DeviceEntry, DevicesFileError
from ..devices.file_watch import FileWatch
from ..devices.household import Household
from ..devices.lan_device import device_of
from ..devices.secrets import key_texts
from ..lan.client import Client
from ..lan.device import short_id
from ..lan.events import Event
from ..sharing.server import Server
from .about import About
from .board_page import BoardPage
from .created import Memory
from .fleet import Fleet
from .framework import Framework
from .publisher import Publisher
from .settings import Settings, SettingsError, choose, devices_path

HEARTBEAT_S = 2
# onStop keeps Domoticz's only web thread waiting: both threads together get less than half a second
STOP_S = 0.4
CLIENT_STOP_S = 0.3
LEAST_PUBLISHER_STOP_S = 0.05
# creating a unit writes to the database; the rest of many comes with the next heartbeat
CREATE_BUDGET_S = 0.25
# "Allow new sensors for 5 minutes" is told to no plugin; each try that is refused is an error in Domoticz's log
CREATE_RETRY_S = 120.0
CREATE_TRIES = 15
# a store goes behind an Update that had not to wait for the database; without one (nothing answers) it goes by itself
STORE_UNSEEN_S = 90.0

MakeClient = Callable[..., Client]


class Service:
    """Serves the breakers of one hardware instance from start() to stop()."""

    def __init__(
        self,
        framework: Framework,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        make_client: MakeClient = Client,
    ) -> None:
        self._framework = framework
        self._settings = settings
        self._clock = clock
        self._household = Household(settings.debug)
        memory = Memory.load(framework.load_configuration())
        self._fleet = Fleet(settings.rules, memory, self._household)
        self._publisher = Publisher(self._fleet, framework, clock, self._say)
        owner = f"hardware {settings.hardware_name}"
        self._about = About(
            framework,
            settings,
            clock,
            self._publisher.waits_s,
            self._publisher.lost,
            self._fleet.deleted,
            self._fleet.written_ages_s,
            self._fleet.given,
            self._fleet.unkept,
            self._fleet.overwritten,
        )
        self._server = Server(self._household, owner, self._about.told, self._about.unit_names)
        self._client = make_client([], self._sink, owner=owner, clock=clock, guest=self._server)
        self._server.access = self._client
        self._watch = FileWatch(lambda: devices_path(settings))
        self._board: Optional[BoardPage] = None
        self._entries: List[DeviceEntry] = []
        self._create_retry_s = 0.0
        self._create_tries = CREATE_TRIES
        self._is_refused_said = False
        self._is_store_due = False
        self._store_due_since_s: Optional[float] = None
        self._problems_said: List[str] = []

    def start(self) -> None:
        """Start both threads; with a broken devices file only the file is watched."""
        for remark in self._settings.remarks:
            self._framework.status(remark)
        self._board = BoardPage(self._framework)
        self._client.start()
        self._publisher.start()
        self._read_devices()

    def _error(self, text: str) -> None:
        """Write an error to the log, and keep it for those who ask how it goes."""
        self._about.error(text)
        self._framework.error(text)

    def _read_devices(self) -> None:
        """Read the devices file as it is now; a broken one is said once and the last good one stays in use."""
        path = self._watch.mark()
        self._about.file_state = self._watch.taken
        try:
            choice = choose(self._settings, path)
        except (DevicesFileError, SettingsError) as error:
            self._error(f"{error}; the breakers known so far stay in use" if self._entries else str(error))
            return
        self._framework.hide(key_texts(entry.local_key for entry in choice.entries))
        for problem in choice.problems:
            self._error(problem)
        for remark in choice.remarks:
            self._framework.status(remark)
        self._entries = list(choice.entries)
        self._about.choice = choice
        self._create_tries = CREATE_TRIES
        if not self._entries and not choice.problems:
            self._error(f"{path}: there is no device in it that can be served")
        self._fleet.serve(self._entries, choice.profiles, self._framework.held(), self._clock())
        self._pass_polling()
        self._client.set_devices([device_of(entry) for entry in self._entries])
        self._is_store_due = True

    # -- other threads

    def _sink(self, event: Event) -> None:
        """Take an event of the LAN client, on its thread. Never blocks, never raises."""
        try:
            if self._household.handle(event, self._clock()):
                self._publisher.wake()
        except Exception as error:  # noqa: BLE001 - a value nobody thought of must not end the network's thread
            self._household.fault(f"a report could not be understood ({type(error).__name__}: {error})")

    def _say(self) -> None:
        """Write the lines that wait for the log. Plugin's or publisher's thread."""
        for line in self._household.take_lines():
            if line.is_error:
                self._error(line.text)
            else:
                self._framework.log(line.text)

    # -- heartbeat

    def heartbeat(self) -> None:
        """Do what is due by the clock, every two seconds."""
        now_s = self._clock()
        if self._watch.has_changed():
            self._read_devices()
        if not self._client.is_alive():
            self._household.fault("the network thread has ended and was started again")
            self._client.start()
        if not self._publisher.is_alive():
            self._household.fault("the publishing thread has ended and was started again")
            self._publisher.start()
        for problem in self._client.problems:
            if problem not in self._problems_said:
                self._problems_said.append(problem)
                self._framework.status(problem)
        self._pass_polling()
        self._about.problems = list(self._problems_said)
        self._about.look(now_s)
        self._create(now_s)
        self._fleet.tick(now_s)
        self._say()
        if self._fleet.save_energy(now_s):
            self._is_store_due = True
        self._store_when_free(now_s)
        if self._board is not None:
            self._board.publish(self._household.ages(now_s), HEARTBEAT_S)
        self._publisher.beat()

    def _pass_polling(self) -> None:
        """Tell the client how devices want to be asked whose profile has become known."""
        for device_id, polling in self._household.take_polling():
            self._client.set_polling(device_id, polling)

    def _create(self, now_s: float) -> None:
        """Create the units whose first value is known, as far as Domoticz lets us."""
        births = self._fleet.births(now_s)
        self._about.waiting = len(births)
        if not births:
            return
        accepts = self._framework.accepts_new_devices()
        if accepts is False and not self._is_refused_said:
            self._refused(now_s)
        if not accepts and (now_s < self._create_retry_s or self._create_tries <= 0):
            return
        has_created = False
        for birth in births:
            if not self._framework.create(birth.device_id, birth.unit, birth.name, birth.state, birth.produces):
                self._refused(now_s)
                break
            self._fleet.written(birth.device_id, birth.unit, birth.state, self._clock())
            has_created = True
            self._about.made += 1
            self._about.waiting -= 1
            if self._clock() - now_s > CREATE_BUDGET_S:
                break
        else:
            self._is_refused_said = self._about.is_refused = False
            self._create_tries = CREATE_TRIES
        if has_created:
            self._is_store_due = True

    def _refused(self, now_s: float) -> None:
        """Domoticz accepts no new devices: say it once, and try again later, not for ever."""
        self._create_retry_s = now_s + CREATE_RETRY_S
        self._create_tries -= 1
        if not self._is_refused_said:
            self._is_refused_said = self._about.is_refused = True
            self._error(
                "Domoticz does not accept new devices: switch on 'Accept new Hardware Devices' in its settings, "
                "and the breakers' devices appear"
            )

    def _store_memory(self) -> None:
        """Store what has to survive a restart, now."""
        self._is_store_due = False
        self._framework.store_configuration(self._fleet.dump_memory())

    def _store_when_free(self, now_s: float) -> None:
        """Store what has changed, unless a backup holds the database: a click would wait behind it all along.

        Configuration() keeps the interpreter lock while it waits for the database (Plugins.cpp, safe_query under the
        lock), so that no other thread could do it either. Whether the database is free is seen by the Updates, which
        wait without that lock, on a thread of their own.
        """
        if not self._is_store_due:
            self._store_due_since_s = None
            return
        if self._store_due_since_s is None:
            self._store_due_since_s = now_s
        is_overdue = now_s - self._store_due_since_s >= STORE_UNSEEN_S and not self._publisher.is_held_up(now_s)
        if is_overdue or self._publisher.was_quick(now_s, HEARTBEAT_S):
            self._store_memory()
            self._store_due_since_s = None

    # -- callbacks about units

    def click(self, device_id: str, unit: int, word: str, level: int) -> None:
        """Write what a click asks for, once; what it brings about is shown when the breaker says so."""
        asked_s = boot_clock_s()
        name = self._household.name_of(device_id)
        if name is None:
            self._error(f"{short_id(device_id)}: '{word}' is not sent: this device is not served any more")
            return
        try:
            dps = self._fleet.click(device_id, unit, word, level, self._clock())
        except CommandRefused as refusal:
            self._error(f"{name}: '{word}' is not sent: {refusal.what}")
            return
        self._client.write(device_id, dps, asked_s=asked_s)

    def unit_removed(self, device_id: str, unit: int) -> None:
        """The user deleted a unit: it stays away."""
        self._fleet.gone(device_id, unit)
        self._is_store_due = True

    def unit_added(self, device_id: str, unit: int) -> None:
        """An Update that ran while the user deleted the unit brought it back: take it out again."""
        if self._fleet.is_deleted(device_id, unit) and self._framework.held_by(device_id, unit) is None:
            self._framework.remove_ghost(device_id, unit)

    def unit_modified(self, device_id: str, unit: int) -> None:
        """Somebody edited a unit; a state that was set by hand is corrected by what the breaker says."""
        state = self._framework.held_by(device_id, unit)
        if state is not None:
            self._fleet.modified(device_id, unit, state, self._clock())
            self._publisher.wake()

    # -- stop

    def stop(self) -> None:
        """End both threads; well under half a second, whatever the breakers and the database do."""
        began_s = self._clock()
        self._household.settle(began_s)
        self._publisher.begin_stop()
        try:
            if not self._client.stop(CLIENT_STOP_S):
                self._error("the network thread has not ended in time")
        finally:
            is_stopped = self._publisher.stop(max(LEAST_PUBLISHER_STOP_S, STOP_S - (self._clock() - began_s)))
        if not is_stopped:
            # An Update waits for the database. The end of the interpreter waits for the thread; nothing is stored.
            self._error("Domoticz's database is busy: the last value is still being written")
            return
        if self._board is not None:
            self._board.remove()
        if self._fleet.save_energy(self._clock(), is_last=True) or self._is_store_due:
            self._store_memory()
