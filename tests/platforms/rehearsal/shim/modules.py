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


def _socket_module(module):
    if system() == "win32":
        module.socketpair = _socketpair


def _socketpair(family=None, type=None, proto=0):
    """As CPython makes one where the system has none: by a listener on the loopback interface."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
    return left, right


def _select(module):
    if system() in {"darwin", "freebsd"}:
        from rehearsal import kqueue

        kqueue.change(module)


def _ctypes(module):
    from rehearsal import library

    library.change(module)


CHANGES = {"posix": _posix, "_socket": _socket, "socket": _socket_module, "select": _select, "ctypes": _ctypes}
