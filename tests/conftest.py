"""Settings that hold for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# A busy machine is no failure: no deadline an example. In CI the examples are the same at each run, so that a change
# is judged by what it changed; at a desk each run looks at new ones.
settings.register_profile("desk", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")
