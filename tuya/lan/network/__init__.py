"""Sockets and selectors: the network thread's loop, one channel a device, the listener for announcements."""
