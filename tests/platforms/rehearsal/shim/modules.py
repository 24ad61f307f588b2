"""What is changed in which module, beside the names that are taken away."""

from rehearsal import SYSTEMS, system


def _posix(module):
    from rehearsal import ids, names

    ids.change(module)
    names.change(module)
    if system() in SYSTEMS:
        said = module.uname_result((SYSTEMS[system()][0], "rehearsal", *SYSTEMS[system()][1:]))
        module.uname = lambda: said


def _socket(module):
    if system() in SYSTEMS:
        from rehearsal import sockets

        sockets.change(module)


def _ctypes(module):
    from rehearsal import library

    library.change(module)


CHANGES = {"posix": _posix, "_socket": _socket, "ctypes": _ctypes}
