"""What recorded events say of files, of failures, of commands and of time."""
