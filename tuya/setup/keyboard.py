"""Lines that a person types below a table that is drawn again and again: read key by key, and shown by the drawer."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from typing import Any, List, Optional

MAX_CHARACTERS = 40
_BACKSPACES = ("\x7f", "\b")
_END = "\x04"  # Ctrl-D


class Keyboard:
    """While its context lasts, the terminal does not show what is typed: `typed` is to be shown instead.

    An Enter would else move the cursor, and the table be drawn a line too low. Ctrl-C works as before.
    """

    def __init__(self) -> None:
        self.typed = ""
        self._waiting = ""
        self._before: Optional[List[Any]] = None

    def __enter__(self) -> Keyboard:
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def line(self, timeout_s: float) -> Optional[str]:
        """The next line, without spaces around it; None where none came in time; "q" at the end of the input.

        Returns at once, and None, where a key changed what is typed, so that it can be shown.
        """
        until_s = time.monotonic() + timeout_s
        while not self._waiting:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not select.select([sys.stdin], [], [], left_s)[0]:
                return None
            read = os.read(sys.stdin.fileno(), 256)
            self._waiting = read.decode(errors="ignore") if read else _END
        while self._waiting:
            key, self._waiting = self._waiting[0], self._waiting[1:]
            if key in "\r\n":
                line, self.typed = self.typed.strip().lower(), ""
                return line
            if key == _END:
                return "q"
            if key in _BACKSPACES:
                self.typed = self.typed[:-1]
            elif key.isprintable() and len(self.typed) < MAX_CHARACTERS:
                self.typed += key
        return None
