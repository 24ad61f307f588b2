"""What should happen: pure functions from a world, an attempt and a kernel's rules to a decision."""
