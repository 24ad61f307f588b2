"""PostgreSQL with peer authentication: the role is the name of the uid that connected."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.subjects.subject import Subject
from harness.world import ROOT

if TYPE_CHECKING:
    from harness.engines.protocol import Completed, Place
    from harness.world import Principal

TEMPLATE = "/var/lib/harness-postgresql"
"""A database that was made once in a place; each world gets a copy."""
MAPPED = ("colleague", "member", "kin")
"""Users who may log in beside the server's own; the others have a uid without a role."""
SEGMENT = "--wal-segsize=1"
UNUSED = (
    "UPDATE pg_database SET datistemplate = false",
    "DROP DATABASE template0",
    "DROP DATABASE template1",
)
"""Each world gets a copy of the template: the less there is in it, the sooner it is copied."""
HBA = "local all all peer map=harness\n"
"""pg_hba.conf: whoever comes through the socket is who the kernel says, translated by the map."""


@dataclass(frozen=True)
class PostgreSQL(Subject):
    """One major version of the server."""

    programs: str = ""

    def endpoint(self, directory: str) -> str:
        """The name is fixed by the protocol."""
        return f"{directory}/.s.PGSQL.5432"

    def admits(self, label: str) -> bool:
        """Only those whom the map knows have a role."""
        return label in (*MAPPED, self.owner)

    def prepare(self, place: Place, owner: str, principal: Principal, state: str) -> None:
        """Give the server a database of its own, with a role for each user whom the map knows."""
        template = f"{TEMPLATE}-{owner}"
        if place.run(["test", "-d", template], ROOT).status != 0:
            self._make_template(place, owner, principal, template)
        self._must(place.run(["cp", "-a", template, f"{state}/data"], ROOT))

    def _make_template(self, place: Place, owner: str, principal: Principal, template: str) -> None:
        ids = ["-o", str(principal.uid), "-g", str(principal.gid)]
        self._must(place.run(["install", "-d", *ids, "-m", "0700", template], ROOT))
        initdb = [f"{self.programs}/initdb", "-D", template, "-U", owner, "--no-sync", "--locale=C.UTF-8"]
        self._must(place.run([*initdb, "--auth=peer", SEGMENT], principal, timeout=60.0))
        statements = [f"CREATE ROLE {name} LOGIN" for name in MAPPED]
        statements += [f"CREATE SCHEMA {name} AUTHORIZATION {name}" for name in MAPPED]
        statements += UNUSED
        single = [f"{self.programs}/postgres", "--single", "-D", template, "-F", "postgres"]
        self._must(place.run(single, principal, input="\n".join(statements) + "\n", timeout=60.0))
        mapping = "".join(f"harness {name} {name}\n" for name in (*MAPPED, owner))
        write = ["sh", "-c", 'printf %s "$1" > "$0/pg_hba.conf"; printf %s "$2" > "$0/pg_ident.conf"']
        self._must(place.run([*write, template, HBA, mapping], principal))

    def _must(self, done: Completed) -> None:
        """Raises PlaceError if a command failed."""
        if done.status != 0:
            words = " ".join((done.stderr or done.stdout).split())
            raise PlaceError(f"a database for {self.name} could not be made: {words[-300:]}")


def _version(major: int, suite: str) -> PostgreSQL:
    programs = f"/usr/lib/postgresql/{major}/bin"
    return PostgreSQL(
        name="postgresql" if suite == "bookworm" else f"postgresql-{major}",
        about=f"PostgreSQL {major} of Debian {suite} with peer authentication",
        command=(
            *(f"{programs}/postgres", "-D", "{state}/data", "-F"),
            *("-c", "listen_addresses=", "-c", "max_connections=256", "-c", "unix_socket_directories={directory}"),
            *("-c", "unix_socket_permissions={mode}", "-c", "unix_socket_group={group}"),
        ),
        speaks="postgresql",
        owner="postgres",
        suite=suite,
        packages=(f"postgresql-{major}",),
        stop=signal.SIGINT,
        patience=20.0,
        programs=programs,
    )


POSTGRESQL = _version(15, "bookworm")
POSTGRESQL_17 = _version(17, "trixie")
