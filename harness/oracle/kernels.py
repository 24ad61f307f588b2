"""The rules of the kernels that are known: Linux by its sysctls and release, macOS and the BSDs."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from harness.oracle.rules import LINUX_ALONE, LINUX_STEPS, OVERRIDES, STEPS_BEFORE_6_14, Rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.oracle.rules import Procedure, StepName


def _version(release: str) -> tuple[int, ...]:
    """The first two numbers of a release; more than any where there are none."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (sys.maxsize,)


SYSTEMS: Final = ("Linux", "Darwin", "FreeBSD", "OpenBSD", "NetBSD")
"""Whose rules are known, by the names that uname(2) gives their kernels."""


class Kernel(Protocol):
    """What has to be known of a kernel, which is not known to the oracle otherwise."""

    @property
    def system(self) -> str:
        """Its name, as `SYSTEMS` has it."""
        ...

    @property
    def kernel(self) -> str:
        """Its release, as uname(2) has it."""
        ...

    @property
    def own_users(self) -> bool:
        """Whether processes are in a user namespace of their own."""
        ...

    @property
    def staying(self) -> tuple[str, ...]:
        """Directories that can't be renamed."""
        ...

    @property
    def sysctls(self) -> Mapping[str, int]:
        """What is absent counts as 0."""
        ...


def rules_of(kernel: Kernel) -> Rules:
    """The rules of a place's kernel. Raises ValueError with a sentence if none are known."""
    if kernel.system not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise ValueError(f"no rules are known of the kernel of {kernel.system}; known are those of {known}")
    if kernel.system == "Linux":
        return linux(kernel.sysctls, kernel.kernel, own_users=kernel.own_users, staying=kernel.staying)
    return {"Darwin": xnu, "FreeBSD": freebsd, "OpenBSD": openbsd, "NetBSD": netbsd}[kernel.system]()


def linux(
    sysctls: Mapping[str, int] | None = None,
    release: str = "",
    *,
    own_users: bool = False,
    staying: tuple[str, ...] = (),
) -> Rules:
    """Linux with the sysctls of a place (`fs.protected_symlinks` and its like); what is absent counts as 0.

    `release` is the kernel's, such as `6.1.0-40-amd64`; without one it is taken to be a recent one. `own_users`: in a
    user namespace of its own. `staying`: directories that overlayfs has from an image. `apparmor.af_unix` among the
    sysctls is AppArmor's feature of that name: whether its profiles are asked about connections.
    """
    sysctls = sysctls or {}
    return Rules(
        name="linux",
        verified="observed on Linux 6.18; fs/namei.c, fs/open.c, fs/exec.c, fs/attr.c, fs/inode.c, fs/posix_acl.c, "
        "net/unix/af_unix.c",
        steps=STEPS_BEFORE_6_14 if _version(release) < (6, 14) else LINUX_STEPS,
        sun_path=108,
        path_max=4096,
        overrides=OVERRIDES,
        errors=MappingProxyType({"connect ENOTSOCK": "ECONNREFUSED"}),
        protected_symlinks=bool(sysctls.get("fs.protected_symlinks", 0)),
        protected_regular=sysctls.get("fs.protected_regular", 0),
        protected_fifos=sysctls.get("fs.protected_fifos", 0),
        own_users=own_users,
        staying=staying,
        profiles_of_peers=bool(sysctls.get("apparmor.af_unix", 0)),
    )


