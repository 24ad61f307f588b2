"""Where the asker and the server stand, and what can't be known from there: `not known`, and never `ok` or `stale`."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.stage import staged
from tests.integration.explain.test_cases import kernel, printed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)

AS_ALI = ("setpriv", "--reuid", "ali", "--regid", "ali", "--init-groups")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def first_line(stage: Stage, *words: str) -> str:
    """What `harness explain` says first, started by other words."""
    return stage.enter(*words).stdout.splitlines()[0].rpartition(": ")[2]


def command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "harness", "explain", *arguments)


AS_BOB = (
    "sh",
    "-c",
    'PYTHONPATH=$T exec setpriv --reuid bob --regid bob --clear-groups "$PYTHON" -m harness explain "$@"',
    "sh",
)
"""For an ordinary user, who may not read what this project is installed from; `readable` makes a copy."""


def readable(stage: Stage) -> None:
    stage.run('"$PYTHON" -c "import os" && cp -r $PYTHONPATH/harness $T/harness && chmod -R a+rX $T/harness')


@pytest.mark.parametrize(
    "words",
    [
        command("/run/s.sock", "--user", "ali"),
        ("unshare", "--pid", "--fork", "--mount-proc", *command("/run/s.sock")),
        (*AS_BOB, "/run/s.sock"),
    ],
    ids=["as root", "where processes are hidden", "as an ordinary user"],
)
def test_a_dead_servers_socket_is_proven_dead_though_not_every_process_may_be_looked_at(
    words: tuple[str, ...], stage: Stage
) -> None:
    """Another's process in another network namespace might have it: the kernel tells that none has."""
    stage.run("dead /run/s.sock mode=0666; serve -- /run/live.sock mode=0666")
    readable(stage)
    values = printed(stage.run("waiting unshare --net"))
    done = stage.enter(*words)
    assert done.stdout.splitlines()[0].endswith("ECONNREFUSED at /run/s.sock"), done.stdout + done.stderr
    assert done.returncode == 1
    assert kernel(stage, " ".join(AS_ALI), "connect", "/run/s.sock") == "ECONNREFUSED"
    live = ["/run/live.sock" if word == "/run/s.sock" else word for word in words]
    assert first_line(stage, *live) == "ok"
    os.kill(int(values["PID"]), signal.SIGKILL)


def test_a_dead_servers_socket_is_not_known_to_be_dead_by_whom_the_kernel_does_not_tell(stage: Stage) -> None:
    """Who may not write to the file; the one who may is refused by nothing but the socket."""
    stage.run(
        "dead /run/s.sock mode=0600; chown ali /run/s.sock; serve -- /run/live.sock mode=0600; chown ali /run/live.sock"
    )
    readable(stage)
    done = stage.enter(*AS_BOB, "/run/s.sock", "--user", "ali")
    assert done.stdout.splitlines()[0].endswith("not known at /run/s.sock"), done.stdout + done.stderr
    assert "which takes write permission on the file: run this as root" in done.stdout
    assert first_line(stage, *AS_BOB, "/run/s.sock") == "EACCES at /run/s.sock"
    assert first_line(stage, *AS_BOB, "/run/live.sock", "--user", "ali") == "ok"


LEFT = """
import ctypes, os, socket, sys, time
libc = ctypes.CDLL(None)
home = os.open("/proc/self/ns/net", os.O_RDONLY)
assert libc.unshare(0x40000000) == 0
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
server.listen()
if sys.argv[2] == "mounted":
    open(sys.argv[3], "w").close()
    assert os.spawnlp(os.P_WAIT, "mount", "mount", "--bind", "/proc/%d/ns/net" % os.getpid(), sys.argv[3]) == 0
assert libc.setns(home, 0) == 0
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
peer, _ = server.accept()
print("ready", flush=True)
os.close(1)
time.sleep(600)
"""
"""A server that has left the network namespace of its socket, in which no process is then.

It has a connection from where it is now, whose accepted socket is there too and carries the file's numbers.
"""


BY_ROOT = command("/run/left.sock", "--user", "ali")


