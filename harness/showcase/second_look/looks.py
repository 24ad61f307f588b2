"""A second look at a server, by hand-made probes that share no code with the checks: what was seen, check by check.

Run as root in a place where the world of the checks is built: `python3 second_look.py`, a JSON object on standard
input (`Order`), a JSON object on standard output: `{"verdict": ..., "seen": ...}`. It forks, sends signals and reads
/proc by itself, and it goes by strace(1) where the checks trace a start themselves. It imports nothing of the harness,
on purpose.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from functools import partial

from harness.showcase.second_look.ground import (
    MEMBER,
    QUESTIONS,
    STRANGER,
    Seen,
    address,
    ask,
    become,
    broken,
    connected,
    end_all,
    held,
    helpers,
    identity,
    main_process,
    not_applicable,
    open_flag,
    order,
    patient,
    processes,
    sockets_of,
    start,
    up,
)
from harness.showcase.second_look.logins import knows, look_admitted, look_forgery, look_identity
from harness.showcase.second_look.names import look_foreign, look_live, look_squatting, look_stale


def look_mode() -> Seen:
    """Its mode, and who gets in."""
    if order["own_check"] and knows():
        return look_admitted()
    start()
    assert up()
    mode = stat.S_IMODE(os.lstat(address()).st_mode)
    who = {uid: connected(uid) for uid in (MEMBER, STRANGER)}
    if order["own_check"]:
        return {"verdict": "", "seen": "a check of its own decides, and no client is known here"}
    wrong = mode != order["mode"] if not order["at_most"] else mode & ~order["mode"]
    return (broken if wrong or (who[STRANGER] == "ok") != bool(mode & 0o2) else held)(f"{mode:04o}, {who}")


def look_umask() -> Seen:
    """Its mode under three umasks."""
    if order["mode_by"] == "umask":
        return not_applicable("it has no option")
    seen = {}
    for umask in (0, 0o022, 0o077):
        start(umask=umask)
        assert up()
        seen[umask] = stat.S_IMODE(os.lstat(address()).st_mode)
        end_all()
        if os.path.lexists(address()):
            os.unlink(address())
    return (held if set(seen.values()) == {order["mode"]} else broken)(str(seen))


def look_window() -> Seen:
    """By strace: at each bind, chmod and chown of the path, the mode that stands there."""
    worst = []
    for umask in [order["umask"]] if order["mode_by"] == "umask" else [0o022, 0]:
        log = f"/tmp/second-look.strace.{umask}"
        calls = "trace=bind,listen,chmod,fchmod,fchmodat,umask"
        start(umask=umask, before=["strace", "-f", "-qq", "-y", "-o", log, "-e", calls])
        assert up(4 * order["patience"])
        final = stat.S_IMODE(os.lstat(address()).st_mode)
        end_all()
        if os.path.lexists(address()):
            os.unlink(address())
        current, modes = umask, []
        asked = 0o777
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in file:
                if found := re.search(r" umask\((0?[0-7]*)\)", line):
                    current = int(found[1] or "0", 8)
                elif found := re.search(r"fchmod\(\d+<[^>]*>, (0[0-7]*)\) = 0", line):
                    asked = int(found[1], 8) if "socket:" in line or "UNIX" in line else asked
                elif re.search(r"bind\(.*AF_UNIX", line) and os.path.basename(address()) in line:
                    modes.append(asked & ~current)
                elif found := re.search(
                    r"chmod(?:at)?\(.*\"[^\"]*" + re.escape(os.path.basename(address())) + r"[^\"]*\", (0[0-7]*)", line
                ):
                    modes.append(int(found[1], 8))
        writers = 0o222
        if not final & 0o2 and any(mode & writers & ~final for mode in modes):
            worst.append(f"umask {umask:03o}: {[f'{mode:04o}' for mode in modes]}, finished {final:04o}")
        elif final & 0o2:
            return not_applicable(f"finished {final:04o} admits all")
    return broken("; ".join(worst)) if worst else held("strace shows no wider mode on the way")


def look_replacement() -> Seen:
    """Whether others can rename or unlink it."""
    start()
    assert up()
    got = []
    for uid in (STRANGER, 1501, MEMBER):
        for action in ("os.rename(sys.argv[1], sys.argv[1] + '.away')", "os.unlink(sys.argv[1])"):
            done = subprocess.run(
                ["python3", "-c", f"import os, sys; {action}", address()],
                preexec_fn=partial(become, uid, uid, order["members"].get(str(uid), [])),
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                got.append((uid, action[:9]))
    return broken(f"{got}") if got else held("six attempts were refused")


def look_lifetime() -> Seen:
    """What is at the name after its end, and after that of its predecessor."""
    start()
    assert up()
    os.kill(main_process(), order["stop"])
    deadline = time.monotonic() + order["patience"]
    while processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    if processes():
        return broken("it did not end")
    if os.path.lexists(address()):
        return broken("the socket is left")
    start()
    assert up()
    first = main_process()
    both = processes()
    os.unlink(address())
    start()
    if not up(min(order["patience"], 6)) or not os.path.lexists(address()):
        return held("gone at the end; no successor while it lives")
    before = identity(address())
    os.kill(first, order["stop"])
    deadline = time.monotonic() + order["patience"]
    while both & processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    return (held if identity(address()) == before else broken)(f"successor's {before} became {identity(address())}")


def crowd(count: int) -> Seen:
    """Open so many connections with the beginning of a question on each, and ask as somebody else."""
    if order["type"] == socket.SOCK_DGRAM and count > 1000:
        beginning = b"one of many"
    elif order["question"]:
        beginning = order["question"].get("begin", "").encode("latin-1")
    elif order["speaks"] in QUESTIONS:
        beginning = QUESTIONS[order["speaks"]][0][:3]
    else:
        return {"verdict": "", "seen": "no question is known here"}
    start(files=1024)
    assert up()
    os.chmod(address(), 0o666)
    if order["speaks"] != "mariadb":
        if not ask()[0]:
            order["asker"] = order["uid"]
        assert ask()[0], ask()
    opened, refusal, answered, said = _beside(count, beginning)
    for _ in range(2 if count > 1000 else 0):
        if answered:
            opened, refusal, answered, said = _beside(count, beginning)
    if answered and opened < count:
        return {"verdict": "", "seen": f"no more than {opened} connections could be opened ({refusal})"}
    return (held if answered else broken)(f"{opened} connections; answered: {answered} {said!r}")


def _beside(count: int, beginning: bytes) -> tuple[int, str, bool, str]:
    """How many connections a stranger could hold, the last error, and how somebody else was answered meanwhile."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        become(STRANGER, STRANGER)
        held_open: list[socket.socket] = []
        failed, refusal = 0, ""
        until = time.monotonic() + 40
        while len(held_open) < count and failed < 10 and time.monotonic() < until:
            peer = socket.socket(socket.AF_UNIX, order["type"])
            patient(peer, 1)
            try:
                peer.connect(address())
                peer.sendall(beginning)
                failed = 0
            except OSError as error:
                failed += not isinstance(error, BrokenPipeError | ConnectionResetError)  # turned away is no queue
                refusal = str(error)
            held_open.append(peer)
        os.write(writing, f"{len(held_open)} {refusal}".encode())
        signal.pause()
    helpers.add(pid)
    os.close(writing)
    opened, _, refusal = os.read(reading, 200).decode().partition(" ")
    os.close(reading)
    asked = time.monotonic()
    answered, said = ask()
    took = time.monotonic() - asked
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    helpers.discard(pid)
    if took > 5:
        answered, said = False, f"{took:.1f} s later {said}"
    return int(opened), refusal, answered, said


