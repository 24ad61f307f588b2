"""One kernel's habits as data, and the steps of Linux. Nothing here decides; `evaluation` reads it.

`steps` names, for each operation, the checks in the order in which the kernel makes them: the first that refuses
gives the errno. A kernel that differs is another value, not other code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

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
    "policy_opens_new",
    "policy_executes",
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
    "not_of_an_image",
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
        "policy_opens_new": "SELinux",
        "policy_executes": "SELinux",
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
    for there. `staying` are standard directories that overlayfs has from an image and does not rename.
    `profiles_of_peers`: AppArmor asks about connections to named sockets. `joining` is the command by which one joins
    a group. `errors` are the errno names that differ from POSIX's, by operation: `connect ENOTSOCK`.
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
    staying: tuple[str, ...] = ()
    profiles_of_peers: bool = False
    new_group: Literal["directory", "process unless setgid"] = "process unless setgid"
    joining: str = "usermod -aG {group} {user}"
    errors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def error(self, operation: str, usual: str) -> str:
        """This kernel's errno for what POSIX calls `usual`."""
        return self.errors.get(f"{operation} {usual}", usual)


OVERRIDES: Final = (
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
            "not_of_an_image",  # fs/overlayfs/dir.c, `ovl_rename`: EXDEV before it looks whether the target is empty
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
            "policy_changes",
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
        "execute": ("allowed_call", "length", "follow", "runs", "may_execute", "profile_executes", "policy_executes"),
        "list": ("allowed_call", "length", "follow", "is_directory", "may_read", "profile_reads", "policy_shows"),
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
            "policy_makes",  # `lookup_open`: security_inode_create()
            "create_file",
            "policy_opens_new",  # fs/open.c, `do_dentry_open`: security_file_open()
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
            "policy_makes",  # `vfs_mkdir`: security_inode_mkdir()
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


LINUX_ALONE: Final = frozenset(
    {"allowed_call", "not_of_an_image", *(step for step, layer in LAYERS.items() if layer in _MODULES)}
)
"""What only Linux asks."""
STEPS_BEFORE_6_14: Final[Mapping[Procedure, tuple[StepName, ...]]] = MappingProxyType(
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
