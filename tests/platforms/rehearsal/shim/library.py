"""The C library without what Linux's alone has, and with addresses of sockets in BSD's form."""

from rehearsal import system

LINUX_ALONE = {
    "prctl", "mount", "umount", "umount2", "capget", "capset", "setns", "unshare", "pivot_root", "syscall", "setresuid",
    "setresgid", "epoll_create", "epoll_create1", "eventfd", "inotify_init", "inotify_init1", "signalfd", "timerfd_create",
    "setxattr", "lsetxattr", "fsetxattr", "getxattr", "personality", "memfd_create", "pidfd_open", "accept4", "gettid",
    "getrandom", "sendfile64", "fanotify_init", "renameat2", "statx",
}  # fmt: skip
SETRES = {"setresuid", "setresgid"}
"""Which FreeBSD and OpenBSD have."""


def change(ctypes):
    """Have it so."""
    Real = ctypes.CDLL
    absent = LINUX_ALONE - (SETRES if system() in {"freebsd", "openbsd"} else set())

    class Library(Real):
        def __getattr__(self, name):
            if name in absent:
                raise AttributeError(f"dlsym(RTLD_DEFAULT, {name}): symbol not found")
            if system() != "win32" and name in {"connect", "bind"}:
                from rehearsal import sockets

                return sockets.raw(ctypes, Real.__getattr__(self, name), name)
            if system() == "darwin" and name == "renamex_np":
                rename = Real.__getattr__(self, "renameat2")  # with RENAME_NOREPLACE, which is 1, at AT_FDCWD
                return lambda source, target, flags: rename(-100, source, -100, target, {4: 1}[flags.value])
            if system() == "darwin" and name == "getgroups":
                return _getgroups(ctypes)
            return Real.__getattr__(self, name)

    Library.__name__ = "CDLL"
    ctypes.CDLL = Library
    ctypes.pythonapi.__class__ = Real


def _getgroups(ctypes):
    def getgroups(size, array):
        from rehearsal import ids

        groups = ids.kernels()
        if size:
            for number, group in enumerate(groups[:size]):
                array[number] = group
        return len(groups)

    return getgroups
