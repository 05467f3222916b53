"""What the plugin changes in Domoticz's Python so that Domoticz itself lives; a row of GUARDS each, with its reason."""

from __future__ import annotations

import sys
from typing import Callable, NamedTuple, Tuple

# Texts are the keys of Devices in DomoticzEx; whole numbers in the older framework of other plugins.
TYPES: Tuple[type, ...] = (str, int)
MARGIN = 1 << 29  # references; fits the count of a 32-bit Python, and no drift comes near it
_PROBE_REFERENCES = 7
# A thread is forced to give the lock up when another one of its interpreter has waited this long (Python: 5 ms).
SWITCH_INTERVAL_S = 0.5


def keep_types() -> bool:
    """Make the built-in types last for as long as the process does; return whether they do. May be called again.

    For each device that a browser asks for, Domoticz's web thread takes a reference to the type of every key of Devices
    and drops it again (CPlugin::HasNodeFailed, PyBorrowedRef::TypeCheck, PyObject_Type) without holding the interpreter
    lock. Whenever a Python thread counts the same type at that moment, one of the two counts is lost. The keys are
    texts, and `str` has a few hundred references at most. Once they have drifted to 0, Python frees `str`, which is not
    on the heap, and the process ends by SIGSEGV in type_dealloc: seen with a plugin of ten lines, in the middle of its
    work within ten seconds of heavy "getdevices", and when Domoticz stops.
    """
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


def switch_seldom() -> bool:
    """Let a Python thread keep the interpreter lock for longer; return True. May be called again.

    Domoticz, having stopped any plugin, releases the interpreter lock with its own thread state still marked as the
    current one. If the next to get the lock is a Python thread that was forced to give it up, the process aborts
    ("orphan tstate": seen within 3 stops beside two busy threads, not in 40 with this interval). Our threads give the
    lock up by themselves long before.
    """
    if sys.getswitchinterval() < SWITCH_INTERVAL_S:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
    return True


class Guard(NamedTuple):
    """last_release: of Python that needs it. safe_since: why later ones do not. apply: returns whether it works."""

    last_release: Tuple[int, int]
    safe_since: str
    apply: Callable[[], bool]


GUARDS = (
    Guard((3, 11), "3.12 made such types immortal (PEP 683)", keep_types),
    Guard((3, 11), "3.12 marks the current thread state for each thread, not once a process", switch_seldom),
)


def apply() -> bool:
    """Apply every guard that this release of Python needs; return whether all of them work."""
    worked = [guard.apply() for guard in GUARDS if sys.version_info[:2] <= guard.last_release]
    return all(worked)
