"""What should happen: pure functions from a world, an attempt and a kernel's rules to a decision."""

from harness.oracle.decide import decide, predict
from harness.oracle.decision import Change, Decision
from harness.oracle.rules import Rules, linux

__all__ = ["Change", "Decision", "Rules", "decide", "linux", "predict"]
