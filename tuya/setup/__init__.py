"""What install.sh does: packages, Domoticz's Python, checks, demo. Standard library only; knows no device."""
