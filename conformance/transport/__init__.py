"""Bytes in, bytes out: how a message stands on each wire."""
