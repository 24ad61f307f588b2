"""Python web servers on Unix sockets, each started as its own documentation says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.subjects.model import Subject

if TYPE_CHECKING:
    from harness.place import Engine

SERVERS = "/opt/harness/servers"
PACKAGES = ("python3-aiohttp", "uvicorn", "gunicorn", "python3-hypercorn", "python3-waitress")
WSGI, ASGI = "application:wsgi", "application:asgi"


@dataclass(frozen=True)
class WebServer(Subject):
    """A server that serves the smallest of applications."""

    def install(self, engine: Engine, image: str | None) -> tuple[str, ...]:
        """Bring in the scripts and the application."""
        del engine, image
        return (f"{Path(__file__).with_name('servers')}:{SERVERS}", *self.mounts)


def _web(name: str, about: str, *command: str) -> WebServer:
    return WebServer(
        name=name,
        about=about,
        command=command,
        speaks="http",
        packages=PACKAGES,
        environment={"PYTHONPATH": SERVERS, "PYTHONDONTWRITEBYTECODE": "1"},
    )


HTTP_SERVER = _web(
    "http.server", "the standard library's HTTPServer on AF_UNIX", "python3", f"{SERVERS}/http_server.py", "{socket}"
)
ASYNCIO = _web("asyncio", "asyncio.start_unix_server", "python3", f"{SERVERS}/asyncio_server.py", "{socket}")
AIOHTTP = _web("aiohttp", "aiohttp's UnixSite", "python3", f"{SERVERS}/aiohttp_site.py", "{socket}")
UVICORN = _web("uvicorn", "uvicorn --uds", "python3", "-m", "uvicorn", "--uds", "{socket}", ASGI)
GUNICORN = _web("gunicorn", "gunicorn as it is", "gunicorn", "--bind", "unix:{socket}", WSGI)
GUNICORN_UMASK = _web(
    "gunicorn-umask", "gunicorn with --umask", "gunicorn", "--bind", "unix:{socket}", "--umask", "{umask}", WSGI
)
HYPERCORN = _web("hypercorn", "hypercorn as it is", "hypercorn", "--bind", "unix:{socket}", ASGI)
HYPERCORN_UMASK = _web(
    "hypercorn-umask", "hypercorn with --umask", "hypercorn", "--bind", "unix:{socket}", "--umask", "{umask}", ASGI
)
WAITRESS = _web(
    "waitress",
    "waitress with --unix-socket-perms",
    *("waitress-serve", "--unix-socket={socket}", "--unix-socket-perms={mode}", WSGI),
)

WEB_SERVERS = (
    HTTP_SERVER,
    ASYNCIO,
    AIOHTTP,
    UVICORN,
    GUNICORN,
    GUNICORN_UMASK,
    HYPERCORN,
    HYPERCORN_UMASK,
    WAITRESS,
)
