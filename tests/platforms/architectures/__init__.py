"""`observatory.identity` itself, run by Debian's own Pythons of other architectures under user-mode emulation."""
