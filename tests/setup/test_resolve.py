"""The command that resolves pins anew: as the heads of the files say, and it keeps those heads."""

from __future__ import annotations

import pytest

from tests.setup.conftest import REPOSITORY
from tuya.setup import resolve


@pytest.mark.parametrize("name", resolve.FILES)
def test_it_says_what_the_head_of_the_file_says(name):
    head = resolve.head_of(REPOSITORY / name)
    assert head.startswith("# ")
    group, agreeing = resolve.FILES[name]
    words = resolve.command("uv", group, agreeing, "out")
    for word in [word for line in head.splitlines() for word in line.split() if word.startswith("--")]:
        assert word in words, word
    assert group in head
