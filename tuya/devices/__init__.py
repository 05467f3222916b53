"""What a device is, for every front end: its entry in devices.json, its profile, what is known of it, its outages.

Uses lan and metering. Knows no front end: nothing of Domoticz, of MQTT or of a terminal.
"""
