"""A hook server on a TCP port: what a Unix socket is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from harness.subjects.web import SERVERS, WebServer

PORT = 8765


@dataclass(frozen=True)
class TcpServer(WebServer):
    """A server that is reached by a port, whatever path is asked for."""

    def endpoint(self, directory: str) -> str:
        """The port."""
        del directory
        return f"tcp:127.0.0.1:{PORT}"


TCP = TcpServer(
    name="tcp",
    about=f"a hook server on 127.0.0.1:{PORT}, as existing dashboards are",
    command=("python3", f"{SERVERS}/tcp_hooks.py", "127.0.0.1", str(PORT)),
    speaks="hooks",
)
