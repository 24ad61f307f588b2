"""Every subcommand of both programs, with something wrong and something right to give it.

The test of the matrix goes through it, and `tests/unit/test_release.py` compares it with the programs' own tables.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial

NAMESPACE = ("--engine", "namespace")
SWEEP = (*NAMESPACE, "--shard", "1/512", "--worlds", "1")
LISTEN = """
import os, socket, sys
os.umask(0o117)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    listener.accept()
"""
SERVER = ("python3", "-c", LISTEN, "{socket}")
FULL_SCREEN = "\x1b[?1049h"
"""What a program says to a terminal whose whole screen it takes."""


@dataclass(frozen=True)
class Command:
    """A subcommand: the library that it needs beyond the core's, what is wrong and right for it, and how it then ends.

    `nothing` is how it ends when it is given nothing, or else `least`; `stays` is what it says when it is there to
    stay; `asks` is whether it is for a server that runs, `after` whether for a database that a server has left, and
    `terminal` whether the right thing is done on a terminal.
    """

    program: str
    name: str
    needs: str = ""
    _: KW_ONLY
    nothing: tuple[int, ...] = (0,)
    wrong: tuple[str, ...] = ("--nonsense",)
    right: tuple[str, ...] = ()
    ends: tuple[int, ...] = (0,)
    stays: str = ""
    least: tuple[str, ...] = ()
    asks: bool = False
    after: bool = False
    terminal: bool = False

    def __str__(self) -> str:
        return "-".join(word for word in (self.program, self.name, self.needs) if word)


observatory = partial(Command, "observatory")
harness = partial(Command, "harness")
ENDED = (-15,)
"""By SIGTERM, as by any other command's default."""
DATABASE = ("--database", "{home}/db")
NO_TIME = ("--since", "yesterdays")
COMMANDS = (
    observatory("serve", right=DATABASE, stays="listening on"),
    observatory("serve", "yaml", right=(*DATABASE, "--pretty-yaml"), stays="listening on"),
    observatory("serve", "pygments", right=(*DATABASE, "--pretty-json"), stays="listening on", terminal=True),
    observatory("events", wrong=NO_TIME, right=("--json",), asks=True),
    observatory("files", wrong=NO_TIME, right=("--diff",), asks=True),
    observatory("commands", wrong=NO_TIME, right=("--json",), asks=True),
    observatory("failures", wrong=NO_TIME, right=("--json",), asks=True),
    observatory("durations", wrong=NO_TIME, right=("--json",), asks=True),
    observatory("sql", nothing=(2,), wrong=("select",), right=("select count(*) from events",), asks=True),
    observatory("export", nothing=(2,), wrong=("--format", "xml"), right=("--format", "csv"), asks=True),
    observatory("export", "pyarrow", nothing=(2,), right=("--format", "parquet"), asks=True),
    observatory("sessions", right=("--json",), asks=True),
    observatory("cost", wrong=("--by", "hour"), right=("--by", "day", "--json"), asks=True),
    observatory("watch", "textual", nothing=(2,), ends=ENDED, stays=FULL_SCREEN, asks=True, terminal=True),
    observatory("web", "starlette", wrong=("--port", "none"), stays="http://127.0.0.1:", asks=True),
    observatory("notify", nothing=ENDED, wrong=("--on", "w"), ends=ENDED, stays="from now on", asks=True),
    observatory("forward", "nats", nothing=(2,), right=("--to", "nats://127.0.0.1:1", "--once"), asks=True),
    observatory(
        "forward", "opentelemetry", nothing=(2,), right=("--to", "otlp+http://127.0.0.1:1", "--once"), asks=True
    ),
    observatory("whoami", right=("--json",), asks=True),
    observatory("doctor", nothing=(0, 1), right=("--json",), ends=(0, 1), asks=True),
    observatory("install-hooks", nothing=(2,), right=("--global", "--dry-run")),
    observatory("uninstall-hooks", nothing=(2,), right=("--global", "--dry-run")),
    observatory("compact", nothing=(1,), wrong=("--database", "/dev/null"), right=DATABASE, after=True),
    observatory("completion", nothing=(2,), wrong=("ash",), right=("fish",)),
    harness("run", "rich", nothing=(2,), wrong=("no-such-world",), right=("home-0750", *NAMESPACE)),
    harness("run", "docker", nothing=(2,), right=("home-0750", "--engine", "docker"), ends=(0, 69)),
    harness("check", "rich", wrong=("no-such-server",), right=(*NAMESPACE, "--only", "mode", "--", *SERVER)),
    harness("check", "uv", right=(*NAMESPACE, "--only", "mode", "observatory")),
    harness("scenarios", "rich"),
    harness("explain", nothing=(2,), wrong=("/", "--uid", "x"), right=("{home}/s", "--user", "root"), asks=True),
    harness("explain", nothing=(2,), wrong=("--", "/no/such/program"), right=("--", "true")),
    harness("watch", nothing=(2,), wrong=("@",), right=("{home}/s",), stays="watching"),
    harness("capture", "tomlkit", nothing=(2,), wrong=("/",), right=("{home}/s", "-o", "{home}/world.toml"), asks=True),
    harness("shell", nothing=(2,), wrong=("home-0750",), right=("home-0750", "--as", "ali", *NAMESPACE)),
    # All of a sweep takes a minute.
    harness("sweep", "rich", wrong=("--worlds", "x"), right=SWEEP, least=SWEEP),
    harness("merge", nothing=(2,), wrong=("/nowhere",), right=("{home}/sweep.jsonl",)),
    harness("images", "docker", nothing=(0, 69), wrong=("sarge",), ends=(0, 69)),
    harness("completion", nothing=(2,), wrong=("ash",), right=("zsh",)),
)
