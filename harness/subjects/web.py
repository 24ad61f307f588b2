"""Python web servers on Unix sockets, each started as its own documentation says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.cache.images import tree_of
from harness.subjects.subject import Subject

if TYPE_CHECKING:
    from harness.engines.protocol import Engine

SERVERS, LIBRARIES = "/opt/harness/servers", "/opt/harness/libraries"
PACKAGES = ("python3-aiohttp", "uvicorn", "gunicorn", "python3-hypercorn", "python3-waitress")
WSGI, ASGI = "application:wsgi", "application:asgi"


@dataclass(frozen=True)
class WebServer(Subject):
    """A server that serves the smallest of applications."""

    def install(self, engine: Engine, image: str | None) -> tuple[str, ...]:
        """Bring in the scripts and the application."""
        del engine, image
        return (f"{Path(__file__).parents[1] / 'inside' / 'servers'}:{SERVERS}", *self.mounts)


@dataclass(frozen=True)
class ReleasedServer(WebServer):
    """A server that Debian does not have: `releases` are its packages as PyPI has them, each `NAME==VERSION`."""

    releases: tuple[str, ...] = ()

    def install(self, engine: Engine, image: str | None) -> tuple[str, ...]:
        """Bring in the packages too."""
        libraries = tree_of(self.releases, engine, image=image)
        return (*super().install(engine, image), f"{libraries}:{LIBRARIES}")


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
GRANIAN = ReleasedServer(
    name="granian",
    about="granian with --uds-permissions",
    command=(
        *("python3", "-m", "granian", "--interface", "asgi"),
        *("--uds", "{socket}", "--uds-permissions", "{mode}", ASGI),
    ),
    speaks="http",
    environment={"PYTHONPATH": f"{SERVERS}:{LIBRARIES}", "PYTHONDONTWRITEBYTECODE": "1"},
    releases=("granian==2.8.7", "click==8.5.1"),
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
    GRANIAN,
    WAITRESS,
)
