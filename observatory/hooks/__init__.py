"""Claude Code's hooks: which events there are, the command that reports one, and the settings that hold it."""
