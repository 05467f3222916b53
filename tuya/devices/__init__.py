"""What a device is, for every front end.

Its entry in devices.json, its profile, what is known of it now, its totals, its outages and its journal; what of a
devices file is served. Uses lan and metering. Knows no front end: nothing of Domoticz, of MQTT or of a terminal.
"""
