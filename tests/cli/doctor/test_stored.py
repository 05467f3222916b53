"""Values that never arrive in Domoticz, though everything before it works: "well" needs them to be there."""

from __future__ import annotations

import os
import sqlite3
import time

import pytest

from tuya.cli.doctor.domoticz_log import judge
from tuya.cli.doctor.domoticz_view import Row, StoredUnit, from_database
from tuya.cli.doctor.life import life_sign
from tuya.cli.doctor.stored import age_of_s, ages_s, check_refused, check_stored, zone_of
from tuya.devices.devices_file import parse_devices

ID = "bf0123456789abcdefgh"
ENTRIES = parse_devices(f'[{{"id": "{ID}", "name": "Boiler", "key": "0123456789abcdef"}}]').entries
NOW_S = 1_790_000_000.0
FORMAT = "%Y-%m-%d %H:%M:%S"


def sign(shown=None, uptime_s=3600.0, looked_age_s=4.0, lost=(), deleted=None, written=None, set_s=0.0, **device):
    served = {"id": ID, "connected": True, "heard_age_s": 2.0, "measured_age_s": 5.0, **device}
    units = {
        "shown": {ID: {"1": 1, "2": 0}} if shown is None else shown,
        "looked_age_s": looked_age_s,
        "lost": lost,
        "deleted": deleted,
        "written_ages_s": None if written is None else {ID: written},
    }
    started_at = NOW_S - uptime_s - set_s
    about = {"name": "hardware Breakers", "uptime_s": uptime_s, "started_at": started_at}
    return life_sign({**about, "served": [served], "units": units}, NOW_S)


def rows(switch=(1, 3000), energy=20):
    """Domoticz's table: the switch's value and seconds since it was stored, seconds since the kWh device was."""
    ages = {1: switch[1], 2: energy}
    values = {1: switch[0], 2: 0}
    return [
        StoredUnit(ID, unit, values[unit], time.strftime(FORMAT, time.localtime(NOW_S - age_s)))
        for unit, age_s in ages.items()
    ]


METERS = {ID: {"2": 0, "3": 0, "4": 0}}


def meters(*ages_s):
    """Domoticz's table: seconds since it stored kWh, V and A."""
    return [
        StoredUnit(ID, unit, 0, time.strftime(FORMAT, time.localtime(NOW_S - age_s)))
        for unit, age_s in zip((2, 3, 4), ages_s)
    ]


def states(told, stored):
    return [
        (finding.state, finding.text)
        for finding in check_stored(told, stored, ages_s(stored or (), NOW_S, None), ENTRIES)
    ]


def test_values_that_arrive_are_ok():
    assert states(sign(), rows()) == [("ok", "stored 20 s ago")]


def test_statements_that_the_database_refused_are_over_where_values_arrive():
    log = [
        '2026-01-01 10:00:00.000  Error: SQL Query("UPDATE DeviceStatus") : attempt to write a readonly database'
    ] * 2
    assert judge(log, "domoticz.log", "us").unstored == 2
    arrived = list(check_stored(sign(), rows(), ages_s(rows(), NOW_S, None), ENTRIES))
    assert check_refused(2, arrived).state == "note"
    unknown = check_refused(2, ())
    assert (unknown.state, bool(unknown.cure), "2 statements" in unknown.text) == ("unchecked", True, True)


def test_history_that_was_refused_is_not_over_because_values_arrive():
    refused = '2026-01-01 10:00:00.000  Error: SQL Query("INSERT INTO Meter (DeviceRowID) VALUES (2)") : malformed'
    values = '2026-01-01 10:05:00.000  Error: SQL Query("UPDATE DeviceStatus SET nValue=1") : locked'
    log = judge([refused, values], "domoticz.log", "us")
    assert (log.unstored, log.unstored_history_at) == (2, "2026-01-01 10:00:00")
    assert judge([values], "domoticz.log", "us").unstored_history_at is None
    locked = refused.replace("malformed", "database is locked")  # all of it, by another program
    assert judge([locked], "domoticz.log", "us").unstored_history_at is None
    assert judge([refused[25:]], "web", "us").unstored_history_at == "", "without a time it may be of now"
    at_s = time.mktime(time.strptime("2026-01-01 10:10:00", FORMAT))
    assert age_of_s(log.unstored_history_at, at_s, None) == 600.0
    assert age_of_s("", at_s, None) == 0.0
    arrived = list(check_stored(sign(), rows(), ages_s(rows(), NOW_S, None), ENTRIES))
    recent = check_refused(2, arrived, 600.0)
    assert (recent.state, "history" in recent.text) == ("unchecked", True)
    assert check_refused(2, arrived, 1000.0).state == "note"


