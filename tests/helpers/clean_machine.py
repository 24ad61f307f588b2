"""A clean machine in a container: a Debian, a directory of this machine's, and nothing else."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import docker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker.models.containers import Container

WAY_TO_PACKAGES = re.compile(
    r"(https?|no|all)_proxy|SSL_CERT_FILE|(CURL|REQUESTS)_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
    r"|PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)|UV_(DEFAULT_INDEX|INDEX_URL)|NPM_CONFIG_REGISTRY",
    re.IGNORECASE,
)
"""Variables that say how this machine reaches the package registries: they hold in the container too."""


def way_to_packages() -> dict[str, str]:
    """Those variables, as they are set here."""
    return {name: value for name, value in os.environ.items() if WAY_TO_PACKAGES.fullmatch(name)}


@contextmanager
def clean_machine(
    image: str,
    directory: Path,
    inside: str,
    environment: Mapping[str, str],
    *,
    plain: bool = False,
    network: str = "host",
    volumes: Sequence[str] = (),
) -> Iterator[Container]:
    """A container of that image with `directory` at `inside`, and with this machine's network and way to packages.

    It may make namespaces, unless it is `plain`, as Docker makes them. `network` is another one of the engine's;
    `volumes` are more of this machine's files, each `HOST:PLACE`.
    """
    way = way_to_packages()
    files = {value for value in way.values() if Path(value).is_file()}
    client = docker.from_env(timeout=600)
    capabilities = [] if plain else ["SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "DAC_READ_SEARCH"]
    container = client.containers.run(
        image,
        ["sleep", "infinity"],
        cap_add=capabilities,
        detach=True,
        entrypoint=[],
        environment={**way, **environment, "LANG": "C.UTF-8"},
        init=True,
        network_mode=network,
        security_opt=[] if plain else ["seccomp=unconfined", "apparmor=unconfined"],
        volumes=[f"{directory}:{inside}", *volumes, *(f"{Path(file).resolve()}:{file}:ro" for file in files)],
        working_dir=inside,
    )
    try:
        yield container
    finally:
        container.remove(force=True)
        client.close()
