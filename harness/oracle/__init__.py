"""What should happen: pure functions from a world, an attempt and a kernel's rules to a decision."""

from harness.oracle.decide import decide, predict
from harness.oracle.decision import Change, Decision
from harness.oracle.grid import Grid, grid
from harness.oracle.reasons import quoted
from harness.oracle.rules import SYSTEMS, Rules, freebsd, linux, netbsd, openbsd, rules_of, xnu

__all__ = [
    "SYSTEMS",
    "Change",
    "Decision",
    "Grid",
    "Rules",
    "decide",
    "freebsd",
    "grid",
    "linux",
    "netbsd",
    "openbsd",
    "predict",
    "quoted",
    "rules_of",
    "xnu",
]
