"""Whom a server takes somebody for: asked by its own client, as people who say who they are and as people who lie."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from functools import partial

from harness.showcase.second_look.ground import (
    Seen,
    address,
    become,
    broken,
    held,
    order,
    patient,
    start,
    up,
)

PEOPLE = {"root": 0, "alice": 1500, "colleague": 1501, "member": 1502, "stranger": 1503}


def knows() -> bool:
    """Whether a client of this server is known here."""
    return order["speaks"] in ("postgresql", "mariadb", "dbus")


def named(who: str, claim: str) -> str:
    """As whom the server takes somebody who says that they are `claim`; nothing, if it does not let them in."""
    if order["speaks"] == "dbus":
        return _named_on_the_bus(who) if who == claim else _claimed_on_the_bus(who, claim)
    command = {
        "postgresql": [
            *("psql", "-h", os.path.dirname(address()), "-U", claim, "-d", "postgres"),
            *("-w", "-X", "-A", "-t", "-c", "select current_user"),
        ],
        "mariadb": [
            *("mariadb", "--no-defaults", f"--socket={address()}", f"--user={claim}"),
            *("-N", "-B", "-e", "select current_user()"),
        ],
    }[order["speaks"]]
    return _said(who, command).strip().partition("@")[0]


def _said(who: str, command: list[str]) -> str:
    """What a client printed; nothing, if it failed."""
    done = subprocess.run(
        command,
        preexec_fn=partial(_be, who),
        env={"PATH": order["environment"]["PATH"], "HOME": "/", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


def _named_on_the_bus(who: str) -> str:
    """Ask the bus for the user behind a connection: our own, whose name is the one after that of the last."""
    call = ["dbus-send", f"--bus=unix:path={address()}", "--print-reply=literal", "--dest=org.freedesktop.DBus"]
    bus = "org.freedesktop.DBus"
    names = re.findall(r":1\.(\d+)", _said(who, [*call, "/org/freedesktop/DBus", f"{bus}.ListNames"]))
    if not names:
        return ""
    own = f"string::1.{max(map(int, names)) + 1}"
    found = re.search(
        r"uint32 (\d+)", _said(who, [*call, "/org/freedesktop/DBus", f"{bus}.GetConnectionUnixUser", own])
    )
    return {uid: name for name, uid in PEOPLE.items()}[int(found[1])] if found else ""


def _be(who: str) -> None:
    become(PEOPLE[who], PEOPLE[who], order["members"].get(str(PEOPLE[who]), []))


def _claimed_on_the_bus(who: str, claim: str) -> str:
    """Log in by somebody else's uid."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = b""
        try:
            _be(who)
            with socket.socket(socket.AF_UNIX) as peer:
                patient(peer, 5)
                peer.connect(address())
                peer.sendall(b"\0AUTH EXTERNAL " + str(PEOPLE[claim]).encode().hex().encode() + b"\r\n")
                said = peer.recv(100)
        finally:
            os.write(writing, said or b"-")
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    os.waitpid(pid, 0)
    return claim if said.startswith(b"OK") else ""


def _open() -> None:
    """Start it, and let everybody come as far as the server."""
    start()
    assert up()
    os.chmod(address(), 0o666)


def look_admitted() -> Seen:
    """Whom a server lets in by a check of its own, each by their own name."""
    start()
    assert up()
    got = {who for who in PEOPLE if named(who, who)}
    meant = {who for who in PEOPLE if who in order["own_check"]}
    return (held if got == meant else broken)(f"let in: {sorted(got)}, meant: {sorted(meant)}")


def look_identity() -> Seen:
    """Whether everybody who gets in is called by their own name."""
    if not knows():
        return {"verdict": "", "seen": "no client is known here"}
    _open()
    seen = {who: named(who, who) for who in PEOPLE}
    wrong = {who: name for who, name in seen.items() if name not in ("", who)}
    if not any(seen.values()):
        return {"verdict": "", "seen": "nobody got in"}
    return (broken if wrong else held)(f"who came as whom: {seen}")


def look_forgery() -> Seen:
    """Whether somebody gets in by the name of another."""
    if not knows():
        return {"verdict": "", "seen": "no client is known here"}
    _open()
    lies = {f"{who} as {claim}": named(who, claim) for who in PEOPLE for claim in ("root", "alice") if who != claim}
    if not any(named(who, who) for who in PEOPLE):
        return {"verdict": "", "seen": "nobody got in, with the truth neither"}
    wrong = {lie: name for lie, name in lies.items() if name and name != lie.partition(" ")[0]}
    return (broken if wrong else held)(f"{len(lies)} lies; got in by: {wrong or 'none'}")
