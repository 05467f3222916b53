"""One owner a device and an address, in this process and on this machine. Knows no protocol and no DP."""
