"""One connection, many listeners: who holds devices tells others on this machine, and takes their commands.

The owner (a plugin, the stand-in, a command or service of ours) listens on a Unix socket, whose place stands in the
answer of each device's lock. Both ends ask the kernel who the other one is. First comes what is known, then events as
they come, one JSON object a line. Knows devices and the LAN client, no front end; a local key never gets here.
"""
