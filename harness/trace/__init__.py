"""Following a command's system calls on sockets by ptrace(2), as far as they fail. Linux; standard library only."""
