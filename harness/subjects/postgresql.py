"""PostgreSQL with peer authentication: the role is the name of the uid that connected."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.finding import broken, held
from harness.subjects.subject import Subject, above_standard

if TYPE_CHECKING:
    from harness.engines.protocol import Completed
    from harness.finding import Finding
    from harness.inside.reports import StatementReport
    from harness.testbed.testbed import RunningServer, Testbed

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

    def prepare(self, testbed: Testbed) -> None:
        """Give the server a database of its own, with a role for each user whom the map knows."""
        template = f"{TEMPLATE}-{testbed.owner}"
        if testbed.root("test", "-d", template).status != 0:
            self._make_template(testbed, template)
        data = f"{testbed.asked().state}/data"
        self._must(testbed.root("cp", "-a", template, data))

    def _make_template(self, testbed: Testbed, template: str) -> None:
        owner = testbed.principal(testbed.owner)
        self._must(testbed.root("install", "-d", "-o", str(owner.uid), "-g", str(owner.gid), "-m", "0700", template))
        initdb = [f"{self.programs}/initdb", "-D", template, "-U", testbed.owner, "--no-sync", "--locale=C.UTF-8"]
        self._must(testbed.place.run([*initdb, "--auth=peer", SEGMENT], owner, timeout=60.0))
        statements = [f"CREATE ROLE {name} LOGIN" for name in MAPPED]
        statements += [f"CREATE SCHEMA {name} AUTHORIZATION {name}" for name in MAPPED]
        statements += UNUSED
        single = [f"{self.programs}/postgres", "--single", "-D", template, "-F", "postgres"]
        self._must(testbed.place.run(single, owner, input="\n".join(statements) + "\n", timeout=60.0))
        mapping = "".join(f"harness {name} {name}\n" for name in (*MAPPED, testbed.owner))
        write = ["sh", "-c", 'printf %s "$1" > "$0/pg_hba.conf"; printf %s "$2" > "$0/pg_ident.conf"']
        self._must(testbed.place.run([*write, template, HBA, mapping], owner))

    def _must(self, done: Completed) -> None:
        """Raises PlaceError if a command failed."""
        if done.status != 0:
            words = " ".join((done.stderr or done.stdout).split())
            raise PlaceError(f"a database for {self.name} could not be made: {words[-300:]}")

    def audience(self, testbed: Testbed) -> Finding:
        """A role's table is not read by another role, nor by a user without a role; the superuser reads it."""
        testbed.lay()
        table = "member.secret"
        select = "select content from member.secret"
        with testbed.serve() as running:
            testbed.open_to_all(running)
            wrote = _sql(testbed, running, "member", f"create table {table} as select 'of member' as content; {select}")
            asked = {name: _sql(testbed, running, name, select) for name in ("colleague", "stranger", testbed.owner)}
        if not wrote["rows"]:
            return broken(f"member could not write a table of its own: {wrote}")
        faults = [
            f"{name} read {table}: {asked[name]['rows']}"
            for name in ("colleague", "stranger")
            if asked[name]["kind"] == "accepted"
        ]
        if faults:
            return broken("; ".join(faults), **asked)
        if asked[testbed.owner]["kind"] != "accepted":
            return broken(
                f"the superuser {testbed.owner} could not read {table}: {asked[testbed.owner]['rows']}", **asked
            )
        said = "; ".join(f"{name} got {asked[name]['rows'][0][0]!r}" for name in ("colleague", "stranger"))
        return held(f"member's table is not read by others ({said}); the superuser {testbed.owner} reads it", **asked)

    def child_descriptors(self, testbed: Testbed, running: RunningServer) -> list[str] | None:
        """COPY TO PROGRAM runs a command in a backend of the superuser's."""
        output = f"{testbed.asked().state}/descriptors"
        program = f"cat >/dev/null; ls -l /proc/self/fd > {output}"
        done = _sql(testbed, running, testbed.owner, f"copy (select 1) to program '{program}'")
        if done["kind"] != "accepted":
            raise PlaceError(f"{self.name} did not run a program for its superuser: {done['rows']}")
        listing = testbed.root("cat", output).stdout
        return above_standard(listing)


def _sql(testbed: Testbed, running: RunningServer, who: str, statement: str) -> StatementReport:
    return testbed.probe(
        "statement", testbed.principal(who), endpoint=running.endpoint, statement=statement, seconds=10.0
    )


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
