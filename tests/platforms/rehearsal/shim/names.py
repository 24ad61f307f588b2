"""Errnos of names where XNU's are others, and what its links do.

XNU 11417.101: bsd/vfs/vfs_subr.c, `vnode_authorize_delete` (sticky: EACCES); bsd/vfs/kpi_vfs.c and vfs_syscalls.c,
`vn_authorize_unlink` (a directory: EPERM, before any permission).
"""

import errno

from rehearsal import system

STICKY = 0o1000
FORMAT, DIRECTORY, LINK = 0o170000, 0o040000, 0o120000


def change(posix):
    """Have it so."""
    _show_descriptors(posix)
    _change_modes_of_links(posix)
    if system() == "darwin":
        _refuse_as_xnu(posix)


def _show_descriptors(posix):
    """/dev/fd, which is a file system of its own elsewhere, and on Linux a link into /proc."""
    listdir, fstat, fspath = posix.listdir, posix.fstat, posix.fspath

    def is_open(number):
        try:
            fstat(number)
        except OSError:
            return False
        return True

    def bsd_listdir(path=".", /):
        if not isinstance(path, int) and fspath(path) == "/dev/fd":
            return [str(number) for number in range(4096) if is_open(number)]
        return listdir(path)

    posix.listdir = bsd_listdir


def _change_modes_of_links(posix):
    """fchmodat(2) with AT_SYMLINK_NOFOLLOW, which Linux got later; here nobody exchanges the file meanwhile."""
    chmod, lstat = posix.chmod, posix.lstat

    def bsd_chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
        if not follow_symlinks and lstat(path, dir_fd=dir_fd).st_mode & FORMAT == LINK:
            return
        chmod(path, mode, dir_fd=dir_fd)

    posix.chmod = bsd_chmod


def _refuse_as_xnu(posix):
    unlink, rename, lstat, stat, fsencode = posix.unlink, posix.rename, posix.lstat, posix.stat, posix.fspath

    def _sticky(path, error, dir_fd=None):
        if error.errno == errno.EPERM and dir_fd is None:
            text = fsencode(path)
            slash = b"/" if isinstance(text, bytes) else "/"
            parent = text.rstrip(slash).rpartition(slash)[0] or (slash if text.startswith(slash) else text[:0] or ".")
            try:
                if stat(parent).st_mode & STICKY:
                    return OSError(errno.EACCES, "Permission denied", path)
            except OSError:
                pass
        return error

    def xnu_unlink(path, *, dir_fd=None):
        try:
            if lstat(path, dir_fd=dir_fd).st_mode & FORMAT == DIRECTORY:
                raise PermissionError(errno.EPERM, "Operation not permitted", path)
        except OSError as error:
            if error.errno == errno.EPERM:
                raise
        try:
            unlink(path, dir_fd=dir_fd)
        except OSError as error:
            raise _sticky(path, error, dir_fd) from None

    def xnu_rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None):
        try:
            rename(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        except OSError as error:
            raise _sticky(src, _sticky(dst, error, dst_dir_fd), src_dir_fd) from None

    posix.unlink = posix.remove = xnu_unlink
    posix.rename = xnu_rename