@pytest.mark.parametrize(
    ("kept", "answers"),
    [
        ("mounted", {BY_ROOT: "ok"}),
        (
            "only by the socket",
            {
                BY_ROOT: "ok",
                # Without that the kernel does not tell which namespace a socket is of, so that it can't be asked.
                ("setpriv", "--bounding-set=-net_admin", *BY_ROOT): "not known at /run/left.sock",
                # Nor without that which sockets a process has.
                ("setpriv", "--bounding-set=-sys_ptrace", *BY_ROOT): "not known at /run/left.sock",
                (*AS_BOB, "/run/left.sock"): "not known at /run/left.sock",
            },
        ),
    ],
    ids=["mounted", "kept by the socket"],
)
def test_a_server_may_have_left_the_network_namespace_of_its_socket(
    kept: str, answers: dict[tuple[str, ...], str]
) -> None:
    """Which answers all the same: never is it called stale."""
    with staged(alone=True) as stage:
        readable(stage)
        program = stage.temporary / "left.py"
        program.write_text(LEFT)
        stage.run(
            f'mkfifo $T/up; "$PYTHON" {program} /run/left.sock "{kept}" $T/net >$T/up & read line <$T/up; rm $T/up'
        )
        assert kernel(stage, " ".join(AS_ALI), "connect", "/run/left.sock") == "ok"
        assert {words: first_line(stage, *words) for words in answers} == answers


def test_a_listener_is_told_with_its_process_and_its_queue(stage: Stage) -> None:
    values = printed(
        stage.run("serve as app -- /run/../tmp/s.sock mode=0666 backlog=5 waiting=2; echo PID=$SERVER_PID")
    )
    said = stage.explain("/tmp/s.sock", "--user", "ali").stdout
    told = re.search(r"^  server process (\d+) \((\S+)\), uid 1002, since (\S+ \S+); queue 2 of 5$", said, re.MULTILINE)
    assert told is not None, said
    assert told[1] == values["PID"]
    assert abs(time.mktime(time.strptime(told[3], "%Y-%m-%d %H:%M:%S")) - time.time()) < 600


@pytest.mark.parametrize("taken", ["before it is asked", "while it answers"])
def test_a_file_system_that_never_answers_stops_nobody_who_looks(
    taken: str, stage: Stage, need: Callable[[str, str], str]
) -> None:
    """Its server is stopped: as sshfs's is where the network is gone."""
    need("bindfs", "bindfs")
    if not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    values = printed(
        stage.run(
            "mkdir -m 777 /srv/real /mnt/hung; bindfs -f -o allow_other /srv/real /mnt/hung & echo B=$!\n"
            "while ! grep -q /mnt/hung /proc/self/mountinfo; do sleep .02; done; ls /mnt/hung"
        )
    )
    os.kill(int(values["B"]), signal.SIGSTOP)
    path = "/mnt/hung/s.sock" if taken == "before it is asked" else "/mnt/hung/a/b/s.sock"
    try:
        began = time.monotonic()
        done = stage.explain(path, "--user", "ali")
        assert time.monotonic() - began < 30
        assert "not known beyond /mnt/hung" in done.stdout.splitlines()[0], done.stdout
        assert "did not answer in time" in done.stdout
        assert done.returncode == 1
    finally:
        os.kill(int(values["B"]), signal.SIGKILL)


