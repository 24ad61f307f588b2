"""Claude Code sessions: what each is doing, which processes it is, and what of that outlives the server."""
