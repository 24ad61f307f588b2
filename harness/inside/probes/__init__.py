"""Probes attack or look at a server from inside its place: modules with `main(**arguments)`, which prints JSON lines.

What each of them prints is a type of `harness.inside.messages`.
"""
