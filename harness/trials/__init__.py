"""Attempts made, predicted and judged: one run, sweeps over many worlds, and the parts of several machines."""
