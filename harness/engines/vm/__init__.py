"""The vm engine: a machine of its own for each place, with a kernel of another year."""
