"""What Claude Code writes down of its sessions, as far as the reader's own rights reach: never read by the server."""