def test_try_says_the_kernels_word_beside_the_models(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0600; serve -- /run/open.sock mode=0666")
    for path, user, outcome in (
        ("/run/s.sock", "ali", "EACCES"),
        ("/run/s.sock", "root", "ok"),
        ("/run/open.sock", "ali", "ok"),
        ("/run/none.sock", "ali", "ENOENT"),
        ("@none", "ali", "ECONNREFUSED"),
    ):
        done = stage.explain(path, "--user", user, "--try")
        assert f"\n  tried  {outcome}, says the kernel\n" in done.stdout, done.stdout + done.stderr
        assert "  BUT " not in done.stdout
        assert done.returncode == (0 if outcome == "ok" else 1)


def test_try_stands_where_a_process_stands_and_has_what_it_has(stage: Stage) -> None:
    stage.run("printf '#!/bin/sh\\nmount -t tmpfs t /mnt; exec \"$@\"\\n' >$T/own; chmod 755 $T/own")
    server = printed(stage.run("serve unshare --mount --net $T/own -- /mnt/s.sock mode=0600; echo PID=$SERVER_PID"))
    inside = printed(stage.run(f"waiting nsenter --target {server['PID']} --mount --net"))
    powerful = printed(
        stage.run(
            f"waiting nsenter --target {server['PID']} --mount setpriv --reuid ali --regid ali --clear-groups "
            "--inh-caps=-all,+dac_override --ambient-caps=-all,+dac_override"
        )
    )
    bare = printed(stage.run(f"waiting nsenter --target {server['PID']} --mount setpriv --bounding-set=-all"))
    for process, outcome in ((inside, "ok"), (powerful, "ok"), (bare, "ok")):
        done = stage.explain("/mnt/s.sock", "--pid", process["PID"], "--try")
        assert f"\n  tried  {outcome}, says the kernel\n" in done.stdout, done.stdout + done.stderr
        assert done.stdout.splitlines()[0].endswith(f": {outcome}")
    outside = stage.explain("/mnt/s.sock", "--user", "root", "--try")
    assert "\n  tried  ENOENT, says the kernel\n" in outside.stdout


def test_try_that_differs_from_the_model_says_what_may_be_in_between(stage: Stage) -> None:
    """As if something that the model does not know of had refused; the kernel's word counts."""
    stage.run("serve -- /run/s.sock mode=0666")
    wrong = (
        "import sys, harness.live.trial as trial; from harness.cli.main import main\n"
        "trial._as_actor = lambda *_: 'EPERM'\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = stage.enter(sys.executable, "-c", wrong, "explain", "/run/s.sock", "--user", "ali", "--try")
    assert "\n  tried  EPERM, says the kernel\n  BUT    the model says ok: what may be in between is" in done.stdout
    assert done.returncode == 1


def test_without_try_nobody_is_connected_to(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0666")
    assert "queue 0 of" in stage.explain("/run/s.sock").stdout
    assert "queue 0 of" in stage.explain("/run/s.sock", "--try").stdout
    assert "queue 1 of" in stage.explain("/run/s.sock").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("/run/x", "--operation", "bind", "--try"), "--try is for connect"),
        (("/run/x", "--user", "ali", "--pid", "1"), "--user does not go with --pid"),
    ],
)
def test_what_can_not_be_tried_or_does_not_go_together_is_one_sentence(
    stage: Stage, arguments: tuple[str, ...], said: str
) -> None:
    done = stage.explain(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_default_list_on_the_directory_outlasts_the_next_bind(stage: Stage) -> None:
    values = printed(
        stage.run("mkdir /run/app; chown app /run/app; serve as app -- /run/app/s.sock umask=027; echo PID=$SERVER_PID")
    )
    said = stage.explain("/run/app/s.sock", "--user", "ali").stdout
    lasting = re.search(
        r"what lasts: a umask of the server that leaves the group's bits \(0007\), and (setfacl .*) for what is made",
        said,
        re.MULTILINE,
    )
    assert lasting is not None, said
    stage.run(f"{lasting[1]}; kill {values['PID']}; rm /run/app/s.sock; serve as app -- /run/app/s.sock umask=007")
    assert kernel(stage, " ".join(AS_ALI), "connect", "/run/app/s.sock") == "ok"


def test_names_with_control_bytes_are_quoted_so_that_the_fix_works(stage: Stage) -> None:
    name = "/srv/a\n\x1b[2J\udcff 'b'"
    make = "import os, sys; os.mkdir(sys.argv[1], 0o700); open(sys.argv[1] + '/x', 'w')"
    assert stage.enter(sys.executable, "-c", make, name).returncode == 0
    done = stage.explain(f"{name}/x", "--user", "ali", "--operation", "stat")
    assert "\x1b" not in done.stdout
    (fix,) = re.findall(r"^  fix    (setfacl .*)$", done.stdout, re.MULTILINE)
    assert fix == r"setfacl -m u:ali:x $'/srv/a\x0a\x1b[2J\xff \'b\''"
    assert stage.enter("bash", "-c", fix).returncode == 0
    look = "import os, sys; os.stat(sys.argv[1] + '/x')"
    assert stage.enter(*AS_ALI, sys.executable, "-c", look, name).returncode == 0


def test_explain_takes_no_more_than_two_seconds_among_many_processes_and_namespaces(stage: Stage) -> None:
    """500 processes in 100 network namespaces. What a busy machine adds is no property: the processor's time counts."""
    many = (
        "import ctypes, os, sys, time\n"
        "libc = ctypes.CDLL(None)\n"
        "for number in range(100):\n"
        " if os.fork() == 0:\n"
        "  assert libc.unshare(0x40000000) == 0\n"
        "  for _ in range(4):\n"
        "   if os.fork() == 0: break\n"
        "  os.write(1, b'.')\n"
        "  os.close(1)\n"
        "  time.sleep(600)\n"
        "  os._exit(0)\n"
    )
    stage.run(f'dead /run/s.sock mode=0666; "$PYTHON" -c "{many}" >$T/many; touch $T/started')
    until = time.monotonic() + 120
    while (stage.temporary / "many").stat().st_size < 500:
        assert time.monotonic() < until
        time.sleep(0.05)
    before = os.times()
    done = stage.explain("/run/s.sock", "--user", "ali")
    after = os.times()
    assert done.stdout.splitlines()[0].endswith("ECONNREFUSED at /run/s.sock"), done.stdout
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < 2


def test_one_capability_is_sight_enough_and_decides_nothing(stage: Stage) -> None:
    """As the manual says: ambient, for this one run. Whom it is asked about has it not."""
    stage.run("mkdir -p /home/ali/in; chmod 0700 /home/ali /home/ali/in; chown -R ali /home/ali")
    stage.run("serve as ali -- /home/ali/in/s")
    bob = ("setpriv", "--reuid", "bob", "--regid", "bob", "--init-groups")
    seeing = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    ask = (sys.executable, "-m", "harness", "explain", "/home/ali/in/s")
    assert first_line(stage, *bob, *ask, "--user", "ali") == "not known beyond /home/ali/in"
    assert first_line(stage, *bob, *seeing, *ask, "--user", "ali") == "ok"
    assert first_line(stage, *bob, *seeing, *ask, "--user", "app") == "EACCES at /home/ali"
    text = stage.enter(*bob, *seeing, *ask, "--user", "app").stdout
    assert "  fix    setfacl -m u:app:x /home/ali " in text
    # For itself it has the capability, which opens directories and writes to nothing.
    assert first_line(stage, *bob, *seeing, *ask) == "EACCES at /home/ali/in/s"


def test_words_without_their_option_or_dashes_are_told_where_these_belong(stage: Stage) -> None:
    for words, meant in (
        (("/run/docker.sock", "www-data"), "harness explain /run/docker.sock --user www-data"),
        (("docker", "ps"), "harness explain -- docker ps"),
        (("/usr/bin/docker", "ps"), "harness explain -- /usr/bin/docker ps"),
    ):
        said = stage.explain(*words)
        assert said.returncode == 2
        assert said.stderr.endswith(f": did you mean `{meant}`?\n")
        assert len(said.stderr.splitlines()) == 1
    assert "did you mean" not in stage.explain().stderr


def test_who_follows_a_command_of_their_own_is_told_what_they_may_do_about_an_older_session(stage: Stage) -> None:
    """runuser is root's; sg is for whoever is in the group by the user database, without logging in again."""
    stage.run("usermod -aG docker bob; serve -- /run/docker.sock mode=0660 group=docker")
    readable(stage)
    asking = "import socket; socket.socket(socket.AF_UNIX).connect('/run/docker.sock')"
    stage.run(f'printf "%s\\n" "{asking}" >$T/ask.py; chmod 644 $T/ask.py')
    done = stage.enter(*AS_BOB, "--", "/usr/bin/python3", "-ISc", asking)
    fixes = re.findall(r"^  (?:fix|or )    (.*)$", done.stderr, re.MULTILINE)
    assert fixes[0].startswith("sg docker -c COMMAND  # with the group docker (999) the answer is ok"), done.stderr
    assert not any("runuser" in fix for fix in fixes)
    command = fixes[0].partition("  # ")[0].replace("COMMAND", '"/usr/bin/python3 -IS $T/ask.py"')
    stage.run(f"setpriv --reuid bob --regid bob --clear-groups sh -c '{command}'")
