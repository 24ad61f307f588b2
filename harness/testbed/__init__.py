"""A subject running among its users, and who acts there."""
