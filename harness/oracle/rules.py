"""One kernel's habits as data. Nothing here decides; `evaluation` reads it.

`steps` names, for each operation, the checks in the order in which the kernel makes them: the first that refuses
gives the errno. A kernel that differs is another value, not other code.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from harness.world import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

ClassRule = Literal["owner", "acl", "group", "other"]
Procedure: TypeAlias = Operation | Literal["connect abstract", "bind abstract", "create existing"]
"""What has steps of its own: each operation, connect and bind once more where they are given an abstract name, and
create once more where there is something already."""
Layer = Literal["seccomp", "path", "inode flags", "SELinux", "socket", "Landlock", "AppArmor", "other modules"]
"""What may refuse, in the order in which a connection meets it: the call itself, the permissions on the way and of the
thing, its flags (chattr(1)), the modules' hooks, the socket.
"""
StepName = Literal[
    "allowed_call",
    "may_make_sockets",
    "within_domain",
    "may_resolve_sockets",
    "may_move_sockets",
    "profile_makes_sockets",
    "profile_connects",
    "profile_makes",
    "profile_takes",
    "profile_moves",
    "profile_changes",
    "profile_writes",
    "profile_reads",
    "profile_executes",
    "policy_makes_sockets",
    "policy_lets_call",
    "policy_connects",
    "policy_makes",
    "policy_takes",
    "policy_moves",
    "policy_changes",
    "policy_shows",
    "policy_reads_link",
    "address",
    "length",
    "follow",
    "no_follow",
    "parent",
    "parent_behind_links",
    "ending_behind_links",
    "second_parent",
    "write",
    "is_socket",
    "let_in",
    "is_open",
    "same_type",
    "is_listening",
    "has_room",
    "known",
    "unclaimed",
    "free_name",
    "living",
    "second_living",
    "entry_length",
    "second_entry_length",
    "absent",
    "no_closing_slash",
    "not_the_root",
    "slash_only_on_a_directory",
    "writable_mount",
    "may_create",
    "create",
    "create_file",
    "make_directory",
    "removable_name",
    "present",
    "no_slash_on_it",
    "may_delete",
    "names_may_go",
    "not_sticky",
    "keeps_no_name",
    "not_a_directory",
    "not_mounted_upon",
    "remove",
    "same_mount",
    "movable_names",
    "slashes_only_on_directories",
    "not_into_itself",
    "not_over_an_ancestor",
    "unless_the_same",
    "may_create_or_replace",
    "may_move_a_directory",
    "neither_mounted_upon",
    "empty_target",
    "move",
    "is_symlink",
    "writable_mount_of_it",
    "unflagged",
    "ownership",
    "change_mode",
    "may_give_away",
    "change_owner",
    "may_read",
    "may_execute",
    "no_directory",
    "is_directory",
    "is_file",
    "runs",
    "not_only_to_append",
    "writable_mount_of_file",
    "opens",
    "names_a_file",
    "unless_there",
    "not_in_a_sticky_directory",
    "cut_off",
]
"""The functions of `harness.oracle.steps`."""


LAYERS: Final[Mapping[StepName, Layer]] = MappingProxyType(
    {
        "allowed_call": "seccomp",
        "may_make_sockets": "Landlock",
        "within_domain": "Landlock",
        "may_move_sockets": "Landlock",
        "may_resolve_sockets": "Landlock",
        "profile_makes_sockets": "AppArmor",
        "profile_connects": "AppArmor",
        "profile_makes": "AppArmor",
        "profile_takes": "AppArmor",
        "profile_moves": "AppArmor",
        "profile_changes": "AppArmor",
        "profile_writes": "AppArmor",
        "profile_reads": "AppArmor",
        "profile_executes": "AppArmor",
        "policy_makes_sockets": "SELinux",
        "policy_lets_call": "SELinux",
        "policy_connects": "SELinux",
        "policy_makes": "SELinux",
        "policy_takes": "SELinux",
        "policy_moves": "SELinux",
        "policy_changes": "SELinux",
        "policy_shows": "SELinux",
        "policy_reads_link": "SELinux",
        "is_socket": "socket",
        "is_open": "socket",
        "same_type": "socket",
        "is_listening": "socket",
        "has_room": "socket",
        "known": "socket",
        "unclaimed": "socket",
    }
)
"""The layer of each step; of all others it is the path."""


@dataclass(frozen=True, slots=True)
class Override:
    """A capability that passes over missing permission bits, on directories or on everything else.

    `other without x` is everything else with no bit of x in its mode, which nobody may execute.
    """

    capability: str
    on: Literal["directory", "other", "other without x"]
    bits: int


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What one kernel does. Sizes are in bytes; `path_max` counts the closing NUL, `sun_path` needs none.

    `verified` says what these rules were compared with. `classes` are tried in order; the first that matches applies.
    `acl_needs_group_bits`: the ACL is passed over while the mode's group bits are all zero. `new_group` is whose group
    a new file gets. `capabilities`: privilege comes in parts, which a process may lack; else uid 0 has it whole.
    `own_users`: in a user namespace other than the machine's, where a process has no capability of those that are asked
    for there. `profiles_of_peers`: AppArmor asks about connections to named sockets. `joining` is the command by which
    a user joins a group. `errors` are the errno names that differ from POSIX's, by operation: `connect ENOTSOCK`.
    """

    name: str
    verified: str
    steps: Mapping[Procedure, tuple[StepName, ...]]
    sun_path: int
    path_max: int
    name_max: int = 255
    symlinks: int = 40
    abstract: bool = True
    classes: tuple[ClassRule, ...] = ("owner", "acl", "group", "other")
    acl_needs_group_bits: bool = True
    capabilities: bool = True
    overrides: tuple[Override, ...] = ()
    protected_symlinks: bool = False
    protected_regular: int = 0
    protected_fifos: int = 0
    own_users: bool = False
    profiles_of_peers: bool = False
    new_group: Literal["directory", "process unless setgid"] = "process unless setgid"
    joining: str = "usermod -aG {group} {user}"
    errors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def error(self, operation: str, usual: str) -> str:
        """This kernel's errno for what POSIX calls `usual`."""
        return self.errors.get(f"{operation} {usual}", usual)


