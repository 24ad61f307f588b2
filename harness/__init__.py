"""Worlds of real users, groups, directories and sockets, in which access is attempted and judged."""
