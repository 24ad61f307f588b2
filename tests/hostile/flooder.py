"""What a stranger's process sends to stop the server for the others; run by itself, as `python -c`."""

FLOODER = r"""
import itertools, os, resource, select, socket, sys, time

kind, path, many = sys.argv[1], sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def post(body, fields=b""):
    return b"POST /hook?event=Stop HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


def connected():
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    sock.connect(path)
    return sock


def padded(unit, size, begin=b"", end=b""):
    return begin + unit * ((size - len(begin) - len(end)) // len(unit)) + end


SAYS = {
    "pipelined": [b"GET / HTTP/1.1\r\nHost:x\r\n\r\n" * 5000],
    "large": [post(padded(b"x", 64_000, b'{"x":"', b'"}'))],
    "json": [
        post(padded(b"[", 64_000)),
        post(padded(b"\\ud800", 64_000, b'{"x":"', b'"}')),
        post(padded(b'{"a":[', 64_000)),
        post(padded(b"[],", 120_000, b'{"_x":1,"y":[', b"0]}")),
    ],
    "small": [post(b'{"session_id":"flood"}', b"Connection: close\r\n")],
}
HALF = b"POST /hook?event=Stop HTTP/1.1\r\nHost: x\r\n"
FOLLOW = b"GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"


def throw():
    # Connect, say all that the kernel takes, and go on to the next one; the latest few are held open.
    held = []
    for number in itertools.count():
        try:
            sock = connected()
            sock.send(SAYS[kind][number % len(SAYS[kind])])
        except OSError:
            time.sleep(0.0005)
            continue
        held.append(sock)
        if len(held) > many:
            held.pop(0).close()


def hold():
    # Open as many as there may be, and let each say a byte of a head now and then; what is closed is opened again.
    socks = []
    while True:
        while len(socks) < many:
            try:
                sock = connected()
                sock.send(HALF)
            except OSError:
                break
            socks.append(sock)
        alive = []
        for sock in socks:
            try:
                sock.send(b"x")
            except OSError:
                sock.close()
                continue
            alive.append(sock)
        socks = alive


def follow():
    # Follow as often as that is allowed, read all that comes, and send what is followed.
    poll, socks = select.poll(), {}
    said = post(padded(b"x", 8000, b'{"x":"', b'"}'), b"Connection: close\r\n")
    while True:
        if len(socks) < many:
            try:
                sock = connected()
                sock.send(FOLLOW)
            except OSError:
                pass
            else:
                socks[sock.fileno()] = sock
                poll.register(sock, select.POLLIN)
        try:
            sock = connected()
            sock.send(said)
            sock.close()
        except OSError:
            pass
        for number, _ in poll.poll(0):
            try:
                gone = not socks[number].recv(1 << 20)
            except OSError:
                gone = True
            if gone:
                poll.unregister(number)
                socks.pop(number).close()


print("ready", flush=True)
{"half-open": hold, "followers": follow}.get(kind, throw)()
"""
