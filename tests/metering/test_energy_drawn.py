"""EnergyBook on loads drawn anew at each run, beside the plain sum of the last reported W."""

from __future__ import annotations

import pytest

from tests.bench.energy import OURS
from tests.bench.energy_drawn import HELD, compare, new_seed
from tests.bench.energy_loads import KINDS

SECONDS = 2500
ZEROS = "leaves zeros out"
SEED = new_seed()


@pytest.mark.parametrize("kind", KINDS)
def test_never_worse_than_the_held_sum(kind):
    print(f"drawn with seed {SEED}")
    for device, outcomes in compare(kind, SEED, SECONDS).items():
        ours, held = outcomes[OURS], outcomes[HELD]
        allowed_wh = max(0.0005 * held.day_wh, 0.01)
        assert abs(ours.error_wh) <= abs(held.error_wh) + allowed_wh, f"{device}, seed {SEED}"
        if device != ZEROS:
            assert ours.error_wh == pytest.approx(held.error_wh, abs=allowed_wh), f"{device}, seed {SEED}"


def test_a_device_that_leaves_zeros_out_gains_by_what_refreshes_prove():
    errors = [compare("kettle", seed, 12000, [ZEROS])[ZEROS] for seed in range(3)]
    ours, held = (sum(abs(one[name].error_wh) for one in errors) for name in (OURS, HELD))
    assert ours <= held / 2
