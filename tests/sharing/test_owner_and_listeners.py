"""An owner and its listeners on this machine, with simulated breakers: what is told, commands, whoever misbehaves."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Dict, Iterator, List

import pytest

from tests.lan.locks.other_user import NOBODY, OtherUser, as_root
from tests.lateness import lateness
from tests.sharing.sharing_helpers import RawListener, entries_of, is_event, share_of, until
from tuya.boot_clock import boot_clock_s
from tuya.devices.device import Terms
from tuya.sharing import asking_owner, place
from tuya.sharing.server import MAX_LISTENERS
from tuya.sharing.source import Source
from tuya.simulator import Fleet

KEY_FIELDS = ("key", "local_key")


@pytest.fixture(name="fleet")
def _fleet() -> Iterator[Fleet]:
    with Fleet(version="3.4", count=2, noise=0.0) as fleet:
        yield fleet


@contextmanager
def owning(fleet: Fleet, **terms: Any) -> Iterator[Source]:
    """An owner that holds all of them: who listens from now on comes second."""
    with Source(entries_of(fleet), "the owner", discovery=False, **terms) as owner:
        for _ in fleet.breakers:
            until(owner, is_event("status", full=True))
        yield owner


@pytest.fixture(name="owner")
def _owner(fleet: Fleet) -> Iterator[Source]:
    with owning(fleet) as owner:
        yield owner


def listening(fleet: Fleet, name: str = "a listener") -> Source:
    return Source(entries_of(fleet), name, discovery=False)


def test_a_listener_hears_what_the_owner_hears(fleet: Fleet, owner: Source):
    device_id = fleet.breakers[0].device_id
    with listening(fleet) as listener:
        snapshot = until(listener, is_event("snapshot", id=device_id, via="the owner"))
        assert snapshot["connected"]
        assert snapshot["dps"]["1"] is True
        assert snapshot["readings"] == owner.state(device_id)["readings"]
        assert snapshot["may_switch"]
        assert snapshot["profile"]["controls"]["1"] == {"role": "switch", "kind": "bool"}
        fleet.breakers[0].set_load(1500.0)
        fleet.breakers[0].push()
        heard = until(listener, is_event("status", id=device_id))
        assert heard["via"] == "the owner"
        assert heard["totals_wh"]["total"]["used"] >= 0.0
        assert listener.state(device_id)["readings"] == heard["readings"]
    assert fleet.breakers[0].most_at_once == 1, "the breaker grants one connection"


def test_a_command_is_one_write_of_the_owner_and_ends_in_one_result(fleet: Fleet, owner: Source):
    breaker = fleet.breakers[0]
    with listening(fleet) as listener:
        until(listener, is_event("snapshot", id=breaker.device_id, via="the owner"))
        number = listener.command(breaker.device_id, {1: False}, "the test")
        result = until(listener, is_event("result", request=number))
        assert (result["error"], result["dps"]) == (None, {"1": False})
        assert until(listener, is_event("status", id=breaker.device_id))["readings"]["switch"] == {"1": False}
        with pytest.raises(AssertionError, match="did not come"):
            until(listener, is_event("result"), 1.0)
    assert [dps for _, dps in breaker.writes] == [{1: False}]
    assert any("a listener (user" in line.text and "1 = False" in line.text for line in owner.take_lines())


def test_the_rules_of_the_owner_hold_for_everybody(fleet: Fleet):
    device_id = fleet.breakers[0].device_id
    with owning(fleet, terms=Terms(may_switch=False)), listening(fleet) as listener:
        snapshot = until(listener, is_event("snapshot", id=device_id, via="the owner"))
        assert not snapshot["may_switch"]
        result = until(listener, is_event("result", request=listener.command(device_id, {1: False})))
        assert result["error"] == "CommandRefused"
        assert "refused by the settings" in result["message"]
    assert all(breaker.writes == [] for breaker in fleet.breakers)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"dps": {"19": 5}}, "is no control"),
        ({"dps": {"1": "yes"}}, "true or false"),
        ({"dps": {"1": False, "x": 1}}, "nothing to write"),
        ({"dps": {"1": False, "999": 1}}, "nothing to write"),
        ({"dps": [1]}, "nothing to write"),
        ({"dps": {"1": False}, "id": "bf-unknown-0000000001"}, "not served here"),
    ],
)
def test_what_is_no_command_is_refused_as_a_whole(fleet: Fleet, owner: Source, words: Dict[str, Any], reason: str):
    raw = RawListener(fleet.breakers[0].device_id)
    command = {"id": fleet.breakers[0].device_id, **words}
    raw.ask(listen=[], command=command, request="mine", asked_at_s=time.monotonic())
    result = raw.wait("result")
    assert (result["request"], result["error"]) == ("mine", "CommandRefused")
    assert reason in result["message"]
    raw.close()
    assert all(breaker.writes == [] for breaker in fleet.breakers)


@pytest.mark.parametrize("asked_at", [lambda: time.monotonic() - 5.0, lambda: time.monotonic() + 60.0, lambda: None])
def test_a_command_that_waited_switches_nothing(fleet: Fleet, owner: Source, asked_at: Any):
    raw = RawListener(fleet.breakers[0].device_id)
    command = {"id": fleet.breakers[0].device_id, "dps": {"1": False}}
    raw.ask(listen=[], command=command, request=1, asked_at_s=asked_at())
    assert "too late" in raw.wait("result")["message"]
    raw.close()
    assert fleet.breakers[0].writes == []


def test_a_command_that_lay_in_the_socket_of_an_owner_that_slept_switches_nothing(fleet: Fleet, owner: Source):
    raw = RawListener(fleet.breakers[0].device_id)
    command = {"id": fleet.breakers[0].device_id, "dps": {"1": False}}
    # the clock that stands still while the machine sleeps does not tell, the other one does
    raw.ask(listen=[], command=command, request=1, asked_at_s=time.monotonic(), asked_running_s=boot_clock_s() - 5.0)
    result = raw.wait("result")
    assert (result["error"], "too late" in result["message"]) == ("NotConnected", True)
    raw.close()
    assert fleet.breakers[0].writes == []


def test_no_key_crosses(fleet: Fleet, owner: Source):
    keys = [entry["key"] for entry in fleet.devices()]
    raw = RawListener(fleet.breakers[0].device_id)
    said = [raw.wait("owner"), raw.wait("snapshot"), raw.wait("snapshot")]
    raw.close()
    text = json.dumps([*said, *asking_owner.owners()])
    assert not any(key in text for key in keys)
    assert not any(f'"{name}"' in text for name in KEY_FIELDS)


def test_the_owner_says_what_it_is(fleet: Fleet, owner: Source):
    said = asking_owner.owner_of(fleet.breakers[0].device_id)
    assert said is not None
    assert (said["name"], said["pid"]) == ("the owner", os.getpid())
    assert {one["id"]: one["connected"] for one in said["served"]} == {one.device_id: True for one in fleet.breakers}
    assert said["name"] in [one["name"] for one in asking_owner.owners()]
    assert asking_owner.owner_of("bf-nobody-has-this-one") is None


def test_owners_that_hang_hide_nobody(owner: Source):
    """A stopped process has an open socket and says nothing; it takes no time from those behind it."""
    with ExitStack() as closing:
        for number in range(3):
            closing.enter_context(place.listen(f"{place.PREFIX}{number}-!"))
        assert asking_owner.is_there(os.getpid())
        assert not asking_owner.is_there(2)  # a number that is only in a name, which anybody can choose
        late_s, began_s = lateness(), time.monotonic()
        assert "the owner" in [one["name"] for one in asking_owner.owners()]
        assert time.monotonic() - began_s < 3.0 + late_s()


def test_what_is_known_of_one_device_is_told_to_who_asks_once(fleet: Fleet, owner: Source):
    told = asking_owner.snapshot_of(fleet.breakers[1].device_id)
    assert told is not None
    assert (told["id"], told["dps"]["1"]) == (fleet.breakers[1].device_id, True)
    assert asking_owner.snapshot_of("bf00000000000000000x") is None


def test_strangers_do_not_fill_the_number_of_owners(owner: Source, monkeypatch: pytest.MonkeyPatch):
    real = place.addresses()
    strangers = [f"{place.PREFIX}!{number}" for number in range(2 * asking_owner.MAX_OWNERS)]
    monkeypatch.setattr(place, "addresses", lambda: [*strangers, *real])
    assert "the owner" in [one["name"] for one in asking_owner.owners()]


# -- who misbehaves


def delay_s(source: Source, fleet: Fleet) -> float:
    """How long a push takes to reach the front end of the owner."""
    while source.next(0.0) is not None:
        pass
    began_s = time.monotonic()
    fleet.breakers[0].push()
    until(source, is_event("status", id=fleet.breakers[0].device_id))
    return time.monotonic() - began_s


def test_who_never_reads_delays_nobody_and_goes_on_with_snapshots(fleet: Fleet, owner: Source):
    device_id = fleet.breakers[0].device_id
    raw = RawListener(device_id)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.wait("snapshot")
    worst_s, late_s = 0.0, lateness()
    for _ in range(1500):  # more than the kernel and the queue take
        fleet.breakers[0].push()
    for _ in range(20):
        worst_s = max(worst_s, delay_s(owner, fleet))
    # who waits for a full socket waits for ever, or for a time limit of seconds; the rest is the machine's
    assert worst_s < 2.0 + 2.0 * late_s()
    # it reads again: the events that were not dropped, then what is known now
    kinds: List[str] = []
    until_s = time.monotonic() + 20.0
    while "snapshot" not in kinds and time.monotonic() < until_s:
        kinds.append((raw.line() or {"event": "end"})["event"])
    assert "snapshot" in kinds
    raw.close()


def test_half_a_line_and_one_without_end(fleet: Fleet, owner: Source):
    device_id = fleet.breakers[0].device_id
    half, endless = RawListener(device_id), RawListener(device_id)
    half.send(b'{"listen": ["')
    sender = threading.Thread(target=_send_all, args=(endless.socket, b"x" * 10_000_000))
    sender.start()
    assert endless.is_closed()
    sender.join(10.0)
    assert delay_s(owner, fleet) < 5.0
    half.wait("snapshot")  # it is told of all, as one that says nothing
    half.close()
    endless.close()


def _send_all(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        sock.sendall(data)


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"nonsense\n", b'{"listen"\n', b"\xff\xfe\n", b"[" * 50_000 + b"\n"])
def test_nonsense_ends_the_connection(fleet: Fleet, owner: Source, line: bytes):
    raw = RawListener(fleet.breakers[0].device_id)
    raw.send(line)
    assert raw.is_closed()
    raw.close()
    assert owner.state(fleet.breakers[0].device_id)["connected"]


def test_strange_requests_are_passed_over(fleet: Fleet, owner: Source):
    raw = RawListener(fleet.breakers[0].device_id)
    for request in (
        {"listen": {"a": 1}},
        {"listen": [1, None, ["x"]]},
        {"query": "x"},
        {"query": {"id": 5, "dps": 7}},
        {"query": {"id": fleet.breakers[0].device_id, "dps": ["a", -1, 10**40]}},
        {"give_back": "x"},
        {"command": 5, "request": None},
        {"threshold": {"id": fleet.breakers[0].device_id, "name": [], "value": "x"}, "asked_at_s": time.monotonic()},
        {"name": 5},
        {"what": "else"},
    ):
        raw.ask(**request)
    assert raw.wait("result")["error"] == "CommandRefused"
    raw.close()
    assert delay_s(owner, fleet) < 5.0
    assert fleet.breakers[0].writes == []


def test_a_flood_of_commands_switches_a_few_times_at_most(fleet: Fleet, owner: Source):
    breaker = fleet.breakers[0]
    raw = RawListener(breaker.device_id)
    command = {"command": {"id": breaker.device_id, "dps": {"1": False}}, "asked_at_s": time.monotonic()}
    flood = b"".join(json.dumps({**command, "request": number}).encode() + b"\n" for number in range(5000))
    sender = threading.Thread(target=_send_all, args=(raw.socket, flood))
    sender.start()
    late_s = lateness()
    assert delay_s(owner, fleet) < 1.0 + late_s()
    assert raw.is_closed(), "who floods is sent away"
    sender.join(10.0)
    raw.close()
    time.sleep(0.5)
    assert len(breaker.writes) <= 12
    assert delay_s(owner, fleet) < 1.0 + late_s()


def test_all_breakers_of_a_house_are_switched_at_once():
    with Fleet(version="3.4", count=16, noise=0.0) as fleet, owning(fleet), listening(fleet) as listener:
        ids = [breaker.device_id for breaker in fleet.breakers]
        until(listener, lambda _: all(listener.state(one).get("via") == "the owner" for one in ids))
        numbers = [listener.command(breaker.device_id, {1: False}) for breaker in fleet.breakers]
        for _ in numbers:
            told = until(listener, lambda told: told["event"] == "result")
            assert told["error"] is None, told
            assert told["request"] in numbers
        assert all(len(breaker.writes) == 1 for breaker in fleet.breakers)


def test_who_asks_for_200_devices_at_once_has_200_answers(fleet: Fleet, owner: Source):
    raw = RawListener(fleet.breakers[0].device_id)
    raw.ask(listen=[])
    house = [{"command": {"id": f"gone{n}", "dps": {"1": True}}, "request": n} for n in range(200)]
    raw.send(b"".join(json.dumps({**one, "asked_at_s": time.monotonic()}).encode() + b"\n" for one in house))
    assert [raw.wait("result")["request"] for _ in house] == list(range(200))
    raw.close()
    assert owner.state(fleet.breakers[0].device_id)["connected"]


def test_who_asks_and_never_reads_is_sent_away(fleet: Fleet, owner: Source):
    raw = RawListener(fleet.breakers[0].device_id)
    words = {"command": {"id": "gone", "dps": {str(dp): "x" * 100 for dp in range(1, 250)}}}
    request = json.dumps({**words, "asked_at_s": time.monotonic(), "request": 1}).encode() + b"\n"
    sender = threading.Thread(target=_send_all, args=(raw.socket, request * 200))
    sender.start()
    sender.join(10.0)
    assert not sender.is_alive()
    assert raw.is_closed()
    raw.close()
    assert delay_s(owner, fleet) < 5.0


def test_no_more_than_so_many_listeners(fleet: Fleet, owner: Source):
    device_id = fleet.breakers[0].device_id
    with ExitStack() as stack:
        told, taken = None, 0
        while taken <= MAX_LISTENERS:
            raw = RawListener(device_id)
            stack.callback(raw.close)
            with suppress(OSError):
                raw.ask(listen=[device_id])
            told = raw.line()
            if told is None or told["event"] == "refused":
                break
            raw.wait("snapshot")
            taken += 1
        assert told is not None
        assert told["event"] == "refused"
        assert raw.is_closed()
        # a doctor on this machine, as other tests run it, may be listening for a moment
        assert MAX_LISTENERS - 4 <= taken <= MAX_LISTENERS
        with listening(fleet) as listener:
            error = until(listener, is_event("error", id=device_id))
            assert error["error"] == "OwnedElsewhere", "it is no device that does not answer"
            stack.close()
            until(listener, is_event("snapshot", id=device_id, via="the owner"))
    again = RawListener(device_id)
    again.wait("snapshot")
    again.close()


@as_root
def test_a_foreign_user_hears_nothing(fleet: Fleet, owner: Source):
    address = share_of(fleet.breakers[0].device_id)

    def intrude() -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10.0)
        sock.connect("\0" + address[1:])
        try:
            sock.sendall(b'{"listen": null}\n')
            data = sock.recv(4096)
        except ConnectionError:
            data = b""
        if data:
            raise AssertionError(f"it was told {len(data)} bytes")

    with OtherUser(NOBODY, intrude):
        pass
    assert any("user 65534" in line.text for line in owner.take_lines())


@as_root
def test_a_foreign_user_who_poses_as_an_owner_is_not_heard():
    address = place.new_address()
    with OtherUser(NOBODY, lambda: place.listen(address)):
        assert place.connect(address) is None
    with place.listen(place.new_address()) as own:
        name = own.getsockname()
        assert place.connect("@" + (name[1:].decode() if isinstance(name, bytes) else name[1:])) is not None


# -- who ends, and who takes over


def test_when_the_owner_ends_a_listener_takes_over_and_the_total_goes_on(fleet: Fleet):
    breaker = fleet.breakers[0]
    entries = entries_of(fleet)[:1]
    saved = {breaker.device_id: {"total/used": [5000.0, None, None]}}
    owner = Source(entries, "the owner", discovery=False, saved_energy=saved)
    owner.start()
    until(owner, is_event("status", full=True))
    with Source(entries, "a listener", discovery=False) as listener:
        heard = until(listener, is_event("snapshot", via="the owner"))
        assert heard["totals_wh"]["total"]["used"] >= 5000.0
        last = owner.state(breaker.device_id)["totals_wh"]["total"]["used"]
        late_s = lateness()
        began_s = time.monotonic()
        owner.stop()
        until(listener, is_event("lost"))
        own = until(listener, lambda told: told["event"] == "status" and "via" not in told)
        assert time.monotonic() - began_s < 5.0 + late_s()
        assert own["totals_wh"]["total"]["used"] == pytest.approx(last, abs=2.0)
        assert own["totals_wh"]["total"]["used"] >= heard["totals_wh"]["total"]["used"]
        assert not any(told.get("via") for told in [listener.state(breaker.device_id)])


def test_of_two_listeners_one_takes_over_and_the_other_hears_it(fleet: Fleet):
    entries = entries_of(fleet)[:1]
    owner = Source(entries, "the owner", discovery=False)
    owner.start()
    until(owner, is_event("status", full=True))
    with Source(entries, "one", discovery=False) as one, Source(entries, "two", discovery=False) as two:
        until(one, is_event("snapshot", via="the owner"))
        until(two, is_event("snapshot", via="the owner"))
        owner.stop()
        states: Dict[str, Any] = {}
        until_s = time.monotonic() + 20.0
        while time.monotonic() < until_s:
            states = {name: source.state(entries[0].device_id) for name, source in (("one", one), ("two", two))}
            if all(state["connected"] and state.get("via") != "the owner" for state in states.values()):
                break  # both have noticed its end, too
            time.sleep(0.1)
        assert sorted(str(state.get("via")) for state in states.values()) in (["None", "one"], ["None", "two"])
    assert fleet.breakers[0].most_at_once == 1


def test_an_owner_that_keeps_its_devices_is_not_asked_for_them_twice(fleet: Fleet, owner: Source):
    """An entry that leaves the file is told, and whoever wants the device has it then."""
    device_id = fleet.breakers[0].device_id
    with listening(fleet) as listener:
        until(listener, is_event("snapshot", id=device_id, via="the owner"))
        owner.set_entries(entries_of(fleet)[1:])
        until(listener, lambda told: told["event"] == "status" and told["id"] == device_id and "via" not in told)


def test_stop_is_quick_with_listeners(fleet: Fleet):
    owner = Source(entries_of(fleet), "the owner", discovery=False)
    owner.start()
    until(owner, is_event("status", full=True))
    raws = [RawListener(fleet.breakers[0].device_id) for _ in range(10)]
    for raw in raws:
        raw.wait("snapshot")
    late_s = lateness()
    began_s = time.monotonic()
    assert owner.stop(5.0)
    assert time.monotonic() - began_s < 0.2 + late_s()
    assert all(raw.is_closed() for raw in raws)
    for raw in raws:
        raw.close()


def test_device_that_its_owner_does_not_serve_is_said_to_be_gone(fleet: Fleet, owner: Source):
    """Else who asked for it a moment too late would wait for it."""
    raw = RawListener(fleet.breakers[0].device_id)
    raw.ask(listen=["nobody"])
    assert raw.wait("removed")["id"] == "nobody"
    raw.close()


def test_device_that_comes_back_to_the_file_goes_on_from_its_total(fleet: Fleet):
    for breaker in fleet.breakers:
        breaker.set_load(3000.0)
        breaker.push_every(0.5)
    device_id = fleet.breakers[0].device_id
    entries = entries_of(fleet)

    def used_wh(told: Dict[str, Any]) -> float:
        is_it = told.get("id") == device_id and told["event"] == "status"
        return float(told["totals_wh"]["total"]["used"]) if is_it and told.get("totals_wh") else 0.0

    with Source(
        entries, "the owner", discovery=False, saved_energy={device_id: {"total/used": [1.0, None, None]}}
    ) as one:
        before_wh = used_wh(until(one, lambda told: used_wh(told) > 2.0))
        one.set_entries(entries[1:])
        assert one.saved_energy()[device_id]["total/used"][0] >= before_wh, "kept for the file too"
        one.set_entries(entries)
        assert used_wh(until(one, lambda told: used_wh(told) > 0.0)) >= before_wh


def test_what_a_listener_would_save_never_falls_behind_while_its_owner_ends(fleet: Fleet):
    """A power cut right after the owner's end: nothing was heard of the breaker here yet."""
    device_id = fleet.breakers[0].device_id
    entries = entries_of(fleet)[:1]
    owner = Source(
        entries, "the owner", discovery=False, saved_energy={device_id: {"total/used": [5000.0, None, None]}}
    )
    owner.start()
    until(owner, is_event("status", full=True))
    old = {device_id: {"total/used": [3000.0, None, None]}}
    with Source(entries, "a listener", discovery=False, saved_energy=old) as listener:
        until(listener, is_event("snapshot", via="the owner"))
        fleet.breakers[0].fault("asleep")
        owner.stop()
        until(listener, is_event("lost"))
        for _ in range(20):
            assert listener.saved_energy()[device_id]["total/used"][0] >= 5000.0
            time.sleep(0.05)


def test_a_changed_entry_is_told_at_once_and_as_a_whole(fleet: Fleet, owner: Source):
    device_id = fleet.breakers[0].device_id
    owner.set_entries(entries_of(fleet, domoticz={"switch": "refused"}))
    told = until(owner, is_event("snapshot", id=device_id), 2.0)
    assert told["may_switch"] is False
    assert told["connected"] is True
