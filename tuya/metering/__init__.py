"""What data points mean. Pure: no sockets, no threads, no clock of its own, no Domoticz."""