_OVERRIDES: Final = (
    Override("CAP_DAC_READ_SEARCH", "directory", 0o5),
    Override("CAP_DAC_READ_SEARCH", "other", 0o4),
    Override("CAP_DAC_READ_SEARCH", "other without x", 0o4),
    Override("CAP_DAC_OVERRIDE", "directory", 0o7),
    Override("CAP_DAC_OVERRIDE", "other", 0o7),
    Override("CAP_DAC_OVERRIDE", "other without x", 0o6),
)
"""fs/namei.c, `generic_permission`; capabilities(7)."""

_MODULES: Final = frozenset({"Landlock", "AppArmor", "SELinux"})
LINUX_STEPS: Final[Mapping[Procedure, tuple[StepName, ...]]] = MappingProxyType(
    {
        "connect": (
            "allowed_call",
            "profile_makes_sockets",  # net/socket.c, `__sock_create`: security_socket_create()
            "policy_makes_sockets",
            "policy_lets_call",  # net/socket.c, `__sys_connect`: security_socket_connect()
            "address",
            "follow",
            "write",
            "is_socket",
            "is_open",
            "same_type",
            "may_resolve_sockets",  # net/unix/af_unix.c, `unix_find_bsd`: security_unix_find(), since Linux 7.1
            "is_listening",
            "has_room",
            "profile_connects",  # `unix_stream_connect`, `unix_dgram_connect`: the modules' hooks on both ends
            "policy_connects",
        ),
        "connect abstract": (
            "allowed_call",
            "profile_makes_sockets",
            "policy_makes_sockets",
            "policy_lets_call",
            "address",
            "known",
            "is_listening",
            "has_room",
            "within_domain",
            "policy_connects",
        ),
        "bind": (
            "allowed_call",
            "profile_makes_sockets",
            "policy_makes_sockets",
            "policy_lets_call",  # net/socket.c, `__sys_bind`: security_socket_bind()
            "address",
            "parent",
            "free_name",
            "living",
            "entry_length",
            "absent",
            "no_closing_slash",
            "writable_mount",
            "may_make_sockets",  # net/unix/af_unix.c, `unix_bind_bsd`: security_path_mknod() before vfs_mknod()
            "profile_makes",
            "may_create",
            "policy_makes",  # fs/namei.c, `vfs_mknod`: security_inode_mknod() after may_create()
            "create",
        ),
        "bind abstract": (
            "allowed_call",
            "profile_makes_sockets",
            "policy_makes_sockets",
            "policy_lets_call",
            "address",
            "unclaimed",
        ),
        "unlink": (
            "allowed_call",
            "length",
            "parent",
            "removable_name",
            "writable_mount",
            "living",
            "entry_length",
            "present",
            "no_slash_on_it",
            "profile_takes",  # fs/namei.c, `do_unlinkat`: security_path_unlink() before vfs_unlink()
            "may_delete",
            "names_may_go",
            "not_sticky",
            "keeps_no_name",
            "not_a_directory",
            "not_mounted_upon",
            "policy_takes",  # fs/namei.c, `vfs_unlink`: security_inode_unlink()
            "remove",
        ),
        "rename": (
            "allowed_call",
            "length",
            "parent",
            "second_parent",
            "same_mount",
            "movable_names",
            "writable_mount",
            "living",
            "entry_length",
            "present",
            "second_living",
            "second_entry_length",
            "slashes_only_on_directories",
            "not_into_itself",
            "not_over_an_ancestor",
            "may_move_sockets",  # fs/namei.c, `do_renameat2`: security_path_rename() before vfs_rename()
            "profile_moves",
            "unless_the_same",
            "may_delete",
            "names_may_go",
            "not_sticky",
            "keeps_no_name",
            "may_create_or_replace",
            "may_move_a_directory",
            "policy_moves",  # fs/namei.c, `vfs_rename`: security_inode_rename()
            "neither_mounted_upon",
            "empty_target",
            "move",
        ),
        "stat": ("length", "follow", "policy_shows", "let_in"),  # fs/stat.c, `vfs_getattr`: security_inode_getattr()
        "readlink": ("length", "no_follow", "is_symlink", "policy_reads_link"),
        "chmod": (
            "allowed_call",
            "length",
            "follow",
            "writable_mount_of_it",
            "let_in",
            "profile_changes",  # fs/open.c, `chmod_common`: security_path_chmod() before notify_change()
            "unflagged",
            "policy_changes",  # fs/attr.c, `notify_change`: security_inode_setattr() before the file system's setattr
            "ownership",
            "change_mode",
        ),
        # fs/open.c, `do_fchownat` and `chown_common`; fs/attr.c, `may_setattr` and `setattr_prepare`
        "chown": (
            "allowed_call",
            "length",
            "follow",
            "writable_mount_of_it",
            "let_in",
            "profile_changes",  # `chown_common`: security_path_chown() before notify_change()
            "unflagged",
            "may_give_away",
            "change_owner",
        ),
        # fs/namei.c, `do_open` and `may_open`; fs/open.c, `do_dentry_open`: security_file_open() before f_op->open()
        "read": ("allowed_call", "length", "follow", "may_read", "profile_reads", "opens", "no_directory"),
        "write": (
            "allowed_call",
            "length",
            "follow",
            "no_directory",
            "write",
            "not_only_to_append",
            "writable_mount_of_file",
            "profile_writes",
            "opens",
        ),
        # fs/exec.c, `do_open_execat`; `bprm_execve`: security_bprm_creds_for_exec()
        "execute": ("allowed_call", "length", "follow", "runs", "may_execute", "profile_executes"),
        "list": ("allowed_call", "length", "follow", "is_directory", "may_read", "profile_reads"),
        # fs/namei.c, `open_last_lookups`, `lookup_open`, `may_o_create`
        "create": (
            "allowed_call",
            "length",
            "ending_behind_links",
            "names_a_file",
            "living",
            "entry_length",
            "unless_there",
            "writable_mount",
            "profile_makes",  # `may_o_create`: security_path_mknod() before inode_permission()
            "may_create",
            "create_file",
        ),
        "create existing": (
            "no_directory",
            "not_in_a_sticky_directory",
            "write",
            "not_only_to_append",
            "writable_mount_of_file",
            "profile_writes",
            "opens",
        ),
        # fs/namei.c, `filename_create`, `vfs_mkdir`
        "mkdir": (
            "allowed_call",
            "length",
            "parent",
            "free_name",
            "living",
            "entry_length",
            "absent",
            "writable_mount",
            "profile_makes",  # `do_mkdirat`: security_path_mkdir() before vfs_mkdir()
            "may_create",
            "make_directory",
        ),
        "truncate": (  # fs/open.c, `vfs_truncate`: security_path_truncate() before do_truncate()
            "allowed_call",
            "length",
            "follow",
            "no_directory",
            "is_file",
            "write",
            "writable_mount_of_it",
            "not_only_to_append",
            "profile_writes",
            "cut_off",
        ),
    }
)


