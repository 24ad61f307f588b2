"""Each layer's answer: passed, refused or not looked at; and never `ok` alone while one that holds was not asked."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from harness.inside.libc import LIBC
from harness.live import apparmor, landlock, layers, other_modules, selinux
from harness.live.accounts import FileAccounts
from harness.live.actor import Actor
from harness.live.confinement import Filtered
from harness.live.judgement import Judgement, find
from harness.live.obstacle import Obstacle
from harness.live.process import RunningProcess
from harness.live.scene import Scene
from harness.oracle import Layer
from harness.report.explanation import explain
from harness.report.explanation_json import explanation_object
from harness.report.text import plain
from harness.world import Attempt, Confinement, Node, Operation, Principal, User, World, complete

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_PROCESS = 2**22 + 7
"""No process has a pid above PID_MAX_LIMIT."""
OPEN = (Node("/run", "directory"), Node("/run/s", "socket", mode=0o777))
WAY = ("/", "/run", "/run/s")
MODULES = ("selinux", "apparmor", "tomoyo", "smack", "bpf")


class Kernel:
    """What a kernel tells of its modules, and of the labels of processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.has()
        self.landlock(0)

    def has(self, *modules: str) -> None:
        self._patch.setattr(layers, "active_modules", lambda: frozenset(modules))

    def landlock(self, abi: int, *, may_be_held: bool = False) -> None:
        self._patch.setattr(landlock, "landlock_abi", lambda: abi)
        self._patch.setattr(landlock, "_may_be_held", lambda _pid: may_be_held)

    def label(self, label: str | None) -> None:
        self._patch.setattr(apparmor, "enforced_label", lambda _pid: label)

    def selinux(self, *, enforcing: bool) -> None:
        self._patch.setattr(selinux, "enforcing", lambda: enforcing)

    def programs(self, number: int | None) -> None:
        self._patch.setattr(other_modules, "lsm_programs", lambda: number)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    if sys.platform != "linux":
        pytest.skip("security modules are Linux's")
    return Kernel(monkeypatch)


def actor(*, process: bool = True, filtered: Filtered | None = None) -> Actor:
    principal = Principal(1000, 1000)
    everything = (range(2**32),)
    running = RunningProcess(NO_PROCESS, "app", principal, "/", everything, everything) if process else None
    return Actor("ali", principal, FileAccounts((), {}), None, running, filtered=filtered or Filtered())


def scene(
    nodes: Sequence[Node] = OPEN,
    operation: Operation = "connect",
    path: str = "/run/s",
    hidden: str | None = None,
    confined: Confinement | None = None,
) -> Scene:
    world = complete(World("w", users=(User("ali", 1000, 1000, confined=confined),), nodes=tuple(nodes)))
    return Scene(
        world,
        Attempt("ali", operation, path, mode=0o700 if operation == "chmod" else None),
        hidden,
        None,
        (),
        frozenset(),
        way=WAY,
    )


def states(judgement: Judgement) -> dict[Layer, str]:
    return {one.layer: one.state for one in judgement.layers}


def headline(who: Actor, here: Scene, judgement: Judgement) -> str:
    return plain(explain(who, here, judgement)).splitlines()[0]


def test_where_nothing_refuses_each_layer_has_passed_and_ok_is_ok(kernel: Kernel) -> None:
    kernel.has()
    who, here = actor(), scene()
    judgement = find(who, here)
    assert set(states(judgement).values()) == {"passed"}
    assert headline(who, here, judgement).endswith("connect /run/s: ok")
    assert judgement.allowed


def test_no_module_is_asked_on_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert layers.ask(actor(), scene()) == ()


