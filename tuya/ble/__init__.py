"""Explains a Bluetooth pairing capture. No other room knows this one."""
