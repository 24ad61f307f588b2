"""A process that carries out orders, each in a child: so a program costs a fork and not the start of an interpreter.

Each line on standard input is a `PersonalOrder`, which brings what modules it needs and were not there yet. A child
becomes that person and calls the program, and a line, `Carried`, answers.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING

from harness.inside import loader
from harness.inside.principal import become

if TYPE_CHECKING:
    from harness.inside.messages import Carried, PersonalOrder


def main() -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin:
        order: PersonalOrder = json.loads(line)
        loader.sent.add(order["sources"])
        importlib.import_module(order["program"])  # here, so that it is imported once
        hear, say = os.pipe()
        complain, complaint = os.pipe()
        pid = os.fork()
        if pid == 0:
            _carry_out(order, say, complaint)
        os.close(say)
        os.close(complaint)
        with os.fdopen(hear) as output, os.fdopen(complain) as error:
            said, complained = output.read(), error.read()
        _, status = os.waitpid(pid, 0)
        carried: Carried = {"status": status, "output": said, "error": complained}
        print(json.dumps(carried), flush=True)


def _carry_out(order: PersonalOrder, output: int, error: int) -> None:
    status = 1
    try:
        nowhere = os.open("/dev/null", os.O_RDONLY)
        for number, descriptor in enumerate((nowhere, output, error)):
            os.dup2(descriptor, number)
        os.closerange(3, 64)
        if order["person"] is not None:
            become(order["person"])
        importlib.import_module(order["program"]).main(**order["arguments"])
        sys.stdout.flush()
        status = 0
    except BaseException as failure:
        os.write(2, f"{type(failure).__name__}: {failure}".encode())
    finally:
        os._exit(status)
