"""Capabilities by their numbers."""

from __future__ import annotations

from harness.inside.capabilities import CAPABILITIES


def test_capabilities_have_the_numbers_of_the_kernel_s_header() -> None:
    """linux/capability.h, at both ends and where the numbers cross 32."""
    for name, number in (("CHOWN", 0), ("DAC_READ_SEARCH", 2), ("SYS_ADMIN", 21), ("MAC_OVERRIDE", 32)):
        assert CAPABILITIES[f"CAP_{name}"] == number
    assert CAPABILITIES["CAP_CHECKPOINT_RESTORE"] == 40
