"""Makes this interpreter one of another system, as far as can be shown on Linux; `begin` is called before all else.

Names that the system's CPython lacks are taken away as soon as their module is imported; what its kernel does otherwise
is done by wrapping the functions that Python has for it.
"""

import sys

from rehearsal import target

C_MODULES = {"os": "posix", "socket": "_socket", "signal": "_signal"}
"""Where the names of a module come from, beside those that typeshed has a stub of."""
KEPT = {}
"""What the shim itself needs of Linux."""
UNUSABLE = {"trio"}
"""Packages that need kqueue where the target has it, which Linux does not; nothing here needs them."""
SYSTEMS = {
    "darwin": ("Darwin", "24.6.0", "Darwin Kernel Version 24.6.0", "arm64"),
    "freebsd": ("FreeBSD", "14.3-RELEASE", "FreeBSD 14.3-RELEASE GENERIC", "amd64"),
    "openbsd": ("OpenBSD", "7.7", "GENERIC.MP#625", "amd64"),
    "netbsd": ("NetBSD", "10.1", "NetBSD 10.1 (GENERIC)", "amd64"),
}
"""What uname(3) says: the system, its release, its version and the machine."""


class Finder:
    """Finds what others find, and has it changed after it was loaded."""

    def __init__(self, changes):
        self.changes = changes
        self.absent = {name for name, names in target.LACKING.items() if names == ["*"]} - {"posix"}
        self.absent |= UNUSABLE

    def find_spec(self, name, path=None, into=None):
        if name in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name not in self.changes:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, into)
            if spec is not None:
                spec.loader = Loader(spec.loader, self.changes[name])
                return spec
        return None


class Loader:
    """Loads as another loader does, and then changes the module."""

    def __init__(self, loader, change):
        self.loader = loader
        self.change = change

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        self.change(module)


def system():
    """The target without its version: darwin, freebsd, ..."""
    return next((name for name in SYSTEMS if target.PLATFORM.startswith(name)), target.PLATFORM)


def begin():
    """Be that system from here on."""
    import posix
    import select

    KEPT.update((name, getattr(posix, name)) for name in ("listxattr", "getxattr", "setxattr", "pidfd_open", "close"))
    KEPT["epoll"] = select.epoll
    from rehearsal import modules

    lacking = dict(target.LACKING)
    for module, source in C_MODULES.items():
        lacking[source] = lacking.get(source, []) if lacking.get(source) != ["*"] else []
        lacking[source] = [*lacking[source], *lacking.get(module, [])]

    if system() == "win32":  # the library's own needs first: it runs on Linux all the same
        for name in ("asyncio", "subprocess", "tempfile", "ctypes", "sysconfig"):
            __import__(name)
        sys.modules["sysconfig"].get_config_vars()
        sys.modules["tempfile"]._O_TMPFILE_WORKS = False
        sys.modules["io"]._WindowsConsoleIO = type("_WindowsConsoleIO", (), {})  # what pytest asks of Windows' terminal
    sys.platform = target.PLATFORM
    changes = {name: _change(lacking.get(name, []), modules.CHANGES.get(name)) for name in {*lacking, *modules.CHANGES}}
    for name in ("posix", "errno", "time"):
        if name in changes:
            __import__(name)
    for name in set(changes) & set(sys.modules):
        changes[name](sys.modules[name])
    sys.meta_path.insert(0, Finder(changes))


def _change(names, also):
    def change(module):
        for name in names:
            holder, _, last = name.rpartition(".")
            owner = getattr(module, holder, None) if holder else module
            if not holder or (isinstance(owner, type) and last in vars(owner) and not hasattr(owner, "__members__")):
                try:
                    delattr(owner, last)
                except (AttributeError, TypeError):
                    pass
        everything = getattr(module, "__all__", None)
        if everything is not None:
            module.__all__ = type(everything)(name for name in everything if name not in names)
        if also is not None:
            also(module)

    return change
