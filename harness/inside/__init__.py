"""What runs in a place: the standard library alone, Python 3.9 or newer, and nothing of the rest of the harness."""
