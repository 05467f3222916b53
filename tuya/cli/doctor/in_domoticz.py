"""The doctor's checks of the plugin inside Domoticz: which one counts, whether it runs there now, and what it does.

"Well" needs evidence of this run, and that is what the running plugin itself says (life.py). What Domoticz says of it
(domoticz_view.py, domoticz_log.py) tells why there is none, and never replaces it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

from tuya.cli.common import is_same_file
from tuya.cli.doctor.cures import RESTART, SOON
from tuya.cli.doctor.domoticz_log import EVENT_SYSTEM_CURE, LogWord
from tuya.cli.doctor.domoticz_view import PLUGIN_KEY, StoredUnit, View, names_of
from tuya.cli.doctor.files import check_in_use, plugins_of
from tuya.cli.doctor.findings import FAILED, NOTE, OK, UNCHECKED, Finding, lasted
from tuya.cli.doctor.holder import doctor_as, is_stopped, tells_us
from tuya.cli.doctor.life import LifeSign
from tuya.cli.doctor.rows import check_left_behind, check_oddities, check_unkept
from tuya.cli.doctor.served import NEW_FILE_S, Known, check_served
from tuya.cli.doctor.stored import age_of_s, ages_s, check_refused, check_stored, zone_of
from tuya.devices.devices_file import DeviceEntry
from tuya.domoticz.about import SWAPPED
from tuya.domoticz.installation import code_content, code_state
from tuya.domoticz.settings import NOT_UNDERSTOOD
from tuya.setup.find_domoticz import Domoticz, data_folder_of
from tuya.setup.running import Started
from tuya.version import plugin_version

LATE_BEAT_S = 20.0  # Domoticz calls the plugin every 2 s
LATE_UPDATE_S = 5.0  # an Update takes about 1 ms
HUNG_S = 300.0  # a backup of a large database takes a minute or two
SHOWN = 3
SET_CLOCK_S = 30.0  # so much more between two notes of one moment, and somebody set the clock
MANIFEST_CHARACTERS = 4096

ADD_CURE = "Setup > Hardware > type 'Tuya breakers and energy meters (local)', give it a name, Add"
START_CURE = "start it (sudo systemctl start domoticz); if it does not stay: journalctl -u domoticz"
ACCEPT_CURE = (
    "Setup > Settings > System > Hardware/Devices: tick 'Accept new Hardware Devices', Apply Settings; the plugin "
    "then makes its devices within a minute"
)
# what the plugin says of its settings, as far as somebody has to do something about it
_PROBLEM_CURES = {
    SWAPPED: "a click on one may switch the other: call it in Domoticz as in devices.json, or the other way round",
    NOT_UNDERSTOOD: "Setup > Hardware: select it, choose one of the values that this field offers, Update",
}


@dataclass(frozen=True)
class Surroundings:
    """What the checks look at. can_hear: whether what a plugin says would reach us, so that silence means something."""

    folder: Path
    domoticz: Optional[Domoticz]
    signs: Sequence[LifeSign]
    views: Sequence[View]
    log: Optional[LogWord]
    containers: Sequence[str] = ()
    running: Sequence[Started] = ()  # every Domoticz that runs on this machine
    can_hear: bool = True
    web_problem: str = ""  # why Domoticz's web server could not be asked, though it was to be
    is_mute: bool = False  # a plugin is there in that Domoticz, and did not answer
    files: Sequence[Path] = ()  # devices files that were looked at
    file_was_named: bool = False  # on the command line
    listed: Sequence[DeviceEntry] = ()  # all entries of these files
    told: Sequence[Finding] = ()  # what was found before, of the breakers first of all
    is_apart: bool = False  # that Domoticz is in another network namespace: a container's
    stored: Optional[Sequence[StoredUnit]] = None  # our devices in its database, where that may be read
    now_s: float = 0.0
    unstored: Optional[Finding] = None  # why its database does not show what it stores
    run_s: float = float("inf")  # for how long this run had lasted when the plugin was asked
    after: Sequence[LifeSign] = ()  # what plugins said once more, after the look into its database

    def plugins(self) -> List[LifeSign]:
        """What hardware of ours in that Domoticz says of itself."""
        return plugins_of(self.domoticz, self.signs)

    def again(self, sign: LifeSign) -> Optional[LifeSign]:
        """What the same plugin said after the look into Domoticz's database; None where it said nothing."""
        return next((one for one in self.after if (one.pid, one.name) == (sign.pid, sign.name)), None)


