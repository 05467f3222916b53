"""The device side of the protocol, written without the client's codec: simulated breakers. Not used at run time."""
