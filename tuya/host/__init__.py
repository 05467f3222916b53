"""A stand-in for Domoticz's plugin framework: runs plugin.py unchanged, without Domoticz. Not used at run time."""
