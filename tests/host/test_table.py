import pytest

from tuya.host.table import Table

NOON_S = 1_760_000_000.0


def fields(unit=1, kind=(243, 29, 0), svalue="0.0;0.000", nvalue=0, **more):
    return {
        **{"Unit": unit, "Name": f"Unit {unit}", "Used": 1, "Type": kind[0], "SubType": kind[1], "SwitchType": kind[2]},
        **{"SignalLevel": 12, "BatteryLevel": 255, "nValue": nvalue, "sValue": svalue, "Image": 0},
        **{"Description": "", "Color": "", "Options": {}, **more},
    }


class Clock:
    now_s = NOON_S

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(tmp_path, clock):
    table = Table(tmp_path / "domoticz.db")
    table.clock = clock
    table.add_hardware("Test", "Key", {}, True, 0)
    yield table
    table.close()


def test_today_counts_from_the_first_value_of_the_day(table, clock):
    row, _ = table.create_unit(1, "a", fields(svalue="100.0;5000.000"))
    assert table.today_kwh(row) == 0.0
    table.short_log()
    clock.now_s += 300
    table.update_unit(1, "a", fields(svalue="100.0;5250.000"), upsert=True)
    table.short_log()
    assert table.today_kwh(row) == pytest.approx(0.25)
    assert table.query("SELECT Value, Usage FROM Meter") == [
        {"Value": 5000, "Usage": 1000},
        {"Value": 5250, "Usage": 1000},
    ]


def test_today_starts_anew_at_midnight(table, clock):
    row, _ = table.create_unit(1, "a", fields(svalue="100.0;5000.000"))
    table.short_log()
    clock.now_s += 24 * 3600
    table.update_unit(1, "a", fields(svalue="100.0;7000.000"), upsert=True)
    table.short_log()
    assert table.today_kwh(row) == 0.0


def test_a_falling_counter_makes_today_negative(table):
    row, _ = table.create_unit(1, "a", fields(svalue="0.0;1050.000"))
    table.short_log()
    table.update_unit(1, "a", fields(svalue="0.0;5.000"), upsert=True)
    assert table.today_kwh(row) == pytest.approx(-1.045)


def test_today_is_shown_in_whole_wh_as_the_short_log_rounds(table):
    """1050.512 Wh is kept as 1051: without the rounding, Today would be below zero though nothing has fallen."""
    row, _ = table.create_unit(1, "a", fields(svalue="0.0;1050.512"))
    table.short_log()
    assert [row["Value"] for row in table.query("SELECT Value FROM Meter")] == [1051]
    table.update_unit(1, "a", fields(svalue="0.0;1050.988"), upsert=True)
    assert table.today_kwh(row) == 0.0
    table.update_unit(1, "a", fields(svalue="0.0;1049.988"), upsert=True)
    assert table.today_kwh(row) == pytest.approx(-0.001)


def test_a_meter_made_with_zero_gets_its_lifetime_as_today(table):
    row, _ = table.create_unit(1, "a", fields(svalue="0.0;0.000"))
    table.short_log()
    table.update_unit(1, "a", fields(svalue="0.0;812000.000"), upsert=True)
    assert table.today_kwh(row) == pytest.approx(812.0)


def test_the_short_log_leaves_out_what_was_not_updated_for_an_hour(table, clock):
    table.create_unit(1, "a", fields(svalue="1.0;1.0"))
    clock.now_s += 3599
    table.short_log()
    clock.now_s += 2
    table.short_log()
    assert len(table.query("SELECT * FROM Meter")) == 1


def test_voltage_and_current_are_logged_in_thousandths(table):
    table.create_unit(1, "a", fields(3, (243, 8, 0), "231.4"))
    table.create_unit(1, "a", fields(4, (243, 23, 0), "0.435"))
    table.short_log()
    assert [row["Value"] for row in table.query("SELECT Value FROM Meter ORDER BY DeviceRowID")] == [231400, 435]


def test_energy_meter_mode_1_counts_by_itself(table, clock):
    row, _ = table.create_unit(1, "a", fields(svalue="100.0;0.0", Options={"EnergyMeterMode": "1"}))
    clock.now_s += 3600
    table.update_unit(1, "a", fields(svalue="50.0;777.0"), upsert=True)
    assert table.unit_rows(1, "a", 1)[0]["sValue"] == "50.0;100.0000"
    assert row == 1


def test_a_switch_is_logged_when_it_changes_only(table):
    switch = (244, 73, 0)
    table.create_unit(1, "a", fields(1, switch, "Off", 0))
    for nvalue, svalue in ((1, "On"), (1, "On"), (0, "Off")):
        table.update_unit(1, "a", fields(1, switch, svalue, nvalue), upsert=True)
    assert [row["nValue"] for row in table.query("SELECT nValue FROM LightingLog")] == [1, 0]
    # Events and actions run each time all the same.
    assert table.query("SELECT Updates, Events FROM DeviceStatus") == [{"Updates": 3, "Events": 3}]


def test_nothing_is_created_while_new_devices_are_refused(table):
    table.accept_new = False
    row, complaint = table.create_unit(1, "a", fields())
    assert row == -1
    assert "prevent accepting new devices" in complaint
    assert table.update_unit(1, "a", fields(), upsert=True) == (None, False)


def test_a_unit_is_created_once(table):
    assert table.create_unit(1, "a", fields())[0] == 1
    assert "already exists" in table.create_unit(1, "a", fields())[1]


def test_an_update_brings_a_deleted_row_back_hidden(table):
    row, _ = table.create_unit(1, "a", fields())
    assert table.delete_row(row)
    assert not table.delete_row(row)
    written, made = table.update_unit(1, "a", fields(), upsert=True)
    assert made
    assert table.unit_rows(1, "a", 1)[0]["Used"] == 0
    assert written is not None


def test_deleting_hardware_takes_its_devices(table):
    table.create_unit(1, "a", fields())
    table.short_log()
    table.delete_hardware(1)
    assert table.query("SELECT * FROM DeviceStatus") == []
    assert table.query("SELECT * FROM Meter") == []


def test_a_configuration_that_is_no_json_is_lost(table):
    assert table.configuration(1, None) == {}
    assert table.configuration(1, '{ "a":"b"}') == {"a": "b"}
    assert table.configuration(1, '{ "a":"b"c"}') is None
    assert table.configuration(1, None) is None
