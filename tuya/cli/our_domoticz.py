"""Whose word counts on the command line beside that of trusted users: the user that our Domoticz runs as.

The plugin's folder may be root's, or a third user's, while Domoticz runs as its own user. Then its plugin holds the
breakers, and root and the folder's owner must hear it instead of connecting a second time.
"""

from __future__ import annotations

import time
from typing import Dict, Tuple

from tuya.cli.common import PLUGIN_FOLDER, devices_path
from tuya.keys.accounts import account_of_process
from tuya.setup.running import running

_KEPT_S = 5.0  # looking through all processes takes some milliseconds, and may be asked for at every try to connect
_known: Dict[int, Tuple[float, bool]] = {}


def runs_as(uid: int) -> bool:
    """Whether a Domoticz whose plugins folder holds this copy runs as that user, who may also read the devices file.

    The latter shuts out who merely calls a program of his "domoticz"; who reads keys could take breakers anyhow.
    """
    now_s = time.monotonic()
    until_s, answer = _known.get(uid, (now_s, False))
    if until_s <= now_s:
        answer = _look(uid)
        _known[uid] = (now_s + _KEPT_S, answer)
    return answer


def _look(uid: int) -> bool:
    file = devices_path(None)
    for one in running():
        account = account_of_process(one.pid)
        if account is not None and account.uid == uid and one.holds(PLUGIN_FOLDER):
            return file is None or one.is_elsewhere or account.may_read(file)
    return False
