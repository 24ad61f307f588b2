"""A program that says who it is and what it was given, run inside a place."""

from __future__ import annotations

import json
import os
import socket
import sys

from harness.inside.credentials import of_this_process


def main(word: str) -> None:
    """Print it as JSON, when the input has ended. Raises ValueError for a word in capitals."""
    if word.isupper():
        raise ValueError(f"{word} is too loud")
    near, far = socket.socketpair()
    far.close()
    try:
        near.send(word.encode())
        hung_up = None
    except OSError as error:
        hung_up = type(error).__name__
    said = {
        **of_this_process(),
        "directory": os.getcwd(),
        "environment": sorted(os.environ),
        "word": word,
        "input": sys.stdin.read(),
        "hung up": hung_up,
    }
    print(json.dumps(said))
