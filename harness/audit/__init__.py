"""Calls on Unix sockets that fail anywhere on this machine, as the kernel's audit system records them."""
