"""Whole worlds at random: users, nodes of every kind and attempts of every operation.

A drawn world is complete and without problems, so that any place can build it. For each user, node and attempt some
bytes are drawn, each of which picks one thing (`Dice`). What a byte picks depends on what there is by then, a parent
among the directories for example. So any user, node or attempt can be left out, and what is left is still a world; and
zeros everywhere are the plainest of all.
"""

from harness.world.drawing.dice import Dice
from harness.world.drawing.worlds import ATTEMPTS, BYTES, NODES, USERS, fit, random_world

__all__ = ["ATTEMPTS", "BYTES", "NODES", "USERS", "Dice", "fit", "random_world"]
