"""Many peers at once."""

from __future__ import annotations

import functools
import json
import random
import socket
import sys

from harness.inside.peers.base import MALLORY, become, child, connect, ended, hand_over, handed_over, myself, speak


def crowd() -> None:
    """1,000 connections of 50 users, 200 open at once; who speaks, in any order: the user, a child, a stranger."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    users, waves = 50, 5
    channels: list[socket.socket] = []

    def wave(number: int, tokens: list[str], order: socket.socket) -> None:
        assert order.recv(8) == b"open"
        socks = {token: connect() for token in tokens}
        sys.stdout.write("".join(json.dumps({"token": token, **myself()}) + "\n" for token in tokens))
        sys.stdout.flush()
        stranger, by_child, *own = tokens
        hand_over(there, socks[stranger], stranger)
        order.send(b"opened")
        assert order.recv(8) == b"speak"
        random.Random(number).shuffle(own)  # noqa: S311 - an order, not a secret
        speak(socks[own[0]], own[0])
        ended(child(lambda: speak(socks[by_child], by_child)))
        speak(socks[own[1]], own[1])
        order.send(b"spoken")

    def user(number: int, order: socket.socket) -> None:
        become(5000 + number, 6000 + number, list(range(7000, 7000 + number)))
        for turn in range(waves):
            wave(number, [f"crowd-{number}-{turn}-{index}" for index in range(4)], order)

    pids = []
    for number in range(users):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pids.append(child(functools.partial(user, number, theirs)))
        channels.append(mine)
    become(MALLORY)
    for turn in range(waves):
        for words, answer in ((b"open", b"opened"), (b"speak", b"spoken")):
            for channel in channels:
                channel.send(words)
            if words == b"speak":
                strangers = [handed_over(here) for _ in channels]
                random.Random(turn).shuffle(strangers)  # noqa: S311 - as above
                for sock, token in strangers:
                    speak(sock, token)
            for channel in channels:
                assert channel.recv(8) == answer
    for pid in pids:
        ended(pid)
