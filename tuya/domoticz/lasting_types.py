"""Keeps alive the built-in types whose references Domoticz counts without Python's lock. Knows nothing else.

For each device that a browser asks for, Domoticz's web thread takes a reference to the type of every key of Devices and
drops it again (CPlugin::HasNodeFailed, PyBorrowedRef::TypeCheck, PyObject_Type) without holding the interpreter lock.
Whenever a Python thread counts the same type at that moment, one of the two counts is lost. The keys are texts, and
`str` has a few hundred references at most. Once they have drifted to 0, Python frees `str`, which is not on the heap,
and the process ends by SIGSEGV in type_dealloc: seen with a plugin of ten lines, in the middle of its work within ten
seconds of heavy "getdevices", and when Domoticz stops. Python 3.12 made such types immortal (PEP 683).
"""

from __future__ import annotations

import sys
from typing import Tuple

IMMORTAL_SINCE = (3, 12)
# Texts are the keys of Devices in DomoticzEx; whole numbers in the older framework of other plugins.
TYPES: Tuple[type, ...] = (str, int)
MARGIN = 1 << 29  # references; fits the count of a 32-bit Python, and no drift comes near it
_PROBE_REFERENCES = 7


def keep() -> bool:
    """Make the types last for as long as the process does; return whether they do. May be called again."""
    if sys.version_info[:2] >= IMMORTAL_SINCE:
        return True
    try:
        import ctypes
    except ImportError:  # a Python without it: as safe as any other plugin
        return False
    probe = object()
    count = ctypes.c_ssize_t.from_address(id(probe))
    before = count.value
    references = [probe] * _PROBE_REFERENCES
    if count.value - before != len(references):  # a build that keeps its counts elsewhere
        return False
    for kind in TYPES:
        if sys.getrefcount(kind) < MARGIN // 2:
            ctypes.c_ssize_t.from_address(id(kind)).value += MARGIN
    return True
