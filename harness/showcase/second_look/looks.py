"""A second look at a server, by hand-made probes that share no code with the checks: what was seen, check by check.

Run as root in a place where the world of the checks is built: `python3 second_look.py`, a JSON object on standard
input (`Order`), a JSON object on standard output: `{"verdict": ..., "seen": ...}`. It forks, sends signals and reads
/proc by itself, and it goes by strace(1) where the checks trace a start themselves. It imports nothing of the harness,
on purpose.
"""

from __future__ import annotations

import ctypes
import glob
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
    is_socket,
    listener_pid,
    main_process,
    not_applicable,
    open_flag,
    order,
    patient,
    processes,
    sockets_of,
    start,
    statuses,
    up,
)
from harness.showcase.second_look.logins import knows, look_admitted, look_forgery, look_identity


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


def look_live() -> Seen:
    """Whose the name is after a second start."""
    started = start()
    assert up()
    before = identity(address())
    first = {started.pid, *processes()}  # whoever listened may have gone to the background since
    start()
    time.sleep(max(4.0, 3 * order["calm"]))
    same = identity(address()) == before
    try:
        answers = listener_pid() in first if order["type"] == socket.SOCK_STREAM else True
    except OSError as error:
        return broken(f"nobody is reached: {error}")
    return (held if same and answers else broken)(f"same file: {same}, the first answers: {answers}")


def look_stale() -> Seen:
    """Whether it starts after it was killed."""
    start()
    assert up()
    end_all()
    left = os.path.lexists(address())
    start()
    return (held if up() else broken)(f"the socket was left: {left}")


def look_foreign() -> Seen:
    """Whether six obstacles are as they were after a start."""
    faults = []
    path = address()

    def regular() -> None:
        with open(path, "w", encoding="ascii") as file:
            file.write("keep me")
        os.chown(path, STRANGER, STRANGER)
        os.chmod(path, 0o640)

    def dangling() -> None:
        os.symlink("/run/check/second-victim", path)
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)

    def living() -> None:
        keep.append(socket.socket(socket.AF_UNIX, order["type"]))
        keep[-1].bind(path)
        os.chown(path, STRANGER, STRANGER)
        os.chmod(path, 0o640)
        if order["type"] == socket.SOCK_STREAM:
            keep[-1].listen()

    def to_living() -> None:
        other = "/run/check/second-victim"
        keep.append(socket.socket(socket.AF_UNIX, order["type"]))
        keep[-1].bind(other)
        os.chown(other, STRANGER, STRANGER)
        if order["type"] == socket.SOCK_STREAM:
            keep[-1].listen()
        dangling()

    def to_stale() -> None:
        with socket.socket(socket.AF_UNIX, order["type"]) as gone:
            gone.bind("/run/check/second-victim")
        os.chown("/run/check/second-victim", order["uid"], order["gid"])
        dangling()

    def to_own_file() -> None:
        regular()
        os.rename(path, "/run/check/second-victim")
        os.chown("/run/check/second-victim", order["uid"], order["gid"])
        dangling()

    keep: list[socket.socket] = []
    for obstacle in (regular, dangling, living, to_living, to_stale, to_own_file):
        obstacle()
        before = identity(path)
        start()
        time.sleep(max(2.0, 2 * order["calm"]))
        if identity(path) != before or (obstacle is dangling and os.path.lexists("/run/check/second-victim")):
            faults.append(obstacle.__name__)
        end_all()
        for left in (path, "/run/check/second-victim"):
            if os.path.lexists(left):
                os.unlink(left)
        for state in glob.glob("/run/check/state/pid*"):
            os.unlink(state)
    return broken(f"not left alone: {faults}") if faults else held("six obstacles were left alone")


def look_squatting() -> Seen:
    """What it does where a stranger has the name, several times: whether it writes before the stranger hangs up is a
    race."""
    for _ in range(8):
        seen = squatted()
        if seen["verdict"] != "held" or order["type"] != socket.SOCK_STREAM:
            break
    return seen


def squatted() -> Seen:
    """A start where a stranger has the name, who hangs up on everybody."""
    pid = os.fork()
    if pid == 0:
        become(STRANGER, STRANGER)
        squatter = socket.socket(socket.AF_UNIX, order["type"])
        squatter.bind(address())
        os.chmod(address(), 0o666)
        if order["type"] == socket.SOCK_STREAM:
            squatter.listen()
            while True:
                squatter.accept()
        signal.pause()
    helpers.add(pid)
    while not os.path.lexists(address()):
        time.sleep(0.01)
    time.sleep(0.1)
    before = identity(address())
    with open("/tmp/second-look.log", "wb"):
        pass
    started = start()
    deadline = time.monotonic() + 20
    while processes() and time.monotonic() < deadline and identity(address()) == before:
        time.sleep(0.05)
    time.sleep(0.2)
    taken, runs = identity(address()) != before, bool(processes())
    end_all()
    os.kill(pid, signal.SIGKILL)
    processes()
    status = statuses.get(started.pid, started.returncode)
    if not taken:
        os.unlink(address())
    with open("/tmp/second-look.log", "rb") as log:
        said = len(log.read())
    if taken:
        return not_applicable("it took the name")
    return (held if not runs and status > 0 and said else broken)(
        f"runs on: {runs}, status {status}, {said} bytes said"
    )


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
    if order["question"]:
        beginning = order["question"]["begin"].encode("latin-1")
    elif order["speaks"] in QUESTIONS:
        beginning = QUESTIONS[order["speaks"]][0][:3]
    else:
        return {"verdict": "", "seen": "no question is known here"}
    start(files=1024)
    assert up()
    os.chmod(address(), 0o666)
    if order["speaks"] != "mariadb":
        assert ask()[0], ask()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        become(STRANGER, STRANGER)
        held_open: list[socket.socket] = []
        failed, refusal = 0, ""
        until = time.monotonic() + 40
        while len(held_open) < count and failed < 10 and time.monotonic() < until:
            peer = socket.socket(socket.AF_UNIX)
            patient(peer, 1)
            try:
                peer.connect(address())
                peer.sendall(beginning)
                failed = 0
            except OSError as error:
                failed += 1
                refusal = str(error)
            held_open.append(peer)
        os.write(writing, f"{len(held_open)} {refusal}".encode())
        signal.pause()
    helpers.add(pid)
    os.close(writing)
    opened, _, refusal = os.read(reading, 200).decode().partition(" ")
    answered, said = ask()
    os.kill(pid, signal.SIGKILL)
    if answered and int(opened) < count:
        return {"verdict": "", "seen": f"no more than {opened} connections could be opened ({refusal})"}
    return (held if answered else broken)(f"{opened} connections; answered: {answered} {said!r}")


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
        own = sockets_of(server)
        for pid in processes():
            if os.readlink(f"/proc/{pid}/exe") == program:
                own |= sockets_of(pid)
        children = [pid for pid in processes() if os.readlink(f"/proc/{pid}/exe") != program]
        leaked = {pid: sorted(sockets_of(pid) & own) for pid in children if sockets_of(pid) & own}
        flags = [open_flag(server, number) for number in os.listdir(f"/proc/{server}/fd") if is_socket(server, number)]
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
