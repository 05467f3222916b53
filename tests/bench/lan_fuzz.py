"""Long fuzzing runs, coverage-guided: python -m tests.bench.lan_fuzz TARGET [-runs=1000000] [CORPUS]. Needs atheris."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["tuya"]):
    from tests.lan import fuzz_targets


def main() -> None:
    target = sys.argv.pop(1)
    atheris.Setup(sys.argv, fuzz_targets.TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