def can_hear(domoticz: Optional[Domoticz], folder: Path) -> bool:
    """Whether this user is one whom a plugin in that Domoticz tells: root, the same user, the owner of the folder."""
    account = domoticz.account if domoticz is not None else None
    return account is None or tells_us(account.uid, folder)


def is_apart(domoticz: Optional[Domoticz]) -> bool:
    """Whether it runs in another network namespace than we do: then nothing of what its plugin says is heard here."""
    if domoticz is None or domoticz.pid is None:
        return False
    try:
        return not Path("/proc", str(domoticz.pid), "ns/net").samefile("/proc/self/ns/net")
    except OSError:
        return False


def examine_domoticz(around: Surroundings, entries: Sequence[DeviceEntry]) -> Iterator[Finding]:
    """All findings about the plugin in Domoticz. entries: those of the devices file that are to be served."""
    found: List[Finding] = []
    for finding in _examine(around, entries):
        found.append(finding)
        yield finding
    ours = around.plugins()
    if ours and found[0].state == OK:
        is_well = all(one.state not in (FAILED, UNCHECKED) for one in (*around.told, *found))
        yield _errors(ours, around.now_s, is_well)


def _examine(around: Surroundings, entries: Sequence[DeviceEntry]) -> Iterator[Finding]:
    place = _check_place(around)
    yield place
    if around.web_problem:
        cure = "give the address at which its pages are seen in a browser: --domoticz http://127.0.0.1:8080"
        yield Finding("web server", UNCHECKED, around.web_problem, cure)
    if place.state != OK or around.domoticz is None:
        return
    if around.domoticz.started is not None and around.domoticz.started.is_replaced:
        text = f"the program of process {around.domoticz.pid} was replaced or deleted since it was started (an update?)"
        yield Finding("program", NOTE, text, RESTART)
    yield from _check_others(around)
    ours = around.plugins()
    for view in around.views:
        yield from _check_view(view, bool(ours))
    if around.log is not None and (not ours or around.log.tells_of_one or around.log.finding.failed):
        yield around.log.finding  # else it leaves a plugin out that runs: the hardware's log level, or a new file
    if not ours:
        yield _no_sign(around)
        return
    yield from _check_rows(ours, around.views)
    yield from _check_copies(around)
    for sign in ours:
        yield from _check_sign(sign, around)
    yield from check_served(ours, Known(around.files, around.now_s, around.told, around.run_s), entries)
    zone = zone_of(around.domoticz.pid)
    ages = ages_s(around.stored or (), around.now_s, zone)
    stored = [
        finding for sign in ours for finding in check_stored(sign, around.stored, ages, entries, around.again(sign))
    ]
    yield from stored
    yield from check_left_behind(ours, around.stored, ages, around.listed)
    suspects = {one.device for one in (*around.told, *stored) if one.state in (FAILED, UNCHECKED)}
    for sign in ours:
        yield from check_unkept(sign, ages, entries, suspects)
    yield from check_oddities(around.stored or (), entries)
    if around.unstored is not None:
        yield around.unstored
    elif around.log is not None and around.log.unstored:
        at = around.log.unstored_history_at
        history_age_s = None if at is None else age_of_s(at, around.now_s, zone)
        yield check_refused(around.log.unstored, stored, history_age_s)


def _check_place(around: Surroundings) -> Finding:
    """Which Domoticz counts, and whether it runs."""
    domoticz = around.domoticz
    elsewhere = "look there at Setup > Log, or run the doctor there, in the folder of its plugin"
    if domoticz is None:
        apart = [f"process {one.pid}, Domoticz, has a root of its own" for one in around.running if one.is_elsewhere]
        where = f"; {apart[0]}: a container, or a chroot" if apart else ""
        where = f"; there is a container {around.containers[0]!r}" if around.containers else where
        if around.containers:
            name = around.containers[0]
            elsewhere = f"docker exec {name} python3 -m tuya doctor, in the plugin's folder there, or its Setup > Log"
        return Finding("domoticz", UNCHECKED, f"no Domoticz was found on this machine{where}", elsewhere)
    if not domoticz.is_ours:
        text = f"{domoticz.binary} ({domoticz.how}) is not known to have this copy of the plugin, {around.folder}"
        started = domoticz.started
        if started is None or not os.access(started.user_data / "plugins", os.R_OK):
            return Finding("domoticz", UNCHECKED, text, elsewhere)
        plugins = started.user_data / "plugins"
        own = data_folder_of(around.folder)
        if own is not None:
            return _check_own(own, around.running)
        text = (
            f"the Domoticz of this machine, {domoticz.binary}, takes its plugins from {plugins}: this copy is not there"
        )
        cure = f"ln -s {around.folder} {plugins}/, restart Domoticz; or run the doctor of the copy that is there"
        return Finding("domoticz", FAILED, text, cure)
    if domoticz.pid is None:
        return Finding("domoticz", FAILED, f"{domoticz.binary} does not run", START_CURE)
    return Finding("domoticz", OK, f"{domoticz.binary} runs as process {domoticz.pid} with this copy of the plugin")


