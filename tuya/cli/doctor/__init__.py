"""The doctor: what is wrong, from the files of this machine to the readings of a device, each with its cure."""
