"""What a machine denies a process, told from faults."""

from __future__ import annotations

import errno

import pytest

from tuya.denied import NO_FILES, NO_ROOM, denied


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), NO_ROOM),
        (RuntimeError("can't start new thread"), NO_ROOM),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), NO_ROOM),
        (OSError(errno.EMFILE, "Too many open files"), NO_FILES),
        (OSError(errno.ENFILE, "Too many open files in system"), NO_FILES),
        (OSError(errno.ENOSPC, "No space left on device"), ""),
        (KeyError("x"), ""),
    ],
)
def test_what_is_denied(error: Exception, what: str):
    assert denied(error) == what