def test_devices_that_the_user_deleted_are_told_of():
    told, usual = states(sign(deleted={ID: [3, 4]}), rows())
    assert (told[0], "deleted in Domoticz, and stay away (unit 3, 4)" in told[1], usual[0]) == ("note", True, "ok")


@pytest.mark.parametrize(
    ("told", "stored", "state", "text"),
    [
        (sign(), rows(energy=200), "failed", "Domoticz has stored nothing of it for 200 s"),
        (sign(), rows(switch=(0, 3000)), "failed", "another state than the plugin gave it (unit 1)"),
        (sign(shown={ID: {}}), rows(), "unchecked", "Domoticz has no device of it"),
        (sign(shown={}), None, "unchecked", "Domoticz has no device of it"),
        (sign(lost=[{"id": ID, "unit": 1}]), None, "failed", "did not store its new state (unit 1)"),
        (sign(), [], "failed", "are not in Domoticz's database"),
        (sign(), rows(energy=-3600), "note", "a time 3600 s ahead"),
    ],
)
def test_values_that_do_not(told, stored, state, text):
    (found,) = states(told, stored)
    assert (found[0], text in found[1]) == (state, True), found


@pytest.mark.parametrize(
    ("written", "ages", "state", "text"),
    [
        ((20, 200, 40), (20, 200, 40), "ok", "stored 20 s ago"),
        ((20, 200, 40), (33, 214, 41), "ok", "stored 33 s ago"),  # what takes the time between two looks
        (
            (20, 10, 40),
            (20, 90, 40),
            "unchecked",
            "a newer one, and Domoticz has stored nothing of it for 90 s (unit 3)",
        ),
        ((20, 10, 40), (20, 600, 700), "failed", "nothing of it for 700 s (unit 3, 4)"),
        ((20, 10, 40), (70, 90, 80), "unchecked", "(unit 2, 3, 4)"),
        ((20, 200, 40), (160, 200, 40), "failed", "nothing of it for 160 s (unit 2)"),
        (
            (80, 200, 40),
            (80, 200, 40),
            "unchecked",
            "the plugin has given Domoticz nothing of it for 80 s (unit 2)",
        ),
        (
            (20, 280, 40),
            (20, 280, 40),
            "unchecked",
            "the plugin has given Domoticz nothing of it for 280 s (unit 3)",
        ),
        (
            (20, 600, 40),
            (20, 600, 40),
            "failed",
            "the plugin has given Domoticz nothing of it for 600 s (unit 3)",
        ),
        ((20,), (20, 9000, 9000), "ok", "stored 20 s ago"),  # the others are not given in this run
        ((), (160, 20, 20), "failed", "the plugin has given Domoticz nothing of it for 160 s (unit 2)"),
    ],
)
def test_every_meter_that_was_given_is_to_be_stored(written, ages, state, text):
    told = sign(shown=METERS, written={str(unit): age_s for unit, age_s in zip((2, 3, 4), written)})
    (found,) = states(told, meters(*ages))
    assert (found[0], text in found[1]) == (state, True), found


def test_what_was_not_stored_is_known_before_a_minute_has_passed_since_the_start():
    told = sign(shown=METERS, written={"2": 5}, uptime_s=40.0, measured_age_s=90.0)
    (found,) = states(told, meters(35, 35, 35))
    assert found[0] == "unchecked"
    assert states(sign(shown=METERS, written={"2": 30}, uptime_s=40.0), meters(30, 30, 30)) == []


@pytest.mark.parametrize("set_s", [3600.0, 7200.0])
def test_what_was_stored_before_the_clock_was_set_is_not_old(set_s):
    written = {"2": 20, "3": 200, "4": 40}
    told = sign(shown=METERS, written=written, set_s=set_s)
    assert states(told, meters(20, 200 + set_s, 40 + set_s)) == [("ok", "stored 20 s ago")]
    assert states(sign(shown=METERS, written=written), meters(20, 200 + set_s, 40))[0][0] == "failed"


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        (sign(), None),  # nobody may look into the database
        (sign(uptime_s=20.0), rows(energy=5000)),  # it has just begun
        (sign(connected=False), rows(energy=5000)),  # told elsewhere
        (sign(measured_age_s=100.0), rows(energy=100)),
        (sign(shown={ID: {"1": 1}}), rows()),  # no kWh device: nothing that is stored each minute
        (sign(shown={ID: {"250": 1}}), [StoredUnit(ID, 250, 0, "2026-01-01 00:00:00")]),  # of a newer release
        (life_sign({"served": [{"id": ID, "connected": True}], "uptime_s": 9e9}), rows()),  # of an older one
    ],
)
def test_what_says_nothing(told, stored):
    assert states(told, stored) == []