def look_leak() -> Seen:
    """Its descriptors before and after three hundred connections."""
    start()
    assert up()

    def count() -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in processes())

    for _ in range(20):
        connected(0)
    time.sleep(0.3)
    before = count()
    for _ in range(300):
        connected(0)
    deadline = time.monotonic() + 5
    while count() > before and time.monotonic() < deadline:
        time.sleep(0.1)
    return (broken if count() > before + 100 else held)(f"{before} descriptors, after 300 connections {count()}")


def look_inherited() -> Seen:
    """The sockets of the programs that it has started."""
    start()
    assert up()
    for command in order["spawn"]:
        subprocess.run(
            command, env=order["environment"], check=False, preexec_fn=lambda: become(order["uid"], order["gid"])
        )
    with socket.socket(socket.AF_UNIX, order["type"]) as peer:
        peer.connect(address())
        time.sleep(0.5)
        server = main_process()
        program = os.readlink(f"/proc/{server}/exe")
        own = set(sockets_of(server).values())
        for pid in processes():
            if os.readlink(f"/proc/{pid}/exe") == program:
                own |= set(sockets_of(pid).values())
        children = [pid for pid in processes() if os.readlink(f"/proc/{pid}/exe") != program]
        theirs = {pid: own & set(sockets_of(pid).values()) for pid in children}
        leaked = {pid: sorted(sockets) for pid, sockets in theirs.items() if sockets}
        flags = [open_flag(server, number) for number in sockets_of(server)]
    if leaked:
        return broken(f"children with the server's sockets: {leaked}")
    if children:
        return held(f"{len(children)} children have none of its sockets")
    return (held if all(flags) else not_applicable)(f"no child; close-on-exec: {flags}")


def look_traversal() -> Seen:
    """Who gets in past a closed directory, and which ports are open."""
    start()
    assert up()
    os.chmod("/run/check/way", 0o700)
    closed = {uid: connected(uid) for uid in (MEMBER, STRANGER)}
    os.chmod("/run/check/way", 0o755)
    ports = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(table):
            with open(table, encoding="ascii") as file:
                ports += [
                    int(line.split()[1].rpartition(":")[2], 16) for line in list(file)[1:] if line.split()[3] == "0A"
                ]
    meant = {int(door.rpartition(":")[2]) for door in order["doors"] if door.startswith("tcp:")}
    wrong = [uid for uid, said in closed.items() if said != "EACCES"] + [port for port in ports if port not in meant]
    return (broken if wrong else held)(f"closed: {closed}, ports: {ports}")


LOOKS = {
    "mode": look_mode,
    "traversal": look_traversal,
    "identity": look_identity,
    "forgery": look_forgery,
    "creation-window": look_window,
    "umask": look_umask,
    "takeover-live": look_live,
    "takeover-stale": look_stale,
    "takeover-foreign": look_foreign,
    "squatting": look_squatting,
    "replacement": look_replacement,
    "lifetime": look_lifetime,
    "slow-peer": lambda: crowd(100),
    "flood": lambda: crowd(1150),
    "descriptor-leak": look_leak,
    "inherited": look_inherited,
}

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
    order.update(json.loads(sys.stdin.read()))
    try:
        said = LOOKS[order["check"]]() if order["check"] in LOOKS else {"verdict": "", "seen": "not looked at again"}
    except Exception as error:
        said = {"verdict": "", "seen": f"the second look failed: {type(error).__name__}: {error}"}
    end_all()
    print(json.dumps(said))
