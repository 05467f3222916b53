"""One device, sans-IO: session, schedule, writes, reconnecting, diagnosis. Bytes and time are passed in; no socket."""
