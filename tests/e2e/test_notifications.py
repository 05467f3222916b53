"""A user's notifications on the plugin's devices fire on a real Domoticz: power, switch, faults, and "Today"."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from tests.e2e.conftest import eventually

SWITCH, ENERGY, FAULTS = 1, 2, 10
# How a notification's type is written in the database, the same in every release (Notification_Type_Desc in
# main/RFXNames.cpp). The page of a kWh device offers the first only (CWebServer, "getnotificationtypes"); Today is
# taken from the JSON API.
USAGE, SWITCH_OFF, TODAY = "M", "O", "E"
MANY_TYPES = 40  # more than a release has
ALERT_TEXT_SINCE = (2024, 1)  # a notification on an Alert says its text, not only its level
GREATER = 0
SAID = re.compile(r"Status: Notification: (.*)")
SHORT_LOG_MIN = 1
UNTIL_MIDNIGHT_S = 150  # two ticks of the short log after the plugin's start, and midnight
DAY_S = 86_400
LOAD_W = 9000.0
LEAST_KWH = 0.1  # 40 s of it


def add(domoticz, row, number, limit):
    """Add a notification of the type of that number, and return how it stands in the database."""
    answer = domoticz.api(
        "addnotification",
        idx=row.idx,
        ttype=number,
        twhen=GREATER,
        tvalue=limit,
        tactive="true",
        tsendalways="false",
        trecovery="false",
        tsystems="none",  # the log is enough
        tpriority=0,
    )
    assert answer["status"] == "OK"
    sql = "SELECT Params FROM Notifications WHERE DeviceRowID=? ORDER BY ID DESC LIMIT 1"
    (stored,) = domoticz.query(sql, row.idx)
    return stored["Params"]


def notify(domoticz, row, kind, limit):
    """Do what the page of a device's notifications does when one is added.

    "addnotification" takes the type's number, and a new type gives the later ones other numbers (development of 2025
    has one more than 2025.1): the release is asked by adding one of each, until one is stored as the wanted type.
    """
    for number in range(MANY_TYPES):
        if add(domoticz, row, number, limit).split(";")[0] == kind:
            return
        domoticz.api("clearnotifications", idx=row.idx)
    raise AssertionError(f"this release has no notification of type {kind}")


def notifications(domoticz, start=""):
    """Return what was sent, about devices whose names begin so."""
    log = (domoticz.user_data / "domoticz.log").read_text(errors="replace")
    return [text for text in SAID.findall(log) if text.startswith(start)]


def total_wh(domoticz, row):
    """Return the total as the database holds it."""
    (stored,) = domoticz.query("SELECT sValue FROM DeviceStatus WHERE ID=?", row.idx)
    return float(stored["sValue"].split(";")[1])


@pytest.mark.e2e
def test_power_a_fault_and_switching_off(domoticz, fleet, devices_file):
    idx = domoticz.add_hardware(parameters={"Mode1": devices_file, "Mode4": "all", "Mode5": "2"})
    breaker, device_id = fleet.breakers[0], fleet.devices()[0]["id"]
    rows = {
        unit: eventually(lambda u=unit: domoticz.device(idx, device_id, u), 20, f"unit {unit}")
        for unit in (SWITCH, ENERGY, FAULTS)
    }
    for unit, kind, limit in ((ENERGY, USAGE, 2000), (FAULTS, USAGE, 3), (SWITCH, SWITCH_OFF, 0)):
        notify(domoticz, rows[unit], kind, limit)
    time.sleep(3.0)  # more than an interval: nothing may be said while nothing has happened
    assert notifications(domoticz) == []
    breaker.set_load(2500.0)
    (power,) = eventually(lambda: notifications(domoticz, rows[ENERGY].name), 15, "the one on power")
    assert float(re.search(r"is ([\d.]+)", power)[1]) == pytest.approx(2500, rel=0.03)
    breaker.trip()
    (fault,) = eventually(lambda: notifications(domoticz, rows[FAULTS].name), 15, "the one on the fault")
    assert "is 4 " in fault
    assert "Tripped" in domoticz.device(idx, device_id, FAULTS).svalue
    assert "Tripped" in fault or domoticz.release < ALERT_TEXT_SINCE
    eventually(lambda: f"{rows[SWITCH].name} >> OFF" in notifications(domoticz), 15, "the one on the switch")
    time.sleep(3.0)
    assert len(notifications(domoticz)) == 3


def near_midnight(seconds):
    """Return a POSIX time zone in which a day ends so many seconds from now, and this day there."""
    now = datetime.now(timezone.utc)
    midnight = now + timedelta(seconds=seconds)
    east_s = DAY_S - (midnight.hour * 3600 + midnight.minute * 60 + midnight.second)
    clock = f"{east_s // 3600:02d}:{east_s // 60 % 60:02d}:{east_s % 60:02d}"
    return f"EEE-{clock}", (now + timedelta(seconds=east_s)).date()


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_today(domoticz, fleet, devices_file):
    """Domoticz looks at a notification on Today once a day, for the day that has just ended: at its local midnight.

    MainWorker::Do_Work -> CSQLHelper::ScheduleDay -> AddCalendarUpdateMeter: Today is the last less the first row of
    the short log of that day, and its Wh are the second part of what the plugin wrote (EnergyMeterMode 0). A time zone
    brings midnight near; the day's first row is put into the database, as a day of short log would have it.
    """
    device_id = fleet.devices()[0]["id"]
    fleet.breakers[0].set_load(LOAD_W)
    idx = domoticz.add_hardware(parameters={"Mode1": devices_file, "Mode5": "2"})
    row = eventually(lambda: domoticz.device(idx, device_id, ENERGY), 20, "the kWh device")
    notify(domoticz, row, TODAY, LEAST_KWH)
    domoticz.quit()
    domoticz.environment["TZ"], day = near_midnight(UNTIL_MIDNIGHT_S)
    first_wh = total_wh(domoticz, row)
    with closing(sqlite3.connect(str(domoticz.database), timeout=20)) as database, database:
        database.execute("UPDATE Preferences SET nValue=? WHERE Key='ShortLogInterval'", (SHORT_LOG_MIN,))
        first = (row.idx, round(first_wh), f"{day} 00:05:00")
        database.execute("INSERT INTO Meter (DeviceRowID, Value, [Usage], Date) VALUES (?, ?, 0, ?)", first)
    domoticz.launch()
    eventually(lambda: total_wh(domoticz, row) > first_wh, 60, "a value")
    assert notifications(domoticz, row.name) == []
    (said,) = eventually(lambda: notifications(domoticz, row.name), 2 * UNTIL_MIDNIGHT_S, "the one on Today")
    (calendar,) = domoticz.query("SELECT Value, Date FROM Meter_Calendar WHERE DeviceRowID=?", row.idx)
    assert calendar["Date"] == str(day)
    assert 1000.0 * LEAST_KWH < calendar["Value"] <= total_wh(domoticz, row) - first_wh + 1.0
    assert said == f"{row.name} Today is {calendar['Value'] / 1000:.1f} kWh [> {LEAST_KWH:.1f} kWh]"
