"""What runs inside a place: each module stands on the standard library alone and runs on Python 3.9 or newer.

A probe is a module with `main(**arguments)`, which prints JSON lines. It is sent to the place as text, together
with the modules of this package that it imports, so a place needs nothing but a `python3`.
"""
