"""Run a command on a terminal of its own, and hand over what is typed and what it shows. Standard library only.

`python3 terminal.py COMMAND ...`: standard input is the keyboard, standard output the screen.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios

SIZE = struct.pack("HHHH", 40, 120, 0, 0)


def main() -> None:
    """Until the command closes its terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, SIZE)
    print(child, flush=True)
    sources = [terminal, 0]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if terminal in ready:
            try:
                shown = os.read(terminal, 65536)
            except OSError:  # EIO: nobody has it open any more
                return
            os.write(1, shown)
        if 0 in ready:
            typed = os.read(0, 4096)
            if typed:
                os.write(terminal, typed)
            else:
                sources.remove(0)


if __name__ == "__main__":
    main()
