"""Recognises a device without product id and thing model by its DPs. Knows the layouts, no product."""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

from .layout import Layout


def recognise(layouts: Tuple[Layout, ...], dps: Mapping[int, object]) -> Tuple[Optional[Layout], Tuple[str, ...]]:
    """Return the one layout that fits the DPs, or None, and why."""
    return None, ("no layout fits",) if layouts or dps else ()
