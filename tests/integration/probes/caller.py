"""A caller that stays alive: each line on stdin is `{"path", "target", "body"}`; each line on stdout is what happened.

The answer holds the outcome (`ok` or an errno's name), the HTTP status, and what the kernel says of this very process.
"""

import errno
import json
import os
import socket
import sys


def myself():
    with open("/proc/self/status", encoding="ascii") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status)
    return {
        "pid": os.getpid(),
        "uid": int(fields["Uid"].split()[1]),
        "gid": int(fields["Gid"].split()[1]),
        "groups": sorted({int(group) for group in fields["Groups"].split()}),
    }


def call(order):
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(order["path"])
        except OSError as error:
            return {"outcome": errno.errorcode[error.errno]}
        body = order["body"].encode()
        head = f"POST {order['target']} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        peer.sendall(head.encode() + body)
        answer = b""
        while chunk := peer.recv(65536):
            answer += chunk
        return {"outcome": "ok", "status": int(answer.split(None, 2)[1]), "process": myself()}


for line in sys.stdin:
    print(json.dumps(call(json.loads(line))), flush=True)
