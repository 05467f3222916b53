"""How releases of Domoticz differ in what a DomoticzEx plugin can notice. Data only.

Read from hardware/plugins/PythonObjectEx.cpp and Plugins.cpp at the tags of the releases; 2026 from the development
since, and from domoticz/domoticz issues 6586 (interpreters are kept) and 6709 (so were the modules beside plugin.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple


@dataclass(frozen=True)
class Release:
    """The habits of one release."""

    version: str
    version_text: str  # Parameters["DomoticzVersion"]
    update_keywords: Tuple[str, ...]  # of Unit.Update, in the order of its positional arguments
    update_writes_properties: bool  # each Update writes Name, Used, Options … from the object and needs an existing row
    keeps_interpreter: bool  # an interpreter outlives a stop and serves the next start of the same plugin key
    keeps_modules: bool  # and with it what plugin.py has imported from beside it: only plugin.py is read anew
    import_error_hangs: bool  # a plugin.py that raises at import makes every later stop wait for ever


_EARLY_KEYWORDS = ("Log", "TypeName")
_LATE_KEYWORDS = ("Log", "TypeName", "UpdateProperties", "UpdateOptions", "SuppressTriggers")

RELEASES: Dict[str, Release] = {
    release.version: release
    for release in (
        Release("2022.1", "2022.1 (build 14535)", _EARLY_KEYWORDS, True, False, False, True),
        Release("2024.4", "2024.4 (build 16026)", _EARLY_KEYWORDS, False, False, False, True),
        Release("2025.1", "2025.1 (build 16785)", _LATE_KEYWORDS, False, False, False, True),
        Release("2026.1", "2026.1 (build 17500)", _LATE_KEYWORDS, False, True, True, False),
        Release("2026.1+", "2026.1 (build 17900)", _LATE_KEYWORDS, False, True, False, False),
    )
}

DEFAULT_RELEASE = "2025.1"