_LINUX_ALONE: Final = frozenset({"allowed_call", *(step for step, layer in LAYERS.items() if layer in _MODULES)})
_BSD_STEPS: Final[Mapping[Procedure, tuple[StepName, ...]]] = MappingProxyType(
    {
        **{
            name: tuple(step for step in steps if step not in _LINUX_ALONE)
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


_STEPS_BEFORE_6_14: Final[Mapping[Procedure, tuple[StepName, ...]]] = MappingProxyType(
    {
        **LINUX_STEPS,
        # fs/open.c, `vfs_truncate`: the mount was asked before the permission
        "truncate": (
            "allowed_call",
            "length",
            "follow",
            "no_directory",
            "is_file",
            "writable_mount_of_it",
            "write",
            "not_only_to_append",
            "profile_writes",
            "cut_off",
        ),
    }
)


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
    def sysctls(self) -> Mapping[str, int]:
        """What is absent counts as 0."""
        ...


def rules_of(kernel: Kernel) -> Rules:
    """The rules of a place's kernel. Raises ValueError with a sentence if none are known."""
    if kernel.system not in SYSTEMS:
        known = ", ".join(SYSTEMS)
        raise ValueError(f"no rules are known of the kernel of {kernel.system}; known are those of {known}")
    if kernel.system == "Linux":
        return linux(kernel.sysctls, kernel.kernel, own_users=kernel.own_users)
    return {"Darwin": xnu, "FreeBSD": freebsd, "OpenBSD": openbsd, "NetBSD": netbsd}[kernel.system]()


def linux(sysctls: Mapping[str, int] | None = None, release: str = "", *, own_users: bool = False) -> Rules:
    """Linux with the sysctls of a place (`fs.protected_symlinks` and its like); what is absent counts as 0.

    `release` is the kernel's, such as `6.1.0-40-amd64`; without one it is taken to be a recent one. `own_users`: in a
    user namespace of its own. `apparmor.af_unix` among the sysctls is AppArmor's feature of that name: whether its
    profiles are asked about connections.
    """
    sysctls = sysctls or {}
    return Rules(
        name="linux",
        verified="observed on Linux 6.18; fs/namei.c, fs/open.c, fs/exec.c, fs/attr.c, fs/inode.c, fs/posix_acl.c, "
        "net/unix/af_unix.c",
        steps=_STEPS_BEFORE_6_14 if _version(release) < (6, 14) else LINUX_STEPS,
        sun_path=108,
        path_max=4096,
        overrides=_OVERRIDES,
        errors=MappingProxyType({"connect ENOTSOCK": "ECONNREFUSED"}),
        protected_symlinks=bool(sysctls.get("fs.protected_symlinks", 0)),
        protected_regular=sysctls.get("fs.protected_regular", 0),
        protected_fifos=sysctls.get("fs.protected_fifos", 0),
        own_users=own_users,
        profiles_of_peers=bool(sysctls.get("apparmor.af_unix", 0)),
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
        overrides=_OVERRIDES,
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
