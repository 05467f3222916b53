"""The distribution board page on behalf of one hardware instance: installed, told what is new, removed.

The page itself is in board/; without a place for it (a read-only web folder) everything else works.
"""

from __future__ import annotations

import time
from typing import Mapping, Optional, Tuple

from .board import Board, BoardError, BreakerState, find_www
from .framework import Framework


class BoardPage:
    """Board page of a running instance. All methods are for the plugin's thread; none raises."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework
        self._board: Optional[Board] = None
        parameters = framework.parameters
        board = Board(find_www(str(parameters.get("StartupFolder") or "")), int(parameters.get("HardwareID") or 0))
        try:
            board.install()
        except BoardError as error:
            framework.status(str(error))
        else:
            self._board = board

    def publish(self, breakers: Mapping[str, Tuple[Optional[float], bool]], interval_s: float) -> None:
        """Tell the page about each breaker: seconds since it last answered (None: never), whether it is read-only."""
        if self._board is None:
            return
        now_s = time.time()
        states = {
            device_id: BreakerState(None if age_s is None else now_s - age_s, is_read_only)
            for device_id, (age_s, is_read_only) in breakers.items()
        }
        self._board.publish(states, now_s, interval_s)

    def remove(self) -> None:
        """Take this instance's part of the page away."""
        if self._board is not None:
            self._board.remove()
