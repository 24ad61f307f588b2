"""Socket activation: somebody else makes the socket, and hands it over."""

from __future__ import annotations

from harness.subjects.web import SERVERS, WebServer

SOCKET_ACTIVATION = WebServer(
    name="socket-activation",
    about="a service behind systemd-socket-activate",
    command=("systemd-socket-activate", "--listen={socket}", "python3", f"{SERVERS}/activated.py"),
    speaks="http",
    packages=("systemd",),
)
