"""Settings that hold for all tests."""

from __future__ import annotations

import gc
import os
import signal
from typing import List

import pytest
from hypothesis import settings

from tests.examples import examples
from tests.longest import place

DEFAULT_EXAMPLES = 60

# Thousands of tests are made, and nothing of them is garbage: looking for some again and again is half of a collection.
gc.disable()

# A busy machine is no failure: no deadline an example. In CI the examples are the same at each run, so that a change
# is judged by what it changed; at a desk each run looks at new ones.
settings.register_profile("desk", deadline=None, max_examples=examples(DEFAULT_EXAMPLES))
settings.register_profile("ci", parent=settings.get_profile("desk"), derandomize=True)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background by a shell, which makes it ignore Ctrl-C: what the tests start must hear it all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.load_profile("ci" if os.environ.get("CI") else "desk")


def pytest_collection_finish() -> None:
    """Look for garbage from now on, and only among what the tests make."""
    gc.enable()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Put the files that take long first; all else stays in the order that it has, which pytest-randomly draws."""
    items.sort(key=lambda item: place(item.nodeid))
