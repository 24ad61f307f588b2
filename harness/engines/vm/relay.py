"""Runs a command and passes its standard streams on: when its own input ends, so does the command.

A virtual machine does not care whether anybody is left at the other end of its line. The first argument is a directory
that the command needs, which goes away with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading


def _main() -> int:
    directory, *command = sys.argv[1:]
    process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    inward, outward = process.stdin, process.stdout
    assert inward is not None
    assert outward is not None

    def pass_in() -> None:
        while piece := os.read(0, 1 << 16):
            while piece:
                piece = piece[inward.write(piece) or 0 :]
        process.kill()

    threading.Thread(target=pass_in, daemon=True).start()
    while piece := os.read(outward.fileno(), 1 << 16):
        while piece:
            piece = piece[os.write(1, piece) :]
    shutil.rmtree(directory)
    return process.wait()


if __name__ == "__main__":
    sys.exit(_main())