def _check_own(data: Path, running: Sequence[Started]) -> Finding:
    """This copy lies among the plugins of a Domoticz, and none that runs is known to be that one."""
    hidden = [one for one in running if not os.access(one.user_data / "plugins", os.R_OK)]
    if hidden:
        text = (
            f"whether the Domoticz whose data is in {data} runs is not known: process {hidden[0].pid} may be that one"
        )
        return Finding("domoticz", UNCHECKED, text, "sudo python3 -m tuya doctor, which may look into it")
    others = ", ".join(f"process {one.pid} takes its plugins from {one.user_data / 'plugins'}" for one in running)
    text = f"the Domoticz whose data is in {data}, with this copy of the plugin, does not run"
    cure = "start that one (its service, or as it was started before); if it does not stay: its log, or journalctl"
    return Finding("domoticz", FAILED, f"{text}; another one does: {others}" if others else text, cure)


def _check_view(view: View, is_alive: bool) -> Iterator[Finding]:
    """What Domoticz says of the plugin's hardware. is_alive: the plugin runs, and says itself what it may."""
    enabled = tuple(row for row in view.hardware if row.enabled)
    if view.event_system is False:
        text = "Domoticz's event system is switched off, and plugins with it"
        yield Finding("event system", FAILED, text, EVENT_SYSTEM_CURE)
    if not view.hardware:
        yield Finding("hardware", FAILED, f"it is not on the Hardware page ({view.source})", ADD_CURE)
    elif not enabled:
        names = ", ".join(names_of(view.hardware))
        cure = "Setup > Hardware: select it, tick 'Enabled', Update"
        yield Finding("hardware", FAILED, f"{names} is there and not enabled ({view.source})", cure)
    else:
        names = ", ".join(names_of(enabled))
        yield Finding("hardware", OK, f"{names} is on the Hardware page and enabled ({view.source})")
    for row in enabled:
        if not row.logs:
            text = f"nothing of '{row.name}' reaches Domoticz's log, no error either: its log level has nothing ticked"
            yield Finding("log level", NOTE, text, "Setup > Hardware: select it, tick 'Status' and 'Error', Update")
    if view.accepts_new is False and not is_alive:
        yield Finding("new devices", FAILED, "Domoticz accepts no new devices", ACCEPT_CURE)


def _check_rows(signs: Sequence[LifeSign], views: Sequence[View]) -> Iterator[Finding]:
    """Each hardware that is enabled runs: one that was started in vain is no part of what the others say."""
    running_names = [sign.name for sign in signs]
    for row in (row for view in views for row in view.hardware if row.enabled):
        if f"hardware {row.name}" in running_names:
            running_names.remove(f"hardware {row.name}")
            continue
        text = f"'{row.name}' is enabled on the Hardware page, and nothing is heard of it"
        cure = f"{SOON}; if it stays: what does Setup > Log say of it? Then {RESTART}"
        yield Finding("hardware", UNCHECKED, text, cure)


def _check_others(around: Surroundings) -> Iterator[Finding]:
    """Another Domoticz with this very copy among its plugins: a breaker has one connection only.

    A child of ours is none: it is on its way to become a script.
    """
    pid = around.domoticz.pid if around.domoticz is not None else None
    for one in around.running:
        if one.pid != pid and one.parent != pid and one.holds(around.folder):
            text = f"process {one.pid}, another Domoticz, has this copy of the plugin too, and was not looked at"
            cure = "one Domoticz is to serve a breaker: stop the other, or take this folder out of its plugins"
            yield Finding("domoticz", UNCHECKED, text, cure)


