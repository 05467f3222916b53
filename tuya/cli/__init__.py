"""The sub-commands of python3 -m tuya, one module each. Not used at run time."""
