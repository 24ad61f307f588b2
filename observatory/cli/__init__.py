"""The `observatory` command: one module for each subcommand."""
