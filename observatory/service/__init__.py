"""The loop: a turn accepts, reads, commits once, then answers everyone of that turn."""
