"""Tuya breakers and energy meters over the LAN: client, meaning of data points, Domoticz devices, tools."""

import sys

# `python3 -m tuya` puts the current folder first on the path, so that a signal.py in it would be imported instead of
# Python's own. This package is found by then, and its modules are found through it; while it is looked for,
# sys.argv[0] is "-m". (Python's -I and -P do the same; the first line of ours that runs has to do without them.)
if getattr(sys, "argv", [""])[:1] == ["-m"] and f"{sys.path[0]}/tuya" == __path__[0]:
    del sys.path[0]