def _no_sign(around: Surroundings) -> Finding:
    """No plugin in that Domoticz says anything."""
    domoticz = around.domoticz
    account = domoticz.account if domoticz is not None else None
    if around.is_apart and domoticz is not None:
        text = f"process {domoticz.pid}, Domoticz, is in a container with a network of its own: nothing of it is heard"
        cure = "docker exec -it CONTAINER python3 -m tuya doctor, in the plugin's folder there; or its Setup > Log"
        return Finding("plugin", UNCHECKED, text, cure)
    if not around.can_hear and account is not None:
        text = f"Domoticz runs as {account.name}, and what its plugin says does not reach the user of this run"
        return Finding("plugin", UNCHECKED, text, f"{doctor_as(account)}; or look at Setup > Log")
    started = domoticz.started if domoticz is not None else None
    began_s = started.began_s if started is not None else None
    delay_s = started.startup_delay_s if started is not None else 0.0
    if began_s is not None and around.now_s - began_s < NEW_FILE_S + delay_s:
        waits = f", and waits {delay_s:.0f} s before it starts anything (-startupdelay)" if delay_s else ""
        text = (
            f"Domoticz was started {max(0.0, around.now_s - began_s):.0f} s ago{waits}; "
            "the plugin has not said anything yet"
        )
        return Finding("plugin", UNCHECKED, text, SOON)
    if domoticz is not None and domoticz.pid is not None and is_stopped(domoticz.pid):
        text = f"process {domoticz.pid}, Domoticz, is stopped: it does nothing until somebody lets it go on"
        return Finding("plugin", FAILED, text, f"{RESTART}, or: sudo kill -CONT {domoticz.pid}")
    if around.is_mute and domoticz is not None:
        text = (
            f"it is there in process {domoticz.pid} and does not answer: Domoticz hangs, was stopped, or is very busy"
        )
        return Finding("plugin", FAILED, text, f"run this again; if it stays, {RESTART}")
    if around.log is not None and around.log.reason:
        cure = "correct that (a field: Setup > Hardware, select it, Update); then run this again"
        return Finding("plugin", FAILED, f"it was started and serves nothing: {around.log.reason}", cure)
    text = "the plugin does not run in this Domoticz, or one of an older release does"
    cure = f"Setup > Hardware: is it there and enabled? What does Setup > Log say? Else {RESTART}"
    return Finding("plugin", FAILED, text, cure)


def _check_sign(sign: LifeSign, around: Surroundings) -> Iterator[Finding]:
    """What one running hardware says of itself."""
    outside = around.domoticz.started.outside if around.domoticz and around.domoticz.started else ""
    if not sign.is_of(around.folder, outside) and sign.folder and not os.path.lexists(f"{outside}{sign.folder}"):
        text = f"{sign.name} was started in {sign.folder}, which is not there any more: the folder was renamed or moved"
        yield Finding("plugin", FAILED, text, f"{RESTART}: it then runs what is in {around.folder}")
        return
    if not sign.is_of(around.folder, outside):
        text = f"{sign.name} runs another copy of the plugin, {sign.folder or 'it does not say which'}"
        cure = f"take one of the two copies out of the plugins folder, and {RESTART}"
        yield Finding("plugin", FAILED, text, cure)
        return
    if sign.version != plugin_version():
        text = f"{sign.name} runs release {sign.version or 'unknown'}; this folder has {plugin_version()}"
        yield Finding("plugin", FAILED, text, RESTART)
    elif sign.code != code_state(around.folder) and sign.code_content != code_content(around.folder):
        text = f"{sign.name} runs what was in this folder before its files were changed (an update?)"
        yield Finding("plugin", FAILED, text, RESTART)
    else:
        since = _since(sign, around.now_s)
        yield Finding("plugin", OK, f"{sign.name} runs release {sign.version}{since}")
    yield from _check_pulse(sign)
    path = Path(f"{outside}{sign.devices_file}")
    yield from check_in_use(sign, path, around.files, around.file_was_named)
    yield _check_units(sign)
    if sign.switching == "refused":
        text = f"{sign.name} refuses every click: its field 'Switching' on the Hardware page says so"
        yield Finding("settings", NOTE, text)
    for problem in sign.problems:
        cure = next((cure for words, cure in _PROBLEM_CURES.items() if words in problem), "")
        yield Finding("settings", UNCHECKED if cure else NOTE, f"{sign.name}: {problem}", cure)


