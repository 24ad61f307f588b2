"""Alice's servers, each a fork of a process that has imported observatory, run inside a place."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys


def main(environment: dict[str, str], imported: list[str]) -> None:
    """For each line of arguments on standard input, a server until the next line; its exit status is told then."""
    os.environ.update(environment)
    sys.path[:0] = environment["PYTHONPATH"].split(":")
    sys.dont_write_bytecode = True
    command = importlib.import_module("observatory.cli.main").main
    for name in imported:
        importlib.import_module(name)
    print(json.dumps({"imported": True}), flush=True)
    for line in sys.stdin:
        server = os.fork()
        if server == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            status = command(json.loads(line))
            sys.stdout.flush()
            os._exit(status)
        sys.stdin.readline()
        os.kill(server, signal.SIGTERM)
        ended = os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])
        print(json.dumps({"ended": ended}), flush=True)
