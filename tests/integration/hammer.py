"""A stranger who tries to connect without pause, run inside a place."""

from __future__ import annotations

import select
import socket
import sys


def main(path: str) -> None:
    """Try until a line comes on standard input, or until it gets in once. Says that it was refused for the first time,
    and that it got in.
    """
    print("hammering", flush=True)
    attempts = refused = 0
    while attempts % 64 or not select.select([sys.stdin], [], [], 0)[0]:
        attempts += 1
        with socket.socket(socket.AF_UNIX) as peer:
            try:
                peer.connect(path)
            except PermissionError:
                refused += 1
                if refused == 1:
                    print("refused", flush=True)
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            else:
                print(f"in after {attempts} attempts", flush=True)
                break
    print(f"{attempts} attempts, {refused} refused", flush=True)
