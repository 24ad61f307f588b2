"""The C library without what Linux's alone has, and with addresses of sockets in BSD's form."""

from rehearsal import system

LINUX_ALONE = frozenset(
    [
        "accept4",
        "capget",
        "capset",
        "epoll_create",
        "epoll_create1",
        "eventfd",
        "fanotify_init",
        "fsetxattr",
        "getrandom",
        "gettid",
        "getxattr",
        "inotify_init",
        "inotify_init1",
        "lsetxattr",
        "memfd_create",
        "mount",
        "personality",
        "pidfd_open",
        "pivot_root",
        "prctl",
        "renameat2",
        "sendfile64",
        "setns",
        "setresgid",
        "setresuid",
        "setxattr",
        "signalfd",
        "statx",
        "syscall",
        "timerfd_create",
        "umount",
        "umount2",
        "unshare",
    ]
)
SETRES = {"setresuid", "setresgid"}
"""Which FreeBSD and OpenBSD have."""


ESRCH = 3
"""What launch_activate_socket(3) says to a process that is no job of launchd's."""


def change(ctypes):
    """Have it so."""
    real = ctypes.CDLL
    absent = LINUX_ALONE - (SETRES if system() in {"freebsd", "openbsd"} else set())

    class Library(real):
        def __getattr__(self, name):
            if name in absent:
                raise AttributeError(f"dlsym(RTLD_DEFAULT, {name}): symbol not found")
            if system() != "win32" and name in {"connect", "bind"}:
                from rehearsal import sockets

                return sockets.raw(ctypes, self[name], name)
            if system() == "darwin" and name == "renamex_np":
                rename = self["renameat2"]  # with RENAME_NOREPLACE, which is 1, at AT_FDCWD
                return lambda source, target, flags: rename(-100, source, -100, target, {4: 1}[flags.value])
            if system() == "darwin" and name == "launch_activate_socket":
                return lambda _name, _numbers, _count: ESRCH
            if system() == "darwin" and name in {"proc_pidinfo", "proc_pidpath"}:
                from rehearsal import processes

                return getattr(processes, name)
            if system() == "freebsd" and name == "sysctl":
                from rehearsal import processes

                return processes.sysctl
            if name == "sysctlbyname":
                return _sysctlbyname
            if system() == "darwin" and name == "fcopyfile":
                return _fcopyfile
            if system() == "darwin" and name == "getgroups":
                return _getgroups(ctypes)
            return real.__getattr__(self, name)

    Library.__name__ = "CDLL"
    ctypes.CDLL = Library
    ctypes.pythonapi.__class__ = real


def _sysctlbyname(name, found, _size, _new, _length):
    """The few settings that are asked for."""
    if name != b"kern.maxfilesperproc":
        return -1
    found._obj.value = 10240
    return 0


def _fcopyfile(source, target, _state, _flags):
    """ACLs and attributes, both of which Linux has as attributes."""
    from rehearsal import KEPT

    for name in KEPT["listxattr"](source):
        KEPT["setxattr"](target, name, KEPT["getxattr"](source, name))
    return 0


def _getgroups(ctypes):
    def getgroups(size, array):
        from rehearsal import ids

        groups = ids.KERNELS[0]()
        if size:
            for number, group in enumerate(groups[:size]):
                array[number] = group
        return len(groups)

    return getgroups
