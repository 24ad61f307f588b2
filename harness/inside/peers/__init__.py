"""Peers of a server whose identity is in question: one function for each case, listed in `cases`."""