def _check_pulse(sign: LifeSign) -> Iterator[Finding]:
    """Whether Domoticz goes on calling the plugin, and takes what it gives."""
    cure = f"run this again in a minute (a backup of Domoticz's database ends by itself); if it stays, {RESTART}"
    beat_s, waits_s = sign.beat_age_s or 0.0, sign.update_waits_s or 0.0
    if beat_s > LATE_BEAT_S:
        state = FAILED if beat_s > HUNG_S else UNCHECKED
        text = f"Domoticz has not called {sign.name} for {beat_s:.0f} s: its thread waits, and no value is written"
        yield Finding("plugin", state, text, cure)
    if waits_s > LATE_UPDATE_S:
        state = FAILED if waits_s > HUNG_S else UNCHECKED
        text = f"Domoticz has been taking {waits_s:.0f} s for one value of {sign.name}: its database is busy or locked"
        yield Finding("plugin", state, text, cure)


def _check_copies(around: Surroundings) -> Iterator[Finding]:
    """Other copies of the plugin among the plugins of this Domoticz: which one it takes at its next start is chance."""
    started = around.domoticz.started if around.domoticz is not None else None
    plugins = started.user_data / "plugins" if started is not None else around.folder.parent
    others = [
        manifest.parent
        for manifest in sorted(plugins.glob("*/plugin.py"))
        if not is_same_file(manifest.parent, around.folder) and f'key="{PLUGIN_KEY}"' in _head_of(manifest)
    ]
    if others:
        text = f"{', '.join(map(str, others))}: another copy of the plugin; Domoticz takes either at its next start"
        yield Finding("copies", NOTE, text, f"move it out of {plugins}; a backup may be anywhere else")


def _head_of(manifest: Path) -> str:
    try:
        with manifest.open(encoding="utf-8", errors="replace") as file:
            return file.read(MANIFEST_CHARACTERS)
    except OSError:
        return ""


def _check_units(sign: LifeSign) -> Finding:
    """Whether Domoticz took the devices that the plugin made."""
    waiting = sign.units_waiting or 0
    if sign.units_refused or (sign.accepts_new is False and waiting):
        text = f"Domoticz accepts no new devices: {waiting or 'some'} of {sign.name} are not made"
        return Finding("devices in Domoticz", FAILED, text, ACCEPT_CURE)
    if sign.units_existing is None:
        text = f"{sign.name} does not say which devices Domoticz has"
        return Finding("devices in Domoticz", UNCHECKED, text, "look at Setup > Devices")
    if not waiting and not sign.units_existing and not any(device.connected for device in sign.served):
        return Finding("devices in Domoticz", NOTE, f"none of {sign.name}: no breaker of it is connected")
    if waiting or not sign.units_existing:
        text = f"{sign.units_existing} there, {waiting} to come"
        cure = "run this again in a minute"
        if not waiting:
            cure += '; were they deleted in Domoticz, "domoticz": {"restore": true} in devices.json brings them back'
        return Finding("devices in Domoticz", UNCHECKED, text, cure)
    if sign.accepts_new is False:
        text = f"{sign.units_existing}; Domoticz accepts no new ones, should more breakers come"
        return Finding("devices in Domoticz", NOTE, text)
    return Finding("devices in Domoticz", OK, f"{sign.units_existing} of {sign.name}")


def _errors(signs: Sequence[LifeSign], now_s: float, is_well: bool) -> Finding:
    """What went wrong since the plugin was started. is_well: no check fails, so that it is over."""
    errors = sorted(
        (now_s - at_s if age_s is None else age_s, text) for sign in signs for at_s, age_s, text in sign.errors
    )
    if not errors:
        return Finding("errors", OK, "none since the plugin was started")
    said = " / ".join(text for _, text in reversed(errors[:SHOWN]))
    text = f"{len(errors)} since the plugin was started, the last {lasted(errors[0][0])} ago: {said}"
    if is_well:
        text += ". They are over as far as no check here fails"
    return Finding("errors", NOTE, text)


def _since(sign: LifeSign, now_s: float) -> str:
    """Since when it runs; its own note of the time, as long as the clock has not been set since."""
    if sign.uptime_s is None:
        return ""
    at_s = now_s - sign.uptime_s
    if sign.started_at is not None and abs(sign.started_at - at_s) < SET_CLOCK_S:
        at_s = sign.started_at
    return f" since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at_s))}"
