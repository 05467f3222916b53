"""Bytes to messages and back: framing, ciphers, payloads, announcements. Knows no time, no socket, no DP's meaning."""
