"""What each operation checks, one function a check. The order of the checks is `Rules.steps`.

A step looks at the attempt in progress, raises `Refused` or notes what it found. Only the last step of an operation
has an effect, which is another file system; but what is made to be opened stays where that is refused.
"""

from typing import get_args

from harness.oracle.rules import StepName
from harness.oracle.steps import (
    confinement,
    making,
    moving,
    opening,
    policies,
    profiles,
    removing,
    sockets,
    things,
    way,
)
from harness.oracle.steps.trial import STEPS, Trial

__all__ = [
    "STEPS",
    "Trial",
    "confinement",
    "making",
    "moving",
    "opening",
    "policies",
    "profiles",
    "removing",
    "sockets",
    "things",
    "way",
]

assert STEPS.keys() == set(get_args(StepName)), "each name has a step, and each step a name"
