"""A place into which the harness itself has been brought, so that `harness explain` can look around in it."""

from __future__ import annotations

from tests.helpers.harness_command import MOUNTS
from tests.helpers.places import place_fixture

place = place_fixture(*MOUNTS)