def test_a_switch_that_changed_a_moment_ago_is_no_contradiction():
    assert states(sign(looked_age_s=8.0), rows(switch=(0, 5)))[0][0] == "ok"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam", "CET-1CEST,M3.5.0,M10.5.0/3", "America/St_Johns"])
def test_times_are_those_of_domoticzs_zone(zone):
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        stored = rows(energy=30)
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
    assert ages_s(stored, NOW_S, zone)[ID, 2] == 30.0
    assert os.environ.get("TZ") == before


def test_the_hour_that_comes_twice():
    autumn_s = 1792890000.0  # 2026-10-25 01:00 UTC, 02:00 in Amsterdam for the second time
    stored = [StoredUnit(ID, 2, 0, "2026-10-25 02:30:00")]
    assert ages_s(stored, autumn_s + 1810.0, "Europe/Amsterdam")[ID, 2] == 10.0
    assert ages_s(stored, autumn_s - 1790.0, "Europe/Amsterdam")[ID, 2] == 10.0


def test_what_is_no_time_is_left_out():
    assert ages_s([StoredUnit(ID, 2, 0, "soon")], NOW_S, None) == {}


def test_the_zone_of_a_process():
    assert zone_of(os.getpid()) == os.environ.get("TZ") or "TZ" not in os.environ
    assert zone_of(None) is None


def test_the_rows_are_those_of_enabled_hardware_of_ours(tmp_path):
    path = tmp_path / "domoticz.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE Hardware (ID INTEGER PRIMARY KEY, Name, Enabled, Type, Extra)")
    database.execute("CREATE TABLE Preferences (Key, nValue, sValue)")
    columns = (
        "ID, HardwareID, DeviceID, Unit, nValue, LastUpdate, sValue, Options, AddjValue, AddjMulti, "
        "AddjValue2, Name, Type, SubType, SwitchType, Used, Protected"
    )
    database.execute(f"CREATE TABLE DeviceStatus ({columns})")
    hardware = [("Breakers", 1, 94, "TuyaEnergy"), ("Old", 0, 94, "TuyaEnergy"), ("Other", 1, 94, "Weather")]
    database.executemany("INSERT INTO Hardware (Name, Enabled, Type, Extra) VALUES (?,?,?,?)", hardware)
    given = [(1, 1, "On", "", 30.0), (1, 2, "1;2", "EnergyMeterMode:MQ==", 0.0), (1, 8, "20.0", "", 1.5)]
    kinds = {1: (244, 73, 3, 1, 1), 2: (243, 29, 0, 1, 0), 8: (80, 5, 0, 0, 0)}
    for idx, (hardware_id, unit, *rest) in enumerate([*given, (2, 1, "", "", 0.0), (3, 1, "", "", 0.0)], start=1):
        row = (idx, hardware_id, ID, unit, 1, "2026-01-01 00:00:00", *rest, 1.0, 5.0, f"Boiler {unit}", *kinds[unit])
        database.execute("INSERT INTO DeviceStatus VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
    database.commit()
    database.close()
    found = from_database(path, is_running=False)
    assert found is not None
    assert found.stored == (
        StoredUnit(
            ID,
            1,
            1,
            "2026-01-01 00:00:00",
            1,
            None,
            row=Row("Breakers", "Boiler 1", 244, 73, 3, used=True, protected=True, off_delay_s=30.0, on_delay_s=5.0),
        ),
        StoredUnit(
            ID,
            2,
            1,
            "2026-01-01 00:00:00",
            2,
            "1;2",
            counts_itself=True,
            row=Row("Breakers", "Boiler 2", 243, 29, 0, used=True, protected=False),
        ),
        StoredUnit(  # its user has Domoticz add something
            ID,
            8,
            1,
            "2026-01-01 00:00:00",
            3,
            None,
            row=Row("Breakers", "Boiler 8", 80, 5, 0, used=False, protected=False, is_adjusted=True),
        ),
    )