_BSD_STEPS: Final[Mapping[Procedure, tuple[StepName, ...]]] = MappingProxyType(
    {
        **{
            name: tuple(step for step in steps if step not in LINUX_ALONE)
            for name, steps in LINUX_STEPS.items()
            if not name.endswith("abstract")
        },
        # It is asked whether a thing is a socket before any permission is: FreeBSD and OpenBSD
        # sys/kern/uipc_usrreq.c (`unp_connectat`, `unp_connect`), NetBSD the same, XNU bsd/kern/uipc_usrreq.c.
        "connect": ("address", "follow", "is_socket", "write", "is_open", "same_type", "is_listening", "has_room"),
    }
)
_MOUNT_BEFORE_KIND: Final[tuple[StepName, ...]] = (
    *LINUX_STEPS["unlink"][: LINUX_STEPS["unlink"].index("not_a_directory")],
    "not_mounted_upon",
    "not_a_directory",
    "remove",
)
"""OpenBSD and NetBSD look for a mount before they look for a directory: sys/kern/vfs_syscalls.c, `dounlinkat` (VROOT),
then sys/ufs/ufs/ufs_vnops.c, `ufs_remove`; sys/kern/vfs_syscalls.c, `do_sys_unlinkat` (VV_ROOT, `v_mountedhere`)."""
_BIND_BEHIND_LINKS: Final[tuple[StepName, ...]] = tuple(
    "parent_behind_links" if step == "parent" else step for step in _BSD_STEPS["bind"]
)
_XNU_STEPS: Final[Mapping[Procedure, tuple[StepName, ...]]] = MappingProxyType(
    {
        **_BSD_STEPS,
        "bind": (
            "address",
            "parent_behind_links",  # bsd/kern/uipc_usrreq.c, `unp_bind`: CREATE with FOLLOW
            "not_the_root",  # bsd/vfs/vfs_lookup.c, `lookup_handle_emptyname`
            "free_name",
            "entry_length",
            "slash_only_on_a_directory",  # bsd/vfs/vfs_lookup.c, `lookup_handle_found_vnode`
            "absent",
            "writable_mount",  # bsd/vfs/vfs_lookup.c, `lookup_validate_creation_path`: before the slash
            "no_closing_slash",
            "may_create",  # bsd/kern/uipc_usrreq.c, `unp_bind`: KAUTH_VNODE_ADD_FILE
            "create",
        ),
        "unlink": (
            "length",
            "parent",
            "not_the_root",  # bsd/vfs/vfs_lookup.c, `lookup_handle_emptyname`
            "removable_name",
            "entry_length",
            "present",
            "slash_only_on_a_directory",  # bsd/vfs/vfs_lookup.c, `lookup_handle_found_vnode`
            "writable_mount",  # the same function, once the name was found
            "not_mounted_upon",  # bsd/vfs/vfs_syscalls.c, `unlinkat_internal`: VROOT
            "not_a_directory",  # bsd/vfs/vfs_subr.c, `vn_authorize_unlink`: before any permission
            "may_delete",  # bsd/vfs/vfs_subr.c, `vnode_authorize_delete`
            "not_sticky",  # the same function
            "remove",
        ),
    }
)
_BSD_ERRORS: Final = MappingProxyType({"unlink EISDIR": "EPERM", "connect EAGAIN": "ECONNREFUSED"})
"""FreeBSD sys/kern/vfs_syscalls.c, `kern_funlinkat`; NetBSD's `do_sys_unlinkat` the same; OpenBSD
sys/ufs/ufs/ufs_vnops.c, `ufs_remove`. All three ask before for the directory's permission and for its sticky bit,
which is EPERM: sys/ufs/ufs/ufs_lookup.c, `ufs_delete_denied` (FreeBSD), `ufs_can_delete` (NetBSD), `ufs_lookup`
(OpenBSD).
`sonewconn` in each uipc_socket.c gives no socket where the queue is full, which `unp_connect` calls ECONNREFUSED.
"""


def _bsd(name: str, verified: str, steps: Mapping[Procedure, tuple[StepName, ...]] = _BSD_STEPS) -> Rules:
    """What the kernels of BSD's line share: MAXSYMLINKS and PATH_MAX of sys/param.h and sys/syslimits.h, sun_path of
    sys/un.h; a new file has its directory's group (`ufs_makeinode`); there are no abstract names and no capabilities.
    """
    return Rules(
        name=name,
        verified=f"read, not run: {verified}; rename, chmod and all that opens or makes files are taken to be Linux's",
        steps=steps,
        sun_path=104,
        path_max=1024,
        symlinks=32,
        abstract=False,
        classes=("owner", "group", "other"),
        acl_needs_group_bits=False,
        capabilities=False,
        overrides=OVERRIDES,
        new_group="directory",
        joining="usermod -G {group} {user}",
        errors=_BSD_ERRORS,
    )


