"""Dumps of owners whose threads say what is right: with everything, with parts hidden, and what may never be shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tuya.metering.decode import decode_dump

OWNERS = sorted((Path(__file__).parent.parent / "data" / "owners").glob("*.json"))
HIDDEN = {"nothing hidden": (), "id hidden": ("product_id",), "both hidden": ("product_id", "mapping")}
# what cannot be told without id and model: a power in one data point of an appliance
LEAST_RIGHT = {"nothing hidden": 10, "id hidden": 9, "both hidden": 9}


def case(path: Path) -> Dict[str, Any]:
    content: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def decoded(content: Dict[str, Any], hidden: tuple[str, ...] = ()) -> Dict[str, Any]:
    return decode_dump(
        {name: content[name] for name in ("product_id", "category", "mapping", "dps") if name not in hidden}
    )


def _shown(out: Dict[str, Any], quantity: str, channel: str) -> List[float]:
    """Return what stands where a quantity is expected: one circuit's sum is the circuit; generation may be returned."""
    names = (quantity, "returned_kwh") if quantity == "energy_kwh" else (quantity,)
    channels = ("1", "total") if channel in ("1", "total") else (channel,)
    return [out[name][place] for name in names for place in channels if place in out.get(name, {})]


def missing(content: Dict[str, Any], out: Dict[str, Any]) -> List[str]:
    """Return what is expected and not shown."""
    found = []
    for quantity, wanted in content["expected"].items():
        if not isinstance(wanted, dict):
            found += [] if out.get(quantity) == pytest.approx(wanted) else [f"{quantity} {wanted}"]
            continue
        for channel, amount in wanted.items():
            if not any(shown == pytest.approx(amount, rel=1e-3, abs=1e-6) for shown in _shown(out, quantity, channel)):
                found.append(f"{quantity}.{channel} {amount}")
    return found


def wrong(content: Dict[str, Any], out: Dict[str, Any]) -> List[str]:
    """Return what is shown and must not be."""
    found = []
    for quantity, wanted in content["expected"].items():
        for channel in wanted if isinstance(wanted, dict) else ():
            shown = _shown(out, quantity, channel)
            if shown and not any(one == pytest.approx(wanted[channel], rel=1e-3, abs=1e-6) for one in shown):
                found.append(f"{quantity}.{channel} {shown} for {wanted[channel]}")
    for quantity, what in content.get("must_not", {}).items():
        amounts = out.get(quantity, {})
        if what == "any" and amounts:
            found.append(f"{quantity} {amounts}")
        elif isinstance(what, list):
            found += [f"{quantity} {key}" for key in what if key in amounts]
        elif what == "over_5000":
            found += [f"{quantity} {amount}" for amount in amounts.values() if amount > 5000]
        elif what == "over_1.05VI":
            for channel, amount in amounts.items():
                most = 1.05 * out["voltage_v"].get(channel, 0) * out["current_a"].get(channel, 0)
                found += [f"{quantity} {amount}"] if "voltage_v" in out and amount > most else []
    return found


@pytest.mark.parametrize("path", OWNERS, ids=lambda path: path.stem)
def test_an_owners_dump(path: Path) -> None:
    content = case(path)
    assert missing(content, decoded(content)) == []


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
@pytest.mark.parametrize("path", OWNERS, ids=lambda path: path.stem)
def test_nothing_wrong_is_shown_whatever_is_hidden(path: Path, hidden: tuple[str, ...]) -> None:
    content = case(path)
    assert wrong(content, decoded(content, hidden)) == []


@pytest.mark.parametrize("path", OWNERS, ids=lambda path: path.stem)
def test_nothing_wrong_is_shown_by_the_data_points_alone(path: Path) -> None:
    content = case(path)
    assert wrong(content, decode_dump({"dps": content["dps"]})) == []


def test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    right = {
        name: sum(not missing(case(path), decoded(case(path), hidden)) for path in OWNERS)
        for name, hidden in HIDDEN.items()
    }
    with capsys.disabled():
        print(f"\nowners' dumps right of {len(OWNERS)}: {', '.join(f'{name} {n}' for name, n in right.items())}")
    assert all(right[name] >= least for name, least in LEAST_RIGHT.items())
