"""What should happen: pure functions from a world, an attempt and a kernel's rules to a decision."""

from harness.oracle.decide import decide, predict
from harness.oracle.decision import Change, Decision
from harness.oracle.grid import Grid, grid
from harness.oracle.kernels import SYSTEMS, freebsd, linux, netbsd, openbsd, rules_of, xnu
from harness.oracle.reasons import (
    closed_to_others,
    deleted,
    mounted_again,
    mounted_anew,
    out_of_reach_through_fuse,
    quoted,
    replaced,
)
from harness.oracle.remedy import with_words
from harness.oracle.rules import Layer, Rules

__all__ = [
    "SYSTEMS",
    "Change",
    "Decision",
    "Grid",
    "Layer",
    "Rules",
    "closed_to_others",
    "decide",
    "deleted",
    "freebsd",
    "grid",
    "linux",
    "mounted_again",
    "mounted_anew",
    "netbsd",
    "openbsd",
    "out_of_reach_through_fuse",
    "predict",
    "quoted",
    "replaced",
    "rules_of",
    "with_words",
    "xnu",
]
