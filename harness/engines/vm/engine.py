"""The vm engine: a virtual machine for each place, to try the kernels of other years. Its images are kernels.

qemu boots one of Debian's kernels with a file system in memory; the agent is the machine's first process and speaks
over a serial line. All is emulated, which is slow and works everywhere, also where KVM doesn't: the kernel is the same.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from harness.engines import bundle, leftovers
from harness.engines.agent_connection import AgentConnection
from harness.engines.attached import AttachedPlace
from harness.engines.mount_option import parse
from harness.engines.pipes import Pipes
from harness.engines.protocol import Interpreter, PlaceError
from harness.engines.vm.kernels import chosen, kernel, tools, tree_archive, userland
from harness.inside.agent.init import HERE

if TYPE_CHECKING:
    from collections.abc import Sequence

QEMU = "qemu-system-x86_64"
MACHINE = (
    *("-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024"),
    *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"),
)
KERNEL_OPTIONS = "console=ttyS1 quiet panic=-1 mitigations=off nokaslr tsc=reliable cryptomgr.notests"
"""The kernel's messages go to the second line; when the agent ends the machine is to end, not to stand still.

What takes long under emulation and proves nothing here is left out (the kernel's kernel-parameters.txt).
"""
PATIENCE = 180.0
"""Seconds for a machine to boot, where it is emulated on a busy one."""
SLOWNESS = 12.0
"""How much longer than elsewhere to wait for a process of an emulated machine: a program takes ten times as long."""


class VmEngine:
    """Places in virtual machines of this machine's own architecture."""

    name = "vm"

    def available(self) -> str | None:
        """`None` if this works here, else what to install."""
        if shutil.which(QEMU) is None:
            return f"the vm engine needs {QEMU}: install qemu-system-x86"
        return None

    def image_with(self, suite: str, packages: Sequence[str]) -> str | None:
        """None: a machine has the packages that it was made with."""
        del suite, packages
        return None

    def interpreter(self, image: str | None = None) -> Interpreter:
        """The Python in every machine: Debian bookworm's."""
        del image
        return Interpreter("3.11", "x86_64-manylinux_2_28")

    def open(self, *, image: str | None = None, mounts: Sequence[str] = ()) -> AttachedPlace:
        """Boot a machine. Raises PlaceError with a sentence.

        `image` names the Debian release whose kernel it has, and behind a colon the security modules that it asks.
        """
        brought = [parse(mount) for mount in mounts]
        suite, modules = chosen(image or "bookworm")
        trees = [tree_archive(mount.source, mount.target) for mount in brought]
        archives = [userland(), *([tools()] if {"apparmor", "selinux"} & set(modules) else [])]
        machine = Machine(kernel(suite), archives, trees, modules)
        agent = bundle.delivery("harness.inside.agent.main")
        try:
            machine.wait_until_it_is_there()
            connection = AgentConnection(machine, agent, patience=PATIENCE, slowness=SLOWNESS)
        except BaseException:
            machine.close()
            raise
        return AttachedPlace(self.name, connection)


class Machine(Pipes):
    """A virtual machine's first serial line as a `harness.engines.agent_connection.Transport`."""

    def __init__(
        self, vmlinuz: Path, archives: Sequence[Path], trees: Sequence[bytes], modules: Sequence[str] = ()
    ) -> None:
        self._claim = leftovers.make_directory("harness-vm-")
        directory = Path(self._claim.which)
        initrd = directory / "initrd"
        with initrd.open("wb") as file:
            for archive in archives:
                with archive.open("rb") as part:
                    shutil.copyfileobj(part, file)
            for tree in trees:
                file.write(tree)
        log = directory / "log"
        log.touch()
        self._log = log.open("rb")  # held, for it is asked when the machine has ended and its directory is gone
        options = f"{KERNEL_OPTIONS} lsm={','.join(modules)}" if modules else KERNEL_OPTIONS
        super().__init__(
            [
                *(sys.executable, "-I", str(Path(__file__).with_name("relay.py")), str(directory)),
                *(QEMU, *MACHINE, "-kernel", str(vmlinuz), "-initrd", str(initrd), "-append", options),
                *("-chardev", "stdio,id=agent,signal=off", "-serial", "chardev:agent", "-serial", f"file:{log}"),
            ],
            [self._claim.lock.fileno()],
        )

    def wait_until_it_is_there(self) -> None:
        """Until the first process listens. Raises PlaceError with the kernel's last words if it doesn't come."""
        until = monotonic() + PATIENCE
        while select.select([self.output], [], [], max(0.0, until - monotonic()))[0]:
            piece = os.read(self.output, 1)
            if piece == HERE:
                return
            if not piece:
                raise PlaceError(f"the virtual machine ended while it booted: {self._last_words()}")
        raise PlaceError(f"the virtual machine did not boot within {PATIENCE:.0f} s: {self._last_words()}")

    def close(self) -> None:
        """End the machine and forget it."""
        super().close()
        leftovers.remove(self._claim)
        self._log.close()

    def diagnosis(self) -> str:
        """What qemu said, or else the kernel."""
        return super().diagnosis().strip() or self._last_words()

    def _last_words(self) -> str:
        said = os.pread(self._log.fileno(), 1 << 16, max(0, os.fstat(self._log.fileno()).st_size - 4096))
        return (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
