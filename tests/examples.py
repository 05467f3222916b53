"""How many examples of Hypothesis a test draws, and more where somebody asks for more."""

from __future__ import annotations

import os

FACTOR_VARIABLE = "MORE_EXAMPLES"  # 10 draws ten times as many in every test


def examples(count: int) -> int:
    """Return `count` times what MORE_EXAMPLES says (1)."""
    return max(1, round(count * float(os.environ.get(FACTOR_VARIABLE, "1"))))
