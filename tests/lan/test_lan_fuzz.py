"""A bounded slice of fuzzing for every run: nothing that anybody sends may raise, and nothing piles up.

The long runs are tests/bench/lan_fuzz.py; what they found interesting is where the mutations here begin.
MORE_EXAMPLES says how many of them, and LAN_FUZZ_SECONDS how long it goes on after that. They are as many on a slow
machine as on a fast one, in CI the same at each run; at a desk each run draws others.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.lan import fuzz_targets
from tests.lan.lan_helpers import VERSIONS
from tuya.lan.locks.device_lock import parse_state
from tuya.lan.protocol import announcements, payloads
from tuya.lan.protocol.framing import MAX_FRAME_BYTES
from tuya.lan.protocol.wire import Wire

EXAMPLES = examples(120)
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
# at least; about a second of each on an idle machine
MUTATIONS = {"wire": 8000, "session": 1500, "link": 1500, "discovery": 8000, "devices_file": 16000}
SLICE_S = float(os.environ.get("LAN_FUZZ_SECONDS", "0"))  # of all targets
SEEDS = json.loads((Path(__file__).parents[1] / "data" / "fuzz_seeds.json").read_text(encoding="ascii"))
PIECES = (b"\0\0\x55\xaa", b"\0\0\x66\x99", b"\0\0\xaa\x55", b"\0\0\x99\x66", b"{", b'{"dps":', b"3.3")
PREFIXES = st.sampled_from(PIECES)
NOISE = st.lists(st.one_of(st.binary(max_size=40), PREFIXES), max_size=12).map(b"".join)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.parametrize("target", sorted(fuzz_targets.TARGETS))
def test_nothing_raises(target):
    @FUZZ
    @given(st.one_of(st.binary(max_size=300), NOISE))
    def feed(data):
        fuzz_targets.TARGETS[target](data)

    feed()


def mutated(chance, seeds):
    """One of the seeds after one to four small accidents."""
    data = bytearray(bytes.fromhex(chance.choice(seeds)))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.randint(1, 12))
        accident = chance.randrange(6)
        if accident == 0:
            data[at:end] = chance.randbytes(end - at)
        elif accident == 1:
            del data[at:end]
        elif accident == 2:
            data[at:at] = data[chance.randrange(len(data) + 1) :][:40]
        elif accident == 3:
            data[at:at] = chance.choice(PIECES)
        elif accident == 4:
            other = bytes.fromhex(chance.choice(seeds))
            data[at:] = other[chance.randrange(len(other) + 1) :]
        elif at < end:
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


@pytest.mark.parametrize("target", sorted(fuzz_targets.TARGETS))
def test_nothing_raises_near_what_long_runs_have_found(target):
    chance = random.Random(target if os.environ.get("CI") else None)
    seeds = SEEDS[target]
    for seed in seeds:
        fuzz_targets.TARGETS[target](bytes.fromhex(seed))
    wanted = examples(MUTATIONS[target])
    tried, until_s = 0, time.monotonic() + SLICE_S / len(fuzz_targets.TARGETS)
    while tried < wanted or time.monotonic() < until_s:
        data = mutated(chance, seeds)
        try:
            fuzz_targets.TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"input {data.hex()}") from error
        tried += 1
    print(f"{target}: {len(seeds)} seeds, {tried} mutations")
    assert tried >= wanted


@FUZZ
@given(st.sampled_from(VERSIONS), NOISE, st.integers(0, 60))
def test_a_good_frame_is_found_in_noise(version, noise, cut):
    from tuya.simulator.frames import Wire as DeviceWire

    plain = b'{"dps":{"1":true}}'
    good = DeviceWire(version, fuzz_targets.KEY).answer(8, 1, plain, pushed=True)
    made = Wire(version, fuzz_targets.KEY)
    stream = noise + good
    messages = made.receive(stream[:cut]) + made.receive(stream[cut:])
    assert plain in [message.payload for message in messages]
    assert len(made._frames) <= MAX_FRAME_BYTES


@FUZZ
@given(st.dictionaries(st.sampled_from(["dps", "data", "devId", "cid", "t"]), JSON))
def test_any_json_is_a_report_or_none(content):
    plain = json.dumps(content).encode()
    report = payloads.parse_report(plain)
    if report is not None:
        assert all(isinstance(dp, int) and 0 < dp < 65536 for dp in report.dps)


@FUZZ
@given(st.dictionaries(st.sampled_from(["gwId", "ip", "version", "productKey", "devId"]), JSON))
def test_any_json_is_an_announcement_or_none(content):
    found = announcements.decode(json.dumps(content).encode(), "10.0.0.1")
    assert found is None or (found.device_id.isascii() and found.version in (*VERSIONS, ""))


@FUZZ
@given(st.binary(max_size=200))
def test_what_another_process_says_of_itself(data):
    parse_state(data)