@pytest.mark.parametrize(
    ("here", "refusing"),
    [
        (scene((Node("/run", "directory", mode=0o700), OPEN[1])), {"path": "refused"}),
        (scene((OPEN[0], replace(OPEN[1], state="stale"))), {"socket": "refused"}),
        (scene((OPEN[0], replace(OPEN[1], mode=0o700, state="stale"))), {"path": "refused", "socket": "refused"}),
        (scene(OPEN[:1]), {"path": "refused", "socket": "not looked at"}),
        (
            scene((Node("/run", "directory", mode=0o700), OPEN[1]), confined=Confinement((("connect", "EPERM"),))),
            {"seccomp": "refused", "path": "refused"},
        ),
        (
            replace(scene(), obstacles=(Obstacle("/run/s", "EPERM", "it is immutable", layer="inode flags"),)),
            {"inode flags": "refused"},
        ),
        (replace(scene(), unknown="nobody knows"), {"socket": "not looked at"}),
        (
            scene(OPEN[:1], hidden="/run/s"),
            {"path": "not looked at", "inode flags": "not looked at", "socket": "not looked at"},
        ),
        (
            replace(scene(), obstacles=(Obstacle("/run", None, "its server decides"),)),
            {"path": "not looked at", "inode flags": "not looked at", "socket": "not looked at"},
        ),
    ],
)
def test_each_layer_answers_for_itself(kernel: Kernel, here: Scene, refusing: dict[Layer, str]) -> None:
    kernel.has()
    found = states(find(actor(), here))
    own: tuple[Layer, ...] = ("seccomp", "path", "inode flags", "socket")
    assert {layer: found[layer] for layer in own} == dict.fromkeys(own, "passed") | refusing


@pytest.mark.parametrize("module", ["selinux", "apparmor", "smack"])
@pytest.mark.parametrize("label", ["app (enforce)", None])
def test_a_module_that_holds_a_process_and_was_not_asked_leaves_the_answer_open(
    kernel: Kernel, module: str, label: str | None
) -> None:
    kernel.has(module)
    kernel.label(label)
    kernel.selinux(enforcing=True)
    who, here = actor(), scene()
    judgement = find(who, here)
    name = {"selinux": "SELinux", "apparmor": "AppArmor", "smack": "other modules"}[module]
    assert headline(who, here, judgement).endswith(f"ok but for {name}, not looked at")
    assert not judgement.allowed
    (state,) = judgement.left_open
    assert state.why
    assert state.look


@pytest.mark.parametrize("module", ["apparmor", "selinux"])
def test_unconfined_complaining_and_permissive_are_not_cried_at(kernel: Kernel, module: str) -> None:
    kernel.has(module)
    kernel.label("")
    kernel.selinux(enforcing=False)
    judgement = find(actor(), scene())
    assert judgement.allowed
    assert judgement.notes == ()


def test_a_domain_that_may_be_there_leaves_open_what_it_may_refuse_and_nothing_else(kernel: Kernel) -> None:
    def answer(abi: int, operation: Operation, path: str, *, held: bool = True, process: bool = True) -> str:
        kernel.landlock(abi, may_be_held=held)
        return states(find(actor(process=process), scene(operation=operation, path=path)))["Landlock"]

    assert answer(8, "connect", "/run/s") == "passed"
    assert answer(9, "connect", "/run/s") == "not looked at"
    assert answer(9, "connect", "/run/s", held=False) == "passed"
    assert answer(9, "connect", "/run/s", process=False) == "passed"
    assert answer(5, "connect", "@name") == "passed"
    assert answer(6, "connect", "@name") == "not looked at"
    assert answer(1, "bind", "/run/new") == "not looked at"
    assert answer(1, "bind", "@new") == "passed"
    assert answer(1, "chmod", "/run/s") == "passed"
    assert answer(1, "mkdir", "/run/new") == "not looked at"
    assert answer(2, "truncate", "/run/s") == "passed"
    assert answer(3, "truncate", "/run/s") == "not looked at"


def test_programs_that_root_attached_leave_it_open_and_that_nobody_tells_of_any_does_not(kernel: Kernel) -> None:
    kernel.has("bpf")
    for programs, allowed, state in ((0, True, "passed"), (None, True, "not looked at"), (2, False, "not looked at")):
        kernel.programs(programs)
        judgement = find(actor(), scene())
        assert (judgement.allowed, states(judgement)["other modules"]) == (allowed, state)


