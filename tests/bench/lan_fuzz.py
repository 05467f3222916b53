"""Long fuzzing runs, coverage-guided: python -m tests.bench.lan_fuzz TARGET [-runs=1000000] [CORPUS]. Needs atheris.

python -m tests.bench.lan_fuzz keep CORPORA: writes some of what such runs have found interesting (one folder for each
target) to tests/data/fuzz_seeds.json, from which the slice in every run of the tests begins.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Dict, List

SEEDS = Path(__file__).resolve().parents[1] / "data" / "fuzz_seeds.json"
KEPT = 150  # inputs a target
KEPT_BYTES = 200  # longer ones are left out


def keep(corpora: Path) -> None:
    """Write the seeds: of each target inputs of all lengths, evenly chosen."""
    seeds: Dict[str, List[str]] = {}
    for folder in sorted(path for path in corpora.iterdir() if path.is_dir()):
        found = sorted((path.read_bytes() for path in folder.iterdir()), key=lambda data: (len(data), data))
        short = [data for data in found if 0 < len(data) <= KEPT_BYTES]
        step = max(1.0, len(short) / KEPT)
        seeds[folder.name] = [short[int(number * step)].hex() for number in range(int(len(short) / step))]
    SEEDS.write_text(json.dumps(seeds, indent=0) + "\n", encoding="ascii")


def fuzz() -> None:
    """Hand over to atheris."""
    import atheris

    with atheris.instrument_imports(include=["tuya"]):
        from tests.lan import fuzz_targets

    target = sys.argv.pop(1)
    atheris.Setup(sys.argv, fuzz_targets.TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(Path(sys.argv[2]))
    else:
        fuzz()
