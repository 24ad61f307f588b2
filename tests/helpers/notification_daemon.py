"""A desktop's notification service on a session bus, as small as notify-send needs it.

`python3 notification_daemon.py` takes the name org.freedesktop.Notifications on `$DBUS_SESSION_BUS_ADDRESS` and prints
each notification as a line of JSON. Source: the D-Bus Specification (wire format, little-endian) and the Desktop
Notifications Specification. Standard library only.
"""

from __future__ import annotations

import json
import os
import socket
import struct

CALL, RETURN, ERROR = 1, 2, 3
BUS = "org.freedesktop.DBus"
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE = range(1, 9)
FIELDS = {PATH: "o", INTERFACE: "s", MEMBER: "s", ERROR_NAME: "s", REPLY_SERIAL: "u", DESTINATION: "s", SIGNATURE: "g"}


def aligned(data: bytes, to: int) -> bytes:
    return data + b"\0" * (-len(data) % to)


def text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode() + b"\0"


class Connection:
    def __init__(self, address: str) -> None:
        path = dict(pair.split("=", 1) for pair in address.partition(":")[2].split(","))["path"]
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(path)
        self._file = self._sock.makefile("rb")
        self._serial = 0
        self._sock.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        assert self._file.readline().startswith(b"OK ")
        self._sock.sendall(b"BEGIN\r\n")

    def send(self, kind: int, fields: dict[int, str | int], body: bytes = b"") -> None:
        self._serial += 1
        head = b""
        for code, value in fields.items():
            head = aligned(head, 8) + bytes((code, 1)) + FIELDS[code].encode() + b"\0"
            if isinstance(value, int):
                head = aligned(head, 4) + struct.pack("<I", value)
            elif FIELDS[code] == "g":
                head += bytes((len(value),)) + value.encode() + b"\0"
            else:
                head = aligned(head, 4) + text(value)
        start = struct.pack("<BBBBIII", ord("l"), kind, 0, 1, len(body), self._serial, len(head))
        self._sock.sendall(aligned(start + head, 8) + body)

    def call(self, member: str, signature: str = "", body: bytes = b"") -> None:
        where: dict[int, str | int] = {PATH: "/org/freedesktop/DBus", DESTINATION: BUS, INTERFACE: BUS, MEMBER: member}
        self.send(CALL, {**where, SIGNATURE: signature} if signature else where, body)

    def receive(self) -> tuple[int, int, dict[int, str], bytes] | None:
        """The next message's kind, serial, fields that are texts, and body."""
        start = self._file.read(16)
        if len(start) < 16:
            return None
        _, kind, _, _, length, serial, size = struct.unpack("<BBBBIII", start)
        head = self._file.read(size + -size % 8)
        fields: dict[int, str] = {}
        at = 0
        while at < size:
            at += -at % 8
            code, signature = head[at], chr(head[at + 2])
            at += 4
            if signature == "g":
                fields[code], at = head[at + 1 : at + 1 + head[at]].decode(), at + 2 + head[at]
            else:
                at += -at % 4
                (number,) = struct.unpack_from("<I", head, at)
                at += 4
                if signature in "so":
                    fields[code], at = head[at : at + number].decode(), at + number + 1
        return kind, serial, fields, self._file.read(length)


def notification(body: bytes) -> dict[str, object]:
    """What Notify says: `susssasa{sv}i`, as far as anybody reads it here."""
    at, found = 0, []
    for kind in "susss":
        at += -at % 4
        (number,) = struct.unpack_from("<I", body, at)
        at += 4
        if kind == "s":
            found.append(body[at : at + number].decode())
            at += number + 1
    urgency = body.find(b"urgency\0\1y\0")
    return {"app": found[0], "title": found[2], "text": found[3], "urgency": body[urgency + 11] if urgency > 0 else 1}


def main() -> None:
    bus = Connection(os.environ["DBUS_SESSION_BUS_ADDRESS"])
    bus.call("Hello")
    bus.call("RequestName", "su", aligned(text("org.freedesktop.Notifications"), 4) + struct.pack("<I", 4))
    print("ready", flush=True)
    while (message := bus.receive()) is not None:
        kind, serial, fields, body = message
        if kind != CALL:
            continue
        answer: dict[int, str | int] = {REPLY_SERIAL: serial, DESTINATION: fields[SENDER]}
        match fields[MEMBER]:
            case "Notify":
                print(json.dumps(notification(body)), flush=True)
                bus.send(RETURN, {**answer, SIGNATURE: "u"}, struct.pack("<I", 1))
            case "GetServerInformation":
                said = b""
                for word in ("test", "test", "1", "1.2"):
                    said = aligned(said, 4) + text(word)
                bus.send(RETURN, {**answer, SIGNATURE: "ssss"}, said)
            case "GetCapabilities":
                said = text("body-markup")
                bus.send(RETURN, {**answer, SIGNATURE: "as"}, struct.pack("<I", len(said)) + said)
            case _:
                bus.send(ERROR, {**answer, ERROR_NAME: "org.freedesktop.DBus.Error.UnknownMethod"})


if __name__ == "__main__":
    main()