def freebsd() -> Rules:
    """FreeBSD. Its ACLs are those of POSIX.1e (UFS), which bind whoever has an entry under every mode."""
    return replace(
        _bsd(
            "freebsd",
            "sys/kern/uipc_usrreq.c (`uipc_bindat`: NOFOLLOW, sun_len; `unp_connectat`), sys/kern/vfs_syscalls.c "
            "(`kern_funlinkat`), sys/ufs/ufs/ufs_lookup.c (`ufs_delete_denied`), sys/kern/subr_acl_posix1e.c "
            "(`vaccess_acl_posix1e`), sys/sys/param.h, sys/sys/un.h",
        ),
        classes=("owner", "acl", "group", "other"),
        joining="pw groupmod {group} -m {user}",
    )


def openbsd() -> Rules:
    """OpenBSD. It has no ACLs, and wants a NUL within sun_path."""
    return replace(
        _bsd(
            "openbsd",
            "sys/kern/uipc_usrreq.c (`unp_bind`: NOFOLLOW, a path of sun_path's size is EINVAL; `unp_connect`), "
            "sys/kern/vfs_syscalls.c (`dounlinkat`), sys/ufs/ufs/ufs_lookup.c (`ufs_lookup`), sys/ufs/ufs/ufs_vnops.c "
            "(`ufs_remove`), sys/sys/param.h, sys/sys/un.h",
            MappingProxyType({**_BSD_STEPS, "unlink": _MOUNT_BEFORE_KIND}),
        ),
        sun_path=103,
    )


def netbsd() -> Rules:
    """NetBSD. Its bind follows a symlink at the path's end, as macOS's does; its ACLs, since 10, are FreeBSD's."""
    return replace(
        _bsd(
            "netbsd",
            "sys/kern/uipc_usrreq.c (`unp_bind`: FOLLOW; `unp_connect`), sys/kern/vfs_syscalls.c (`do_sys_unlinkat`), "
            "sys/ufs/ufs/ufs_lookup.c (`ufs_can_delete`), sys/miscfs/genfs/genfs_vnops.c "
            "(`genfs_can_access_acl_posix1e`), sys/sys/param.h, sys/sys/un.h; not looked up: whether more than the 104 "
            "bytes of sun_path reach it",
            MappingProxyType({**_BSD_STEPS, "bind": _BIND_BEHIND_LINKS, "unlink": _MOUNT_BEFORE_KIND}),
        ),
        classes=("owner", "acl", "group", "other"),
    )


def xnu() -> Rules:
    """The kernel of macOS, without its ACLs, its flags (chflags(1)) and its sandboxes, which no world has.

    An address may have 253 bytes of path on the wire (bsd/kern/uipc_syscalls.c, `getsockaddr`: SOCK_MAXADDRLEN), though
    its sun_path has 104. A sticky directory's refusal is EACCES (bsd/vfs/vfs_subr.c, `vnode_authorize_delete`).
    """
    return replace(
        _bsd("xnu", "", _XNU_STEPS),
        verified="rehearsed, not run on a Mac: read in XNU 11417.101 (macOS 15.4), bsd/kern/uipc_usrreq.c (`unp_bind`, "
        "`unp_connect`), bsd/kern/uipc_syscalls.c (`getsockaddr`), bsd/vfs/vfs_lookup.c (`lookup_handle_emptyname`, "
        "`lookup_handle_found_vnode`, `lookup_validate_creation_path`), bsd/vfs/vfs_syscalls.c (`unlinkat_internal`), "
        "bsd/vfs/vfs_subr.c (`vn_authorize_unlink`, `vnode_authorize_delete`); the order of rename's checks, chmod "
        "and all that opens or makes files are taken to be Linux's",
        sun_path=253,
        joining="dseditgroup -o edit -a {user} -t user {group}",
        errors=MappingProxyType(
            {
                **_BSD_ERRORS,
                "unlink EPERM": "EACCES",
                "rename EPERM": "EACCES",
                "connect EINVAL": "ENAMETOOLONG",
                "bind EINVAL": "ENAMETOOLONG",
            }
        ),
    )