def test_what_may_be_refused_by_a_filter_is_told_once(kernel: Kernel) -> None:
    kernel.has()
    doubt = "a filter may refuse that"
    who, here = actor(filtered=Filtered(unknown=(("connect", doubt),))), scene()
    judgement = find(who, here)
    assert states(judgement)["seccomp"] == "not looked at"
    text = plain(explain(who, here, judgement))
    assert text.count(doubt) == 1
    assert text.splitlines()[0].endswith("not known at /run/s")


def test_a_filter_that_was_not_asked_about_an_operation_is_not_green(kernel: Kernel) -> None:
    kernel.has()
    here = scene(operation="stat")
    judgement = find(actor(filtered=Filtered(any=True)), here)
    assert states(judgement)["seccomp"] == "not looked at"
    assert not judgement.allowed
    assert find(actor(), here).allowed


def test_the_table_has_every_layer_in_the_kernels_order(kernel: Kernel) -> None:
    kernel.has(*MODULES)
    kernel.programs(0)
    kernel.landlock(9)
    assert tuple(states(find(actor(), scene()))) == layers.ORDER
    assert tuple(states(find(actor(), scene(operation="bind", path="/run/new")))) == layers.ORDER_OF_NAMES
    assert set(layers.ORDER) == set(get_args(Layer))
    assert set(layers.ORDER_OF_NAMES) == set(get_args(Layer)) - {"socket"}
    named = tuple(states(find(actor(), scene(path="@name"))))
    assert named == tuple(layer for layer in layers.ORDER if layer not in {"path", "inode flags"})


def test_the_table_is_shown_and_said_to_programs(kernel: Kernel) -> None:
    kernel.has("apparmor")
    kernel.label("app (enforce)")
    who, here = actor(), scene((OPEN[0], replace(OPEN[1], mode=0o700)))
    judgement = find(who, here)
    text = plain(explain(who, here, judgement))
    assert "  layer  path           refused: EACCES at /run/s\n" in text
    assert "  layer  AppArmor       not looked at: the profile app holds it: the kernel does not answer" in text
    assert "  layer  not active in this kernel: SELinux, Landlock\n" in text
    assert "  layer" not in plain(explain(who, here, judgement, tabled=False))
    said = explanation_object(who, here, judgement, None)
    assert (said["outcome"], said["at"], said["layer"], said["allowed"]) == ("EACCES", "/run/s", "path", False)
    rows = said["layers"]
    assert isinstance(rows, list)
    assert [(row["layer"], row["state"]) for row in rows] == list(states(judgement).items())
    assert all(row["look"] for row in rows if row["state"] == "not looked at" and row["layer"] != "socket")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="root alone is told of BPF programs on Linux")
def test_programs_are_told_apart_by_their_type() -> None:
    before = other_modules.lsm_programs()
    if before is None:
        pytest.skip("the root of this place is not told of BPF programs")
    code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)  # r0 = 0; exit
    licence = b"GPL\0"
    held = [ctypes.create_string_buffer(text, len(text)) for text in (code, licence)]
    request = struct.pack("=IIQQ", 1, 2, *map(ctypes.addressof, held)).ljust(120, b"\0")  # BPF_PROG_TYPE_SOCKET_FILTER
    number = other_modules.BPF_CALL[platform.machine()]
    program = LIBC.syscall(number, 5, ctypes.create_string_buffer(request, len(request)), len(request))  # BPF_PROG_LOAD
    assert program >= 0, os.strerror(ctypes.get_errno())
    try:
        text = Path(f"/proc/self/fdinfo/{program}").read_text(encoding="ascii")
        (which,) = (int(line.split()[1]) for line in text.splitlines() if line.startswith("prog_id:"))
        assert other_modules.program_type(which) == 1
        assert other_modules.lsm_programs() == before
    finally:
        os.close(program)
    assert other_modules.program_type(which) == 0
