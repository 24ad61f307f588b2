"""Groups on a kernel of BSD's line: the first of a process's groups *is* its effective gid, and there are 16 at most.

XNU: bsd/kern/kern_prot.c, `setgroups1`, `getgroups`. FreeBSD before 15: sys/kern/kern_prot.c, `kern_setgroups`.
OpenBSD's and NetBSD's supplementary groups stand apart from the effective gid (sys/sys/ucred.h, kern_auth.c).
"""

import errno

from rehearsal import system

NGROUPS = 16
KERNELS = []
"""getgroups(2) itself, once it is known."""


def change(posix):
    """Have it so."""
    if system() not in {"darwin", "freebsd"}:
        return
    setgroups, getgroups, setegid, getegid = posix.setgroups, posix.getgroups, posix.setegid, posix.getegid

    def bsd_setgroups(groups, /):
        groups = list(groups)
        if len(groups) > NGROUPS:
            raise OSError(errno.EINVAL, "Invalid argument")
        setgroups(groups[1:])
        setegid(groups[0] if groups else 0)

    def kernel_groups():
        return list(dict.fromkeys([getegid(), *getgroups()]))

    def directory_groups():
        # macOS's `getgroups$DARWIN_EXTSN`, which CPython is linked to, asks the directory for the effective user's.
        import pwd

        try:
            user = pwd.getpwuid(posix.geteuid())
        except KeyError:
            return [getegid()]
        return posix.getgrouplist(user.pw_name, user.pw_gid)

    posix.setgroups = bsd_setgroups
    posix.getgroups = directory_groups if system() == "darwin" else kernel_groups
    KERNELS.append(kernel_groups)
