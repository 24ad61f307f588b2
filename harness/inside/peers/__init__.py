"""Peers of a server whose identity is in question."""
