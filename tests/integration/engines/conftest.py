"""Places with nothing brought in: what the engines give by themselves."""

from __future__ import annotations

from tests.helpers.places import place_fixture

place = place_fixture(scope="package")
