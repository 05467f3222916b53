"""Shows readings as Domoticz devices; besides plugin.py the only place that touches the framework's objects."""
